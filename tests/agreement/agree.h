// A kernel against the interpreter on datapaths and operands that a test draws.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>

#include "agreement.h"
#include "formats/error.h"

namespace accsim::agreement {

/// Draws `count` cases (times the environment's ACCSIM_AGREEMENT_FACTOR) and holds the executors whose names begin with `name` against the
/// interpreter. Datapaths that are no datapaths are left out; `least` runs have to remain, or the test would test nothing.
inline void agree(Case (*random_case)(Generator&), std::string_view name, int count, double least) {
  const char* const factor = std::getenv("ACCSIM_AGREEMENT_FACTOR");
  const int cases = factor != nullptr ? count * std::atoi(factor) : count;
  int ran = 0;
  int valid = 0;
  for (int seed = 0; seed < cases; ++seed) {
    CAPTURE(seed);
    Generator g(static_cast<std::uint64_t>(seed));
    Case c = random_case(g);
    try {
      sim::check_datapath(c.datapath);
    } catch (const InputError&) {
      continue;
    }
    ++valid;
    const std::string what = disagreement(c, name, ran);
    REQUIRE_MESSAGE(what.empty(), what);
  }
  MESSAGE(valid << " datapaths, " << ran << " runs of " << name);
  CHECK(ran > least * cases);
}

/// The start of every output's sum: `values` rounded as the datapath's first accumulator is.
inline void start_from(Case& c, const std::vector<double>& values) {
  const formats::Rounder rounder(c.datapath.accumulator_format(), c.datapath.accumulator_rounding());
  for (const double x : values) c.accumulator.push_back(rounder(formats::from_double<formats::UInt128>(x)).value);
}

/// Binary floats of a format, spread over `binades`.
inline std::vector<double> spread_operands(Generator& g, std::int64_t count, const formats::Format& format) {
  const formats::Limits l = formats::limits(format);
  const formats::Rounder rounder(
      format, {.mode = formats::Rounding::rne, .stochastic = {}, .overflow = formats::Overflow::saturate, .underflow = {}});
  const std::int64_t style = between(g, 0, 7);
  const int binades = static_cast<int>(one_of<std::int64_t>(g, {0, 1, 3, 8, 20, 40}));
  const int centre = style == 0 ? log2_floor(l.max_finite) : style == 1 ? l.emin : 0;
  std::vector<double> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double significand = 1.0 + std::ldexp(static_cast<double>(between(g, 0, 1023)), -10);
    double x = std::ldexp(significand, centre + static_cast<int>(between(g, -binades, 0)));
    if (between(g, 0, 1) != 0) x = -x;
    if (style == 2 && i % 2 == 1) x = -values[i - 1];
    if (style == 3 && between(g, 0, 2) == 0) x = between(g, 0, 1) != 0 ? 0.0 : -0.0;
    values[i] = to_double(rounder(formats::from_double<formats::UInt128>(x)).value);
    if (style == 4 && between(g, 0, 40) == 0 && l.has_infinity)
      values[i] = one_of(g, {std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(), std::nan("")});
  }
  return values;
}

inline formats::Format parsed(Generator& g, std::initializer_list<const char*> names) { return formats::parse_format(one_of(g, names)); }

}  // namespace accsim::agreement
