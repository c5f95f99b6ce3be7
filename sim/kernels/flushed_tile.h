// Operands and C as a unit that flushes subnormals reads them.
#pragma once

#include <vector>

#include "sim/executor.h"

namespace accsim::sim::kernels {

/// True where operands or C below the smallest normal of their format are +0.
bool flushes(const Datapath& datapath);

/// The datapath without that, equal to it on a FlushedTile.
Datapath without_flushing(const Datapath& datapath);

/// A copy of a tile of binary64 operands in which everything that the datapath flushes on entry, zeros of either sign too, is +0.
class FlushedTile {
 public:
  FlushedTile(const Datapath& datapath, const Tile& tile);
  FlushedTile(const FlushedTile&) = delete;
  FlushedTile& operator=(const FlushedTile&) = delete;
  /// Spans this object's memory.
  [[nodiscard]] const Tile& tile() const { return tile_; }

 private:
  std::vector<double> a_, b_;
  std::vector<formats::NarrowExact> accumulator_;
  Tile tile_;
};

}  // namespace accsim::sim::kernels
