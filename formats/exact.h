// Exact values: sign, significand, power of two. NaN and infinities are kept beside them.
#pragma once

#include <algorithm>
#include <bit>
#include <compare>

#include "formats/integer.h"

namespace accsim::formats {

/// +/- significand * 2^exponent, or an infinity, or NaN (whose sign and number mean nothing).
/// Zero keeps its sign: significand 0, exponent 0.
template <class U>
struct BasicExact {
  bool negative = false;
  bool nan = false;
  bool infinite = false;
  int exponent = 0;
  U significand{};

  [[nodiscard]] bool is_finite() const { return !nan && !infinite; }
  [[nodiscard]] bool is_zero() const { return is_finite() && significand == 0; }
  [[nodiscard]] bool is_nonzero_finite() const { return is_finite() && significand != 0; }

  static BasicExact zero(bool negative = false) { return {.negative = negative}; }
  static BasicExact infinity(bool negative = false) { return {.negative = negative, .infinite = true}; }
  static BasicExact not_a_number() { return {.nan = true}; }
};

using NarrowExact = BasicExact<UInt128>;
using Exact = BasicExact<Wide>;

template <class U>
Exact widened(const BasicExact<U>& x) {
  return {x.negative, x.nan, x.infinite, x.exponent, widened(x.significand)};
}
/// Throws DoesNotFit where the significand has more than 128 bits.
template <class U>
NarrowExact narrowed(const BasicExact<U>& x) {
  return {x.negative, x.nan, x.infinite, x.exponent, narrowed(x.significand)};
}

/// floor(log2 |x|); x must be finite and not zero.
template <class U>
int log2_floor(const BasicExact<U>& x) {
  return bit_length(x.significand) - 1 + x.exponent;
}

/// The exact value of a binary64; infinities, NaN and -0 stay what they are. The significand has no trailing zeros.
template <class U>
BasicExact<U> from_double(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const bool negative = (bits >> 63) != 0;
  const int field = static_cast<int>((bits >> 52) & 0x7FF);
  std::uint64_t significand = bits & 0xFFFFFFFFFFFFFULL;
  if (field == 0x7FF) return significand != 0 ? BasicExact<U>::not_a_number() : BasicExact<U>::infinity(negative);
  if (field != 0) significand |= 1ULL << 52;
  if (significand == 0) return BasicExact<U>::zero(negative);
  const int trailing = std::countr_zero(significand);
  BasicExact<U> x;
  x.negative = negative;
  x.exponent = std::max(field, 1) - 1075 + trailing;
  x.significand = significand >> trailing;
  return x;
}

/// The nearest binary64, ties to even; beyond its range an infinity.
template <class U>
double to_double(const BasicExact<U>& x);

/// x * 2^n.
template <class U>
BasicExact<U> scaled(BasicExact<U> x, int n) {
  if (x.significand != 0) x.exponent += n;
  return x;
}
template <class U>
BasicExact<U> negated(BasicExact<U> x) {
  x.negative = !x.negative;
  return x;
}
template <class U>
BasicExact<U> magnitude(BasicExact<U> x) {
  x.negative = false;
  return x;
}

/// The exact product. NaN times anything, and infinity times zero, are NaN; signs multiply, those of zeros too.
template <class U>
BasicExact<U> product(const BasicExact<U>& a, const BasicExact<U>& b) {
  const bool negative = a.negative != b.negative;
  if (a.nan || b.nan) return BasicExact<U>::not_a_number();
  if (a.infinite || b.infinite) {
    return a.is_zero() || b.is_zero() ? BasicExact<U>::not_a_number() : BasicExact<U>::infinity(negative);
  }
  if (a.significand == 0 || b.significand == 0) return BasicExact<U>::zero(negative);
  BasicExact<U> p;
  p.negative = negative;
  p.exponent = a.exponent + b.exponent;
  p.significand = multiplied(a.significand, b.significand);
  return p;
}

/// The exact sum. NaN plus anything, and infinity minus infinity, are NaN. Zeros of one sign keep it; any other zero sum
/// is +0, or -0 with `zero_is_negative` (rounding down, IEEE 754-2019 6.3).
template <class U>
BasicExact<U> sum(const BasicExact<U>& a, const BasicExact<U>& b, bool zero_is_negative = false) {
  if (a.nan || b.nan) return BasicExact<U>::not_a_number();
  if (a.infinite && b.infinite) return a.negative == b.negative ? a : BasicExact<U>::not_a_number();
  if (a.infinite) return a;
  if (b.infinite) return b;
  if (a.significand == 0 && b.significand == 0) {
    return BasicExact<U>::zero(a.negative == b.negative ? a.negative : zero_is_negative);
  }
  if (a.significand == 0) return b;
  if (b.significand == 0) return a;
  BasicExact<U> s;
  s.exponent = std::min(a.exponent, b.exponent);
  const U left = shifted_left(a.significand, a.exponent - s.exponent);
  const U right = shifted_left(b.significand, b.exponent - s.exponent);
  if (a.negative == b.negative) {
    s.negative = a.negative;
    s.significand = added(left, right);
  } else if (left == right) {
    return BasicExact<U>::zero(zero_is_negative);
  } else {
    s.negative = left > right ? a.negative : b.negative;
    s.significand = left > right ? U(left - right) : U(right - left);
  }
  return s;
}

/// Order of |a| and |b|, both finite.
template <class U>
std::strong_ordering compare_magnitude(const BasicExact<U>& a, const BasicExact<U>& b) {
  if (a.significand == 0 || b.significand == 0) return (a.significand != 0) <=> (b.significand != 0);
  const int top_a = log2_floor(a);
  const int top_b = log2_floor(b);
  if (top_a != top_b) return top_a <=> top_b;
  const int low = std::min(a.exponent, b.exponent);
  const U left = shifted_left(a.significand, a.exponent - low);
  const U right = shifted_left(b.significand, b.exponent - low);
  if (left == right) return std::strong_ordering::equal;
  return left < right ? std::strong_ordering::less : std::strong_ordering::greater;
}

/// Same value, -0 equal to +0; NaN equals nothing.
template <class U>
bool same_value(const BasicExact<U>& a, const BasicExact<U>& b) {
  if (a.nan || b.nan) return false;
  if (a.infinite || b.infinite) return a.infinite == b.infinite && a.negative == b.negative;
  if (a.significand == 0 && b.significand == 0) return true;
  return a.negative == b.negative && compare_magnitude(a, b) == std::strong_ordering::equal;
}

/// a / b for finite a and finite nonzero b, to at least `bits` leading bits; what lies below is kept as one more set bit
/// at the end, so that every rounding to fewer than `bits` - 34 bits is that of the exact quotient.
Exact quotient_with_sticky(const Exact& a, const Exact& b, int bits);

}  // namespace accsim::formats
