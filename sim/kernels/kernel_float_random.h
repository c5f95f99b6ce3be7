// Random numbers in lanes: every lane is an output with generators of its own, all at the same ordinal. Included by lane units only.
#pragma once

#include "sim/kernels/kernel_float_ops.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

struct PhiloxWords {
  U64 word[4];
};

/// Philox4x32-10 (Salmon et al., SC 2011) in 64-bit lanes, whose upper halves mean nothing in the result.
ACCSIM_INLINE PhiloxWords philox(std::uint64_t ordinal, U64 low, U64 high, std::uint32_t place, const std::uint32_t (&key)[2]) {
  const U64 none{};
  const U64 m0 = none + 0xD2511F53U;
  const U64 m1 = none + 0xCD9E8D57U;
  U64 c0 = none + ordinal;
  U64 c1 = low;
  U64 c2 = high;
  U64 c3 = none + place;
  std::uint32_t k0 = key[0];
  std::uint32_t k1 = key[1];
  for (int round = 0; round < 10; ++round) {
    const U64 p0 = Ops<float>::multiply_low_words(c0, m0);
    const U64 p1 = Ops<float>::multiply_low_words(c2, m1);
    c0 = (p1 >> 32) ^ c1 ^ (none + k0);
    c1 = p1;
    c2 = (p0 >> 32) ^ c3 ^ (none + k1);
    c3 = p0;
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return {{c0, c1, c2, c3}};
}

/// The next four random words of `lanes` outputs whose indices are at low and high.
template <class T>
ACCSIM_INLINE void philox_words(const FloatRandom& random, std::uint32_t ordinal, const std::uint32_t* low, const std::uint32_t* high,
                                typename Ops<T>::Int (&words)[4]) {
  using Int = typename Ops<T>::Int;
  const U64 half = U64{} + 0xFFFFFFFFU;
  if constexpr (sizeof(T) == 4) {
    U64 l;
    U64 h;
    __builtin_memcpy(&l, low, sizeof l);
    __builtin_memcpy(&h, high, sizeof h);
    const PhiloxWords even = philox(ordinal, l, h, random.place, random.key);
    const PhiloxWords odd = philox(ordinal, l >> 32, h >> 32, random.place, random.key);
    for (int i = 0; i < 4; ++i) words[i] = Int((even.word[i] & half) | (odd.word[i] << 32));
  } else {
    U64 l;
    U64 h;
    for (int i = 0; i < Ops<T>::lanes; ++i) {
      l[i] = low[i];
      h[i] = high[i];
    }
    const PhiloxWords all = philox(ordinal, l, h, random.place, random.key);
    for (int i = 0; i < 4; ++i) words[i] = Int(all.word[i] & half);
  }
}

/// An LFSR's state in each lane; at most 32 bits wide.
template <class T>
struct LfsrLanes {
  using O = Ops<T>;
  using Int = typename O::Int;
  using UInt = typename O::UInt;
  using UWord = typename O::UWord;

  static ACCSIM_INLINE UInt seeded(const FloatRandom& r, const std::uint32_t* low) {
    UInt state;
    for (int i = 0; i < O::lanes; ++i) state[i] = (low[i] ^ r.seed) & all(r);
    return UInt(O::select(O::eq(Int(state), Int{}), O::set(1), Int(state)));
  }
  static ACCSIM_INLINE UInt stepped(const FloatRandom& r, UInt state) {
    const UInt mask = UInt{} + UWord{r.mask};
    const UInt ones = UInt{} + UWord{all(r)};
    if (r.galois) {
      const UInt out = r.right ? state & 1 : (state >> (r.width - 1)) & 1;
      return (r.right ? state >> 1 : (state << 1) & ones) ^ (mask & (UInt{} - out));
    }
    UInt parity = state & mask;
    for (int shift = 16; shift > 0; shift /= 2) parity ^= parity >> shift;
    parity &= 1;
    return r.right ? (state >> 1) | (parity << (r.width - 1)) : ((state << 1) | parity) & ones;
  }

 private:
  static constexpr std::uint32_t all(const FloatRandom& r) { return r.width == 32 ? ~0U : (1U << r.width) - 1U; }
};

}  // namespace accsim::sim::kernels::ACCSIM_ISA
