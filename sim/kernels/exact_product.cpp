#include "sim/kernels/exact_product.h"

#include <vector>

#include "sim/kernels/isa.h"

namespace accsim::sim::kernels {

std::span<const ProductLanes> product_lanes() {
  static const std::vector<ProductLanes> all = [] {
    std::vector<ProductLanes> lanes = {exact_product_baseline};
#if defined(__x86_64__)
    if (host_has(Isa::avx2)) lanes.push_back(exact_product_avx2);
    if (host_has(Isa::avx512)) lanes.push_back(exact_product_avx512);
    if (host_has(Isa::avx512) && __builtin_cpu_supports("avx512ifma") != 0) lanes.push_back(exact_product_ifma);
#endif
    return lanes;
  }();
  return all;
}

}  // namespace accsim::sim::kernels
