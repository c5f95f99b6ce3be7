#define ACCSIM_ISA avx512
#include "sim/kernels/kernel_scaled_sum_lanes.h"
#include "sim/kernels/kernel_staged_sum_lanes.h"

namespace accsim::sim::kernels {

const FusedLanes& fused_lanes_avx512() {
  static constexpr FusedLanes lanes{avx512::fused_lanes, avx512::run, avx512::run_scaled, avx512::run_staged};
  return lanes;
}

}  // namespace accsim::sim::kernels
