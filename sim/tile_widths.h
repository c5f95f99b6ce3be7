// The accumulator widths of fixed-point datapaths, tile by tile: what held every exact prefix, and what the weights guarantee.
#pragma once

#include <optional>
#include <vector>

#include "sim/integer_bounds.h"
#include "sim/observed_widths.h"
#include "sim/tile_statistics.h"

namespace accsim::sim {

class TileWidths {
 public:
  /// `a`, `b`: the ranges of the operands' integers. `exact`: rows are packed as exact values.
  TileWidths(const Datapath& datapath, const LayerFacts& facts, IntegerRange a, IntegerRange b, bool exact);

  /// Widens `part.observed` to what the tile's outputs ask for and, in a layer's first rows, `part.guaranteed` to what its columns do.
  void add(const ExecutedTile& place, LayerPart& part) const;

 private:
  void add_weights(const ExecutedTile& place, LayerPart& part) const;

  const Datapath& datapath_;
  std::int64_t k_;
  IntegerRange range_a_, range_b_;
  bool exact_;
  PrefixObserver prefixes_;
  std::vector<std::int64_t> order_;
};

}  // namespace accsim::sim
