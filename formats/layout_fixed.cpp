// Fixed point and signed-digit fractions: limits, decoding, encoding.
#include "formats/layouts.h"

namespace accsim::formats {

Limits limits_of(const FixedFormat& f) {
  Limits l;
  l.precision = f.width;
  l.lsb_exponent = -f.fraction_bits;
  l.is_signed = f.is_signed;
  l.max_finite = value_of(ones(f.is_signed ? f.width - 1 : f.width), -f.fraction_bits);
  l.min_finite = f.is_signed ? value_of(UInt128{1} << (f.width - 1), -f.fraction_bits, true) : NarrowExact::zero();
  l.min_normal = value_of(1, -f.fraction_bits);
  return l;
}
Limits limits_of(const DigitFormat& f) {
  Limits l;
  l.precision = f.digits + 1;
  l.lsb_exponent = -f.digits;
  l.max_finite = value_of(ones(f.digits), -f.digits);
  l.min_finite = negated(l.max_finite);
  l.min_normal = value_of(1, -f.digits);
  return l;
}

int code_bits_of(const FixedFormat& f) { return f.width; }
int code_bits_of(const DigitFormat& f) { return 2 * f.digits; }

NarrowExact decode(Code code, const FixedFormat& f) {
  const bool negative = f.is_signed && is_odd(shifted_right(code, f.width - 1));
  const UInt128 significand = negative ? low_bits(~code + 1, f.width) : code;
  return value_of(significand, -f.fraction_bits, negative);
}

/// Two bits a digit, most significant digit first: 00 zero, 01 one, 11 minus one (10 reads as zero too).
NarrowExact decode(Code code, const DigitFormat& f) {
  Int128 value = 0;
  for (int i = f.digits - 1; i >= 0; --i) {
    const auto pair = static_cast<int>(shifted_right(code, 2 * i) & 3U);
    value = 2 * value + (pair == 1 ? 1 : pair == 3 ? -1 : 0);
  }
  const bool negative = value < 0;
  return value_of(static_cast<UInt128>(negative ? -value : value), -f.digits, negative);
}

Code encode(const NarrowExact& x, const FixedFormat& f) {
  assert(x.is_finite());
  const UInt128 units = in_units_of(x, -f.fraction_bits);
  return low_bits(x.negative ? ~units + 1 : units, f.width);
}

Code encode(const NarrowExact& x, const DigitFormat& f) {
  const UInt128 units = in_units_of(x, -f.digits);
  Code code = 0;
  for (int i = 0; i < f.digits; ++i) {
    if (is_odd(shifted_right(units, i))) code |= Code{x.negative ? 3U : 1U} << (2 * i);
  }
  return code;
}

bool represents(const FixedFormat& f, const NarrowExact& x) {
  if (last_bit_exponent(x) < -f.fraction_bits || (x.negative && !f.is_signed)) return false;
  const Limits l = limits_of(f);
  return compare_magnitude(x, x.negative ? l.min_finite : l.max_finite) <= 0;
}
bool represents(const DigitFormat& f, const NarrowExact& x) {
  return last_bit_exponent(x) >= -f.digits && compare_magnitude(x, limits_of(f).max_finite) <= 0;
}

int spacing_exponent_of(const FixedFormat& f, int /*binade*/) { return -f.fraction_bits; }
int spacing_exponent_of(const DigitFormat& f, int /*binade*/) { return -f.digits; }

}  // namespace accsim::formats
