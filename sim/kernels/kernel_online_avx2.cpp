#define ACCSIM_ISA avx2
#include "sim/kernels/kernel_online_lanes.h"

namespace accsim::sim::kernels {

const OnlineLanes& online_lanes_avx2() {
  static constexpr OnlineLanes lanes{avx2::vector_bytes / 8, avx2::reset, avx2::start, avx2::step};
  return lanes;
}

}  // namespace accsim::sim::kernels
