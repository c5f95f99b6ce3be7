// The list of executors: the interpreter first, then the kernels that this machine can run, the preferred ones last.
#include <vector>

#include "sim/executor.h"
#include "sim/interpreter.h"
#include "sim/kernels/executors.h"
#include "sim/kernels/kernel_float.h"

namespace accsim::sim {

std::span<const Executor* const> executors() {
  static const std::vector<const Executor*> all = [] {
    std::vector<const Executor*> list = {&interpreter()};
    for (const kernels::Isa isa : {kernels::Isa::baseline, kernels::Isa::avx2, kernels::Isa::avx512}) {
      if (kernels::host_has(isa)) list.push_back(&kernels::float_kernel(isa));
    }
    for (const kernels::Isa isa : {kernels::Isa::baseline, kernels::Isa::avx2, kernels::Isa::avx512}) {
      if (kernels::host_has(isa)) list.push_back(&kernels::integer_kernel(isa));
    }
    for (const kernels::Isa isa : {kernels::Isa::baseline, kernels::Isa::avx2, kernels::Isa::avx512}) {
      if (kernels::host_has(isa)) list.push_back(&kernels::fused_sum_kernel(isa));
    }
    for (const kernels::Isa isa : {kernels::Isa::baseline, kernels::Isa::avx2, kernels::Isa::avx512}) {
      if (kernels::host_has(isa)) list.push_back(&kernels::ordered_sum_kernel(isa));
    }
    for (const kernels::Isa isa : {kernels::Isa::baseline, kernels::Isa::avx2, kernels::Isa::avx512}) {
      if (kernels::host_has(isa)) list.push_back(&kernels::online_kernel(isa));
    }
    list.push_back(&kernels::exact_sum_kernel());
    list.push_back(&kernels::sorted_kernel());
    return list;
  }();
  return all;
}

}  // namespace accsim::sim
