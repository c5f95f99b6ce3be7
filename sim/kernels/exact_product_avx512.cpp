// The exact product's lanes for one instruction set.
#define ACCSIM_ISA product_avx512
#define ACCSIM_ROWS 4
#if defined(__x86_64__)
#include "sim/kernels/exact_product_lanes.h"

namespace accsim::sim::kernels {

const ProductLanes exact_product_avx512 = {"avx512", ACCSIM_ISA::narrow, ACCSIM_ISA::split};

}  // namespace accsim::sim::kernels
#endif
