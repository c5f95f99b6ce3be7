// Datapaths of one level, and single dot products on the interpreter.
#pragma once

#include <string>
#include <vector>

#include "sim/datapath_toml.h"
#include "sim/executor.h"

namespace accsim::sim {

/// One sequential level with exact products.
inline Datapath one_level(const std::string& format, const std::string& more = "", const std::string& before = "") {
  return parse_datapath(before + "[[reduction]]\nkind = \"sequential\"\nformat = \"" + format + "\"\n" + more, "test");
}

struct Outcome {
  double value;
  EventCounts events;
  bool overflowed;
  double max_abs_product, max_abs_partial;

  std::int64_t operator[](Event e) const { return events[e]; }
};

/// The dot product of two rows; output index, layer and pass only matter to random bits.
inline Outcome dot(const Datapath& datapath, const std::vector<double>& a, const std::vector<double>& b, std::int64_t output = 0,
                   std::uint32_t layer = 0, std::uint32_t pass = 0, std::uint64_t seed = 0) {
  const std::vector<std::int64_t> index = {output};
  const Tile tile{.rows = 1,
                  .columns = 1,
                  .k = static_cast<std::int64_t>(a.size()),
                  .a = a,
                  .b = b,
                  .a_exact = {},
                  .b_exact = {},
                  .output_index = index,
                  .accumulator = {},
                  .seed = seed,
                  .layer = layer,
                  .pass = pass,
                  .arrays = nullptr};
  TileResult result;
  executors()[0]->run(datapath, tile, result);
  return {to_double(result.outputs.at(0)), result.events, result.overflowed.at(0) != 0, result.max_abs_product, result.max_abs_partial};
}

/// The sum of the addends: their products with one.
inline Outcome sum(const Datapath& datapath, const std::vector<double>& addends, std::int64_t output = 0) {
  return dot(datapath, addends, std::vector<double>(addends.size(), 1.0), output);
}

}  // namespace accsim::sim
