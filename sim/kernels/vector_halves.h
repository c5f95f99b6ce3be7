// A register of 32-bit lanes as two of 64-bit lanes, and back. For lanes only, like vector.h.
#pragma once

#include "sim/kernels/vector.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

using F64 = Vector<double>;

/// The 64-bit lanes that belong to one register of 32-bit lanes, the low half first.
template <class V>
struct Pair {
  V low, high;
};

inline Pair<F64> plus(Pair<F64> x, Pair<F64> y) { return {x.low + y.low, x.high + y.high}; }

inline Pair<I64> widen(I32 x) {
#if defined(__AVX512BW__)
  const auto v = reinterpret_cast<__m512i>(x);
  return {reinterpret_cast<I64>(_mm512_cvtepi32_epi64(_mm512_castsi512_si256(v))),
          reinterpret_cast<I64>(_mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(v, 1)))};
#elif defined(__AVX2__)
  const auto v = reinterpret_cast<__m256i>(x);
  return {reinterpret_cast<I64>(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(v))),
          reinterpret_cast<I64>(_mm256_cvtepi32_epi64(_mm256_extracti128_si256(v, 1)))};
#else
  constexpr int n = lanes_of<std::int64_t>;
  Pair<I64> y;
  for (int i = 0; i < n; ++i) {
    y.low[i] = x[i];
    y.high[i] = x[i + n];
  }
  return y;
#endif
}

inline Pair<F64> to_double(I32 x) {
#if defined(__AVX512BW__)
  const auto v = reinterpret_cast<__m512i>(x);
  return {reinterpret_cast<F64>(_mm512_cvtepi32_pd(_mm512_castsi512_si256(v))),
          reinterpret_cast<F64>(_mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(v, 1)))};
#elif defined(__AVX2__)
  const auto v = reinterpret_cast<__m256i>(x);
  return {reinterpret_cast<F64>(_mm256_cvtepi32_pd(_mm256_castsi256_si128(v))),
          reinterpret_cast<F64>(_mm256_cvtepi32_pd(_mm256_extracti128_si256(v, 1)))};
#else
  constexpr int n = lanes_of<std::int64_t>;
  Pair<F64> y;
  for (int i = 0; i < n; ++i) {
    y.low[i] = x[i];
    y.high[i] = x[i + n];
  }
  return y;
#endif
}

/// Toward zero; every value must fit.
inline I32 to_integer(Pair<F64> x) {
#if defined(__AVX512BW__)
  return reinterpret_cast<I32>(_mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvttpd_epi32(reinterpret_cast<__m512d>(x.low))),
                                                  _mm512_cvttpd_epi32(reinterpret_cast<__m512d>(x.high)), 1));
#elif defined(__AVX2__)
  return reinterpret_cast<I32>(_mm256_inserti128_si256(_mm256_castsi128_si256(_mm256_cvttpd_epi32(reinterpret_cast<__m256d>(x.low))),
                                                       _mm256_cvttpd_epi32(reinterpret_cast<__m256d>(x.high)), 1));
#else
  constexpr int n = lanes_of<std::int64_t>;
  I32 y;
  for (int i = 0; i < n; ++i) {
    y[i] = static_cast<std::int32_t>(x.low[i]);
    y[i + n] = static_cast<std::int32_t>(x.high[i]);
  }
  return y;
#endif
}

/// Cut toward zero to a whole number, |x| < 2^51.
inline F64 toward_zero(F64 x) {
#if defined(__AVX512BW__)
  return reinterpret_cast<F64>(_mm512_roundscale_pd(reinterpret_cast<__m512d>(x), _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC));
#elif defined(__AVX2__)
  return reinterpret_cast<F64>(_mm256_round_pd(reinterpret_cast<__m256d>(x), _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC));
#else
  constexpr double to_units = 0x1p52;  // numbers of this size have no fraction
  constexpr auto sign = static_cast<std::int64_t>(1ULL << 63);
  const I64 bits = reinterpret_cast<I64>(x);
  const F64 magnitude = reinterpret_cast<F64>(bits & ~sign);
  F64 whole = (magnitude + to_units) - to_units;
  whole = whole > magnitude ? whole - 1.0 : whole;
  return reinterpret_cast<F64>(reinterpret_cast<I64>(whole) | (bits & sign));
#endif
}

/// The low 32 bits of each lane.
inline I32 narrow(Pair<I64> x) {
#if defined(__AVX512BW__)
  return reinterpret_cast<I32>(_mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi64_epi32(reinterpret_cast<__m512i>(x.low))),
                                                  _mm512_cvtepi64_epi32(reinterpret_cast<__m512i>(x.high)), 1));
#elif defined(__AVX2__)
  const __m256 even = _mm256_shuffle_ps(reinterpret_cast<__m256>(x.low), reinterpret_cast<__m256>(x.high), 0x88);
  return reinterpret_cast<I32>(_mm256_permute4x64_epi64(_mm256_castps_si256(even), 0xD8));
#else
  constexpr int n = lanes_of<std::int64_t>;
  I32 y;
  for (int i = 0; i < n; ++i) {
    y[i] = static_cast<std::int32_t>(x.low[i]);
    y[i + n] = static_cast<std::int32_t>(x.high[i]);
  }
  return y;
#endif
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
