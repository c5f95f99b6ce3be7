// The proof, with the words of kernel_fused_sum.cpp and F, S, R for fraction_bits, sum_fraction_bits and result_fraction_bits.
// - Subset i's products are aligned to their own largest exponent Ei and cut: integers of the unit 2^(Ei - F), whose sums, and those of all
//   subsets, fit 32 bits (`too_wide_for_stages`). Every product ends with `product_zeros` zeros, so that one not more than window +
//   product_zeros bits lower is a multiple of that unit times 2^-window; lanes with a lower one that is not zero are the interpreter's. The
//   sum of a subset's uncut products is then known modulo 2^32 in those parts. What n cuts take off is below n units, and n * 2^window at
//   most 2^31, so that the difference from the cut sum gives it exactly.
// - The sums are joined at the largest exponent of the subsets, D, with shifts of 32-bit integers, which by more than 31 leave what 31
//   leaves. The joined sum is cut at E - S, E the larger of D and the accumulator's exponent, likewise.
// - The accumulator times 2^(F - E) is below 2^(F + 1), and cut to a whole number in binary64. The total is a multiple of
//   2^(E - max(F, S)) below 2^(E + 31 - F) + 2^(E + 1), which binary64 holds exactly (`unknown_to_staged_sums`). Cutting it R below its own
//   exponent is a mask of its bits, with a carry where it is cut down and negative; below the smallest normal it is the interpreter's.
// - Inexact: the uncut products of each subset, of all subsets, and the accumulator are added in binary64. That a sum x + y is exact shows
//   in (sum - x == y) and (sum - y == x): with |x| >= |y| sum - x is exact (Dekker), so it is y only where sum is. Where the products'
//   uncut sum is not held the lane is the interpreter's. Where the last sum is not, it needs more than 53 bits, so it is not what was
//   delivered.
// - Products beyond [product] range are infinities. One whose exponent is e is below 2^(e + 2), in block formats up to two binades higher:
//   lanes in which that may be beyond the range are the interpreter's.
#include "sim/kernels/staged_sum_plan.h"

#include <algorithm>

namespace accsim::sim::kernels {

std::string unknown_to_staged_sums(const Datapath& datapath) {
  const Level& level = datapath.levels.front();
  const int last = std::max(level.fraction_bits, level.sum_fraction_bits);
  const int first = std::max(31 - level.fraction_bits, 1) + 1;  // of the total, above the largest exponent
  if (first + last > 53) return "sums that need more than 53 bits";
  if (level.zero_exponent) return "a zero_exponent in fused_sum and scaled_sum only";
  if (level.subsets > most_subsets) return "at most " + std::to_string(most_subsets) + " subsets";
  if (datapath.product.range && !formats::limits(*datapath.product.range).is_signed) return "a range of products without negative ones";
  return {};
}

std::string too_wide_for_stages(const Level& level, std::int64_t issue, const Shifts& shifts, SignificandBits a, SignificandBits b) {
  // Every cut may leave one more than what it cuts.
  const std::int64_t largest = (1LL << 31) - 1 - level.subsets;
  return largest_product(shifts, a, b) > largest / issue ? "issues whose products need more than 32 bits" : "";
}

void plan_stages(const Datapath& datapath, const Shifts& shifts, SignificandBits a, SignificandBits b, FusedJob& job) {
  const Level& level = datapath.levels.front();
  job.subsets = level.subsets;
  job.product_zeros = shifts.a + shifts.b;
  job.sum_fraction_bits = level.sum_fraction_bits;
  job.result_cut = std::max(52 - level.result_fraction_bits.value_or(52), 0);
  job.join_floors = level.join_align == Align::rd;
  job.drop_far_accumulator = level.drop_far_accumulator;
  job.window = std::min(31 - log2_ceil((job.issue + level.subsets - 1) / level.subsets), 30);
  if (datapath.product.range)
    job.most_product_exponent = log2_floor(formats::limits(*datapath.product.range).max_finite) - 2 - a.above - b.above;
  const std::int64_t held_normal = std::int64_t{job.accumulator_emin + 1023} << 52;
  job.min_normal = std::max(job.min_normal, held_normal);
}

}  // namespace accsim::sim::kernels
