#define ACCSIM_ISA avx512
#include "sim/kernels/kernel_ordered_sum_lanes.h"

namespace accsim::sim::kernels {

const OrderedLanes& ordered_lanes_avx512() {
  static constexpr OrderedLanes lanes{avx512::ordered_lanes, avx512::run_ordered};
  return lanes;
}

}  // namespace accsim::sim::kernels
