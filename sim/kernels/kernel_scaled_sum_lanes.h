// The fused-sum kernel's loops for scaled sums: lanes are outputs. The elements of a group are multiplied and summed in whole numbers; the
// groups' sums times their scales, and the accumulator, are aligned, cut and added in binary64. Compiled once per instruction set.
#pragma once

#include "sim/kernels/kernel_fused_sum_lanes.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

/// Adds one aligned part to a half of the lanes; true where what is taken off it is not held.
template <bool floors>
inline I64 add_part(F64 x, F64& cut, F64& whole, F64& rest) {
  constexpr double to_window = 0x1.8p4;  // numbers of this size are multiples of 2^-48, and 17 rests of 48 bits add up exactly
  static_assert(most_groups + 1 <= 17);
  const F64 truncated = toward_zero(x);
  const F64 off = x - truncated;
  if constexpr (floors) cut += truncated > x ? truncated - 1.0 : truncated;
  else cut += truncated;
  whole += truncated;
  rest += off;
  return (off + to_window) - to_window != off;
}

/// Adds one aligned part in all lanes.
template <bool floors>
inline void add_part(Pair<F64> x, IssueSum& sum, Pair<I64>& far) {
  far.low |= add_part<floors>(x.low, sum.cut.low, sum.whole.low, sum.rest.low);
  far.high |= add_part<floors>(x.high, sum.cut.high, sum.whole.high, sum.rest.high);
}

template <bool floors>
void one_scaled_issue(FusedJob& job, std::int64_t row, std::int64_t panel, std::int64_t issue, FusedState& state) {
  const std::int64_t first = issue * job.groups_in_issue;
  const std::int64_t count = first + job.groups_in_issue < job.groups ? job.groups_in_issue : job.groups - first;
  const std::int64_t a_group = row * job.groups + first;
  const std::int64_t b_group = panel * job.groups + first;
  const std::int32_t* a = job.a + a_group * job.words;
  const I32* b = reinterpret_cast<const I32*>(job.b) + b_group * job.words;
  const std::int32_t* a_exponents = job.a_exponents + a_group;
  const I32* b_exponents = reinterpret_cast<const I32*>(job.b_exponents) + b_group;
  const std::int32_t* a_nonzero = job.a_nonzero + a_group;
  const I32* b_nonzero = reinterpret_cast<const I32*>(job.b_nonzero) + b_group;
  const double* a_scales = job.a_scales + a_group;
  const F64* b_scales = reinterpret_cast<const F64*>(job.b_scales) + 2 * b_group;

  const I32 out_of_range = state.exponent > exponent_limit;
  const Pair<F64> held = in_range(state.accumulator, out_of_range);
  I32 largest = out_of_range ? I32{} + zero_operand : state.exponent;
  I32 sums[most_groups];
  for (std::int64_t g = 0; g < count; ++g) {
    I32 sum{};
    for (std::int64_t w = 0; w < job.words; ++w) sum += multiply_add_pairs(b[g * job.words + w], I32{} + a[g * job.words + w]);
    sums[g] = sum;
    const I32 nonzero = (b_nonzero[g] & a_nonzero[g]) != 0;
    largest = larger(largest, nonzero ? b_exponents[g] + a_exponents[g] : I32{} + job.zero_operand_exponent);
  }
  largest = larger(largest, I32{} - 2 * exponent_limit);  // where all are zeros

  const Pair<I64> shift = widen(job.fraction_bits - largest);
  const Pair<F64> align{power_of_two(shift.low), power_of_two(shift.high)};
  IssueSum total{};
  Pair<I64> far{};
  add_part<floors>(Pair<F64>{held.low * align.low, held.high * align.high}, total, far);
  for (std::int64_t g = 0; g < count; ++g) {
    const Pair<F64> sum = to_double(sums[g]);
    // A group of zeros may have any scale: it is multiplied by that first.
    const F64 low = sum.low * (b_scales[2 * g] * a_scales[g]);
    const F64 high = sum.high * (b_scales[2 * g + 1] * a_scales[g]);
    add_part<floors>(Pair<F64>{low * align.low, high * align.high}, total, far);
  }
  const I32 b_odd = reinterpret_cast<const I32*>(job.b_odd)[panel * job.issues + issue];
  settle(job, row, panel, issue, largest, total, narrow(far) | b_odd | job.a_odd[row * job.issues + issue] | out_of_range, state);
}

template <bool floors>
void run_groups(FusedJob& job) {
  run_rows(job, [](FusedJob& j, std::int64_t row, std::int64_t panel, std::int64_t issue, FusedState& state) {
    one_scaled_issue<floors>(j, row, panel, issue, state);
  });
}

void run_scaled(FusedJob& job) {
  if (job.floors) run_groups<true>(job);
  else run_groups<false>(job);
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
