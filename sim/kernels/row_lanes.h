// Rows in lanes: decode, multiply, round, add, round, encode. Included by lane units only, in whose namespace (ACCSIM_ISA) all stands.
// The proof that lanes give the interpreter's bits and flags is in row_plan.cpp.
#pragma once

#include "sim/kernels/kernel_float_ops.h"
#include "sim/kernels/row_plan.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

template <class T>
class Rows {
  using O = Ops<T>;
  using Int = typename O::Int;
  using UInt = typename O::UInt;
  using Real = typename O::Real;
  using Mask = typename O::Mask;
  using Word = typename O::Word;
  using UWord = typename O::UWord;
  static constexpr int word_bits = 8 * sizeof(T);
  static constexpr int F = O::fraction_bits;
  typedef std::uint32_t Codes __attribute__((vector_size(4 * O::lanes)));

  static ACCSIM_INLINE Int set(std::int64_t w) { return O::set(static_cast<Word>(w)); }
  static ACCSIM_INLINE Int load(const std::uint32_t* p) {
    Codes codes;
    __builtin_memcpy(&codes, p, sizeof codes);
    if constexpr (sizeof(T) == 4) return Int(codes);
    else return Int(__builtin_convertvector(codes, UInt));
  }
  static ACCSIM_INLINE void store(std::uint32_t* p, Int x) {
    Codes codes;
    if constexpr (sizeof(T) == 4) codes = Codes(x);
    else codes = __builtin_convertvector(UInt(x), Codes);
    __builtin_memcpy(p, &codes, sizeof codes);
  }
  static ACCSIM_INLINE Int right(Int x, Int by) { return Int(UInt(x) >> UInt(by)); }
  static ACCSIM_INLINE Mask is_nan(Int x) { return O::lt(O::set(O::infinity), x & set(~O::sign)); }

  static ACCSIM_INLINE Int decode(Int code, const RowFormat& f) {
    const Int magnitude = code & set(f.magnitude_mask);
    Int v = (magnitude << f.shift) + set(f.offset);
    const Mask small = O::lt(magnitude, set(f.normal_from));
    if (f.gradual) v = O::select(small, Int(__builtin_convertvector(magnitude, Real) * static_cast<T>(f.subnormal_unit)), v);
    else v = O::select(small, Int{}, v);
    if (f.has_specials) {
      v = O::select(O::ge(magnitude, set(f.special_from)), O::set(O::infinity + 1), v);
      v = O::select(O::eq(magnitude, set(f.infinity)), O::set(O::infinity), v);
    }
    return v | ((code & set(f.sign_bit)) << f.sign_shift);
  }
  static ACCSIM_INLINE Mask is_signalling(Int code, const RowFormat& f) {
    if (f.quiet_bit == 0) return O::none();
    return O::both(O::lt(set(f.infinity), code & set(f.magnitude_mask)), O::eq(code & set(f.quiet_bit), Int{}));
  }

  /// Where a tail of `drop` bits makes the magnitude grow. `drop` at most word_bits - 1, `places` without that limit.
  static ACCSIM_INLINE Mask grows(const RowRounding& r, RowMode mode, Int tail, Int drop, Int places, Int kept, Mask negative, Int random) {
    const Mask inexact = O::ne(tail, Int{});
    switch (mode) {
      case RowMode::rz: return O::none();
      case RowMode::ru: return O::but_not(inexact, negative);
      case RowMode::rd: return O::both(inexact, negative);
      case RowMode::ro: return O::both(inexact, O::eq(kept & 1, Int{}));
      case RowMode::rna: return O::ge(tail, set(1) << (drop - 1));
      case RowMode::rne: return O::lt(set(1) << (drop - 1), tail + (kept & 1));
      case RowMode::sr:
      case RowMode::sr_below: break;
    }
    const Int below = places - set(r.random_bits);
    const Int down = O::smaller(O::larger(below, Int{}), set(word_bits - 1));
    const Int leading = right(tail << O::larger(-below, Int{}), down);
    const Int mask = set((std::int64_t{1} << r.random_bits) - 1);
    if (mode == RowMode::sr) return O::lt(mask, leading + (random & mask));
    return O::lt(random & mask, leading);
  }

  struct Rounded {
    Int magnitude, flags;  ///< of the code, or of the lane; NX 1, UF 2, OF 4
  };
  /// Where RowRounding::simple holds, without infinities and NaN: the code's magnitude, or the lane's.
  template <bool to_code>
  static ACCSIM_INLINE Rounded simply_rounded(Int magnitude, Mask negative, const RowRounding& r, RowMode mode, Int random) {
    const Int drop = set(r.drop);
    const Int tail = magnitude & set((Word{1} << r.drop) - 1);
    const Mask up = grows(r, mode, tail, drop, drop, Int(UInt(magnitude) >> r.drop) + set(r.code_offset), negative, random);
    Int kept = magnitude - tail;
    kept = O::add_where(up, kept, set(Word{1} << r.drop));
    const Mask over = O::lt(set(r.largest_bits), kept);
    const Mask small = O::lt(kept, set(r.least_bits));
    const Mask nonzero = O::ne(magnitude, Int{});
    const Mask tiny = O::both(small, nonzero);
    const Mask inexact = O::either(O::either(O::ne(tail, Int{}), over), tiny);
    Int result = to_code ? Int(UInt(kept) >> r.drop) + set(r.code_offset) : kept;
    result = O::select(over, to_code ? set(r.over[0]) : set(r.over_bits), result);
    result = O::select(small, Int{}, result);
    Int flags = O::keep_where(inexact, set(1));
    flags = O::or_where(tiny, flags, set(2));
    flags = O::or_where(over, flags, set(4));
    return {result, flags};
  }

  /// The code of lane value v; flags are or-ed.
  static ACCSIM_INLINE Int rounded(Int v, const RowRounding& r, Int random, bool has_specials, Int& flags) {
    if (r.simple && !has_specials) {
      const Rounded simple = simply_rounded<true>(v & set(~O::sign), O::lt(v, Int{}), r, r.mode, random);
      flags |= simple.flags;
      return simple.magnitude | (right(v, set(r.sign_shift)) & set(r.sign_bit));
    }
    const Int magnitude = v & set(~O::sign);
    const Mask negative = O::lt(v, Int{});
    const Int field = magnitude >> F;
    const Int significand = (magnitude & set((Word{1} << F) - 1)) | set(Word{1} << F);
    const Int above = field - set(r.lowest_field);
    Int places = set(r.drop);
    Int binade = above;
    if (r.gradual) {
      places += O::larger(-above, Int{});
      binade = O::larger(above, Int{});
    }
    const Int drop = r.gradual ? O::smaller(places, set(word_bits - 1)) : places;
    const Int kept = right(significand, drop) + (binade << r.fraction_bits);
    const Int tail = significand & ~(set(-1) << drop);
    const Int code = O::add_where(grows(r, r.mode, tail, drop, places, kept, negative, random), kept, set(1));
    const Mask is_zero = O::eq(magnitude, Int{});
    const Mask over = O::lt(set(r.largest_code), code);
    const Mask small = O::lt(code, set(r.least_code));
    const Mask inexact = O::but_not(O::either(O::either(O::ne(tail, Int{}), over), small), is_zero);
    Mask tiny = O::but_not(small, is_zero);
    if (r.gradual) {
      // IEEE 754-2019 7.5, after rounding: below the smallest normal also as if exponents went on.
      tiny = O::but_not(O::both(inexact, O::lt(above, Int{})), is_zero);
      if (O::any(O::both(tiny, O::eq(code, set(r.min_normal))))) {
        const Int full = set(r.drop);
        const Int kept_full = right(significand, full);
        const Int tail_full = significand & ~(set(-1) << full);
        // One code's last bit is the other's: both count significands from the same place.
        const Mask grows_full = grows(r, r.mode, tail_full, full, full, kept_full, negative, random);
        const Mask carries =
            O::both(O::eq(above, set(-1)), O::both(grows_full, O::eq(kept_full, set((std::int64_t{2} << r.fraction_bits) - 1))));
        tiny = O::but_not(tiny, carries);
      }
    }
    Int result = code | (right(v, set(r.sign_shift)) & set(r.sign_bit));
    result = O::select(over, O::select(negative, set(r.over[1]), set(r.over[0])), result);
    result = O::select(O::either(small, is_zero), O::select(negative, set(r.zero[1]), set(r.zero[0])), result);
    Int f = O::or_where(inexact, Int{}, set(1));
    f = O::or_where(tiny, f, set(2));
    f = O::or_where(over, f, set(4));
    if (has_specials) {
      const Mask special = O::ge(magnitude, O::set(O::infinity));
      if (O::any(special)) {
        const Mask nan = O::lt(O::set(O::infinity), magnitude);
        result = O::select(special, O::select(negative, set(r.infinity[1]), set(r.infinity[0])), result);
        f = O::select(special, O::select(negative, set(r.infinity_flags[1]), set(r.infinity_flags[0])), f);
        result = O::select(nan, set(r.nan), result);
        f = O::select(nan, Int{}, f);
      }
    }
    flags |= f;
    return result;
  }

  /// The product, rounded where the plan rounds it.
  static ACCSIM_INLINE Int product_of(const RowPlan& plan, const RowBlock& block, std::int64_t i, Int& flags) {
    const Int p = multiplied(plan, block, i, flags);
    if (!plan.rounds_product) return p;
    const Int random = block.product_random != nullptr ? load(block.product_random + i) : Int{};
    if (plan.product.simple && !plan.has_specials) {
      const Rounded simple = simply_rounded<false>(p & set(~O::sign), O::lt(p, Int{}), plan.product, plan.product.mode, random);
      flags |= simple.flags;
      return simple.magnitude | (p & O::set(O::sign));
    }
    return decode(rounded(p, plan.product, random, plan.has_specials, flags), plan.rounded_product);
  }

  /// The exact product; flag NV 16 where it makes a NaN, or an operand is a signalling one.
  static ACCSIM_INLINE Int multiplied(const RowPlan& plan, const RowBlock& block, std::int64_t i, Int& flags) {
    const Int a_code = load(block.a + i);
    const Int b_code = load(block.b + i);
    const Int a = decode(a_code, plan.a);
    const Int b = decode(b_code, plan.b);
    const Int p = Int(Real(a) * Real(b));
    if (plan.has_specials) {
      Mask invalid = O::but_not(is_nan(p), O::either(is_nan(a), is_nan(b)));
      invalid = O::either(invalid, O::either(is_signalling(a_code, plan.a), is_signalling(b_code, plan.b)));
      flags = O::or_where(invalid, flags, set(16));
    }
    return p;
  }

  /// c + p rounded to odd: the exact sum lies between the nearest number and its neighbour on the error's side (Knuth's two-sum).
  static ACCSIM_INLINE Int odd_sum(Int c_bits, Int p_bits, bool zero_down) {
    const Real c = Real(c_bits);
    const Real p = Real(p_bits);
#if defined(__AVX512F__)
    return O::bits(O::odd_sum(c, p, zero_down));
#else
    const Real s = c + p;
    const Real from_p = s - c;
    const Real error = (c - (s - from_p)) + (p - from_p);
    const Int bits = Int(s);
    const Int step = ((bits ^ Int(error)) >> (word_bits - 1)) * 2 + 1;
    const Mask moves = O::both(O::both(O::ne(Int(error) & set(~O::sign), Int{}), O::eq(bits & 1, Int{})),
                               O::lt(bits & set(~O::sign), O::set(O::infinity)));
    Int odd = O::add_where(moves, bits, step);
    if (zero_down) {
      const Mask zero = O::eq(odd & set(~O::sign), Int{});
      const Mask plus = O::eq(c_bits | p_bits, Int{});
      odd = O::or_where(O::but_not(zero, plus), odd, O::set(O::sign));
    }
    return odd;
#endif
  }

 public:
  static void multiply(const RowPlan& shared, const RowBlock& block) {
    const RowPlan plan = shared;
    for (std::int64_t i = 0; i < block.count; i += O::lanes) {
      Int flags{};
      const Int p = multiplied(plan, block, i, flags);
      store(block.result + i, rounded(p, plan.product, Int{}, plan.has_specials, flags));
    }
  }
  static void add(const RowPlan& shared, const RowBlock& block) {
    const RowPlan plan = shared;
    for (std::int64_t i = 0; i < block.count; i += O::lanes) {
      Int flags{};
      Int p = product_of(plan, block, i, flags);
      if (block.subtract) p ^= O::set(O::sign);
      const Int c_code = load(block.accumulator + i);
      const Int c = decode(c_code, plan.accumulator);
      const Int sum = odd_sum(c, p, plan.zero_down);
      if (plan.has_specials) {
        Mask invalid = O::but_not(is_nan(sum), O::either(is_nan(c), is_nan(p)));
        invalid = O::either(invalid, is_signalling(c_code, plan.accumulator));
        flags = O::or_where(invalid, flags, set(16));
      }
      const Int random = block.random != nullptr ? load(block.random + i) : Int{};
      store(block.result + i, rounded(sum, plan.sum, random, plan.has_specials, flags));
      store(block.flags + i, flags);
    }
  }
  static bool has_any(const std::uint32_t* words, std::int64_t count, std::uint32_t bits) {
    std::uint32_t all = 0;
    for (std::int64_t i = 0; i < count; ++i) all |= words[i];
    return (all & bits) != 0;
  }
  /// As add, where nothing is to be asked a vector: roundings are simple and of one mode, there are no subnormals, infinities or NaN, no
  /// random numbers.
  template <RowMode mode, bool rounds_product>
  static void add_plainly(const RowPlan& shared, const RowBlock& shared_block) {
    const RowPlan plan = shared;
    const RowBlock block = shared_block;
    const Int flip = block.subtract ? O::set(O::sign) : Int{};
    const auto decoded = [](const std::uint32_t* codes, const RowFormat& f) ACCSIM_LAMBDA {
      const Int code = load(codes);
      const Int magnitude = code & set(f.magnitude_mask);
      const Int v = O::keep_where(O::ge(magnitude, set(f.normal_from)), (magnitude << f.shift) + set(f.offset));
      return v | ((code & set(f.sign_bit)) << f.sign_shift);
    };
    for (std::int64_t i = 0; i < block.count; i += O::lanes) {
      Int p = Int(Real(decoded(block.a + i, plan.a)) * Real(decoded(block.b + i, plan.b)));
      Int flags{};
      if constexpr (rounds_product) {
        const Rounded r = simply_rounded<false>(p & set(~O::sign), O::lt(p, Int{}), plan.product, mode, Int{});
        flags = r.flags;
        p = r.magnitude | (p & O::set(O::sign));
      }
      const Int sum = odd_sum(decoded(block.accumulator + i, plan.accumulator), p ^ flip, mode == RowMode::rd);
      const Rounded r = simply_rounded<true>(sum & set(~O::sign), O::lt(sum, Int{}), plan.sum, mode, Int{});
      store(block.result + i, r.magnitude | (right(sum, set(plan.sum.sign_shift)) & set(plan.sum.sign_bit)));
      store(block.flags + i, flags | r.flags);
    }
  }
  /// Fixed point: exact in 64 bits.
  static void add_integers(const RowPlan& shared, const RowBlock& block) {
    const RowPlan plan = shared;
    const auto extended = [](Int code, int bits, bool is_signed) ACCSIM_LAMBDA {
      const Int up = code << (word_bits - bits);
      return is_signed ? up >> (word_bits - bits) : code;
    };
    for (std::int64_t i = 0; i < block.count; i += O::lanes) {
      Int p = extended(load(block.a + i), plan.a_bits, plan.a_signed) * extended(load(block.b + i), plan.b_bits, plan.b_signed);
      if (block.subtract) p = -p;
      Int s = extended(load(block.accumulator + i), plan.out_bits, plan.out_signed) + p;
      const Mask low = O::lt(s, set(plan.least));
      const Mask high = O::lt(set(plan.largest), s);
      if (!plan.wraps) s = O::select(low, set(plan.over_least), O::select(high, set(plan.over_largest), s));
      store(block.result + i, s & set(static_cast<std::int64_t>((std::uint64_t{1} << plan.out_bits) - 1)));
      store(block.flags + i, O::or_where(O::either(low, high), Int{}, set(5)));
    }
  }
};

inline void multiply_rows(const RowPlan& plan, const RowBlock& block) {
  if (plan.binary64) Rows<double>::multiply(plan, block);
  else Rows<float>::multiply(plan, block);
}
inline void add_rows(const RowPlan& plan, const RowBlock& block) {
  if (plan.is_integer) Rows<double>::add_integers(plan, block);
  else if (plan.plain && plan.sum.mode == RowMode::rz && plan.rounds_product) Rows<float>::add_plainly<RowMode::rz, true>(plan, block);
  else if (plan.plain && plan.sum.mode == RowMode::rz) Rows<float>::add_plainly<RowMode::rz, false>(plan, block);
  else if (plan.plain && plan.sum.mode == RowMode::rne && plan.rounds_product) Rows<float>::add_plainly<RowMode::rne, true>(plan, block);
  else if (plan.plain && plan.sum.mode == RowMode::rne) Rows<float>::add_plainly<RowMode::rne, false>(plan, block);
  else if (plan.binary64) Rows<double>::add(plan, block);
  else Rows<float>::add(plan, block);
}

inline bool any_row_has(const std::uint32_t* words, std::int64_t count, std::uint32_t bits) {
  return Rows<float>::has_any(words, count, bits);
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
