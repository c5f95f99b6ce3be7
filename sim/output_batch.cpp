#include "sim/output_batch.h"

#include <algorithm>
#include <cmath>

namespace accsim::sim {

OutputBatch::OutputBatch(bool signal_is_reference) : lanes_(kernels::batch_lanes()), signal_is_reference_(signal_is_reference) {}

/// Magnitudes whose squares and products, to their last bits, are normal numbers far from the ends of binary64.
bool OutputBatch::in_reach(const Numbers& numbers) const { return lanes_->in_reach(numbers.values, count_); }

void OutputBatch::add(const kernels::RoundedRow& row, std::int64_t first, std::int64_t n, ErrorSums& sums) {
  max_ulp_ = std::max(max_ulp_, row.max_ulp);  // before a flush that takes it along
  for (std::int64_t end = first + n; first < end;) {
    const std::int64_t part = std::min(end - first, kernels::batch_size - count_);
    const auto put = [&](const double* from, Numbers& to) { std::copy_n(from + first, part, to.values + count_); };
    put(row.error, error_);
    put(row.reference, reference_);
    put(row.y, y_);
    if (!signal_is_reference_) {
      put(row.signal, signal_);
      put(row.quantization_noise, quantization_noise_);
      put(row.total_noise, total_noise_);
    }
    for (std::int64_t i = first; i < first + part; ++i) max_abs_ = std::max(max_abs_, std::fabs(row.error[i]));
    count_ += part;
    first += part;
    if (count_ == kernels::batch_size) flush(sums);
  }
}

void OutputBatch::add_sum(const Numbers& numbers, ExactSum& sum) {
  std::copy_n(numbers.values, kernels::batch_size, work_.values);
  double parts[kernels::batch_parts];
  const int count = lanes_->parts(work_.values, parts);
  for (int i = 0; i < count; ++i) sum.add(parts[i]);
}

void OutputBatch::add_products(const Numbers& a, const Numbers& b, ExactSum& sum) {
  lanes_->products(a.values, b.values, work_.values, low_.values);
  double parts[kernels::batch_parts];
  int count = lanes_->parts(work_.values, parts);
  for (int i = 0; i < count; ++i) sum.add(parts[i]);
  count = lanes_->parts(low_.values, parts);
  for (int i = 0; i < count; ++i) sum.add(parts[i]);
}

void OutputBatch::add_moments(const Numbers& numbers, Moments& moments) {
  moments.count += count_;
  add_sum(numbers, moments.sum);
  add_products(numbers, numbers, moments.squares);
}

void OutputBatch::one_by_one(ErrorSums& sums) {
  for (std::int64_t i = 0; i < count_; ++i) {
    sums.add(RoundedOutput{.y = y_[i],
                           .comparable_y = y_[i],
                           .reference = reference_[i],
                           .signal = signal_is_reference_ ? 0.0 : signal_[i],
                           .error = error_[i],
                           .quantization_noise = signal_is_reference_ ? 0.0 : quantization_noise_[i],
                           .total_noise = signal_is_reference_ ? 0.0 : total_noise_[i]});
  }
}

void OutputBatch::flush(ErrorSums& sums) {
  if (count_ == 0) return;
  const bool reachable = in_reach(error_) && in_reach(reference_) && in_reach(y_) &&
                         (signal_is_reference_ || (in_reach(signal_) && in_reach(quantization_noise_) && in_reach(total_noise_)));
  if (count_ < 32 || !reachable) {
    one_by_one(sums);
  } else {
    const auto pad = [this](Numbers& numbers) { std::fill(numbers.values + count_, numbers.values + kernels::batch_size, 0.0); };
    for (Numbers* numbers : {&error_, &reference_, &y_}) pad(*numbers);
    add_moments(error_, sums.error_);
    add_moments(reference_, sums.reference_);
    add_products(y_, y_, sums.y_squares_);
    add_products(y_, reference_, sums.y_reference_);
    if (!signal_is_reference_) {
      for (Numbers* numbers : {&signal_, &quantization_noise_, &total_noise_}) pad(*numbers);
      Moments signal;
      add_moments(signal_, signal);
      sums.quantization_signal_.merge(signal);
      sums.total_signal_.merge(signal);
      add_moments(quantization_noise_, sums.quantization_noise_);
      add_moments(total_noise_, sums.total_noise_);
    }
  }
  sums.max_abs_ = std::max(sums.max_abs_, max_abs_);
  sums.max_ulp_ = std::max(sums.max_ulp_, max_ulp_);
  count_ = 0;
  max_abs_ = max_ulp_ = 0;
}

}  // namespace accsim::sim
