// Rows of units in step: every unit takes an issue of its own in the same clock. Lanes where they are proved, else IssueModel.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/issue_model.h"
#include "sim/kernels/row_units.h"

namespace accsim::sim {

/// A code of every unit: planes of 32 bits, low first, each with a word a unit.
class UnitCodes {
 public:
  UnitCodes() = default;
  UnitCodes(int bits, std::int64_t units)
      : planes_((bits + 31) / 32),
        stride_(static_cast<std::size_t>((units + kernels::row_padding - 1) / kernels::row_padding * kernels::row_padding)),
        words_(static_cast<std::size_t>(planes_) * stride_) {}

  [[nodiscard]] std::uint32_t* words(int plane = 0) { return words_.data() + static_cast<std::size_t>(plane) * stride_; }
  [[nodiscard]] const std::uint32_t* words(int plane = 0) const { return words_.data() + static_cast<std::size_t>(plane) * stride_; }
  [[nodiscard]] int planes() const { return planes_; }
  [[nodiscard]] formats::Code at(std::int64_t unit) const {
    formats::Code code = 0;
    for (int p = planes_; p-- > 0;) code = code << 32 | words(p)[unit];
    return code;
  }
  void set(std::int64_t unit, formats::Code code) {
    for (int p = 0; p < planes_; ++p) words(p)[unit] = static_cast<std::uint32_t>(code >> (32 * p));
  }
  void clear() { std::fill(words_.begin(), words_.end(), 0); }

 private:
  int planes_ = 0;
  std::size_t stride_ = 0;
  std::vector<std::uint32_t> words_;
};

/// An issue of every unit and its result.
struct BatchRow {
  std::vector<UnitCodes> a, b;                ///< by term
  std::vector<UnitCodes> a_scales, b_scales;  ///< by block, of a block format; empty: all are 1
  std::size_t terms = 0;                      ///< of this issue, at most a.size()
  bool subtract = false;
  std::uint64_t row = 0;  ///< number of the issue
  std::string rm;         ///< overrides every rounding; empty: the datapath's own
  UnitCodes result;
  UnitCodes flags;
};

class BatchModel {
 public:
  /// Unit u has the generators of element first_element + u. InputError as IssueModel's.
  BatchModel(const Datapath& datapath, std::int64_t units, std::uint64_t first_element = 0, kernels::RowLanes lanes = kernels::row_lanes());
  BatchModel(const BatchModel&) = delete;
  BatchModel& operator=(const BatchModel&) = delete;

  [[nodiscard]] std::int64_t units() const { return units_; }
  [[nodiscard]] const IssueModel& model() const { return plain_.models.front(); }
  [[nodiscard]] bool on_lanes() const { return plain_.lanes.has_value(); }
  /// A row with room for issues of so many terms.
  [[nodiscard]] BatchRow make_row(std::size_t terms) const;
  /// InputError where `rm` is no rounding of this datapath.
  void require_rounding(const std::string& rm) { (void)variant(rm); }

  /// The rounded product of a unit's one-term row, where products are shown.
  [[nodiscard]] formats::Code product_of(const BatchRow& row, std::int64_t unit) const;
  /// True where a word of `count` has one of the bits.
  [[nodiscard]] bool has_any(const std::uint32_t* words, std::int64_t count, std::uint32_t bits) const {
    return lanes_.has_any(words, count, bits);
  }
  /// Fills row.result and row.flags. `accumulator`: what comes in, null: zero.
  void add(BatchRow& row, const UnitCodes* accumulator);
  /// One addition of an interleaved level's combination, as IssueModel::add; flags are or-ed into `flags`.
  void combine(const UnitCodes* x, const UnitCodes* y, std::uint64_t row, std::uint32_t ordinal, UnitCodes& result, UnitCodes& flags);
  /// What of a result enters a later row.
  void feed_back(const UnitCodes& result, UnitCodes& accumulator) const;
  /// Generators to their seeds.
  void reset_generators();

 private:
  /// The datapath with one choice of roundings.
  struct Variant {
    std::vector<IssueModel> models;  ///< one, or one a unit where each has generators
    std::optional<kernels::RowPlan> lanes;
    std::vector<formats::Lfsr> product_lfsr, sum_lfsr;
    formats::RoundingSpec product_rounding, sum_rounding;
  };
  Variant make_variant(const Datapath& datapath) const;
  Variant& variant(const std::string& rm);
  [[nodiscard]] const Variant& known_variant(const std::string& rm) const { return rm.empty() ? plain_ : overridden_.find(rm)->second; }
  [[nodiscard]] std::uint64_t output_of(std::uint64_t row, std::int64_t unit) const {
    return row * static_cast<std::uint64_t>(units_) + static_cast<std::uint64_t>(unit);
  }
  const std::uint32_t* draw(const formats::RoundingSpec& spec, std::vector<formats::Lfsr>& generators, std::uint32_t site,
                            std::uint64_t row, std::vector<std::uint32_t>& random);
  static IssueModel& model_of(Variant& v, std::int64_t unit) { return v.models[v.models.size() == 1 ? 0 : static_cast<std::size_t>(unit)]; }

  Datapath datapath_;
  std::int64_t units_;
  std::uint64_t first_element_;
  Variant plain_;
  std::map<std::string, Variant, std::less<>> overridden_;
  bool one_format_;  ///< of the accumulator that comes in and the one that goes out
  kernels::RowLanes lanes_;
  UnitCodes zero_;
  std::vector<std::uint32_t> product_random_, random_;
};

}  // namespace accsim::sim
