// The conversions for machines with AVX2; compiled with -mavx2.
#if defined(__x86_64__)
#include <immintrin.h>

#include "formats/convert_isa.h"

namespace accsim::formats::avx2 {
namespace {

/// Word 0 of Philox4x32-10 with counter (0, o, o >> 32, c3), for 64 values of o from `first` on. Counters sit in the low halves of 64-bit
/// lanes; the high halves hold what the multiplications left and are never looked at.
inline void random_words(std::uint64_t first, std::uint32_t c3, std::uint32_t key0, std::uint32_t key1, std::uint32_t* words) {
  constexpr int vectors = 4;  // at a time, to hide the multiplier's latency
  const __m256i m0 = _mm256_set1_epi64x(0xD2511F53);
  const __m256i m1 = _mm256_set1_epi64x(0xCD9E8D57);
  for (int start = 0; start < 64; start += 4 * vectors) {
    __m256i c[4][vectors];
    for (int v = 0; v < vectors; ++v) {
      const std::uint64_t o = first + static_cast<std::uint64_t>(start + 4 * v);
      c[0][v] = _mm256_setzero_si256();
      c[1][v] = _mm256_add_epi64(_mm256_set1_epi64x(static_cast<long long>(o)), _mm256_set_epi64x(3, 2, 1, 0));
      c[2][v] = _mm256_srli_epi64(c[1][v], 32);
      c[3][v] = _mm256_set1_epi64x(c3);
    }
    std::uint32_t k0 = key0;
    std::uint32_t k1 = key1;
    for (int round = 0; round < 10; ++round) {
      const __m256i x0 = _mm256_set1_epi64x(k0);
      const __m256i x1 = _mm256_set1_epi64x(k1);
      for (int v = 0; v < vectors; ++v) {
        const __m256i p0 = _mm256_mul_epu32(c[0][v], m0);
        const __m256i p1 = _mm256_mul_epu32(c[2][v], m1);
        c[0][v] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p1, 32), c[1][v]), x0);
        c[1][v] = p1;
        c[2][v] = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p0, 32), c[3][v]), x1);
        c[3][v] = p0;
      }
      k0 += 0x9E3779B9U;
      k1 += 0xBB67AE85U;
    }
    for (int v = 0; v < vectors; ++v) {
      const __m256i low_halves = _mm256_permutevar8x32_epi32(c[0][v], _mm256_set_epi32(7, 5, 3, 1, 6, 4, 2, 0));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(&words[start + 4 * v]), _mm256_castsi256_si128(low_halves));
    }
  }
}

#include "formats/convert_loops.h"
#include "formats/number_loops.h"

}  // namespace

void convert(const float* values, std::uint16_t* codes, std::size_t size, const ConversionPlan& p, const ConversionRandom& random) {
  convert_with_plan(values, codes, size, p, random);
}

void round_numbers(double* numbers, std::size_t size, const NumberPlan& p) { round_with_plan(numbers, size, p); }

}  // namespace accsim::formats::avx2
#endif
