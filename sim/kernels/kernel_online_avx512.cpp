#define ACCSIM_ISA avx512
#include "sim/kernels/kernel_online_lanes.h"

namespace accsim::sim::kernels {

const OnlineLanes& online_lanes_avx512() {
  static constexpr OnlineLanes lanes{avx512::vector_bytes / 8, avx512::reset, avx512::start, avx512::step};
  return lanes;
}

}  // namespace accsim::sim::kernels
