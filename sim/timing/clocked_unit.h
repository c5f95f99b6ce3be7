// Multiply-accumulate units clock by clock: the registers of every stage, valid and ready on both sides, with the bits of IssueModel.
#pragma once

#include <string>
#include <vector>

#include "sim/row_batch.h"
#include "sim/timing/unit_stepper.h"

namespace accsim::sim {

/// What drives the units in one cycle beside operands, as it stands just before the rising edge. Several units share it.
struct UnitControl {
  bool reset = false;     ///< synchronous: every register is zero after the edge, generators are at their seeds
  bool valid = false;     ///< an issue is offered; it is taken where the unit is ready
  bool subtract = false;  ///< products are negated
  bool first = false;     ///< the issue starts a sum: from zero, unless an accumulator is given
  bool last = false;      ///< the issue ends it: an interleaved unit then combines its partial sums
  bool ready = true;      ///< a result is taken; without it a unit with a result stands still
  std::string rm = {};    ///< a rounding's name, which overrides every rounding of the issue; empty: the datapath's own
};

/// The inputs of one unit.
struct UnitInputs : UnitControl {
  std::vector<formats::Code> a, b;
  std::vector<formats::Code> a_scales = {}, b_scales = {};  ///< of a block format's blocks; missing ones are 1
  std::optional<formats::Code> accumulator = {};            ///< given from outside; unset: the unit's own
};

/// Operands of all units: of each term, of each 32 bits of its codes (low first), a word a unit.
struct BatchOperands {
  const std::uint32_t* a = nullptr;
  const std::uint32_t* b = nullptr;
  std::size_t terms = 1;
  const std::uint32_t* accumulator = nullptr;                    ///< given from outside; null: the units' own
  const std::uint32_t *a_scales = nullptr, *b_scales = nullptr;  ///< of each block of a block format, a word a unit; null: 1
};

/// What can be seen of the units in a cycle, values of unit 0.
struct UnitOutputs {
  bool ready = false;  ///< an issue that is offered is taken at the edge
  bool valid = false;  ///< a result stands there: after every issue; of an interleaved unit the combined one only
  bool last = false;   ///< of the last issue of a sum
  formats::Code accumulator = 0;
  unsigned flags = 0;  ///< of the row; of an interleaved unit all of the sum's
};

/// A register that can be seen: `scope` is the datapath's place ("input", "product", "reduction_0", "output"), `stage` counts from 1.
struct UnitSignal {
  std::string scope;
  std::int64_t stage = 0;
  std::string name;                         ///< valid, code, a, b
  const formats::Format* format = nullptr;  ///< null: one bit
};

struct UnitSample {
  formats::Code value = 0;
  bool valid = false;  ///< false: what the register holds is not looked at
};

/// Registers of a unit that [timing] does not describe: from the operands to the result, and of those to the product. An issue a cycle.
struct UnitLatency {
  int result = 1, product = 1;
};

/// An issue in a register, with what is known of it there.
struct UnitItem {
  UnitControl control;
  BatchRow row;
  bool has_accumulator = false;  ///< given from outside
  bool from_zero = false;        ///< the sum starts there: nothing comes in
  UnitCodes accumulator;         ///< that comes in: given, or the units' own once the sum is made
  std::uint64_t taken = 0;       ///< the number of the edge that took it, the first being 0
};

/// Level 0 of the datapath, or all up to `[accumulator] level`, as rows of vectors have it (contracts 5); schedule and latencies from
/// [timing]. Outer levels and [output] are left to whoever takes the sums; `output` registers stand behind the accumulator. All units are
/// in step: one control, operands of their own. Random bits of unit u are those of row * units + u; its generators those of
/// element `element` + u.
class ClockedUnit {
 public:
  /// `terms`: operand pairs of an issue. `latency` stands in for [timing]; `element`: of an array, that unit 0 is. InputError where a row
  /// is not one issue, operands have no codes, or latencies are not 1 <= product <= result <= 1024 (interleaved: fewer than ways).
  ClockedUnit(const Datapath& datapath, std::int64_t terms, std::int64_t units = 1, std::optional<UnitLatency> latency = {},
              std::uint64_t element = 0);
  ClockedUnit(const ClockedUnit&) = delete;
  ClockedUnit& operator=(const ClockedUnit&) = delete;

  [[nodiscard]] const IssueModel& model() const { return model_.model(); }
  [[nodiscard]] std::int64_t units() const { return model_.units(); }
  [[nodiscard]] std::int64_t terms() const { return terms_; }
  [[nodiscard]] bool on_lanes() const { return model_.on_lanes(); }
  /// `given`: the issue that is offered brings its accumulator; without an issue `ready` is that of one that does.
  [[nodiscard]] UnitOutputs outputs(bool ready, bool given = true) const;
  /// The issue whose result stands at the output; null: none. Of an interleaved unit there is no issue: a sum's item has no operands.
  [[nodiscard]] const UnitItem* result() const;
  /// The issue whose product stands in the last register before the adder (without one: in the first register); null: none, or the
  /// first register is that of an interleaved loop.
  [[nodiscard]] const UnitItem* product() const;
  /// The rounded product of an issue of one term, where products are shown.
  [[nodiscard]] formats::Code product_of(const UnitItem& item, std::int64_t unit) const { return model_.product_of(item.row, unit); }
  /// True where a word of `count` has one of the bits.
  [[nodiscard]] bool has_any(const std::uint32_t* words, std::int64_t count, std::uint32_t bits) const {
    return model_.has_any(words, count, bits);
  }
  /// No issue is inside.
  [[nodiscard]] bool is_empty() const;
  /// Rising edges so far.
  [[nodiscard]] std::uint64_t edges() const { return edges_; }
  /// InputError where `rm` is no rounding of this datapath.
  void require_rounding(const std::string& rm) { model_.require_rounding(rm); }

  /// The rising edge. An issue that is offered while the units are not ready is not taken. True where one was taken.
  bool clock(const UnitControl& control, const BatchOperands& operands);
  bool clock(const UnitInputs& inputs);

  [[nodiscard]] std::vector<UnitSignal> signals() const;
  /// A value for each of signals(), as the registers of unit 0 stand.
  [[nodiscard]] std::vector<UnitSample> sample() const;

 private:
  static constexpr int nothing = -1;  ///< no item
  struct Stage {
    std::string scope;
    std::int64_t number = 0;
    bool holds_sum = false;
    int item = nothing;
  };

  /// The datapath's place of the accumulator.
  [[nodiscard]] std::string sum_scope() const { return "reduction_" + std::to_string(datapath_.levels.size() - 1); }
  static void add_stages(std::vector<Stage>& line, const std::string& scope, std::int64_t count, bool holds_sum);
  int new_item();
  void drop(int item);
  int taken(const UnitControl& control, const BatchOperands& operands);
  /// All registers of a line take what stands before them; what leaves the last one.
  static int shift(std::vector<Stage>& line, int entering);
  void clock_interleaved(int arriving);
  void add(UnitItem& item, UnitCodes& own);
  void advance(int entering);
  bool clock_elastic(const UnitControl& control, const BatchOperands& operands);
  void make_stages(const Schedule& schedule, bool has_latency);
  void reset();
  [[nodiscard]] const UnitItem* at(int item) const { return item == nothing ? nullptr : &items_[static_cast<std::size_t>(item)]; }
  [[nodiscard]] int result_item() const;
  [[nodiscard]] bool takes_issues(bool given) const { return pause_ == 0 && !combining_ && (wait_ == 0 || (given && !loops_)); }

  Datapath datapath_;
  BatchModel model_;
  Block block_;  ///< of the accumulator
  std::int64_t terms_ = 1;
  std::int64_t interval_ = 1;  ///< of any two issues
  std::int64_t turn_ = 1;      ///< of two where the second waits for the sum of the first
  bool interleaved_ = false;
  std::vector<Stage*> line_;  ///< elastic: all registers from the operands to the result
  std::vector<UnitItem> items_;
  std::vector<int> free_;
  std::vector<Stage> before_;  ///< to the adder
  std::vector<Stage> adder_;   ///< from the one whose input is the sum, without an interleaved loop
  std::vector<Stage> after_;
  BlockStepper loop_;            ///< interleaved
  std::vector<UnitCodes> sums_;  ///< interleaved: partial sums, then results of additions
  UnitCodes sum_flags_;
  int combined_ = nothing;  ///< interleaved: the result, while it stands in the loop's last register or the one that waits
  UnitCodes own_;           ///< the accumulator
  std::uint64_t rows_ = 0;  ///< issues taken
  std::uint64_t edges_ = 0;
  std::int64_t terms_of_sum_ = 0;
  std::uint64_t last_row_ = 0;
  std::uint32_t combinations_ = 0;
  std::int64_t pause_ = 0, wait_ = 0;  ///< cycles left of interval_ and of turn_
  bool loops_ = false;      ///< since the reset an issue came without an accumulator: there is a loop, and every issue waits for it
  bool combining_ = false;  ///< from the last issue of an interleaved sum until its result stands there
};

}  // namespace accsim::sim
