// The float kernels as executors, one for each instruction set of this machine.
#pragma once

#include <span>

#include "sim/executor.h"
#include "sim/kernels/isa.h"
#include "sim/kernels/kernel_float_plan.h"

namespace accsim::sim::kernels {

const Executor& float_kernel(Isa isa);

/// Adds what values show to what was found, on this machine's widest lanes.
void scan_values(std::span<const double> values, FloatScan& found);

}  // namespace accsim::sim::kernels
