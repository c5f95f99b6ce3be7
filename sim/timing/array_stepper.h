// One fold of an array, stepped cell by cell, clock by clock, without values.
#pragma once

#include "sim/timing/schedule.h"

namespace accsim::sim {

/// Cycles of a fold: os and tree, dot products of k terms in every element; ws, m rows of operands over loaded weights. Meant for tiles:
/// its time is rows * cols * cycles. Throws std::logic_error where operands that belong together do not meet.
std::int64_t stepped_fold_cycles(const Datapath& datapath, std::int64_t m, std::int64_t k);

}  // namespace accsim::sim
