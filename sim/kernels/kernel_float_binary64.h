// Sums that are rounded to binary64 itself, which no lane is wider than: when lanes give every bit and count, and a tile on them.
#pragma once

#include "sim/kernels/kernel_float_lines.h"
#include "sim/kernels/kernel_float_run.h"

namespace accsim::sim::kernels {

/// Sequential levels of binary64, rounded to nearest even, of exact products. The proof stands in README.md.
FloatProof prove_binary64(const Datapath& datapath, const LayerFacts& facts, const LaneMeans& means);

/// What the interpreter gives; blocks of outputs with a sum near overflow, infinities and NaN by its own hand. False: not proved for this
/// tile, and nothing is done.
bool run_binary64_tile(const FloatLaneSet& set, const Datapath& datapath, const Tile& tile, const FloatLines& lines, TileResult& result);

}  // namespace accsim::sim::kernels
