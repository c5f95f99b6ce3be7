// Posits (Standard for Posit Arithmetic, 2022): limits, decoding, encoding.
#include <algorithm>

#include "formats/layouts.h"

namespace accsim::formats {
namespace {

/// Exponent of maxpos = 2^((width - 2) * 2^exponent_bits); minpos is its inverse.
int largest_exponent(const PositFormat& f) { return (f.width - 2) << f.exponent_bits; }

/// floor(binade / 2^exponent_bits), the regime's k.
int regime_of(const PositFormat& f, int binade) { return binade >> f.exponent_bits; }

/// Bits of the regime k: a run and its end.
int regime_bits(int k) { return k >= 0 ? k + 2 : 1 - k; }

}  // namespace

Limits limits_of(const PositFormat& f) {
  Limits l;
  l.precision = std::max(1, f.width - 3 - f.exponent_bits + 1);
  l.max_finite = value_of(1, largest_exponent(f));
  l.min_finite = negated(l.max_finite);
  l.min_normal = value_of(1, -largest_exponent(f));
  l.lsb_exponent = -largest_exponent(f);
  l.emin = -largest_exponent(f);
  l.has_nan = true;
  return l;
}

int code_bits_of(const PositFormat& f) { return f.width; }

NarrowExact decode(Code code, const PositFormat& f) {
  const Code nar = Code{1} << (f.width - 1);
  if (code == 0) return NarrowExact::zero();
  if (code == nar) return NarrowExact::not_a_number();
  const bool negative = (code & nar) != 0;
  const Code body = negative ? low_bits(~code + 1, f.width) : code;  // width - 1 bits
  int position = f.width - 2;
  const bool run_bit = is_odd(shifted_right(body, position));
  int run = 0;
  for (; position >= 0 && is_odd(shifted_right(body, position)) == run_bit; --position) ++run;
  --position;  // the bit that ends the run; missing at the largest run
  const int k = run_bit ? run - 1 : -run;
  const int exponent_have = std::clamp(position + 1, 0, f.exponent_bits);
  const int fraction_have = std::max(0, position + 1 - f.exponent_bits);
  const auto exponent_field = static_cast<int>(low_bits(shifted_right(body, fraction_have), exponent_have))
                              << (f.exponent_bits - exponent_have);  // exponent bits cut off are zero
  const UInt128 fraction = low_bits(body, fraction_have);
  const int binade = (k * (1 << f.exponent_bits)) + exponent_field;
  return value_of(fraction | (UInt128{1} << fraction_have), binade - fraction_have, negative);
}

template <class U>
PositBits<U> posit_bits(const BasicExact<U>& x, const PositFormat& f) {
  const int binade = log2_floor(x);
  const int k = regime_of(f, binade);
  const int fraction_bits = bit_length(x.significand) - 1;
  const int length = regime_bits(k) + f.exponent_bits + fraction_bits;
  // The regime: k + 1 ones and a zero, or -k zeros and a one.
  U bits = k >= 0 ? shifted_left(U((U{1} << (k + 1)) - 1), 1) : U{1};
  const int exponent_field = binade - (k * (1 << f.exponent_bits));
  bits = added(shifted_left(bits, f.exponent_bits), U(static_cast<unsigned>(exponent_field)));
  bits = added(shifted_left(bits, fraction_bits), low_bits(x.significand, fraction_bits));
  PositBits<U> cut;
  cut.drop = length - (f.width - 1);
  if (cut.drop <= 0) return {shifted_left(bits, -cut.drop), U{0}, 0};
  cut.kept = shifted_right(bits, cut.drop);
  cut.tail = low_bits(bits, cut.drop);
  return cut;
}
template PositBits<UInt128> posit_bits(const NarrowExact&, const PositFormat&);
template PositBits<Wide> posit_bits(const Exact&, const PositFormat&);

Code encode(const NarrowExact& x, const PositFormat& f) {
  if (x.nan || x.infinite) return Code{1} << (f.width - 1);
  if (x.significand == 0) return 0;
  NarrowExact odd = x;  // without trailing zeros, so that nothing is lost where the significand is wide
  odd.exponent = last_bit_exponent(x);
  odd.significand = shifted_right(x.significand, odd.exponent - x.exponent);
  const PositBits<UInt128> bits = posit_bits(odd, f);
  assert(bits.tail == 0);
  return x.negative ? low_bits(~bits.kept + 1, f.width) : bits.kept;
}

bool represents(const PositFormat& f, const NarrowExact& x) {
  if (std::abs(log2_floor(x)) > largest_exponent(f)) return false;
  const PositBits<Wide> bits = posit_bits(widened(x), f);
  return bits.tail == 0 && bit_length(bits.kept) < f.width && bits.kept != 0;
}

int spacing_exponent_of(const PositFormat& f, int binade) {
  const int clamped = std::clamp(binade, -largest_exponent(f), largest_exponent(f));
  const int left = f.width - 1 - regime_bits(regime_of(f, clamped));  // for exponent and fraction; -1 where the run has no end
  if (left >= f.exponent_bits) return clamped - (left - f.exponent_bits);
  // Exponent bits are lost: values are 2^step apart as factors, the gap above 2^e is 2^e (2^step - 1), in [2^(e+step-1), 2^(e+step)).
  const int step = 1 << (f.exponent_bits - std::max(left, 0));
  const int below = clamped & -step;
  return below + step - 1;
}

}  // namespace accsim::formats
