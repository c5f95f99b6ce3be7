// Binary floats: limits, decoding, encoding.
#include <algorithm>
#include <cassert>

#include "formats/layouts.h"

namespace accsim::formats {
namespace {

/// Exponent field 0 is an ordinary binade (with one code taken by zero): where the format says so, and in formats with neither specials
/// nor subnormals.
bool lowest_field_is_a_binade(const FloatFormat& f) {
  return !f.subnormals && (f.lowest_binade || (f.specials == Specials::none && f.fraction_bits > 0));
}

int magnitude_bits(const FloatFormat& f) { return f.exponent_bits + f.fraction_bits; }

/// The largest finite code, without its sign.
Code top_magnitude(const FloatFormat& f) {
  const UInt128 all_ones = ones(magnitude_bits(f));
  switch (f.specials) {
    case Specials::ieee: return all_ones - ones(f.fraction_bits) - 1;
    case Specials::fn: return all_ones - 1;
    case Specials::fnuz:
    case Specials::none: return all_ones;
    case Specials::p3109e: return all_ones - (f.is_signed ? 1 : 2);
    case Specials::p3109f: return all_ones - (f.is_signed ? 0 : 1);
  }
  return 0;
}

bool nan_is_code_of_negative_zero(const FloatFormat& f) {
  switch (f.specials) {
    case Specials::fnuz: return true;
    case Specials::p3109e:
    case Specials::p3109f: return f.is_signed;
    case Specials::ieee:
    case Specials::fn:
    case Specials::none: return false;
  }
  return false;
}

NarrowExact decode_finite(Code magnitude, bool negative, const FloatFormat& f) {
  const UInt128 fraction = low_bits(magnitude, f.fraction_bits);
  const auto field = static_cast<int>(shifted_right(magnitude, f.fraction_bits));
  if (magnitude == 0 && f.has_zero) return NarrowExact::zero(negative);
  if (field == 0 && !lowest_field_is_a_binade(f)) {
    return f.subnormals ? value_of(fraction, 1 - f.bias - f.fraction_bits, negative) : NarrowExact::zero(negative);
  }
  return value_of(fraction | (UInt128{1} << f.fraction_bits), field - f.bias - f.fraction_bits, negative);
}

}  // namespace

Limits limits_of(const FloatFormat& f) {
  Limits l;
  const bool binade = lowest_field_is_a_binade(f);
  l.precision = f.fraction_bits + 1;
  l.emin = binade ? -f.bias : 1 - f.bias;
  l.lsb_exponent = l.emin - f.fraction_bits;
  l.gradual = f.subnormals;
  l.has_infinity = f.specials == Specials::ieee || f.specials == Specials::p3109e;
  l.has_nan = f.specials != Specials::none;
  l.has_negative_zero = f.is_signed && f.has_zero && !nan_is_code_of_negative_zero(f);
  l.has_zero = f.has_zero;
  l.is_signed = f.is_signed;
  l.max_finite = decode_finite(top_magnitude(f), false, f);
  const bool zero_takes_power = binade && f.has_zero;
  l.min_normal = value_of((UInt128{1} << f.fraction_bits) + (zero_takes_power ? 1 : 0), l.lsb_exponent);
  if (zero_takes_power && f.fraction_bits == 0) l.min_normal = value_of(1, l.emin + 1);
  l.min_finite = f.is_signed ? negated(l.max_finite) : f.has_zero ? NarrowExact::zero() : l.min_normal;
  return l;
}

int code_bits_of(const FloatFormat& f) { return magnitude_bits(f) + (f.is_signed ? 1 : 0); }

NarrowExact decode(Code code, const FloatFormat& f) {
  const bool negative = f.is_signed && is_odd(shifted_right(code, magnitude_bits(f)));
  const Code magnitude = low_bits(code, magnitude_bits(f));
  if (nan_is_code_of_negative_zero(f) && negative && magnitude == 0) return NarrowExact::not_a_number();
  const Code top = top_magnitude(f);
  if (magnitude > top) {
    const bool first = magnitude == top + 1;
    return f.specials == Specials::ieee || f.specials == Specials::p3109e
               ? (first ? NarrowExact::infinity(negative) : NarrowExact::not_a_number())
               : NarrowExact::not_a_number();
  }
  return decode_finite(magnitude, negative, f);
}

Code encode(const NarrowExact& x, const FloatFormat& f) {
  const Code sign_bit = f.is_signed ? Code{1} << magnitude_bits(f) : Code{0};
  const Code sign = x.negative ? sign_bit : Code{0};
  const UInt128 all_ones = ones(magnitude_bits(f));
  if (x.nan) {
    switch (f.specials) {
      case Specials::ieee: return (all_ones - ones(f.fraction_bits)) | (Code{1} << (f.fraction_bits - 1));
      case Specials::fn: return all_ones;
      case Specials::fnuz: return sign_bit;
      case Specials::p3109e:
      case Specials::p3109f: return f.is_signed ? sign_bit : all_ones;
      case Specials::none: break;
    }
    assert(false && "a format without NaN has no code for it");
    return 0;
  }
  assert((f.is_signed || !x.negative || x.is_zero()) && "an unsigned format has no negative values");
  if (x.infinite) {
    assert(f.specials == Specials::ieee || f.specials == Specials::p3109e);
    return sign | (top_magnitude(f) + 1);
  }
  if (x.significand == 0) return nan_is_code_of_negative_zero(f) ? Code{0} : sign;
  const int emin = lowest_field_is_a_binade(f) ? -f.bias : 1 - f.bias;
  const int binade = std::max(log2_floor(x), emin);
  const UInt128 significand = in_units_of(x, binade - f.fraction_bits);
  if (!is_odd(shifted_right(significand, f.fraction_bits))) return sign | significand;  // subnormal: field 0
  const auto field = static_cast<std::uint32_t>(binade + f.bias);
  return sign | (UInt128{field} << f.fraction_bits) | low_bits(significand, f.fraction_bits);
}

bool represents(const FloatFormat& f, const NarrowExact& value) {
  const Limits l = limits_of(f);
  if (value.negative && !f.is_signed) return false;
  if (last_bit_exponent(value) < std::max(log2_floor(value), l.emin) - f.fraction_bits) return false;
  if (!f.subnormals && compare_magnitude(value, l.min_normal) < 0) return false;
  return compare_magnitude(value, l.max_finite) <= 0;
}

int spacing_exponent_of(const FloatFormat& f, int binade) {
  return std::max(binade, lowest_field_is_a_binade(f) ? -f.bias : 1 - f.bias) - f.fraction_bits;
}

}  // namespace accsim::formats
