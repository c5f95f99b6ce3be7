// The exact product on AVX-512 IFMA: halves of 104-bit products, added to 64-bit lanes.
#if defined(__x86_64__)
#include <immintrin.h>

#define ACCSIM_ISA product_ifma
#define ACCSIM_ROWS 4
#include "sim/kernels/exact_product_lanes.h"

namespace accsim::sim::kernels {
namespace {

constexpr std::int64_t word_terms = 2048;

void words(const std::uint64_t* a, const std::uint64_t* b, std::int64_t k, formats::Int128* sums) {
  for (std::int64_t first = 0; first < k; first += word_terms) {
    const std::int64_t end = first + word_terms < k ? first + word_terms : k;
    __m512i low[product_rows];
    __m512i high[product_rows];
    for (int r = 0; r < product_rows; ++r) low[r] = high[r] = _mm512_setzero_si512();
    for (std::int64_t i = first; i < end; ++i) {
      const __m512i right = _mm512_load_si512(b + product_columns * i);
#pragma GCC unroll 8
      for (int r = 0; r < product_rows; ++r) {
        const __m512i left = _mm512_set1_epi64(static_cast<std::int64_t>(a[product_rows * i + r]));
        low[r] = _mm512_madd52lo_epu64(low[r], left, right);
        high[r] = _mm512_madd52hi_epu64(high[r], left, right);
      }
    }
    for (int r = 0; r < product_rows; ++r) {
      alignas(64) std::uint64_t halves[2][product_columns];
      _mm512_store_si512(halves[0], low[r]);
      _mm512_store_si512(halves[1], high[r]);
      for (int c = 0; c < product_columns; ++c) {
        const formats::UInt128 sum = (static_cast<formats::UInt128>(halves[1][c]) << 52) + halves[0][c];
        formats::Int128& total = sums[r * product_columns + c];
        total = static_cast<formats::Int128>(static_cast<formats::UInt128>(total) + sum);
      }
    }
  }
}

}  // namespace

const ProductLanes exact_product_ifma = {"avx512ifma", ACCSIM_ISA::narrow, words, ProductCarrier::words};

}  // namespace accsim::sim::kernels
#endif
