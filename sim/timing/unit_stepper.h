// A unit's registers, clock by clock, without values: which cycle takes an issue, which one has the result.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "sim/timing/combination.h"
#include "sim/timing/schedule.h"

namespace accsim::sim {

/// What travels through the registers. `last`: of the dot product.
struct Token {
  bool last = false;
};

/// One level: what waits before it, its pipeline, and its accumulator's schedule.
class BlockStepper {
 public:
  explicit BlockStepper(const Block& block) : block_(block), pipe_(static_cast<std::size_t>(block.latency)) {}

  /// A sum that can be used in this cycle.
  [[nodiscard]] std::optional<Token> handed_up() const;
  /// Nothing of a group is on its way through a combination.
  [[nodiscard]] bool is_idle() const { return !combining_; }
  /// Interleaved, after a clock: the addition of the combination that started in it, which gives value ways + j, the j-th from 0.
  [[nodiscard]] const std::optional<CombineStep>& started() const { return started_; }
  /// Interleaved, after a clock: the value that is handed up in the next cycle.
  [[nodiscard]] std::optional<std::int64_t> result_number() const;
  /// Interleaved: the value in a register of the loop, 0 being the one that leaves next.
  [[nodiscard]] std::optional<std::int64_t> number_in(std::int64_t stage) const {
    const Slot& slot = pipe_[static_cast<std::size_t>(stage)];
    return slot.full ? std::optional(slot.value) : std::nullopt;
  }
  /// One cycle: takes what the level below hands up, starts an issue where it can, and clocks its registers.
  void clock(std::optional<Token> arriving);

 private:
  struct Slot {
    bool full = false, hands_up = false, last = false;
    std::int64_t value = 0;  ///< interleaved: number of the partial sum, or of the step's result
  };
  std::optional<Token> take_issue();
  void clock_interleaved();
  Slot next_step(const Slot& leaving);
  Slot next_pair(const Slot& leaving);

  Block block_;
  std::deque<Slot> pipe_;      ///< front leaves next
  std::deque<Token> waiting_;  ///< addends before the level
  std::int64_t busy_ = 0;      ///< cycles until the next issue can start
  std::int64_t in_group_ = 0;  ///< issues of the group so far
  bool combining_ = false, last_group_ = false;
  std::optional<Slot> partner_;  ///< coalesce: the sum that waits
  std::vector<char> there_;      ///< sequential, tree: sums and results that have left the loop
  std::vector<CombineStep> steps_;
  std::size_t next_ = 0;  ///< step
  std::optional<CombineStep> started_;
  std::optional<Slot> result_;  ///< coalesce: the register of the combined sum
};

class UnitStepper {
 public:
  explicit UnitStepper(const Schedule& schedule);

  /// An issue applied in this cycle is taken.
  [[nodiscard]] bool is_ready() const { return pause_ == 0 && combining_ == 0 && blocks_.front().is_idle(); }
  /// One cycle. `last`: the issue ends its dot product. Throws std::logic_error where an issue meets a unit that is not ready.
  void clock(bool valid, bool last);
  /// The result of a dot product stands in the last register.
  [[nodiscard]] bool is_finished() const { return finished_; }

 private:
  Schedule schedule_;
  std::vector<BlockStepper> blocks_;
  std::deque<std::optional<Token>> before_, output_;
  std::int64_t pause_ = 0;
  std::int64_t taken_ = 0;      ///< issues of this group of the innermost level
  std::int64_t combining_ = 0;  ///< cycles in which the last term of an interleaved group is on its way to the adder
  bool finished_ = false;
};

/// Feeds one dot product as fast as the unit takes it; the cycles until its result stands in the last register.
std::int64_t stepped_unit_cycles(const Schedule& schedule);

}  // namespace accsim::sim
