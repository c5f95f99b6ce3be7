// Every format of at most 12 bits: all codes, and all rounding modes at every value, every midpoint and its two neighbours.
#include <doctest/doctest.h>

#include <cstdio>
#include <random>

#include "formats/format.h"
#include "formats/round.h"
#include "oracle.h"

using namespace accsim::formats;
using oracle::Mode;
using oracle::Nan;
using oracle::Number;

namespace {

void add_p3109(std::vector<oracle::Format>& all, int first, int last);

std::vector<oracle::Format> small_formats() {
  std::vector<oracle::Format> all;
  all.push_back(oracle::float_format("e4m3", 4, 3, 7, Nan::all_ones, false, true));
  all.push_back(oracle::float_format("e5m2", 5, 2, 15, Nan::ieee, true, true));
  all.push_back(oracle::float_format("e4m3fnuz", 4, 3, 8, Nan::negative_zero, false, true));
  all.push_back(oracle::float_format("e5m2fnuz", 5, 2, 16, Nan::negative_zero, false, true));
  all.push_back(oracle::float_format("e4m3b11fnuz", 4, 3, 11, Nan::negative_zero, false, true));
  all.push_back(oracle::float_format("e3m4", 3, 4, 3, Nan::ieee, true, true));
  all.push_back(oracle::float_format("e4m3:specials=ieee", 4, 3, 7, Nan::ieee, true, true));
  all.push_back(oracle::float_format("e3m2", 3, 2, 3, Nan::none, false, true));
  all.push_back(oracle::float_format("e2m3", 2, 3, 1, Nan::none, false, true));
  all.push_back(oracle::float_format("e2m1", 2, 1, 1, Nan::none, false, true));
  all.push_back(oracle::float_format("luq_e3m0", 3, 0, 3, Nan::none, false, true));
  all.push_back(oracle::float_format("sr_fp12", 6, 5, 31, Nan::ieee, true, true));
  all.push_back(oracle::lba("lba_fp12", 4, 7, 10));
  all.push_back(oracle::lba("e4m7:bias=12,specials=none,subnormals=off", 4, 7, 12));
  all.push_back(oracle::lba("e5m3:specials=none,subnormals=off", 5, 3, 15));
  all.push_back(oracle::float_format("e6m5:subnormals=off", 6, 5, 31, Nan::ieee, true, false));
  all.push_back(oracle::float_format("e5m2:subnormals=off", 5, 2, 15, Nan::ieee, true, false));
  all.push_back(oracle::float_format("e4m3:subnormals=off", 4, 3, 7, Nan::all_ones, false, false));
  all.push_back(oracle::float_format("e4m3fnuz:subnormals=off", 4, 3, 8, Nan::negative_zero, false, false));
  all.push_back(oracle::float_format("e8m3", 8, 3, 127, Nan::ieee, true, true));
  all.push_back(oracle::float_format("e1m6", 1, 6, 0, Nan::ieee, true, true));
  all.push_back(oracle::float_format("e2m9:bias=-5,specials=none", 2, 9, -5, Nan::none, false, true));
  all.push_back(oracle::float_format("e11m0:specials=none", 11, 0, 1023, Nan::none, false, true));
  all.push_back(oracle::float_format("e5m0:specials=fn", 5, 0, 15, Nan::all_ones, false, true));
  all.push_back(oracle::e8m0());
  all.push_back(oracle::hif8());
  add_p3109(all, 3, 10);
  return all;
}

void add_p3109(std::vector<oracle::Format>& all, int first, int last) {
  for (int k = first; k <= last; ++k) {
    for (int p = 1; p <= k; ++p) {
      for (const bool extended : {true, false}) {
        if (p < k) all.push_back(oracle::p3109(k, p, true, extended));
        all.push_back(oracle::p3109(k, p, false, extended));
      }
    }
  }
}

/// The oracle's modes and the library's Rounders, side by side.
struct Both {
  Mode mode;
  Rounder rounder;
};

std::vector<Both> all_modes(const Format& format) {
  std::vector<Both> both;
  const auto add = [&](Mode mode) {
    const RoundingSpec spec{.mode = mode.rounding, .stochastic = {.bits = mode.bits, .kind = mode.kind}, .overflow = mode.overflow};
    check_combination(spec, format);
    both.push_back({mode, Rounder(format, spec)});
  };
  for (const Rounding r : {Rounding::rne, Rounding::rna, Rounding::rz, Rounding::ru, Rounding::rd, Rounding::ro}) {
    add({.rounding = r});
  }
  for (const StochasticKind kind : {StochasticKind::a, StochasticKind::b, StochasticKind::c, StochasticKind::below}) {
    for (const int bits : {1, 4, 8}) add({.rounding = Rounding::sr, .kind = kind, .bits = bits});
  }
  add({.overflow = Overflow::saturate});
  add({.rounding = Rounding::ru, .overflow = Overflow::saturate});
  add({.overflow = Overflow::propagate});
  add({.rounding = Rounding::rd, .overflow = Overflow::propagate});
  add({.overflow = Overflow::nan});
  add({.rounding = Rounding::rz, .overflow = Overflow::infinity});
  add({.rounding = Rounding::ro, .overflow = Overflow::infinity});
  return both;
}

void check_codes(const std::vector<oracle::Format>& formats) {
  std::size_t codes = 0;
  for (const oracle::Format& f : formats) {
    CAPTURE(f.name);
    const Format format = parse_format(f.name);
    REQUIRE(code_bits(format) == f.bits);
    REQUIRE(parse_format(spelling(format)) == format);
    std::vector<char> seen(std::size_t{1} << f.bits);
    for (std::size_t i = 0; i < f.values.size(); ++i) {
      if (i > 0) REQUIRE(mpfr_less_p(f.values[i - 1].value.get(), f.values[i].value.get()));
      if (i > 0 && f.name != "hif8") REQUIRE(f.values[i - 1].code < f.values[i].code);
      for (const bool negative : {false, true}) {
        if (negative && (!f.is_signed || (f.values[i].value.is_zero() && !f.has_negative_zero))) continue;
        const unsigned code = f.with_sign(f.values[i].code, negative);
        NarrowExact expected = f.values[i].value.exact();
        expected.negative = negative;
        const NarrowExact found = decode(code, format);
        REQUIRE(same_value(found, expected));
        REQUIRE(found.negative == negative);
        REQUIRE(encode(found, format) == code);
        REQUIRE(represents(format, found));
        REQUIRE_FALSE(seen[code]);
        seen[code] = 1;
        ++codes;
      }
    }
    if (f.has_infinity) {
      for (const bool negative : {false, true}) {
        if (negative && !f.is_signed) continue;
        const unsigned code = f.with_sign(f.infinity_code, negative);
        REQUIRE(decode(code, format).infinite);
        REQUIRE(decode(code, format).negative == negative);
        REQUIRE(encode(NarrowExact::infinity(negative), format) == code);
        seen[code] = 1;
        ++codes;
      }
    }
    for (unsigned code = 0; code < seen.size(); ++code) {
      if (seen[code]) continue;
      const NarrowExact found = decode(code, format);
      // What is left: NaN, and in formats that flush the codes of exponent field 0, which read as zero.
      const bool reads_as_zero = f.flushes && found.is_zero();
      REQUIRE((found.nan || reads_as_zero));
      ++codes;
    }
    if (f.nan != Nan::none) REQUIRE(encode(NarrowExact::not_a_number(), format) == f.nan_code);
    const Limits l = limits(format);
    REQUIRE(same_value(l.max_finite, f.values.back().value.exact()));
    REQUIRE(same_value(l.min_normal, f.min_normal.exact()));
  }
  std::printf("codes of formats of at most 12 bits: %zu, 0 mismatches\n", codes);
}

void check_roundings(const std::vector<oracle::Format>& formats) {
  std::size_t cases = 0;
  std::size_t mismatches = 0;
  std::mt19937 random(20240601);
  std::printf("midpoint seed 20240601\n");
  for (const oracle::Format& f : formats) {
    CAPTURE(f.name);
    const Format format = parse_format(f.name);
    const std::vector<Both> modes = all_modes(format);
    std::vector<Number> points;
    const auto around = [&points](const Number& a, const Number& b) {
      Number mid(128);
      mpfr_add(mid.get(), a.get(), b.get(), MPFR_RNDN);
      mpfr_div_2ui(mid.get(), mid.get(), 1, MPFR_RNDN);
      points.push_back(mid);
      for (const bool up : {false, true}) {
        Number beside = mid;
        if (up) mpfr_nextabove(beside.get());
        else mpfr_nextbelow(beside.get());
        points.push_back(beside);
      }
    };
    for (std::size_t i = 0; i < f.values.size(); ++i) {
      points.push_back(f.values[i].value);
      if (i + 1 < f.values.size()) around(f.values[i].value, f.values[i + 1].value);
    }
    around(f.values.back().value, f.next);
    points.push_back(f.next);
    if (f.flushes) {
      around(f.below, f.values[f.has_zero ? 1 : 0].value);
      points.push_back(f.below);
    }
    for (const Number& edge : {f.values.back().value, f.next, f.min_normal, f.values[1].value}) {
      for (int step = 0; step < 2; ++step) {  // the nearest neighbours at 100 bits
        Number beside(100);
        mpfr_set(beside.get(), edge.get(), MPFR_RNDN);
        if (step == 0) mpfr_nextabove(beside.get());
        else mpfr_nextbelow(beside.get());
        points.push_back(beside);
      }
    }
    Number huge = Number::of(3, 16000);
    points.push_back(huge);
    points.push_back(Number::of(3, -16000));
    Number special(64);
    mpfr_set_inf(special.get(), 1);
    points.push_back(special);
    mpfr_set_nan(special.get());
    points.push_back(special);

    for (const Number& point : points) {
      for (const bool negative : {false, true}) {
        Number x = point;
        if (negative) mpfr_neg(x.get(), x.get(), MPFR_RNDN);
        const NarrowExact value = x.exact();
        for (const Both& both : modes) {
          const unsigned r = random();
          const oracle::Result expected = oracle::rounded(x, f, both.mode, r);
          Rounded<UInt128> found;
          Events events;
          NarrowExact delivered;
          try {
            found = both.rounder(value, r);
            events = found.events;
            delivered = found.value;
          } catch (const DoesNotFit&) {
            const Rounded<Wide> w = both.rounder(widened(value), r);
            events = w.events;
            delivered = narrowed(w.value);
          }
          const oracle::Result got{static_cast<unsigned>(encode(delivered, format)), events.overflow, events.underflow, events.inexact,
                                   events.invalid};
          ++cases;
          if (got == expected) continue;
          if (++mismatches > 20) continue;
          mpfr_printf("%s mode %d/%d/%d overflow %d r %u x %Ra: expected %x o%d u%d i%d v%d, found %x o%d u%d i%d v%d\n", f.name.c_str(),
                      static_cast<int>(both.mode.rounding), static_cast<int>(both.mode.kind), both.mode.bits,
                      static_cast<int>(both.mode.overflow), r, x.get(), expected.code, expected.overflow, expected.underflow,
                      expected.inexact, expected.invalid, got.code, got.overflow, got.underflow, got.inexact, got.invalid);
        }
      }
    }
  }
  std::printf("roundings at values, midpoints and beside them: %zu, %zu mismatches\n", cases, mismatches);
  CHECK(mismatches == 0);
}

}  // namespace

TEST_CASE("every code of the formats of at most 12 bits has the value of its standard, and codes follow values") {
  std::vector<oracle::Format> formats = small_formats();
  add_p3109(formats, 11, 12);
  check_codes(formats);
}

TEST_CASE("every value, midpoint and neighbour of a midpoint rounds as a search among all values says, in every mode") {
  check_roundings(small_formats());
}

TEST_CASE("so they do in the P3109 formats of 11 and 12 bits (long)") {
  std::vector<oracle::Format> formats;
  add_p3109(formats, 11, 12);
  check_roundings(formats);
}
