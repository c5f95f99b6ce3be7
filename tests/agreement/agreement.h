// Any executor against the interpreter on one tile: every bit, every count.
#pragma once

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

/// A tile that owns what it spans.
struct Case {
  sim::Datapath datapath;
  std::int64_t rows = 1, columns = 1, k = 1;
  std::vector<double> a, b;
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

/// Runs a case on every executor whose name starts with `family`; the text of the first difference, with the datapath. `ran` counts the
/// executors that did not refuse.
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
    const std::string what = difference(*expected, found, static_cast<std::size_t>(c.rows * c.columns));
    if (!what.empty()) {
      return std::string(executor->name()) + " " + std::to_string(c.rows) + "x" + std::to_string(c.columns) + "x" + std::to_string(c.k) +
             ":\n" + what + sim::to_toml(c.datapath);
    }
  }
  return {};
}

}  // namespace accsim::agreement
