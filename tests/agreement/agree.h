// A kernel against the interpreter on datapaths that a test draws.
#pragma once

#include <doctest/doctest.h>

#include <cstdlib>
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

}  // namespace accsim::agreement
