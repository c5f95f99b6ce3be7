// Tensor conversions against Rounder, element by element.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <random>

#include "formats/convert.h"
#include "formats/convert_isa.h"
#include "formats/error.h"
#include "formats/round.h"

using namespace accsim;
using namespace accsim::formats;

namespace {

const char* const names[] = {"e4m3",
                             "e5m2",
                             "e4m3fnuz",
                             "e5m2fnuz",
                             "e3m4",
                             "e3m2",
                             "e2m3",
                             "e2m1",
                             "fp16",
                             "bf16",
                             "e8m0",
                             "dlfloat16",
                             "luq_e3m0",
                             "lba_fp12",
                             "sr_fp12",
                             "e6m5:subnormals=off",
                             "e8m7:subnormals=off",
                             "e8m3:bias=140",
                             "e8m3:bias=110",
                             "e5m2:bias=-40",
                             "binary8p3se",
                             "binary8p3sf",
                             "binary8p4ue",
                             "binary8p1uf",
                             "binary8p1se",
                             "binary16p3se",
                             "binary16p1ue",
                             "binary16p16uf",
                             "binary16p15sf",
                             "e1m6",
                             "binary16p5ue"};

/// Patterns of binary32: all the upper halves with a few lower ones, then random ones.
std::vector<float> patterns() {
  std::vector<float> all;
  for (std::uint32_t high = 0; high < 0x10000; ++high) {
    for (const std::uint32_t low : {0x0000U, 0x0001U, 0x7FFFU, 0x8000U, 0xFFFFU}) all.push_back(std::bit_cast<float>(high << 16 | low));
  }
  std::mt19937 random(9);
  for (int i = 0; i < 50000; ++i) all.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
  return all;
}

std::size_t mismatches_with(const Format& format, const RoundingSpec& spec, const std::vector<float>& values, std::uint64_t seed = 0,
                            RandomPosition position = {}) {
  check_combination(spec, format);
  REQUIRE(TensorQuantizer::supports(format, spec));
  std::vector<std::uint16_t> codes(values.size());
  TensorQuantizer(format, spec)(values, codes, seed, position);
  const Rounder rounder(format, spec);
  std::size_t mismatches = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::uint32_t random = 0;
    if (rounder.is_stochastic()) {
      RandomPosition at = position;
      at.output += i;
      random = PhiloxStream(seed, at).next();
    }
    const auto expected = encode(rounder(from_double<UInt128>(values[i]), random).value, format);
    if (codes[i] == expected) continue;
    if (++mismatches <= 5) {
      std::printf("%s %a: expected %x, found %x\n", format.name.c_str(), static_cast<double>(values[i]), static_cast<unsigned>(expected),
                  static_cast<unsigned>(codes[i]));
    }
  }
  return mismatches;
}

}  // namespace

TEST_CASE("tensors quantize to nearest even as Rounder does, in every overflow mode") {
  const std::vector<float> values = patterns();
  std::size_t cases = 0;
  for (const char* name : names) {
    CAPTURE(name);
    const Format format = parse_format(name);
    CHECK(mismatches_with(format, {}, values) == 0);
    ++cases;
  }
  const std::vector<float> some(values.begin(), values.begin() + 100000);
  for (const char* name : {"e4m3", "fp16", "e4m3fnuz", "binary8p3se", "binary8p4ue", "e8m0"}) {
    for (const Overflow overflow : {Overflow::saturate, Overflow::propagate, Overflow::nan, Overflow::infinity}) {
      CHECK(mismatches_with(parse_format(name), {.overflow = overflow}, values) == 0);
      ++cases;
    }
  }
  std::printf("conversions, rne: %zu, 0 mismatches (%s)\n", cases * values.size(), conversion_instructions());
}

TEST_CASE("every 16-bit value converts as Rounder does: all of fp16 and of bf16 into the 8-bit formats") {
  for (const char* source : {"fp16", "bf16"}) {
    const std::vector<float> values = decoding_table(parse_format(source));
    for (const char* name : names) CHECK(mismatches_with(parse_format(name), {}, values) == 0);
  }
}

TEST_CASE("stochastic conversions use word 0 of Philox at each element's position, for any number of random bits") {
  std::vector<float> values = patterns();
  std::shuffle(values.begin(), values.end(), std::mt19937(3));
  values.resize(20011);  // no multiple of a vector
  for (const char* name : names) {
    CAPTURE(name);
    for (const int bits : {1, 8, 13, 32}) {
      const RoundingSpec spec{.mode = Rounding::sr, .stochastic = {.bits = bits}};
      CHECK(mismatches_with(parse_format(name), spec, values, 0x123456789ABCDEFULL,
                            {.output = 0xFFFFFF00ULL, .layer = 3, .pass = 1, .site = 14}) == 0);
    }
  }
}

TEST_CASE("the loops for any machine give what those of this one give") {
  std::vector<float> values = patterns();
  values.resize(30001);
  const Format format = parse_format("e5m2");
  std::vector<std::uint16_t> codes(values.size());
  for (const int bits : {0, 7}) {
    const RoundingSpec spec{.mode = bits > 0 ? Rounding::sr : Rounding::rne, .stochastic = {.bits = bits}};
    TensorQuantizer quantizer(format, spec);
    quantizer(values, codes, 5, {.output = 77, .site = 15});
    std::vector<std::uint16_t> others(values.size());
    baseline::convert(values.data(), others.data(), values.size(), quantizer.plan(), {.first = 77, .c3 = 15, .key0 = 5});
    CHECK(codes == others);
  }
}

TEST_CASE("decoding tables hold every code's value") {
  const Format format = parse_format("bf16");
  const std::vector<float> table = decoding_table(format);
  REQUIRE(table.size() == 65536);
  for (unsigned code = 0; code < table.size(); ++code) {
    const float expected = std::bit_cast<float>(code << 16);
    REQUIRE((std::isnan(expected) ? std::isnan(table[code]) : std::bit_cast<std::uint32_t>(table[code]) == code << 16));
  }
  const std::vector<std::uint16_t> codes = {0x3F80, 0xC000};
  std::vector<float> values(2);
  decode(codes, table, values);
  CHECK(values == std::vector<float>{1, -2});
  CHECK_THROWS_WITH_AS(decoding_table(parse_format("binary16p3se")), doctest::Contains("binary32 does not hold"), InputError);
  CHECK_THROWS_AS(decoding_table(parse_format("fp32")), InputError);
}

TEST_CASE("what the fast conversions do not do, they say so") {
  CHECK_FALSE(TensorQuantizer::supports(parse_format("fp32"), {}));
  CHECK_FALSE(TensorQuantizer::supports(parse_format("int8"), {}));
  CHECK_FALSE(TensorQuantizer::supports(parse_format("posit8"), {}));
  CHECK_FALSE(TensorQuantizer::supports(parse_format("e4m3"), {.mode = Rounding::rz}));
  CHECK_FALSE(
      TensorQuantizer::supports(parse_format("e4m3"), {.mode = Rounding::sr, .stochastic = {.bits = 4, .kind = StochasticKind::b}}));
  CHECK_FALSE(TensorQuantizer::supports(parse_format("e4m3"), {.underflow = Underflow::flush}));
}
