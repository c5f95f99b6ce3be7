// The float kernels as executors, one for each instruction set of this machine.
#pragma once

#include "sim/executor.h"
#include "sim/kernels/isa.h"

namespace accsim::sim::kernels {

const Executor& float_kernel(Isa isa);

}  // namespace accsim::sim::kernels
