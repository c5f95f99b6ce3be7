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

TEST_CASE("binary64 sums run in lanes") {
  for (const char* name : {"cdna_fp64", "nvidia_fp64", "fp64"})
    hold(name, {Distribution::normal, Distribution::heavy_tailed, Distribution::cancelling, Distribution::small_integers});
}

TEST_CASE("binary64 sums count what is tiny, near overflow and zero as the interpreter does") {
  // Pairs of operands whose products and sums lie about the smallest subnormal, the smallest normal and the largest number.
  const double edges[] = {0x1p-1074,
                          0x1p-1022,
                          0x1.fffffffffffffp-1023,
                          0x1.fffffffffffffp-538,
                          0x1.0000000000001p-537,
                          0x1.8p-511,
                          0x1.fffffffffffffp-1,
                          1,
                          0x1.0000000000001p0,
                          0x1.5555555555555p3,
                          0x1p511,
                          0x1.fffffffffffffp511,
                          0x1.fffffffffffffp1023,
                          0x1p-52,
                          0x1p-53,
                          0.0};
  int ran = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    CAPTURE(seed);
    Draw draw(seed);
    Case c;
    c.datapath = sim::find_datapath("nvidia_fp64");
    if (draw.chance(30)) {
      c.datapath.levels.push_back(c.datapath.levels.front());
      c.datapath.levels.front().terms = draw.integer(1, 5);
    }
    if (draw.chance(30)) c.datapath.levels.back().rounding.overflow = formats::Overflow::saturate;
    if (draw.chance(20)) c.datapath.levels.back().rounding.underflow = formats::Underflow::flush;
    c.rows = draw.integer(1, 5);
    c.columns = draw.of<std::int64_t>({1, 2, 7, 8, 9, 16, 17});
    c.k = draw.integer(1, 20);
    const int most = draw.integer(0, 15);  // of one side only some, so that not every block is near overflow
    const auto edge = [&](int last) { return (draw.chance(50) ? -1 : 1) * edges[draw.between(0, last)]; };
    for (std::int64_t i = 0; i < c.rows * c.k; ++i) c.a.push_back(edge(15));
    for (std::int64_t i = 0; i < c.columns * c.k; ++i) c.b.push_back(draw.chance(10) ? edge(15) : edge(most));
    if (draw.chance(30)) fill_accumulator(c, draw);
    const std::string what = disagreement(c, "float_", ran);
    REQUIRE_MESSAGE(what.empty(), what);
  }
  CHECK(ran > 400);
}

TEST_CASE("units that flush subnormal operands and C run in lanes") {
  for (const char* name : {"cdna2_fp16_fp32", "cdna2_bf16_fp32", "cdna2_bf16_1k_fp32"}) {
    hold(name, {Distribution::normal, Distribution::heavy_tailed, Distribution::near_overflow, Distribution::subnormal_rich,
                Distribution::cancelling, Distribution::small_integers});
  }
}
