// The float kernels on the built-in datapaths that need something of their own: every executor runs them in lanes, and equals the
// interpreter.
#include <doctest/doctest.h>

#include <cstdlib>

#include "agreement.h"
#include "operands.h"

namespace {

using namespace accsim;
using namespace accsim::agreement;

/// Executors of the family that ran the case in lanes: the interpreter, to which a kernel may leave a whole tile, gives `outputs`.
int in_lanes(Case& c) {
  const sim::Tile tile = c.tile();
  int count = 0;
  for (const sim::Executor* executor : sim::executors()) {
    if (!executor->name().starts_with("float_") || !executor->refusal(c.datapath, c.facts()).empty()) continue;
    sim::TileResult result;
    executor->run(c.datapath, tile, result);
    count += result.numbers.empty() ? 0 : 1;
  }
  return count;
}
int float_executors() {
  int count = 0;
  for (const sim::Executor* executor : sim::executors()) count += executor->name().starts_with("float_") ? 1 : 0;
  return count;
}

/// Every distribution of operands, sizes about the edges of lanes, with and without C. `all_of`: the distributions of which no tile is left
/// to the interpreter, by any instruction set.
void hold(const std::string& name, std::initializer_list<Distribution> all_of) {
  const char* const factor = std::getenv("ACCSIM_AGREEMENT_FACTOR");
  const int cases = 12 * (factor != nullptr ? std::atoi(factor) : 1);
  CAPTURE(name);
  for (const Distribution distribution : distributions) {
    for (int i = 0; i < cases; ++i) {
      const std::uint64_t seed = 7919 * static_cast<std::uint64_t>(distribution) + static_cast<std::uint64_t>(i);
      CAPTURE(name_of(distribution));
      CAPTURE(seed);
      Draw draw(seed);
      Case c;
      c.datapath = sim::find_datapath(name);
      draw_size(c, 3000, draw);
      fill_operands(c, distribution, draw.of({Traced::binary64, Traced::binary32}), draw);
      if (draw.chance(40)) fill_accumulator(c, draw);
      int ran = 0;
      const std::string what = disagreement(c, "float_", ran);
      REQUIRE_MESSAGE(what.empty(), what);
      if (std::find(all_of.begin(), all_of.end(), distribution) == all_of.end()) continue;
      CHECK(ran == float_executors());
      if (c.accumulator.empty()) CHECK(in_lanes(c) == float_executors());
    }
  }
}

}  // namespace

TEST_CASE("the eager adder of stochastic rounding runs in lanes") {
  hold("sr_fp12_eager", {Distribution::normal, Distribution::heavy_tailed, Distribution::near_overflow, Distribution::subnormal_rich,
                         Distribution::cancelling, Distribution::small_integers});
}

TEST_CASE("units that flush subnormal operands and C run in lanes") {
  for (const char* name : {"cdna2_fp16_fp32", "cdna2_bf16_fp32", "cdna2_bf16_1k_fp32"}) {
    hold(name, {Distribution::normal, Distribution::heavy_tailed, Distribution::near_overflow, Distribution::subnormal_rich,
                Distribution::cancelling, Distribution::small_integers});
  }
}
