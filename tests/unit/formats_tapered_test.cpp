// Posits against their standard's vectors and against the codes of wider posits; LNS in formats_lns_test.cpp, HiFloat8 in oracle_formats.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>

#include "formats/format.h"
#include "formats/round.h"
#include "formats/value_text.h"

using namespace accsim::formats;

namespace {

/// The value of a positive posit code by the text of the standard: count the run, then exponent bits and fraction, missing bits being zero.
double by_the_book(unsigned code, int width, int es) {
  std::string bits;
  for (int i = width - 2; i >= 0; --i) bits += ((code >> i) & 1U) != 0 ? '1' : '0';
  std::size_t run = bits.find_first_not_of(bits[0]);
  if (run == std::string::npos) run = bits.size();
  const int k = bits[0] == '1' ? static_cast<int>(run) - 1 : -static_cast<int>(run);
  std::string rest = run < bits.size() ? bits.substr(run + 1) : "";
  int e = 0;
  for (int i = 0; i < es; ++i) e = 2 * e + (i < static_cast<int>(rest.size()) && rest[static_cast<std::size_t>(i)] == '1' ? 1 : 0);
  rest = static_cast<int>(rest.size()) > es ? rest.substr(static_cast<std::size_t>(es)) : "";
  double fraction = 1;
  double weight = 0.5;
  for (const char c : rest) {
    if (c == '1') fraction += weight;
    weight /= 2;
  }
  return std::ldexp(fraction, (k << es) + e);
}

}  // namespace

TEST_CASE("posit codes have the values of the standard's vectors") {
  const Format p8 = parse_format("posit8");
  const std::pair<unsigned, const char*> vectors[] = {{0x40, "1"},  {0x41, "1.125"},  {0x48, "2"},       {0x50, "4"},
                                                      {0x60, "16"}, {0x7f, "0x1p24"}, {0x01, "0x1p-24"}, {0xc0, "-1"}};
  for (const auto& [code, text] : vectors) CHECK(same_value(widened(decode(code, p8)), parse_value(text)));
  CHECK(same_value(widened(decode(0x7fff, parse_format("posit16"))), parse_value("0x1p56")));
  CHECK(same_value(widened(decode(1, parse_format("posit16"))), parse_value("0x1p-56")));
  CHECK(decode(0x80, p8).nan);
  CHECK(encode(NarrowExact::not_a_number(), p8) == 0x80);
}

TEST_CASE("every posit of at most 16 bits decodes by the book, and codes follow values") {
  std::size_t codes = 0;
  for (int es = 0; es <= 3; ++es) {
    for (const int width : {3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16}) {
      const Format f = parse_format("posit" + std::to_string(width) + ":es=" + std::to_string(es));
      double last = 0;
      for (unsigned code = 1; code < 1U << (width - 1); ++code) {
        const NarrowExact x = decode(code, f);
        const double value = to_double(x);
        REQUIRE(value == by_the_book(code, width, es));
        REQUIRE(value > last);
        last = value;
        REQUIRE(encode(x, f) == code);
        REQUIRE(represents(f, x));
        REQUIRE(encode(negated(x), f) == ((1U << width) - code));
        REQUIRE(to_double(decode((1U << width) - code, f)) == -value);
        // The spacing is the gap to the next value, or the power of two below it.
        if (code + 1 < 1U << (width - 1)) {
          const double gap = by_the_book(code + 1, width, es) - value;
          REQUIRE(spacing_exponent(f, widened(x)) == std::ilogb(gap));
        }
        codes += 2;
      }
    }
  }
  std::printf("posit codes: %zu, 0 mismatches\n", codes);
}

TEST_CASE("posits round on the bit string: kept bits and tail are those of the posit that is eight bits wider") {
  std::size_t cases = 0;
  for (const int es : {0, 2}) {
    for (const int width : {5, 8, 10}) {
      const Format f = parse_format("posit" + std::to_string(width) + ":es=" + std::to_string(es));
      const Format wider = parse_format("posit" + std::to_string(width + 8) + ":es=" + std::to_string(es));
      const unsigned maxpos = (1U << (width - 1)) - 1U;
      for (unsigned code = 1; code < 1U << (width + 7); ++code) {
        const NarrowExact x = decode(code, wider);
        const unsigned kept = code >> 8;
        const unsigned tail = code & 255U;
        for (const bool negative : {false, true}) {
          const auto check = [&](RoundingSpec spec, bool up, std::uint32_t random = 0) {
            unsigned expected = std::min(kept + (up ? 1U : 0U), maxpos);
            if (expected == 0) expected = 1;  // never to zero
            NarrowExact signed_x = x;
            signed_x.negative = negative;
            const auto r = round(signed_x, f, spec, random);
            const unsigned code_expected = negative ? (1U << width) - expected : expected;
            REQUIRE(encode(r.value, f) == code_expected);
            const bool above = kept == maxpos && tail != 0;
            REQUIRE(r.events == Events{.overflow = above, .underflow = kept == 0, .inexact = tail != 0});
            ++cases;
          };
          check({}, tail > 128 || (tail == 128 && kept % 2 == 1));
          check({.mode = Rounding::rna}, tail >= 128);
          check({.mode = Rounding::rz}, false);
          check({.mode = Rounding::ru}, tail != 0 && !negative);
          check({.mode = Rounding::rd}, tail != 0 && negative);
          check({.mode = Rounding::ro}, tail != 0 && kept % 2 == 0);
          const std::uint32_t r = code * 2654435761U >> 28;
          check({.mode = Rounding::sr, .stochastic = {.bits = 4}}, tail / 16 + r >= 16, r);
        }
      }
    }
  }
  std::printf("posit roundings: %zu, 0 mismatches\n", cases);
}

TEST_CASE("posits saturate at minpos and maxpos and turn infinity into NaR") {
  const Format f = parse_format("posit8");
  const auto code = [&](const char* x, RoundingSpec spec = {}) {
    check_combination(spec, f);
    return encode(narrowed(round(parse_value(x), f, spec).value), f);
  };
  CHECK(code("1e-30") == 0x01);
  CHECK(code("-1e-30") == 0xff);
  CHECK(code("1e30") == 0x7f);
  CHECK(code("-1e30") == 0x81);
  CHECK(code("1e30", {.mode = Rounding::ru}) == 0x7f);
  CHECK(code("inf") == 0x80);
  CHECK(code("inf", {.overflow = Overflow::saturate}) == 0x7f);
  CHECK(code("1e30", {.overflow = Overflow::nan}) == 0x80);
  CHECK(code("nan") == 0x80);
  CHECK(code("-0") == 0x00);
  CHECK(round(parse_value("inf"), f, {}).events == Events{.overflow = true, .inexact = true, .invalid = true});
  CHECK(round(parse_value("1e30"), f, {}).events == Events{.overflow = true, .inexact = true});
  CHECK(round(parse_value("1e-30"), f, {}).events == Events{.underflow = true, .inexact = true});
}
