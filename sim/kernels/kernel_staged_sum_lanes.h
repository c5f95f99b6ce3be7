// The fused-sum kernel's loops for staged sums: lanes are outputs. The products of each subset are aligned, cut and added in 32 bits and
// the subsets' sums joined; the accumulator joins them in binary64. Compiled once per instruction set.
#pragma once

#include "sim/kernels/kernel_fused_sum_lanes.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

/// x without its last `distance` bits: down, or toward zero where `toward_zero` is all ones.
inline I32 cut(I32 x, I32 distance, I32 toward_zero) {
  const I32 one_less = (x >> 31) & toward_zero;
  return shifted_right(x + one_less, distance) - one_less;
}

/// The products of one subset: their exponent, their sum as the level cuts it, in units of 2^(exponent - fraction_bits), and what cutting
/// took off, in units of 2^-window of these.
struct Subset {
  I32 exponent, sum, off;
};

template <bool floors>
Subset subset_sum(const FusedJob& job, const Terms& terms, std::int64_t first) {
  Subset subset;
  subset.exponent = I32{} - 2 * exponent_limit;  // where all are zeros
  for (std::int64_t t = first; t < terms.count; t += job.subsets)
    subset.exponent = larger(subset.exponent, terms.b_exponents[t] + terms.a_exponents[t]);
  const I32 place = subset.exponent + job.base;
  const int window = job.window;
  const int zeros = job.product_zeros;
  I32 sum{};
  U32 uncut{};  // modulo 2^32, in units of 2^-window
  for (std::int64_t t = first; t < terms.count; t += job.subsets) {
    const I32 p = multiply_add_pairs(terms.b[t], I32{} + terms.a[t]);
    const I32 distance = (place - terms.a_exponents[t]) - terms.b_exponents[t];
    sum += cut(p, distance, I32{} - (floors ? 0 : 1));
    uncut += shifted_left(reinterpret_cast<U32>(p >> zeros), (window + zeros) - distance);
  }
  subset.sum = sum;
  subset.off = reinterpret_cast<I32>(uncut - (reinterpret_cast<U32>(sum) << static_cast<std::uint32_t>(window)));
  return subset;
}

/// x + y; `lost` where that is not exact.
inline F64 exact_plus(F64 x, F64 y, I64& lost) {
  const F64 sum = x + y;
  lost |= (sum - x != y) | (sum - y != x);
  return sum;
}

/// Adds what a subset's products are before any cut to `uncut`, in half of the lanes.
inline void add_uncut(F64 sum, F64 off, F64 scale, F64& uncut, I64& lost) {
  const F64 products = exact_plus(sum, off, lost);
  uncut = exact_plus(uncut, products * scale, lost);
}

/// The accumulator's share of the total, in units of the last place kept.
inline F64 cut_to_whole(const FusedJob& job, F64 x) {
  const F64 whole = toward_zero(x);
  if (!job.join_floors) return whole;
  return whole > x ? whole - 1.0 : whole;
}

/// The total without its last bits.
inline F64 cut_total(const FusedJob& job, F64 x) {
  const I64 bits = reinterpret_cast<I64>(x);
  const std::int64_t mask = (std::int64_t{1} << job.result_cut) - 1;
  const I64 up = job.join_floors ? (bits >> 63) & mask : I64{};
  return reinterpret_cast<F64>((bits + up) & ~mask);
}

/// `most`: subsets at most.
template <bool floors, int most>
void one_staged_issue(FusedJob& job, std::int64_t row, std::int64_t panel, std::int64_t issue, FusedState& state) {
  const Terms terms = terms_of(job, row, panel, issue);
  const int count = most == 1 ? 1 : job.subsets;
  const int fraction_bits = job.fraction_bits;
  Subset subsets[most];
  I32 products_exponent = I32{} - 2 * exponent_limit;
  for (int s = 0; s < count; ++s) {
    subsets[s] = subset_sum<floors>(job, terms, s);
    products_exponent = larger(products_exponent, subsets[s].exponent);
  }
  const I32 out_of_range = state.exponent > exponent_limit;
  const Pair<F64> held = in_range(state.accumulator, out_of_range);
  const I32 held_exponent = out_of_range ? I32{} + zero_operand : state.exponent;
  const I32 largest = larger(products_exponent, held_exponent);

  // The subsets' sums joined, and all products before any cut.
  const I32 join_toward_zero = I32{} - (job.join_floors ? 0 : 1);
  I32 joined{};
  Pair<F64> uncut{};
  Pair<I64> lost{};
  const double last_place = 1.0 / static_cast<double>(1 << job.window);
  for (int s = 0; s < count; ++s) {
    joined += cut(subsets[s].sum, products_exponent - subsets[s].exponent, join_toward_zero);
    const Pair<I64> unit = widen(subsets[s].exponent - fraction_bits);
    const Pair<F64> sum = to_double(subsets[s].sum);
    const Pair<F64> off = to_double(subsets[s].off);
    add_uncut(sum.low, off.low * last_place, power_of_two(unit.low), uncut.low, lost.low);
    add_uncut(sum.high, off.high * last_place, power_of_two(unit.high), uncut.high, lost.high);
  }

  const I32 distance = (largest - products_exponent) - (job.sum_fraction_bits - fraction_bits);
  const I32 beyond = larger(distance, I32{});
  const Pair<F64> products = to_double(cut(joined, beyond, join_toward_zero));
  const Pair<I64> products_unit = widen(products_exponent - fraction_bits + beyond);
  const Pair<I64> unit = widen(largest - fraction_bits);
  I32 dropped{};
  if (job.drop_far_accumulator) dropped = held_exponent < largest - (fraction_bits + 1);
  const Pair<I64> drops = widen(dropped);
  const auto total_of = [&](F64 product_sum, I64 product_unit, F64 accumulator, I64 last, I64 drop) {
    const F64 share = cut_to_whole(job, accumulator * power_of_two(-last)) * power_of_two(last);
    return cut_total(job, product_sum * power_of_two(product_unit) + (drop != 0 ? F64{} : share));
  };
  const Pair<F64> total{total_of(products.low, products_unit.low, held.low, unit.low, drops.low),
                        total_of(products.high, products_unit.high, held.high, unit.high, drops.high)};

  I32 odd = narrow(lost) | *terms.b_odd | terms.a_odd | out_of_range;
  odd |= products_exponent > job.most_product_exponent;
  const I32 perhaps_far = products_exponent + job.base - (*terms.b_least + terms.a_least) > job.window + job.product_zeros;
  if (any(perhaps_far)) {
    for (int s = 0; s < count; ++s)
      odd |= far_products(terms, s, job.subsets, subsets[s].exponent + job.base, job.window + job.product_zeros);
  }
  settle(job, row, panel, issue, total, odd, state, [&](Pair<F64> delivered) {
    Pair<I64> not_held{};
    const F64 low = exact_plus(uncut.low, held.low, not_held.low);
    const F64 high = exact_plus(uncut.high, held.high, not_held.high);
    return narrow({not_held.low | (low != delivered.low), not_held.high | (high != delivered.high)});
  });
}

template <bool floors, int most>
void run_subsets(FusedJob& job) {
  run_rows(job, [](FusedJob& j, std::int64_t row, std::int64_t panel, std::int64_t issue, FusedState& state) {
    one_staged_issue<floors, most>(j, row, panel, issue, state);
  });
}

void run_staged(FusedJob& job) {
  if (job.subsets == 1) {
    if (job.floors) run_subsets<true, 1>(job);
    else run_subsets<false, 1>(job);
  } else {
    if (job.floors) run_subsets<true, most_subsets>(job);
    else run_subsets<false, most_subsets>(job);
  }
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
