#define ACCSIM_ISA avx2
#include "sim/kernels/kernel_scaled_sum_lanes.h"
#include "sim/kernels/kernel_staged_sum_lanes.h"

namespace accsim::sim::kernels {

const FusedLanes& fused_lanes_avx2() {
  static constexpr FusedLanes lanes{avx2::fused_lanes, avx2::run, avx2::run_scaled, avx2::run_staged};
  return lanes;
}

}  // namespace accsim::sim::kernels
