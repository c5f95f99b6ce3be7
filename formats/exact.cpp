#include "formats/exact.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace accsim::formats {

template <class U>
double to_double(const BasicExact<U>& x) {
  if (x.nan) return std::nan("");
  const double sign = x.negative ? -1.0 : 1.0;
  if (x.infinite) return sign * HUGE_VAL;
  if (x.significand == 0) return sign * 0.0;
  const int top = log2_floor(x);
  if (top > 1024) return sign * HUGE_VAL;
  const int lsb = std::max(top, -1022) - 52;  // weight of the last bit kept
  const int drop = lsb - x.exponent;
  if (drop <= 0) return sign * std::ldexp(static_cast<double>(static_cast<std::uint64_t>(narrowed(x.significand))), x.exponent);
  U kept = shifted_right(x.significand, drop);
  const U tail = low_bits(x.significand, drop);
  const int tail_length = bit_length(tail);
  const bool above_half = tail_length == drop && low_bits(tail, drop - 1) != 0;
  const bool half = tail_length == drop && !above_half;
  if (above_half || (half && is_odd(kept))) kept = added(kept, U{1});
  return sign * std::ldexp(static_cast<double>(static_cast<std::uint64_t>(narrowed(kept))), lsb);
}

Exact quotient_with_sticky(const Exact& a, const Exact& b, int bits) {
  if (a.significand == 0) return Exact::zero(a.negative != b.negative);
  const int shift = std::max(0, bits + bit_length(b.significand) - bit_length(a.significand) + 1);
  const Wide dividend = a.significand << shift;
  Wide quotient = dividend / b.significand;
  const bool sticky = quotient * b.significand != dividend;
  quotient <<= 1;
  if (sticky) quotient |= 1;
  return {a.negative != b.negative, false, false, a.exponent - b.exponent - shift - 1, quotient};
}

template double to_double(const BasicExact<UInt128>&);
template double to_double(const BasicExact<Wide>&);

}  // namespace accsim::formats
