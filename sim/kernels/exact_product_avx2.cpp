// The exact product's lanes for one instruction set.
#define ACCSIM_ISA product_avx2
#define ACCSIM_ROWS 2
#if defined(__x86_64__)
#include "sim/kernels/exact_product_lanes.h"

namespace accsim::sim::kernels {

const ProductLanes exact_product_avx2 = {"avx2", ACCSIM_ISA::narrow, ACCSIM_ISA::split};

}  // namespace accsim::sim::kernels
#endif
