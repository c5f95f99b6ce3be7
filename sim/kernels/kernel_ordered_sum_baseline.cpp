#define ACCSIM_ISA baseline
#include "sim/kernels/kernel_ordered_sum_lanes.h"

namespace accsim::sim::kernels {

const OrderedLanes& ordered_lanes_baseline() {
  static constexpr OrderedLanes lanes{baseline::ordered_lanes, baseline::run_ordered};
  return lanes;
}

}  // namespace accsim::sim::kernels
