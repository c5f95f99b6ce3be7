// Logarithmic numbers: limits, decoding, encoding. The values are powers of two with a fractional exponent, so irrational but for whole
// exponents; see lns.h for what stands for them.
#include <algorithm>

#include "formats/layouts.h"
#include "formats/lns.h"

namespace accsim::formats {
namespace {

/// The code of the smallest logarithm, which means zero; with the sign set it is NaN.
Code zero_field(const LogFormat& f) { return Code{1} << (f.width - 2); }

}  // namespace

Limits limits_of(const LogFormat& f) {
  Limits l;
  const long long top = (1LL << (f.width - 2)) - 1;
  l.precision = f.fraction_bits + 1;
  l.max_finite = power_of_two(top, f.fraction_bits);
  l.min_finite = negated(l.max_finite);
  l.min_normal = power_of_two(-top, f.fraction_bits);
  l.emin = log2_floor(l.min_normal);
  l.lsb_exponent = spacing_exponent_of(f, l.emin);
  l.has_nan = true;
  return l;
}

int code_bits_of(const LogFormat& f) { return f.width; }

NarrowExact decode(Code code, const LogFormat& f) {
  const bool negative = is_odd(shifted_right(code, f.width - 1));
  const Code field = low_bits(code, f.width - 1);
  if (field == zero_field(f)) return negative ? NarrowExact::not_a_number() : NarrowExact::zero();
  auto logarithm = static_cast<long long>(field);
  if (field > zero_field(f)) logarithm -= 1LL << (f.width - 1);
  NarrowExact x = power_of_two(logarithm, f.fraction_bits);
  x.negative = negative;
  return x;
}

Code encode(const NarrowExact& x, const LogFormat& f) {
  const Code sign_bit = Code{1} << (f.width - 1);
  if (x.nan) return sign_bit | zero_field(f);
  assert(x.is_finite());
  if (x.significand == 0) return zero_field(f);
  const Logarithm l = logarithm_of(widened(x), f.fraction_bits);
  assert(l.tail == 0);
  return (x.negative ? sign_bit : Code{0}) | low_bits(static_cast<Code>(l.units), f.width - 1);
}

bool represents(const LogFormat& f, const NarrowExact& x) {
  const Logarithm l = logarithm_of(widened(x), f.fraction_bits);
  return l.tail == 0 && std::abs(l.units) < 1LL << (f.width - 2) && same_value(magnitude(x), power_of_two(l.units, f.fraction_bits));
}

int spacing_exponent_of(const LogFormat& f, int binade) {
  const int smallest = -(1 << (f.width - 2 - f.fraction_bits));
  return std::max(binade, smallest) - f.fraction_bits - 1;  // 2^e (2^(2^-f) - 1), between 2^(e-f-1) and 2^(e-f)
}

}  // namespace accsim::formats
