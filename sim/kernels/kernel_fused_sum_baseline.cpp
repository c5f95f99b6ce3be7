#define ACCSIM_ISA baseline
#include "sim/kernels/kernel_scaled_sum_lanes.h"
#include "sim/kernels/kernel_staged_sum_lanes.h"

namespace accsim::sim::kernels {

const FusedLanes& fused_lanes_baseline() {
  static constexpr FusedLanes lanes{baseline::fused_lanes, baseline::run, baseline::run_scaled, baseline::run_staged};
  return lanes;
}

}  // namespace accsim::sim::kernels
