// Lanes of binary32 and binary64: what differs between instruction sets. Included by lane units only, inside their own namespace.
// The loops run with the host rounding toward minus infinity where there is no rounding in the instruction (AVX-512 has it).
// Everything is in the namespace ACCSIM_ISA, so that no unit's function stands in for another's.
#pragma once

#include <cstdint>
#include <type_traits>

#if defined(__x86_64__)
// GCC 12 warns of its own undefined pass-through operands (its bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#else
#include <cfenv>
#endif

#include "sim/kernels/kernel_float_plan.h"

#define ACCSIM_INLINE inline __attribute__((always_inline))
#define ACCSIM_LAMBDA __attribute__((always_inline))

namespace accsim::sim::kernels::ACCSIM_ISA {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

/// Rows of a block of the fast loops.
#if defined(__AVX512F__)
constexpr int fast_rows = 4;
#else
constexpr int fast_rows = 2;
#endif

template <class T>
struct Words;
template <>
struct Words<float> {
  using Signed = std::int32_t;
  using Unsigned = std::uint32_t;
  static constexpr int fraction_bits = 23;
};
template <>
struct Words<double> {
  using Signed = std::int64_t;
  using Unsigned = std::uint64_t;
  static constexpr int fraction_bits = 52;
};

/// Calls f(0), f(1), ... with constants, so that arrays indexed by them live in registers.
template <int i>
struct Index {
  static constexpr int value = i;
  constexpr operator int() const { return i; }  // NOLINT: an index
};
template <int count, int i = 0, class F>
ACCSIM_INLINE void unrolled(F&& f) {
  if constexpr (i < count) {
    f(Index<i>{});
    unrolled<count, i + 1>(f);
  }
}

typedef std::uint64_t U64 __attribute__((vector_size(vector_bytes)));

/// Types and operations of lanes of type T. Integers are two's complement vectors; arithmetic on them is the compiler's own.
template <class T>
struct Ops {
  using Scalar = T;
  using Word = typename Words<T>::Signed;
  using UWord = typename Words<T>::Unsigned;
  typedef T Real __attribute__((vector_size(vector_bytes)));
  typedef Word Int __attribute__((vector_size(vector_bytes)));
  typedef UWord UInt __attribute__((vector_size(vector_bytes)));
  static constexpr int lanes = vector_bytes / static_cast<int>(sizeof(T));
  static constexpr int fraction_bits = Words<T>::fraction_bits;
  static constexpr Word sign = static_cast<Word>(UWord{1} << (8 * sizeof(T) - 1));
  static constexpr Word infinity = static_cast<Word>(((UWord{1} << (8 * sizeof(T) - 1 - fraction_bits)) - 1) << fraction_bits);

  static ACCSIM_INLINE Int set(Word w) { return w - Int{}; }
  static ACCSIM_INLINE Real set_real(T x) { return Real(set(__builtin_bit_cast(Word, x))); }
  static ACCSIM_INLINE Real load(const T* p) {
    Real v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
  }
  static ACCSIM_INLINE void store(T* p, Real v) { __builtin_memcpy(p, &v, sizeof v); }
  static ACCSIM_INLINE Int bits(Real x) { return Int(x); }
  static ACCSIM_INLINE Int magnitude(Real x) { return bits(x) & set(~sign); }
  static ACCSIM_INLINE Real real(Int x) { return Real(x); }

#if defined(__AVX512F__)
  static constexpr bool is_float = sizeof(T) == 4;
  using Mask = std::conditional_t<is_float, __mmask16, __mmask8>;
  static constexpr int down = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
  static constexpr int up = _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC;
  static constexpr int zero = _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC;
  static constexpr int nearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

  static ACCSIM_INLINE Mask eq(Int a, Int b) {
    if constexpr (is_float) return _mm512_cmpeq_epi32_mask(__m512i(a), __m512i(b));
    else return _mm512_cmpeq_epi64_mask(__m512i(a), __m512i(b));
  }
  static ACCSIM_INLINE Mask ne(Int a, Int b) {
    if constexpr (is_float) return _mm512_cmpneq_epi32_mask(__m512i(a), __m512i(b));
    else return _mm512_cmpneq_epi64_mask(__m512i(a), __m512i(b));
  }
  static ACCSIM_INLINE Mask lt(Int a, Int b) {
    if constexpr (is_float) return _mm512_cmplt_epi32_mask(__m512i(a), __m512i(b));
    else return _mm512_cmplt_epi64_mask(__m512i(a), __m512i(b));
  }
  static ACCSIM_INLINE Mask ge(Int a, Int b) {
    if constexpr (is_float) return _mm512_cmpge_epi32_mask(__m512i(a), __m512i(b));
    else return _mm512_cmpge_epi64_mask(__m512i(a), __m512i(b));
  }
  static ACCSIM_INLINE Mask differ(Real a, Real b) {  // as numbers: -0 is 0; NaN differs
    if constexpr (is_float) return _mm512_cmp_ps_mask(__m512(a), __m512(b), _CMP_NEQ_UQ);
    else return _mm512_cmp_pd_mask(__m512d(a), __m512d(b), _CMP_NEQ_UQ);
  }
  static ACCSIM_INLINE Mask reaches(Real a, Real b) {  // as numbers; NaN does not
    if constexpr (is_float) return _mm512_cmp_ps_mask(__m512(a), __m512(b), _CMP_GE_OQ);
    else return _mm512_cmp_pd_mask(__m512d(a), __m512d(b), _CMP_GE_OQ);
  }
  static ACCSIM_INLINE Mask none() { return 0; }
  static ACCSIM_INLINE bool any(Mask m) { return m != 0; }
  static ACCSIM_INLINE Mask both(Mask a, Mask b) { return static_cast<Mask>(a & b); }
  static ACCSIM_INLINE Mask either(Mask a, Mask b) { return static_cast<Mask>(a | b); }
  static ACCSIM_INLINE Mask but_not(Mask a, Mask b) { return static_cast<Mask>(a & ~b); }
  static ACCSIM_INLINE Mask both_eq(Mask m, Int a, Int b) {
    if constexpr (is_float) return _mm512_mask_cmpeq_epi32_mask(m, __m512i(a), __m512i(b));
    else return _mm512_mask_cmpeq_epi64_mask(m, __m512i(a), __m512i(b));
  }
  static ACCSIM_INLINE Mask both_ne(Mask m, Int a, Int b) {
    if constexpr (is_float) return _mm512_mask_cmpneq_epi32_mask(m, __m512i(a), __m512i(b));
    else return _mm512_mask_cmpneq_epi64_mask(m, __m512i(a), __m512i(b));
  }
  static ACCSIM_INLINE Mask both_nonzero(Mask m, Int a, Int bits_of_interest) {
    if constexpr (is_float) return _mm512_mask_test_epi32_mask(m, __m512i(a), __m512i(bits_of_interest));
    else return _mm512_mask_test_epi64_mask(m, __m512i(a), __m512i(bits_of_interest));
  }
  static ACCSIM_INLINE Mask nonzero(Int a, Int bits_of_interest) {
    if constexpr (is_float) return _mm512_test_epi32_mask(__m512i(a), __m512i(bits_of_interest));
    else return _mm512_test_epi64_mask(__m512i(a), __m512i(bits_of_interest));
  }
  static ACCSIM_INLINE Int select(Mask m, Int yes, Int no) {
    if constexpr (is_float) return Int(_mm512_mask_blend_epi32(m, __m512i(no), __m512i(yes)));
    else return Int(_mm512_mask_blend_epi64(m, __m512i(no), __m512i(yes)));
  }
  static ACCSIM_INLINE Int keep_where(Mask m, Int a) {
    if constexpr (is_float) return Int(_mm512_maskz_mov_epi32(m, __m512i(a)));
    else return Int(_mm512_maskz_mov_epi64(m, __m512i(a)));
  }
  static ACCSIM_INLINE Int and_where(Mask m, Int a, Int b) {  // 0 elsewhere
    if constexpr (is_float) return Int(_mm512_maskz_and_epi32(m, __m512i(a), __m512i(b)));
    else return Int(_mm512_maskz_and_epi64(m, __m512i(a), __m512i(b)));
  }
  static ACCSIM_INLINE Int or_where(Mask m, Int a, Int b) {  // a elsewhere
    if constexpr (is_float) return Int(_mm512_mask_or_epi32(__m512i(a), m, __m512i(a), __m512i(b)));
    else return Int(_mm512_mask_or_epi64(__m512i(a), m, __m512i(a), __m512i(b)));
  }
  static ACCSIM_INLINE Int add_where(Mask m, Int a, Int b) {  // a elsewhere
    if constexpr (is_float) return Int(_mm512_mask_add_epi32(__m512i(a), m, __m512i(a), __m512i(b)));
    else return Int(_mm512_mask_add_epi64(__m512i(a), m, __m512i(a), __m512i(b)));
  }
  static ACCSIM_INLINE void count(Int& counter, Mask m) { counter = add_where(m, counter, set(1)); }
  static ACCSIM_INLINE Int larger(Int a, Int b) {
    if constexpr (is_float) return Int(_mm512_max_epi32(__m512i(a), __m512i(b)));
    else return Int(_mm512_max_epi64(__m512i(a), __m512i(b)));
  }
  static ACCSIM_INLINE Int smaller(Int a, Int b) {  // of numbers that are not negative
    if constexpr (is_float) return Int(_mm512_min_epi32(__m512i(a), __m512i(b)));
    else return Int(_mm512_min_epi64(__m512i(a), __m512i(b)));
  }
  static ACCSIM_INLINE U64 multiply_low_words(U64 a, U64 b) { return U64(_mm512_mul_epu32(__m512i(a), __m512i(b))); }

  template <int mode>
  static ACCSIM_INLINE Real add(Real a, Real b) {
    if constexpr (is_float) return Real(_mm512_add_round_ps(__m512(a), __m512(b), mode));
    else return Real(_mm512_add_round_pd(__m512d(a), __m512d(b), mode));
  }
  template <int mode>
  static ACCSIM_INLINE Real multiply(Real a, Real b) {
    if constexpr (is_float) return Real(_mm512_mul_round_ps(__m512(a), __m512(b), mode));
    else return Real(_mm512_mul_round_pd(__m512d(a), __m512d(b), mode));
  }
  template <int mode>
  static ACCSIM_INLINE Real fma(Real a, Real b, Real c) {
    if constexpr (is_float) return Real(_mm512_fmadd_round_ps(__m512(a), __m512(b), __m512(c), mode));
    else return Real(_mm512_fmadd_round_pd(__m512d(a), __m512d(b), __m512d(c), mode));
  }
  /// From what rounds down and up to rounded to odd: of two neighbours the one whose last bit is set; the upper zero of two.
  static ACCSIM_INLINE Real to_odd(Real lower, Real upper) { return real(select(nonzero(bits(lower), set(1)), bits(lower), bits(upper))); }
  /// a + b rounded to odd; an exact zero sum of two signs is +0, or -0 with `zero_down`.
  static ACCSIM_INLINE Real odd_sum(Real a, Real b, bool zero_down) {
    const Real lower = add<down>(a, b);
    const Real odd = to_odd(lower, add<up>(a, b));
    return zero_down ? real(select(nonzero(bits(odd), set(~sign)), bits(odd), bits(lower))) : odd;
  }
  static ACCSIM_INLINE Real odd_product(Real a, Real b) { return to_odd(multiply<down>(a, b), multiply<up>(a, b)); }
  static ACCSIM_INLINE Real odd_fma(Real a, Real b, Real c, bool zero_down) {
    const Real lower = fma<down>(a, b, c);
    const Real odd = to_odd(lower, fma<up>(a, b, c));
    return zero_down ? real(select(nonzero(bits(odd), set(~sign)), bits(odd), bits(lower))) : odd;
  }
  /// a * b as the host rounds; +0 elsewhere.
  static ACCSIM_INLINE Real product_where(Mask m, Real a, Real b) {
    if constexpr (is_float) return Real(_mm512_maskz_mul_ps(m, __m512(a), __m512(b)));
    else return Real(_mm512_maskz_mul_pd(m, __m512d(a), __m512d(b)));
  }
  static ACCSIM_INLINE Real exact_product(Real a, Real b) { return multiply<zero>(a, b); }

  // For the fast loops.
  static ACCSIM_INLINE Real truncated_sum(Real a, Real b) { return add<zero>(a, b); }
  static ACCSIM_INLINE Real truncated_product(Real a, Real b) { return multiply<zero>(a, b); }
  /// Truncated, or with a set bit below what is cut off.
  static ACCSIM_INLINE Real cut_product(Real a, Real b) { return multiply<zero>(a, b); }
  /// No larger in magnitude than `end`.
  static ACCSIM_INLINE Real clamped(Real x, Real end) {
    if constexpr (is_float) return Real(_mm512_range_ps(__m512(x), __m512(end), 0x2));
    else return Real(_mm512_range_pd(__m512d(x), __m512d(end), 0x2));
  }
  static ACCSIM_INLINE Int where_bit(Int x, int bit, Int yes, Int no) {
    return select(nonzero(x, set(static_cast<Word>(UWord{1} << bit))), yes, no);
  }
  /// Counts where d is not sum, and where it is acc besides.
  static ACCSIM_INLINE void count_inexact(Int& inexact, Int& swamped, Int d, Int sum, Int acc) {
    const Mask differs = ne(d, sum);
    count(inexact, differs);
    count(swamped, both_eq(differs, d, acc));
  }
  static ACCSIM_INLINE std::int64_t inexact_of(std::int64_t counted, std::int64_t) { return counted; }
  static ACCSIM_INLINE Real nearest_fma(Real a, Real b, Real c) { return fma<nearest>(a, b, c); }
  static ACCSIM_INLINE Mask inexact_fma(Real a, Real b, Real c) { return differ(fma<down>(a, b, c), fma<up>(a, b, c)); }
  static ACCSIM_INLINE Real nearest_sum(Real a, Real b) { return add<nearest>(a, b); }
  static ACCSIM_INLINE Mask inexact_sum(Real a, Real b) { return differ(add<down>(a, b), add<up>(a, b)); }
#else
  using Mask = Int;

  static ACCSIM_INLINE Mask eq(Int a, Int b) { return Mask(a == b); }
  static ACCSIM_INLINE Mask ne(Int a, Int b) { return Mask(a != b); }
  static ACCSIM_INLINE Mask lt(Int a, Int b) { return Mask(a < b); }
  static ACCSIM_INLINE Mask ge(Int a, Int b) { return Mask(a >= b); }
  static ACCSIM_INLINE Mask differ(Real a, Real b) { return Mask(a != b); }
  static ACCSIM_INLINE Mask reaches(Real a, Real b) { return Mask(a >= b); }
  static ACCSIM_INLINE Mask none() { return Mask{}; }
  static ACCSIM_INLINE bool any(Mask m) {
#if defined(__AVX2__)
    return _mm256_movemask_epi8(__m256i(m)) != 0;
#elif defined(__SSE2__)
    return _mm_movemask_epi8(__m128i(m)) != 0;
#else
    Word all = 0;
    for (int i = 0; i < lanes; ++i) all |= m[i];
    return all != 0;
#endif
  }
  static ACCSIM_INLINE Mask both(Mask a, Mask b) { return a & b; }
  static ACCSIM_INLINE Mask either(Mask a, Mask b) { return a | b; }
  static ACCSIM_INLINE Mask but_not(Mask a, Mask b) {
#if defined(__AVX2__)
    return Mask(_mm256_andnot_si256(__m256i(b), __m256i(a)));  // one instruction, which GCC makes two
#else
    return a & ~b;
#endif
  }
  static ACCSIM_INLINE Mask both_eq(Mask m, Int a, Int b) { return m & Mask(a == b); }
  static ACCSIM_INLINE Mask both_ne(Mask m, Int a, Int b) { return m & Mask(a != b); }
  static ACCSIM_INLINE Mask both_nonzero(Mask m, Int a, Int bits_of_interest) { return m & nonzero(a, bits_of_interest); }
  static ACCSIM_INLINE Mask nonzero(Int a, Int bits_of_interest) { return Mask((a & bits_of_interest) != 0); }
  static ACCSIM_INLINE Int select(Mask m, Int yes, Int no) { return m ? yes : no; }
  static ACCSIM_INLINE Int keep_where(Mask m, Int a) { return a & m; }
  static ACCSIM_INLINE Int and_where(Mask m, Int a, Int b) { return a & b & m; }
  static ACCSIM_INLINE Int or_where(Mask m, Int a, Int b) { return a | (b & m); }
  static ACCSIM_INLINE Int add_where(Mask m, Int a, Int b) { return a + (b & m); }
  static ACCSIM_INLINE void count(Int& counter, Mask m) { counter -= m; }
  static ACCSIM_INLINE Int larger(Int a, Int b) { return a > b ? a : b; }
  static ACCSIM_INLINE Int smaller(Int a, Int b) { return a < b ? a : b; }
  static ACCSIM_INLINE U64 multiply_low_words(U64 a, U64 b) {
#if defined(__AVX2__)
    return U64(_mm256_mul_epu32(__m256i(a), __m256i(b)));
#elif defined(__SSE2__)
    return U64(_mm_mul_epu32(__m128i(a), __m128i(b)));
#else
    return (a & 0xFFFFFFFFU) * (b & 0xFFFFFFFFU);
#endif
  }

  static ACCSIM_INLINE Real negated(Real x) { return real(bits(x) ^ set(sign)); }
  /// From what rounds down, and minus what rounds up, to rounded to odd: of two neighbours the one whose last bit is set; the upper zero.
  static ACCSIM_INLINE Real to_odd(Real lower, Real minus_upper) {
    return where_negative(real(bits(lower) << (8 * static_cast<int>(sizeof(T)) - 1)), lower, negated(minus_upper));
  }
  static ACCSIM_INLINE Real where_negative(Real x, Real yes, Real no) {
#if defined(__AVX2__)
    if constexpr (sizeof(T) == 4) return Real(_mm256_blendv_ps(__m256(no), __m256(yes), __m256(x)));
    else return Real(_mm256_blendv_pd(__m256d(no), __m256d(yes), __m256d(x)));
#else
    return real(bits(x) < 0 ? bits(yes) : bits(no));
#endif
  }
  static ACCSIM_INLINE Real zero_of(Real odd, Real lower, bool zero_down) {
    return zero_down ? real(select(nonzero(bits(odd), set(~sign)), bits(odd), bits(lower))) : odd;
  }
  static ACCSIM_INLINE Real odd_sum(Real a, Real b, bool zero_down) {
    const Real lower = a + b;
    return zero_of(to_odd(lower, negated(a) - b), lower, zero_down);
  }
  static ACCSIM_INLINE Real odd_product(Real a, Real b) { return to_odd(a * b, negated(a) * b); }
#if defined(__AVX2__)
  static ACCSIM_INLINE Real odd_fma(Real a, Real b, Real c, bool zero_down) {
    if constexpr (sizeof(T) == 4) {
      const Real lower = Real(_mm256_fmadd_ps(__m256(a), __m256(b), __m256(c)));
      return zero_of(to_odd(lower, Real(_mm256_fnmsub_ps(__m256(a), __m256(b), __m256(c)))), lower, zero_down);
    } else {
      const Real lower = Real(_mm256_fmadd_pd(__m256d(a), __m256d(b), __m256d(c)));
      return zero_of(to_odd(lower, Real(_mm256_fnmsub_pd(__m256d(a), __m256d(b), __m256d(c)))), lower, zero_down);
    }
  }
  static ACCSIM_INLINE Real fused(Real a, Real b, Real c) {
    if constexpr (sizeof(T) == 4) return Real(_mm256_fmadd_ps(__m256(a), __m256(b), __m256(c)));
    else return Real(_mm256_fmadd_pd(__m256d(a), __m256d(b), __m256d(c)));
  }
  /// -(a * b + c)
  static ACCSIM_INLINE Real minus_fused(Real a, Real b, Real c) {
    if constexpr (sizeof(T) == 4) return Real(_mm256_fnmsub_ps(__m256(a), __m256(b), __m256(c)));
    else return Real(_mm256_fnmsub_pd(__m256d(a), __m256d(b), __m256d(c)));
  }
#else
  /// a * b has no more bits than the lane, but may reach below its subnormals, where the set last bit stands for the rest.
  static ACCSIM_INLINE Real odd_fma(Real a, Real b, Real c, bool zero_down) { return odd_sum(odd_product(a, b), c, zero_down); }
#endif
  static ACCSIM_INLINE Real product_where(Mask m, Real a, Real b) { return real(bits(a * b) & m); }
  static ACCSIM_INLINE Real exact_product(Real a, Real b) { return a * b; }

  // For the fast loops; the host rounds toward zero for truncated ones.
  static ACCSIM_INLINE Real truncated_sum(Real a, Real b) { return a + b; }
  static ACCSIM_INLINE Real truncated_product(Real a, Real b) { return a * b; }
  static ACCSIM_INLINE Real cut_product(Real a, Real b) { return odd_product(a, b); }
  static ACCSIM_INLINE Real clamped(Real x, Real end) { return real((bits(x) & set(sign)) | smaller(magnitude(x), bits(end))); }
  static ACCSIM_INLINE Int where_bit(Int x, int bit, Int yes, Int no) {
    return bits(where_negative(real(x << (8 * static_cast<int>(sizeof(T)) - 1 - bit)), real(yes), real(no)));
  }
  /// Counts where d is not sum, as minus the sums where it is, and where it is acc besides.
  static ACCSIM_INLINE void count_inexact(Int& inexact, Int& swamped, Int d, Int sum, Int acc) {
    const Mask exact = eq(d, sum);
    inexact += exact;
    count(swamped, but_not(eq(d, acc), exact));
  }
  static ACCSIM_INLINE std::int64_t inexact_of(std::int64_t counted, std::int64_t sums) { return sums + counted; }
#endif
};

/// The host's rounding while lanes run; restored at the end.
class HostRounding {
 public:
  enum class Way { down, zero, nearest };
  explicit HostRounding(Way way) {
#if defined(__x86_64__)
    saved_ = _mm_getcsr();
    _mm_setcsr(0x1F80U | (way == Way::down ? 0x2000U : way == Way::zero ? 0x6000U : 0U));
#else
    saved_ = std::fegetround();
    std::fesetround(way == Way::down ? FE_DOWNWARD : way == Way::zero ? FE_TOWARDZERO : FE_TONEAREST);
#endif
  }
  ~HostRounding() {
#if defined(__x86_64__)
    _mm_setcsr(saved_);
#else
    std::fesetround(saved_);
#endif
  }
  HostRounding(const HostRounding&) = delete;
  HostRounding& operator=(const HostRounding&) = delete;

 private:
#if defined(__x86_64__)
  unsigned saved_;
#else
  int saved_;
#endif
};

}  // namespace accsim::sim::kernels::ACCSIM_ISA
