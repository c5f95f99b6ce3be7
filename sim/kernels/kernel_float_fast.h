// The float kernels' fast loops: sequential levels, several rows at once, only the events that can happen. Included by lane units only.
#pragma once

#include "sim/kernels/kernel_float_native.h"
#include "sim/kernels/kernel_float_packed.h"
#include "sim/kernels/kernel_float_random.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

template <class T, FloatFast fast, int vectors>
class FastLoop {
  using O = Ops<T>;
  using Real = typename O::Real;
  using Int = typename O::Int;
  using Mask = typename O::Mask;
  using Word = typename O::Word;
  static constexpr int registers = fast_rows * vectors;
  static constexpr int stride = vectors * O::lanes;
  static constexpr bool odd_sums = fast == FloatFast::saturated_odd;
  static constexpr bool saturating = fast == FloatFast::saturated || odd_sums;
  static constexpr bool truncated = fast == FloatFast::truncated || saturating;
  static constexpr bool native = fast == FloatFast::native;
  static constexpr bool random = fast == FloatFast::stochastic || fast == FloatFast::stochastic_normal;
  static constexpr bool looks_later = fast == FloatFast::nearest;  // at what is tiny, where a step has sums below the smallest normal
  static constexpr bool tiny = fast == FloatFast::nearest || fast == FloatFast::stochastic;

  /// One rounding's constants.
  struct Constants {
    Int keep, half_less, min_normal, max_finite, overflow;
    int drop;
  };
  static ACCSIM_INLINE Constants constants(const FloatRounding& c) {
    Constants k;
    k.drop = c.drop;
    k.keep = O::set(static_cast<Word>(~((Word{1} << c.drop) - 1)));
    k.half_less = O::set(c.drop > 0 ? static_cast<Word>((Word{1} << (c.drop - 1)) - 1) : 0);
    k.min_normal = O::set(static_cast<Word>(c.min_normal));
    k.max_finite = O::set(static_cast<Word>(c.max_finite));
    k.overflow = O::set(static_cast<Word>(c.max_finite) + static_cast<Word>(Word{1} << c.drop));
    return k;
  }
  struct Counts {
    Int inexact{}, tiny{}, swamped{}, kept{}, product_inexact{};
    Int overflow{};
    Int from_zero{};          // tiny sums that became zero from an accumulator of zero: not swamped, though equal to it
    Int normal{}, nonzero{};  // truncated: sums; `inexact` counts the normal ones
    Int largest[saturating ? registers : vectors] = {};  // magnitudes
  };
  using Words = RandomWords<T, registers>;

  static ACCSIM_INLINE Real on_grid(Real x, const Constants& c, Int r) {
    const Int u = O::bits(x);
    if constexpr (random) return O::real((u + r) & c.keep);
    else return O::real(O::add_bit(u + c.half_less, u, c.drop) & c.keep);
  }

  /// Rounds a truncated or odd sum and counts.
  template <bool later = false>
  static ACCSIM_INLINE Real rounded(Real sum, Real acc, const Constants& c, Int r, Counts& n, Int& largest) {
    largest = O::larger(largest, O::magnitude(sum));
    if constexpr (truncated) {
      const Int magnitude = O::magnitude(sum);
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
    } else {
      const Real d = on_grid(sum, c, r);
      const Mask inexact = O::ne(O::bits(d), O::bits(sum));
      O::count(n.inexact, inexact);
      O::count(n.swamped, O::both_eq(inexact, O::bits(d), O::bits(acc)));
      if constexpr (tiny && !later) {  // seldom
        const Mask small = O::both_zero(inexact, O::bits(d), O::set(O::infinity));
        if (__builtin_expect(O::any(small), 0)) count_tiny(small, d, acc, n);
      }
      return d;
    }
  }

  static ACCSIM_INLINE void count_tiny(Mask small, Real d, Real acc, Counts& n) {
    O::count(n.tiny, small);
    O::count(n.from_zero, O::both_eq(O::both_eq(small, O::bits(d), O::bits(acc)), O::magnitude(d), Int{}));
  }
  /// The tiny results of a step of the innermost level; `a`, `b`: its operands.
  static __attribute__((noinline)) void look_at_step(const FloatPlan& plan, const T* a, std::int64_t a_stride, const T* b,
                                                     const Real* before, const Real* after, Counts& n) {
    const Int min_normal = constants(plan.level[0].rounding).min_normal;
    for (int i = 0; i < registers; ++i) {
      const Int magnitude = O::magnitude(after[i]);
      const Mask below = O::lt(magnitude, min_normal);
      if (!O::any(below)) continue;
      const Real sum = O::odd_fma(O::set_real(a[(i / vectors) * a_stride]), O::load(b + (i % vectors) * O::lanes), before[i], false);
      count_tiny(O::both_ne(below, O::bits(after[i]), O::bits(sum)), after[i], before[i], n);
    }
  }

#if defined(__AVX512F__)
  static ACCSIM_INLINE Real counted(Real d, Mask inexact, Real acc, Counts& n, Int& largest) {
    largest = O::larger(largest, O::magnitude(d));
    O::count(n.inexact, inexact);
    O::count(n.swamped, O::both_eq(inexact, O::bits(d), O::bits(acc)));
    return d;
  }
#endif

  /// acc + a * b.
  static ACCSIM_INLINE Real term(Real acc, Real a, Real b, const Constants& p, const Constants& c, Int r, Counts& n, Int& largest,
                                 bool fit) {
    if constexpr (truncated) {
      const Real product = odd_sums ? O::cut_product(a, b) : O::truncated_product(a, b);
      const Mask kept = O::ge(O::magnitude(product), p.min_normal);
      const Real x = O::real(O::and_where(kept, O::bits(product), p.keep));
      O::count(n.kept, kept);
      if (fit) O::count(n.product_inexact, O::differ(x, product));
      return rounded(odd_sums ? O::odd_sum(acc, x, false) : O::truncated_sum(acc, x), acc, c, r, n, largest);
    } else if constexpr (native) {
#if defined(__AVX512F__)
      return counted(O::nearest_fma(a, b, acc), O::inexact_fma(a, b, acc), acc, n, largest);
#else
      return acc;
#endif
    } else {
      return rounded<looks_later>(O::odd_fma(a, b, acc, false), acc, c, r, n, largest);
    }
  }
  static ACCSIM_INLINE Real sum(Real acc, Real x, const Constants& c, Int r, Counts& n, Int& largest) {
    if constexpr (truncated && !odd_sums) return rounded(O::truncated_sum(acc, x), acc, c, r, n, largest);
#if defined(__AVX512F__)
    else if constexpr (native) return counted(O::nearest_sum(acc, x), O::inexact_sum(acc, x), acc, n, largest);
#endif
    else return rounded(O::odd_sum(acc, x, false), acc, c, r, n, largest);
  }

 public:
  template <bool fit>
  static __attribute__((noinline)) void run(const FloatPlan& plan, FloatBlock& block) {
    const T* a = static_cast<const T*>(block.a);
    const T* b = static_cast<const T*>(block.b);
    Words words[random ? float_max_levels : 1];
    if constexpr (random) {
      for (int l = 0; l < plan.levels; ++l) start(words[l], plan.level[l].rounding, block);
    }
    Real* upper = static_cast<Real*>(block.scratch);  // accumulators of the levels above the innermost
    std::int64_t count[float_max_levels] = {};
    for (int i = 0; i < plan.levels * registers; ++i) upper[i] = Real{};
    Real acc[registers];
    unrolled<registers>([&](auto i) ACCSIM_LAMBDA { acc[i] = Real{}; });
    if (block.initial != nullptr) {
      const T* initial = static_cast<const T*>(block.initial);
      if (plan.initial_level == 0) unrolled<registers>([&](auto i) ACCSIM_LAMBDA { acc[i] = O::load(initial + place(i)); });
      else
        for (int i = 0; i < registers; ++i) upper[plan.initial_level * registers + i] = O::load(initial + place(i));
    }
    Counts n;
    const Constants p = constants(plan.product);
    const Constants c = constants(plan.level[0].rounding);
    const std::int64_t terms = plan.level[0].terms;
    for (std::int64_t first = 0; first < block.k;) {
      const std::int64_t end = block.k - first < terms ? block.k : first + terms;
      const T* a0 = a + first;
      const T* b0 = b + first * stride;
      for (std::int64_t k = first; k < end; ++k, ++a0, b0 += stride) {
        if constexpr (random) words[0].next();
        Real before[looks_later ? registers : 1];
        Int least = O::set(O::infinity);
        if constexpr (looks_later) unrolled<registers>([&](auto i) ACCSIM_LAMBDA { before[i] = acc[i]; });
        unrolled<fast_rows>([&](auto row) ACCSIM_LAMBDA {
          const Real x = O::set_real(a0[row * block.a_stride]);
          unrolled<vectors>([&](auto v) ACCSIM_LAMBDA {
            constexpr int i = decltype(row)::value * vectors + decltype(v)::value;
            Int r{};
            if constexpr (random) r = words[0].current()[i];
            acc[i] = term(acc[i], x, O::load(b0 + v * O::lanes), p, c, r, n, n.largest[saturating ? i : static_cast<int>(v)], fit);
            if constexpr (looks_later) least = O::smaller(least, O::magnitude(acc[i]));
          });
        });
        if constexpr (looks_later) {
          if (__builtin_expect(O::any(O::lt(least, c.min_normal)), 0)) {
            Real old[registers];
            Real now[registers];
            unrolled<registers>([&](auto i) ACCSIM_LAMBDA {
              old[i] = before[i];
              now[i] = acc[i];
            });
            Counts seen;
            look_at_step(plan, a0, block.a_stride, b0, old, now, seen);
            n.tiny += seen.tiny;
            n.from_zero += seen.from_zero;
          }
        }
      }
      first = end;
      Real* handed = upper;  // the innermost level's slot
      unrolled<registers>([&](auto i) ACCSIM_LAMBDA {
        handed[i] = acc[i];
        acc[i] = Real{};
      });
      hand_up(plan, block, upper, count, words, n, first == block.k);
    }
    finish(n, c, block);
  }

 private:
  static constexpr int place(int i) { return (i / vectors) * stride + (i % vectors) * O::lanes; }

  /// Adds what the innermost level hands up, as far as levels are full, or all that is there at the end.
  static __attribute__((noinline)) void hand_up(const FloatPlan& plan, FloatBlock& block, Real* upper, std::int64_t* count, Words* words,
                                                Counts& n, bool is_end) {
    const Real* handed = upper;
    for (int l = 1; l < plan.levels; ++l) {
      const Constants c = constants(plan.level[l].rounding);
      Real* acc = upper + l * registers;
      if constexpr (random) words[l].next();
      Real result[registers];
      for (int v = 0; v < vectors; ++v) {
        for (int i = v; i < registers; i += vectors) {
          Int& largest = n.largest[saturating ? i : v];
          Int r{};
          if constexpr (random) r = words[l].current()[i];
          result[i] = sum(acc[i], handed[i], c, r, n, largest);
          if (truncated && is_end && l + 1 == plan.levels) result[i] = signed_zero(acc[i], handed[i], result[i]);
        }
      }
      ++count[l];
      const bool up = count[l] == plan.level[l].terms || is_end;
      for (int i = 0; i < registers; ++i) acc[i] = result[i];
      if (!up) return;
      if (l + 1 < plan.levels) {
        count[l] = 0;
        for (int i = 0; i < registers; ++i) {
          upper[i] = result[i];
          acc[i] = Real{};
        }
        handed = upper;
      } else if (is_end) {
        handed = acc;
      }
    }
    if (!is_end) return;
    for (int i = 0; i < registers; ++i) {
      const Real x = truncated && plan.levels == 1 ? signed_zero(Real{}, Real{}, handed[i]) : handed[i];
      O::store(static_cast<T*>(block.results) + place(i), x);
    }
  }

  static Real signed_zero(Real acc, Real x, Real result) {
    return with_sign_of_zero<O>(result, odd_sums ? O::odd_sum(acc, x, false) : O::truncated_sum(acc, x), acc, x);
  }
  static void start(Words& words, const FloatRounding& rounding, const FloatBlock& block) {
    words.start(rounding, registers);
    for (int i = 0; i < registers; ++i) words.start_register(i, block.output_low + place(i), block.output_high + place(i));
  }

  static void finish(const Counts& n, const Constants& c, FloatBlock& block) {
    const std::int64_t tiny_sums = truncated ? total<T>(n.nonzero) - total<T>(n.normal) : total<T>(n.tiny);
    block.events[2] += total<T>(n.product_inexact);
    block.events[3] += total<T>(n.overflow);
    block.events[4] += tiny_sums;
    block.events[5] += total<T>(n.inexact) + (truncated ? tiny_sums : 0);
    block.events[6] += total<T>(n.swamped) - total<T>(n.from_zero);
    block.products_kept += total<T>(n.kept);
    if constexpr (saturating) {
      for (int i = 0; i < registers; ++i) {
        for (int lane = 0; lane < O::lanes; ++lane)
          block.overflowed[place(i) + lane] = static_cast<unsigned char>(n.largest[i][lane] >= c.overflow[lane] ? 1 : 0);
      }
    }
    block.largest = 0;
    for (const Int& largest : n.largest) {
      for (int i = 0; i < O::lanes; ++i) {
        const auto word = static_cast<std::uint64_t>(static_cast<typename O::UWord>(largest[i]));
        if (word > block.largest) block.largest = word;
      }
    }
  }
};

template <class T, FloatFast fast>
void run_fast_as(const FloatPlan& plan, FloatBlock& block) {
  const HostRounding rounding(fast == FloatFast::truncated || fast == FloatFast::saturated ? HostRounding::Way::zero
                                                                                           : HostRounding::Way::down);
  constexpr bool rounds_products = fast == FloatFast::truncated || fast == FloatFast::saturated || fast == FloatFast::saturated_odd;
  if (rounds_products && plan.products_fit) {
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
    case FloatFast::nearest: return run_fast_as<T, FloatFast::nearest>(plan, block);
    case FloatFast::nearest_normal: return run_fast_as<T, FloatFast::nearest_normal>(plan, block);
    case FloatFast::stochastic: return run_fast_as<T, FloatFast::stochastic>(plan, block);
    case FloatFast::stochastic_normal: return run_fast_as<T, FloatFast::stochastic_normal>(plan, block);
    case FloatFast::native:
#if defined(__AVX512F__)
      run_fast_as<T, FloatFast::native>(plan, block);
#elif defined(__AVX2__)
      if (block.vectors == 1) NativeLoop<T, 1>::run(plan, block);
      else NativeLoop<T, 2>::run(plan, block);
#endif
      return;
  }
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
