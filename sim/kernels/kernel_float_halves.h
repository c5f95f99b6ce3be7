// Registers of 16-bit lanes: the upper halves of two registers of binary32 lanes, and what is compared and counted there. Included by lane
// units only, inside their own namespace.
#pragma once

#include "sim/kernels/kernel_float_ops.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

/// Which halves the two registers have here is the instruction set's matter; `first` and `second` give them back. Magnitudes are without a
/// sign bit.
struct Halves {
  typedef std::int16_t Half __attribute__((vector_size(vector_bytes)));
  using Int = Ops<float>::Int;
  using UInt = Ops<float>::UInt;

  static ACCSIM_INLINE Half set(int x) { return static_cast<std::int16_t>(x) - Half{}; }
  /// The sum of each two counts that share 32 bits.
  static ACCSIM_INLINE Int widened(Half x) { return Int(UInt(x) >> 16) + (Int(x) & Ops<float>::set(0xFFFF)); }

#if defined(__AVX512BW__)
  using Mask = __mmask32;

  static ACCSIM_INLINE Half uppers(Int x, Int y) { return Half(_mm512_permutex2var_epi16(__m512i(x), places(1), __m512i(y))); }
  static ACCSIM_INLINE Half lowers(Int x, Int y) { return Half(_mm512_permutex2var_epi16(__m512i(x), places(0), __m512i(y))); }
  static ACCSIM_INLINE Int first(Half x) { return Int(_mm512_unpacklo_epi16(__m512i{}, __m512i(x))); }
  static ACCSIM_INLINE Int second(Half x) { return Int(_mm512_unpackhi_epi16(__m512i{}, __m512i(x))); }
  static ACCSIM_INLINE Mask ge(Half x, Half y) { return _mm512_cmpge_epi16_mask(__m512i(x), __m512i(y)); }
  static ACCSIM_INLINE Mask eq(Half x, Half y) { return _mm512_cmpeq_epi16_mask(__m512i(x), __m512i(y)); }
  static ACCSIM_INLINE Mask none() { return 0; }
  static ACCSIM_INLINE bool any(Mask m) { return m != 0; }
  static ACCSIM_INLINE Half keep_where(Mask m, Half x) { return Half(_mm512_maskz_mov_epi16(m, __m512i(x))); }
  static ACCSIM_INLINE Half select(Mask m, Half yes, Half no) { return Half(_mm512_mask_blend_epi16(m, __m512i(no), __m512i(yes))); }
  static ACCSIM_INLINE Half add_where(Mask m, Half x, Half y) { return Half(_mm512_mask_add_epi16(__m512i(x), m, __m512i(x), __m512i(y))); }
  /// 1 where x is not zero.
  static ACCSIM_INLINE Half is_set(Half x) { return Half(_mm512_min_epu16(__m512i(x), __m512i(set(1)))); }
  static ACCSIM_INLINE Half is_set_where(Mask m, Half x) { return Half(_mm512_maskz_min_epu16(m, __m512i(x), __m512i(set(1)))); }
  static ACCSIM_INLINE Half larger(Half x, Half y) { return Half(_mm512_max_epi16(__m512i(x), __m512i(y))); }
#else
  using Mask = Half;

  static ACCSIM_INLINE Int first(Half x) { return Int(x) & Ops<float>::set(-65536); }
  static ACCSIM_INLINE Int second(Half x) { return Int(x) << 16; }
#if defined(__AVX2__)
  static ACCSIM_INLINE Half uppers(Int x, Int y) { return Half(_mm256_blend_epi16(__m256i(UInt(y) >> 16), __m256i(x), 0xAA)); }
  static ACCSIM_INLINE Half lowers(Int x, Int y) { return Half(_mm256_blend_epi16(__m256i(y), __m256i(x << 16), 0xAA)); }
  static ACCSIM_INLINE Half is_set(Half x) { return Half(_mm256_min_epu16(__m256i(x), __m256i(set(1)))); }
#else
  static ACCSIM_INLINE Half uppers(Int x, Int y) { return Half((x & Ops<float>::set(-65536)) | Int(UInt(y) >> 16)); }
  static ACCSIM_INLINE Half lowers(Int x, Int y) { return Half((x << 16) | (y & Ops<float>::set(0xFFFF))); }
  static ACCSIM_INLINE Half is_set(Half x) { return -Half(x != 0); }
#endif
  static ACCSIM_INLINE Mask ge(Half x, Half y) { return Mask(x >= y); }
  static ACCSIM_INLINE Mask eq(Half x, Half y) { return Mask(x == y); }
  static ACCSIM_INLINE Mask none() { return Mask{}; }
  static ACCSIM_INLINE bool any(Mask m) { return Ops<float>::any(Int(m)); }
  static ACCSIM_INLINE Half keep_where(Mask m, Half x) { return x & m; }
  static ACCSIM_INLINE Half select(Mask m, Half yes, Half no) { return m ? yes : no; }
  static ACCSIM_INLINE Half add_where(Mask m, Half x, Half y) { return x + (y & m); }
  static ACCSIM_INLINE Half is_set_where(Mask m, Half x) { return is_set(x) & m; }
  static ACCSIM_INLINE Half larger(Half x, Half y) { return x > y ? x : y; }
#endif
  static ACCSIM_INLINE void count(Half& counter, Mask m) { counter = add_where(m, counter, set(1)); }

#if defined(__AVX512BW__)
 private:
  /// Of each 128 bits four halves are the first register's, four the second's, so that unpacking needs no permutation.
  static ACCSIM_INLINE __m512i places(int half) {
    Half p;
    for (int i = 0; i < 32; ++i) p[i] = static_cast<std::int16_t>((i % 8 < 4 ? 0 : 32) + 2 * (i / 8 * 4 + i % 4) + half);
    return __m512i(p);
  }
#endif
};

}  // namespace accsim::sim::kernels::ACCSIM_ISA
