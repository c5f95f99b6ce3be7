// The fused-sum kernels against the interpreter: random matrix units, operands whose cuts cancel, lie far below or are not finite.
#include <doctest/doctest.h>

#include "agree.h"
#include "operands.h"
#include "sim/kernels/executors.h"
#include "sim/kernels/fused_sum_run.h"

namespace {

using namespace accsim;
using namespace accsim::agreement;
using formats::Overflow;
using formats::Rounding;
using sim::LevelKind;

Case random_fused_sum(Generator& g) {
  Case c;
  sim::Datapath& d = c.datapath;
  d.name = "random";
  d.a.format = parsed(g, {"fp16", "bf16", "tf32", "e4m3", "e5m2", "e2m1", "e5m4"});
  d.b.format = between(g, 0, 2) != 0 ? *d.a.format : parsed(g, {"fp16", "bf16", "e4m3", "e5m2"});
  c.a_emin = formats::limits(*d.a.format).emin;
  c.b_emin = formats::limits(*d.b.format).emin;
  sim::Level l;
  l.kind = LevelKind::fused_sum;
  l.with_accumulator = true;
  l.terms = one_of<std::int64_t>(g, {1, 2, 3, 4, 8, 16, 17, 32, 40});
  l.fraction_bits = static_cast<int>(one_of<std::int64_t>(g, {2, 7, 13, 20, 23, 24, 25, 29}));
  l.align = one_of(g, {sim::Align::rz, sim::Align::rz, sim::Align::rd});
  if (between(g, 0, 2) != 0) l.zero_exponent = static_cast<int>(one_of<std::int64_t>(g, {-133, -132, -21, -5, 3}));
  l.format =
      parsed(g, {"fp32", "fp32", "fp16", "bf16", "e4m3", "e5m10:subnormals=off", "e4m7:bias=10,specials=none,subnormals=off", "e8m13"});
  if (l.format.name == "fp32" && between(g, 0, 3) == 0) l.round_to = formats::parse_format("e8m13");
  l.rounding.mode = one_of(g, {Rounding::rz, Rounding::rne});
  l.rounding.overflow = one_of(g, {Overflow::ieee, Overflow::saturate, Overflow::nan});
  if (between(g, 0, 4) == 0) l.rounding.underflow = one_of(g, {formats::Underflow::flush, formats::Underflow::none});
  const bool above = between(g, 0, 3) == 0;
  if (above) l.issues = between(g, 1, 4);
  d.levels.push_back(l);
  if (above) {
    sim::Level next;
    next.kind = one_of(g, {LevelKind::sequential, LevelKind::tree});
    next.format = between(g, 0, 1) != 0 ? formats::parse_format("fp32") : l.format;
    next.rounding.mode = one_of(g, {Rounding::rne, Rounding::rz});
    d.levels.push_back(next);
    d.accumulator.last = between(g, 0, 3) == 0;
  }
  c.rows = between(g, 1, 6);
  c.columns = one_of<std::int64_t>(g, {1, 3, 4, 7, 8, 9, 15, 16, 17});
  c.k = one_of<std::int64_t>(g, {1, 2, 4, 7, 8, 9, 16, 33, 64, 100});
  c.a = spread_operands(g, c.rows * c.k, *d.a.format);
  c.b = spread_operands(g, c.columns * c.k, *d.b.format);
  if (between(g, 0, 3) == 0) start_from(c, spread_operands(g, c.rows * c.columns, d.accumulator_format()));
  return c;
}

sim::Operand block_operand(Draw& draw, std::int64_t divisor) {
  sim::Operand operand;
  operand.block = formats::parse_block_format(
      draw.of({"mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e3m2", "mxfp6_e2m3", "mxfp4", "mxfp4", "mxint8", "nvfp4", "nvfp4"}));
  if (operand.block->rule != formats::ScaleRule::nvfp4)
    operand.block->block = static_cast<int>(divisor) * draw.of({1, 2, 4, divisor == 1 ? 32 : 3});
  return operand;
}

/// Matrix units of block formats as they are, and with groups, blocks, widths and roundings that no unit has.
Case random_block_sum(Generator& g) {
  Draw draw(g());
  Case c;
  sim::Datapath& d = c.datapath;
  d.name = "random";
  sim::Level l;
  const bool in_groups = draw.chance(50);
  l.kind = in_groups ? LevelKind::scaled_sum : LevelKind::fused_sum;
  l.with_accumulator = true;
  l.group = in_groups ? draw.of<std::int64_t>({1, 2, 3, 4, 8, 16, 16, 32}) : 0;
  l.terms = in_groups ? l.group * draw.of<std::int64_t>({1, 2, 4, 4, 7, 16}) : draw.of<std::int64_t>({1, 3, 16, 32, 32, 40});
  l.fraction_bits = in_groups ? draw.of({5, 20, 24, 35, 35, 38, 40}) : draw.of({2, 13, 22, 25, 25, 29});
  l.align = draw.of({sim::Align::rz, sim::Align::rz, sim::Align::rd});
  if (draw.chance(60)) l.zero_exponent = draw.of({-139, -133, -20, 3});
  else if (!in_groups && draw.chance(50)) l.zero_operand_exponent = draw.of({-126, -20, 3});
  l.format = formats::parse_format(draw.of({"fp32", "fp32", "fp32", "fp16", "bf16", "fp64", "e8m13"}));
  l.rounding.mode = draw.of({Rounding::rz, Rounding::rz, Rounding::rne});
  l.rounding.overflow = draw.of({Overflow::infinity, Overflow::ieee, Overflow::saturate});
  d.a = block_operand(draw, std::max<std::int64_t>(l.group, 1));
  d.b = draw.chance(50) ? d.a : block_operand(draw, std::max<std::int64_t>(l.group, 1));
  if (draw.chance(10)) {
    d.b = {};
    d.b.format = formats::parse_format(draw.of({"e2m1", "e3m2", "fp16", "int4"}));
  }
  d.levels.push_back(l);
  draw_size(c, 4096, draw);
  fill_operands(c,
                draw.of({Distribution::normal, Distribution::heavy_tailed, Distribution::near_overflow, Distribution::subnormal_rich,
                         Distribution::special_values, Distribution::cancelling, Distribution::small_integers}),
                Traced::binary32, draw);
  if (draw.chance(25)) fill_accumulator(c, draw);
  return c;
}

}  // namespace

TEST_CASE("fused-sum kernels give the interpreter's bits and counts on random matrix units of block formats") {
  agree(random_block_sum, "fused_sum_", 600, 0.8);
}

TEST_CASE("matrix units of block formats run in lanes, not in the interpreter to which an executor may hand a tile") {
  using namespace sim::kernels;
  for (const char* const name :
       {"blackwell_mxfp8", "blackwell_mxfp6", "blackwell_mxfp4", "blackwell_mxfp4_k32", "blackwell_nvfp4", "hopper_fp16_fp16_2025"}) {
    CAPTURE(name);
    for (const Distribution distribution : distributions) {
      Draw draw(3);
      Case c;
      c.datapath = sim::find_datapath(name);
      c.rows = 5;
      c.columns = 33;
      c.k = 200;
      fill_operands(c, distribution, Traced::binary32, draw);
      sim::TileResult result;
      CHECK(run_fused_sum(fused_lanes_baseline(), c.datapath, c.tile(), result));
    }
  }
}

TEST_CASE("fused-sum kernels give the interpreter's bits and counts on random matrix units") {
  agree(random_fused_sum, "fused_sum_", 400, 0.5);
}

TEST_CASE("sums that underflow = none keeps below binary32's numbers enter a binary32 level as they are") {
  Case c;
  sim::Datapath& d = c.datapath;
  d.name = "none";
  d.a.format = d.b.format = formats::parse_format("bf16");
  c.a_emin = c.b_emin = formats::limits(*d.a.format).emin;
  sim::Level& inner = d.levels.emplace_back();
  inner.kind = LevelKind::fused_sum;
  inner.with_accumulator = true;
  inner.terms = 1;
  inner.issues = 1;
  inner.fraction_bits = 24;
  inner.format = formats::parse_format("fp32");
  inner.rounding.underflow = formats::Underflow::none;
  d.levels.emplace_back().format = formats::parse_format("fp32");
  c.k = 2;
  c.a = {0x1.02p-70, 0x1p-60};
  c.b = {0x1.02p-70, 0x1p-66};  // 2^-140 (1 + 2^-6 + 2^-14), of which binary32 has no 2^-154
  int ran = 0;
  const std::string what = disagreement(c, "fused_sum_", ran);
  CHECK_MESSAGE(what.empty(), what);
  CHECK(ran > 0);
}
