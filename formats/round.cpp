// Rounding: quantum, tail, decision, range, in that order (contracts 1.2; P3109 v4.0 4.7.4, IEEE 754-2019 4.3 and 7.4).
#include "formats/round.h"

#include <algorithm>

namespace accsim::formats {
namespace {

/// The narrow limits in the integer type of the value at hand.
UInt128 as(UInt128 /*tag*/, UInt128 v) { return v; }
Wide as(const Wide& /*tag*/, UInt128 v) { return widened(v); }
template <class U>
BasicExact<U> as_exact(const NarrowExact& x) {
  return {x.negative, x.nan, x.infinite, x.exponent, as(U{}, x.significand)};
}

/// floor(tail / 2^drop * 2^bits), the first `bits` bits of a discarded part of `drop` bits.
template <class U>
std::uint64_t leading_tail(const U& tail, int drop, int bits) {
  if (drop <= bits) return static_cast<std::uint64_t>(narrowed(tail)) << (bits - drop);
  return static_cast<std::uint64_t>(narrowed(shifted_right(tail, drop - bits)));
}

}  // namespace

Rounder::Rounder(const Format& format, const RoundingSpec& spec)
    : is_float_(format.as_float() != nullptr),
      is_signed_(is_float_ || format.as_fixed() == nullptr || format.as_fixed()->is_signed),
      limits_(limits(format)),
      mode_(spec.mode),
      stochastic_(spec.stochastic),
      overflow_(overflow_of(spec, format)),
      underflow_(underflow_of(spec, format)) {
  if (is_float_) bias_ = format.as_float()->bias;
  else width_ = limits_.precision;
  if (overflow_ == Overflow::saturate_symmetric && is_signed_) limits_.min_finite = negated(limits_.max_finite);
}

template <class U>
bool Rounder::outside_range(const BasicExact<U>& x) const {
  if (!x.is_finite()) return true;
  if (x.significand == 0) return false;
  const NarrowExact& limit = x.negative ? limits_.min_finite : limits_.max_finite;
  return limit.significand == 0 || compare_magnitude(x, as_exact<U>(limit)) > 0;
}

template <class U>
BasicExact<U> Rounder::overflowed(const BasicExact<U>& rounded) const {
  const BasicExact<U> end = as_exact<U>(rounded.negative ? limits_.min_finite : limits_.max_finite);
  switch (overflow_) {
    case Overflow::saturate:
    case Overflow::saturate_symmetric: return end;
    case Overflow::saturate_zero: return BasicExact<U>::zero();
    case Overflow::nan: return BasicExact<U>::not_a_number();
    case Overflow::wrap: {
      if (rounded.infinite) return BasicExact<U>::zero();
      const int shift = rounded.exponent - limits_.lsb_exponent;  // a rounded value is a multiple of the spacing
      U units = shift >= width_ ? U{0}
                                : low_bits(shift >= 0 ? shifted_left(low_bits(rounded.significand, width_ - shift), shift)
                                                      : shifted_right(rounded.significand, -shift),
                                           width_);
      if (rounded.negative && units != 0) units = U(as(U{}, low_bits(~UInt128{0}, width_)) - units + U{1});
      BasicExact<U> x;
      x.negative = is_signed_ && bit_length(units) == width_;
      if (x.negative) units = U(as(U{}, low_bits(~UInt128{0}, width_)) - units + U{1});
      if (units == 0) return BasicExact<U>::zero();
      x.significand = units;
      x.exponent = limits_.lsb_exponent;
      return x;
    }
    case Overflow::ieee: break;
  }
  bool to_largest = false;
  switch (mode_) {
    case Rounding::rz:
    case Rounding::ro: to_largest = true; break;
    case Rounding::ru: to_largest = rounded.negative; break;
    case Rounding::rd: to_largest = !rounded.negative; break;
    case Rounding::rne:
    case Rounding::rna:
    case Rounding::sr: break;
  }
  if (rounded.infinite) to_largest = false;
  if (to_largest) return end;
  if (limits_.has_infinity) return BasicExact<U>::infinity(rounded.negative);
  return limits_.has_nan ? BasicExact<U>::not_a_number() : end;
}

template <class U>
Rounded<U> Rounder::special(const BasicExact<U>& x) const {
  if (x.nan) {
    if (limits_.has_nan) return {x, {}};
    return {BasicExact<U>::zero(), {.invalid = true}};
  }
  if (x.infinite) {
    if (limits_.has_infinity && overflow_ != Overflow::saturate) return {x, {}};
    const BasicExact<U> value = overflowed(x);
    return {value, {.overflow = true, .inexact = true, .invalid = value.nan}};
  }
  return {BasicExact<U>::zero(x.negative && limits_.has_negative_zero), {}};
}

template <class U>
bool Rounder::rounds_away(const BasicExact<U>& x, const U& kept, int exponent, int drop, std::uint32_t random) const {
  const U tail = low_bits(x.significand, drop);
  if (tail == 0) return false;
  // The last bit of the kept code; with one significand bit that is the exponent's.
  const bool kept_is_odd = is_float_ && limits_.precision == 1 ? kept != 0 && ((exponent + bias_) & 1) != 0 : is_odd(kept);
  const bool half_or_more = bit_length(tail) == drop;
  const auto r = static_cast<std::uint64_t>(stochastic_.bits == 32 ? random : random & ((1U << stochastic_.bits) - 1U));
  switch (mode_) {
    case Rounding::rz: return false;
    case Rounding::ru: return !x.negative;
    case Rounding::rd: return x.negative;
    case Rounding::ro: return !kept_is_odd;
    case Rounding::rna: return half_or_more;
    case Rounding::rne: return half_or_more && (low_bits(tail, drop - 1) != 0 || kept_is_odd);
    case Rounding::sr: break;
  }
  const int bits = stochastic_.bits;
  const std::uint64_t full = 1ULL << bits;
  switch (stochastic_.kind) {
    case StochasticKind::a: return leading_tail(tail, drop, bits) + r >= full;
    case StochasticKind::b: return leading_tail(tail, drop, bits + 1) + 2 * r + 1 >= 2 * full;
    case StochasticKind::c: {
      std::uint64_t t = leading_tail(tail, drop, bits);
      const std::uint64_t next = leading_tail(tail, drop, bits + 1) & 1U;
      const bool rest = drop > bits + 1 && low_bits(tail, drop - bits - 1) != 0;
      if (next != 0 && (rest || (t & 1U) != 0)) ++t;
      return t + r >= full;
    }
    case StochasticKind::below: return r < leading_tail(tail, drop, bits);
  }
  return false;
}

template <class U>
Rounded<U> Rounder::operator()(const BasicExact<U>& x, std::uint32_t random) const {
  if (!x.is_nonzero_finite()) return special(x);

  // The spacing at x: of its binade, or of the lowest one where subnormals go on below it.
  int exponent = limits_.lsb_exponent;
  if (is_float_) {
    const int top = log2_floor(x);
    exponent = (underflow_ == Underflow::gradual ? std::max(top, limits_.emin) : top) - (limits_.precision - 1);
  }
  const int drop = exponent - x.exponent;
  Rounded<U> result;
  BasicExact<U>& value = result.value;
  Events& events = result.events;
  if (drop <= 0) {
    value = x;
  } else {
    U kept = shifted_right(x.significand, drop);
    if (rounds_away(x, kept, exponent, drop, random)) kept = added(kept, U{1});
    events.inexact = low_bits(x.significand, drop) != 0;
    value.negative = x.negative;
    value.significand = std::move(kept);
    value.exponent = value.significand == 0 ? 0 : exponent;
  }

  const bool below_normal = is_float_ && value.significand != 0 && compare_magnitude(value, as_exact<U>(limits_.min_normal)) < 0;
  if (below_normal && underflow_ == Underflow::flush) {
    value = BasicExact<U>::zero(value.negative);
    events.inexact = true;
  }
  events.underflow = events.inexact && (value.significand == 0 || below_normal);

  if (value.significand != 0 && outside_range(value)) {
    value = overflowed(value);
    events.overflow = true;
    events.inexact = true;
    events.invalid = value.nan;
  }
  if (value.is_zero()) value = BasicExact<U>::zero(value.negative && limits_.has_negative_zero);
  return result;
}

template Rounded<UInt128> Rounder::operator()(const NarrowExact&, std::uint32_t) const;
template Rounded<Wide> Rounder::operator()(const Exact&, std::uint32_t) const;
template bool Rounder::outside_range(const NarrowExact&) const;
template bool Rounder::outside_range(const Exact&) const;

}  // namespace accsim::formats
