// One tile through the fused-sum lanes.
#pragma once

#include <optional>

#include "sim/executor.h"
#include "sim/kernels/kernel_fused_sum.h"

namespace accsim::sim::kernels {

/// Exponents of operands stay inside +/- this.
constexpr int operand_exponent_limit = exponent_limit / 2;

/// Left shifts of the significands of a and b that make products of `fraction_bits`, and what is left for the distances.
struct Shifts {
  int a = 0, b = 0, base = 0;
};
/// Nothing where 16 bits do not suffice for significands with so many fraction bits.
std::optional<Shifts> shifts_for(int fraction_bits, int fraction_a, int fraction_b);

/// Runs a tile of a datapath that the kernel knows; false where the operands turn out not to be covered.
bool run_fused_sum(const FusedLanes& lanes, const Datapath& datapath, const Tile& tile, TileResult& result);

}  // namespace accsim::sim::kernels
