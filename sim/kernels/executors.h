// The executors of kernels; where there is one an instruction set, only where host_has() it.
#pragma once

#include "sim/executor.h"
#include "sim/kernels/isa.h"

namespace accsim::sim::kernels {

/// Fixed-point sums: sequential, tree and interleaved levels.
const Executor& integer_kernel(Isa isa);
/// Matrix units: a fused_sum with an accumulator innermost, whatever above it.
const Executor& fused_sum_kernel(Isa isa);
/// An ordered_sum innermost, whatever above it.
const Executor& ordered_sum_kernel(Isa isa);
/// Online inner products, a bit of a vector a unit.
const Executor& online_kernel(Isa isa);

/// One level that rounds an exact sum once; the same code on every machine.
const Executor& exact_sum_kernel();
/// One sorted level in fixed point; the same code on every machine.
const Executor& sorted_kernel();

}  // namespace accsim::sim::kernels
