// A multiply-accumulate unit clock by clock: the registers of every stage, valid and ready on both sides, with the bits of IssueModel.
#pragma once

#include <string>
#include <vector>

#include "sim/issue_model.h"
#include "sim/timing/unit_stepper.h"

namespace accsim::sim {

/// What drives the unit in one cycle, as it stands just before the rising edge.
struct UnitInputs {
  bool reset = false;  ///< synchronous: every register is zero after the edge, generators are at their seeds
  bool valid = false;  ///< an issue is offered; it is taken where the unit is ready
  std::vector<formats::Code> a, b;
  std::optional<formats::Code> accumulator;  ///< given from outside; unset: the unit's own
  bool subtract = false;
  bool first = false;  ///< the issue starts a sum: from zero, unless `accumulator` is given
  bool last = false;   ///< the issue ends it: an interleaved unit then combines its partial sums
  bool ready = true;   ///< a result is taken; without it a unit with a result stands still
};

/// What can be seen of the unit in a cycle.
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

/// Level 0 of the datapath, or all up to `[accumulator] level`, as rows of vectors have it (contracts 5); schedule and latencies from
/// [timing]. Outer levels and [output] are left to whoever takes the sums; `output` registers stand behind the accumulator.
class ClockedUnit {
 public:
  /// `terms`: operand pairs of an issue. InputError where a row is not one issue, or operands have no codes.
  ClockedUnit(const Datapath& datapath, std::int64_t terms);
  ClockedUnit(const ClockedUnit&) = delete;
  ClockedUnit& operator=(const ClockedUnit&) = delete;

  [[nodiscard]] const IssueModel& model() const { return model_; }
  [[nodiscard]] UnitOutputs outputs(bool ready) const;
  /// No issue is inside.
  [[nodiscard]] bool is_empty() const;
  /// The rising edge. An issue that is offered while the unit is not ready is not taken.
  void clock(const UnitInputs& inputs);

  [[nodiscard]] std::vector<UnitSignal> signals() const;
  /// A value for each of signals(), as the registers stand.
  [[nodiscard]] std::vector<UnitSample> sample() const;

 private:
  /// What a register of a stage holds.
  struct Item {
    bool valid = false;
    UnitInputs issue;
    std::uint64_t row = 0;
    formats::Code code = 0;
    unsigned flags = 0;
    std::optional<formats::Code> product;
  };
  struct Stage {
    std::string scope;
    std::int64_t number = 0;
    bool holds_sum = false;
    Item item;
  };

  void add_stages(std::vector<Stage>& line, const std::string& scope, std::int64_t count, bool holds_sum);
  [[nodiscard]] Item taken(const UnitInputs& inputs);
  /// All registers of a line take what stands before them; what leaves the last one.
  static Item shift(std::vector<Stage>& line, Item entering);
  void clock_interleaved(const Item& arriving);
  void add(Item& item);
  [[nodiscard]] const Item& result() const;
  void reset();

  Datapath datapath_;
  IssueModels models_;
  IssueModel& model_;
  Block block_;  ///< of the accumulator
  std::int64_t terms_ = 1;
  std::int64_t interval_ = 1;
  bool interleaved_ = false;
  std::vector<Stage> before_;  ///< to the adder
  std::vector<Stage> adder_;   ///< from the one whose input is the sum, without an interleaved loop
  std::vector<Stage> after_;
  BlockStepper loop_;       ///< interleaved
  std::vector<Item> sums_;  ///< interleaved: partial sums, then results of additions
  Item combined_;           ///< interleaved: the result, while it stands in the loop's last register or the one that waits
  formats::Code accumulator_ = 0;
  std::uint64_t rows_ = 0;  ///< issues taken
  std::int64_t terms_of_sum_ = 0;
  std::uint64_t last_row_ = 0;
  std::uint32_t combinations_ = 0;
  unsigned sum_flags_ = 0;
  std::int64_t pause_ = 0;
  bool combining_ = false;  ///< from the last issue of an interleaved sum until its result stands there
};

}  // namespace accsim::sim
