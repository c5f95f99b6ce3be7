// Prefix extremes for one instruction set.
#define ACCSIM_ISA prefix_baseline
#include "sim/kernels/prefix_extremes_lanes.h"

namespace accsim::sim::kernels {

const PrefixLanes prefix_extremes_baseline = {"baseline", ACCSIM_ISA::extremes<std::int32_t>, ACCSIM_ISA::extremes<double>};

}  // namespace accsim::sim::kernels
