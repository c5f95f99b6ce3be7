// One tile through the fused-sum lanes.
#pragma once

#include "sim/executor.h"
#include "sim/kernels/kernel_fused_sum.h"

namespace accsim::sim::kernels {

/// Runs a tile of a datapath that the kernel knows; false where the operands turn out not to be covered.
bool run_fused_sum(const FusedLanes& lanes, const Datapath& datapath, const Tile& tile, TileResult& result);

}  // namespace accsim::sim::kernels
