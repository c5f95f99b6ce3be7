// The ordered-sum kernels against the interpreter: the built-in units with every kind of operands, random units whose addends are cut,
// cancel, are tied, overflow, are tiny or not finite.
#include <doctest/doctest.h>

#include <algorithm>

#include "agree.h"
#include "draw.h"
#include "operands.h"

namespace {

using namespace accsim;
using namespace accsim::agreement;
using formats::Overflow;
using formats::Rounding;
using sim::LevelKind;

sim::Level random_ordered_level(Generator& g) {
  sim::Level l;
  l.kind = LevelKind::ordered_sum;
  l.terms = one_of<std::int64_t>(g, {1, 2, 2, 2, 3, 4});
  const std::int64_t widths = between(g, 0, 1) != 0 ? *l.terms : 1;
  const std::int64_t most = one_of<std::int64_t>(g, {3, 10, 30, 61, 96});
  for (std::int64_t i = 0; i < widths; ++i) l.addition_fraction_bits.push_back(static_cast<int>(between(g, 0, most)));
  if (between(g, 0, 1) != 0) std::sort(l.addition_fraction_bits.begin(), l.addition_fraction_bits.end());
  l.product_integer_bits = static_cast<int>(between(g, 1, 2));
  l.sticky = between(g, 0, 2) != 0;
  if (l.sticky && between(g, 0, 1) != 0) l.forget_sticky_below = static_cast<int>(between(g, 1, 26));
  l.foresees_sign = between(g, 0, 1) != 0;
  l.align = one_of(g, {sim::Align::rz, sim::Align::rd});
  l.format = parsed(g, {"fp32", "fp32", "fp16", "fp16", "bf16", "e5m2", "e4m3", "e3m2", "e2m3:specials=ieee", "e5m10:subnormals=off",
                        "e4m7:bias=10,specials=none,subnormals=off", "e8m13", "e6m30"});
  if (l.format.name == "fp32" && between(g, 0, 3) == 0) l.round_to = formats::parse_format("e8m13");
  l.rounding.mode = one_of(g, {Rounding::rne, Rounding::rne, Rounding::rna, Rounding::rz, Rounding::ru, Rounding::rd, Rounding::ro});
  l.rounding.overflow =
      one_of(g, {Overflow::ieee, Overflow::ieee, Overflow::ones_tail, Overflow::saturate, Overflow::nan, Overflow::infinity});
  if (between(g, 0, 3) == 0) l.rounding.underflow = one_of(g, {formats::Underflow::flush, formats::Underflow::none});
  return l;
}

Case random_ordered_sum(Generator& g) {
  Case c;
  sim::Datapath& d = c.datapath;
  d.name = "random";
  d.a.format = parsed(g, {"fp16", "bf16", "fp32", "e4m3", "e5m2", "e2m1", "e3m2", "e5m4"});
  d.b.format = between(g, 0, 2) != 0 ? *d.a.format : parsed(g, {"fp16", "bf16", "e4m3", "e5m2", "e2m1"});
  c.a_emin = formats::limits(*d.a.format).emin;
  c.b_emin = formats::limits(*d.b.format).emin;
  d.levels.push_back(random_ordered_level(g));
  const bool above = between(g, 0, 4) == 0;
  if (above) {
    d.levels.front().issues = between(g, 1, 4);
    sim::Level next;
    next.kind = one_of(g, {LevelKind::sequential, LevelKind::tree});
    next.format = between(g, 0, 1) != 0 ? formats::parse_format("fp32") : d.levels.front().format;
    d.levels.push_back(next);
  }
  if (between(g, 0, 7) == 0) d.product.permute = {1, 0};
  d.accumulator.last = between(g, 0, 9) == 0;
  d.tininess = one_of(g, {sim::Tininess::after, sim::Tininess::before, sim::Tininess::delivered});
  c.rows = between(g, 1, 6);
  c.columns = one_of<std::int64_t>(g, {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17});
  c.k = one_of<std::int64_t>(g, {1, 2, 3, 4, 5, 7, 8, 9, 16, 33, 50});
  c.a = spread_operands(g, c.rows * c.k, *d.a.format);
  c.b = spread_operands(g, c.columns * c.k, *d.b.format);
  if (between(g, 0, 2) == 0) start_from(c, spread_operands(g, c.rows * c.columns, d.accumulator_format()));
  return c;
}

int ordered_executors() {
  return static_cast<int>(
      std::ranges::count_if(sim::executors(), [](const sim::Executor* e) { return e->name().starts_with("ordered_sum_"); }));
}

}  // namespace

TEST_CASE("ordered-sum kernels give the interpreter's bits and counts on random units") {
  agree(random_ordered_sum, "ordered_sum_", 1500, 0.5);
}

TEST_CASE("ordered-sum kernels run the built-in units with every kind of operands, at sizes about the edges of lanes and tiles") {
  std::uint64_t seed = 5000000;
  int ran = 0;
  int cases = 0;
  for (const char* name : {"exsdotp_fp8_fp16", "exsdotp_fp16_fp32", "exsdotp_bf16_fp32"}) {
    for (const Distribution distribution : distributions) {
      for (const std::int64_t columns : {1, 2, 3, 4, 7, 8, 9, 15, 17, 33}) {
        CAPTURE(seed);
        Draw draw(seed++);
        Case c;
        c.datapath = sim::find_datapath(name);
        c.columns = columns;
        c.rows = draw.integer(1, 9);
        c.k = draw.of<std::int64_t>({1, 2, 3, 5, 8, 16, 17, 64});
        fill_operands(c, distribution, Traced::binary32, draw);
        if (draw.chance(30)) fill_accumulator(c, draw);
        const std::string what = disagreement(c, "ordered_sum_", ran);
        REQUIRE_MESSAGE(what.empty(), what);
        ++cases;
      }
    }
  }
  CHECK(ran == cases * ordered_executors());
}
