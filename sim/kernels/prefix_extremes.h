// The least and greatest prefix of sums of integer products, many outputs at once.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace accsim::sim::kernels {

constexpr std::int64_t prefix_rows = 4;
constexpr std::int64_t prefix_bytes = 64;  ///< of one vector: 16 columns of int32, 8 of binary64

/// What 4 rows x a vector of columns keep between runs of terms.
template <class T>
struct PrefixState {
  static constexpr std::int64_t columns = prefix_bytes / static_cast<std::int64_t>(sizeof(T));
  alignas(64) T sum[prefix_rows][columns];
  alignas(64) T low[prefix_rows][columns];
  alignas(64) T high[prefix_rows][columns];
};

/// Adds n products to the sums, one after the other, and sees every sum. `a` is [n][4], `b` [n][columns], aligned to 64 bytes. Nothing may
/// leave int32, or the integers of binary64.
template <class T>
using PrefixFunction = void (*)(const T* a, const T* b, std::int64_t n, PrefixState<T>& state);
struct PrefixLanes {
  std::string_view name;
  PrefixFunction<std::int32_t> integers;
  PrefixFunction<double> numbers;
};

/// Those that this machine runs, the fastest last.
std::span<const PrefixLanes> prefix_lanes();

extern const PrefixLanes prefix_extremes_baseline, prefix_extremes_avx2, prefix_extremes_avx512;

}  // namespace accsim::sim::kernels
