#include "sim/kernels/kernel_float_tile.h"

#include <algorithm>
#include <cmath>

namespace accsim::sim::kernels {
namespace {

constexpr int most_rows = 4;  // of any block

bool is_random(const FloatPlan& plan) {
  bool random = plan.product.random.source != FloatRandom::Source::none;
  for (int l = 0; l < plan.levels; ++l) random |= plan.level[l].rounding.random.source != FloatRandom::Source::none;
  return random;
}

}  // namespace

LaneBuffer::LaneBuffer(std::size_t bytes, bool zeroed) : memory_(static_cast<std::byte*>(::operator new(bytes + 64, alignment))) {
  if (zeroed) std::fill_n(memory_.get(), bytes + 64, std::byte{0});
}

LaneTile::LaneTile(FloatProof proof, const FloatLanes& lanes, const Datapath& datapath, const Tile& tile, const std::vector<char>& bad_rows,
                   const std::vector<char>& bad_columns)
    : proof_(std::move(proof)),
      lanes_(lanes),
      tile_(tile),
      bad_rows_(bad_rows),
      bad_columns_(bad_columns),
      order_(datapath.product.permute.empty() ? std::vector<std::int64_t>{} : term_order(datapath, tile.k)),
      word_bytes_(proof_.lane.binary64 ? 8 : 4),
      unscale_(std::ldexp(1.0, std::clamp(-proof_.scale(), -1000, 1000))),
      row_packed_(static_cast<std::size_t>(tile.rows), 0),
      a_(static_cast<std::size_t>((tile.rows + most_rows) * tile.k) * word_bytes_, true),
      a_least_(proof_.plan.packed ? static_cast<std::size_t>((tile.rows + most_rows) * tile.k) * word_bytes_ : 0, true),
      scratch_(static_cast<std::size_t>(proof_.scratch_slots * lanes.register_bytes), true),
      initial_(static_cast<std::size_t>(most_rows * lanes.vectors * lanes.lanes) * word_bytes_, true),
      results_(static_cast<std::size_t>(most_rows * lanes.vectors * lanes.lanes) * word_bytes_, true) {
  place_generators(proof_.plan, datapath, tile);
  random_ = is_random(proof_.plan);
  const std::int64_t width = std::int64_t{lanes.lanes} * lanes.vectors;
  for (std::int64_t first = 0; first < tile.columns; first += width) {
    const std::int64_t columns = std::min(tile.columns - first, width);
    groups_.push_back({first, columns, static_cast<int>((columns + lanes.lanes - 1) / lanes.lanes)});
  }
  b_.resize(groups_.size());
  low_.resize(static_cast<std::size_t>(most_rows * width));
  high_.resize(low_.size());
  element_.resize(low_.size());
  overflowed_.resize(low_.size());
}

void LaneTile::pack_row(std::int64_t row) {
  row_packed_[static_cast<std::size_t>(row)] = 1;
  if (bad_rows_[static_cast<std::size_t>(row)] != 0) return;
  const std::size_t at = static_cast<std::size_t>(row * tile_.k) * word_bytes_;
  lanes_.pack(tile_.a.data() + row * tile_.k, order_.empty() ? nullptr : order_.data(), tile_.k, std::ldexp(1.0, proof_.scale_a), a_.at(at),
              1);
  if (proof_.plan.packed) lanes_.least_factors(a_.at(at), tile_.k, proof_.plan.product.min_normal, a_least_.at(at));
}

void LaneTile::pack_group(std::size_t group) {
  const ColumnGroup& g = groups_[group];
  const std::int64_t stride = std::int64_t{g.vectors} * lanes_.lanes;
  const auto bad = bad_columns_.begin() + g.first;
  const bool full = g.columns == stride && std::find(bad, bad + g.columns, 1) == bad + g.columns;
  b_[group] = std::make_unique<LaneBuffer>(static_cast<std::size_t>(stride * tile_.k) * word_bytes_, !full);
  constexpr std::int64_t terms = 128;  // of all columns, so that what is written stays in the nearest cache
  for (std::int64_t first = 0; first < tile_.k; first += terms) {
    for (std::int64_t c = 0; c < g.columns; ++c) {
      if (bad_columns_[static_cast<std::size_t>(g.first + c)] != 0) continue;
      const double* column = tile_.b.data() + (g.first + c) * tile_.k;
      lanes_.pack(order_.empty() ? column + first : column, order_.empty() ? nullptr : order_.data() + first,
                  std::min(terms, tile_.k - first), std::ldexp(1.0, proof_.scale_b),
                  b_[group]->at(static_cast<std::size_t>(first * stride + c) * word_bytes_), stride);
    }
  }
}

FloatBlock LaneTile::block(std::size_t group, std::int64_t row, int rows) {
  const ColumnGroup& g = groups_[group];
  if (!b_[group]) pack_group(group);
  for (std::int64_t r = row; r < std::min<std::int64_t>(row + rows, tile_.rows); ++r) {
    if (row_packed_[static_cast<std::size_t>(r)] == 0) pack_row(r);
  }
  FloatBlock block;
  block.k = tile_.k;
  block.rows = rows;
  block.vectors = g.vectors;
  block.a = a_.at(static_cast<std::size_t>(row * tile_.k) * word_bytes_);
  block.a_least = a_least_.at(proof_.plan.packed ? static_cast<std::size_t>(row * tile_.k) * word_bytes_ : 0);
  block.a_stride = tile_.k;
  block.b = b_[group]->at(0);
  block.output_low = low_.data();
  block.output_high = high_.data();
  block.element = element_.data();
  block.scratch = scratch_.at(0);
  block.results = results_.at(0);
  block.overflowed = overflowed_.data();
  if (!tile_.accumulator.empty()) block.initial = initial_.at(0);
  if (!random_ && tile_.accumulator.empty()) return block;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < std::int64_t{g.vectors} * lanes_.lanes; ++c) {
      const bool real = row + r < tile_.rows && c < g.columns;
      const bool good =
          real && bad_rows_[static_cast<std::size_t>(row + r)] == 0 && bad_columns_[static_cast<std::size_t>(g.first + c)] == 0;
      const std::size_t at = place(r, c, g.vectors);
      const auto output = static_cast<std::size_t>((row + r) * tile_.columns + g.first + c);
      const auto index = real ? static_cast<std::uint64_t>(tile_.output_index[output]) : 0;
      low_[at] = static_cast<std::uint32_t>(index);
      high_[at] = static_cast<std::uint32_t>(index >> 32);
      element_[at] = real && !tile_.pe_index.empty() ? static_cast<std::uint32_t>(tile_.pe_index[output]) : low_[at];
      if (tile_.accumulator.empty()) continue;
      const double initial = good ? to_double(scaled(tile_.accumulator[output], proof_.scale())) : 0.0;
      if (proof_.lane.binary64) static_cast<double*>(initial_.at(0))[at] = initial;
      else static_cast<float*>(initial_.at(0))[at] = static_cast<float>(initial);
    }
  }
  return block;
}

void LaneTile::results(std::int64_t row_in_block, const ColumnGroup& group, double* out) const {
  const std::size_t first = place(row_in_block, 0, group.vectors);
  const auto convert = [&](const auto* in) {
    if (std::abs(proof_.scale()) <= 1000) {
      for (std::int64_t c = 0; c < group.columns; ++c) out[c] = static_cast<double>(in[c]) * unscale_;
    } else {
      for (std::int64_t c = 0; c < group.columns; ++c) out[c] = std::ldexp(static_cast<double>(in[c]), -proof_.scale());
    }
  };
  if (proof_.lane.binary64) convert(static_cast<const double*>(results_.at(0)) + first);
  else convert(static_cast<const float*>(results_.at(0)) + first);
}

}  // namespace accsim::sim::kernels
