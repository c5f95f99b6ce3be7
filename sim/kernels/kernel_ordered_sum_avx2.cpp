#define ACCSIM_ISA avx2
#include "sim/kernels/kernel_ordered_sum_lanes.h"

namespace accsim::sim::kernels {

const OrderedLanes& ordered_lanes_avx2() {
  static constexpr OrderedLanes lanes{avx2::ordered_lanes, avx2::run_ordered};
  return lanes;
}

}  // namespace accsim::sim::kernels
