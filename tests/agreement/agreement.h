// Any executor against the interpreter on one tile: every bit, every count.
#pragma once

#include <algorithm>
#include <cstring>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "formats/round.h"
#include "sim/datapath_toml.h"
#include "sim/executor.h"
#include "sim/operand_facts.h"

namespace accsim::agreement {

using Generator = std::mt19937_64;

inline std::int64_t between(Generator& g, std::int64_t low, std::int64_t high) {
  return std::uniform_int_distribution<std::int64_t>(low, high)(g);
}
template <class T>
T one_of(Generator& g, std::initializer_list<T> list) {
  return list.begin()[between(g, 0, static_cast<std::int64_t>(list.size()) - 1)];
}

/// What an operand in a block format is made of; empty where it is in none.
struct BlockParts {
  std::vector<double> elements, scales;
  [[nodiscard]] sim::BlockScales of(const sim::Operand& operand) const {
    if (!operand.block) return {};
    return {operand.block->block, formats::limits(operand.block->scale).emin, elements, scales};
  }
};

/// A tile that owns what it spans.
struct Case {
  sim::Datapath datapath;
  std::int64_t rows = 1, columns = 1, k = 1;
  std::vector<double> a, b;
  BlockParts a_blocks, b_blocks;
  std::vector<formats::NarrowExact> accumulator;
  int a_emin = -(1 << 24), b_emin = -(1 << 24);
  std::int64_t first_output = 0;  ///< the row-major index of the tile's first output in the layer's result
  std::uint64_t seed = 0;
  std::uint32_t layer = 0, pass = 0;
  std::int64_t elements = 0;  ///< of an array whose generators make the outputs in turn; 0: none
  std::vector<std::int64_t> output_index, pe_index;

  [[nodiscard]] sim::Tile tile() {
    output_index.resize(static_cast<std::size_t>(rows * columns));
    for (std::size_t i = 0; i < output_index.size(); ++i) output_index[i] = first_output + static_cast<std::int64_t>(i);
    sim::Tile t;
    t.rows = rows;
    t.columns = columns;
    t.k = k;
    t.a = a;
    t.b = b;
    t.a_blocks = a_blocks.of(datapath.a);
    t.b_blocks = b_blocks.of(datapath.b);
    t.output_index = output_index;
    t.accumulator = accumulator;
    if (elements > 0) {
      pe_index.resize(output_index.size());
      for (std::size_t i = 0; i < pe_index.size(); ++i) pe_index[i] = output_index[i] % elements;
      t.pe_index = pe_index;
    }
    t.a_emin = a_emin;
    t.b_emin = b_emin;
    t.seed = seed;
    t.layer = layer;
    t.pass = pass;
    return t;
  }
  [[nodiscard]] sim::LayerFacts facts() const {
    return {.a = sim::operand_facts(sim::Values(a)),
            .b = sim::operand_facts(sim::Values(b)),
            .k = k,
            .a_emin = a_emin,
            .b_emin = b_emin,
            .has_accumulator = !accumulator.empty()};
  }
};

inline bool same(const formats::NarrowExact& x, const formats::NarrowExact& y) {
  if (x.nan || y.nan) return x.nan && y.nan;
  if (x.negative != y.negative || x.infinite != y.infinite) return false;
  return x.infinite || same_value(x, y);
}

/// The first difference from what the interpreter gave; empty where there is none.
inline std::string difference(const sim::TileResult& expected, const sim::TileResult& found, std::size_t outputs) {
  std::ostringstream text;
  for (std::size_t i = 0; i < outputs; ++i) {
    const formats::NarrowExact x = expected.output(i);
    const formats::NarrowExact y = found.output(i);
    if (!same(x, y)) {
      text << "output " << i << ": expected " << to_double(x) << (x.nan ? " nan" : "") << ", found " << to_double(y) << "\n";
      break;
    }
    if (expected.overflowed[i] != found.overflowed[i]) {
      text << "overflowed of output " << i << ": expected " << int{expected.overflowed[i]} << "\n";
      break;
    }
  }
  for (std::size_t e = 0; e < sim::event_count; ++e) {
    if (expected.events.counts[e] != found.events.counts[e])
      text << "event " << e << ": expected " << expected.events.counts[e] << ", found " << found.events.counts[e] << "\n";
  }
  if (expected.max_abs_product != found.max_abs_product)
    text << "max_abs_product: expected " << expected.max_abs_product << ", found " << found.max_abs_product << "\n";
  if (expected.max_abs_partial != found.max_abs_partial)
    text << "max_abs_partial: expected " << expected.max_abs_partial << ", found " << found.max_abs_partial << "\n";
  if (expected.saved_cycles != found.saved_cycles)
    text << "saved_cycles: expected " << expected.saved_cycles << ", found " << found.saved_cycles << "\n";
  return text.str();
}

/// The tile in four, those with the same rows or columns sharing what the executor makes of them, put together again.
inline sim::TileResult in_parts(const sim::Executor& executor, const sim::Datapath& datapath, const sim::Tile& tile) {
  sim::TileResult whole;
  whole.outputs.resize(static_cast<std::size_t>(tile.rows * tile.columns), formats::NarrowExact::zero());
  whole.overflowed.resize(whole.outputs.size());
  const auto lines = [k = tile.k](std::span<const double> all, std::int64_t first, std::int64_t count) {
    return all.subspan(static_cast<std::size_t>(first * k), static_cast<std::size_t>(count * k));
  };
  const auto blocks = [&](const sim::BlockScales& all, std::int64_t first, std::int64_t count) {
    sim::BlockScales some = all;
    if (all.block == 0) return some;
    const std::int64_t in_line = (tile.k + all.block - 1) / all.block;
    some.elements = lines(all.elements, first, count);
    some.scales = all.scales.subspan(static_cast<std::size_t>(first * in_line), static_cast<std::size_t>(count * in_line));
    return some;
  };
  const std::int64_t rows[] = {0, tile.rows / 3, tile.rows};
  const std::int64_t columns[] = {0, tile.columns / 2, tile.columns};
  sim::PackCache a_cache[2];
  sim::PackCache b_cache[2];
  for (int i = 0; i < 4; ++i) {
    const int r = i / 2;
    const int c = i % 2;
    sim::Tile part = tile;
    part.rows = rows[r + 1] - rows[r];
    part.columns = columns[c + 1] - columns[c];
    part.a = lines(tile.a, rows[r], part.rows);
    part.b = lines(tile.b, columns[c], part.columns);
    part.a_blocks = blocks(tile.a_blocks, rows[r], part.rows);
    part.b_blocks = blocks(tile.b_blocks, columns[c], part.columns);
    part.a_cache = &a_cache[r];
    part.b_cache = &b_cache[c];
    std::vector<std::size_t> places;
    for (std::int64_t row = rows[r]; row < rows[r + 1]; ++row) {
      for (std::int64_t column = columns[c]; column < columns[c + 1]; ++column)
        places.push_back(static_cast<std::size_t>(row * tile.columns + column));
    }
    if (places.empty()) continue;
    const auto picked = [&](const auto& all) {
      std::vector<typename std::decay_t<decltype(all)>::value_type> some;
      for (const std::size_t at : places) {
        if (!all.empty()) some.push_back(all[at]);
      }
      return some;
    };
    const auto output_index = picked(tile.output_index);
    const auto pe_index = picked(tile.pe_index);
    const auto accumulator = picked(tile.accumulator);
    part.output_index = output_index;
    part.pe_index = pe_index;
    part.accumulator = accumulator;
    sim::TileResult found;
    executor.run(datapath, part, found);
    for (std::size_t j = 0; j < places.size(); ++j) {
      whole.outputs[places[j]] = found.output(j);
      whole.overflowed[places[j]] = found.overflowed[j];
    }
    whole.events.merge(found.events);
    whole.max_abs_product = std::max(whole.max_abs_product, found.max_abs_product);
    whole.max_abs_partial = std::max(whole.max_abs_partial, found.max_abs_partial);
    whole.saved_cycles += found.saved_cycles;
  }
  return whole;
}

/// Runs a case, whole and in parts, on every executor whose name starts with `family`; the text of the first difference, with the datapath.
/// `ran` counts the executors that did not refuse.
inline std::string disagreement(Case& c, std::string_view family, int& ran) {
  const sim::LayerFacts facts = c.facts();
  const sim::Tile tile = c.tile();
  std::optional<sim::TileResult> expected;
  for (const sim::Executor* executor : sim::executors().subspan(1)) {
    if (!executor->name().starts_with(family) || !executor->refusal(c.datapath, facts).empty()) continue;
    if (!expected) {
      expected.emplace();
      sim::executors()[0]->run(c.datapath, tile, *expected);
    }
    ++ran;
    sim::TileResult found;
    executor->run(c.datapath, tile, found);
    const auto outputs = static_cast<std::size_t>(c.rows * c.columns);
    std::string what = difference(*expected, found, outputs);
    const bool whole = !what.empty();
    if (!whole) what = difference(*expected, in_parts(*executor, c.datapath, tile), outputs);
    if (!what.empty()) {
      return std::string(executor->name()) + (whole ? " " : " in parts, ") + std::to_string(c.rows) + "x" + std::to_string(c.columns) +
             "x" + std::to_string(c.k) + ":\n" + what + sim::to_toml(c.datapath);
    }
  }
  return {};
}

}  // namespace accsim::agreement
