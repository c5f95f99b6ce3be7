// Sums of binary64 without error: pairs high + low, high being the pair's nearest. For lanes only, like vector.h.
#pragma once

#include "sim/kernels/vector.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

using F64 = Vector<double>;

struct Pair {
  F64 high, low;
};

/// x + y, exactly (Knuth).
inline Pair two_sum(F64 x, F64 y) {
  const F64 sum = x + y;
  const F64 of_y = sum - x;
  return {sum, (x - (sum - of_y)) + (y - of_y)};
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
