// Exact sums of many binary64 numbers and of their products, as a few numbers whose sum is the same; and the numbers of outputs that go
// into them.
#pragma once

#include <cstdint>

#include "formats/integer.h"

namespace accsim::sim::kernels {

constexpr std::int64_t batch_size = 512;  ///< numbers of a batch; fewer are padded with zeros
constexpr int batch_parts = 64;           ///< at most as many parts, for magnitudes between 2^-910 and 2^900

/// Splits off, again and again, the leading bits of all numbers of a batch above a common last place, so few that their sum is exact
/// (Rump, Ogita, Oishi 2008, AccSum); destroys the numbers. Returns the count of parts.
using PartsFunction = int (*)(double* batch, double* parts);
/// high + low = a b, exactly, where neither a b nor its last bit leaves the range of normal numbers.
using ProductsFunction = void (*)(const double* a, const double* b, double* high, double* low);

/// Outputs of one row. Every array holds one entry a column, up to a multiple of output_lanes.
constexpr std::int64_t output_lanes = 8;
constexpr double product_error = 0x1p-100;  ///< of a product or a difference of two, relative
struct OutputsToRound {
  const double* y = nullptr;
  const formats::Int128* sums = nullptr;  ///< exact; times units[c] row_unit, both powers of two, their product within 2^-300..2^300
  const double* units = nullptr;
  double row_unit = 1;
  const double* scale_high = nullptr;  ///< high + low within 2^-100..2^100, its last bit above 2^-230; NaN: no such scale, not done
  const double* scale_low = nullptr;
  const formats::Int128* traced_sums = nullptr;  ///< null: the signal is the reference
  const double* traced_units = nullptr;
  double traced_row_unit = 1;
  const double* dataset_high = nullptr;
  const double* dataset_low = nullptr;
  bool powers_of_two = false;                ///< all scales are, so that products are exact
  const double* inverse_spacings = nullptr;  ///< of the result's format, by the biased exponent of a binary64 (0: zero); NaN: not done
};
/// The numbers of RoundedOutput; `done` is 1 where all were decided. The last three are added to, of outputs that are done.
struct RoundedRow {
  double *error = nullptr, *reference = nullptr, *y = nullptr, *signal = nullptr, *quantization_noise = nullptr, *total_noise = nullptr;
  char* done = nullptr;
  double max_abs_output = 0, max_ulp = 0;
  std::int64_t inexact = 0;
};
using RoundFunction = void (*)(const OutputsToRound& outputs, std::int64_t n, RoundedRow& rounded);
/// True where all are zero or within 2^-400..2^400.
using ReachFunction = bool (*)(const double* numbers, std::int64_t n);

struct BatchLanes {
  PartsFunction parts = nullptr;
  ProductsFunction products = nullptr;
  RoundFunction round = nullptr;
  ReachFunction in_reach = nullptr;
};

/// The fastest that this machine runs; null where it has no fused multiply-add.
const BatchLanes* batch_lanes();

extern const BatchLanes batch_sums_avx2, batch_sums_avx512;

}  // namespace accsim::sim::kernels
