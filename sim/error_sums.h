// The error statistics of a layer: exact sums over its outputs, merged in any order with the same result.
#pragma once

#include <vector>

#include "sim/exact_sum.h"
#include "sim/statistics.h"

namespace accsim::sim {

/// One output, as the statistics need it.
struct OutputValues {
  formats::Exact y;          ///< the datapath's result, before scales
  formats::Exact sum;        ///< the exact sum of the exact products, before scales
  formats::Exact scale;      ///< what both are multiplied by to be in real units; not zero
  formats::Exact bias;       ///< real units: what the accumulator started with, unrounded; +0 without
  formats::Exact signal;     ///< real units: the exact result of the unquantized operands, bias included
  int shift = 0;             ///< y is the sum divided by 2^shift; errors are measured with that undone
  int spacing_exponent = 0;  ///< of the last format at the reference, before scales, shift undone
};

/// Both in real units, rounded once to binary64.
struct RealOutput {
  double y = 0, reference = 0;
};

class ErrorSums {
 public:
  /// Adds one output and returns what result files keep of it.
  RealOutput add(const OutputValues& output);
  void merge(const ErrorSums& other);
  /// The rows of the groups error, quantization and total, and range.max_abs_output, in the order of statistic_rows().
  [[nodiscard]] StatisticValue error_statistic(std::string_view name) const;
  [[nodiscard]] StatisticValue sqnr_db() const;
  [[nodiscard]] StatisticValue total_sndr_db() const;

 private:
  Moments error_, reference_;                         // outputs where y and reference are finite
  ExactSum y_squares_, y_reference_;                  // the same outputs
  Moments quantization_noise_, quantization_signal_;  // reference and signal finite
  Moments total_noise_, total_signal_;                // y and signal finite
  double max_abs_ = 0, max_ulp_ = 0;
};

}  // namespace accsim::sim
