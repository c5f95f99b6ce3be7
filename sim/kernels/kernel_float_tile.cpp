#include "sim/kernels/kernel_float_tile.h"

#include <algorithm>
#include <cmath>
#include <cstring>

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

const ScannedLines& scanned(const FloatLanes& lanes, const LaneSource& source, PackCache& cache) {
  return cache.made<ScannedLines>(0, [&] {
    ScannedLines s;
    s.bad.assign(static_cast<std::size_t>(source.lines), 0);
    for (std::int64_t line = 0; line < source.lines; ++line) {
      const bool before = s.all.nonfinite;
      s.all.nonfinite = false;
      lanes.scan(source.values.data() + line * source.k, source.k, s.all);
      s.bad[static_cast<std::size_t>(line)] = s.all.nonfinite ? 1 : 0;
      s.all.nonfinite |= before;
    }
    return s;
  });
}

LaneRows::LaneRows(const FloatProof& proof, const FloatLanes& lanes, const LaneSource& source)
    : lanes_(lanes),
      scale_(proof.scale_a),
      packed_(proof.plan.packed),
      min_normal_(proof.plan.product.min_normal),
      k_(source.k),
      word_bytes_(proof.lane.binary64 ? 8 : 4),
      is_packed_(static_cast<std::size_t>(source.lines + most_rows), 0),
      values_(place(source.lines + most_rows), false),
      least_(packed_ ? place(source.lines + most_rows) : 0, false) {}

bool LaneRows::serves(const FloatProof& proof, const FloatLanes& lanes) const {
  return &lanes_ == &lanes && scale_ == proof.scale_a && packed_ == proof.plan.packed && min_normal_ == proof.plan.product.min_normal;
}

void LaneRows::pack(const LaneSource& source, std::int64_t row, int rows) {
  for (std::int64_t r = row; r < row + rows; ++r) {
    char& is_packed = is_packed_[static_cast<std::size_t>(r)];
    if (is_packed != 0) continue;
    is_packed = 1;
    if (r >= source.lines || (*source.bad)[static_cast<std::size_t>(r)] != 0) {
      std::memset(values_.at(place(r)), 0, place(1));
      if (packed_) std::memset(least_.at(place(r)), 0, place(1));
      continue;
    }
    lanes_.pack(source.values.data() + r * k_, source.order.empty() ? nullptr : source.order.data(), k_, std::ldexp(1.0, scale_),
                values_.at(place(r)), 1);
    if (packed_) lanes_.least_factors(values_.at(place(r)), k_, min_normal_, least_.at(place(r)));
  }
}

LaneColumns::LaneColumns(const FloatProof& proof, const FloatLanes& lanes, const LaneSource& source)
    : lanes_(lanes), scale_(proof.scale_b), word_bytes_(proof.lane.binary64 ? 8 : 4) {
  const std::int64_t width = std::int64_t{lanes.lanes} * lanes.vectors;
  for (std::int64_t first = 0; first < source.lines; first += width) {
    const std::int64_t columns = std::min(source.lines - first, width);
    groups_.push_back({first, columns, static_cast<int>((columns + lanes.lanes - 1) / lanes.lanes)});
  }
  packed_ = std::vector<Packed>(groups_.size());
}

bool LaneColumns::serves(const FloatProof& proof, const FloatLanes& lanes) const { return &lanes_ == &lanes && scale_ == proof.scale_b; }

const void* LaneColumns::group(const LaneSource& source, std::size_t group) {
  Packed& packed = packed_[group];
  std::call_once(packed.once, [&] { pack(source, group); });
  return packed.words->at(0);
}

void LaneColumns::pack(const LaneSource& source, std::size_t group) {
  const ColumnGroup& g = groups_[group];
  const std::int64_t stride = std::int64_t{g.vectors} * lanes_.lanes;
  const auto bad = source.bad->begin() + g.first;
  const bool full = g.columns == stride && std::find(bad, bad + g.columns, 1) == bad + g.columns;
  auto words = std::make_unique<LaneBuffer>(static_cast<std::size_t>(stride * source.k) * word_bytes_, !full);
  constexpr std::int64_t terms = 128;  // of all columns, so that what is written stays in the nearest cache
  const bool in_order = source.order.empty();
  for (std::int64_t first = 0; first < source.k; first += terms) {
    for (std::int64_t c = 0; c < g.columns; ++c) {
      if (bad[c] != 0) continue;
      const double* column = source.values.data() + (g.first + c) * source.k;
      lanes_.pack(in_order ? column + first : column, in_order ? nullptr : source.order.data() + first, std::min(terms, source.k - first),
                  std::ldexp(1.0, scale_), words->at(static_cast<std::size_t>(first * stride + c) * word_bytes_), stride);
    }
  }
  packed_[group].words = std::move(words);
}

LaneTile::LaneTile(FloatProof proof, const FloatLanes& lanes, const Datapath& datapath, const Tile& tile, const LaneSource& rows,
                   const LaneSource& columns, PackCache& a_cache, PackCache& b_cache)
    : proof_(std::move(proof)),
      lanes_(lanes),
      tile_(tile),
      a_(rows),
      b_(columns),
      rows_(a_cache.find<LaneRows>([&](const LaneRows& r) { return r.serves(proof_, lanes); },
                                   [&] { return std::make_unique<LaneRows>(proof_, lanes, rows); })),
      columns_(b_cache.find<LaneColumns>([&](const LaneColumns& c) { return c.serves(proof_, lanes); },
                                         [&] { return std::make_unique<LaneColumns>(proof_, lanes, columns); })),
      word_bytes_(proof_.lane.binary64 ? 8 : 4),
      unscale_(std::ldexp(1.0, std::clamp(-proof_.scale(), -1000, 1000))),
      scratch_(static_cast<std::size_t>(proof_.scratch_slots * lanes.register_bytes), true),
      initial_(static_cast<std::size_t>(most_rows * lanes.vectors * lanes.lanes) * word_bytes_, true),
      results_(static_cast<std::size_t>(most_rows * lanes.vectors * lanes.lanes) * word_bytes_, true) {
  place_generators(proof_.plan, datapath, tile);
  random_ = is_random(proof_.plan);
  low_.resize(static_cast<std::size_t>(most_rows * lanes.lanes * lanes.vectors));
  high_.resize(low_.size());
  element_.resize(low_.size());
  overflowed_.resize(low_.size());
}

FloatBlock LaneTile::block(std::size_t group, std::int64_t row, int rows) {
  const ColumnGroup& g = groups()[group];
  rows_.pack(a_, row, rows);
  FloatBlock block;
  block.k = tile_.k;
  block.rows = rows;
  block.vectors = g.vectors;
  block.a = rows_.values(row);
  block.a_least = rows_.least(row);
  block.a_stride = tile_.k;
  block.b = columns_.group(b_, group);
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
      const bool good = real && (*a_.bad)[static_cast<std::size_t>(row + r)] == 0 && (*b_.bad)[static_cast<std::size_t>(g.first + c)] == 0;
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
