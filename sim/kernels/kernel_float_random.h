// Random numbers in lanes: every lane is an output with generators of its own, all at the same ordinal. Included by lane units only.
#pragma once

#include "sim/kernels/kernel_float_ops.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

/// Words of two registers of 64-bit lanes as one register of 32-bit lanes: the low ones of each, or the high ones.
ACCSIM_INLINE U64 low_words(U64 even, U64 odd) {
#if defined(__AVX512F__)
  return U64(_mm512_mask_shuffle_epi32(__m512i(even), 0xAAAA, __m512i(odd), _MM_PERM_CCAA));
#elif defined(__AVX2__)
  return U64(_mm256_blend_epi32(__m256i(even), __m256i(odd << 32), 0xAA));
#else
  return (even & 0xFFFFFFFFU) | (odd << 32);
#endif
}
ACCSIM_INLINE U64 high_words(U64 even, U64 odd) {
#if defined(__AVX512F__)
  return U64(_mm512_mask_shuffle_epi32(__m512i(odd), 0x5555, __m512i(even), _MM_PERM_DDBB));
#elif defined(__AVX2__)
  return U64(_mm256_blend_epi32(__m256i(even >> 32), __m256i(odd), 0xAA));
#else
  return (even >> 32) | (odd & (U64{} + 0xFFFFFFFF00000000U));
#endif
}

/// Philox4x32-10 (Salmon et al., SC 2011) at one rounding site, in 64-bit lanes whose upper halves mean nothing. Of a counter's words the
/// ordinal and the place are the same in all lanes, and the output's index stays, so that the first two rounds are one number a lane, made
/// once, and one an ordinal.
template <class T>
class Philox {
  using Int = typename Ops<T>::Int;
  static constexpr int halves = sizeof(T) == 4 ? 2 : 1;  // registers of 64-bit lanes that one of T's lanes takes
  static constexpr int together = 2;                     // registers whose rounds run side by side, since each waits for its own
  static constexpr int rounds = 10;
  static constexpr std::uint64_t m0 = 0xD2511F53U;
  static constexpr std::uint64_t m1 = 0xCD9E8D57U;
  static constexpr std::uint64_t low_half = 0xFFFFFFFFU;

 public:
  /// What two rounds leave of a register's outputs.
  struct Outputs {
    U64 c0[halves], c2[halves], c3[halves];
  };

  void start(const FloatRandom& random) {
    place_ = random.place;
    std::uint32_t k0 = random.key[0];
    std::uint32_t k1 = random.key[1];
    for (auto& key : key_) {
      key[0] = U64{} + (std::uint64_t{k0} << 32 | k0);
      key[1] = U64{} + (std::uint64_t{k1} << 32 | k1);
      k0 += 0x9E3779B9U;
      k1 += 0xBB67AE85U;
    }
  }
  /// Of the outputs whose indices are at low and high.
  void start(Outputs& outputs, const std::uint32_t* low, const std::uint32_t* high) const {
    for (int half = 0; half < halves; ++half) {
      U64 l;
      U64 h;
      for (int i = 0; i < Ops<double>::lanes; ++i) {
        l[i] = low[i * halves + half];
        h[i] = high[i * halves + half];
      }
      const U64 p1 = times(h, m1);
      const U64 p0 = times((p1 >> 32) ^ l ^ key_[0][0], m0);
      outputs.c0[half] = p1 ^ key_[1][0];
      outputs.c2[half] = (p0 >> 32) ^ key_[1][1];
      outputs.c3[half] = p0 ^ key_[2][1];
    }
  }

  /// Calls use(n, i, word n of an ordinal for the outputs of register i).
  template <class Use>
  ACCSIM_INLINE void words(std::uint32_t ordinal, int count, const Outputs* outputs, Use&& use) const {
    const std::uint64_t of_ordinal = ordinal * m0;
    const auto c2 = static_cast<std::uint32_t>((of_ordinal >> 32) ^ place_ ^ key_[0][1][0]);
    const std::uint64_t of_place = c2 * m1;
    for (int i = 0; i < count; i += together) {
      U64 c[together * halves][4];
      unrolled<together * halves>([&](auto j) ACCSIM_LAMBDA {
        const Outputs& o = outputs[i + j / halves];
        const U64 p0 = times(o.c0[j % halves] ^ (of_place >> 32), m0);
        const U64 p1 = times(o.c2[j % halves] ^ (of_ordinal & low_half), m1);
        c[j][0] = (p1 >> 32) ^ key_[2][0] ^ (of_place & low_half);
        c[j][1] = p1;
        c[j][2] = (p0 >> 32) ^ o.c3[j % halves];
        c[j][3] = p0;
      });
      unrolled<rounds - 4>([&](auto round) ACCSIM_LAMBDA {
        unrolled<together * halves>([&](auto j) ACCSIM_LAMBDA {
          const U64 p0 = times(c[j][0], m0);
          const U64 p1 = times(c[j][2], m1);
          c[j][0] = (p1 >> 32) ^ c[j][1] ^ key_[round + 3][0];
          c[j][1] = p1;
          c[j][2] = (p0 >> 32) ^ c[j][3] ^ key_[round + 3][1];
          c[j][3] = p0;
        });
      });
      unrolled<together>([&](auto j) ACCSIM_LAMBDA { last_round(c + j * halves, i + j, use); });
    }
  }

 private:
  static ACCSIM_INLINE U64 times(U64 x, std::uint64_t m) { return Ops<float>::multiply_low_words(x, U64{} + m); }

  template <class Use>
  ACCSIM_INLINE void last_round(const U64 (*c)[4], int i, Use&& use) const {
    const auto& key = key_[rounds - 1];
    if constexpr (halves == 2) {
      const U64 p0[2] = {times(c[0][0], m0), times(c[1][0], m0)};
      const U64 p1[2] = {times(c[0][2], m1), times(c[1][2], m1)};
      use(0, i, Int(high_words(p1[0], p1[1]) ^ low_words(c[0][1], c[1][1]) ^ key[0]));
      use(1, i, Int(low_words(p1[0], p1[1])));
      use(2, i, Int(high_words(p0[0], p0[1]) ^ low_words(c[0][3], c[1][3]) ^ key[1]));
      use(3, i, Int(low_words(p0[0], p0[1])));
    } else {
      const U64 p0 = times(c[0][0], m0);
      const U64 p1 = times(c[0][2], m1);
      use(0, i, Int((p1 >> 32) ^ c[0][1] ^ key[0]));
      use(1, i, Int(p1));
      use(2, i, Int((p0 >> 32) ^ c[0][3] ^ key[1]));
      use(3, i, Int(p0));
    }
  }

  U64 key_[rounds][2];  // in both halves of a lane
  std::uint32_t place_;
};

/// An LFSR's state in each lane; at most 32 bits wide.
template <class T>
struct LfsrLanes {
  using O = Ops<T>;
  using Int = typename O::Int;
  using UInt = typename O::UInt;
  using UWord = typename O::UWord;

  static ACCSIM_INLINE UInt seeded(const FloatRandom& r, const std::uint32_t* element) {
    UInt state;
    for (int i = 0; i < O::lanes; ++i) state[i] = (element[i] ^ r.seed) & all(r);
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

/// The random numbers of one rounding, or of one level's roundings, for up to `registers` registers of outputs, as they are added to a
/// lane's bits.
template <class T, int registers>
class RandomWords {
  using O = Ops<T>;
  using Int = typename O::Int;
  using Word = typename O::Word;

 public:
  void start(const FloatRounding& rounding, int count) {
    const FloatRandom& random = rounding.random;
    rounding_ = &rounding;
    count_ = count;
    ordinal_ = 0;
    if (random.source == FloatRandom::Source::philox) philox_.start(random);
  }
  /// Register i holds the outputs whose indices are at low and high; an array's elements that make them are at `element`.
  void start_register(int i, const std::uint32_t* low, const std::uint32_t* high, const std::uint32_t* element) {
    const FloatRandom& random = rounding_->random;
    if (random.source == FloatRandom::Source::philox) philox_.start(outputs_[i], low, high);
    else if (random.source == FloatRandom::Source::lfsr) lfsr_[i] = LfsrLanes<T>::seeded(random, element);
  }
  /// Makes ready the numbers of the next rounding.
  ACCSIM_INLINE void next() {
    if (ordinal_ % 4 == 0) refill();
    ++ordinal_;
  }
  /// Those of the last next().
  ACCSIM_INLINE const Int (&current() const)[registers] { return words_[(ordinal_ - 1) % 4]; }

 private:
  void refill() {
    if (rounding_->random.source == FloatRandom::Source::none) return;
    if (rounding_->sr_flip == 0 && rounding_->sr_add == 0) return refill_as<true>();
    refill_as<false>();
  }
  template <bool as_they_are>
  __attribute__((noinline)) void refill_as() {
    const Int mask = O::set(static_cast<Word>(rounding_->sr_mask));
    const Int flip = O::set(static_cast<Word>(rounding_->sr_flip << rounding_->sr_shift));
    const Int addend = O::set(static_cast<Word>(rounding_->sr_add));
    const int shift = rounding_->sr_shift;
    const auto use = [&](int n, int i, Int word) ACCSIM_LAMBDA {
      words_[n][i] = (word & mask) << shift;
      if (!as_they_are) words_[n][i] = (words_[n][i] ^ flip) + addend;
    };
    const FloatRandom& random = rounding_->random;
    if (random.source == FloatRandom::Source::philox) return philox_.words(ordinal_ / 4, count_, outputs_, use);
    for (int n = 0; n < 4; ++n) {
      for (int i = 0; i < count_; ++i) {
        use(n, i, Int(lfsr_[i]));
        lfsr_[i] = LfsrLanes<T>::stepped(random, lfsr_[i]);
      }
    }
  }

  const FloatRounding* rounding_;
  int count_;
  std::uint32_t ordinal_;
  Philox<T> philox_;
  union {
    typename Philox<T>::Outputs outputs_[registers];
    typename Ops<T>::UInt lfsr_[registers];
  };
  Int words_[4][registers];
};

}  // namespace accsim::sim::kernels::ACCSIM_ISA
