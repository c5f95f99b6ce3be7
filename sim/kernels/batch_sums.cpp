#include "sim/kernels/batch_sums.h"

#include "sim/kernels/isa.h"

namespace accsim::sim::kernels {

const BatchLanes* batch_lanes() {
#if defined(__x86_64__)
  if (host_has(Isa::avx512)) return &batch_sums_avx512;
  if (host_has(Isa::avx2)) return &batch_sums_avx2;
#endif
  return nullptr;
}

}  // namespace accsim::sim::kernels
