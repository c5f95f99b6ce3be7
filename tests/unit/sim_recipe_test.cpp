// Recipes: scale rules against hand derivations and published coefficients, unbiasedness of stochastic rounding, TOML.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "formats/error.h"
#include "formats/round.h"
#include "sim/error_sums.h"
#include "sim/recipe_quantize.h"
#include "sim/recipe_toml.h"
#include "tensor_fixture.h"

using namespace accsim::sim;

namespace {

RoleQuantizer quantizer(const std::string& keys) {
  const Recipe r = parse_recipe("[tensors.grad_output]\n" + keys + "\n[passes]\ndgrad = \"fp32\"\n", "test");
  return *r.role(Role::grad_output);
}

std::vector<double> quantized(const std::string& keys, std::vector<double> values, std::uint64_t seed = 0,
                              QuantizationCounts* counted = nullptr) {
  QuantizationCounts counts;
  const QuantizedOperand q = quantize_role(tensor(std::move(values)), quantizer(keys), {.seed = seed, .position = {.site = 14}}, counts);
  std::vector<double> real;
  for (std::int64_t i = 0; i < q.values.size(); ++i) real.push_back(q.values.number(i) * q.scale);
  if (counted != nullptr) *counted = counts;
  return real;
}

double scale_of(const std::string& keys, std::vector<double> values, double delayed = 0) {
  return recipe_scale(quantizer(keys), tensor(std::move(values)).values, delayed);
}

std::string refusal(const std::string& toml) {
  try {
    (void)parse_recipe(toml, "test");
  } catch (const accsim::InputError& error) {
    return error.what();
  }
  return "";
}

/// The means of `seeds` stochastic quantizations of every value.
std::vector<double> means(const std::string& keys, const std::vector<double>& values, int seeds) {
  std::vector<double> sums(values.size(), 0.0);
  for (int seed = 0; seed < seeds; ++seed) {
    const std::vector<double> y = quantized(keys, values, static_cast<std::uint64_t>(seed));
    for (std::size_t i = 0; i < y.size(); ++i) sums[i] += y[i];
  }
  for (double& sum : sums) sum /= seeds;
  return sums;
}

}  // namespace

TEST_CASE("SAWB: the published coefficients of every width, on values with rms 2 and mean magnitude 1") {
  // scale = 2 (c1 * 2 + c2 * 1) / (levels - 1)
  const std::vector<double> x = {0, 0, 0, -4};
  const auto ibm = [&](const char* format, const char* name) {
    return scale_of(std::string("format = \"") + format + "\"\nscale = \"sawb\"\ncoefficients = \"" + name + "\"", x);
  };
  const auto near = [](double value) { return doctest::Approx(value).epsilon(1e-14); };
  CHECK(ibm("int2", "ibm") == near(2 * (2 * 3.12 - 2.064) / 3));
  CHECK(ibm("int2", "ibm_old") == near(2 * (2 * 3.212 - 2.178) / 3));
  CHECK(ibm("int3", "ibm") == near(2 * (2 * 7.509 - 6.892) / 7));
  CHECK(ibm("int4", "ibm") == near(2 * (2 * 12.68 - 12.80) / 15));
  CHECK(ibm("int5", "ibm") == near(2 * (2 * 17.74 - 18.64) / 31));
  CHECK(ibm("int8", "ibm") == near(2 * (2 * 31.76 - 35.04) / 255));
  // code books: 102 has the levels -a, -a/3, a/3, a; 103 -a, 0, a; 403 -a, -6/7 a, .. a
  CHECK(ibm("int2", "ibm_102") == near(2 * (2 * 3.12 - 2.064) / 3));
  CHECK(ibm("int2", "ibm_103") == near(2 * 2.6 - 1.71));
  CHECK(ibm("int4", "ibm_403") == near((2 * 12.035 - 12.03) / 7));
  CHECK(ibm("int4", "luq") == 2 * 12.0 / 15);
}

TEST_CASE("SAWB as LUQ's code: 17 levels for weights, 24 for activations with negative values, 16 without") {
  const Recipe luq = find_recipe("luq4_code");
  const auto scale = [&](Role role, std::vector<double> x) { return recipe_scale(*luq.role(role), tensor(std::move(x)).values, 0); };
  CHECK(scale(Role::weight, {0, 0, 0, 4}) == 1.5);        // 2 * (12.1 * 2 - 12.2) / 16
  CHECK(scale(Role::input, {0, 0, 0, 4}) == 24.0 / 15);   // 0 .. 15
  CHECK(scale(Role::input, {0, 0, 0, -4}) == 24.0 / 23);  // -8 .. 15
  // 1023 zeros and -4: rms 1/8, mean 1/256, clip 12.1 / 8 - 12.2 / 256 = 1.46: 4 lies at 21 steps
  std::vector<double> x(1024, 0.0);
  x.back() = -4;
  QuantizationCounts counts;
  CHECK(quantize_role(tensor(x), *luq.role(Role::weight), {}, counts).values.number(1023) == -8);
  CHECK(counts.clipped == 1);
}

TEST_CASE("SAWB where the formula gives no range falls back to the largest magnitude") {
  // rms = mean magnitude = 1: 12.68 - 12.80 < 0
  CHECK(scale_of("format = \"int4\"\nscale = \"sawb\"\ncoefficients = \"ibm\"", {1, -1}) == 1.0 / 7);
}

TEST_CASE("a fixed range: r min(1 - 2^(1-B), round(g/r 2^(B-1)) 2^(1-B)), halves away from zero, clamped at -r too") {
  const std::string keys = "format = \"s4.3\"\nrounding = \"rna\"\noverflow = \"saturate\"\nscale = \"range\"\nrange = 0.25";
  // step 0.25 / 8 = 0.03125
  CHECK(quantized(keys, {0.03125, 0.046875, -0.046875, 0.25, 1, -0.25, -1, 0.0156}) ==
        std::vector<double>{0.03125, 0.0625, -0.0625, 0.21875, 0.21875, -0.25, -0.25, 0});
}

TEST_CASE("delayed scaling takes the largest value of the steps before, and one where there is none") {
  const std::string keys = "format = \"ocp_e4m3\"\nscale = \"delayed\"\nhistory = 4";
  CHECK(scale_of(keys, {1000}, 896) == 2);
  CHECK(scale_of(keys, {1000}, 0) == 1);
  CHECK(quantized(keys, {448}) == std::vector<double>{448});
}

TEST_CASE("LUQ: alpha is the maximum / 2^span, and levels are alpha times powers of two") {
  for (const int span : {4, 6, 7}) {
    const std::string format = span == 7 ? "e4m0:specials=none" : "luq_e3m0";
    const std::string keys = "format = \"" + format + "\"\nrounding = \"sr:bits=24\"\nscale = \"luq\"\nspan = " + std::to_string(span);
    const double alpha = std::ldexp(48.0, -span);
    const std::vector<double> y = quantized(keys, {-48, alpha, 2 * alpha, 24, 0});
    CHECK(y == std::vector<double>{-48, alpha, 2 * alpha, 24, 0});
  }
  CHECK(refusal("[tensors.grad_output]\nformat = \"luq_e3m0\"\nscale = \"luq\"\nspan = 7\n[passes]\ndgrad = \"fp32\"").find("span") !=
        std::string::npos);
}

TEST_CASE("LUQ by the code's rule: alpha from the largest value with its sign, negative outliers beyond 2^span alpha") {
  const std::string keys = "format = \"e4m0:specials=none\"\nrounding = \"sr:bits=24\"\nscale = \"luq\"\nspan = 7\nmaximum = \"signed\"";
  CHECK(quantized(keys, {128, -512, 1}) == std::vector<double>{128, -512, 1});
}

TEST_CASE("the emulator's quantizer rounds twice: 1.125 + 2^-20 becomes 1.125 in binary16, a tie, and then 1.0") {
  const double x = 1.125 + 0x1p-20;
  CHECK(quantized("format = \"e5m2\"\noverflow = \"ieee\"", {x}) == std::vector<double>{1.25});
  CHECK(quantized("format = \"e5m2\"\noverflow = \"ieee\"\nthrough = \"fp16\"", {x}) == std::vector<double>{1.0});
  // 61439 becomes 61440 in binary16, whose spacing there is 32: a tie between 57344 and 2^16
  CHECK(quantized("format = \"e5m2\"\noverflow = \"ieee\"", {61440, -61439, 1e6}) == std::vector<double>{inf, -57344, inf});
  CHECK(quantized("format = \"e5m2\"\noverflow = \"ieee\"\nthrough = \"fp16\"", {61440, -61439, 1e6}) ==
        std::vector<double>{inf, -inf, inf});
}

TEST_CASE("the same example in codes: binary16 3c80, E5M2 3d directly, 3c through binary16; 57344 is the last finite code, 7b, then 7c") {
  using accsim::formats::encode;
  using accsim::formats::from_double;
  using accsim::formats::parse_format;
  const double x = 1.125 + 0x1p-20;
  const auto code = [](double value, const char* format) {
    return encode(from_double<accsim::formats::UInt128>(value), parse_format(format));
  };
  CHECK(code(quantized("format = \"fp16\"", {x}).front(), "fp16") == 0x3c80);
  CHECK(code(quantized("format = \"e5m2\"", {x}).front(), "e5m2") == 0x3d);
  CHECK(code(quantized("format = \"e5m2\"\nthrough = \"fp16\"", {x}).front(), "e5m2") == 0x3c);
  CHECK(code(quantized("format = \"e5m2\"\noverflow = \"ieee\"", {57344}).front(), "e5m2") == 0x7b);
  CHECK(code(quantized("format = \"e5m2\"\noverflow = \"ieee\"", {61440}).front(), "e5m2") == 0x7c);
}

TEST_CASE("the emulator never rounds subnormals stochastically") {
  const Recipe emulator = find_recipe("mellempudi2019_emulator");
  const Recipe plain = find_recipe("mellempudi2019");
  const double x = 0x1p-16 * 1.25;  // between 2^-16 and 2^-15, a quarter of the way
  std::int64_t above = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    QuantizationCounts counts;
    CHECK(quantize_role(tensor({x}), *emulator.role(Role::grad_output), {.seed = seed}, counts).values.number(0) == 0x1p-16);
    above += quantize_role(tensor({x}), *plain.role(Role::grad_output), {.seed = seed}, counts).values.number(0) == 0x1p-15;
  }
  CHECK(above > 20);
  CHECK(above < 80);
}

/// Mean errors over 4096 seeds of values low + tail * spacing, beside what R bits give and what rounding to nearest even gives.
void check_tails(const std::string& format, int bits, double low, double spacing, int tail_bits) {
  constexpr int seeds = 4096;
  const int tails = 1 << tail_bits;
  std::vector<double> values;
  for (int i = 0; i < tails; ++i) values.push_back(low + spacing * i / tails);
  const std::vector<double> mean = means("format = \"" + format + "\"\nrounding = \"sr:bits=" + std::to_string(bits) + "\"", values, seeds);
  const std::vector<double> nearest = quantized("format = \"" + format + "\"", values);
  int visible = 0;
  for (int i = 0; i < tails; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const double v = static_cast<double>(i) / tails;
    const double p = std::floor(std::ldexp(v, bits)) / std::ldexp(1.0, bits);
    const double four_sigma = 4 * std::sqrt(p * (1 - p) / seeds);
    INFO("tail ", v, " of ", bits, " random bits");
    CHECK(std::fabs((mean[at] - values[at]) / spacing - (p - v)) <= four_sigma);  // exactly p - v where p is 0: every sum here is exact
    const double bias = (nearest[at] - values[at]) / spacing;
    CHECK(std::fabs(bias) == std::min(v, 1 - v));
    visible += std::fabs(bias) > four_sigma + std::fabs(p - v);
  }
  CHECK(visible >= tails * 7 / 8);  // to nearest is off by more than that, but for the smallest tails and the largest
}

TEST_CASE("stochastic rounding of R bits is off by floor(v 2^R) / 2^R - v on average, for every tail v; to nearest by the tail itself") {
  check_tails("s8.0", 4, 5, 1, 6);
  check_tails("e5m2", 8, 1.25, 0.25, 9);          // the gradients of mellempudi2019
  check_tails("e5m2", 8, 0x1p-16, 0x1p-16, 9);    // subnormal
  check_tails("e5m2", 8, -0x1p-16, -0x1p-16, 9);  // the sign takes no part
}

TEST_CASE("LUQ is unbiased: below alpha, between the powers of two, and as the mean of several samples") {
  constexpr int seeds = 4096;
  std::vector<double> values = {64};                                                   // alpha = 1
  for (int i = 1; i <= 1024; ++i) values.push_back((i % 2 == 0 ? -1 : 1) * i / 16.0);  // every v of the range in sixteenths
  const std::vector<double> nearest = quantized("format = \"luq_e3m0\"\nscale = \"luq\"\nspan = 6", values);
  for (const int samples : {1, 2}) {
    const std::vector<double> mean = means(
        "format = \"luq_e3m0\"\nrounding = \"sr:bits=24\"\nscale = \"luq\"\nspan = 6\nsamples = " + std::to_string(samples), values, seeds);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double v = std::fabs(values[i]);
      const double spacing = v < 1 ? 1 : std::exp2(std::floor(std::log2(v)));
      const double p = std::fmod(v, spacing) / spacing;
      const double sigma = spacing * std::sqrt(p * (1 - p) / (seeds * samples));
      INFO("value ", values[i], ", samples ", samples);
      CHECK(std::fabs(mean[i] - values[i]) <= 4 * sigma);
      const double bias = std::fabs(nearest[i] - values[i]);
      CHECK(bias == spacing * std::min(p, 1 - p));
      if (std::min(p, 1 - p) > 1.0 / 128) CHECK(bias > 4 * sigma);  // to nearest the bias shows
    }
  }
}

TEST_CASE("LUQ's deterministic variant, 2^floor(log2(4/3 v)), turns up at 3/2 of the lower power of two") {
  const std::string keys = "format = \"luq_e3m0\"\nscale = \"luq\"\nspan = 6";
  for (double low = 1; low < 64; low *= 2)
    CHECK(quantized(keys, {64, std::nextafter(1.5 * low, 0.0), std::nextafter(1.5 * low, 64.0)}) == std::vector<double>{64, low, 2 * low});
}

TEST_CASE("a multiplier-free backward pass: every product of an INT4 and a LUQ gradient is a number of 1-4-2, exactly") {
  const auto format = accsim::formats::parse_format("e4m2:bias=1,specials=none");  // 2^1 .. 2^14 and subnormals by halves
  const accsim::formats::Rounder rounder(format, {});
  for (int weight = -8; weight <= 8; ++weight) {
    for (int e = 0; e <= 7; ++e)
      CHECK_FALSE(rounder(accsim::formats::from_double<accsim::formats::UInt128>(std::ldexp(weight, e))).events.inexact);
  }
  CHECK(rounder(accsim::formats::from_double<accsim::formats::UInt128>(9)).events.inexact);  // four significant bits
}

TEST_CASE("to nearest the same quantizer is biased: what lies below half of alpha is lost, 1.25 alpha always becomes alpha") {
  const std::string keys = "format = \"luq_e3m0\"\nscale = \"luq\"\nspan = 6";
  CHECK(quantized(keys, {64, 0.25, -0.49, 1.25, 1.75, 40}) == std::vector<double>{64, 0, 0, 1, 2, 32});
}

TEST_CASE("what becomes zero keeps its sign") {
  CHECK(std::signbit(quantized("format = \"e5m2\"", {-0x1p-30}).front()));
  CHECK_FALSE(std::signbit(quantized("format = \"e5m2\"", {0x1p-30}).front()));
}

TEST_CASE("what is lost is counted: to zero, subnormal, clipped") {
  QuantizationCounts counts;
  // E5M2: smallest subnormal 2^-16, smallest normal 2^-14, largest 57344
  quantized("format = \"e5m2\"\noverflow = \"saturate\"", {0, -0.0, 0x1p-18, 0x1p-16, 0x1.8p-15, 1, 57344, 70000, -inf}, 0, &counts);
  CHECK(counts == QuantizationCounts{.values = 9, .nonzero = 6, .zeroed = 1, .subnormal = 2, .clipped = 1, .nonfinite = 0});
  quantized("format = \"e5m2\"\noverflow = \"ieee\"", {70000, 1}, 0, &counts);
  CHECK(counts == QuantizationCounts{.values = 2, .nonzero = 2, .zeroed = 0, .subnormal = 0, .clipped = 1, .nonfinite = 1});
}

TEST_CASE("the result and its random bits do not depend on the number of threads") {
  std::vector<double> values;
  for (int i = 0; i < 20000; ++i) values.push_back(std::sin(i) * std::exp2(i % 30 - 20));
  QuantizationCounts one, four;
  const RoleQuantizer q = quantizer("format = \"e5m2\"\nrounding = \"sr:bits=8\"");
  const QuantizedOperand a = quantize_role(tensor(values), q, {.threads = 1}, one);
  const QuantizedOperand b = quantize_role(tensor(values), q, {.threads = 4}, four);
  CHECK(one == four);
  for (std::int64_t i = 0; i < a.values.size(); ++i) CHECK(a.values.number(i) == b.values.number(i));
}

TEST_CASE("every built-in recipe prints as TOML that parses to the same") {
  CHECK(builtin_recipes().size() >= 10);
  for (const BuiltinRecipe& builtin : builtin_recipes()) {
    const Recipe recipe = find_recipe(std::string(builtin.name));
    CHECK(recipe.name == builtin.name);
    CHECK_FALSE(recipe.source.empty());
    CHECK(to_toml(parse_recipe(to_toml(recipe), "printed")) == to_toml(recipe));
  }
}

TEST_CASE("mistakes in a recipe's TOML are named with their place, what was found, and the nearest name") {
  const std::string passes = "\n[passes]\nfprop = \"fp32\"\n";
  const std::vector<std::array<std::string, 3>> cases = {
      {"acsim = 1", "acsim: unknown key", "did you mean accsim?"},
      {"name = 3", "name: a value of type integer", "a string"},
      {"loss_scaling = 1024", "loss_scaling: a value of type integer", "a string"},
      {"loss_scaling = \"constant:inf\"", "loss_scaling", "inf; accepted: a finite number above zero"},
      {"loss_scaling = \"backoff:min=0:8/4:2\"", "loss_scaling", "goes down to 2 at iteration 4"},
      {"tensors = 3", "tensors: not a table", "[tensors]"},
      {"[tensors]\nweight = 3", "tensors.weight: a value of type integer", "a table"},
      {"[tensors.weigth]\nformat = \"fp16\"", "tensors.weigth", "did you mean weight?"},
      {"[tensors.weight]\nformt = \"fp16\"", "tensors.weight.formt: unknown key", "did you mean format?"},
      {"[tensors.weight]\nformat = 16", "tensors.weight.format: a value of type integer", "a string"},
      {"[tensors.weight]\nformat = \"fp61\"", "tensors.weight.format", "did you mean fp16"},
      {"[tensors.weight]\nformat = \"mxfp9_e4m3\"", "tensors.weight.format", "did you mean mxfp8_e4m3"},
      {"[tensors.weight]\nformat = \"mxfp4\"\nscale = \"amax\"", "tensors.weight.scale", "format, rounding, overflow"},
      {"[tensors.weight]\nformat = \"fp16\"\nrounding = \"rnee\"", "tensors.weight.rounding", "unknown rounding"},
      {"[tensors.weight]\nformat = \"fp16\"\nscale = \"amx\"", "tensors.weight.scale: \"amx\"", "one, number, amax"},
      {"[tensors.weight]\nformat = \"fp16\"\nscale = \"number\"", "tensors.weight.value: missing", "a number above zero"},
      {"[tensors.weight]\nformat = \"fp16\"\nscale = \"number\"\nvalue = nan", "tensors.weight.value: nan", "a finite number"},
      {"[tensors.weight]\nformat = \"int4\"\nscale = \"sawb\"\ncoefficients = [nan, 1]", "tensors.weight.coefficients: nan", "finite"},
      {"[tensors.weight]\nformat = \"int4\"\nscale = \"sawb\"\ncoefficients = \"ibn\"", "tensors.weight.coefficients: \"ibn\"", "\"ibm\""},
      {"[tensors.weight]\nformat = \"int4\"\nscale = \"range\"", "tensors.weight.range: missing", "a number above zero"},
      {"[tensors.weight]\nformat = \"fp16\"\nsamples = \"two\"", "tensors.weight.samples: a value of type string", "an integer"},
      {"[tensors.output]\nformat = \"mxfp4\"", "tensors.output.format: mxfp4", "block formats for input, weight and grad_output"},
      {"[tensors.weight]\nformat = \"fp16\"\nclamp_low = 2\nclamp_high = 1", "tensors.weight.clamp_low", "above clamp_high"},
  };
  for (const auto& [toml, place, accepted] : cases) {
    const std::string message = refusal(toml + passes);
    INFO(toml, " gives ", message);
    CHECK(message.find("test: " + place) == 0);
    CHECK(message.find(accepted) != std::string::npos);
  }
  CHECK(refusal("[passes]\nfprp = \"fp32\"").find("did you mean fprop?") != std::string::npos);
  CHECK(refusal("[passes]\nfprop = 32").find("passes.fprop: a value of type integer") != std::string::npos);
  CHECK(refusal("[passes\n").find("line 1") != std::string::npos);
}

TEST_CASE("recipes that make no sense are refused by name") {
  const std::string passes = "\n[passes]\nfprop = \"fp32\"\n";
  CHECK(refusal("[tensors.bias]\nformat = \"fp16\"" + passes).find("bias") != std::string::npos);
  CHECK(refusal("[tensors.input]\nformat = \"fp16\"").find("no pass") != std::string::npos);
  CHECK(refusal("[passes]\nforward = \"fp32\"").find("forward") != std::string::npos);
  CHECK(refusal("[tensors.input]\nscale = \"amax\"" + passes).find("format") != std::string::npos);
  CHECK(refusal("[tensors.input]\nformat = \"fp16\"\nscale = \"sawb\"\ncoefficients = \"ibm\"" + passes).find("fixed-point") !=
        std::string::npos);
  CHECK(refusal("[tensors.input]\nformat = \"int4\"\nspan = 4" + passes).find("span") != std::string::npos);
  CHECK(refusal("[tensors.input]\nformat = \"int4\"\nsamples = 2" + passes).find("stochastic") != std::string::npos);
  CHECK(refusal("[tensors.input]\nformat = \"int4\"\nrounding = \"sr:bits=4\"\nsamples = 3" + passes).find("power of two") !=
        std::string::npos);
  CHECK(refusal("[tensors.output]\nformat = \"bf16\"\nscale = \"delayed\"" + passes).find("delayed") != std::string::npos);
  CHECK(refusal("loss_scaling = \"constant:0\"" + passes).find("loss_scaling") != std::string::npos);
}

TEST_CASE("the example of compute SNDR: ideal -1 -1 -1 1, found -2 -1 -1 3, gives 10 log10(0.6) = -2.2185 dB") {
  // signal Var = 0.75; mean square error (1 + 0 + 0 + 4) / 4 = 1.25
  using accsim::formats::from_double;
  using accsim::formats::Wide;
  ErrorSums sums;
  const double ideal[] = {-1, -1, -1, 1};
  const double found[] = {-2, -1, -1, 3};
  for (int i = 0; i < 4; ++i) {
    OutputValues values;
    values.y = from_double<Wide>(found[i]);
    values.sum = values.signal = from_double<Wide>(ideal[i]);
    values.scale = from_double<Wide>(1);
    sums.add(values);
  }
  CHECK(std::get<double>(sums.error_statistic("sndr_db")) == doctest::Approx(-2.2184874961635637).epsilon(1e-12));
}
