// How the partial sums of an interleaved level become one, and when (reference: online.md 6.2).
#pragma once

#include <cstdint>
#include <vector>

#include "sim/datapath.h"

namespace accsim::sim {

/// One addition: `zero`, a partial sum 0..ways-1, or ways + j, the result of step j.
struct CombineStep {
  static constexpr std::int64_t zero = -1;
  std::int64_t x = zero, y = zero;  ///< y = zero in a tree of one: a rounding alone
};

/// The additions of combine = "sequential" or "tree" in the order of the datapath; one starts a cycle at most, when both addends are there.
/// For "coalesce" empty: its order follows from when sums leave the loop.
std::vector<CombineStep> combine_steps(Combine combine, std::int64_t ways);

/// Cycles from the one in which the last of `terms` terms is added to the one in which the combined result can be used. The loop of
/// `ways` cycles runs on without new terms; with "coalesce" the result is held in the register that waits for a partner.
std::int64_t combination_cycles(Combine combine, std::int64_t ways, std::int64_t terms);

}  // namespace accsim::sim
