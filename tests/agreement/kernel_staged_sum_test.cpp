// Staged sums in the fused-sum lanes against the interpreter: random ones, CDNA3's units, parts that cancel or lie far apart.
#include <doctest/doctest.h>

#include <array>
#include <cmath>

#include "agree.h"
#include "draw.h"
#include "operands.h"
#include "sim/kernels/fused_sum_run.h"

namespace {

using namespace accsim;
using namespace accsim::agreement;
using formats::Overflow;
using formats::Rounding;
using sim::LevelKind;

constexpr std::array units = {"cdna3_fp16_fp32",      "cdna3_bf16_fp32",      "cdna3_fp8_fp32",      "cdna3_xf32_fp32",
                              "cdna3_fp16_fp32_2025", "cdna3_bf16_fp32_2025", "cdna3_fp8_fp32_2025", "cdna3_xf32_fp32_2025"};

/// Operands' formats, those of CDNA3 among them.
void draw_operands(Case& c, Generator& g) {
  sim::Datapath& d = c.datapath;
  d.name = "random";
  d.a.format = parsed(g, {"fp16", "bf16", "tf32", "e4m3", "e5m2", "e2m1", "e5m4", "e5m13", "e4m3fnuz", "e5m2fnuz"});
  d.b.format = between(g, 0, 2) != 0 ? *d.a.format : parsed(g, {"fp16", "bf16", "e4m3", "e5m2"});
  c.a_emin = formats::limits(*d.a.format).emin;
  c.b_emin = formats::limits(*d.b.format).emin;
}

/// What sums are held in and rounded to, as the lanes take it.
void draw_sums(sim::Level& l, Generator& g) {
  l.format =
      parsed(g, {"fp32", "fp32", "fp16", "bf16", "e4m3", "e5m10:subnormals=off", "e4m7:bias=10,specials=none,subnormals=off", "e8m13"});
  if (l.format.name == "fp32" && between(g, 0, 3) == 0) l.round_to = parsed(g, {"e8m13", "e8m13", "e8m5:bias=131"});
  l.rounding.mode = one_of(g, {Rounding::rz, Rounding::rne});
  l.rounding.overflow = one_of(g, {Overflow::ieee, Overflow::saturate, Overflow::nan});
  if (between(g, 0, 4) == 0) l.rounding.underflow = one_of(g, {formats::Underflow::flush, formats::Underflow::none});
}

/// The innermost level, at times one above, sizes and values.
void complete(Case& c, const sim::Level& innermost, Generator& g) {
  sim::Datapath& d = c.datapath;
  d.levels.push_back(innermost);
  if (between(g, 0, 3) == 0) {
    d.levels.front().issues = between(g, 1, 4);
    sim::Level next;
    next.kind = one_of(g, {LevelKind::sequential, LevelKind::tree});
    next.format = between(g, 0, 1) != 0 ? formats::parse_format("fp32") : innermost.format;
    next.rounding.mode = one_of(g, {Rounding::rne, Rounding::rz});
    d.levels.push_back(next);
    d.accumulator.last = between(g, 0, 3) == 0;
  }
  c.rows = between(g, 1, 6);
  c.columns = one_of<std::int64_t>(g, {1, 3, 4, 7, 8, 9, 15, 16, 17, 33});
  c.k = one_of<std::int64_t>(g, {1, 2, 4, 7, 8, 9, 16, 33, 64, 100});
  c.a = spread_operands(g, c.rows * c.k, *d.a.format);
  c.b = spread_operands(g, c.columns * c.k, *d.b.format);
  if (between(g, 0, 3) == 0) start_from(c, spread_operands(g, c.rows * c.columns, d.accumulator_format()));
}

Case random_staged_sum(Generator& g) {
  Case c;
  draw_operands(c, g);
  if (between(g, 0, 1) != 0) c.datapath.product.range = parsed(g, {"fp32", "fp32", "bf16", "fp16", "e4m3", "e2m2:specials=ieee"});
  sim::Level l;
  l.kind = LevelKind::staged_sum;
  l.terms = one_of<std::int64_t>(g, {1, 2, 3, 4, 8, 8, 16, 17, 32});
  l.fraction_bits = static_cast<int>(one_of<std::int64_t>(g, {2, 7, 13, 20, 23, 24, 24, 25}));
  l.align = one_of(g, {sim::Align::rz, sim::Align::rz, sim::Align::rd});
  if (between(g, 0, 2) == 0) l.zero_operand_exponent = static_cast<int>(one_of<std::int64_t>(g, {-126, -126, -21, -5, 3}));
  l.subsets = static_cast<int>(std::min(*l.terms, one_of<std::int64_t>(g, {1, 1, 2, 2, 3, 8})));
  l.sum_fraction_bits = l.fraction_bits + static_cast<int>(one_of<std::int64_t>(g, {-2, 0, 5, 7, 8, 8}));
  if (between(g, 0, 2) != 0)
    l.result_fraction_bits = l.sum_fraction_bits + static_cast<int>(one_of<std::int64_t>(g, {-9, -2, -1, -1, 0, 4}));
  l.sum_fraction_bits = std::max(l.sum_fraction_bits, 0);
  if (l.result_fraction_bits) l.result_fraction_bits = std::max(*l.result_fraction_bits, 0);
  l.join_align = one_of(g, {sim::Align::rd, sim::Align::rd, sim::Align::rz});
  l.drop_far_accumulator = between(g, 0, 2) == 0;
  draw_sums(l, g);
  complete(c, l, g);
  return c;
}

struct Expected {
  double value;
  std::int64_t inexact;  ///< of each output
};

/// Forty outputs of the same terms in every instruction set's lanes. The operands' format is the datapath's where none is given.
void run_lanes(const char* name, const std::string& format, const std::vector<double>& a, const std::vector<double>& b, double accumulator,
               const Expected& expected) {
  CAPTURE(name);
  Case c;
  c.datapath = sim::find_datapath(name);
  if (!format.empty()) c.datapath.a.format = c.datapath.b.format = formats::parse_format(format);
  c.a_emin = c.b_emin = formats::limits(*c.datapath.a.format).emin;
  c.columns = 40;
  c.k = static_cast<std::int64_t>(a.size());
  c.a = a;
  for (std::int64_t column = 0; column < c.columns; ++column) c.b.insert(c.b.end(), b.begin(), b.end());
  start_from(c, std::vector<double>(40, accumulator));
  int ran = 0;
  CHECK(disagreement(c, "fused_sum_", ran) == "");
  for (const sim::Executor* executor : sim::executors()) {
    if (!executor->name().starts_with("fused_sum_")) continue;
    CHECK(executor->refusal(c.datapath, c.facts()) == "");
    sim::TileResult result;
    executor->run(c.datapath, c.tile(), result);
    CHECK(result.numbers == std::vector<double>(40, expected.value));
    CHECK(result.events[sim::Event::sum_inexact] == 40 * expected.inexact);
  }
}

}  // namespace

TEST_CASE("fused-sum kernels give the interpreter's bits and counts on random staged sums") {
  agree(random_staged_sum, "fused_sum_", 600, 0.5);
}

TEST_CASE("CDNA3's units in lanes tell widths and order as published") {
  for (const char* const name : units) {
    // Equation 10 of arXiv 2511.10909. Products cut to halves toward zero: -2^23 - 0.5; with 2^23 -0.5. In fp8 (bf8 holds these numbers)
    // the odd terms, -0.5 and -0.125, lose nothing, and their sum is cut to halves down: -2^23 - 1; with 2^23 -1. Exact: -0.875.
    const bool is_fp8 = sim::find_datapath(name).levels.front().subsets == 2;
    run_lanes(name, is_fp8 ? "e5m2fnuz" : "", {-0x1p13, -0.5, -0.25, -0.125}, {0x1p10, 1, 1, 1}, 0x1p23,
              {.value = is_fp8 ? -1.0 : -0.5, .inexact = 1});
  }
}

TEST_CASE("staged sums whose parts cancel far below the last place are exact") {
  // 2.25 2^-s is 1.5 x 1.5 2^-s and 1.125 2^-s x 2: a binade apart, the same number. Both are cut alike, toward zero, so that 1 is left.
  for (int s = 15; s <= 70; ++s) {
    CAPTURE(s);
    const std::vector<double> a{1, std::ldexp(1.5, -s), std::ldexp(-1.125, -s)};
    run_lanes("cdna3_bf16_fp32", "", a, {1, 1.5, 2}, 0, {.value = 1, .inexact = 0});
  }
}

TEST_CASE("staged sums that binary64 does not hold are inexact where something small is lost") {
  // 57344^2 = 1.75^2 2^30 cancels with the accumulator; the odd term, 2^-34, is cut 24 bits below 2^30.
  run_lanes("cdna3_fp8_fp32", "e5m2fnuz", {57344, 0x1p-17}, {57344, 0x1p-17}, -57344.0 * 57344.0, {.value = 0, .inexact = 1});
}

TEST_CASE("CDNA3's units run in lanes, not in the interpreter to which an executor may hand a tile") {
  for (const char* const name : units) {
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
      CHECK(sim::kernels::run_fused_sum(sim::kernels::fused_lanes_baseline(), c.datapath, c.tile(), result));
    }
  }
}
