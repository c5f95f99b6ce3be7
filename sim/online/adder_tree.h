// A tree of registered online adders: neighbours are added level by level, an odd one out waits as long as a level takes.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace accsim::sim::online {

/// `Adder` is one of adder.h, `Signal` what it takes and gives. Digits pass from level to level as they stand in the output registers:
/// a radix-2 zero may be (1,1).
template <class Adder, class Signal>
class AdderTree {
 public:
  /// `waits`: registers that an odd operand passes through at a level, the online delay of an adder and its output register.
  AdderTree(std::size_t terms, const Adder& adder, int waits) {
    for (std::size_t n = terms; n > 1; n = (n + 1) / 2) {
      Level level;
      level.adders.assign(n / 2, adder);
      level.outputs.resize((n + 1) / 2);
      if (n % 2 != 0) level.waiting.resize(static_cast<std::size_t>(waits));
      levels_.push_back(std::move(level));
    }
  }
  void reset() {
    for (Level& level : levels_) {
      for (Adder& adder : level.adders) adder.reset();
      for (Signal& output : level.outputs) output = {};
      for (Signal& signal : level.waiting) signal = {};
    }
  }
  /// One clock with the digits of all terms as they stand before the edge: the last register behind the edge. One term passes through.
  Signal step(std::span<const Signal> terms) {
    for (std::size_t l = levels_.size(); l-- > 0;) {
      Level& level = levels_[l];
      const std::span<const Signal> inputs = l == 0 ? terms : std::span<const Signal>(levels_[l - 1].outputs);
      for (std::size_t i = 0; i < level.adders.size(); ++i) level.outputs[i] = level.adders[i].step(inputs[2 * i], inputs[2 * i + 1]);
      if (level.waiting.empty()) continue;
      for (std::size_t i = level.waiting.size(); i-- > 1;) level.waiting[i] = level.waiting[i - 1];
      level.waiting.front() = inputs.back();
      level.outputs.back() = level.waiting.back();
    }
    return levels_.empty() ? terms.front() : levels_.back().outputs.front();
  }
  /// The adders of a level, level 0 at the terms.
  [[nodiscard]] std::span<const Adder> adders(std::size_t level) const { return levels_[level].adders; }

 private:
  struct Level {
    std::vector<Adder> adders;
    std::vector<Signal> outputs, waiting;
  };
  std::vector<Level> levels_;
};

}  // namespace accsim::sim::online
