// What the float kernels' fast loops have in common: where the accumulators of sequential levels start, and what is handed up from level
// to level. Included by lane units only.
#pragma once

#include "sim/kernels/kernel_float_ops.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

/// A block's sums beside those that the innermost level is at: of each level `registers` registers.
template <class O, int registers, class V = typename O::Real>
class LevelSums {
 public:
  /// All zero.
  LevelSums(const FloatPlan& plan, const FloatBlock& block) : plan_(plan), sums_(static_cast<V*>(block.scratch)) {
    for (int i = 0; i < plan.levels * registers; ++i) sums_[i] = V{};
  }

  /// Sets the innermost level's accumulators to zero, or C where it enters there; a C that enters above enters here.
  ACCSIM_INLINE void start(const FloatBlock& block, V (&innermost)[registers]) {
    unrolled<registers>([&](auto i) ACCSIM_LAMBDA { innermost[i] = V{}; });
    if (block.initial == nullptr) return;
    const auto* initial = static_cast<const typename O::Scalar*>(block.initial);
    if (plan_.initial_level == 0) {
      unrolled<registers>([&](auto i) ACCSIM_LAMBDA { innermost[i] = O::load(initial + i * O::lanes); });
    } else {
      for (int i = 0; i < registers; ++i) sums_[plan_.initial_level * registers + i] = O::load(initial + i * O::lanes);
    }
  }

  /// What is handed up: set by the innermost level before hand_up; at the end of the block, after it, the last level's sums.
  V* handed() { return sums_; }

  /// Adds what is handed up, as far as levels are full, or all that is there at the end of the block. add(l, is_up, acc, x, result) makes
  /// `result` of a level's accumulators `acc` and addends `x`; `is_up`: it is the level's sum.
  template <class Add>
  ACCSIM_INLINE void hand_up(bool is_end, Add&& add) {
    for (int l = 1; l < plan_.levels; ++l) {
      V* acc = sums_ + l * registers;
      ++count_[l];
      const bool is_up = is_end || count_[l] == plan_.level[l].terms;
      V result[registers];
      add(l, is_up, acc, sums_, result);
      for (int i = 0; i < registers; ++i) (is_up ? sums_ : acc)[i] = result[i];
      if (!is_up) return;
      for (int i = 0; i < registers; ++i) acc[i] = V{};
      count_[l] = 0;
    }
  }

 private:
  const FloatPlan& plan_;
  V* sums_;  // the innermost level's place: what is handed up
  std::int64_t count_[float_max_levels] = {};
};

/// The sum of all lanes.
template <class T>
std::int64_t total(const typename Ops<T>::Int& counter) {
  std::int64_t sum = 0;
  for (int i = 0; i < Ops<T>::lanes; ++i) sum += counter[i];
  return sum;
}

/// The largest of all lanes of some magnitudes.
template <class T, int count>
std::uint64_t largest_of(const typename Ops<T>::Int (&magnitudes)[count]) {
  std::uint64_t largest = 0;
  for (const auto& magnitude : magnitudes) {
    for (int i = 0; i < Ops<T>::lanes; ++i) {
      const auto word = static_cast<std::uint64_t>(static_cast<typename Ops<T>::UWord>(magnitude[i]));
      if (word > largest) largest = word;
    }
  }
  return largest;
}

/// A last sum `result` of acc + x, where it is zero, with its sign: that of the `exact` sum, or as the host has it where two numbers
/// cancel; NaN where the addends are zeros, whose signs a truncating loop does not keep.
template <class O>
typename O::Real with_sign_of_zero(typename O::Real result, typename O::Real exact, typename O::Real acc, typename O::Real x) {
  using Int = typename O::Int;
  const Int sign = O::bits(exact) & O::set(O::sign);
  const typename O::Mask unknown = O::eq(O::magnitude(acc) | O::magnitude(x), Int{});
  const Int zero = O::select(unknown, O::set(O::infinity + 1), sign);
  return O::real(O::select(O::eq(O::magnitude(result), Int{}), zero, O::bits(result)));
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
