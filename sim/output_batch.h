// Finite outputs on their way into the error sums, many at a time.
#pragma once

#include <algorithm>
#include <cmath>

#include "sim/error_sums.h"
#include "sim/kernels/batch_sums.h"

namespace accsim::sim {

/// Collects outputs whose numbers are all finite and adds them to error sums in batches; the sums are those of adding each.
class OutputBatch {
 public:
  explicit OutputBatch(bool signal_is_reference);
  /// Null: outputs are not batched.
  [[nodiscard]] const kernels::BatchLanes* lanes() const { return lanes_; }
  void add(const RoundedOutput& output, ErrorSums& sums) {
    if (lanes_ == nullptr) return sums.add(output);
    error_[count_] = output.error;
    reference_[count_] = output.reference;
    y_[count_] = output.comparable_y;
    if (!signal_is_reference_) {
      signal_[count_] = output.signal;
      quantization_noise_[count_] = output.quantization_noise;
      total_noise_[count_] = output.total_noise;
    }
    max_abs_ = std::max(max_abs_, std::fabs(output.error));
    max_ulp_ = std::max(max_ulp_, std::fabs(output.ulps));
    if (++count_ == kernels::batch_size) flush(sums);
  }
  /// Adds outputs first..first+n of a row.
  void add(const kernels::RoundedRow& row, std::int64_t first, std::int64_t n, ErrorSums& sums);
  /// Adds what is collected.
  void flush(ErrorSums& sums);

 private:
  struct alignas(64) Numbers {
    double values[kernels::batch_size];
    double& operator[](std::int64_t i) { return values[i]; }
  };
  [[nodiscard]] bool in_reach(const Numbers& numbers) const;
  void add_sum(const Numbers& numbers, ExactSum& sum);
  void add_products(const Numbers& a, const Numbers& b, ExactSum& sum);
  void add_moments(const Numbers& numbers, Moments& moments);
  void one_by_one(ErrorSums& sums);

  const kernels::BatchLanes* lanes_;
  bool signal_is_reference_;
  std::int64_t count_ = 0;
  double max_abs_ = 0, max_ulp_ = 0;
  Numbers error_, reference_, y_, signal_, quantization_noise_, total_noise_, work_, low_;
};

}  // namespace accsim::sim
