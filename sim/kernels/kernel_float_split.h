// The float kernels' loop for binary64 sums of products that no lane holds, where there is no fused multiply-add. Included by lane units
// only.
#pragma once

#include "sim/kernels/kernel_float_levels.h"

#if !defined(__AVX2__)
namespace accsim::sim::kernels::ACCSIM_ISA {

/// acc + a * b rounded to nearest even once, the host rounding so throughout. What the proof gives: all numbers
/// are multiples of the smallest subnormal, so that errors of sums and products are numbers, and none comes near overflow.
/// 1. a * b is p + e, of halves of the operands (Dekker, Veltkamp).
/// 2. acc + e is th + tl, p + th is vh + vl: the exact sum is vh + w, w = tl + vl.
/// 3. z is w rounded to odd, vh + z rounded to nearest is the result (Boldo, Melquiond 2008, "Emulation of FMA and correctly rounded
/// sums").
///    Where z is not w, vl is not zero; then |vh| >= |th| / 2 (else p + th would be exact), so that |w| is below 2 ulp(vh) and the last bit
///    of z far below the last one of the result: the set bit rounds as what it stands for, and such a sum is inexact.
/// 4. vh + z is the result exactly where result - vh is z and result - z is vh.
template <int vectors>
class SplitLoop {
  using O = Ops<double>;
  using Real = O::Real;
  using Int = O::Int;
  using Mask = O::Mask;
  static constexpr int registers = fast_rows * vectors;
  static constexpr int stride = vectors * O::lanes;

  struct Counts {
    Int inexact{}, swamped{};
    Int largest[vectors] = {};
  };
  struct Pair {
    Real high, low;
  };

  /// Upper and lower half of a significand.
  static ACCSIM_INLINE Pair halves(Real x) {
    const Real scaled = x * O::set_real(0x1p27 + 1);
    const Real high = scaled - (scaled - x);
    return {high, x - high};
  }
  static ACCSIM_INLINE Pair sum(Real a, Real b) {
    const Real s = a + b;
    const Real b_part = s - a;
    return {s, (a - (s - b_part)) + (b - b_part)};
  }
  /// To odd from nearest: even ones that are inexact move toward what was lost.
  static ACCSIM_INLINE Real odd_sum(Real a, Real b) {
    const Pair s = sum(a, b);
    const Int lost = O::bits(s.low);
    const Mask moves = O::but_not(O::nonzero(lost, O::set(~O::sign)), O::nonzero(O::bits(s.high), O::set(1)));
    const Int step = O::select(O::nonzero(lost ^ O::bits(s.high), O::set(O::sign)), O::set(-1), O::set(1));
    return O::real(O::add_where(moves, O::bits(s.high), step));
  }

  static ACCSIM_INLINE Real counted(Real high, Real z, Real before, Counts& n, Int& largest) {
    const Real result = high + z;
    largest = O::larger(largest, O::magnitude(result));
    const Mask inexact = O::either(O::differ(result - high, z), O::differ(result - z, high));
    O::count(n.inexact, inexact);
    O::count(n.swamped, O::both_eq(inexact, O::bits(result), O::bits(before)));
    return result;
  }
  static ACCSIM_INLINE Real term(Real acc, Real a, const Pair& a_halves, Real b, const Pair& b_halves, Counts& n, Int& largest) {
    const Real p = a * b;
    const Real e =
        ((a_halves.high * b_halves.high - p) + a_halves.high * b_halves.low + a_halves.low * b_halves.high) + a_halves.low * b_halves.low;
    const Pair t = sum(acc, e);
    const Pair v = sum(p, t.high);
    const Real result = counted(v.high, odd_sum(t.low, v.low), acc, n, largest);
    return O::real(O::select(O::eq(O::magnitude(result), Int{}), O::bits(acc + p), O::bits(result)));  // a zero has the sign of these two's
  }

 public:
  static __attribute__((noinline)) void run(const FloatPlan& plan, FloatBlock& block) {
    const double* a = static_cast<const double*>(block.a);
    const double* b = static_cast<const double*>(block.b);
    LevelSums<O, registers> sums(plan, block);
    Real acc[registers];
    sums.start(block, acc);
    Counts n;
    const std::int64_t terms = plan.level[0].terms;
    for (std::int64_t first = 0; first < block.k;) {
      const std::int64_t end = block.k - first < terms ? block.k : first + terms;
      for (std::int64_t k = first; k < end; ++k, ++a, b += stride) {
        Pair b_halves[vectors];
        unrolled<vectors>([&](auto v) ACCSIM_LAMBDA { b_halves[v] = halves(O::load(b + v * O::lanes)); });
        unrolled<fast_rows>([&](auto row) ACCSIM_LAMBDA {
          const Real x = O::set_real(a[row * block.a_stride]);
          const Pair a_halves = halves(x);
          unrolled<vectors>([&](auto v) ACCSIM_LAMBDA {
            constexpr int i = decltype(row)::value * vectors + decltype(v)::value;
            acc[i] = term(acc[i], x, a_halves, O::load(b + v * O::lanes), b_halves[v], n, n.largest[v]);
          });
        });
      }
      first = end;
      Real* handed = sums.handed();
      for (int i = 0; i < registers; ++i) {
        handed[i] = acc[i];
        acc[i] = Real{};
      }
      sums.hand_up(first == block.k, [&](int, bool, const Real* before, const Real* x, Real* result) {
        for (int i = 0; i < registers; ++i) result[i] = counted(before[i], x[i], before[i], n, n.largest[i % vectors]);
      });
    }
    for (int i = 0; i < registers; ++i) O::store(static_cast<double*>(block.results) + i * O::lanes, sums.handed()[i]);
    block.events[5] += total<double>(n.inexact);
    block.events[6] += total<double>(n.swamped);
    block.largest = largest_of<double>(n.largest);
  }
};

inline void run_split(const FloatPlan& plan, FloatBlock& block) {
  const HostRounding rounding(HostRounding::Way::nearest);
  if (block.vectors == 1) SplitLoop<1>::run(plan, block);
  else SplitLoop<2>::run(plan, block);
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
#endif
