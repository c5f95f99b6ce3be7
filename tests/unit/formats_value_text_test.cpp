// Values as text; expected texts are Python's repr (without .0), or counted by hand where binary64 does not suffice.
#include <doctest/doctest.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <random>

#include "formats/error.h"
#include "formats/facts.h"
#include "formats/value_text.h"

using namespace accsim;
using namespace accsim::formats;

namespace {
std::string again(std::string_view text) { return value_text(parse_value(text)); }
}  // namespace

TEST_CASE("special values read and print, with their signs") {
  CHECK(again("inf") == "inf");
  CHECK(again("+Infinity") == "inf");
  CHECK(again("-INF") == "-inf");
  CHECK(again("nan") == "nan");
  CHECK(again("-NaN") == "nan");
  CHECK(again("0") == "0");
  CHECK(again("-0") == "-0");
  CHECK(again("-0.0") == "-0");
  CHECK(again("-0x0p5") == "-0");
  CHECK(again("-1e-400") == "-0");
  CHECK(again("0.00000e999999999999999999999") == "0");
}

TEST_CASE("values print as the shortest decimal that reads back") {
  for (const char* text : {"1", "-1", "448", "57344", "0.1", "0.3333333333333333", "5.960464477539063e-08", "1e+22", "1e-05", "0.0001",
                           "1000000000000000", "1e+16", "5e-324", "1.7976931348623157e+308", "-65504", "0.5"}) {
    CHECK(again(text) == text);
  }
  CHECK(again("100000") == "100000");
  CHECK(again("123456789012345678") == "123456789012345678");  // not a binary64: exact
  CHECK(again("9223372036854775807") == "9223372036854775807");
  CHECK(again("9223372036854775808") == "9.223372036854776e+18");
  CHECK(again("  7 ") == "7");
  CHECK(again("+.5") == "0.5");
  CHECK(again("1e3") == "1000");
}

TEST_CASE("integers are read exactly, other decimals as the nearest binary64") {
  CHECK(again("340282366920938463463374607431768211455") == "340282366920938463463374607431768211455");  // 2^128 - 1
  CHECK(again("00017") == "17");
  CHECK(same_value(parse_value("0.1"), from_double<Wide>(0.1)));
  CHECK(same_value(parse_value("1e23"), from_double<Wide>(1e23)));
  CHECK_FALSE(same_value(parse_value("100000000000000000000000"), from_double<Wide>(1e23)));
}

TEST_CASE("hexadecimal floats are read exactly") {
  CHECK(again("0x1.8p3") == "12");
  CHECK(again("0x1f") == "31");
  CHECK(again("-0X.8P1") == "-1");
  CHECK(again("0x0.4p-8") == "0.0009765625");
  CHECK(same_value(parse_value("0x1.0000000000000000000001p0"), Exact{.exponent = -88, .significand = (Wide{1} << 88) + 1}));
  CHECK(again("0x3p-100000") == "0x3p-100000");
}

TEST_CASE("what binary64 cannot hold prints as its exact decimal") {
  CHECK(value_text(Exact{.exponent = -60, .significand = (Wide{1} << 60) + 1}) ==
        "1.000000000000000000867361737988403547205962240695953369140625");
  CHECK(value_text(Exact{.negative = true, .exponent = -3, .significand = (Wide{1} << 64) + 1}) == "-2305843009213693952.125");
  CHECK(value_text(Exact{.exponent = -1075, .significand = 1}).starts_with("2.4703282292062327208"));  // half the smallest binary64
  CHECK(value_text(Exact{.exponent = 1024, .significand = 1}).size() == 309);
}

TEST_CASE("a random binary64 prints to text that from_chars reads back") {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100000; ++i) {
    const double value = std::bit_cast<double>(random());
    if (std::isnan(value)) continue;
    const std::string text = value_text(from_double<Wide>(value));
    REQUIRE(to_double(parse_value(text)) == value);
    if (std::isinf(value)) continue;
    double read = 0;
    std::from_chars(text.data(), text.data() + text.size(), read);
    REQUIRE(read == value);
  }
}

TEST_CASE("text that is no value is refused by name") {
  for (const char* text : {"", "-", "abc", "1.2.3", "0x", "0x.", "0xg", "0x1p", "0x1p1.5", "1e", "--1", "1 2", "0x1p9999999", "1e400",
                           "infi", "nan1", ".", "-e5", "0x1p0x3"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_value(text), InputError);
  }
  CHECK_THROWS_WITH_AS(parse_value("1e400"), doctest::Contains("beyond the range of binary64"), InputError);
  CHECK_THROWS_AS(parse_value(std::string(20001, '1')), InputError);
}

TEST_CASE("codes are hexadecimal of the format's width") {
  const Format e4m3 = parse_format("e4m3");
  CHECK(parse_code("7e", e4m3) == 0x7e);
  CHECK(parse_code("0xFF", e4m3) == 0xff);
  CHECK(code_text(5, e4m3) == "05");
  CHECK_THROWS_WITH_AS(parse_code("100", e4m3), doctest::Contains("above the format's width of 8"), InputError);
  CHECK_THROWS_AS(parse_code("", e4m3), InputError);
  CHECK_THROWS_AS(parse_code("xy", e4m3), InputError);
  CHECK_THROWS_AS(parse_code("-1", e4m3), InputError);
  CHECK(parse_code("ffffffffffffffffffffffffffffffff", parse_format("s128.0")) == ~Code{0});
  CHECK_THROWS_AS(parse_code("1ffffffffffffffffffffffffffffffff", parse_format("s128.0")), InputError);
}

TEST_CASE("facts of formats are those of the standards") {
  const FormatFacts half = facts_of(parse_format("fp16"));
  CHECK(half.bits == 16);
  CHECK(half.precision == 11);
  CHECK(half.emin == -14);
  CHECK(half.emax == 15);
  CHECK(value_text(half.max) == "65504");
  CHECK(value_text(half.min) == "-65504");
  CHECK(value_text(*half.min_normal) == "6.103515625e-05");
  CHECK(value_text(*half.min_subnormal) == "5.960464477539063e-08");
  CHECK(half.specials == "Inf, NaN, -0");
  const FormatFacts e4m3 = facts_of(parse_format("e4m3"));
  CHECK(value_text(e4m3.max) == "448");
  CHECK(e4m3.specials == "NaN, -0");
  CHECK(value_text(facts_of(parse_format("uint8")).max) == "255");
  for (const FormatFacts& row : list_formats()) {
    CAPTURE(row.name);
    if (row.kind == "block") CHECK(parse_block_format(row.spelling) == parse_block_format(row.name));
    else CHECK(parse_format(row.spelling) == parse_format(row.name));
  }
  CHECK(value_table(parse_format("e2m1")).size() == 16);
  CHECK_THROWS_AS(value_table(parse_format("fp32")), InputError);
}
