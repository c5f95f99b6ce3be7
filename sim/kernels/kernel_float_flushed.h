// The float kernels' loops for truncated and flushed products and sums, on lanes whose own smallest normal is the format's, so that the
// host flushes. Included by lane units only.
#pragma once

#include "sim/kernels/kernel_float_random.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

/// Runs with the host rounding toward zero and flushing sums below the binade of the format's smallest normal, which is the lane's lowest.
/// Products are in a unit of their own; a fused multiplication by a power of two brings them to that of the sums. The innermost level
/// goes some steps at a time as if no sum saturated; a sum beyond the bound voids the steps, which are done with care. Steps with a sum
/// below the smallest normal are listed and looked at afterwards: what the host flushed is either an exact zero or tiny.
template <class T, int vectors>
class FlushedLoop {
  using O = Ops<T>;
  using Real = typename O::Real;
  using Int = typename O::Int;
  using Mask = typename O::Mask;
  using Word = typename O::Word;
  static constexpr int rows = fast_rows;
  static constexpr int registers = rows * vectors;
  static constexpr int stride = vectors * O::lanes;
  static constexpr int history_steps = 32;

  struct Constants {
    Int keep, min_normal, max_finite, overflow;
  };
  static ACCSIM_INLINE Constants constants(const FloatRounding& c) {
    return {O::set(static_cast<Word>(~((Word{1} << c.drop) - 1))), O::set(static_cast<Word>(c.min_normal)),
            O::set(static_cast<Word>(c.max_finite)), O::set(static_cast<Word>(c.max_finite) + static_cast<Word>(Word{1} << c.drop))};
  }
  /// Counts of steps that went without care.
  struct Stepwise {
    Int lost{};        // sums that lost bits, tiny ones left out
    Int equal{};       // innermost sums equal to their accumulator
    Int equal_lost{};  // both: swamped, since the sum is not zero
    Int product_inexact{};
  };
  struct Counts {
    Stepwise sure;
    Int lost{}, overflow{}, swamped{}, zero_products{};  // of steps done with care and of the levels above
    Int tiny{}, tiny_from_zero{};                        // of all steps
    Int tiny_lost{}, tiny_lost_from_zero{};              // those of them that are among the lost of `sure`
    Int largest{};                                       // magnitude
    Int may_saturate[registers] = {};                    // largest magnitudes where sums are clamped
  };
  struct History {
    Real before[history_steps][registers];  // accumulators
    std::int64_t small[history_steps];      // steps with a sum below the smallest normal
  };

  static constexpr int place(int i) { return (i / vectors) * stride + (i % vectors) * O::lanes; }
  static ACCSIM_INLINE Real cut_product(Real whole, const Constants& c) {
    return O::real(O::and_where(O::ge(O::magnitude(whole), c.min_normal), O::bits(whole), c.keep));
  }

 public:
  template <bool fit>
  static __attribute__((noinline)) void run(const FloatPlan& plan, FloatBlock& block) {
    const T* a = static_cast<const T*>(block.a);
    const T* b = static_cast<const T*>(block.b);
    Real* upper = static_cast<Real*>(block.scratch);  // accumulators of the levels above the innermost
    std::int64_t count[float_max_levels] = {};
    for (int i = 0; i < plan.levels * registers; ++i) upper[i] = Real{};
    Real acc[registers];
    unrolled<registers>([&](auto i) ACCSIM_LAMBDA { acc[i] = Real{}; });
    Counts n;
    History history;
    const Constants p = constants(plan.product);
    const Constants c = constants(plan.level[0].rounding);
    const Real power = O::set_real(static_cast<T>(plan.addend_power));
    const Int bound = O::set(static_cast<Word>(plan.fast_bound));
    const std::int64_t terms = plan.level[0].terms;
    for (std::int64_t first = 0; first < block.k;) {
      const std::int64_t end = block.k - first < terms ? block.k : first + terms;
      for (std::int64_t start = first; start < end; start += history_steps) {
        const std::int64_t stop = end - start < history_steps ? end : start + history_steps;
        Stepwise m{};
        Int largest[vectors] = {};
        int smalls = 0;
        for (std::int64_t k = start; k < stop; ++k) {
          Int least = O::set(O::infinity);
          unrolled<rows>([&](auto row) ACCSIM_LAMBDA {
            const Real x = O::set_real(a[row * block.a_stride + k]);
            unrolled<vectors>([&](auto v) ACCSIM_LAMBDA {
              constexpr int i = decltype(row)::value * vectors + decltype(v)::value;
              const Real whole = x * O::load(b + k * stride + v * O::lanes);
              const Real addend = cut_product(whole, p);
              if (fit) m.product_inexact += O::smaller(O::magnitude(O::real(O::bits(whole) ^ O::bits(addend))), O::set(1));
              const Real before = acc[i];
              history.before[k - start][i] = before;
              const Real sum = O::fused(addend, power, before);
              const Int magnitude = O::magnitude(sum);
              least = O::smaller(least, magnitude);
              largest[v] = O::larger(largest[v], magnitude);
              const Real d = O::real(O::and_where(O::ge(magnitude, c.min_normal), O::bits(sum), c.keep));
              const Int bits_lost = O::smaller(magnitude & ~c.keep, O::set(1));
              m.lost += bits_lost;
              const Mask equal = O::equal(d, before);
              O::count(m.equal, equal);
              m.equal_lost = O::add_where(equal, m.equal_lost, bits_lost);
              acc[i] = d;
            });
          });
          history.small[smalls] = k;
          smalls += O::any(O::lt(least, c.min_normal)) ? 1 : 0;
        }
        n.sure.product_inexact += m.product_inexact;
        Int all = largest[0];
        for (int v = 1; v < vectors; ++v) all = O::larger(all, largest[v]);
        const bool in_bounds = !O::any(O::lt(bound, all));
        if (in_bounds) {
          if (smalls > 0) look_at_small(plan, block, history, start, smalls, n);
          block.looked_at += smalls;
          n.sure.lost += m.lost;
          n.sure.equal += m.equal;
          n.sure.equal_lost += m.equal_lost;
          n.largest = O::larger(n.largest, all);
          continue;
        }
        Real redone[registers];
        with_care(plan, block, history.before[0], start, stop, redone, n);
        unrolled<registers>([&](auto i) ACCSIM_LAMBDA { acc[i] = redone[i]; });
      }
      first = end;
      unrolled<registers>([&](auto i) ACCSIM_LAMBDA {
        upper[i] = acc[i];
        acc[i] = Real{};
      });
      hand_up(plan, block, upper, count, n, first == block.k);
    }
    finish(n, c, block);
  }

 private:
  static ACCSIM_INLINE Real addend(const FloatBlock& block, std::int64_t k, int i, const Constants& p) {
    return cut_product(O::set_real(static_cast<const T*>(block.a)[(i / vectors) * block.a_stride + k]) *
                           O::load(static_cast<const T*>(block.b) + k * stride + (i % vectors) * O::lanes),
                       p);
  }
  /// The accumulator is minus the addend. Of a power of two that brings one to the other's unit, the accumulator takes the inverse: it may
  /// become zero or the largest number there, which no addend other than zero equals.
  static ACCSIM_INLINE Mask cancels(Real before, Real x, Real inverse) {
    return O::equal(before * inverse, O::real(O::bits(x) ^ O::set(O::sign)));
  }

  /// Counts tiny sums of the listed steps: those that are not exact zeros. What was not flushed by the host is among the lost already.
  static __attribute__((noinline)) void look_at_small(const FloatPlan& plan, const FloatBlock& block, const History& history,
                                                      std::int64_t start, int smalls, Counts& counts) {
    const Constants p = constants(plan.product);
    const Constants c = constants(plan.level[0].rounding);
    const Real power = O::set_real(static_cast<T>(plan.addend_power));
    const Real inverse = O::set_real(static_cast<T>(1 / plan.addend_power));
    Counts n = counts;
    for (int s = 0; s < smalls; ++s) {
      const std::int64_t k = history.small[s];
      unrolled<registers>([&](auto i) ACCSIM_LAMBDA {
        const Real before = history.before[k - start][i];
        const Real x = addend(block, k, i, p);
        const Int magnitude = O::magnitude(O::fused(x, power, before));
        const Mask tiny = O::but_not(O::lt(magnitude, c.min_normal), cancels(before, x, inverse));
        const Mask from_zero = O::both_eq(tiny, O::magnitude(before), Int{});
        const Int seen = O::smaller(magnitude & ~c.keep, O::set(1));
        O::count(n.tiny, tiny);
        n.tiny_lost += O::keep_where(tiny, seen);
        O::count(n.tiny_from_zero, from_zero);
        n.tiny_lost_from_zero += O::keep_where(from_zero, seen);
      });
    }
    counts = n;
  }

  /// The steps again, clamping.
  static __attribute__((noinline)) void with_care(const FloatPlan& plan, const FloatBlock& block, const Real* before, std::int64_t start,
                                                  std::int64_t stop, Real* after, Counts& counts) {
    const Constants p = constants(plan.product);
    const Constants c = constants(plan.level[0].rounding);
    const Real power = O::set_real(static_cast<T>(plan.addend_power));
    const Real inverse = O::set_real(static_cast<T>(1 / plan.addend_power));
    Counts n = counts;
    Real acc[registers];
    unrolled<registers>([&](auto i) ACCSIM_LAMBDA { acc[i] = before[i]; });
    for (std::int64_t k = start; k < stop; ++k) {
      unrolled<registers>([&](auto i) ACCSIM_LAMBDA {
        const Real x = addend(block, k, i, p);
        O::count(n.zero_products, O::eq(O::magnitude(x), Int{}));
        acc[i] = careful_sum(O::fused(x, power, acc[i]), acc[i], cancels(acc[i], x, inverse), c, n, n.may_saturate[i]);
      });
    }
    unrolled<registers>([&](auto i) ACCSIM_LAMBDA { after[i] = acc[i]; });
    counts = n;
  }
  /// Rounds a sum and counts; `exact_zero` where it is an exact zero.
  static ACCSIM_INLINE Real careful_sum(Real sum, Real acc, Mask exact_zero, const Constants& c, Counts& n, Int& largest) {
    const Int magnitude = O::magnitude(sum);
    largest = O::larger(largest, magnitude);
    const Mask normal = O::ge(magnitude, c.min_normal);
    O::count(n.overflow, O::ge(magnitude, c.overflow));
    const Real d = O::clamped(O::real(O::and_where(normal, O::bits(sum), c.keep)), O::real(c.max_finite));
    const Mask lost = O::both_ne(normal, O::bits(d), O::bits(sum));
    O::count(n.lost, lost);
    O::count(n.swamped, O::both_eq(lost, O::bits(d), O::bits(acc)));
    O::count(n.tiny, O::but_not(O::lt(magnitude, c.min_normal), exact_zero));
    return d;
  }

  /// Adds what the innermost level hands up, as far as levels are full, or all that is there at the end.
  static __attribute__((noinline)) void hand_up(const FloatPlan& plan, FloatBlock& block, Real* upper, std::int64_t* count, Counts& n,
                                                bool is_end) {
    const Real* handed = upper;
    for (int l = 1; l < plan.levels; ++l) {
      const Constants c = constants(plan.level[l].rounding);
      Real* acc = upper + l * registers;
      const bool last = is_end && l + 1 == plan.levels;
      Real result[registers];
      for (int i = 0; i < registers; ++i) result[i] = sum(acc[i], handed[i], c, n, n.may_saturate[i], last);
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
    for (int i = 0; i < registers; ++i)
      O::store(static_cast<T*>(block.results) + place(i), plan.levels == 1 ? signed_zero(Real{}, Real{}, handed[i]) : handed[i]);
  }
  static ACCSIM_INLINE Real sum(Real acc, Real x, const Constants& c, Counts& n, Int& largest, bool last) {
    const Mask exact_zero = O::equal(acc, O::real(O::bits(x) ^ O::set(O::sign)));
    const Real d = careful_sum(acc + x, acc, exact_zero, c, n, largest);
    return last ? signed_zero(acc, x, d) : d;
  }

  static Real signed_zero(Real acc, Real x, Real result) { return with_sign_of_zero<O>(result, acc + x, acc, x); }

  static void finish(const Counts& n, const Constants& c, FloatBlock& block) {
    const std::int64_t tiny = total<T>(n.tiny);
    // An addend of zero leaves its accumulator as it was and loses nothing; any other does one of the two, or is tiny on zero.
    const std::int64_t tiny_equal_lost = total<T>(n.tiny_lost_from_zero);
    const std::int64_t unseen = total<T>(n.tiny_from_zero) - tiny_equal_lost;
    const std::int64_t equal_lost = total<T>(n.sure.equal_lost);
    const std::int64_t zero_products = total<T>(n.sure.equal) - equal_lost - unseen + total<T>(n.zero_products);
    block.events[2] += total<T>(n.sure.product_inexact);
    block.events[3] += total<T>(n.overflow);
    block.events[4] += tiny;
    block.events[5] += total<T>(n.sure.lost) - total<T>(n.tiny_lost) + total<T>(n.lost) + tiny;
    block.events[6] += equal_lost - tiny_equal_lost + total<T>(n.swamped);
    block.products_kept += block.k * registers * O::lanes - zero_products;
    Int largest = n.largest;
    for (int i = 0; i < registers; ++i) {
      largest = O::larger(largest, n.may_saturate[i]);
      for (int lane = 0; lane < O::lanes; ++lane)
        block.overflowed[place(i) + lane] = static_cast<unsigned char>(n.may_saturate[i][lane] >= c.overflow[lane] ? 1 : 0);
    }
    block.largest = 0;
    for (int i = 0; i < O::lanes; ++i) {
      const auto word = static_cast<std::uint64_t>(static_cast<typename O::UWord>(largest[i]));
      if (word > block.largest) block.largest = word;
    }
  }
};

template <class T>
void run_flushed(const FloatPlan& plan, FloatBlock& block) {
  if constexpr (Ops<T>::has_fma) {
    const HostRounding rounding(HostRounding::Way::zero_flushing);
    if (plan.products_fit) {
      if (block.vectors == 1) FlushedLoop<T, 1>::template run<true>(plan, block);
      else FlushedLoop<T, 2>::template run<true>(plan, block);
    } else {
      if (block.vectors == 1) FlushedLoop<T, 1>::template run<false>(plan, block);
      else FlushedLoop<T, 2>::template run<false>(plan, block);
    }
  }
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
