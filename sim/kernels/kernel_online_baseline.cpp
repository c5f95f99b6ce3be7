#define ACCSIM_ISA baseline
#include "sim/kernels/kernel_online_lanes.h"

namespace accsim::sim::kernels {

const OnlineLanes& online_lanes_baseline() {
  static constexpr OnlineLanes lanes{baseline::vector_bytes / 8, baseline::reset, baseline::start, baseline::step};
  return lanes;
}

}  // namespace accsim::sim::kernels
