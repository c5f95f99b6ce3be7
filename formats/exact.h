// Exact values: sign, significand, power of two. NaN and infinities are kept beside them.
#pragma once

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
BasicExact<U> from_double(double value);

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
BasicExact<U> product(const BasicExact<U>& a, const BasicExact<U>& b);

/// The exact sum. NaN plus anything, and infinity minus infinity, are NaN. Zeros of one sign keep it; any other zero sum
/// is +0, or -0 with `zero_is_negative` (rounding down, IEEE 754-2019 6.3).
template <class U>
BasicExact<U> sum(const BasicExact<U>& a, const BasicExact<U>& b, bool zero_is_negative = false);

/// Order of |a| and |b|, both finite.
template <class U>
std::strong_ordering compare_magnitude(const BasicExact<U>& a, const BasicExact<U>& b);

/// Same value, -0 equal to +0; NaN equals nothing.
template <class U>
bool same_value(const BasicExact<U>& a, const BasicExact<U>& b);

/// a / b for finite a and finite nonzero b, to at least `bits` leading bits; what lies below is kept as one more set bit
/// at the end, so that every rounding to fewer than `bits` - 34 bits is that of the exact quotient.
Exact quotient_with_sticky(const Exact& a, const Exact& b, int bits);

}  // namespace accsim::formats
