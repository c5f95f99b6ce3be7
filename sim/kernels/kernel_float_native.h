// The float kernels' loop for sums that the lane rounds itself, where an instruction cannot say how: the host's rounding changes every few
// steps. Included by lane units only.
#pragma once

#include "sim/kernels/kernel_float_levels.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

/// Some steps run with the host rounding to nearest and leave their accumulators behind; then, with the host rounding down, each sum is
/// looked at: it is inexact where rounding down and up differ. Functions that round are never inlined into those that change the rounding.
template <class T, int vectors>
class NativeLoop {
  using O = Ops<T>;
  using Real = typename O::Real;
  using Int = typename O::Int;
  using Mask = typename O::Mask;
  static constexpr int registers = fast_rows * vectors;
  static constexpr int stride = vectors * O::lanes;
  static constexpr int history_steps = 64;

  struct Counts {
    Int inexact{}, swamped{};
    Int largest[vectors] = {};
  };
  struct History {
    Real sum[history_steps + 1][registers];  // the first is the accumulator
  };

  static __attribute__((noinline)) void steps(const FloatBlock& block, std::int64_t first, std::int64_t count, History& history) {
    const T* a = static_cast<const T*>(block.a) + first;
    const T* b = static_cast<const T*>(block.b) + first * stride;
    Real acc[registers];
    unrolled<registers>([&](auto i) ACCSIM_LAMBDA { acc[i] = history.sum[0][i]; });
    for (std::int64_t k = 0; k < count; ++k, b += stride) {
      unrolled<registers>([&](auto i) ACCSIM_LAMBDA {
        acc[i] = O::fused(O::set_real(a[(i / vectors) * block.a_stride + k]), O::load(b + (i % vectors) * O::lanes), acc[i]);
        history.sum[k + 1][i] = acc[i];
      });
    }
  }
  static __attribute__((noinline)) void look_at_steps(const FloatBlock& block, std::int64_t first, std::int64_t count,
                                                      const History& history, Counts& counts) {
    const T* a = static_cast<const T*>(block.a) + first;
    const T* b = static_cast<const T*>(block.b) + first * stride;
    Counts n = counts;
    for (std::int64_t k = 0; k < count; ++k, b += stride) {
      unrolled<registers>([&](auto i) ACCSIM_LAMBDA {
        const Real x = O::set_real(a[(i / vectors) * block.a_stride + k]);
        const Real y = O::load(b + (i % vectors) * O::lanes);
        const Real before = history.sum[k][i];
        look(O::fused(x, y, before), O::minus_fused(x, y, before), before, history.sum[k + 1][i], n, n.largest[i % vectors]);
      });
    }
    counts = n;
  }
  static ACCSIM_INLINE void look(Real lower, Real minus_upper, Real before, Real sum, Counts& n, Int& largest) {
    largest = O::larger(largest, O::magnitude(sum));
    const Mask inexact = O::differ(lower, O::negated(minus_upper));
    O::count(n.inexact, inexact);
    O::count(n.swamped, O::both_eq(inexact, O::bits(sum), O::bits(before)));
  }

  static __attribute__((noinline)) void add(const Real* acc, const Real* x, Real* result) {
    for (int i = 0; i < registers; ++i) result[i] = acc[i] + x[i];
  }
  static __attribute__((noinline)) void look_at_sums(const Real* acc, const Real* x, const Real* result, Counts& n) {
    for (int i = 0; i < registers; ++i) look(acc[i] + x[i], O::negated(acc[i]) - x[i], acc[i], result[i], n, n.largest[i % vectors]);
  }

 public:
  static void run(const FloatPlan& plan, FloatBlock& block) {
    LevelSums<O, registers> sums(plan, block);
    History history;
    sums.start(block, history.sum[0]);
    Counts n;
    const std::int64_t terms = plan.level[0].terms;
    for (std::int64_t first = 0; first < block.k;) {
      const std::int64_t end = block.k - first < terms ? block.k : first + terms;
      for (std::int64_t start = first; start < end; start += history_steps) {
        const std::int64_t steps_now = end - start < history_steps ? end - start : history_steps;
        {
          const HostRounding rounding(HostRounding::Way::nearest);
          steps(block, start, steps_now, history);
        }
        {
          const HostRounding rounding(HostRounding::Way::down);
          look_at_steps(block, start, steps_now, history, n);
        }
        for (int i = 0; i < registers; ++i) history.sum[0][i] = history.sum[steps_now][i];
      }
      first = end;
      Real* handed = sums.handed();
      for (int i = 0; i < registers; ++i) {
        handed[i] = history.sum[0][i];
        history.sum[0][i] = Real{};
      }
      sums.hand_up(first == block.k, [&](int, bool, const Real* acc, const Real* x, Real* result) {
        {
          const HostRounding rounding(HostRounding::Way::nearest);
          add(acc, x, result);
        }
        {
          const HostRounding rounding(HostRounding::Way::down);
          look_at_sums(acc, x, result, n);
        }
      });
    }
    for (int i = 0; i < registers; ++i) O::store(static_cast<T*>(block.results) + i * O::lanes, sums.handed()[i]);
    block.events[5] += total<T>(n.inexact);
    block.events[6] += total<T>(n.swamped);
    block.largest = largest_of<T>(n.largest);
  }
};

}  // namespace accsim::sim::kernels::ACCSIM_ISA
