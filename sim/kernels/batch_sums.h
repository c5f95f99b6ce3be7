// Exact sums of many binary64 numbers and of their products, as a few numbers whose sum is the same.
#pragma once

#include <cstdint>

namespace accsim::sim::kernels {

constexpr std::int64_t batch_size = 512;  ///< numbers of a batch; fewer are padded with zeros
constexpr int batch_parts = 64;           ///< at most as many parts, for magnitudes between 2^-910 and 2^900

/// Splits off, again and again, the leading bits of all numbers of a batch above a common last place, so few that their sum is exact
/// (Rump, Ogita, Oishi 2008, AccSum); destroys the numbers. Returns the count of parts.
using PartsFunction = int (*)(double* batch, double* parts);
/// high + low = a b, exactly, where neither a b nor its last bit leaves the range of normal numbers.
using ProductsFunction = void (*)(const double* a, const double* b, double* high, double* low);

struct BatchLanes {
  PartsFunction parts = nullptr;
  ProductsFunction products = nullptr;
};

/// The fastest that this machine runs; null where it has no fused multiply-add.
const BatchLanes* batch_lanes();

extern const BatchLanes batch_sums_avx2, batch_sums_avx512;

}  // namespace accsim::sim::kernels
