// The loops of exact_product.h in GNU vector types; compiled once per instruction set, in the namespace ACCSIM_ISA. The unit that includes
// this sets ACCSIM_ROWS, the rows whose accumulators its registers hold.
#pragma once

#include <cstring>

#include "sim/kernels/exact_product.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

typedef double Lanes __attribute__((vector_size(64)));
typedef std::int64_t Integers __attribute__((vector_size(64)));

constexpr std::int64_t exact_terms = 256;

template <int scale>
inline void flush(const Lanes& lanes, formats::Int128* sums) {
  const Integers whole = __builtin_convertvector(lanes, Integers);
  for (int c = 0; c < product_columns; ++c) sums[c] += static_cast<formats::Int128>(whole[c]) * (formats::Int128{1} << scale);
}

inline void narrow(const std::uint64_t* a, const std::uint64_t* b, std::int64_t k, formats::Int128* sums) {
  const auto* left = reinterpret_cast<const double*>(a);
  const auto* right = reinterpret_cast<const Lanes*>(b);
  for (std::int64_t first = 0; first < k; first += exact_terms) {
    const std::int64_t end = first + exact_terms < k ? first + exact_terms : k;
    Lanes sum[product_rows] = {};
    for (std::int64_t i = first; i < end; ++i) {
      for (int r = 0; r < product_rows; ++r) sum[r] += left[product_rows * i + r] * right[i];
    }
    for (int r = 0; r < product_rows; ++r) flush<0>(sum[r], sums + r * product_columns);
  }
}

inline void split(const std::uint64_t* a, const std::uint64_t* b, std::int64_t k, formats::Int128* sums) {
  const auto* left = reinterpret_cast<const double*>(a);
  const auto* right = reinterpret_cast<const Lanes*>(b);
  for (int row = 0; row < product_rows; row += ACCSIM_ROWS) {
    for (std::int64_t first = 0; first < k; first += exact_terms) {
      const std::int64_t end = first + exact_terms < k ? first + exact_terms : k;
      Lanes high[ACCSIM_ROWS] = {};
      Lanes cross[ACCSIM_ROWS] = {};
      Lanes low[ACCSIM_ROWS] = {};
      for (std::int64_t i = first; i < end; ++i) {
        const Lanes b_high = right[2 * i];
        const Lanes b_low = right[2 * i + 1];
        for (int r = 0; r < ACCSIM_ROWS; ++r) {
          const double a_high = left[2 * product_rows * i + row + r];
          const double a_low = left[2 * product_rows * i + product_rows + row + r];
          high[r] += a_high * b_high;
          cross[r] += a_high * b_low;
          cross[r] += a_low * b_high;
          low[r] += a_low * b_low;
        }
      }
      for (int r = 0; r < ACCSIM_ROWS; ++r) {
        flush<44>(high[r], sums + (row + r) * product_columns);
        flush<22>(cross[r], sums + (row + r) * product_columns);
        flush<0>(low[r], sums + (row + r) * product_columns);
      }
    }
  }
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
