#include "formats/exact.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace accsim::formats {

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

template <class U>
BasicExact<U> sum(const BasicExact<U>& a, const BasicExact<U>& b, bool zero_is_negative) {
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

template <class U>
bool same_value(const BasicExact<U>& a, const BasicExact<U>& b) {
  if (a.nan || b.nan) return false;
  if (a.infinite || b.infinite) return a.infinite == b.infinite && a.negative == b.negative;
  if (a.significand == 0 && b.significand == 0) return true;
  return a.negative == b.negative && compare_magnitude(a, b) == std::strong_ordering::equal;
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

template BasicExact<UInt128> from_double(double);
template BasicExact<Wide> from_double(double);
template double to_double(const BasicExact<UInt128>&);
template double to_double(const BasicExact<Wide>&);
template BasicExact<UInt128> product(const BasicExact<UInt128>&, const BasicExact<UInt128>&);
template BasicExact<Wide> product(const BasicExact<Wide>&, const BasicExact<Wide>&);
template BasicExact<UInt128> sum(const BasicExact<UInt128>&, const BasicExact<UInt128>&, bool);
template BasicExact<Wide> sum(const BasicExact<Wide>&, const BasicExact<Wide>&, bool);
template std::strong_ordering compare_magnitude(const BasicExact<UInt128>&, const BasicExact<UInt128>&);
template std::strong_ordering compare_magnitude(const BasicExact<Wide>&, const BasicExact<Wide>&);
template bool same_value(const BasicExact<UInt128>&, const BasicExact<UInt128>&);
template bool same_value(const BasicExact<Wide>&, const BasicExact<Wide>&);

}  // namespace accsim::formats
