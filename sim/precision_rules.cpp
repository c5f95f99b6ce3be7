#include "sim/precision_rules.h"

#include <algorithm>
#include <cmath>

#include "formats/error.h"

namespace accsim::sim {
namespace {

double tail(double x) { return 0.5 * std::erfc(x / std::sqrt(2.0)); }

/// sum over j = 1..top of 2^j (2^j - 1)(2^(j+1) - 1), times 2^(m - 3 m_p) / 3
double swamping_length(int m, int m_p, int top) {
  double sum = 0;
  for (int j = 1; j <= top; ++j) sum += std::ldexp(1.0, j) * (std::ldexp(1.0, j) - 1) * (std::ldexp(1.0, j + 1) - 1);
  return std::ldexp(sum, m - 3 * m_p) / 3;
}

}  // namespace

double FixedPoint::range() const { return std::ldexp(1.0, range_exponent); }
double FixedPoint::step() const { return std::ldexp(1.0, step_exponent()); }
std::string FixedPoint::spelling() const { return (is_signed ? "s" : "u") + std::to_string(bits) + "." + std::to_string(-step_exponent()); }

RoleQuantizer fixed_point_quantizer(const FixedPoint& format, bool clamp_below) {
  RoleQuantizer q;
  FixedPoint held = format;
  if (format.is_signed && !clamp_below) {
    constexpr int room = 40;  // bits above the range, for what passes below it
    held.range_exponent += room;
    held.bits += room;
    q.clamp_high = format.range() - format.step();
  }
  if (format.bits < 1) throw InputError("assigned format", std::to_string(format.bits) + " bits", "at least 1");
  q.operand.format = formats::parse_format(held.spelling());
  q.operand.rounding.mode = formats::Rounding::rna;
  q.operand.rounding.overflow = formats::Overflow::saturate;
  return q;
}

int floor_log2(double x) {
  int exponent = 0;
  std::frexp(x, &exponent);
  return exponent - 1;
}

int ceil_log2(double x) {
  int exponent = 0;
  return std::frexp(x, &exponent) == 0.5 ? exponent - 1 : exponent;
}

std::vector<int> feedforward_offsets(std::span<const double> gains, double smallest) {
  std::vector<int> offsets;
  for (const double gain : gains) offsets.push_back(static_cast<int>(std::nearbyint(0.5 * std::log2(gain / smallest))));
  return offsets;
}

std::vector<double> moving_average(std::span<const double> variances, double momentum) {
  std::vector<double> averages;
  for (const double v : variances) averages.push_back(averages.empty() ? v : momentum * averages.back() + (1 - momentum) * v);
  return averages;
}

int gradient_range_exponent(double largest_variance, double factor) {
  return ceil_log2(factor * (std::sqrt(largest_variance) / std::sqrt(0.1)));
}

int weight_gradient_step_exponent(double least_variance) { return floor_log2(std::sqrt(least_variance) / 4); }

int activation_gradient_step_exponent(int weight_gradient_step_exponent, double lambda_max) {
  return floor_log2(std::ldexp(1.0, weight_gradient_step_exponent) / std::sqrt(lambda_max));
}

FixedPoint gradient_format(int range_exponent, int step_exponent) {
  return {.is_signed = true, .range_exponent = range_exponent, .bits = range_exponent - step_exponent + 1};
}

FixedPoint weight_accumulator(const FixedPoint& weight, const FixedPoint& weight_gradient, double learning_rate) {
  return gradient_format(weight.step_exponent() - 1, floor_log2(learning_rate) + weight_gradient.step_exponent());
}

double variance_retention(int m, int m_p, double n) {
  const double alpha = swamping_length(m, m_p, m_p);
  const double high = std::ldexp(1.0, m);
  double weighted = 0, normalization = 0;
  for (std::int64_t i = 2; static_cast<double>(i) < n; ++i) {
    const auto length = static_cast<double>(i);
    if (length <= alpha) continue;
    const double q = 2 * tail(high / std::sqrt(length)) * (1 - 2 * tail(high / std::sqrt(length - 1)));
    normalization += q;
    weighted += (length - alpha) * q;
  }
  for (int r = 2; r <= m_p; ++r) {
    const double alpha_r = swamping_length(m, m_p, r - 1);
    if (n <= alpha_r) continue;
    const double steps = std::ldexp(1.0, m - m_p + r - 1);
    const double q = steps * 2 * tail(steps / std::sqrt(n)) * (1 - 2 * tail(2 * steps / std::sqrt(n)));
    normalization += q;
    weighted += (n - alpha_r) * q;
  }
  const double none = 1 - 2 * tail(std::ldexp(1.0, m - m_p + 1) / std::sqrt(n));
  return (weighted + n * none) / ((normalization + none) * n);
}

double chunked_variance_retention(int m, int m_p, double n, double chunk) {
  const int between = std::min(m, m_p + static_cast<int>(std::log2(chunk)));
  return variance_retention(m, m_p, chunk) * variance_retention(m, between, n / chunk);
}

int retained_fraction_bits(int m_p, double n, double chunk) {
  constexpr int most = 64;
  for (int m = 1; m < most; ++m) {
    const double ratio = chunk > 1 ? chunked_variance_retention(m, m_p, n, chunk) : variance_retention(m, m_p, n);
    if (n * (1 - ratio) < std::log(50.0)) return m;
  }
  return most;
}

}  // namespace accsim::sim
