// Operand quantization: scales and what a tensor becomes.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "formats/round.h"
#include "formats/rounding.h"
#include "sim/quantize.h"
#include "tensor_fixture.h"

using namespace accsim::sim;
using accsim::formats::parse_format;

namespace {

Operand operand(const char* format, ScaleRule scale, double number = 1.0) {
  Operand o;
  o.format = parse_format(format);
  o.scale = scale;
  o.scale_number = number;
  return o;
}

double scale_of(const char* format, ScaleRule rule, std::vector<double> values, double number = 1.0) {
  return operand_scale(operand(format, rule, number), tensor(std::move(values)).values);
}

std::vector<double> quantized(const Operand& o, std::vector<double> values) {
  const Tensor t = tensor(std::move(values));
  const QuantizedOperand q = quantize_operand(t, o, 0, {});
  REQUIRE(q.changed);
  std::vector<double> all;
  for (std::int64_t i = 0; i < q.values.size(); ++i) all.push_back(q.values.number(i));
  return all;
}

}  // namespace

TEST_CASE("amax is the largest finite magnitude, 0 where there is none") {
  CHECK(amax(tensor({1, -3, 2}).values) == 3);
  CHECK(amax(tensor({1, inf, -inf, not_a_number, -2}).values) == 2);
  CHECK(amax(tensor({inf, not_a_number}).values) == 0);
  CHECK(amax(tensor({0, -0.0}).values) == 0);
}

TEST_CASE("the scale amax is max|x| over the format's largest value, in binary64") {
  CHECK(scale_of("int8", ScaleRule::amax, {254, -3}) == 2);            // 254/127
  CHECK(scale_of("int8", ScaleRule::amax, {1, -100}) == 100.0 / 127);  // the largest value is 127, not 128
  CHECK(scale_of("uint4", ScaleRule::amax, {30}) == 2);
  CHECK(scale_of("s8.4", ScaleRule::amax, {127}) == 16);  // 127/(127/16)
  CHECK(scale_of("ocp_e4m3", ScaleRule::amax, {896}) == 2);
}

TEST_CASE("the scale amax_pow2 is the smallest power of two not below amax's") {
  CHECK(scale_of("int8", ScaleRule::amax_pow2, {254}) == 2);    // exactly two
  CHECK(scale_of("int8", ScaleRule::amax_pow2, {254.5}) == 4);  // just above
  CHECK(scale_of("int8", ScaleRule::amax_pow2, {253.5}) == 2);  // just below
  CHECK(scale_of("int8", ScaleRule::amax_pow2, {127}) == 1);
  CHECK(scale_of("int8", ScaleRule::amax_pow2, {std::nextafter(127.0, 128.0)}) == 2);  // (127 + ulp)/127 rounds to 1 + 2^-52, above 1
  CHECK(scale_of("int8", ScaleRule::amax_pow2, {0x1p-100 * 127}) == 0x1p-100);
  CHECK(scale_of("ocp_e2m1", ScaleRule::amax_pow2, {6.5}) == 2);
}

TEST_CASE("a tensor of zeros, or without finite elements, has scale one") {
  for (const ScaleRule rule : {ScaleRule::one, ScaleRule::amax, ScaleRule::amax_pow2, ScaleRule::number}) {
    CHECK(scale_of("int8", rule, {0, -0.0, 0}, 0.25) == 1);
  }
  CHECK(scale_of("int8", ScaleRule::amax, {inf, not_a_number}) == 1);
}

TEST_CASE("a number is the scale as given, one is one") {
  CHECK(scale_of("int8", ScaleRule::number, {5}, 0.25) == 0.25);
  CHECK(scale_of("int8", ScaleRule::one, {5000}) == 1);
}

TEST_CASE("elements are divided by the scale and rounded to nearest even, saturating") {
  // scale 2: 127, 1.5 -> 2, -127, 0.5 -> 0, -0.5 -> 0
  CHECK(quantized(operand("int8", ScaleRule::amax), {254, 3, -254, 1, -1}) == std::vector<double>{127, 2, -127, 0, 0});
  // scale 1: beyond the range saturates, both ends
  CHECK(quantized(operand("int8", ScaleRule::one), {127.4, 127.5, 1e9, -128.4, -1e9, inf, -inf}) ==
        std::vector<double>{127, 127, 127, -128, -128, 127, -128});
  CHECK(quantized(operand("ocp_e5m2", ScaleRule::one), {1.125, 1.375, 1e9, -inf, 0x1p-17}) ==
        std::vector<double>{1, 1.5, 57344, -57344, 0});
}

TEST_CASE("the division is rounded to binary64 before the element is") {
  // scale = fl(1/127) for a largest magnitude of 1, and 1/scale must come out as 127
  CHECK(quantized(operand("int8", ScaleRule::amax), {1, -1, 0}) == std::vector<double>{127, -127, 0});
  // 0.3/0.2 is below 1.5 as a real quotient of these binary64 numbers, but rounds to the tie 1.5 - or not: what the division gives decides
  const double quotient = 0.3 / 0.2;
  CHECK(quantized(operand("int8", ScaleRule::number, 0.2), {0.3}) == std::vector<double>{std::nearbyint(quotient)});
}

TEST_CASE("NaN becomes zero where the format has none, and stays NaN where it does") {
  CHECK(quantized(operand("int8", ScaleRule::amax), {not_a_number, 127}) == std::vector<double>{0, 127});
  CHECK(std::isnan(quantized(operand("ocp_e4m3", ScaleRule::one), {not_a_number}).front()));
}

TEST_CASE("signs of zeros stay where the format has -0") {
  CHECK(std::signbit(quantized(operand("ocp_e4m3", ScaleRule::one), {-0.0}).front()));
  CHECK(std::signbit(quantized(operand("ocp_e4m3", ScaleRule::one), {-1e-9}).front()));
  CHECK_FALSE(std::signbit(quantized(operand("e4m3fnuz", ScaleRule::one), {-1e-9}).front()));
}

TEST_CASE("a tensor that is stored in the operand's format passes unchanged, whatever its spelling") {
  Tensor t = tensor({1000, -3});  // out of the range of int8, as codes less a zero point can be
  t.format = parse_format("s8.0");
  const QuantizedOperand q = quantize_operand(t, operand("int8", ScaleRule::amax), 0, {});
  CHECK_FALSE(q.changed);
  CHECK(q.scale == 1);
  t.format = parse_format("int9");
  CHECK(quantize_operand(t, operand("int8", ScaleRule::amax), 0, {}).changed);
}

TEST_CASE("an operand as traced passes unchanged") {
  const QuantizedOperand q = quantize_operand(tensor({0.1, inf}), Operand{}, 0, {});
  CHECK_FALSE(q.changed);
  CHECK(q.scale == 1);
}

TEST_CASE("values that binary64 does not hold are rounded from what they are") {
  // 2^80 + 1 into a format of 80 fraction bits would be exact; into binary64 spacing 2^28 it is 2^80. In int100 it is kept.
  Tensor t;
  t.shape = {1};
  accsim::formats::Exact x;
  x.significand = (accsim::formats::Wide{1} << 80) + 1;
  t.values = Values(Values::Storage(std::vector<accsim::formats::Exact>{x}));
  const QuantizedOperand q = quantize_operand(t, operand("int100", ScaleRule::one), 0, {});
  REQUIRE(q.changed);
  CHECK(same_value(q.values.exact(0), x));
}

TEST_CASE("large tensors quantize as Rounder rounds each element, for any number of threads") {
  std::mt19937_64 random(4);
  std::vector<double> values = {0.0, -0.0, inf, -inf, not_a_number, 1e-310, -1e-310, 1e300, -1e300};
  std::normal_distribution<double> normal(0, 4);
  while (values.size() < 20011) values.push_back(std::ldexp(normal(random), static_cast<int>(random() % 40) - 30));
  const Tensor t = tensor(values);
  std::vector<float> narrow(values.begin(), values.end());
  Tensor of_floats = t;
  of_floats.values = Values(narrow);
  for (const char* name : {"int8", "uint8",    "int16", "s12.6", "s24.16", "s40.20", "e4m3", "e5m2", "e4m3fnuz", "fp16",
                           "bf16", "lba_fp12", "e8m12", "tf32",  "fp32",   "posit8", "hif8", "e8m0", "luq_e3m0", "e6m5:subnormals=off"}) {
    for (const char* rounding : {"rne", "ru", "sr:bits=6"}) {
      for (const Tensor* tensor : std::initializer_list<const Tensor*>{&t, &of_floats}) {
        Operand o = operand(name, ScaleRule::number, 0.75);
        parse_rounding(rounding, o.rounding);
        o.rounding.overflow = accsim::formats::Overflow::saturate;
        const accsim::formats::RandomPosition position{.output = 0, .layer = 2, .pass = 1, .site = 15};
        const QuantizedOperand one = quantize_operand(*tensor, o, 9, position, 1);
        const QuantizedOperand many = quantize_operand(*tensor, o, 9, position, 7);
        const accsim::formats::Rounder rounder(*o.format, o.rounding);
        std::int64_t wrong = 0;
        for (std::int64_t i = 0; i < one.values.size(); ++i) {
          std::uint32_t r = 0;
          if (rounder.is_stochastic()) {
            accsim::formats::RandomPosition here = position;
            here.output = static_cast<std::uint64_t>(i);
            r = accsim::formats::PhiloxStream(9, here).next();
          }
          const double expected =
              to_double(rounder(accsim::formats::from_double<accsim::formats::UInt128>(tensor->values.number(i) / 0.75), r).value);
          for (const double x : {one.values.number(i), many.values.number(i)})
            wrong += std::isnan(expected) ? !std::isnan(x) : std::bit_cast<std::uint64_t>(x) != std::bit_cast<std::uint64_t>(expected);
        }
        CAPTURE(name);
        CAPTURE(rounding);
        CHECK(wrong == 0);
      }
    }
  }
  CHECK(amax(t.values, 7) == 1e300);
  CHECK(amax(of_floats.values, 3) == amax(of_floats.values, 1));
}
