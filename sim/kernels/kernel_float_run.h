// One tile on the float kernels' lanes.
#pragma once

#include "sim/executor.h"
#include "sim/kernels/kernel_float_proof.h"

namespace accsim::sim::kernels {

/// One instruction set's lanes.
struct FloatLaneSet {
  const FloatLanes& lanes32;
  const FloatLanes& lanes64;
  LaneMeans means;
};

/// What the interpreter gives, by its own hand for outputs with infinite or NaN operands, or where the tile cannot be proved by itself.
void run_float_tile(const FloatLaneSet& set, const Datapath& datapath, const Tile& tile, TileResult& result);

}  // namespace accsim::sim::kernels
