// The executors of kernels, by instruction set; only where host_has() it.
#pragma once

#include "sim/executor.h"
#include "sim/kernels/isa.h"

namespace accsim::sim::kernels {

/// Fixed-point sums: sequential, tree and interleaved levels.
const Executor& integer_kernel(Isa isa);
/// Matrix units: a fused_sum with an accumulator innermost, whatever above it.
const Executor& fused_sum_kernel(Isa isa);

}  // namespace accsim::sim::kernels
