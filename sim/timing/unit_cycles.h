// Cycles of a unit for one dot product, by formula. UnitStepper finds the same clock by clock.
#pragma once

#include "sim/timing/schedule.h"

namespace accsim::sim {

/// From the cycle in which the first operands are applied to the one at whose end the result is registered, both counted, for k >= 1
/// terms. So a chain of adds of latency L takes N L cycles, L interleaved sums take N + L (floor(log2 L) + 1) + 2 (L - 2^floor(log2 L))
/// with coalescing, and a tree of P before an accumulator L_m + L_a ceil(log2 P) + (ceil(N/P) - 1) II + L_loop (online.md 6.2).
std::int64_t unit_cycles(const Schedule& schedule);
std::int64_t unit_cycles(const Datapath& datapath, std::int64_t k);

}  // namespace accsim::sim
