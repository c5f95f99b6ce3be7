#include "sim/kernels/prefix_extremes.h"

#include <vector>

#include "sim/kernels/isa.h"

namespace accsim::sim::kernels {

std::span<const PrefixLanes> prefix_lanes() {
  static const std::vector<PrefixLanes> all = [] {
    std::vector<PrefixLanes> lanes = {prefix_extremes_baseline};
#if defined(__x86_64__)
    if (host_has(Isa::avx2)) lanes.push_back(prefix_extremes_avx2);
    if (host_has(Isa::avx512)) lanes.push_back(prefix_extremes_avx512);
#endif
    return lanes;
  }();
  return all;
}

}  // namespace accsim::sim::kernels
