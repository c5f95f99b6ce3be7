#define ACCSIM_ISA baseline
#include "sim/kernels/kernel_integer_lanes.h"

namespace accsim::sim::kernels {

const IntegerLanes& integer_lanes_baseline() {
  static constexpr IntegerLanes lanes{baseline::vector_bytes, baseline::run, baseline::narrow, baseline::see_largest};
  return lanes;
}

}  // namespace accsim::sim::kernels
