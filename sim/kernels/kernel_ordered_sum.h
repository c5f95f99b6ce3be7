// What the ordered-sum kernel's proof hands to its lanes: plain data.
#pragma once

#include <cstdint>

#include "sim/kernels/issue_outcome.h"

namespace accsim::sim::kernels {

/// The most products of one issue.
constexpr int most_ordered_terms = 4;

/// Roundings of a magnitude; `down` is `up` of negated addends.
enum class OrderedRounding { to_even, to_away, truncate, up, to_odd };

/// Where an addend without a sticky bit is cut to.
enum class OrderedCut { toward_zero, up, down };

/// A tile in lanes of binary64. `powers` are those of two that an operand's exponent stands for, so that their product is the place of a
/// product's first bit; of a zero operand 0. Columns stand in panels.
struct OrderedJob {
  std::int64_t rows = 0, panels = 0, k = 0;
  std::int64_t issue = 0;             ///< terms of one issue
  std::int64_t issues_in_sum = 0;     ///< issues before the sum is handed up
  std::int64_t issues = 0, sums = 0;  ///< of an output
  const double* a = nullptr;          ///< rows x k
  const double* a_powers = nullptr;
  const double* b = nullptr;  ///< panels x k x lanes, negated where `negated`
  const double* b_powers = nullptr;
  const double* initial = nullptr;  ///< rows x (panels * lanes), or none
  bool negated = false;             ///< products and accumulators are negated, and so are the sums before they are handed up

  int fraction_bits[most_ordered_terms] = {};  ///< of each addition
  double common_anchor = 0;          ///< times the largest power: adding and subtracting it leaves addends as they are that are never cut
  bool odd_rest_is_inexact = false;  ///< where what was cut off is no binary64, the result cannot be exact
  bool sticky = true;
  OrderedCut cut = OrderedCut::toward_zero;
  int forget_sticky_below = -1;  ///< or never
  bool foresees_sign = false;
  double accumulator_min = 0;  ///< 2^emin of the format that holds the accumulator

  OrderedRounding rounding = OrderedRounding::to_even;
  double least_power = 0;     ///< below it the spacing does not shrink
  double spacing = 0;         ///< 2^(1 - precision)
  bool flush = false;         ///< numbers below the smallest normal become zero
  bool tiny_matters = false;  ///< whatever lies below the smallest normal has to be looked at
  double min_normal = 0, smallest = 0, max_finite = 0;
  double overflow_positive = 0, overflow_negative = 0;  ///< magnitudes that sums beyond it have
  bool overflow_is_odd = false;                         ///< the interpreter says what they have
  bool keeps_nonfinite = false;                         ///< an infinite accumulator and a NaN stay what they are

  SlowIssue slow = nullptr;
  void* context = nullptr;

  double* values = nullptr;    ///< sums x rows x (panels * lanes)
  char* overflowed = nullptr;  ///< rows x (panels * lanes)
  std::int64_t columns = 0;    ///< that are not padding
  IssueCounts counts;
};

struct OrderedLanes {
  int lanes;
  void (*run)(OrderedJob& job);
};
const OrderedLanes& ordered_lanes_baseline();
const OrderedLanes& ordered_lanes_avx2();
const OrderedLanes& ordered_lanes_avx512();

}  // namespace accsim::sim::kernels
