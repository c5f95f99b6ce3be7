// The loops of prefix_extremes.h in GNU vector types; compiled once per instruction set, in the namespace ACCSIM_ISA.
#pragma once

#include <cstring>

#include "sim/kernels/prefix_extremes.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

template <class T>
inline void extremes(const T* a, const T* b, std::int64_t n, PrefixState<T>& state) {
  typedef T Lanes __attribute__((vector_size(prefix_bytes)));
  Lanes sum[prefix_rows];
  Lanes low[prefix_rows];
  Lanes high[prefix_rows];
  std::memcpy(sum, state.sum, sizeof sum);
  std::memcpy(low, state.low, sizeof low);
  std::memcpy(high, state.high, sizeof high);
  const auto* columns = reinterpret_cast<const Lanes*>(b);
  for (std::int64_t i = 0; i < n; ++i) {
    for (int r = 0; r < prefix_rows; ++r) {
      sum[r] += a[prefix_rows * i + r] * columns[i];
      low[r] = sum[r] < low[r] ? sum[r] : low[r];
      high[r] = sum[r] > high[r] ? sum[r] : high[r];
    }
  }
  std::memcpy(state.sum, sum, sizeof sum);
  std::memcpy(state.low, low, sizeof low);
  std::memcpy(state.high, high, sizeof high);
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
