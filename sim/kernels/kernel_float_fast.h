// The float kernels' fast loops: sequential levels, several rows at once, only the events that can happen. Included by lane units only.
#pragma once

#include "sim/kernels/kernel_float_native_tree.h"
#include "sim/kernels/kernel_float_packed.h"
#include "sim/kernels/kernel_float_round.h"
#include "sim/kernels/kernel_float_split.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

/// Truncated and flushed products and sums.
template <class T, FloatFast fast, int vectors>
class FastLoop {
  using O = Ops<T>;
  using Real = typename O::Real;
  using Int = typename O::Int;
  using Mask = typename O::Mask;
  using Word = typename O::Word;
  static constexpr int registers = fast_rows * vectors;
  static constexpr int stride = vectors * O::lanes;
  using Sums = LevelSums<O, registers>;
  static constexpr bool odd_sums = fast == FloatFast::saturated_odd;
  static constexpr bool saturating = fast == FloatFast::saturated || odd_sums;

  /// One rounding's constants.
  struct Constants {
    Int keep, min_normal, max_finite, overflow;
  };
  static ACCSIM_INLINE Constants constants(const FloatRounding& c) {
    Constants k;
    k.keep = O::set(static_cast<Word>(~((Word{1} << c.drop) - 1)));
    k.min_normal = O::set(static_cast<Word>(c.min_normal));
    k.max_finite = O::set(static_cast<Word>(c.max_finite));
    k.overflow = O::set(static_cast<Word>(c.max_finite) + static_cast<Word>(Word{1} << c.drop));
    return k;
  }
  struct Counts {
    Int inexact{}, swamped{}, kept{}, product_inexact{};
    Int overflow{};
    Int normal{}, nonzero{};                             // truncated: sums; `inexact` counts the normal ones
    Int largest[saturating ? registers : vectors] = {};  // magnitudes
  };
  /// Rounds a truncated or odd sum and counts.
  static ACCSIM_INLINE Real rounded(Real sum, Real acc, const Constants& c, Counts& n, Int& largest) {
    const Int magnitude = O::magnitude(sum);
    largest = O::larger(largest, magnitude);
    const Mask normal = O::ge(magnitude, c.min_normal);
    Real d = O::real(O::and_where(normal, O::bits(sum), c.keep));
    O::count(n.normal, normal);
    n.nonzero += O::smaller(magnitude, O::set(1));
    Mask inexact;
    if constexpr (saturating) {
      O::count(n.overflow, O::ge(magnitude, c.overflow));
      d = O::clamped(d, O::real(c.max_finite));
      inexact = O::both_ne(normal, O::bits(d), O::bits(sum));
    } else {
      inexact = O::both_nonzero(normal, O::bits(sum), ~c.keep);
    }
    O::count(n.inexact, inexact);
    O::count(n.swamped, O::both_eq(inexact, O::bits(d), O::bits(acc)));
    return d;
  }

  /// acc + a * b.
  static ACCSIM_INLINE Real term(Real acc, Real a, Real b, const Constants& p, const Constants& c, Counts& n, Int& largest, bool fit) {
    const Real product = odd_sums ? O::cut_product(a, b) : O::truncated_product(a, b);
    const Mask kept = O::ge(O::magnitude(product), p.min_normal);
    const Real x = O::real(O::and_where(kept, O::bits(product), p.keep));
    O::count(n.kept, kept);
    if (fit) O::count(n.product_inexact, O::differ(x, product));
    return sum(acc, x, c, n, largest);
  }
  static ACCSIM_INLINE Real sum(Real acc, Real x, const Constants& c, Counts& n, Int& largest) {
    return rounded(exact_sum(acc, x), acc, c, n, largest);
  }
  static ACCSIM_INLINE Real exact_sum(Real acc, Real x) { return odd_sums ? O::odd_sum(acc, x, false) : O::truncated_sum(acc, x); }

 public:
  template <bool fit>
  static __attribute__((noinline)) void run(const FloatPlan& plan, FloatBlock& block) {
    const T* a = static_cast<const T*>(block.a);
    const T* b = static_cast<const T*>(block.b);
    Sums sums(plan, block);
    Real acc[registers];
    sums.start(block, acc);
    Counts n;
    const Constants p = constants(plan.product);
    const Constants c = constants(plan.level[0].rounding);
    const std::int64_t terms = plan.level[0].terms;
    for (std::int64_t first = 0; first < block.k;) {
      const std::int64_t end = block.k - first < terms ? block.k : first + terms;
      const T* a0 = a + first;
      const T* b0 = b + first * stride;
      for (std::int64_t k = first; k < end; ++k, ++a0, b0 += stride) {
        unrolled<fast_rows>([&](auto row) ACCSIM_LAMBDA {
          const Real x = O::set_real(a0[row * block.a_stride]);
          unrolled<vectors>([&](auto v) ACCSIM_LAMBDA {
            constexpr int i = decltype(row)::value * vectors + decltype(v)::value;
            acc[i] = term(acc[i], x, O::load(b0 + v * O::lanes), p, c, n, n.largest[saturating ? i : static_cast<int>(v)], fit);
          });
        });
      }
      first = end;
      Real* handed = sums.handed();
      unrolled<registers>([&](auto i) ACCSIM_LAMBDA {
        handed[i] = acc[i];
        acc[i] = Real{};
      });
      hand_up(plan, sums, n, first == block.k);
    }
    finish(n, c, sums, block);
  }

 private:
  static __attribute__((noinline)) void hand_up(const FloatPlan& plan, Sums& sums, Counts& n, bool is_end) {
    if (is_end && plan.levels == 1) {
      Real* handed = sums.handed();
      for (int i = 0; i < registers; ++i) handed[i] = signed_zero(Real{}, Real{}, handed[i]);
    }
    sums.hand_up(is_end, [&](int l, bool, const Real* acc, const Real* x, Real* result) ACCSIM_LAMBDA {
      const Constants c = constants(plan.level[l].rounding);
      for (int v = 0; v < vectors; ++v) {
        for (int i = v; i < registers; i += vectors) {
          result[i] = sum(acc[i], x[i], c, n, n.largest[saturating ? i : v]);
          if (is_end && l + 1 == plan.levels) result[i] = signed_zero(acc[i], x[i], result[i]);
        }
      }
    });
  }

  static Real signed_zero(Real acc, Real x, Real result) { return with_sign_of_zero<O>(result, exact_sum(acc, x), acc, x); }

  static void finish(const Counts& n, const Constants& c, Sums& sums, FloatBlock& block) {
    for (int i = 0; i < registers; ++i) O::store(static_cast<T*>(block.results) + i * O::lanes, sums.handed()[i]);
    const std::int64_t tiny_sums = total<T>(n.nonzero) - total<T>(n.normal);
    block.events[2] += total<T>(n.product_inexact);
    block.events[3] += total<T>(n.overflow);
    block.events[4] += tiny_sums;
    block.events[5] += total<T>(n.inexact) + tiny_sums;
    block.events[6] += total<T>(n.swamped);
    block.products_kept += total<T>(n.kept);
    if constexpr (saturating) {
      for (int i = 0; i < registers; ++i) {
        for (int lane = 0; lane < O::lanes; ++lane)
          block.overflowed[i * O::lanes + lane] = static_cast<unsigned char>(n.largest[i][lane] >= c.overflow[lane] ? 1 : 0);
      }
    }
    block.largest = largest_of<T>(n.largest);
  }
};

template <class T, FloatFast fast>
void run_fast_as(const FloatPlan& plan, FloatBlock& block) {
  const HostRounding rounding(fast != FloatFast::saturated_odd ? HostRounding::Way::zero : HostRounding::Way::down);
  if (plan.products_fit) {
    if (block.vectors == 1) FastLoop<T, fast, 1>::template run<true>(plan, block);
    else FastLoop<T, fast, 2>::template run<true>(plan, block);
    return;
  }
  if (block.vectors == 1) FastLoop<T, fast, 1>::template run<false>(plan, block);
  else FastLoop<T, fast, 2>::template run<false>(plan, block);
}

template <class T>
void run_fast(const FloatPlan& plan, FloatFast fast, FloatBlock& block) {
  switch (fast) {
    case FloatFast::none: return;
    case FloatFast::truncated: return run_fast_as<T, FloatFast::truncated>(plan, block);
    case FloatFast::saturated: return run_fast_as<T, FloatFast::saturated>(plan, block);
    case FloatFast::saturated_odd: return run_fast_as<T, FloatFast::saturated_odd>(plan, block);
    case FloatFast::packed:
      if constexpr (std::is_same_v<T, float>) run_packed(plan, block);
      return;
    case FloatFast::rounded: return run_rounded<T>(plan, block);
    case FloatFast::native:
      if (block.vectors == 1) NativeLoop<T, 1>::run(plan, block);
      else NativeLoop<T, 2>::run(plan, block);
      return;
    case FloatFast::native_tree:
      if constexpr (std::is_same_v<T, float>) run_native_tree<T>(plan, block);
      return;
    case FloatFast::native_split:
#if !defined(__AVX2__)
      if constexpr (std::is_same_v<T, double>) run_split(plan, block);
#endif
      return;
  }
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
