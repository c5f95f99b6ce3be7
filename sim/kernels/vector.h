// GNU vector types of the unit's instruction set and the few operations that they lack. Included by lanes only, in whose namespace
// (ACCSIM_ISA) everything here stands.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
// GCC 12 warns of its own undefined pass-through operands (its bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

namespace accsim::sim::kernels::ACCSIM_ISA {

#if defined(__AVX512BW__)
constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(vector_bytes)));
  static constexpr int lanes = vector_bytes / static_cast<int>(sizeof(T));
};
template <class T>
using Vector = typename VectorOf<T>::type;
template <class T>
constexpr int lanes_of = VectorOf<T>::lanes;

using I32 = Vector<std::int32_t>;
using U32 = Vector<std::uint32_t>;
using I64 = Vector<std::int64_t>;
using U64 = Vector<std::uint64_t>;

template <class V>
inline V larger(V x, V y) {
  return x > y ? x : y;
}
template <class V>
inline V smaller(V x, V y) {
  return x < y ? x : y;
}

/// True where some lane of a comparison holds.
inline bool any(I32 mask) {
#if defined(__AVX512BW__)
  return _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask)) != 0;
#elif defined(__AVX2__)
  return _mm256_movemask_epi8(reinterpret_cast<__m256i>(mask)) != 0;
#elif defined(__SSE2__)
  return _mm_movemask_epi8(reinterpret_cast<__m128i>(mask)) != 0;
#else
  for (int i = 0; i < lanes_of<std::int32_t>; ++i) {
    if (mask[i] != 0) return true;
  }
  return false;
#endif
}
inline bool any(I64 mask) { return any(reinterpret_cast<I32>(mask)); }

/// x / 2^n rounded down, n >= 0.
inline I32 shifted_right(I32 x, I32 n) {
#if defined(__AVX512BW__)
  return reinterpret_cast<I32>(_mm512_srav_epi32(reinterpret_cast<__m512i>(x), reinterpret_cast<__m512i>(n)));
#elif defined(__AVX2__)
  return reinterpret_cast<I32>(_mm256_srav_epi32(reinterpret_cast<__m256i>(x), reinterpret_cast<__m256i>(n)));
#else
  return x >> smaller(n, I32{} + 31);
#endif
}

/// x * 2^n modulo 2^32; 0 where n is negative.
inline U32 shifted_left(U32 x, I32 n) {
#if defined(__AVX512BW__)
  return reinterpret_cast<U32>(_mm512_sllv_epi32(reinterpret_cast<__m512i>(x), reinterpret_cast<__m512i>(n)));
#elif defined(__AVX2__)
  return reinterpret_cast<U32>(_mm256_sllv_epi32(reinterpret_cast<__m256i>(x), reinterpret_cast<__m256i>(n)));
#else
  const U32 count = reinterpret_cast<U32>(n);
  return count < 32 ? x << (count & 31) : U32{};
#endif
}

/// Each 32-bit lane holds two 16-bit integers: the sum of the two products.
inline I32 multiply_add_pairs(I32 x, I32 y) {
#if defined(__AVX512BW__)
  return reinterpret_cast<I32>(_mm512_madd_epi16(reinterpret_cast<__m512i>(x), reinterpret_cast<__m512i>(y)));
#elif defined(__AVX2__)
  return reinterpret_cast<I32>(_mm256_madd_epi16(reinterpret_cast<__m256i>(x), reinterpret_cast<__m256i>(y)));
#elif defined(__SSE2__)
  return reinterpret_cast<I32>(_mm_madd_epi16(reinterpret_cast<__m128i>(x), reinterpret_cast<__m128i>(y)));
#else
  return ((x << 16) >> 16) * ((y << 16) >> 16) + (x >> 16) * (y >> 16);
#endif
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
