// The exact product's lanes for one instruction set.
#define ACCSIM_ISA product_baseline
#define ACCSIM_ROWS 1
#include "sim/kernels/exact_product_lanes.h"

namespace accsim::sim::kernels {

const ProductLanes exact_product_baseline = {"baseline", ACCSIM_ISA::narrow, ACCSIM_ISA::split};

}  // namespace accsim::sim::kernels
