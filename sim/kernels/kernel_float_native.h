// The float kernels' loop for sums that are rounded to nearest even to the lane's own format, so that the lane rounds them and no bit is
// left to show what was lost. Included by lane units only.
#pragma once

#include "sim/kernels/kernel_float_levels.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

/// A sum is inexact where rounding down and up differ. AVX-512 says in an instruction how it rounds. Elsewhere some steps run with the host
/// rounding to nearest and leave their accumulators behind; then, with the host rounding down, each sum is looked at. Functions that round
/// are never inlined into those that change the rounding. Without a fused multiply-add products have to be exact. Tiny sums are looked for
/// in binary64 lanes; in binary32 lanes none is inexact.
template <class T, int vectors>
class NativeLoop {
 protected:
  using O = Ops<T>;
  using Real = typename O::Real;
  using Int = typename O::Int;
  using Mask = typename O::Mask;
  using Word = typename O::Word;
  static constexpr int registers = fast_rows * vectors;
  static constexpr int stride = vectors * O::lanes;
  static constexpr bool counts_tiny = sizeof(T) == sizeof(double);

  struct Counts {
    Int inexact{}, swamped{}, tiny{};
    Int largest[vectors] = {};
    /// Loops count for themselves and add what they have: of a copy GCC 12 keeps no member in a register.
    void add(const Counts& other) {
      inexact += other.inexact;
      swamped += other.swamped;
      tiny += other.tiny;
      for (int v = 0; v < vectors; ++v) largest[v] = O::larger(largest[v], other.largest[v]);
    }
  };

  static ACCSIM_INLINE void count(Real sum, Real before, Mask inexact, Counts& n, Int& largest) {
    const Int magnitude = O::magnitude(sum);
    largest = O::larger(largest, magnitude);
    O::count(n.inexact, inexact);
    Mask unchanged = O::both_eq(inexact, O::bits(sum), O::bits(before));
    if constexpr (counts_tiny) {
      O::count(n.tiny, O::both(inexact, O::lt(magnitude, O::set(Word{1} << O::fraction_bits))));
      unchanged = O::both_nonzero(unchanged, O::bits(before), O::set(~O::sign));  // a zero that a tiny addend left a zero
    }
    O::count(n.swamped, unchanged);
  }

#if defined(__AVX512F__)
  static __attribute__((noinline)) void terms(const FloatBlock& block, std::int64_t first, std::int64_t end, Real (&sums)[registers],
                                              Counts& counts) {
    const T* a = static_cast<const T*>(block.a) + first;
    const T* b = static_cast<const T*>(block.b) + first * stride;
    Real acc[registers];
    unrolled<registers>([&](auto i) ACCSIM_LAMBDA { acc[i] = sums[i]; });
    Counts n;
    for (std::int64_t k = first; k < end; ++k, ++a, b += stride) {
      unrolled<fast_rows>([&](auto row) ACCSIM_LAMBDA {
        const Real x = O::set_real(a[row * block.a_stride]);
        unrolled<vectors>([&](auto v) ACCSIM_LAMBDA {
          constexpr int i = decltype(row)::value * vectors + decltype(v)::value;
          const Real y = O::load(b + v * O::lanes);
          const Real before = acc[i];
          acc[i] = O::nearest_fma(x, y, before);
          count(acc[i], before, O::inexact_fma(x, y, before), n, n.largest[v]);
        });
      });
    }
    counts.add(n);
    unrolled<registers>([&](auto i) ACCSIM_LAMBDA { sums[i] = acc[i]; });
  }
  static void add(const Real* acc, const Real* x, Real* result, Counts& n) {
    for (int i = 0; i < registers; ++i) {
      result[i] = O::nearest_sum(acc[i], x[i]);
      count(result[i], acc[i], O::inexact_sum(acc[i], x[i]), n, n.largest[i % vectors]);
    }
  }
#else
  static constexpr int history_steps = 64;
  struct History {
    Real sum[history_steps + 1][registers];  // the first is the accumulator
  };

#if defined(__AVX2__)
  static ACCSIM_INLINE Real fused(Real a, Real b, Real c) { return O::fused(a, b, c); }
  static ACCSIM_INLINE Real minus_fused(Real a, Real b, Real c) { return O::minus_fused(a, b, c); }
#else
  static ACCSIM_INLINE Real fused(Real a, Real b, Real c) { return a * b + c; }
  static ACCSIM_INLINE Real minus_fused(Real a, Real b, Real c) { return O::negated(a) * b - c; }
#endif

  static __attribute__((noinline)) void steps(const FloatBlock& block, std::int64_t first, std::int64_t count, History& history) {
    const T* a = static_cast<const T*>(block.a) + first;
    const T* b = static_cast<const T*>(block.b) + first * stride;
    Real acc[registers];
    unrolled<registers>([&](auto i) ACCSIM_LAMBDA { acc[i] = history.sum[0][i]; });
    for (std::int64_t k = 0; k < count; ++k, b += stride) {
      unrolled<registers>([&](auto i) ACCSIM_LAMBDA {
        acc[i] = fused(O::set_real(a[(i / vectors) * block.a_stride + k]), O::load(b + (i % vectors) * O::lanes), acc[i]);
        history.sum[k + 1][i] = acc[i];
      });
    }
  }
  static __attribute__((noinline)) void look_at_steps(const FloatBlock& block, std::int64_t first, std::int64_t steps_now,
                                                      const History& history, Counts& counts) {
    const T* a = static_cast<const T*>(block.a) + first;
    const T* b = static_cast<const T*>(block.b) + first * stride;
    Counts n;
    for (std::int64_t k = 0; k < steps_now; ++k, b += stride) {
      unrolled<registers>([&](auto i) ACCSIM_LAMBDA {
        const Real x = O::set_real(a[(i / vectors) * block.a_stride + k]);
        const Real y = O::load(b + (i % vectors) * O::lanes);
        const Real before = history.sum[k][i];
        look(fused(x, y, before), minus_fused(x, y, before), before, history.sum[k + 1][i], n, n.largest[i % vectors]);
      });
    }
    counts.add(n);
  }
  static ACCSIM_INLINE void look(Real lower, Real minus_upper, Real before, Real sum, Counts& n, Int& largest) {
    count(sum, before, O::differ(lower, O::negated(minus_upper)), n, largest);
  }
  static void terms(const FloatBlock& block, std::int64_t first, std::int64_t end, Real (&sums)[registers], Counts& n) {
    History history;
    for (int i = 0; i < registers; ++i) history.sum[0][i] = sums[i];
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
    for (int i = 0; i < registers; ++i) sums[i] = history.sum[0][i];
  }

  static __attribute__((noinline)) void nearest_sums(const Real* acc, const Real* x, Real* result) {
    for (int i = 0; i < registers; ++i) result[i] = acc[i] + x[i];
  }
  static __attribute__((noinline)) void look_at_sums(const Real* acc, const Real* x, const Real* result, Counts& n) {
    for (int i = 0; i < registers; ++i) look(acc[i] + x[i], O::negated(acc[i]) - x[i], acc[i], result[i], n, n.largest[i % vectors]);
  }
  static void add(const Real* acc, const Real* x, Real* result, Counts& n) {
    {
      const HostRounding rounding(HostRounding::Way::nearest);
      nearest_sums(acc, x, result);
    }
    {
      const HostRounding rounding(HostRounding::Way::down);
      look_at_sums(acc, x, result, n);
    }
  }
#endif

 public:
  static void run(const FloatPlan& plan, FloatBlock& block) {
    LevelSums<O, registers> sums(plan, block);
    Real acc[registers];
    sums.start(block, acc);
    Counts n;
    const std::int64_t terms_a_sum = plan.level[0].terms;
    for (std::int64_t first = 0; first < block.k;) {
      const std::int64_t end = block.k - first < terms_a_sum ? block.k : first + terms_a_sum;
      terms(block, first, end, acc, n);
      first = end;
      Real* handed = sums.handed();
      for (int i = 0; i < registers; ++i) {
        handed[i] = acc[i];
        acc[i] = Real{};
      }
      sums.hand_up(first == block.k, [&](int, bool, const Real* before, const Real* x, Real* result) { add(before, x, result, n); });
    }
    for (int i = 0; i < registers; ++i) O::store(static_cast<T*>(block.results) + i * O::lanes, sums.handed()[i]);
    block.events[4] += total<T>(n.tiny);
    block.events[5] += total<T>(n.inexact);
    block.events[6] += total<T>(n.swamped);
    block.largest = largest_of<T>(n.largest);
  }
};

}  // namespace accsim::sim::kernels::ACCSIM_ISA
