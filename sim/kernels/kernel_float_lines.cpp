#include "sim/kernels/kernel_float_lines.h"

#include <bit>
#include <cmath>

#include "sim/interpreter.h"

namespace accsim::sim::kernels {
namespace {

OperandFacts facts_of(const FloatScan& scan) {
  OperandFacts facts;
  facts.nonfinite = scan.nonfinite;
  if (scan.largest == 0) return facts;
  facts.precision = 53 - std::countr_zero(scan.fractions | (1ULL << 52));
  facts.lowest = std::ilogb(std::bit_cast<double>(scan.lowest));
  facts.highest = std::ilogb(std::bit_cast<double>(scan.largest));
  return facts;
}

}  // namespace

FloatLines::FloatLines(const FloatLanes& lanes, const Datapath& datapath, const Tile& tile)
    : tile_(tile),
      a_cache_(tile.a_cache != nullptr ? *tile.a_cache : own_a_cache_),
      b_cache_(tile.b_cache != nullptr ? *tile.b_cache : own_b_cache_),
      a_(scanned(lanes, {tile.a, tile.rows, tile.k}, a_cache_)),
      b_(scanned(lanes, {tile.b, tile.columns, tile.k}, b_cache_)),
      facts_{.a = facts_of(a_.all),
             .b = facts_of(b_.all),
             .k = tile.k,
             .a_emin = tile.a_emin,
             .b_emin = tile.b_emin,
             .has_accumulator = !tile.accumulator.empty()} {
  if (!datapath.product.permute.empty()) order_ = term_order(datapath, tile.k);
}

void FloatLines::place(std::optional<LaneTile>& on, FloatProof proof, const FloatLanes& lanes, const Datapath& datapath) const {
  on.emplace(std::move(proof), lanes, datapath, tile_, LaneSource{tile_.a, tile_.rows, tile_.k, &a_.bad, order_},
             LaneSource{tile_.b, tile_.columns, tile_.k, &b_.bad, order_}, a_cache_, b_cache_);
}

void interpret_output(const Datapath& datapath, const Tile& tile, std::int64_t row, std::int64_t column, TileResult& result) {
  const auto at = static_cast<std::size_t>(row * tile.columns + column);
  Tile one = tile;
  one.rows = one.columns = 1;
  one.a = tile.a.subspan(static_cast<std::size_t>(row * tile.k), static_cast<std::size_t>(tile.k));
  one.b = tile.b.subspan(static_cast<std::size_t>(column * tile.k), static_cast<std::size_t>(tile.k));
  one.a_blocks = one.b_blocks = {};
  one.a_cache = one.b_cache = nullptr;
  one.output_index = tile.output_index.subspan(at, 1);
  if (!tile.pe_index.empty()) one.pe_index = tile.pe_index.subspan(at, 1);
  if (!tile.accumulator.empty()) one.accumulator = tile.accumulator.subspan(at, 1);
  TileResult r;
  interpreter().run(datapath, one, r);
  result.numbers[at] = to_double(r.outputs.front());
  result.overflowed[at] = r.overflowed.front();
  result.events.merge(r.events);
  result.max_abs_product = std::max(result.max_abs_product, r.max_abs_product);
  result.max_abs_partial = std::max(result.max_abs_partial, r.max_abs_partial);
}

void interpret_bad_lines(const Datapath& datapath, const Tile& tile, const FloatLines& lines, TileResult& result) {
  for (std::int64_t row = 0; row < tile.rows; ++row) {
    for (std::int64_t column = 0; column < tile.columns; ++column) {
      if (lines.bad_rows()[static_cast<std::size_t>(row)] != 0 || lines.bad_columns()[static_cast<std::size_t>(column)] != 0)
        interpret_output(datapath, tile, row, column, result);
    }
  }
}

}  // namespace accsim::sim::kernels
