// What each layout has to provide, one file a layout; format.cpp chooses by layout. Inside formats/ only.
#pragma once

#include <cassert>

#include "formats/format.h"

namespace accsim::formats {

inline UInt128 ones(int bits) { return bits >= 128 ? ~UInt128{0} : (UInt128{1} << bits) - 1; }

inline NarrowExact value_of(UInt128 significand, int exponent, bool negative = false) {
  if (significand == 0) return NarrowExact::zero(negative);
  return {.negative = negative, .exponent = exponent, .significand = significand};
}

/// The significand scaled to weight 2^exponent; the value must be a multiple of that.
inline UInt128 in_units_of(const NarrowExact& x, int exponent) {
  if (x.exponent >= exponent) return shifted_left(x.significand, x.exponent - exponent);
  assert(low_bits(x.significand, exponent - x.exponent) == 0);
  return shifted_right(x.significand, exponent - x.exponent);
}

/// Exponent of the last set bit of a nonzero value.
inline int last_bit_exponent(const NarrowExact& x) { return x.exponent + bit_length(x.significand ^ (x.significand - 1)) - 1; }

Limits limits_of(const FloatFormat& f);
Limits limits_of(const FixedFormat& f);
Limits limits_of(const DigitFormat& f);
Limits limits_of(const PositFormat& f);
Limits limits_of(const Hif8Format& f);
Limits limits_of(const LogFormat& f);

int code_bits_of(const FloatFormat& f);
int code_bits_of(const FixedFormat& f);
int code_bits_of(const DigitFormat& f);
int code_bits_of(const PositFormat& f);
int code_bits_of(const Hif8Format& f);
int code_bits_of(const LogFormat& f);

NarrowExact decode(Code code, const FloatFormat& f);
NarrowExact decode(Code code, const FixedFormat& f);
NarrowExact decode(Code code, const DigitFormat& f);
NarrowExact decode(Code code, const PositFormat& f);
NarrowExact decode(Code code, const Hif8Format& f);
NarrowExact decode(Code code, const LogFormat& f);

Code encode(const NarrowExact& x, const FloatFormat& f);
Code encode(const NarrowExact& x, const FixedFormat& f);
Code encode(const NarrowExact& x, const DigitFormat& f);
Code encode(const NarrowExact& x, const PositFormat& f);
Code encode(const NarrowExact& x, const Hif8Format& f);
Code encode(const NarrowExact& x, const LogFormat& f);

/// For finite nonzero values.
bool represents(const FloatFormat& f, const NarrowExact& x);
bool represents(const FixedFormat& f, const NarrowExact& x);
bool represents(const DigitFormat& f, const NarrowExact& x);
bool represents(const PositFormat& f, const NarrowExact& x);
bool represents(const Hif8Format& f, const NarrowExact& x);
bool represents(const LogFormat& f, const NarrowExact& x);

/// Spacing at a nonzero value whose leading bit has weight 2^binade.
int spacing_exponent_of(const FloatFormat& f, int binade);
int spacing_exponent_of(const FixedFormat& f, int binade);
int spacing_exponent_of(const DigitFormat& f, int binade);
int spacing_exponent_of(const PositFormat& f, int binade);
int spacing_exponent_of(const Hif8Format& f, int binade);
int spacing_exponent_of(const LogFormat& f, int binade);

/// A magnitude as the bits of a posit's code: the run of the regime, the exponent, the fraction, without end in general. `kept` is what a
/// code of this width has of them, tail the `drop` bits that follow. For minpos <= |x| <= maxpos.
template <class U>
struct PositBits {
  U kept, tail;
  int drop = 0;
};
template <class U>
PositBits<U> posit_bits(const BasicExact<U>& x, const PositFormat& f);

}  // namespace accsim::formats
