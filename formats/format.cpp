// Decoding, encoding and the limits that follow from a format's facts.
#include "formats/format.h"

#include <algorithm>
#include <cassert>

namespace accsim::formats {
namespace {

UInt128 ones(int bits) { return bits >= 128 ? ~UInt128{0} : (UInt128{1} << bits) - 1; }

NarrowExact value_of(UInt128 significand, int exponent, bool negative = false) {
  if (significand == 0) return NarrowExact::zero(negative);
  NarrowExact x;
  x.negative = negative;
  x.exponent = exponent;
  x.significand = significand;
  return x;
}

/// Exponent field 0 is an ordinary binade (with one code taken by zero) in formats with neither specials nor subnormals.
bool lowest_field_is_a_binade(const FloatFormat& f) { return !f.subnormals && f.specials == Specials::none && f.fraction_bits > 0; }

Limits float_limits(const FloatFormat& f) {
  Limits l;
  l.precision = f.fraction_bits + 1;
  l.emin = lowest_field_is_a_binade(f) ? -f.bias : 1 - f.bias;
  l.lsb_exponent = l.emin - f.fraction_bits;
  l.gradual = f.subnormals;
  l.has_infinity = f.specials == Specials::ieee;
  l.has_nan = f.specials != Specials::none;
  l.has_negative_zero = f.specials != Specials::fnuz;

  int top_field = (1 << f.exponent_bits) - 1;
  UInt128 top_fraction = ones(f.fraction_bits);
  if (f.specials == Specials::ieee) --top_field;
  if (f.specials == Specials::fn) {
    if (f.fraction_bits == 0) --top_field;
    else --top_fraction;
  }
  const bool top_is_subnormal = top_field == 0 && !lowest_field_is_a_binade(f);
  const UInt128 significand = top_is_subnormal ? top_fraction : top_fraction | (UInt128{1} << f.fraction_bits);
  const int binade = top_is_subnormal ? l.emin : top_field - f.bias;
  l.max_finite = value_of(significand, binade - f.fraction_bits);
  l.min_finite = negated(l.max_finite);
  l.min_normal = lowest_field_is_a_binade(f) ? value_of((UInt128{1} << f.fraction_bits) + 1, l.lsb_exponent)
                                             : value_of(UInt128{1} << f.fraction_bits, l.lsb_exponent);
  return l;
}

Limits fixed_limits(const FixedFormat& f) {
  Limits l;
  l.precision = f.width;
  l.lsb_exponent = -f.fraction_bits;
  l.max_finite = value_of(ones(f.is_signed ? f.width - 1 : f.width), -f.fraction_bits);
  l.min_finite = f.is_signed ? value_of(UInt128{1} << (f.width - 1), -f.fraction_bits, true) : NarrowExact::zero();
  l.min_normal = value_of(1, -f.fraction_bits);
  return l;
}

Limits digit_limits(const DigitFormat& f) {
  Limits l;
  l.precision = f.digits + 1;
  l.lsb_exponent = -f.digits;
  l.max_finite = value_of(ones(f.digits), -f.digits);
  l.min_finite = negated(l.max_finite);
  l.min_normal = value_of(1, -f.digits);
  return l;
}

NarrowExact decode_float(Code code, const FloatFormat& f) {
  const UInt128 fraction = low_bits(code, f.fraction_bits);
  const auto field = static_cast<int>(low_bits(shifted_right(code, f.fraction_bits), f.exponent_bits));
  const bool negative = is_odd(shifted_right(code, f.fraction_bits + f.exponent_bits));
  const bool top = field == (1 << f.exponent_bits) - 1;
  switch (f.specials) {
    case Specials::ieee:
      if (top) return fraction == 0 ? NarrowExact::infinity(negative) : NarrowExact::not_a_number();
      break;
    case Specials::fn:
      if (top && fraction == ones(f.fraction_bits)) return NarrowExact::not_a_number();
      break;
    case Specials::fnuz:
      if (negative && field == 0 && fraction == 0) return NarrowExact::not_a_number();
      break;
    case Specials::none: break;
  }
  if (field == 0 && fraction == 0) return NarrowExact::zero(negative);
  if (field == 0 && !lowest_field_is_a_binade(f)) {
    return f.subnormals ? value_of(fraction, 1 - f.bias - f.fraction_bits, negative) : NarrowExact::zero(negative);
  }
  return value_of(fraction | (UInt128{1} << f.fraction_bits), field - f.bias - f.fraction_bits, negative);
}

NarrowExact decode_fixed(Code code, const FixedFormat& f) {
  const bool negative = f.is_signed && is_odd(shifted_right(code, f.width - 1));
  const UInt128 significand = negative ? low_bits(~code + 1, f.width) : code;
  return value_of(significand, -f.fraction_bits, negative);
}

/// Two bits a digit, most significant digit first: 00 zero, 01 one, 11 minus one (10 reads as zero too).
NarrowExact decode_digits(Code code, const DigitFormat& f) {
  Int128 value = 0;
  for (int i = f.digits - 1; i >= 0; --i) {
    const auto pair = static_cast<int>(shifted_right(code, 2 * i) & 3U);
    value = 2 * value + (pair == 1 ? 1 : pair == 3 ? -1 : 0);
  }
  const bool negative = value < 0;
  return value_of(static_cast<UInt128>(negative ? -value : value), -f.digits, negative);
}

/// The significand scaled to weight 2^exponent; the value must be a multiple of that.
UInt128 in_units_of(const NarrowExact& x, int exponent) {
  if (x.exponent >= exponent) return shifted_left(x.significand, x.exponent - exponent);
  assert(low_bits(x.significand, exponent - x.exponent) == 0);
  return shifted_right(x.significand, exponent - x.exponent);
}

Code encode_float(const NarrowExact& x, const FloatFormat& f) {
  const Code sign = x.negative ? Code{1} << (f.exponent_bits + f.fraction_bits) : Code{0};
  const UInt128 all_ones = ones(f.exponent_bits + f.fraction_bits);
  const UInt128 top_field = ones(f.exponent_bits) << f.fraction_bits;
  if (x.nan) {
    switch (f.specials) {
      case Specials::ieee: return top_field | (Code{1} << (f.fraction_bits - 1));
      case Specials::fn: return all_ones;
      case Specials::fnuz: return Code{1} << (f.exponent_bits + f.fraction_bits);
      case Specials::none: break;
    }
    assert(false && "a format without NaN has no code for it");
    return 0;
  }
  if (x.infinite) {
    assert(f.specials == Specials::ieee);
    return sign | top_field;
  }
  if (x.significand == 0) return f.specials == Specials::fnuz ? Code{0} : sign;
  const Limits l = float_limits(f);
  const int binade = std::max(log2_floor(x), l.emin);
  const UInt128 significand = in_units_of(x, binade - f.fraction_bits);
  if (!is_odd(shifted_right(significand, f.fraction_bits))) return sign | significand;  // subnormal: field 0
  const auto field = static_cast<UInt128>(binade + f.bias);
  return sign | (field << f.fraction_bits) | low_bits(significand, f.fraction_bits);
}

Code encode_fixed(const NarrowExact& x, const FixedFormat& f) {
  assert(x.is_finite());
  const UInt128 units = in_units_of(x, -f.fraction_bits);
  return low_bits(x.negative ? ~units + 1 : units, f.width);
}

Code encode_digits(const NarrowExact& x, const DigitFormat& f) {
  const UInt128 units = in_units_of(x, -f.digits);
  Code code = 0;
  for (int i = 0; i < f.digits; ++i) {
    if (is_odd(shifted_right(units, i))) code |= Code{x.negative ? 3U : 1U} << (2 * i);
  }
  return code;
}

}  // namespace

Limits limits(const Format& format) {
  struct Visitor {
    Limits operator()(const FloatFormat& f) const { return float_limits(f); }
    Limits operator()(const FixedFormat& f) const { return fixed_limits(f); }
    Limits operator()(const DigitFormat& f) const { return digit_limits(f); }
  };
  return std::visit(Visitor{}, format.layout);
}

int code_bits(const Format& format) {
  struct Visitor {
    int operator()(const FloatFormat& f) const { return 1 + f.exponent_bits + f.fraction_bits; }
    int operator()(const FixedFormat& f) const { return f.width; }
    int operator()(const DigitFormat& f) const { return 2 * f.digits; }
  };
  return std::visit(Visitor{}, format.layout);
}

int spacing_exponent(const Format& format, const Exact& x) {
  const Limits l = limits(format);
  if (!format.as_float() || x.significand == 0) return l.lsb_exponent;
  return std::max(log2_floor(x), l.emin) - (l.precision - 1);
}

NarrowExact decode(Code code, const Format& format) {
  struct Visitor {
    Code code;
    NarrowExact operator()(const FloatFormat& f) const { return decode_float(code, f); }
    NarrowExact operator()(const FixedFormat& f) const { return decode_fixed(code, f); }
    NarrowExact operator()(const DigitFormat& f) const { return decode_digits(code, f); }
  };
  return std::visit(Visitor{code}, format.layout);
}

Code encode(const NarrowExact& value, const Format& format) {
  struct Visitor {
    const NarrowExact& value;
    Code operator()(const FloatFormat& f) const { return encode_float(value, f); }
    Code operator()(const FixedFormat& f) const { return encode_fixed(value, f); }
    Code operator()(const DigitFormat& f) const { return encode_digits(value, f); }
  };
  return std::visit(Visitor{value}, format.layout);
}

bool represents(const Format& format, const NarrowExact& value) {
  const Limits l = limits(format);
  if (value.nan) return l.has_nan;
  if (value.infinite) return l.has_infinity;
  if (value.significand == 0) return true;
  const int trailing_exponent = value.exponent + bit_length(value.significand ^ (value.significand - 1)) - 1;
  if (trailing_exponent < spacing_exponent(format, widened(value))) return false;
  const NarrowExact& limit = value.negative ? l.min_finite : l.max_finite;
  const FloatFormat* f = format.as_float();
  if (f != nullptr && !f->subnormals && compare_magnitude(value, l.min_normal) < 0) return false;
  return compare_magnitude(value, limit) <= 0 && !(value.negative && limit.is_zero());
}

}  // namespace accsim::formats
