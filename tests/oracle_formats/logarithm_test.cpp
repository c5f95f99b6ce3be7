// Logarithmic numbers against MPFR's exp2 and log2.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <random>

#include "formats/format.h"
#include "formats/lns.h"
#include "formats/round.h"
#include "number.h"

using namespace accsim::formats;
using oracle::Number;

namespace {

/// 2^(units / 2^fraction_bits) in `precision` bits.
Number power(long units, int fraction_bits, mpfr_prec_t precision) {
  Number n(precision);
  const Number exponent = Number::of(units, -fraction_bits);
  mpfr_exp2(n.get(), exponent.get(), MPFR_RNDN);
  return n;
}

/// log2|x| * 2^fraction_bits.
Number units_of(const Number& x, int fraction_bits) {
  Number n(400);
  mpfr_abs(n.get(), x.get(), MPFR_RNDN);
  mpfr_log2(n.get(), n.get(), MPFR_RNDN);
  mpfr_mul_2si(n.get(), n.get(), fraction_bits, MPFR_RNDN);
  return n;
}

struct Logarithmic {
  Format format;
  int fraction_bits;
  long top;
};
Logarithmic lns(const char* name) {
  const Format f = parse_format(name);
  const auto& facts = *std::get_if<LogFormat>(&f.layout);
  return {f, facts.fraction_bits, (1L << (facts.width - 2)) - 1};
}

/// The sum 2^a +/- 2^b, as units: MPFR's, rounded to nearest.
long nearest_units(const Number& sum, int fraction_bits) {
  Number n = units_of(sum, fraction_bits);
  mpfr_rint(n.get(), n.get(), MPFR_RNDN);
  return mpfr_get_si(n.get(), MPFR_RNDN);
}

}  // namespace

TEST_CASE("codes of logarithmic numbers are powers of two, correctly rounded to 120 bits") {
  std::size_t codes = 0;
  for (const char* name : {"lns8.3", "lns16.10", "lns12.0", "lns10.8", "lns16.4"}) {
    const Logarithmic l = lns(name);
    const int width = code_bits(l.format);
    for (long units = -l.top; units <= l.top; units += l.top > 5000 ? 7 : 1) {
      const auto code = static_cast<Code>(units & ((1L << (width - 1)) - 1));
      const NarrowExact x = decode(code, l.format);
      REQUIRE(same_value(x, power(units, l.fraction_bits, 120).exact()));
      REQUIRE(encode(x, l.format) == code);
      REQUIRE(represents(l.format, x));
      const NarrowExact minus = decode(code | (Code{1} << (width - 1)), l.format);
      REQUIRE(minus.negative);
      REQUIRE(encode(minus, l.format) == (code | (Code{1} << (width - 1))));
      codes += 2;
    }
    const Code zero = Code{1} << (width - 2);
    REQUIRE(decode(zero, l.format).is_zero());
    REQUIRE(decode(zero | (Code{1} << (width - 1)), l.format).nan);
    REQUIRE(encode(NarrowExact::zero(true), l.format) == zero);
  }
  std::printf("lns codes: %zu, 0 mismatches\n", codes);
}

TEST_CASE("binary64 values round to the logarithm that each mode asks for") {
  std::mt19937_64 random(3);
  std::size_t cases = 0;
  for (const char* name : {"lns8.3", "lns16.10"}) {
    const Logarithmic l = lns(name);
    for (int n = 0; n < 5000; ++n) {
      const double value = std::ldexp(1 + static_cast<double>(random() >> 12) * 0x1p-52, static_cast<int>(random() % 40) - 20);
      Number x(64);
      mpfr_set_d(x.get(), value, MPFR_RNDN);
      Number units = units_of(x, l.fraction_bits);
      Number floor(64);
      mpfr_rint_floor(floor.get(), units.get(), MPFR_RNDN);
      const long low = mpfr_get_si(floor.get(), MPFR_RNDN);
      Number nu(400);
      mpfr_sub(nu.get(), units.get(), floor.get(), MPFR_RNDN);
      for (const bool negative : {false, true}) {
        const auto check = [&](RoundingSpec spec, bool up, std::uint32_t r = 0) {
          const long expected = nu.is_zero() ? low : low + (up ? 1 : 0);
          spec.overflow = Overflow::saturate;
          NarrowExact exact = from_double<UInt128>(value);
          exact.negative = negative;
          const auto found = round(exact, l.format, spec, r);
          ++cases;
          if (expected < -l.top) {
            REQUIRE(found.value.is_zero());
            REQUIRE(found.events == Events{.underflow = true, .inexact = true});
            return;
          }
          REQUIRE(found.value.negative == negative);
          REQUIRE(same_value(magnitude(found.value), power(std::min(expected, l.top), l.fraction_bits, 120).exact()));
          REQUIRE(found.events.overflow == (expected > l.top));
        };
        const bool half = mpfr_cmp_d(nu.get(), 0.5) >= 0;
        check({}, half);
        check({.mode = Rounding::rna}, half);
        check({.mode = Rounding::rz}, false);
        check({.mode = Rounding::ru}, !negative);
        check({.mode = Rounding::rd}, negative);
        check({.mode = Rounding::ro}, low % 2 == 0);
        const auto r = static_cast<std::uint32_t>(random() & 15U);
        check({.mode = Rounding::sr, .stochastic = {.bits = 4}}, std::floor(mpfr_get_d(nu.get(), MPFR_RNDD) * 16) + r >= 16, r);
      }
    }
  }
  std::printf("binary64 to lns: %zu, 0 mismatches\n", cases);
}

TEST_CASE("products of logarithmic numbers are exact, sums and differences the nearest logarithm") {
  std::size_t cases = 0;
  std::mt19937 random(4);
  for (const char* name : {"lns8.3", "lns16.10"}) {
    const Logarithmic l = lns(name);
    const RoundingSpec spec{.overflow = Overflow::saturate};
    const Rounder rounder(l.format, spec);
    const bool all = l.top < 100;
    const long count = all ? 2 * l.top + 1 : 5000;
    for (long n = 0; n < (all ? count * count : count); ++n) {
      const long a = all ? n / count - l.top : static_cast<long>(random() % (2 * static_cast<unsigned>(l.top) + 1)) - l.top;
      const long b = all ? n % count - l.top : a + static_cast<long>(random() % 24001) - 12000;
      if (std::labs(b) > l.top) continue;
      const NarrowExact x = power_of_two(a, l.fraction_bits);
      NarrowExact y = power_of_two(b, l.fraction_bits);
      for (const Rounding mode : {Rounding::rne, Rounding::rz, Rounding::ru, Rounding::ro}) {
        const auto p = Rounder(l.format, {.mode = mode, .overflow = Overflow::saturate})(widened(product(widened(x), widened(y))));
        if (a + b < -l.top) REQUIRE(p.value.is_zero());
        else REQUIRE(same_value(p.value, widened(power_of_two(std::min(a + b, l.top), l.fraction_bits))));
        REQUIRE(p.events.inexact == (std::labs(a + b) > l.top));
      }
      for (const bool minus : {false, true}) {
        y.negative = minus;
        const auto s = rounder.rounded_sum(widened(x), widened(y));
        ++cases;
        Number exact(600);
        const Number big = power(a, l.fraction_bits, 500);
        const Number small = power(b, l.fraction_bits, 500);
        if (minus) mpfr_sub(exact.get(), big.get(), small.get(), MPFR_RNDN);
        else mpfr_add(exact.get(), big.get(), small.get(), MPFR_RNDN);
        if (minus && a == b) {
          REQUIRE(s.value.is_zero());
          continue;
        }
        const long units = nearest_units(exact, l.fraction_bits);
        REQUIRE((units < -l.top || s.value.negative == exact.negative()));
        if (units < -l.top) REQUIRE(s.value.is_zero());
        else REQUIRE(same_value(magnitude(s.value), widened(power_of_two(std::min(units, l.top), l.fraction_bits))));
      }
    }
  }
  std::printf("lns sums and differences: %zu, 0 mismatches\n", cases);
}

TEST_CASE("an adder with a table adds what MPFR's table of log2(1 +/- 2^-d) holds at its address") {
  std::size_t cases = 0;
  std::size_t unlike_exact = 0;
  for (const auto& [name, table_bits] :
       {std::pair{"lns8.3:table=3", 3}, std::pair{"lns8.3:table=10", 10}, std::pair{"lns12.6:table=4", 4}}) {
    const Logarithmic l = lns(name);
    const Rounder rounder(l.format, {.overflow = Overflow::saturate});
    const auto entry = [&l](long d, bool minus) {
      Number n = power(-d, l.fraction_bits, 500);
      if (minus) mpfr_ui_sub(n.get(), 1, n.get(), MPFR_RNDN);
      else mpfr_add_ui(n.get(), n.get(), 1, MPFR_RNDN);
      return nearest_units(n, l.fraction_bits);
    };
    int reach = 0;  // the power of two from which the table is zero
    while (entry(1L << reach, true) != 0) ++reach;
    const int step = std::max(0, reach - table_bits);
    for (long a = -l.top; a <= l.top; a += l.top > 100 ? 997 : 7) {
      for (long b = -l.top; b <= l.top; b += 3) {
        for (const bool minus : {false, true}) {
          NarrowExact y = power_of_two(b, l.fraction_bits);
          y.negative = minus;
          const auto s = rounder.rounded_sum(widened(power_of_two(a, l.fraction_bits)), widened(y));
          ++cases;
          if (minus && a == b) {
            REQUIRE(s.value.is_zero());
            continue;
          }
          const long d = std::labs(a - b);
          long units = std::max(a, b);
          if ((d >> step) < 1L << table_bits) units += entry(std::max((d >> step) << step, minus ? 1L : 0L), minus);
          const bool gone = units < -l.top;
          REQUIRE(s.value.is_zero() == gone);
          if (!gone) REQUIRE(same_value(magnitude(s.value), widened(power_of_two(std::min(units, l.top), l.fraction_bits))));
          if (!gone) REQUIRE(s.value.negative == (minus && b > a));
          if (d != 0) unlike_exact += units != std::max(a, b) + entry(d, minus) ? 1 : 0;
        }
      }
    }
  }
  std::printf("lns table sums: %zu, 0 mismatches; %zu unlike the nearest\n", cases, unlike_exact);
  CHECK(unlike_exact > 0);
}
