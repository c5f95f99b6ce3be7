#define ACCSIM_ISA avx2
#include "sim/kernels/kernel_integer_lanes.h"

namespace accsim::sim::kernels {

const IntegerLanes& integer_lanes_avx2() {
  static constexpr IntegerLanes lanes{avx2::vector_bytes, avx2::run, avx2::narrow, avx2::see_largest};
  return lanes;
}

}  // namespace accsim::sim::kernels
