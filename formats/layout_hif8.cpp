// HiFloat8 (arXiv 2409.16626): limits, decoding, encoding. The assignment of codes is unverified, see README.md.
//
//   bits after the sign    exponent e                     value
//   11 s eee f             +/-(8 + eee)                   2^e (1 + f/2)
//   10 s ee ff             +/-(4 + ee)                    2^e (1 + ff/4)
//   01 s e fff             +/-(2 + e)                     2^e (1 + fff/8)
//   001 s fff              +/-1                           2^e (1 + fff/8)
//   0001 fff               0                              1 + fff/8
//   0000 mmm                                              2^(mmm - 23), zero for mmm = 0
//
// s = 1 is a negative exponent. 2^15 (1 + 1/2) reads as infinity; the code of -0 is NaN.
#include <algorithm>

#include "formats/layouts.h"

namespace accsim::formats {
namespace {

constexpr Code nan_code = 0x80;
constexpr Code infinity_code = 0x6F;
constexpr int emin = -15;
constexpr int denormal_bias = 23;
constexpr int smallest_exponent = 1 - denormal_bias;

/// Fraction bits at exponent e; denormals have none.
int fraction_bits_at(int e) {
  const int magnitude = std::abs(e);
  if (e < emin) return 0;
  return magnitude <= 3 ? 3 : magnitude <= 7 ? 2 : 1;
}

}  // namespace

Limits limits_of(const Hif8Format&) {
  Limits l;
  l.precision = 4;
  l.lsb_exponent = smallest_exponent;
  l.emin = emin;
  l.gradual = true;
  l.has_infinity = true;
  l.has_nan = true;
  l.max_finite = value_of(1, 15);
  l.min_finite = negated(l.max_finite);
  l.min_normal = value_of(1, emin);
  return l;
}

int code_bits_of(const Hif8Format&) { return 8; }

NarrowExact decode(Code code, const Hif8Format&) {
  if (code == nan_code) return NarrowExact::not_a_number();
  const bool negative = (code & 0x80U) != 0;
  const auto m = static_cast<unsigned>(code & 0x7FU);
  if (m == infinity_code) return NarrowExact::infinity(negative);
  if (m < 8) return m == 0 ? NarrowExact::zero() : value_of(1, static_cast<int>(m) - denormal_bias, negative);
  const int width = m >= 0x60 ? 4 : m >= 0x40 ? 3 : m >= 0x20 ? 2 : m >= 0x10 ? 1 : 0;  // bits of the exponent, its sign among them
  const int fraction_bits = width == 4 ? 1 : width == 3 ? 2 : 3;
  const unsigned field = (m >> fraction_bits) & ((1U << width) - 1U);
  int e = 0;
  if (width > 0) {
    const unsigned leading = 1U << (width - 1);  // the implicit top bit of |e|; the sign stands in its place
    e = static_cast<int>(leading | (field & (leading - 1)));
    if ((field & leading) != 0) e = -e;
  }
  const unsigned fraction = m & ((1U << fraction_bits) - 1U);
  return value_of(fraction | (1U << fraction_bits), e - fraction_bits, negative);
}

Code encode(const NarrowExact& x, const Hif8Format&) {
  if (x.nan) return nan_code;
  const Code sign = x.negative ? Code{0x80} : Code{0};
  if (x.infinite) return sign | infinity_code;
  if (x.significand == 0) return 0;
  const int e = log2_floor(x);
  if (e < emin) return sign | static_cast<Code>(e + denormal_bias);
  const int fraction_bits = fraction_bits_at(e);
  const Code fraction = low_bits(in_units_of(x, e - fraction_bits), fraction_bits);
  const auto magnitude = static_cast<unsigned>(std::abs(e));
  const int width = bit_length(UInt128{magnitude});
  if (width == 0) return sign | 0x08U | fraction;
  const unsigned leading = 1U << (width - 1);
  const unsigned field = (magnitude & (leading - 1)) | (e < 0 ? leading : 0U);
  const unsigned prefix = width == 4 ? 0x60 : width == 3 ? 0x40 : width == 2 ? 0x20 : 0x10;
  return sign | prefix | (field << fraction_bits) | fraction;
}

bool represents(const Hif8Format& f, const NarrowExact& x) {
  const int e = log2_floor(x);
  return e >= smallest_exponent && last_bit_exponent(x) >= spacing_exponent_of(f, e) && compare_magnitude(x, limits_of(f).max_finite) <= 0;
}

int spacing_exponent_of(const Hif8Format&, int binade) { return std::max(binade - fraction_bits_at(binade), smallest_exponent); }

}  // namespace accsim::formats
