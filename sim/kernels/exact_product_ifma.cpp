// The exact product on AVX-512 IFMA: halves of 104-bit products, added to 64-bit lanes.
#if defined(__x86_64__)
#include <immintrin.h>

#define ACCSIM_ISA product_ifma
#define ACCSIM_ROWS 4
#include "sim/kernels/exact_product_lanes.h"

namespace accsim::sim::kernels {
namespace {

void words(const std::uint64_t* a, const std::uint64_t* b, std::int64_t k, std::uint64_t* halves) {
  __m512i low[product_rows];
  __m512i high[product_rows];
#pragma GCC unroll 8
  for (int r = 0; r < product_rows; ++r) {
    low[r] = _mm512_load_si512(halves + r * product_columns);
    high[r] = _mm512_load_si512(halves + (product_rows + r) * product_columns);
  }
  for (std::int64_t i = 0; i < k; i += 2) {
    const __m512i even = _mm512_load_si512(b + product_columns * i);
    const __m512i odd = _mm512_load_si512(b + product_columns * (i + 1));
#pragma GCC unroll 8
    for (int r = 0; r < product_rows; ++r) {
      const __m512i left = _mm512_add_epi64(odd, _mm512_set1_epi64(static_cast<std::int64_t>(a[product_rows * i + r])));
      const __m512i right = _mm512_add_epi64(even, _mm512_set1_epi64(static_cast<std::int64_t>(a[product_rows * (i + 1) + r])));
      low[r] = _mm512_madd52lo_epu64(low[r], left, right);
      high[r] = _mm512_madd52hi_epu64(high[r], left, right);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < product_rows; ++r) {
    _mm512_store_si512(halves + r * product_columns, low[r]);
    _mm512_store_si512(halves + (product_rows + r) * product_columns, high[r]);
  }
}

}  // namespace

const ProductLanes exact_product_ifma = {"avx512ifma", ACCSIM_ISA::narrow, ACCSIM_ISA::split, words};

}  // namespace accsim::sim::kernels
#endif
