// The interpreter as an executor: any datapath, and the definition of what every other executor must give.
#pragma once

#include "sim/executor.h"

namespace accsim::sim {

const Executor& interpreter();

}  // namespace accsim::sim
