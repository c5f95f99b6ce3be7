// Which fixed-point precision every tensor of training needs (Sakr and Shanbhag, ICLR 2019, arXiv 1812.11732), and how many bits an
// accumulator (Sakr et al., ICLR 2019, arXiv 1901.06588). Pure functions; the numbers of formulas F2 to F6 are those of the authors' code,
// charbel-sakr/Fixed-Point-Training c45002c.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sim/recipe.h"

namespace accsim::sim {

/// Fixed point over [-r, r), or [0, r) where unsigned, r = 2^range_exponent.
struct FixedPoint {
  bool is_signed = true;
  int range_exponent = 0;
  int bits = 0;  ///< the sign's among them

  [[nodiscard]] int step_exponent() const { return range_exponent + (is_signed ? 1 : 0) - bits; }
  [[nodiscard]] double range() const;
  [[nodiscard]] double step() const;
  /// The format's name: sB.F or uB.F.
  [[nodiscard]] std::string spelling() const;
  /// The same range with one bit less.
  [[nodiscard]] FixedPoint one_bit_less() const { return {is_signed, range_exponent, bits - 1}; }
  bool operator==(const FixedPoint&) const = default;
};

/// To nearest, ties away from zero, saturating. `clamp_below` false: values below -r pass, rounded, as in the authors' code. InputError
/// where the format would have no bit, or more than 128.
RoleQuantizer fixed_point_quantizer(const FixedPoint& format, bool clamp_below);

/// floor and ceil of log2 x, exact; x finite and positive.
int floor_log2(double x);
int ceil_log2(double x);

/// F2: round(log2 sqrt(E / E_min)), half to even, of every noise gain (equal feedforward quantization noise). `smallest`: E_min, over all
/// weight and activation tensors. All positive.
std::vector<int> feedforward_offsets(std::span<const double> gains, double smallest);

/// The moving average of a variance over the steps: v_0, then momentum * v + (1 - momentum) * v_t.
std::vector<double> moving_average(std::span<const double> variances, double momentum);

/// F3: r = 2^ceil(log2(factor * sigma_max / sqrt(0.1))), sigma_max^2 the largest averaged variance; factor 2 for weight gradients, 8 for
/// activation gradients. The exponent of r. `largest_variance` positive.
int gradient_range_exponent(double largest_variance, double factor);
/// F4: exponent of the weight gradient's step, floor(log2(sigma_min / 4)).
int weight_gradient_step_exponent(double least_variance);
/// F5: exponent of the activation gradient's step, floor(log2(step / sqrt(lambda_max))).
int activation_gradient_step_exponent(int weight_gradient_step_exponent, double lambda_max);
/// A signed format of range 2^range_exponent and this step: log2(r / step) + 1 bits.
FixedPoint gradient_format(int range_exponent, int step_exponent);
/// F6: the weight accumulator below a weight: range half a step of the weight, step 2^floor(log2(learning_rate * step of the weight
/// gradient)). Fewer than one bit: the weight itself holds every update.
FixedPoint weight_accumulator(const FixedPoint& weight, const FixedPoint& weight_gradient, double learning_rate);

/// Variance retention ratio of a sum of n terms, product fraction bits m_p, accumulator fraction bits m. The formula as recalled, not
/// checked against the paper: label what comes of it. n >= 1.
double variance_retention(int m, int m_p, double n);
/// The same with chunks of `chunk` terms: within chunks, times between them.
double chunked_variance_retention(int m, int m_p, double n, double chunk);
/// The least m with exp(n (1 - VRR)) < 50. chunk 1: no chunks.
int retained_fraction_bits(int m_p, double n, double chunk);

}  // namespace accsim::sim
