// Many numbers rounded at once against Rounder, element by element.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <vector>

#include "formats/convert_isa.h"
#include "formats/error.h"
#include "formats/number_rounder.h"
#include "formats/round.h"

using namespace accsim::formats;

namespace {

const char* const rounded_formats[] = {"int8",
                                       "uint8",
                                       "int4",
                                       "s8.4",
                                       "u12.20",
                                       "int18",
                                       "s51.30",
                                       "int2",
                                       "e4m3",
                                       "e5m2",
                                       "e4m3fnuz",
                                       "e3m2",
                                       "e2m1",
                                       "fp16",
                                       "bf16",
                                       "tf32",
                                       "fp32",
                                       "lba_fp12",
                                       "sr_fp12",
                                       "dlfloat16",
                                       "e8m12",
                                       "e5m2:bias=8",
                                       "e6m5:subnormals=off",
                                       "binary8p3se",
                                       "binary8p4ue",
                                       "binary8p3sf",
                                       "e4m3:specials=none",
                                       "e9m30"};

/// Patterns of binary64 from everywhere, and numbers at, halfway between and beside the values that the format has.
std::vector<double> numbers(const Format& format, unsigned seed, int count) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  std::vector<double> all = {
      0.0, -0.0, inf, -inf, std::nan(""), std::numeric_limits<double>::denorm_min(), -0x1p-1074, 0x1.fffffffffffffp1023};
  std::mt19937_64 random(seed);
  const Limits l = limits(format);
  const int top = log2_floor(l.max_finite);
  std::uniform_int_distribution<int> binade(l.lsb_exponent - 3, top + 2);
  std::uniform_int_distribution<int> wide_binade(-1074, 1023);
  const auto beside = [&](double x) {
    for (const double y : {x, std::nextafter(x, inf), std::nextafter(x, -inf)}) {
      all.push_back(y);
      all.push_back(-y);
    }
  };
  for (const NarrowExact& end : {l.max_finite, l.min_finite, l.min_normal}) {
    const double x = to_double(end);
    const double spacing = std::ldexp(1.0, spacing_exponent(format, widened(end)));
    for (const double steps : {0.0, 0.25, 0.5, 0.75, 1.0}) {
      beside(x + steps * spacing);
      beside(x - steps * spacing);
    }
  }
  for (int i = 0; i < count; ++i) {
    all.push_back(std::bit_cast<double>(random()));
    const double fraction = 1.0 + std::ldexp(static_cast<double>(random() >> 12), -52);
    all.push_back(std::ldexp(fraction, wide_binade(random)));
    const int e = binade(random);
    all.push_back((random() & 1) != 0 ? -std::ldexp(fraction, e) : std::ldexp(fraction, e));
    // A few bits around the last one kept.
    const int kept = std::min(l.precision + static_cast<int>(random() % 3), 52);
    beside(std::ldexp(std::floor(std::ldexp(fraction, kept)), e - kept));
  }
  return all;
}

bool is_possible(const RoundingSpec& spec, const Format& format) {
  try {
    check_combination(spec, format);
  } catch (const accsim::InputError&) {
    return false;
  }
  return true;
}

}  // namespace

TEST_CASE("many numbers round as Rounder rounds each, in every mode, to floats and fixed point") {
  std::size_t compared = 0;
  std::size_t combinations = 0;
  for (const char* name : rounded_formats) {
    const Format format = parse_format(name);
    const std::vector<double> values = numbers(format, 5, 300);
    for (const Rounding mode : {Rounding::rne, Rounding::rna, Rounding::rz, Rounding::ru, Rounding::rd, Rounding::ro}) {
      for (const Overflow overflow : {Overflow::ieee, Overflow::saturate, Overflow::nan, Overflow::saturate_symmetric,
                                      Overflow::saturate_zero, Overflow::propagate, Overflow::infinity}) {
        for (const auto underflow : {std::optional<Underflow>{}, std::optional(Underflow::flush)}) {
          const RoundingSpec spec{.mode = mode, .overflow = overflow, .underflow = underflow};
          if (!is_possible(spec, format)) continue;
          REQUIRE(NumberRounder::supports(format, spec));
          const NumberRounder many(format, spec);
          const Rounder one(format, spec);
          std::vector<double> rounded = values;
          many(rounded);
          std::vector<double> portable = values;
          baseline::round_numbers(portable.data(), portable.size(), many.plan());
          ++combinations;
          for (std::size_t i = 0; i < values.size(); ++i) {
            const double expected = to_double(one(from_double<UInt128>(values[i])).value);
            ++compared;
            const auto same = [&](double x) {
              return std::isnan(expected) ? std::isnan(x) : std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(expected);
            };
            if (same(rounded[i]) && same(portable[i])) continue;
            CAPTURE(name);
            CAPTURE(rounding_spelling(spec));
            CAPTURE(values[i]);
            CHECK(rounded[i] == expected);
            FAIL_CHECK(portable[i] << " instead of " << expected);
            return;
          }
        }
      }
    }
  }
  std::printf("numbers rounded: %zu in %zu combinations, 0 mismatches\n", compared, combinations);
}

TEST_CASE("what the loops are not proved for is refused") {
  CHECK_FALSE(NumberRounder::supports(parse_format("fp64"), {}));
  CHECK_FALSE(NumberRounder::supports(parse_format("posit8"), {}));
  CHECK_FALSE(NumberRounder::supports(parse_format("luq_e3m0"), {}));
  CHECK_FALSE(NumberRounder::supports(parse_format("e8m0"), {}));
  CHECK_FALSE(NumberRounder::supports(parse_format("s8.-1"), {}));
  CHECK_FALSE(NumberRounder::supports(parse_format("int8"), {.overflow = Overflow::wrap}));
  CHECK_FALSE(NumberRounder::supports(parse_format("int60"), {.overflow = Overflow::saturate}));
  CHECK_FALSE(NumberRounder::supports(parse_format("e4m3"), {.mode = Rounding::sr, .stochastic = {.bits = 4}}));
  CHECK_FALSE(NumberRounder::supports(parse_format("fp16"), {.underflow = Underflow::none}));
}
