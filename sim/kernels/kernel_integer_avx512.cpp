#define ACCSIM_ISA avx512
#include "sim/kernels/kernel_integer_lanes.h"

namespace accsim::sim::kernels {

const IntegerLanes& integer_lanes_avx512() {
  static constexpr IntegerLanes lanes{avx512::vector_bytes, avx512::run, avx512::narrow, avx512::see_largest};
  return lanes;
}

}  // namespace accsim::sim::kernels
