// The fused-sum kernel's loops: lanes are outputs. An issue is two passes over its terms: the largest exponent, then the cut products.
// Compiled once per instruction set.
#pragma once

#include "sim/kernels/kernel_fused_sum.h"
#include "sim/kernels/vector_halves.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

constexpr int fused_lanes = lanes_of<std::int32_t>;
constexpr int half_lanes = lanes_of<std::int64_t>;

/// 2^e in every lane, -1022 <= e <= 1023.
inline F64 power_of_two(I64 e) { return reinterpret_cast<F64>((e + 1023) << 52); }

/// One issue's operands.
struct Terms {
  const std::int32_t* a;
  const std::int32_t* a_exponents;
  const I32* b;
  const I32* b_exponents;
  std::int64_t count;
  const I32* b_least;
  const I32* b_odd;
  std::int32_t a_least, a_odd;
};

inline Terms terms_of(const FusedJob& job, std::int64_t row, std::int64_t panel, std::int64_t issue) {
  const std::int64_t first = issue * job.issue;
  const std::int64_t a = row * job.k + first;
  const std::int64_t b = panel * job.k + first;
  return {.a = job.a + a,
          .a_exponents = job.a_exponents + a,
          .b = reinterpret_cast<const I32*>(job.b) + b,
          .b_exponents = reinterpret_cast<const I32*>(job.b_exponents) + b,
          .count = first + job.issue < job.k ? job.issue : job.k - first,
          .b_least = reinterpret_cast<const I32*>(job.b_least) + panel * job.issues + issue,
          .b_odd = reinterpret_cast<const I32*>(job.b_odd) + panel * job.issues + issue,
          .a_least = job.a_least[row * job.issues + issue],
          .a_odd = job.a_odd[row * job.issues + issue]};
}

/// The products of one issue, cut and summed.
struct CutProducts {
  Pair<F64> sum{};      ///< as the level cuts
  Pair<F64> floored{};  ///< each cut down
  Pair<F64> rest{};     ///< what cutting down took off, in units of 2^-window of the last place kept
};

/// `place`: the exponent of each lane's largest plus base, so that a product's distance is place - its exponent.
template <bool floors>
CutProducts cut_products(const FusedJob& job, const Terms& terms, I32 place) {
  const int window = job.window;
  CutProducts result;
  for (std::int64_t first = 0; first < terms.count; first += job.flush) {
    const std::int64_t last = first + job.flush < terms.count ? first + job.flush : terms.count;
    I32 sum{};
    I32 floored{};
    I32 rest{};
    for (std::int64_t t = first; t < last; ++t) {
      const I32 p = multiply_add_pairs(terms.b[t], I32{} + terms.a[t]);
      const I32 distance = smaller((place - terms.a_exponents[t]) - terms.b_exponents[t], I32{} + window);
      const I32 kept_bits = (I32{} - 1) << distance;
      rest += (p & ~kept_bits) << (window - distance);
      floored += p >> distance;
      if constexpr (!floors) sum += (p + ((p >> 31) & ~kept_bits)) >> distance;
    }
    result.floored = plus(result.floored, to_double(floored));
    result.rest = plus(result.rest, to_double(rest));
    if constexpr (!floors) result.sum = plus(result.sum, to_double(sum));
  }
  if constexpr (floors) result.sum = result.floored;
  return result;
}

/// True in lanes where a nonzero product, of every `step`-th, lies more than `most` below.
inline I32 far_products(const Terms& terms, std::int64_t first, std::int64_t step, I32 place, int most) {
  I32 far{};
  for (std::int64_t t = first; t < terms.count; t += step) {
    const I32 p = multiply_add_pairs(terms.b[t], I32{} + terms.a[t]);
    far |= ((place - terms.a_exponents[t]) - terms.b_exponents[t] > most) & (p != 0);
  }
  return far;
}

/// An accumulator's share, as that of products; `far` where what is taken off is not held.
struct CutAccumulator {
  Pair<F64> value{};      ///< as the level cuts
  Pair<F64> truncated{};  ///< cut toward zero
  Pair<F64> rest{};       ///< what that took off
  I32 far{};
};

template <bool floors>
CutAccumulator cut_accumulator(const FusedJob& job, Pair<F64> accumulator, Pair<I64> shift) {
  const Pair<F64> scaled{accumulator.low * power_of_two(shift.low), accumulator.high * power_of_two(shift.high)};
  const I32 toward_zero = to_integer(scaled);
  CutAccumulator result;
  result.truncated = to_double(toward_zero);
  result.value = result.truncated;
  if constexpr (floors) {
    const I32 below = narrow({scaled.low < result.value.low, scaled.high < result.value.high});
    result.value = to_double(toward_zero + below);
  }
  // The difference is exact: it is what the truncation took off, with the accumulator's sign.
  const auto units = static_cast<double>(1 << job.window);
  result.rest = Pair<F64>{(scaled.low - result.truncated.low) * units, (scaled.high - result.truncated.high) * units};
  const Pair<F64> held = to_double(to_integer(result.rest));
  result.far = narrow({held.low != result.rest.low, held.high != result.rest.high});
  return result;
}

/// A rounded sum; `odd` where the interpreter has to do it.
struct RoundedSum {
  F64 value;
  I64 odd;
};

inline RoundedSum round_sum(const FusedJob& job, F64 x, F64 accumulator) {
  const int drop = 53 - job.precision;
  const I64 bits = reinterpret_cast<I64>(x);
  const I64 sign = bits & static_cast<std::int64_t>(1ULL << 63);
  const I64 magnitude = bits & static_cast<std::int64_t>(~0ULL >> 1);
  const std::int64_t mask = (std::int64_t{1} << drop) - 1;
  I64 r = magnitude;
  if (job.to_nearest) r += (mask >> 1) + ((magnitude >> drop) & (mask & 1));
  r &= ~mask;
  RoundedSum result;
  result.value = reinterpret_cast<F64>(r | sign);
  result.odd = (magnitude != 0) & (magnitude < job.min_normal);
  result.odd |= r > job.max_finite;
  // A zero sum is +0 but for what a -0 in the accumulator may make of it.
  result.odd |= (magnitude == 0) & (reinterpret_cast<I64>(accumulator) == static_cast<std::int64_t>(1ULL << 63));
  return result;
}

/// That an accumulator is aligned by.
inline I64 exponent_of(const FusedJob& job, F64 x) {
  const I64 bits = reinterpret_cast<I64>(x) & static_cast<std::int64_t>(~0ULL >> 1);
  const I64 exponent = larger((bits >> 52) - 1023, I64{} + job.accumulator_emin);
  return bits == 0 ? I64{} + job.zero_operand_exponent : exponent;
}

inline I32 exponents(const FusedJob& job, Pair<F64> x) { return narrow({exponent_of(job, x.low), exponent_of(job, x.high)}); }

/// One output lane's state between issues.
struct FusedState {
  Pair<F64> accumulator{};
  I32 exponent{};
  I32 inexact{};
  Pair<F64> partial{};
};

/// The lanes that `odd` names, one by one.
inline void slow_lanes(FusedJob& job, I32 odd, std::int64_t row, std::int64_t panel, std::int64_t issue, Pair<F64> before,
                       FusedState& state, I32& inexact, Pair<F64>& partial) {
  for (int lane = 0; lane < fused_lanes; ++lane) {
    if (odd[lane] == 0) continue;
    const std::int64_t column = panel * fused_lanes + lane;
    const bool low = lane < half_lanes;
    const int at = low ? lane : lane - half_lanes;
    inexact[lane] = 0;
    (low ? partial.low : partial.high)[at] = 0;
    if (column >= job.columns) continue;
    IssueOutcome outcome;
    job.slow(job.context, row, column, issue, (low ? before.low : before.high)[at], outcome);
    (low ? state.accumulator.low : state.accumulator.high)[at] = outcome.value;
    job.counts.overflow += outcome.counts.overflow;
    job.counts.underflow += outcome.counts.underflow;
    job.counts.inexact += outcome.counts.inexact;
    job.counts.invalid += outcome.counts.invalid;
    job.counts.product_overflow += outcome.counts.product_overflow;
    job.counts.partial = larger(job.counts.partial, outcome.counts.partial);
    if (outcome.counts.overflow + outcome.counts.product_overflow != 0) job.overflowed[row * job.panels * fused_lanes + column] = 1;
  }
}

/// Rounds an issue's exact total and counts. `odd`: lanes that are the interpreter's; differs(delivered): true where the sum of all addends
/// before any cut is another.
template <class Differs>
void settle(FusedJob& job, std::int64_t row, std::int64_t panel, std::int64_t issue, Pair<F64> total, I32 odd, FusedState& state,
            Differs&& differs) {
  const Pair<F64> before = state.accumulator;
  const RoundedSum low = round_sum(job, total.low, before.low);
  const RoundedSum high = round_sum(job, total.high, before.high);
  state.accumulator = {low.value, high.value};
  I32 inexact = differs(state.accumulator);
  odd |= narrow({low.odd, high.odd});
  Pair<F64> partial{total.low < 0.0 ? -total.low : total.low, total.high < 0.0 ? -total.high : total.high};
  if (any(odd)) slow_lanes(job, odd, row, panel, issue, before, state, inexact, partial);
  state.inexact -= inexact;
  state.partial = {larger(state.partial.low, partial.low), larger(state.partial.high, partial.high)};
  state.exponent = exponents(job, state.accumulator);
}

/// The parts of an issue added up, in units of the last place kept.
struct IssueSum {
  Pair<F64> cut;    ///< as the level cuts
  Pair<F64> whole;  ///< each cut to some whole number
  Pair<F64> rest;   ///< what that took off
};

/// `largest`: the exponent that the parts were aligned to.
inline void settle(FusedJob& job, std::int64_t row, std::int64_t panel, std::int64_t issue, I32 largest, const IssueSum& sum, I32 odd,
                   FusedState& state) {
  const Pair<I64> unit = widen(largest - job.fraction_bits);
  const Pair<F64> scale{power_of_two(unit.low), power_of_two(unit.high)};
  const Pair<F64> total{sum.cut.low * scale.low, sum.cut.high * scale.high};
  settle(job, row, panel, issue, total, odd, state, [&](Pair<F64> delivered) {
    // What was taken off in all is a whole number of last places, or the result is inexact.
    const Pair<F64> places = to_double(to_integer(sum.rest));
    const Pair<F64> uncut = plus(sum.whole, places);
    return narrow({(places.low != sum.rest.low) | (delivered.low != uncut.low * scale.low),
                   (places.high != sum.rest.high) | (delivered.high != uncut.high * scale.high)});
  });
}

/// An accumulator that is not finite, or about to be, is the interpreter's; the lane goes on with zero.
inline Pair<F64> in_range(Pair<F64> accumulator, I32 out_of_range) {
  if (!any(out_of_range)) return accumulator;
  const Pair<I64> wide = widen(out_of_range);
  return {wide.low != 0 ? F64{} : accumulator.low, wide.high != 0 ? F64{} : accumulator.high};
}

template <bool floors>
void one_issue(FusedJob& job, std::int64_t row, std::int64_t panel, std::int64_t issue, FusedState& state) {
  const Terms terms = terms_of(job, row, panel, issue);
  const I32 out_of_range = state.exponent > exponent_limit;
  const Pair<F64> held = in_range(state.accumulator, out_of_range);
  I32 largest = out_of_range ? I32{} + zero_operand : state.exponent;
  if (job.zeros_count) {
    I32 least = state.exponent;
    for (std::int64_t t = 0; t < terms.count; ++t) {
      const I32 e = terms.b_exponents[t] + terms.a_exponents[t];
      largest = larger(largest, e);
      least = smaller(least, e);
    }
    const I32 counted = larger(largest, I32{} + job.zero_exponent);
    largest = least < zero_operand / 2 ? counted : largest;
  } else {
    for (std::int64_t t = 0; t < terms.count; ++t) largest = larger(largest, terms.b_exponents[t] + terms.a_exponents[t]);
  }
  largest = larger(largest, I32{} - 2 * exponent_limit);  // where all are zeros
  const I32 place = largest + job.base;
  const CutProducts products = cut_products<floors>(job, terms, place);
  const CutAccumulator c = cut_accumulator<floors>(job, held, widen(job.fraction_bits - largest));
  I32 odd = c.far | *terms.b_odd | terms.a_odd | out_of_range;
  const I32 perhaps_far = place - (*terms.b_least + terms.a_least) > job.window;
  if (any(perhaps_far)) odd |= far_products(terms, 0, 1, place, job.window);

  const double last_place = 1.0 / static_cast<double>(1 << job.window);
  const Pair<F64> rest = plus(products.rest, c.rest);
  const IssueSum sum{plus(products.sum, c.value), plus(products.floored, c.truncated), {rest.low * last_place, rest.high * last_place}};
  settle(job, row, panel, issue, largest, sum, odd, state);
}

inline void fold_partial(FusedJob& job, F64 partial) {
  for (int lane = 0; lane < half_lanes; ++lane) job.counts.partial = larger(job.counts.partial, partial[lane]);
}

/// R rows at once, as each waits for its own accumulator. one(job, row, panel, issue, state) does an issue.
template <int R, class Issue>
void rows_of_panel(FusedJob& job, std::int64_t row, std::int64_t panel, Issue&& one) {
  const std::int64_t width = job.panels * fused_lanes;
  FusedState states[R];
  const auto at = [&](int r) { return (row + r) * width + panel * fused_lanes; };
  for (int r = 0; r < R; ++r) {
    FusedState& state = states[r];
    if (job.initial != nullptr) {
      for (int lane = 0; lane < half_lanes; ++lane) {
        state.accumulator.low[lane] = job.initial[at(r) + lane];
        state.accumulator.high[lane] = job.initial[at(r) + lane + half_lanes];
      }
    }
    state.exponent = exponents(job, state.accumulator);
  }
  for (std::int64_t sum = 0; sum < job.sums; ++sum) {
    const std::int64_t first = sum * job.issues_in_sum;
    const std::int64_t last = first + job.issues_in_sum < job.issues ? first + job.issues_in_sum : job.issues;
    for (std::int64_t issue = first; issue < last; ++issue) {
      for (int r = 0; r < R; ++r) one(job, row + r, panel, issue, states[r]);
    }
    for (int r = 0; r < R; ++r) {
      double* values = job.values + sum * job.rows * width + at(r);
      for (int lane = 0; lane < half_lanes; ++lane) {
        values[lane] = states[r].accumulator.low[lane];
        values[lane + half_lanes] = states[r].accumulator.high[lane];
      }
      states[r].accumulator = Pair<F64>{};
      states[r].exponent = I32{} + job.zero_operand_exponent;
    }
  }
  for (const FusedState& state : states) {
    for (int lane = 0; lane < fused_lanes; ++lane) job.counts.inexact += state.inexact[lane];
    fold_partial(job, state.partial.low);
    fold_partial(job, state.partial.high);
  }
}

template <class Issue>
void run_rows(FusedJob& job, Issue&& one) {
  constexpr int rows = 4;
  for (std::int64_t panel = 0; panel < job.panels; ++panel) {
    std::int64_t row = 0;
    for (; row + rows <= job.rows; row += rows) rows_of_panel<rows>(job, row, panel, one);
    for (; row < job.rows; ++row) rows_of_panel<1>(job, row, panel, one);
  }
}

template <bool floors>
void run_products(FusedJob& job) {
  run_rows(job, [](FusedJob& j, std::int64_t row, std::int64_t panel, std::int64_t issue, FusedState& state) {
    one_issue<floors>(j, row, panel, issue, state);
  });
}

void run(FusedJob& job) {
  if (job.floors) run_products<true>(job);
  else run_products<false>(job);
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
