// What the fused-sum kernel's proof hands to its lanes: plain data.
#pragma once

#include "sim/kernels/issue_outcome.h"

namespace accsim::sim::kernels {

/// Exponent of a zero operand: no sum of it with another reaches that of a nonzero product.
constexpr std::int32_t zero_operand = -(1 << 20);
/// Of products and accumulators that are not zero, exponents lie well inside +/- this.
constexpr std::int32_t exponent_limit = 400;
/// Subsets of an issue of staged sums.
constexpr int most_subsets = 8;
/// Groups of an issue of scaled sums.
constexpr int most_groups = 16;

/// A tile in lanes of 32 bits. An operand is significand * 2^(exponent - fraction bits), with a subnormal's exponent that of the smallest
/// normal, and in a block format that of the scale added; significands are shifted left so that products have `fraction_bits - base`
/// fraction bits. Columns stand in panels.
struct FusedJob {
  std::int64_t rows = 0, panels = 0, k = 0;
  std::int64_t issue = 0;             ///< terms of one issue
  std::int64_t issues_in_sum = 0;     ///< issues before the sum is handed up
  std::int64_t issues = 0, sums = 0;  ///< of an output
  std::int64_t flush = 0;             ///< products whose sums, and what is cut off them, fit 32 bits
  int window = 0;                     ///< bits below the last place kept that are held of what is cut off
  const std::int32_t* a = nullptr;    ///< rows x k: significands in the low 16 bits
  const std::int32_t* b = nullptr;    ///< panels x k x lanes: the same
  const std::int32_t* a_exponents = nullptr;
  const std::int32_t* b_exponents = nullptr;
  const std::int32_t* a_least = nullptr;  ///< rows x issues: the smallest exponent of a nonzero operand
  const std::int32_t* b_least = nullptr;  ///< panels x issues x lanes
  const std::int32_t* a_odd = nullptr;    ///< rows x issues: all ones where an operand is not finite
  const std::int32_t* b_odd = nullptr;
  const double* initial = nullptr;  ///< rows x (panels * lanes), or none

  // Scaled sums: a and b hold groups, pairs of elements as whole numbers in 16 bits each; exponents are those of a group's scales.
  std::int64_t groups = 0;                  ///< of a line
  std::int64_t groups_in_issue = 0;         ///< at most most_groups
  std::int64_t words = 0;                   ///< of a group
  const std::int32_t* a_nonzero = nullptr;  ///< rows x groups: bit t where value t of the group is not zero
  const std::int32_t* b_nonzero = nullptr;  ///< panels x groups x lanes
  const double* a_scales = nullptr;         ///< rows x groups: times the elements' unit; 0 for a group of zeros
  const double* b_scales = nullptr;         ///< panels x groups x lanes

  // Staged sums. What is cut off a subset's products is a whole number of 2^-window of the last place kept.
  int subsets = 1;
  int product_zeros = 0;  ///< last bits of every product that are not set
  int sum_fraction_bits = 0;
  int result_cut = 0;        ///< last bits of binary64 that the total loses
  bool join_floors = false;  ///< join_align = rd
  bool drop_far_accumulator = false;
  std::int32_t most_product_exponent = 1 << 20;  ///< products with a larger one may be beyond [product] range

  int fraction_bits = 0;  ///< of the level
  int base = 0;           ///< fraction bits of a product beyond those
  bool floors = false;    ///< align = rd
  bool zeros_count = false;
  std::int32_t zero_exponent = 0;
  std::int32_t zero_operand_exponent = zero_operand;  ///< and of a zero accumulator; in scaled sums of a group of zeros
  int accumulator_emin = 0;
  int precision = 0;  ///< that sums are rounded to
  bool to_nearest = false;
  std::int64_t min_normal = 0, max_finite = 0;  ///< of the format, as bits of binary64

  SlowIssue slow = nullptr;
  void* context = nullptr;

  double* values = nullptr;    ///< sums x rows x (panels * lanes)
  char* overflowed = nullptr;  ///< rows x (panels * lanes)
  std::int64_t columns = 0;    ///< that are not padding
  IssueCounts counts;
};

struct FusedLanes {
  int lanes;
  void (*run)(FusedJob& job);
  void (*run_scaled)(FusedJob& job);
  void (*run_staged)(FusedJob& job);
};
const FusedLanes& fused_lanes_baseline();
const FusedLanes& fused_lanes_avx2();
const FusedLanes& fused_lanes_avx512();

}  // namespace accsim::sim::kernels
