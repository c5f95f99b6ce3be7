// Precision assignment: the published CIFAR-10 ResNet of Sakr and Shanbhag (numbers of the authors' code), hand derivations, and the
// accumulator widths of the recalled variance retention formula.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "sim/precision_rules.h"
#include "sim/recipe_quantize.h"

using namespace accsim::sim;

namespace {

const std::vector<double> activation_gains = {5.14728904e-01, 1.28971756e-01, 1.12113886e-01, 7.31080845e-02, 8.97526741e-02,
                                              7.69944191e-02, 8.39371309e-02, 6.37812391e-02, 1.92214891e-01, 1.54414907e-01,
                                              1.32652089e-01, 1.12686194e-01, 8.50616097e-02, 6.56613559e-02, 1.28648296e-01,
                                              6.50851801e-02, 2.15582941e-02, 4.79985727e-03, 7.82166724e-04};
const std::vector<double> weight_gains = {2.40889087e+03, 9.80265381e+02, 1.22257690e+03, 1.62437598e+03, 1.51966980e+03, 3.04983301e+03,
                                          1.46590723e+03, 2.14751270e+03, 2.74122632e+03, 4.96135645e+03, 4.23212891e+03, 4.20190332e+03,
                                          7.25191992e+03, 2.98789404e+03, 2.85957227e+03, 2.99552051e+03, 5.01816895e+03, 4.33823926e+03,
                                          1.40675171e+03, 1.29727185e+03, 1.07979958e+02, 8.30818844e+00};
const std::vector<int> weight_bits = {14, 13, 13, 13, 13, 14, 13, 14, 14, 14, 14, 14, 15, 14, 14, 14, 14, 14, 13, 13, 12, 10};
const std::vector<int> weight_gradient_bits = {11, 12, 12, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 12, 12, 14, 14};
const std::vector<int> weight_gradient_ranges = {-2, -4, -4, -5, -5, -5, -5, -5, -5, -5, -5, -5, -5, -5, -6, -6, -6, -6, -6, -6, -6, -2};
const std::vector<int> accumulator_bits = {9, 13, 13, 13, 13, 12, 13, 12, 12, 12, 12, 12, 11, 12, 13, 13, 13, 13, 15, 15, 18, 16};

}  // namespace

TEST_CASE("F2 gives the published offsets and, with B_min = 3, the published widths of activations and weights") {
  const double smallest = std::min(*std::min_element(activation_gains.begin(), activation_gains.end()),
                                   *std::min_element(weight_gains.begin(), weight_gains.end()));
  std::vector<int> activations = feedforward_offsets(activation_gains, smallest);
  CHECK(activations == std::vector{5, 4, 4, 3, 3, 3, 3, 3, 4, 4, 4, 4, 3, 3, 4, 3, 2, 1, 0});
  for (int& a : activations) a += 3;
  activations.insert(activations.begin(), 8);  // the network's input: 8 bits
  CHECK(activations == std::vector{8, 8, 7, 7, 6, 6, 6, 6, 6, 7, 7, 7, 7, 6, 6, 7, 6, 5, 4, 3});
  std::vector<int> weights = feedforward_offsets(weight_gains, smallest);
  CHECK(weights == std::vector{11, 10, 10, 10, 10, 11, 10, 11, 11, 11, 11, 11, 12, 11, 11, 11, 11, 11, 10, 10, 9, 7});
  for (int& w : weights) w += 3;
  CHECK(weights == weight_bits);
}

TEST_CASE("F2 rounds half to even: gains of 2 and 8 times the least lie between offsets") {
  CHECK(feedforward_offsets(std::vector{1.0, 2.0, 8.0, 32.0}, 1.0) == std::vector{0, 0, 2, 2});
}

TEST_CASE("F6 gives the published accumulator widths from the published widths and ranges, at a learning rate of 0.001") {
  for (std::size_t i = 0; i < weight_bits.size(); ++i) {
    const FixedPoint weight{.is_signed = true, .range_exponent = 0, .bits = weight_bits[i]};
    const FixedPoint gradient{.is_signed = true, .range_exponent = weight_gradient_ranges[i], .bits = weight_gradient_bits[i]};
    const FixedPoint accumulator = weight_accumulator(weight, gradient, 0.001);
    CHECK(accumulator.bits == accumulator_bits[i]);
    CHECK(accumulator.range_exponent == -weight_bits[i]);
  }
}

TEST_CASE("F3 and F4: r_GW = 2^-2 and 11 bits of the first published layer from standard deviations that mean them") {
  // 2 sigma / sqrt(0.1) in (2^-3, 2^-2] for sigma in (0.0198, 0.0395]; a step of 2^-12 = 2^-2 2^(1-11) for sigma_min / 4 in [2^-12, 2^-11)
  for (const double sigma : {0.0199, 0.03, 0.0395}) CHECK(gradient_range_exponent(sigma * sigma, 2) == -2);
  CHECK(gradient_range_exponent(0.0396 * 0.0396, 2) == -1);
  // the activation gradient's factor of 8 is two binades more
  CHECK(gradient_range_exponent(0.03 * 0.03, 8) == 0);
  CHECK(weight_gradient_step_exponent(0x1p-20) == -12);
  CHECK(weight_gradient_step_exponent(0.00195 * 0.00195) == -12);
  CHECK(gradient_format(-2, -12) == FixedPoint{.is_signed = true, .range_exponent = -2, .bits = 11});
  CHECK(gradient_format(-2, -12).spelling() == "s11.12");
}

TEST_CASE("F3 and F4 give every published r_GW and B_GW from the standard deviations that they stand for") {
  // r = 2^e for 2 sigma_max / sqrt(0.1) in (2^(e - 1), 2^e]; the step is 2^-d for sigma_min / 4 in [2^-d, 2^(1-d)), and B = e + d + 1.
  const double root = std::sqrt(0.1);
  for (std::size_t i = 0; i < weight_bits.size(); ++i) {
    const int e = weight_gradient_ranges[i];
    const int d = weight_gradient_bits[i] - 1 - e;
    for (const double within : {0.501, 0.999}) {
      const double sigma_max = within * std::ldexp(root, e - 1);
      CHECK(gradient_range_exponent(sigma_max * sigma_max, 2) == e);
    }
    for (const double above : {1.001, 1.999}) {
      const double sigma_min = 4 * above * std::ldexp(1.0, -d);
      CHECK(gradient_format(e, weight_gradient_step_exponent(sigma_min * sigma_min)).bits == weight_gradient_bits[i]);
    }
  }
}

TEST_CASE(
    "the published activation gradients: r_GA by F3 with the factor 8 and the doubling, B_GA by F5 from singular values in their "
    "intervals") {
  // Variances and singular values were not published, so what the results say about them is derived here. First layer: r = 2 2^-12, so
  // 8 sigma / sqrt(0.1) in (2^-13, 2^-12]; 7 bits, a step of 2^(-11 + 1 - 7) = 2^-17, from the weight gradient's 2^(-2 + 1 - 11) = 2^-12:
  // sqrt(lambda) in (2^4, 2^5]. Last layer: r = 2 2^-5; 15 bits, 2^(-4 + 1 - 15) = 2^-18 from 2^(-2 + 1 - 14) = 2^-15: in (2^2, 2^3].
  const double root = std::sqrt(0.1);
  const auto bits = [&](int range, double sigma_share, int weight_step, double lambda) {
    const double sigma = sigma_share * std::ldexp(root, range - 3);
    return gradient_format(gradient_range_exponent(sigma * sigma, 8) + 1, activation_gradient_step_exponent(weight_step, lambda)).bits;
  };
  for (const double share : {0.501, 0.999}) {
    CHECK(bits(-12, share, -12, 256) == 6);
    CHECK(bits(-12, share, -12, 257) == 7);
    CHECK(bits(-12, share, -12, 1024) == 7);
    CHECK(bits(-12, share, -12, 1025) == 8);
    CHECK(bits(-5, share, -15, 16) == 14);
    CHECK(bits(-5, share, -15, 16.1) == 15);
    CHECK(bits(-5, share, -15, 64) == 15);
    CHECK(bits(-5, share, -15, 64.1) == 16);
  }
  CHECK(bits(-12, 1.001, -12, 1024) == 8);  // one binade more of range
}

TEST_CASE("F5: the step shrinks by the square root of the largest singular value") {
  CHECK(activation_gradient_step_exponent(-12, 1) == -12);
  CHECK(activation_gradient_step_exponent(-12, 16) == -14);
  CHECK(activation_gradient_step_exponent(-12, 17) == -15);
  CHECK(activation_gradient_step_exponent(-12, 0.25) == -11);
}

TEST_CASE("a moving average starts at the first variance") {
  CHECK(moving_average(std::vector{8.0, 4.0, 0.0}, 0.5) == std::vector{8.0, 6.0, 3.0});
  CHECK(moving_average(std::vector{8.0, 4.0}, 0.0) == std::vector{8.0, 4.0});
}

TEST_CASE("logarithms are exact beside powers of two") {
  CHECK(floor_log2(0x1p-1074) == -1074);
  CHECK(floor_log2(std::nextafter(8.0, 0.0)) == 2);
  CHECK(floor_log2(8.0) == 3);
  CHECK(ceil_log2(8.0) == 3);
  CHECK(ceil_log2(std::nextafter(8.0, 9.0)) == 4);
}

TEST_CASE("the least value of an assigned format is where it clamps; the authors' code lets it pass, rounded") {
  const FixedPoint format{.is_signed = true, .range_exponent = -1, .bits = 3};  // -0.5 .. 0.375 by 0.125
  Tensor tensor;
  tensor.shape = {6};
  tensor.values = Values(std::vector<double>{-0.8, -0.5, -0.0625, 0.0625, 0.44, 0.9});
  const auto quantized = [&](bool clamp_below) {
    QuantizationCounts counts;
    const QuantizedOperand q = quantize_role(tensor, fixed_point_quantizer(format, clamp_below), {}, counts);
    CHECK(counts.clipped == (clamp_below ? 3 : 2));
    std::vector<double> values;
    for (std::int64_t i = 0; i < q.values.size(); ++i) values.push_back(q.values.number(i) * q.scale);
    return values;
  };
  CHECK(quantized(true) == std::vector<double>{-0.5, -0.5, -0.125, 0.125, 0.375, 0.375});
  CHECK(quantized(false) == std::vector<double>{-0.75, -0.5, -0.125, 0.125, 0.375, 0.375});
}

TEST_CASE("the recalled variance retention formula needs 5 7 7 8 9 bits at the lengths of ResNet-18, in chunks of 64 6 6 7 8") {
  const std::vector<double> lengths = {147, 576, 1152, 2304, 4608};
  std::vector<int> plain, chunked;
  for (const double n : lengths) plain.push_back(retained_fraction_bits(5, n, 1));
  for (std::size_t i = 1; i < lengths.size(); ++i) chunked.push_back(retained_fraction_bits(5, lengths[i], 64));
  CHECK(plain == std::vector{5, 7, 7, 8, 9});
  CHECK(chunked == std::vector{6, 6, 7, 8});
}
