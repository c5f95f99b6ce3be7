// The float kernels' fast loop for any rounding: sequential levels whose sums, and products, are rounded to odd by the lane and then once
// more. Included by lane units only.
#pragma once

#include "sim/kernels/kernel_float_eager.h"
#include "sim/kernels/kernel_float_levels.h"
#include "sim/kernels/kernel_float_random.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

enum class Products {
  exact,
  apart,  ///< exact, in a register of their own: the innermost level's adders are eager
  rounded,
  rounded_at_random,
};

/// `random`: the innermost level's sums are rounded at random. `looks`: steps with a sum below the smallest normal are looked at again, for
/// what is tiny, flushed, or a zero rounded down.
template <class T, Products products, bool random, bool looks, int vectors>
class RoundLoop {
  using O = Ops<T>;
  using Real = typename O::Real;
  using Int = typename O::Int;
  using Mask = typename O::Mask;
  using Word = typename O::Word;
  using UWord = typename O::UWord;
  static constexpr int registers = fast_rows * vectors;
  static constexpr int stride = vectors * O::lanes;
  static constexpr int sign_bit = 8 * static_cast<int>(sizeof(T)) - 1;
  static constexpr bool exact_products = products == Products::exact || products == Products::apart;
  using Numbers = RandomWords<T, registers>;
  using Sums = LevelSums<O, registers>;

  /// One rounding's constants: what is added below the last kept bit, where a bit of the number is clear and where it is set.
  struct Constants {
    Int keep, clear, set, min_normal;
    Int eager_least, eager_shift;
    int bit;
    bool flush, zero_down, at_random, eager, keeps_negative_zero;
  };
  static Constants constants(const FloatRounding& c) {
    const auto low = static_cast<Word>((UWord{1} << c.drop) - 1);
    const auto half = static_cast<Word>(UWord{1} << (c.drop - 1));
    Constants k;
    k.keep = O::set(~low);
    k.clear = k.set = Int{};
    k.bit = c.drop;
    k.min_normal = O::set(c.min_normal == 0 ? 1 : static_cast<Word>(c.min_normal));  // zeros are below it, also where it is below the lane
    k.flush = c.flush;
    k.zero_down = c.mode == FloatMode::rd;
    k.at_random = false;
    k.eager = c.eager;
    k.eager_least = O::set(static_cast<Word>(c.eager_least));
    k.eager_shift = O::set(static_cast<Word>(static_cast<Word>(c.eager_shift) << O::fraction_bits));
    k.keeps_negative_zero = c.keeps_negative_zero;
    switch (c.mode) {
      case FloatMode::rz: break;
      case FloatMode::rne:
        k.clear = O::set(half - 1);
        k.set = O::set(half);
        break;
      case FloatMode::rna: k.clear = k.set = O::set(half); break;
      case FloatMode::ru:
        k.bit = sign_bit;
        k.clear = O::set(low);
        break;
      case FloatMode::rd:
        k.bit = sign_bit;
        k.set = O::set(low);
        break;
      case FloatMode::ro: k.clear = O::set(low); break;  // carries into a last bit that is clear where anything is cut
      case FloatMode::sr:
      case FloatMode::sr_c: k.at_random = true; break;
    }
    return k;
  }
  /// What an eager adder rounds, with the exact sum's sign.
  static ACCSIM_INLINE Real cut_sum(Real sum, Real acc, Real x, const Constants& c) {
    return O::real(eager_magnitude<T>(acc, x, c.eager_least, c.eager_shift) | (O::bits(sum) & O::set(O::sign)));
  }
  template <bool at_random>
  static ACCSIM_INLINE Int on_grid(Real odd, const Constants& c, Int r) {
    const Int u = O::bits(odd);
    if constexpr (at_random) return (u + r) & c.keep;
    else return (u + O::where_bit(u, c.bit, c.set, c.clear)) & c.keep;
  }

  struct Counts {
    Int inexact{};  // as Ops::count_inexact has it
    Int swamped{}, tiny{};
    Int not_swamped{};  // counted in `swamped`, though the sum became zero
    Int product_inexact{}, product_tiny{};
    Int largest[vectors] = {};  // magnitudes
    std::int64_t sums = 0;      // of one lane of a register
  };
  /// A rounded product; what `flushed` magnitude bits say where it is below the smallest normal.
  template <bool counted>
  static ACCSIM_INLINE Real product(Real a, Real b, const Constants& p, Int flushed, Int r, Counts& n) {
    const Real odd = O::odd_product(a, b);
    const Int rounded = on_grid<products == Products::rounded_at_random>(odd, p, r);
    const Mask below = O::lt(O::magnitude(O::real(rounded)), p.min_normal);
    const Int x = rounded & ~O::keep_where(below, flushed);
    if constexpr (counted) {
      const Mask inexact = O::ne(x, O::bits(odd));
      O::count(n.product_inexact, inexact);
      O::count(n.product_tiny, O::both(inexact, below));
    }
    return O::real(x);
  }

  /// Rounds `seen` of a sum.
  template <bool at_random>
  static ACCSIM_INLINE Real rounded(Real seen, Real sum, Real acc, const Constants& c, Int r, Counts& n, Int& largest) {
    largest = O::larger(largest, O::magnitude(sum));
    const Int d = on_grid<at_random>(seen, c, r);
    O::count_inexact(n.inexact, n.swamped, d, O::bits(sum), O::bits(acc));
    return O::real(d);
  }

  /// What becomes of a rounded sum below the smallest normal, and what was not counted of it. `sum`: the exact one rounded to odd, with its
  /// sign where it is zero.
  static Real settled(Real d, Real sum, Real acc, const Constants& c, Counts& n) {
    const Int magnitude = O::magnitude(d);
    const Mask below = O::lt(magnitude, c.min_normal);
    if (!O::any(below)) return d;
    const Mask was_inexact = O::both_ne(below, magnitude, O::magnitude(sum));
    Mask kept_zero = O::both_eq(was_inexact, O::bits(d), O::bits(acc));
    if (!c.flush) kept_zero = O::both_eq(kept_zero, O::magnitude(acc), Int{});
    O::count(n.not_swamped, kept_zero);
    Mask tiny = was_inexact;
    Int bits = O::bits(d);
    if (c.flush) {
      tiny = O::both_ne(below, O::magnitude(sum), Int{});
      O::count(n.inexact, O::but_not(tiny, was_inexact));
      bits = O::select(below, bits & O::set(O::sign), bits);
    }
    O::count(n.tiny, tiny);
    return O::real(O::select(O::both_eq(below, O::magnitude(sum), Int{}), O::bits(sum), bits));
  }
  static __attribute__((noinline)) void look_at_step(const FloatPlan& plan, const T* a, std::int64_t a_stride, const T* b,
                                                     const Int (&r)[registers], const Real* before, Real* after, Counts& n) {
    const Constants p = exact_products ? Constants{} : constants(plan.product);
    const Constants c = constants(plan.level[0].rounding);
    const Int flushed = p.flush ? O::set(~O::sign) : Int{};
    for (int i = 0; i < registers; ++i) {
      if (!O::any(O::lt(O::magnitude(after[i]), c.min_normal))) continue;
      const Real x = O::set_real(a[(i / vectors) * a_stride]);
      const Real y = O::load(b + (i % vectors) * O::lanes);
      Real sum;
      if constexpr (exact_products) sum = O::odd_fma(x, y, before[i], c.zero_down);
      else sum = O::odd_sum(before[i], product<false>(x, y, p, flushed, r[i], n), c.zero_down);
      after[i] = settled(after[i], sum, before[i], c, n);
    }
  }

 public:
  static __attribute__((noinline)) void run(const FloatPlan& plan, FloatBlock& block) {
    Numbers of_products;
    Numbers of_level[float_max_levels];
    start(of_products, plan.product, block);
    for (int l = 0; l < plan.levels; ++l) start(of_level[l], plan.level[l].rounding, block);
    Sums sums(plan, block);
    Real acc[registers];
    sums.start(block, acc);
    Counts n;
    const Constants p = exact_products ? Constants{} : constants(plan.product);
    const Constants c = constants(plan.level[0].rounding);
    const Int flushed = p.flush ? O::set(~O::sign) : Int{};
    const std::int64_t terms = plan.level[0].terms;
    const T* a = static_cast<const T*>(block.a);
    const T* b = static_cast<const T*>(block.b);
    for (std::int64_t first = 0; first < block.k;) {
      const std::int64_t end = block.k - first < terms ? block.k : first + terms;
      for (std::int64_t k = first; k < end; ++k, ++a, b += stride) {
        if constexpr (random) of_level[0].next();
        if constexpr (products == Products::rounded_at_random) of_products.next();
        Real before[looks ? registers : 1];
        Int least = O::set(O::infinity);
        unrolled<fast_rows>([&](auto row) ACCSIM_LAMBDA {
          const Real x = O::set_real(a[row * block.a_stride]);
          unrolled<vectors>([&](auto v) ACCSIM_LAMBDA {
            constexpr int i = decltype(row)::value * vectors + decltype(v)::value;
            const Real y = O::load(b + v * O::lanes);
            Int r{};
            Int r_product{};
            if constexpr (random) r = of_level[0].current()[i];
            if constexpr (products == Products::rounded_at_random) r_product = of_products.current()[i];
            Real sum;
            Real x_y;
            if constexpr (products == Products::exact) {
              sum = O::odd_fma(x, y, acc[i], false);
            } else {
              if constexpr (products == Products::apart) x_y = O::exact_product(x, y);
              else x_y = product<true>(x, y, p, flushed, r_product, n);
              sum = O::odd_sum(acc[i], x_y, false);
            }
            Real seen = sum;
            if constexpr (products == Products::apart) seen = cut_sum(sum, acc[i], x_y, c);
            if constexpr (looks) {  // a sum is not rounded below the smallest normal from above it, unless it is cut before
              before[i] = acc[i];
              if constexpr (products != Products::apart) least = O::smaller(least, O::magnitude(sum));
            }
            acc[i] = rounded<random>(seen, sum, acc[i], c, r, n, n.largest[v]);
            if constexpr (looks && products == Products::apart) least = O::smaller(least, O::magnitude(acc[i]));
          });
        });
        if constexpr (looks) {
          if (__builtin_expect(O::any(O::lt(least, c.min_normal)), 0)) {
            Real old[registers];
            Real now[registers];
            unrolled<registers>([&](auto i) ACCSIM_LAMBDA {
              old[i] = before[i];
              now[i] = acc[i];
            });
            Counts seen;
            look_at_step(plan, a, block.a_stride, b, of_products.current(), old, now, seen);
            unrolled<registers>([&](auto i) ACCSIM_LAMBDA { acc[i] = now[i]; });
            n.inexact += seen.inexact;
            n.tiny += seen.tiny;
            n.not_swamped += seen.not_swamped;
          }
        }
      }
      n.sums += end - first;
      first = end;
      Real* handed = sums.handed();
      unrolled<registers>([&](auto i) ACCSIM_LAMBDA {
        handed[i] = with_zero_of(acc[i], c);
        acc[i] = Real{};
      });
      hand_up(plan, sums, of_level, n, first == block.k);
    }
    finish(n, sums, block);
  }

 private:
  static void start(Numbers& numbers, const FloatRounding& rounding, const FloatBlock& block) {
    numbers.start(rounding, registers);
    if (rounding.random.source == FloatRandom::Source::none) return;
    for (int i = 0; i < registers; ++i)
      numbers.start_register(i, block.output_low + i * O::lanes, block.output_high + i * O::lanes, block.element + i * O::lanes);
  }
  /// A level's sum as its format has it: formats without -0 have +0.
  static ACCSIM_INLINE Real with_zero_of(Real x, const Constants& c) {
    return c.keeps_negative_zero ? x : O::real(O::select(O::eq(O::magnitude(x), Int{}), Int{}, O::bits(x)));
  }

  static __attribute__((noinline)) void hand_up(const FloatPlan& plan, Sums& sums, Numbers* of_level, Counts& n, bool is_end) {
    sums.hand_up(is_end, [&](int l, bool is_up, const Real* acc, const Real* x, Real* result) ACCSIM_LAMBDA {
      const Constants c = constants(plan.level[l].rounding);
      of_level[l].next();
      ++n.sums;
      for (int i = 0; i < registers; ++i) {
        const Real sum = O::odd_sum(acc[i], x[i], c.zero_down);
        const Real seen = c.eager ? cut_sum(sum, acc[i], x[i], c) : sum;
        Int& largest = n.largest[i % vectors];
        const Real d = c.at_random ? rounded<true>(seen, sum, acc[i], c, of_level[l].current()[i], n, largest)
                                   : rounded<false>(seen, sum, acc[i], c, Int{}, n, largest);
        const Real level_sum = settled(d, sum, acc[i], c, n);
        result[i] = is_up ? with_zero_of(level_sum, c) : level_sum;
      }
    });
  }

  static void finish(const Counts& n, Sums& sums, FloatBlock& block) {
    for (int i = 0; i < registers; ++i) O::store(static_cast<T*>(block.results) + i * O::lanes, sums.handed()[i]);
    block.events[1] += total<T>(n.product_tiny);
    block.events[2] += total<T>(n.product_inexact);
    block.events[4] += total<T>(n.tiny);
    block.events[5] += O::inexact_of(total<T>(n.inexact), n.sums * registers * O::lanes);
    block.events[6] += total<T>(n.swamped) - total<T>(n.not_swamped);
    block.largest = largest_of<T>(n.largest);
  }
};

template <class T, Products products, bool looks>
void run_rounded_as(const FloatPlan& plan, FloatBlock& block) {
  const bool random = plan.level[0].rounding.random.source != FloatRandom::Source::none;
  if (random || products == Products::apart) {
    if (block.vectors == 1) RoundLoop<T, products, true, looks, 1>::run(plan, block);
    else RoundLoop<T, products, true, looks, 2>::run(plan, block);
  } else if constexpr (products != Products::apart) {
    if (block.vectors == 1) RoundLoop<T, products, false, looks, 1>::run(plan, block);
    else RoundLoop<T, products, false, looks, 2>::run(plan, block);
  }
}

template <class T>
void run_rounded(const FloatPlan& plan, FloatBlock& block) {
  const HostRounding rounding(HostRounding::Way::down);
  if (!plan.rounded_product) {
    if (plan.level[0].rounding.eager) run_rounded_as<T, Products::apart, true>(plan, block);
    else if (plan.fast_looks) run_rounded_as<T, Products::exact, true>(plan, block);
    else run_rounded_as<T, Products::exact, false>(plan, block);
  } else if (plan.product.random.source != FloatRandom::Source::none) {
    run_rounded_as<T, Products::rounded_at_random, true>(plan, block);
  } else {
    run_rounded_as<T, Products::rounded, true>(plan, block);
  }
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
