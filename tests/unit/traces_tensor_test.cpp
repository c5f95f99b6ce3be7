// Reading tensors: stored types, codes and carriers.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "traces/block_reader.h"
#include "traces/element_decoder.h"
#include "traces_fixture.h"
#include "traces_input.h"

namespace accsim::test {
namespace {

using sim::Pass;
using sim::Tensor;
using sim::Values;
using traces::LayerPass;
using traces::TraceFile;

/// A float type of 2 bytes with these numbers of exponent and fraction bits.
hid_t small_float_type(std::size_t exponent_bits, std::size_t fraction_bits, std::size_t bias) {
  const hid_t type = worked(H5Tcopy(H5T_IEEE_F32LE));
  worked(H5Tset_fields(type, 15, fraction_bits, exponent_bits, 0, fraction_bits));
  worked(H5Tset_precision(type, 16));
  worked(H5Tset_size(type, 2));
  worked(H5Tset_ebias(type, bias));
  return type;
}

/// fc/input as 2-byte floats with these bits.
Tensor small_floats(hid_t type, const std::vector<std::uint16_t>& bits) {
  return input_of([&](TestFile& file) {
    file.raw_dataset("fc/input", {1, static_cast<std::int64_t>(bits.size())}, type, type, bits.data());
  });
}

}  // namespace

TEST_CASE("float32 data of both byte orders are what was stored, NaN, infinities and -0 included") {
  const std::vector<float> values{1.5F,   -0.0F, 1e-45F, -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(),
                                  3.4e38F};
  for (const hid_t type : {H5T_IEEE_F32LE, H5T_IEEE_F32BE}) {
    const Tensor t = input_of(values, {}, {.file_type = type});
    REQUIRE(carried_as<float>(t));
    CHECK(t.shape == Shape{1, 6});
    CHECK(!t.format.has_value());
    CHECK(t.scale == std::vector<double>{1.0});
    CHECK(t.values.number(0) == 1.5);
    CHECK(std::signbit(t.values.number(1)));
    CHECK(t.values.number(2) == std::ldexp(1.0, -149));
    CHECK(t.values.number(3) == -std::numeric_limits<double>::infinity());
    CHECK(std::isnan(t.values.number(4)));
    CHECK(t.values.number(5) == static_cast<double>(3.4e38F));
  }
}

TEST_CASE("float64 data are carried as binary32 where that is exact for all of them, else as binary64") {
  const Tensor narrow =
      input_of(std::vector<double>{1.5, -0.0, std::numeric_limits<double>::infinity()}, {}, {.file_type = H5T_IEEE_F64BE});
  CHECK(carried_as<float>(narrow));
  CHECK(std::signbit(narrow.values.number(1)));
  for (const double wide : {0.1, 1e39, std::ldexp(1.0, -150), std::ldexp(1.0, -1074)}) {
    const Tensor t = input_of(std::vector<double>{1.5, wide});
    CHECK(carried_as<double>(t));
    CHECK(t.values.number(1) == wide);
  }
}

TEST_CASE("float16 data of both byte orders convert exactly, subnormals and specials too") {
  // binary16: 3c01 = 1 + 2^-10, 0001 = 2^-24, 03ff = 1023 * 2^-24, 7bff = 65504, fc00 = -inf, 7e00 NaN, 8000 = -0.
  const std::vector<std::uint16_t> bits{0x3C01, 0x0001, 0x03FF, 0x7BFF, 0xFC00, 0x7E00, 0x8000};
  const Id type(small_float_type(5, 10, 15));
  const Tensor t = small_floats(type, bits);
  REQUIRE(carried_as<float>(t));
  CHECK(!t.format.has_value());
  CHECK(t.values.number(0) == 1.0009765625);
  CHECK(t.values.number(1) == std::ldexp(1.0, -24));
  CHECK(t.values.number(2) == std::ldexp(1023.0, -24));
  CHECK(t.values.number(3) == 65504.0);
  CHECK(t.values.number(4) == -std::numeric_limits<double>::infinity());
  CHECK(std::isnan(t.values.number(5)));
  CHECK(std::signbit(t.values.number(6)));

  const Id swapped(H5Tcopy(type));
  worked(H5Tset_order(swapped, H5T_ORDER_BE));
  CHECK(small_floats(swapped, {0x013C, 0xFF7B}).values.number(0) == 1.0009765625);
}

TEST_CASE("bfloat16 data and other IEEE-style floats of 2 bytes convert exactly") {
  // bfloat16 is the upper half of binary32: 3f81 = 1 + 2^-7, 0001 = 2^-133, 7f7f = (2 - 2^-7) * 2^127.
  const Id bfloat16(small_float_type(8, 7, 127));
  const Tensor t = small_floats(bfloat16, {0x3F81, 0x0001, 0x7F7F});
  REQUIRE(carried_as<float>(t));
  CHECK(t.values.number(0) == 1.0078125);
  CHECK(t.values.number(1) == std::ldexp(1.0, -133));
  CHECK(t.values.number(2) == std::ldexp(255.0, 120));
  // 6 exponent bits (bias 31), 9 fraction bits: 3e01 has exponent field 31, fraction 1: 1 + 2^-9.
  const Id other(small_float_type(6, 9, 31));
  CHECK(small_floats(other, {0x3E01}).values.number(0) == 1.001953125);
}

TEST_CASE("raw codes decode in their format and keep it") {
  // OCP E4M3: 38 = 1, 7e = 448, 01 = 2^-9, ff = NaN, 80 = -0.
  const Tensor t =
      input_of(std::vector<std::uint8_t>{0x38, 0x7E, 0x01, 0xFF, 0x80}, [](TestFile& f) { f.attribute("fc/input", "format", "E4M3"); });
  REQUIRE(carried_as<float>(t));
  REQUIRE(t.format.has_value());
  CHECK(*t.format == formats::parse_format("ocp_e4m3"));
  CHECK(t.values.number(0) == 1.0);
  CHECK(t.values.number(1) == 448.0);
  CHECK(t.values.number(2) == std::ldexp(1.0, -9));
  CHECK(std::isnan(t.values.number(3)));
  CHECK(std::signbit(t.values.number(4)));
}

TEST_CASE("codes may be stored in wider integers of any width, signed or unsigned, in both byte orders") {
  const auto e5m2 = [](TestFile& f) { f.attribute("fc/input", "format", "e5m2"); };
  // E5M2: 3c = 1, c0 = -2.
  const std::vector<double> expected{1.0, -2.0};
  CHECK(numbers(input_of(std::vector<std::uint16_t>{0x3C, 0xC0}, e5m2, {.file_type = H5T_STD_U16BE})) == expected);
  CHECK(numbers(input_of(std::vector<std::int32_t>{0x3C, 0xC0}, e5m2, {.file_type = H5T_STD_I32BE})) == expected);
  CHECK(numbers(input_of(std::vector<std::uint64_t>{0x3C, 0xC0}, e5m2)) == expected);
  CHECK(numbers(input_of(std::vector<std::int64_t>{0x3C, 0xC0}, e5m2)) == expected);
  const Id three_bytes(H5Tcopy(H5T_STD_U32LE));
  worked(H5Tset_precision(three_bytes, 24));
  worked(H5Tset_size(three_bytes, 3));
  CHECK(numbers(input_of(std::vector<std::uint32_t>{0x3C, 0xC0}, e5m2, {.file_type = three_bytes})) == expected);
  const Id twelve_bits(H5Tcopy(H5T_STD_U16LE));
  worked(H5Tset_precision(twelve_bits, 12));
  worked(H5Tset_offset(twelve_bits, 2));
  CHECK(numbers(input_of(std::vector<std::uint16_t>{0x3C, 0xC0}, e5m2, {.file_type = twelve_bits})) == expected);
}

TEST_CASE("negative integers in signed data are two's complement codes where the sign is merely extended") {
  const auto annotate = [](const char* format) { return [format](TestFile& f) { f.attribute("fc/input", "format", format); }; };
  CHECK(numbers(input_of(std::vector<std::int8_t>{-5, 127, -128}, annotate("int8"))) == std::vector<double>{-5, 127, -128});
  CHECK(numbers(input_of(std::vector<std::int16_t>{-5, 0xFB}, annotate("int8"))) == std::vector<double>{-5, -5});
  CHECK(numbers(input_of(std::vector<std::int8_t>{-8, 7, 15}, annotate("int4"))) == std::vector<double>{-8, 7, -1});
  CHECK(numbers(input_of(std::vector<std::int8_t>{-1}, annotate("uint8"))) == std::vector<double>{255});
  // -4 is the pattern fc: s8.4, two's complement, weight 1/16.
  CHECK(numbers(input_of(std::vector<std::int8_t>{-4}, annotate("s8.4"))) == std::vector<double>{-0.25});
}

TEST_CASE("codes of up to 128 bits are read, and values beyond binary64 are carried exactly") {
  const auto annotate = [](const char* format) { return [format](TestFile& f) { f.attribute("fc/input", "format", format); }; };
  const std::int64_t big = (std::int64_t{1} << 62) + 1;
  const Tensor wide = input_of(std::vector<std::int64_t>{big, -big, 3}, annotate("int64"));
  REQUIRE(carried_as<formats::Exact>(wide));
  CHECK(wide.values.exact(0).significand == formats::Wide(big));
  CHECK(wide.values.exact(1).negative);
  CHECK(wide.values.exact(2).significand == 3);
  // The same format, values that fit less.
  CHECK(carried_as<float>(input_of(std::vector<std::int64_t>{5, -7}, annotate("int64"))));
  CHECK(carried_as<double>(input_of(std::vector<std::int64_t>{(1 << 25) + 1}, annotate("int64"))));

  const Id sixteen_bytes(H5Tcopy(H5T_STD_I64LE));
  worked(H5Tset_size(sixteen_bytes, 16));
  worked(H5Tset_precision(sixteen_bytes, 128));
  // Two codes of s128.0, low word first: 2^64 + 2, and -3.
  const std::uint64_t words[] = {2, 1, ~std::uint64_t{2}, ~std::uint64_t{0}};
  const Tensor widest = input_of([&](TestFile& file) {
    file.raw_dataset("fc/input", {1, 2}, sixteen_bytes, sixteen_bytes, words);
    file.attribute("fc/input", "format", "s128.0");
  });
  REQUIRE(carried_as<formats::Exact>(widest));  // 2^64 + 2 has 64 significant bits
  CHECK(formats::same_value(widest.values.exact(0), {.significand = (formats::Wide{1} << 64) + 2}));
  CHECK(widest.values.number(1) == -3.0);
}

TEST_CASE("codes of the IEEE formats are read as the floats they are") {
  const auto bits = [](float x) { return std::bit_cast<std::uint32_t>(x); };
  const Tensor t =
      input_of(std::vector<std::uint32_t>{bits(0.1F), bits(-1e-40F)}, [](TestFile& f) { f.attribute("fc/input", "format", "fp32"); });
  CHECK(carried_as<float>(t));
  CHECK(numbers(t) == std::vector<double>{static_cast<double>(0.1F), static_cast<double>(-1e-40F)});
}

TEST_CASE("codes of tapered formats are read, narrow and wide, with a zero point too") {
  const auto annotate = [](const char* format, double zero_point) {
    return [=](TestFile& f) { f.attribute("fc/input", "format", format).attribute("fc/input", "zero_point", zero_point); };
  };
  // posit8 (2 exponent bits): 40 = 1, 48 = 2, c0 = -1. posit32: 40000000 = 1, 7fffffff = 2^120.
  CHECK(numbers(input_of(std::vector<std::uint8_t>{0x40, 0x48, 0xC0}, annotate("posit8", 0.0))) == std::vector<double>{1, 2, -1});
  CHECK(numbers(input_of(std::vector<std::uint8_t>{0x40, 0x48, 0xC0}, annotate("posit8", 0.5))) == std::vector<double>{0.5, 1.5, -1.5});
  const Tensor wide = input_of(std::vector<std::uint32_t>{0x40000000, 0x7FFFFFFF}, annotate("posit32", 0.0));
  CHECK(carried_as<float>(wide));
  CHECK(numbers(wide) == std::vector<double>{1, std::ldexp(1.0, 120)});
  const Tensor exact = input_of(std::vector<std::uint32_t>{0x40000000, 0x7FFFFFFF}, annotate("posit32", 0.5));  // 2^120 - 1/2: 121 bits
  CHECK(carried_as<formats::Exact>(exact));
  CHECK(exact.values.number(0) == 0.5);
}

}  // namespace accsim::test
