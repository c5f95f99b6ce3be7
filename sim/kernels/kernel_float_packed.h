// The float kernels' loop for truncated and flushed sums of at most eight significand bits: what is kept of two sums shares a register of
// 16-bit lanes, where it is compared and counted. Included by lane units only.
#pragma once

#include "sim/kernels/kernel_float_halves.h"
#include "sim/kernels/kernel_float_levels.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

/// Runs with the host rounding toward zero. An operand's magnitude is compared with the least that makes a product its format keeps, so
/// that nothing is asked of the product itself. The innermost level goes some steps at a time as if no sum overflowed; a sum that does
/// voids the steps, which are done again with care.
/// A sum that equals its accumulator and lost nothing has an addend of zero.
template <int vectors>
class PackedLoop {
  using O = Ops<float>;
  using Real = O::Real;
  using Int = O::Int;
  using H = Halves;
  using Half = H::Half;
  using Mask = H::Mask;
  static constexpr int rows = fast_rows;
  static constexpr int registers = rows * vectors;
  static constexpr int pairs = registers / 2;
  static constexpr int stride = vectors * O::lanes;
  using Sums = LevelSums<O, pairs, Half>;
  static constexpr int window = 32;  // counts of a window fit 16 bits

  struct Constants {
    Half keep, min_normal, max_finite, overflow;
  };
  static ACCSIM_INLINE Constants constants(const FloatRounding& c) {
    const auto upper = [](std::uint64_t bits) ACCSIM_LAMBDA { return H::set(static_cast<int>(bits >> 16)); };
    return {H::set(-(1 << (c.drop - 16))), upper(c.min_normal), upper(c.max_finite), upper(c.max_finite + (std::uint64_t{1} << c.drop))};
  }
  template <class Lanes>
  struct Counts {
    Lanes lost{};                 // normal sums that lost bits
    Lanes equal{}, equal_lost{};  // sums that became their accumulator; those of them that lost bits
    Lanes nonzero{}, normal{};    // sums
    Lanes overflow{};
    Lanes product_inexact{};
  };
  using Brief = Counts<Half>;
  struct Totals {
    Counts<Int> inner, outer;  // of the innermost level, of those above
    Half largest{};            // magnitude of the sums
    Mask overflowed[pairs] = {};
  };
  static ACCSIM_INLINE void add(Counts<Int>& to, const Brief& n) {
    to.lost += H::widened(n.lost);
    to.equal += H::widened(n.equal);
    to.equal_lost += H::widened(n.equal_lost);
    to.nonzero += H::widened(n.nonzero);
    to.normal += H::widened(n.normal);
    to.overflow += H::widened(n.overflow);
    to.product_inexact += H::widened(n.product_inexact);
  }

  /// One pair's accumulators plus x and y. `clamps`: sums beyond the largest number become it; returns where.
  template <bool clamps, bool brief>
  static ACCSIM_INLINE Mask sum(Half& acc, Real x, Real y, const Constants& c, Brief& n, Half& largest) {
    const Int s = O::bits(O::real(H::first(acc)) + x);
    const Int t = O::bits(O::real(H::second(acc)) + y);
    const Half whole = H::uppers(s, t);
    const Half magnitude = whole & H::set(0x7FFF);
    Half result = whole;
    Half rest = H::lowers(s, t);
    if constexpr (brief) {
      result = whole & c.keep;
      rest |= whole & ~c.keep;
    }
    largest = H::larger(largest, magnitude);
    const Mask normal = H::ge(magnitude, c.min_normal);
    Half lost = H::is_set_where(normal, rest);
    Mask over = H::none();
    if constexpr (clamps) {
      over = H::ge(magnitude, c.overflow);
      result = H::select(over, c.max_finite | (whole & H::set(-0x8000)), result);
      lost = H::select(over, H::set(1), lost);
      H::count(n.overflow, over);
    }
    n.lost += lost;
    const Mask equal = H::eq(result, acc);
    H::count(n.equal, equal);
    n.equal_lost = H::add_where(equal, n.equal_lost, lost);
    n.nonzero += H::is_set(magnitude);
    H::count(n.normal, normal);
    acc = H::keep_where(normal, result);
    return over;
  }

  struct Operands {
    const float* a;
    const float* a_least;
    const float* b;
    std::int64_t a_stride;
    Int keep;  // of products
  };
  /// The product of register i in step k, cut; with `fit` also the bits that it lost, which need no order.
  template <bool fit, int i>
  static ACCSIM_INLINE Real product(const Operands& in, std::int64_t k, Int* cut) {
    const std::int64_t at = (i / vectors) * in.a_stride + k;
    const Real b = O::load(in.b + k * stride + (i % vectors) * O::lanes);
    const O::Mask kept = O::ge(O::magnitude(b), O::bits(O::set_real(in.a_least[at])));
    const Real a = O::set_real(in.a[at]);
    if constexpr (!fit) return O::real(O::bits(O::product_where(kept, a, b)) & in.keep);
    const Int whole = O::bits(a * b);
    const Int result = O::and_where(kept, whole, in.keep);
    cut[i % 2] = O::magnitude(O::real(whole ^ result));
    return O::real(result);
  }
  template <bool clamps, bool fit, bool brief>
  static ACCSIM_INLINE void step(const Operands& in, std::int64_t k, Half* acc, const Constants& c, Brief& n, Half& largest, Mask* over) {
    unrolled<pairs>([&](auto j) ACCSIM_LAMBDA {
      constexpr int i = 2 * decltype(j)::value;
      Int cut[2];
      const Real x = product<fit, i>(in, k, cut);
      const Real y = product<fit, i + 1>(in, k, cut);
      if constexpr (fit) n.product_inexact += H::is_set(H::uppers(cut[0], cut[1]) | H::lowers(cut[0], cut[1]));
      const Mask beyond = sum<clamps, brief>(acc[j], x, y, c, n, largest);
      if constexpr (clamps) over[j] |= beyond;
    });
  }

 public:
  template <bool fit, bool brief>
  static __attribute__((noinline)) void run(const FloatPlan& plan, FloatBlock& block) {
    Sums sums(plan, block);
    const Operands in = operands(plan, block);
    const Constants c = constants(plan.level[0].rounding);
    const std::int64_t terms = plan.level[0].terms;
    Totals all;
    Half acc[pairs];
    unrolled<pairs>([&](auto j) ACCSIM_LAMBDA { acc[j] = Half{}; });
    bool overflows = false;
    for (std::int64_t first = 0; first < block.k;) {
      const std::int64_t end = block.k - first < terms ? block.k : first + terms;
      for (std::int64_t start = first; start < end; start += window) {
        const std::int64_t stop = end - start < window ? end : start + window;
        Half before[pairs];
        unrolled<pairs>([&](auto j) ACCSIM_LAMBDA { before[j] = acc[j]; });
        if (!overflows) {
          Brief n{};
          Half largest{};
          for (std::int64_t k = start; k < stop; ++k) step<false, fit, brief>(in, k, acc, c, n, largest, nullptr);
          overflows = H::any(H::ge(largest, c.overflow));
          if (!overflows) {
            add(all.inner, n);
            all.largest = H::larger(all.largest, largest);
            continue;
          }
        }
        overflows = with_care<fit, brief>(plan, in, start, stop, before, all);
        unrolled<pairs>([&](auto j) ACCSIM_LAMBDA { acc[j] = before[j]; });
      }
      first = end;
      Half* handed = sums.handed();
      unrolled<pairs>([&](auto j) ACCSIM_LAMBDA {
        handed[j] = acc[j];
        acc[j] = Half{};
      });
      hand_up<brief>(plan, block, sums, all, first == block.k);
    }
    finish(all, block);
  }

 private:
  static ACCSIM_INLINE Operands operands(const FloatPlan& plan, const FloatBlock& block) {
    return {static_cast<const float*>(block.a), static_cast<const float*>(block.a_least), static_cast<const float*>(block.b),
            block.a_stride, O::set(-(1 << plan.product.drop))};
  }

  /// Steps from start to stop, clamping; true where a sum overflowed.
  template <bool fit, bool brief>
  static __attribute__((noinline)) bool with_care(const FloatPlan& plan, const Operands& in, std::int64_t start, std::int64_t stop,
                                                  Half* acc, Totals& all) {
    const Constants c = constants(plan.level[0].rounding);
    Brief n{};
    Half sums[pairs];
    Mask over[pairs];
    unrolled<pairs>([&](auto j) ACCSIM_LAMBDA {
      sums[j] = acc[j];
      over[j] = H::none();
    });
    Half largest = all.largest;
    for (std::int64_t k = start; k < stop; ++k) step<true, fit, brief>(in, k, sums, c, n, largest, over);
    all.largest = largest;
    add(all.inner, n);
    Mask any = H::none();
    unrolled<pairs>([&](auto j) ACCSIM_LAMBDA {
      acc[j] = sums[j];
      all.overflowed[j] |= over[j];
      any |= over[j];
    });
    return H::any(any);
  }

  template <bool brief>
  static __attribute__((noinline)) void hand_up(const FloatPlan& plan, FloatBlock& block, Sums& sums, Totals& all, bool is_end) {
    Half before[pairs] = {};  // of the last level: the accumulators and what was added, where anything is known of them
    Half addend[pairs] = {};
    sums.hand_up(is_end, [&](int l, bool, const Half* acc, const Half* x, Half* result) ACCSIM_LAMBDA {
      const Constants c = constants(plan.level[l].rounding);
      Brief n{};
      Half largest = all.largest;
      for (int j = 0; j < pairs; ++j) {
        addend[j] = x[j];
        before[j] = result[j] = acc[j];
        all.overflowed[j] |= sum<true, brief>(result[j], O::real(H::first(x[j])), O::real(H::second(x[j])), c, n, largest);
      }
      all.largest = largest;
      add(all.outer, n);
    });
    if (!is_end) return;
    const Half* last = sums.handed();
    float* results = static_cast<float*>(block.results);
    unrolled<pairs>([&](auto j) ACCSIM_LAMBDA {
      const auto store = [&](int i, Int acc, Int x, Int result) ACCSIM_LAMBDA {
        O::store(results + i * O::lanes, with_sign_of_zero<O>(O::real(result), O::real(acc) + O::real(x), O::real(acc), O::real(x)));
      };
      store(2 * j, H::first(before[j]), H::first(addend[j]), H::first(last[j]));
      store(2 * j + 1, H::second(before[j]), H::second(addend[j]), H::second(last[j]));
    });
  }

  static void finish(const Totals& all, FloatBlock& block) {
    const auto both = [&](auto member) { return total<float>(all.inner.*member) + total<float>(all.outer.*member); };
    using N = Counts<Int>;
    const std::int64_t tiny = both(&N::nonzero) - both(&N::normal);
    block.events[2] += total<float>(all.inner.product_inexact);
    block.events[3] += both(&N::overflow);
    block.events[4] += tiny;
    block.events[5] += both(&N::lost) + tiny;
    block.events[6] += both(&N::equal_lost);
    block.products_kept += block.k * registers * O::lanes - (total<float>(all.inner.equal) - total<float>(all.inner.equal_lost));
    for (int j = 0; j < pairs; ++j) {
      const Half over = H::keep_where(all.overflowed[j], H::set(1));
      for (int lane = 0; lane < O::lanes; ++lane) {
        block.overflowed[2 * j * O::lanes + lane] = static_cast<unsigned char>(H::first(over)[lane] >> 16);
        block.overflowed[(2 * j + 1) * O::lanes + lane] = static_cast<unsigned char>(H::second(over)[lane] >> 16);
      }
    }
    std::uint64_t largest = 0;
    for (int lane = 0; lane < 2 * O::lanes; ++lane) {
      const auto upper = static_cast<std::uint64_t>(all.largest[lane]);
      if (upper > 0 && (upper << 16 | 0xFFFF) > largest) largest = upper << 16 | 0xFFFF;
    }
    block.largest = largest;
  }
};

template <int vectors>
void run_packed_as(const FloatPlan& plan, FloatBlock& block) {
  bool brief = false;  // sums of fewer than eight bits
  for (int l = 0; l < plan.levels; ++l) brief |= plan.level[l].rounding.drop != 16;
  using Loop = PackedLoop<vectors>;
  if (plan.products_fit) return brief ? Loop::template run<true, true>(plan, block) : Loop::template run<true, false>(plan, block);
  return brief ? Loop::template run<false, true>(plan, block) : Loop::template run<false, false>(plan, block);
}

inline void run_packed(const FloatPlan& plan, FloatBlock& block) {
  const HostRounding rounding(HostRounding::Way::zero);
  if (block.vectors == 1) run_packed_as<1>(plan, block);
  else run_packed_as<2>(plan, block);
}

/// Of each a the least magnitude b with |a * b| >= least, as exact numbers; beyond all finite ones where none is.
inline void least_factors(const void* a, std::int64_t count, std::uint64_t least, void* out) {
  const HostRounding rounding(HostRounding::Way::zero);
  using O = Ops<float>;
  const auto one = [&](O::Real x) ACCSIM_LAMBDA {
    const O::Real y = O::real(O::magnitude(x));
    const O::Real bound = O::real(O::set(static_cast<std::int32_t>(least)));
    const O::Real quotient = bound / y;  // truncated, so that the product may fall short
    return O::real(O::select(O::reaches(quotient * y, bound), O::bits(quotient), O::bits(quotient) + 1));
  };
  const auto* in = static_cast<const float*>(a);
  auto* to = static_cast<float*>(out);
  std::int64_t i = 0;
  for (; i + O::lanes <= count; i += O::lanes) O::store(to + i, one(O::load(in + i)));
  if (i == count) return;
  float rest[O::lanes] = {};
  for (std::int64_t j = i; j < count; ++j) rest[j - i] = in[j];
  O::store(rest, one(O::load(rest)));
  for (std::int64_t j = i; j < count; ++j) to[j] = rest[j - i];
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
