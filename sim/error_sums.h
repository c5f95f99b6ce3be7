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

/// The same in real units, each number rounded once to binary64. `error` and what follows it mean nothing where a number that they are made
/// of is not finite.
struct RoundedOutput {
  double y = 0;             ///< shift not undone
  double comparable_y = 0;  ///< shift undone
  double reference = 0, signal = 0;
  double error = 0;  ///< comparable y - reference
  double ulps = 0;   ///< the error over the spacing
  double quantization_noise = 0, total_noise = 0;
};

class ErrorSums {
 public:
  /// `signal_is_reference`: the signal of every output is its reference (nothing is quantized), so that it is not summed apart.
  explicit ErrorSums(bool signal_is_reference = false) : signal_is_reference_(signal_is_reference) {}

  /// Adds one output and returns it rounded.
  RoundedOutput add(const OutputValues& output);
  void add(const RoundedOutput& output);
  void merge(const ErrorSums& other);
  /// The rows of the groups error, quantization and total, and range.max_abs_output, in the order of statistic_rows().
  [[nodiscard]] StatisticValue error_statistic(std::string_view name) const;
  [[nodiscard]] StatisticValue sqnr_db() const;
  [[nodiscard]] StatisticValue total_sndr_db() const;

 private:
  friend class OutputBatch;
  void add(const RoundedOutput& output, bool y_is_finite, bool reference_is_finite, bool signal_is_finite);

  bool signal_is_reference_;
  Moments lone_reference_;                            // of outputs where only the reference is finite; used with signal_is_reference_
  Moments error_, reference_;                         // outputs where y and reference are finite
  ExactSum y_squares_, y_reference_;                  // the same outputs
  Moments quantization_noise_, quantization_signal_;  // reference and signal finite
  Moments total_noise_, total_signal_;                // y and signal finite
  double max_abs_ = 0, max_ulp_ = 0;
};

}  // namespace accsim::sim
