#include "sim/kernels/kernel_float_binary64.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "formats/round.h"
#include "sim/kernels/kernel_float_products.h"
#include "sim/kernels/kernel_float_tile.h"
#include "sim/kernels/kernel_float_unit.h"
#include "sim/kernels/packed_integers.h"

namespace accsim::sim::kernels {
namespace {

using formats::Limits;
using formats::Underflow;

constexpr const LaneType& lane = binary64_lanes;

bool is_binary64(const Limits& l) {
  return l.precision == lane.precision && l.emin == lane.emin && to_double(l.max_finite) == std::numeric_limits<double>::max() &&
         l.is_signed && l.has_zero && l.has_negative_zero;
}

/// Why a level is not for these lanes. `lattice`: all addends and sums are multiples of 2^lattice.
std::string refusal_of(const Level& level, int lattice) {
  if (level.kind != LevelKind::sequential) return "binary64 sums that are not sequential";
  const formats::Format& format = level.rounded_format();
  if (format.as_float() == nullptr || !is_binary64(limits(format))) return format.name + " leaves the lane too few bits below its last one";
  if (level.rounding.mode != formats::Rounding::rne) return "binary64 sums that are not rounded to nearest even";
  if (underflow_of(level.rounding, format) != Underflow::gradual && lattice < lane.emin) return "binary64 sums that may be flushed";
  return {};
}

std::string refusal_of(const Datapath& d, const LayerFacts& facts, const LaneMeans& means, int lattice) {
  if (const std::string_view key = matrix_unit_key(d); !key.empty()) return std::string(key);
  if (const std::string what = unknown_to_finish(d); !what.empty()) return what;
  if (facts.k < 1) return "no terms";
  if (d.product.format) return "binary64 sums of rounded products";
  for (const Level& level : d.levels) {
    if (const std::string why = refusal_of(level, lattice); !why.empty()) return why;
  }
  if (means.fma) return {};
  if (lattice < lane.lsb) return "products below binary64's subnormals";
  if (facts.a.precision + facts.b.precision <= lane.precision) return {};
  // Halves of operands and errors of sums stay in range, and products below the bound of sums.
  constexpr int top = 960;
  if (facts.a.highest >= top || facts.b.highest >= top || facts.a.highest + facts.b.highest >= top) return "products near overflow";
  return {};
}

}  // namespace

FloatProof prove_binary64(const Datapath& d, const LayerFacts& facts, const LaneMeans& means) {
  FloatProof proof;
  proof.lane = lane;
  int lattice = lane.emax;
  if (facts.a.precision > 0 && facts.b.precision > 0) lattice = facts.a.lowest + facts.b.lowest;
  if (facts.has_accumulator && !d.accumulator.last) {
    const formats::Format& c = d.accumulator_format();
    const Limits l = limits(c);
    if (c.as_float() == nullptr || underflow_of(d.accumulator_rounding(), c) == Underflow::none || l.precision > lane.precision ||
        l.lsb_exponent < lane.lsb || log2_floor(l.max_finite) > lane.emax) {
      proof.refusal = "C is no binary64";
      return proof;
    }
    lattice = std::min(lattice, l.lsb_exponent);
  }
  proof.refusal = refusal_of(d, facts, means, lattice);
  if (!proof.refusal.empty()) return proof;
  FloatPlan& plan = proof.plan;
  plan.fused = true;
  plan.levels = static_cast<int>(d.levels.size());
  plan.initial_level = static_cast<int>(d.accumulator_level_index());
  for (int i = 0; i < plan.levels; ++i) {
    const Level& from = d.levels[static_cast<std::size_t>(i)];
    plan.level[i].rounding = LaneUnit(lane, 0).rounding(from.rounded_format(), from.rounding);
    plan.level[i].terms = i + 1 == plan.levels || !from.terms ? std::numeric_limits<std::int64_t>::max() : *from.terms;
  }
  proof.scratch_slots = 2 * plan.levels;
  plan.fast = FloatFast::native;
  plan.fast_bound = plan.level[0].rounding.max_finite;
  if (!means.fma && facts.a.precision + facts.b.precision > lane.precision) {
    plan.fast = FloatFast::native_split;
    plan.fast_bound = std::bit_cast<std::uint64_t>(0x1p1000);
  }
  return proof;
}

bool run_binary64_tile(const FloatLaneSet& set, const Datapath& datapath, const Tile& tile, const FloatLines& lines, TileResult& result) {
  FloatProof proved = prove_binary64(datapath, lines.facts(), set.means);
  if (!proved.refusal.empty()) return false;
  std::optional<LaneTile> placed;
  lines.place(placed, std::move(proved), set.lanes64, datapath);
  LaneTile& lanes = *placed;
  const FloatPlan& plan = lanes.proof().plan;
  result = {};
  result.numbers.resize(static_cast<std::size_t>(tile.rows * tile.columns));
  result.overflowed.resize(result.numbers.size());
  result.max_abs_product =
      TileProducts(set, datapath, tile, lines.bad_rows(), lines.bad_columns(), lines.a_cache(), lines.b_cache(), false, true).largest();
  const auto is_bad = [](const std::vector<char>& bad, std::int64_t line) { return bad[static_cast<std::size_t>(line)] != 0; };
  const int rows = set.lanes64.fast_rows;
  std::uint64_t largest = 0;
  for (std::size_t g = 0; g < lanes.groups().size(); ++g) {
    const ColumnGroup& group = lanes.groups()[g];
    for (std::int64_t row = 0; row < tile.rows; row += rows) {
      FloatBlock block = lanes.block(g, row, rows);
      set.lanes64.run_fast(plan, plan.fast, block);
      const bool is_void = block.largest > plan.fast_bound;
      if (!is_void) {
        for (std::size_t e = 0; e < float_events; ++e) result.events.counts[e] += block.events[e];
        largest = std::max(largest, block.largest);
      }
      for (std::int64_t r = row; r < std::min(row + rows, tile.rows); ++r) {
        if (!is_void) {
          lanes.results(r - row, group, result.numbers.data() + r * tile.columns + group.first);
          continue;
        }
        for (std::int64_t c = group.first; c < group.first + group.columns; ++c) {
          if (!is_bad(lines.bad_rows(), r) && !is_bad(lines.bad_columns(), c)) interpret_output(datapath, tile, r, c, result);
        }
      }
    }
  }
  // Rounding to nearest keeps order, and what is reported is the largest exact sum so rounded.
  result.max_abs_partial = std::max(result.max_abs_partial, std::bit_cast<double>(largest));
  interpret_bad_lines(datapath, tile, lines, result);
  return true;
}

}  // namespace accsim::sim::kernels
