// The float kernels' lanes for one instruction set.
#define ACCSIM_ISA lanes_avx512
#if defined(__x86_64__)
#include "sim/kernels/kernel_float_lanes.h"

namespace accsim::sim::kernels {

const FloatLanes float_avx512_32 = ACCSIM_ISA::lanes_of<float>;
const FloatLanes float_avx512_64 = ACCSIM_ISA::lanes_of<double>;

}  // namespace accsim::sim::kernels
#endif
