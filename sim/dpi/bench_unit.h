// What a handle of the C interface stands for: a unit's model, untimed and clocked, and what a test bench found wrong with its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "sim/dpi/bench_online.h"
#include "sim/timing/clocked_array.h"
#include "sim/timing/clocked_unit.h"

namespace accsim::sim {

/// How a unit is made beside its datapath.
struct BenchOptions {
  std::optional<UnitLatency> latency;  ///< stands in for [timing]
  std::int64_t units = 1;              ///< clocked in step
  std::optional<std::int64_t> terms;   ///< of an online unit; unset: the level's
  BenchOnline::Part part = BenchOnline::Part::inner_product;
};

class BenchUnit {
 public:
  /// InputError as IssueModel's and ClockedUnit's.
  BenchUnit(const Datapath& datapath, const BenchOptions& options);

  [[nodiscard]] const Datapath& datapath() const { return datapath_; }
  [[nodiscard]] IssueModel& model() { return model_; }
  [[nodiscard]] const IssueModel& model() const { return model_; }
  [[nodiscard]] std::int64_t units() const { return options_.units; }
  /// Products of an issue; 0: any number.
  [[nodiscard]] std::int64_t terms_of_issue() const;
  /// As constructed.
  void reset();

  /// The result of one issue, its accumulator fed back (of an interleaved level that of `ways` issues before); zero with `first`.
  IssueResult step(bool first, const std::vector<formats::Code>& a, const std::vector<formats::Code>& b);
  /// Scales of block formats, for every issue from now on; missing ones are 1.
  void set_scales(std::vector<formats::Code> a, std::vector<formats::Code> b);
  [[nodiscard]] const std::vector<formats::Code>& a_scales() const { return a_scales_; }
  [[nodiscard]] const std::vector<formats::Code>& b_scales() const { return b_scales_; }
  /// The whole datapath over the terms since the last `first` of step() or clock(), those of unit 0. InputError beyond 65536 of them, or in
  /// block formats.
  [[nodiscard]] formats::Code total() const;

  /// One rising edge.
  void clock(const UnitInputs& inputs);
  /// Of one unit with one term.
  void clock(const UnitControl& control, formats::Code a, formats::Code b);
  /// Of all units; `operands` as ClockedUnit takes them.
  void clock(const UnitControl& control, const BatchOperands& operands);
  /// The clocked unit, for issues of so many terms. InputError where it was made for fewer.
  ClockedUnit& clocked(std::int64_t terms);

  /// The array of [array], or the online unit; made when first asked for. InputError as ClockedArray's, BenchOnline's.
  ClockedArray& array();
  BenchOnline& online();
  void clock_array(const UnitControl& control, const std::vector<formats::Code>& a, const std::vector<formats::Code>& b);
  void clock_online(bool reset, bool start, const BenchOnline::Digits& digits, const std::vector<online::Int128>& parallel);
  /// A row of results that leaves the array (empty: none): false where it differs, or one stands there and the other does not.
  bool check_array(const std::vector<formats::Code>& found);

  /// A signal of unit 0 after the last edge: "valid", "ready" (while results are taken), "last", "acc", "flags", "product_valid",
  /// "product", or a register as accsim wave names it; of an array "array_ready"; of an online unit "digit" (wires, plus the higher bit),
  /// "products_plus" and "products_minus" (bit t of term t). InputError for an unknown name.
  [[nodiscard]] UnitSample peek(std::string_view signal);
  /// False where `found` differs from a valid signal; the mismatch is kept.
  bool check(std::string_view signal, formats::Code found);
  /// The results of all units: false where any differs, or none stands there.
  bool check_results(const std::uint32_t* found);
  /// Keeps a mismatch of the last cycle; false.
  bool mismatch(const std::string& text);
  [[nodiscard]] int mismatch_count() const { return mismatch_count_; }
  [[nodiscard]] const std::vector<std::string>& mismatches() const { return mismatches_; }

  std::string error;  ///< of the last call that failed

 private:
  [[nodiscard]] const UnitItem* product_item();
  [[nodiscard]] const formats::Format* format_of(std::string_view signal);
  [[nodiscard]] std::string operands_of(const UnitItem& item, std::int64_t unit) const;
  void keep_terms(bool first, std::span<const formats::Code> a, std::span<const formats::Code> b);
  void clear_steps();

  Datapath datapath_;
  IssueModel model_;
  BenchOptions options_;
  std::vector<formats::Code> partial_;  ///< of step(): the sequence's last `ways` results, fewer near its start
  std::size_t next_ = 0;
  std::uint64_t steps_ = 0;
  std::vector<formats::Code> terms_a_, terms_b_;
  std::vector<formats::Code> a_scales_, b_scales_;
  std::unique_ptr<ClockedUnit> clocked_;
  std::unique_ptr<ClockedArray> array_;
  std::unique_ptr<BenchOnline> online_;
  std::uint64_t edges_ = 0;  ///< of what was clocked last
  std::vector<std::string> mismatches_;
  int mismatch_count_ = 0;
};

/// A code with its value.
std::string decoded_text(formats::Code code, const formats::Format& format);

}  // namespace accsim::sim
