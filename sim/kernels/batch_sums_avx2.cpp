// Batch sums for one instruction set.
#define ACCSIM_ISA batch_avx2
#if defined(__x86_64__)
#include "sim/kernels/batch_sums_lanes.h"
#include "sim/kernels/output_round_lanes.h"

namespace accsim::sim::kernels {

const BatchLanes batch_sums_avx2 = {ACCSIM_ISA::parts, ACCSIM_ISA::products, ACCSIM_ISA::round_row, ACCSIM_ISA::in_reach};

}  // namespace accsim::sim::kernels
#endif
