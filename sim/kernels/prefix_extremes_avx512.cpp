// Prefix extremes for one instruction set.
#define ACCSIM_ISA prefix_avx512
#if defined(__x86_64__)
#include "sim/kernels/prefix_extremes_lanes.h"

namespace accsim::sim::kernels {

const PrefixLanes prefix_extremes_avx512 = {"avx512", ACCSIM_ISA::extremes<std::int32_t>, ACCSIM_ISA::extremes<double>};

}  // namespace accsim::sim::kernels
#endif
