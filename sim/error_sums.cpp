#include "sim/error_sums.h"

#include <algorithm>
#include <cmath>

namespace accsim::sim {
namespace {

using formats::Exact;

/// 10 log10(signal / noise): an infinity where one of them is zero, undefined where both are. The ratio is taken exactly, so
/// that powers beyond binary64's range still have one.
StatisticValue decibels(const Exact& signal, const Exact& noise) {
  if (!signal.is_finite() || !noise.is_finite() || (signal.is_zero() && noise.is_zero())) return std::monostate{};
  if (noise.is_zero()) return HUGE_VAL;
  if (signal.is_zero()) return -HUGE_VAL;
  const Exact ratio = quotient_with_sticky(signal, noise, 128);
  const int exponent = log2_floor(ratio);
  return 10 * (std::log10(to_double(scaled(ratio, -exponent))) + exponent * std::log10(2.0));
}

StatisticValue decibels(const Moments& signal, const Moments& noise) {
  if (noise.count == 0) return std::monostate{};
  return decibels(signal.variance(), noise.mean_square());
}

/// The square root, also of what lies beyond binary64's range.
double square_root(const Exact& x) {
  if (!x.is_nonzero_finite()) return to_double(x);
  const int half = log2_floor(x) / 2;
  return std::ldexp(std::sqrt(to_double(scaled(x, -2 * half))), half);
}

Exact difference(const Exact& a, const Exact& b) { return formats::sum(a, negated(b)); }

}  // namespace

RoundedOutput ErrorSums::add(const OutputValues& output) {
  const Exact real_y = product(output.y, output.scale);
  const Exact comparable_y = scaled(real_y, output.shift);
  const Exact real_reference = formats::sum(product(output.sum, output.scale), output.bias);
  const Exact error = difference(comparable_y, real_reference);
  RoundedOutput rounded{.y = to_double(real_y),
                        .comparable_y = to_double(comparable_y),
                        .reference = to_double(real_reference),
                        .signal = to_double(output.signal),
                        .error = to_double(error),
                        .quantization_noise = to_double(difference(real_reference, output.signal)),
                        .total_noise = to_double(difference(comparable_y, output.signal))};
  if (error.is_finite()) rounded.ulps = to_double(quotient_with_sticky(error, scaled(output.scale, output.spacing_exponent), 128));
  // What is finite may still round to an infinity: what counts is whether it is.
  add(rounded, output.y.is_finite(), real_reference.is_finite(), output.signal.is_finite());
  return rounded;
}

void ErrorSums::add(const RoundedOutput& output) {
  add(output, std::isfinite(output.y), std::isfinite(output.reference), std::isfinite(output.signal));
}

void ErrorSums::add(const RoundedOutput& output, bool y_is_finite, bool reference_is_finite, bool signal_is_finite) {
  if (y_is_finite && reference_is_finite) {
    error_.add(output.error);
    reference_.add(output.reference);
    y_squares_.add_product(output.comparable_y, output.comparable_y);
    y_reference_.add_product(output.comparable_y, output.reference);
    max_abs_ = std::max(max_abs_, std::fabs(output.error));
    max_ulp_ = std::max(max_ulp_, std::fabs(output.ulps));
  }
  if (signal_is_reference_) {
    if (!y_is_finite && reference_is_finite) lone_reference_.add(output.reference);
    return;
  }
  if (!signal_is_finite) return;
  if (reference_is_finite) {
    quantization_noise_.add(output.quantization_noise);
    quantization_signal_.add(output.signal);
  }
  if (y_is_finite) {
    total_noise_.add(output.total_noise);
    total_signal_.add(output.signal);
  }
}

void ErrorSums::merge(const ErrorSums& other) {
  lone_reference_.merge(other.lone_reference_);
  error_.merge(other.error_);
  reference_.merge(other.reference_);
  y_squares_.merge(other.y_squares_);
  y_reference_.merge(other.y_reference_);
  quantization_noise_.merge(other.quantization_noise_);
  quantization_signal_.merge(other.quantization_signal_);
  total_noise_.merge(other.total_noise_);
  total_signal_.merge(other.total_signal_);
  max_abs_ = std::max(max_abs_, other.max_abs_);
  max_ulp_ = std::max(max_ulp_, other.max_ulp_);
}

StatisticValue ErrorSums::error_statistic(std::string_view name) const {
  if (error_.count == 0) return std::monostate{};
  if (name == "sndr_db") return decibels(reference_, error_);
  if (name == "snr_power_db") return decibels(reference_.mean_square(), error_.mean_square());
  if (name == "csnr_db") return decibels(reference_.variance(), error_.variance());
  if (name == "bias") return to_double(error_.mean());
  if (name == "mse") return to_double(error_.mean_square());
  if (name == "rmse") return square_root(error_.mean_square());
  if (name == "max_abs") return max_abs_;
  if (name == "max_ulp") return max_ulp_;
  if (name == "cosine") {
    const Exact power = product(y_squares_.value(), reference_.squares.value());
    const Exact dot = y_reference_.value();
    if (power.is_zero() || !power.is_finite()) return std::monostate{};
    const double cosine = square_root(quotient_with_sticky(product(dot, dot), power, 128));
    return dot.negative ? -cosine : cosine;
  }
  return std::monostate{};
}

StatisticValue ErrorSums::sqnr_db() const {
  if (!signal_is_reference_) return decibels(quantization_signal_, quantization_noise_);
  Moments signal = reference_;
  signal.merge(lone_reference_);
  Moments noise;  // of zeros
  noise.count = signal.count;
  return decibels(signal, noise);
}

StatisticValue ErrorSums::total_sndr_db() const {
  return signal_is_reference_ ? decibels(reference_, error_) : decibels(total_signal_, total_noise_);
}

}  // namespace accsim::sim
