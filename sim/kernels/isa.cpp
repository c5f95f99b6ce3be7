// Which instruction sets this machine has.
#include "sim/kernels/isa.h"

namespace accsim::sim::kernels {

bool host_has(Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::baseline: return true;
    case Isa::avx2: return __builtin_cpu_supports("x86-64-v3") != 0;
    case Isa::avx512: return __builtin_cpu_supports("x86-64-v4") != 0;
  }
  return false;
#else
  return isa == Isa::baseline;
#endif
}

}  // namespace accsim::sim::kernels
