// The ordered-sum kernel's loops: lanes are outputs. Where no addend of any lane can be cut, their order does not matter and their sum is a
// binary64; other issues are looked at one addend after the other. Compiled once per instruction set.
#pragma once

#include "sim/kernels/kernel_ordered_sum.h"
#include "sim/kernels/vector_pairs.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

constexpr int ordered_lanes = lanes_of<double>;

constexpr std::int64_t sign_bit = static_cast<std::int64_t>(1ULL << 63);
constexpr std::int64_t exponent_bits = 0x7FF0000000000000;
/// Times a power of two the anchor of its multiples: numbers below 2^51 such units are rounded to them by adding and subtracting it.
constexpr double anchor = 0x1.8p52;

inline I64 bits_of(F64 x) { return reinterpret_cast<I64>(x); }
inline F64 of_bits(I64 x) { return reinterpret_cast<F64>(x); }
inline F64 magnitude_of(F64 x) { return of_bits(bits_of(x) & ~sign_bit); }
inline I64 sign_of(F64 x) { return bits_of(x) & sign_bit; }
inline F64 with_sign(F64 x, I64 sign) { return of_bits(bits_of(x) ^ sign); }
/// 2^floor(log2 |x|); 0 of a zero.
inline F64 power_in(F64 x) { return of_bits(bits_of(x) & exponent_bits); }
/// 2^n in every lane.
inline F64 power_of_two(int n) { return of_bits(I64{} + (std::int64_t{1023 + n} << 52)); }
inline I64 not_finite(F64 x) { return x - x != 0.0; }

inline F64 to_multiple(F64 x, F64 unit_anchor) { return (x + unit_anchor) - unit_anchor; }
/// True where x, below 2^51 units, has bits below the unit, and of NaN.
inline I64 has_bits_below(F64 x, F64 unit_anchor) { return to_multiple(x, unit_anchor) != x; }
/// A magnitude without its bits below the unit; from 2^51 units on it has none.
inline F64 without_bits_below(F64 x, F64 unit) {
  const F64 nearest = to_multiple(x, unit * anchor);
  const F64 below = nearest > x ? nearest - unit : nearest;
  return x < unit * 0x1p51 ? below : x;
}

/// A magnitude, below 2^51 spacings, rounded to a multiple of the spacing.
inline F64 rounded_to(F64 spacing, OrderedRounding rounding, F64 exact, I64 is_negative) {
  const F64 nearest = to_multiple(exact, spacing * anchor);
  if (rounding == OrderedRounding::to_even) return nearest;
  const F64 down = nearest > exact ? nearest - spacing : nearest;
  const F64 up = down + spacing;
  switch (rounding) {
    case OrderedRounding::to_even:
    case OrderedRounding::truncate: break;
    case OrderedRounding::to_away: return exact - down >= spacing * 0.5 ? up : down;
    case OrderedRounding::up: return (down != exact) & ~is_negative ? up : down;
    case OrderedRounding::to_odd: return (down != exact) & ((bits_of(down + spacing * anchor) & 1) == 0) ? up : down;
  }
  return down;
}

/// One output lane's state between issues.
struct OrderedState {
  F64 accumulator{};
  I64 inexact{};
  F64 partial{};
};

/// Where an issue stands.
struct OrderedPlace {
  std::int64_t row, panel, issue;
};

inline F64 accumulator_power(const OrderedJob& job, F64 accumulator) { return larger(power_in(accumulator), F64{} + job.accumulator_min); }

/// What an issue makes.
struct OrderedResult {
  F64 value;
  I64 inexact;
  F64 partial;
};

/// An issue's operands.
struct OrderedFactors {
  OrderedFactors(const OrderedJob& job, OrderedPlace at)
      : a(job.a + at.row * job.k + at.issue * job.issue),
        a_powers(job.a_powers + at.row * job.k + at.issue * job.issue),
        b(reinterpret_cast<const F64*>(job.b) + at.panel * job.k + at.issue * job.issue),
        b_powers(reinterpret_cast<const F64*>(job.b_powers) + at.panel * job.k + at.issue * job.issue) {}
  const double *a, *a_powers;
  const F64 *b, *b_powers;
};

/// Events that are rare. Lanes beyond the tile make some of a row that has infinities.
inline void count_ordered(OrderedJob& job, OrderedPlace at, I64 overflow, I64 underflow, I64 invalid) {
  if (!any(overflow | underflow | invalid)) return;
  const std::int64_t left = job.columns - at.panel * ordered_lanes;
  for (int lane = 0; lane < ordered_lanes && lane < left; ++lane) {
    job.counts.underflow -= underflow[lane];
    job.counts.invalid -= invalid[lane];
    job.counts.overflow -= overflow[lane];
    if (overflow[lane] != 0) job.overflowed[at.row * job.panels * ordered_lanes + at.panel * ordered_lanes + lane] = 1;
  }
}

/// The lanes that `odd` names, one by one.
inline void interpreted_lanes(OrderedJob& job, I64 odd, OrderedPlace at, F64 before, OrderedResult& result) {
  const I64 sign = I64{} + (job.negated ? sign_bit : 0);
  for (int lane = 0; lane < ordered_lanes; ++lane) {
    if (odd[lane] == 0) continue;
    const std::int64_t column = at.panel * ordered_lanes + lane;
    result.inexact[lane] = 0;
    result.partial[lane] = 0;
    if (column >= job.columns) continue;
    IssueOutcome outcome;
    job.slow(job.context, at.row, column, at.issue, with_sign(before, sign)[lane], outcome);
    result.value[lane] = job.negated ? -outcome.value : outcome.value;
    job.counts.overflow += outcome.counts.overflow;
    job.counts.underflow += outcome.counts.underflow;
    job.counts.inexact += outcome.counts.inexact;
    job.counts.invalid += outcome.counts.invalid;
    job.counts.partial = larger(job.counts.partial, outcome.counts.partial);
    if (outcome.counts.overflow != 0) job.overflowed[at.row * job.panels * ordered_lanes + column] = 1;
  }
}

/// Products and, last, the accumulator, by falling power, equals in order.
template <int addends>
void sort_by_power(F64 (&x)[addends], F64 (&power)[addends]) {
  for (int i = 1; i < addends; ++i) {
    for (int j = i; j > 0; --j) {
      const I64 swaps = power[j] > power[j - 1];
      const F64 value = x[j];
      const F64 place = power[j];
      x[j] = swaps ? x[j - 1] : value;
      power[j] = swaps ? power[j - 1] : place;
      x[j - 1] = swaps ? value : x[j - 1];
      power[j - 1] = swaps ? place : power[j - 1];
    }
  }
}

/// total + x, a pair without error, high being the nearest, with the sign of zeros too.
inline Pair added(Pair total, F64 x) {
  const Pair sum = two_sum(total.high, x);
  const F64 low = total.low + sum.low;
  const Pair nearest = two_sum(sum.high, low);
  return {low == 0.0 ? sum.high : nearest.high, nearest.low};
}

/// A sum of cut addends. The exact one is `truncated` + `rest`.
struct OrderedSum {
  Pair total{};
  Pair truncated{};   ///< of addends cut toward zero
  F64 rest{};         ///< what that took off
  I64 rest_is_odd{};  ///< that is no binary64
  I64 sticky{};
  I64 is_cut{};  ///< any addend
  I64 odd{};     ///< the interpreter has to do it
};

/// sim::ordered_sum of addends sorted, one after the other.
template <int addends>
OrderedSum ordered_sum(const OrderedJob& job, const F64 (&x)[addends], F64 first_power) {
  OrderedSum sum;
  sum.total.high = x[0];
  sum.truncated.high = x[0];
  I64 opposed{}, was_opposed{}, was_cut{};
  for (int i = 1; i < addends; ++i) {
    const F64 unit = first_power * power_of_two(-job.fraction_bits[i - 1]);
    const F64 size = magnitude_of(x[i]);
    const F64 whole = without_bits_below(size, unit);
    was_opposed = opposed;
    opposed = (sign_of(x[i]) ^ sign_of(sum.total.high)) != 0;
    was_cut = whole != size;
    // What is cut goes away from zero where the addend's sign is not that which a floor sees as plus.
    I64 away = opposed;
    if (!job.sticky) away = job.cut == OrderedCut::toward_zero ? I64{} : (sign_of(x[i]) != 0) ^ (I64{} - (job.cut == OrderedCut::up));
    const F64 truncated = with_sign(whole, sign_of(x[i]));
    const F64 kept = was_cut & away ? with_sign(whole + unit, sign_of(x[i])) : truncated;
    sum.odd |= was_cut & (sum.total.high == 0.0);
    sum.is_cut |= was_cut;
    const Pair rest = two_sum(sum.rest, x[i] - truncated);
    sum.rest = rest.high;
    sum.rest_is_odd |= rest.low != 0.0;
    sum.truncated = added(sum.truncated, truncated);
    sum.total = added(sum.total, kept);
  }
  const F64 high = sum.total.high;
  sum.odd |= sum.is_cut & (high == 0.0);
  if (job.sticky) sum.sticky = sum.is_cut;
  if (job.forget_sticky_below >= 0) {
    const I64 lower = ((sign_of(sum.total.low) ^ sign_of(high)) != 0) & (sum.total.low != 0.0);
    const F64 top = larger(power_in(of_bits(bits_of(magnitude_of(high)) + lower)), F64{} + job.accumulator_min);
    const I64 has_bits = (sum.total.low != 0.0) | has_bits_below(high, top * power_of_two(-job.forget_sticky_below) * anchor);
    sum.sticky &= has_bits | was_cut | ~(was_opposed ^ opposed) | (x[addends - 1] == 0.0);
  }
  return sum;
}

/// The sum's magnitude rounded to odd to 53 bits, sticky bit included.
inline F64 rounded_to_odd(const OrderedSum& sum) {
  const I64 has_low = sum.total.low != 0.0;
  const I64 lower = ((sign_of(sum.total.low) ^ sign_of(sum.total.high)) != 0) & has_low;
  return of_bits((bits_of(magnitude_of(sum.total.high)) + lower) | ((has_low | sum.sticky) & 1));
}

/// The lanes that have an addend which is not finite: IEEE 754's sum, and what counts as invalid.
template <int terms>
struct SpecialSums {
  SpecialSums(const OrderedFactors& f, F64 accumulator) : is_special(not_finite(accumulator)) {
    I64 has_nan = accumulator != accumulator;
    for (int t = 0; t < terms; ++t) {
      const F64 product = f.b[t] * f.a[t];
      const I64 is_nan = product != product;
      invalid += is_nan & (f.b[t] == f.b[t]) & (F64{} + f.a[t] == F64{} + f.a[t]);
      is_special |= not_finite(product);
      has_nan |= is_nan;
      sum += product;
    }
    sum += accumulator;
    invalid += (sum != sum) & ~has_nan;
  }
  I64 is_special;
  F64 sum{};
  I64 invalid{};
};

/// An issue of which anything is possible. `result`: as if nothing were, which holds but for lanes that are `rare`.
template <int terms>
__attribute__((noinline)) void look_at(OrderedJob& job, OrderedPlace at, F64 accumulator, I64 rare, OrderedResult& result) {
  constexpr int addends = terms + 1;
  const OrderedFactors f(job, at);
  const SpecialSums<terms> special(f, accumulator);
  if (job.keeps_nonfinite && !any(rare & ~special.is_special)) {
    result.value = special.is_special ? special.sum : result.value;
    result.inexact &= ~special.is_special;
    result.partial = special.is_special ? F64{} : result.partial;
    count_ordered(job, at, I64{}, I64{}, special.invalid);
    return;
  }

  F64 x[addends];
  F64 power[addends];
  for (int t = 0; t < terms; ++t) {
    x[t] = special.is_special ? F64{} : f.b[t] * f.a[t];
    power[t] = special.is_special ? F64{} : f.b_powers[t] * f.a_powers[t];
  }
  x[terms] = special.is_special ? F64{} : accumulator;
  power[terms] = accumulator_power(job, x[terms]);
  sort_by_power(x, power);
  const OrderedSum sum = ordered_sum(job, x, power[0]);
  const F64 high = sum.total.high;
  const F64 exact = rounded_to_odd(sum);
  I64 odd = sum.odd;
  if (job.foresees_sign) odd |= (x[0] == 0.0) & (high != 0.0) & (exact < job.smallest);

  const F64 spacing = larger(power_in(exact), F64{} + job.least_power) * job.spacing;
  const I64 is_negative = sign_of(high) != 0;
  F64 value = rounded_to(spacing, job.rounding, exact, is_negative);
  const I64 is_inexact = value != exact;
  const I64 is_flushed = job.flush ? (value < job.min_normal) & (value != 0.0) : I64{};
  value = is_flushed ? F64{} : value;
  const I64 is_overflow = value > job.max_finite;
  const I64 is_tiny = (is_inexact & (value < job.min_normal)) | is_flushed;
  value = is_overflow ? (is_negative ? F64{} + job.overflow_negative : F64{} + job.overflow_positive) : value;
  value = with_sign(value, sign_of(high));
  if (job.overflow_is_odd) odd |= is_overflow;
  odd |= job.odd_rest_is_inexact ? sum.rest_is_odd & is_overflow : sum.rest_is_odd;
  odd = job.keeps_nonfinite ? odd & ~special.is_special : odd | special.is_special;

  // Delivered less exact, both as pairs: equal only where both halves are.
  const Pair moved = two_sum(value, -sum.truncated.high);
  const Pair beyond = two_sum(sum.truncated.low, sum.rest);
  const I64 counted = ~(odd | special.is_special);
  result.value = special.is_special ? special.sum : value;
  result.inexact = ((moved.high != beyond.high) | (moved.low != beyond.low) | sum.rest_is_odd) & counted;
  result.partial = counted ? magnitude_of(high) : F64{};
  count_ordered(job, at, is_overflow & counted, is_tiny & counted, special.invalid & ~odd);
  if (any(odd)) interpreted_lanes(job, odd, at, accumulator, result);
}

template <int terms>
inline void one_ordered_issue(OrderedJob& job, OrderedPlace at, OrderedState& state) {
  const OrderedFactors f(job, at);
  const F64 accumulator = state.accumulator;
  F64 products[terms];
  F64 top = accumulator_power(job, accumulator);
  for (int t = 0; t < terms; ++t) {
    products[t] = f.b[t] * f.a[t];
    top = larger(top, f.b_powers[t] * f.a_powers[t]);
  }
  const F64 unit_anchor = top * job.common_anchor;
  I64 rare = has_bits_below(accumulator, unit_anchor);
  F64 total = products[0];
  for (int t = 0; t < terms; ++t) {
    rare |= has_bits_below(products[t], unit_anchor);
    if (t > 0) total += products[t];
  }
  total += accumulator;

  OrderedResult result;
  const F64 exact = magnitude_of(total);
  const F64 spacing = larger(power_in(exact), F64{} + job.least_power) * job.spacing;
  const F64 value = rounded_to(spacing, job.rounding, exact, sign_of(total) != 0);
  result.inexact = value != exact;
  rare |= ~(exact <= job.max_finite) | ((value < job.min_normal) & result.inexact);
  if (job.tiny_matters) rare |= (value < job.min_normal) & (exact != 0.0);
  result.value = with_sign(value, sign_of(total));
  result.partial = exact;
  if (any(rare)) look_at<terms>(job, at, accumulator, rare, result);
  state.accumulator = result.value;
  state.inexact -= result.inexact;
  state.partial = larger(state.partial, result.partial);
}

/// The last issue of an output, where it is shorter than the others.
__attribute__((noinline)) inline void short_ordered_issue(OrderedJob& job, OrderedPlace at, OrderedState& state) {
  switch (job.k - at.issue * job.issue) {
    case 1: return one_ordered_issue<1>(job, at, state);
    case 2: return one_ordered_issue<2>(job, at, state);
    default: return one_ordered_issue<3>(job, at, state);
  }
}

/// R rows at once, as each waits for its own accumulator.
template <int terms, int R>
void ordered_rows_of_panel(OrderedJob& job, std::int64_t row, std::int64_t panel) {
  const std::int64_t width = job.panels * ordered_lanes;
  const I64 sign = I64{} + (job.negated ? sign_bit : 0);
  const auto offset = [&](int r) { return (row + r) * width + panel * ordered_lanes; };
  OrderedState states[R];
  for (int r = 0; r < R; ++r) {
    F64 start{};
    if (job.initial != nullptr) __builtin_memcpy(&start, job.initial + offset(r), sizeof start);
    states[r].accumulator = with_sign(start, sign);
  }
  for (std::int64_t sum = 0; sum < job.sums; ++sum) {
    const std::int64_t first = sum * job.issues_in_sum;
    const std::int64_t last = first + job.issues_in_sum < job.issues ? first + job.issues_in_sum : job.issues;
    const std::int64_t full = last * terms <= job.k ? last : last - 1;
    for (std::int64_t issue = first; issue < full; ++issue) {
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) one_ordered_issue<terms>(job, {row + r, panel, issue}, states[r]);
    }
    if (full < last) {
      for (int r = 0; r < R; ++r) short_ordered_issue(job, {row + r, panel, full}, states[r]);
    }
    for (int r = 0; r < R; ++r) {
      const F64 value = with_sign(states[r].accumulator, sign);
      __builtin_memcpy(job.values + sum * job.rows * width + offset(r), &value, sizeof value);
      states[r].accumulator = with_sign(F64{}, sign);
    }
  }
  for (const OrderedState& state : states) {
    for (int lane = 0; lane < ordered_lanes; ++lane) {
      job.counts.inexact += state.inexact[lane];
      job.counts.partial = larger(job.counts.partial, state.partial[lane]);
    }
  }
}

template <int terms>
void run_ordered_terms(OrderedJob& job) {
  constexpr int rows = 4;
  for (std::int64_t panel = 0; panel < job.panels; ++panel) {
    std::int64_t row = 0;
    for (; row + rows <= job.rows; row += rows) ordered_rows_of_panel<terms, rows>(job, row, panel);
    for (; row < job.rows; ++row) ordered_rows_of_panel<terms, 1>(job, row, panel);
  }
}

inline void run_ordered(OrderedJob& job) {
  static_assert(most_ordered_terms == 4);
  switch (job.issue) {
    case 1: return run_ordered_terms<1>(job);
    case 2: return run_ordered_terms<2>(job);
    case 3: return run_ordered_terms<3>(job);
    default: return run_ordered_terms<4>(job);
  }
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
