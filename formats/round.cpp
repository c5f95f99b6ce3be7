// Rounding: quantum, tail, decision, range, in that order (contracts 1.2; P3109 v4.0 4.7.4, IEEE 754-2019 4.3 and 7.4).
#include "formats/round.h"

#include <algorithm>

#include "formats/layouts.h"
#include "formats/lns.h"

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
    : layout_(format.layout),
      kind_(Kind::fixed),
      is_float_(format.as_fixed() == nullptr && !std::holds_alternative<DigitFormat>(format.layout)),
      limits_(limits(format)),
      mode_(spec.mode),
      stochastic_(spec.stochastic),
      overflow_(overflow_of(spec, format)),
      underflow_(underflow_of(spec, format)) {
  if (const FloatFormat* f = format.as_float()) {
    kind_ = Kind::floating;
    bias_ = f->bias;
    is_p3109_ = f->specials == Specials::p3109e || f->specials == Specials::p3109f;
  } else if (std::holds_alternative<Hif8Format>(layout_)) {
    kind_ = Kind::hif8;
  } else if (std::holds_alternative<PositFormat>(layout_)) {
    kind_ = Kind::posit;
  } else if (std::holds_alternative<LogFormat>(layout_)) {
    kind_ = Kind::logarithm;
  } else {
    width_ = limits_.precision;
  }
  if (overflow_ == Overflow::saturate_symmetric && limits_.is_signed) limits_.min_finite = negated(limits_.max_finite);
}

template <class U>
bool Rounder::outside_range(const BasicExact<U>& x) const {
  if (!x.is_finite()) return true;
  if (x.significand == 0) return false;
  if (x.negative && !limits_.is_signed) return true;
  return compare_magnitude(x, as_exact<U>(x.negative ? limits_.min_finite : limits_.max_finite)) > 0;
}

template <class U>
BasicExact<U> Rounder::lost_nan() const {
  return limits_.has_zero ? BasicExact<U>::zero() : as_exact<U>(limits_.min_normal);
}

template <class U>
BasicExact<U> Rounder::overflowed(const BasicExact<U>& rounded) const {
  BasicExact<U> end = as_exact<U>(rounded.negative ? limits_.min_finite : limits_.max_finite);
  switch (overflow_) {
    case Overflow::saturate:
    case Overflow::propagate:
    case Overflow::saturate_symmetric: return end;
    case Overflow::saturate_zero: return BasicExact<U>::zero();
    case Overflow::nan: return limits_.has_nan ? BasicExact<U>::not_a_number() : lost_nan<U>();
    case Overflow::wrap: {
      if (rounded.infinite) return BasicExact<U>::zero();
      const int shift = rounded.exponent - limits_.lsb_exponent;  // a rounded value is a multiple of the spacing
      U units = shift >= width_ ? U{0}
                                : low_bits(shift >= 0 ? shifted_left(low_bits(rounded.significand, width_ - shift), shift)
                                                      : shifted_right(rounded.significand, -shift),
                                           width_);
      if (rounded.negative && units != 0) units = U(as(U{}, low_bits(~UInt128{0}, width_)) - units + U{1});
      BasicExact<U> x;
      x.negative = limits_.is_signed && bit_length(units) == width_;
      if (x.negative) units = U(as(U{}, low_bits(~UInt128{0}, width_)) - units + U{1});
      if (units == 0) return BasicExact<U>::zero();
      x.significand = units;
      x.exponent = limits_.lsb_exponent;
      return x;
    }
    case Overflow::ieee:
    case Overflow::infinity:
    case Overflow::ones_tail: break;
  }
  bool to_largest = false;
  switch (overflow_ == Overflow::infinity ? Rounding::rne : mode_) {
    case Rounding::rz: to_largest = true; break;
    // P3109 takes the neighbour with the odd code, which is the infinity in its signed extended formats.
    case Rounding::ro: to_largest = !is_p3109_ || (!limits_.is_signed && !rounded.negative); break;
    case Rounding::ru: to_largest = rounded.negative; break;
    case Rounding::rd: to_largest = !rounded.negative; break;
    case Rounding::rne:
    case Rounding::rna:
    case Rounding::sr: break;
  }
  if (rounded.infinite) to_largest = false;
  if (to_largest || kind_ == Kind::posit) {
    return rounded.infinite ? BasicExact<U>::not_a_number() : end;  // posits: a finite value stays one, infinity is NaR
  }
  if (rounded.negative && !limits_.is_signed) return limits_.has_nan ? BasicExact<U>::not_a_number() : end;
  if (limits_.has_infinity) return BasicExact<U>::infinity(rounded.negative);
  return limits_.has_nan && !is_p3109_ ? BasicExact<U>::not_a_number() : end;
}

template <class U>
Rounded<U> Rounder::special(const BasicExact<U>& x) const {
  if (x.nan) {
    if (limits_.has_nan) return {x, {}};
    return {lost_nan<U>(), {.invalid = true}};
  }
  if (x.infinite) {
    if (limits_.has_infinity && (limits_.is_signed || !x.negative) && overflow_ != Overflow::saturate) return {x, {}};
    const BasicExact<U> value = overflowed(x);
    return {value, {.overflow = true, .inexact = true, .invalid = value.nan || overflow_ == Overflow::nan}};
  }
  if (!limits_.has_zero) return {as_exact<U>(limits_.min_normal), {.underflow = true, .inexact = true}};
  return {BasicExact<U>::zero(x.negative && limits_.has_negative_zero), {}};
}

template <class U>
bool Rounder::rounds_away(bool negative, bool kept_is_odd, const U& tail, int drop, std::uint32_t random) const {
  if (tail == 0) return false;
  const bool half_or_more = bit_length(tail) == drop;
  const auto r = static_cast<std::uint64_t>(stochastic_.bits == 32 ? random : random & ((1U << stochastic_.bits) - 1U));
  switch (mode_) {
    case Rounding::rz: return false;
    case Rounding::ru: return !negative;
    case Rounding::rd: return negative;
    case Rounding::ro: return !kept_is_odd;
    case Rounding::rna: return half_or_more;
    case Rounding::rne: return half_or_more && (low_bits(tail, drop - 1) != 0 || kept_is_odd);
    case Rounding::sr: break;
  }
  const int bits = stochastic_.bits;
  const std::uint64_t full = 1ULL << bits;
  switch (stochastic_.kind) {
    case StochasticKind::eager:
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
int Rounder::spacing_at(const BasicExact<U>& x, bool unbounded) const {
  if (kind_ == Kind::fixed) return limits_.lsb_exponent;
  const int top = log2_floor(x);
  if (kind_ == Kind::hif8) return spacing_exponent_of(Hif8Format{}, top);
  // Of its binade, or of the lowest one where subnormals go on below it.
  return (underflow_ == Underflow::gradual && !unbounded ? std::max(top, limits_.emin) : top) - (limits_.precision - 1);
}

template <class U>
Rounded<U> Rounder::on_grid(const BasicExact<U>& x, std::uint32_t random, int exponent) const {
  const int drop = exponent - x.exponent;
  if (drop <= 0) return {x, {}};
  U kept = shifted_right(x.significand, drop);
  const U tail = low_bits(x.significand, drop);
  // The last bit of the kept code; with one significand bit that is the exponent's.
  bool kept_is_odd = is_odd(kept);
  if (kind_ == Kind::floating && limits_.precision == 1) kept_is_odd = kept != 0 && ((exponent + bias_) & 1) != 0;
  if (kind_ == Kind::hif8 && exponent < limits_.emin && kept == 1) kept_is_odd = (exponent & 1) == 0;  // code mmm stands for 2^(mmm - 23)
  if (rounds_away(x.negative, kept_is_odd, tail, drop, random)) kept = added(kept, U{1});
  Rounded<U> result;
  result.events.inexact = tail != 0;
  result.value.negative = x.negative;
  result.value.exponent = kept == 0 ? 0 : exponent;
  result.value.significand = std::move(kept);
  return result;
}

template <class U>
Rounded<U> Rounder::as_posit(const BasicExact<U>& x, std::uint32_t random) const {
  const PositFormat& f = *std::get_if<PositFormat>(&layout_);
  const BasicExact<U> least = as_exact<U>(limits_.min_normal);
  if (compare_magnitude(x, least) < 0) {  // never to zero, in any mode
    BasicExact<U> value = least;
    value.negative = x.negative;
    return {value, {.underflow = true, .inexact = true}};
  }
  if (outside_range(x)) return {x, {}};
  const PositBits<U> bits = posit_bits(x, f);
  Code code = narrowed(bits.kept);
  if (rounds_away(x.negative, is_odd(code), bits.tail, bits.drop, random)) ++code;
  BasicExact<U> value = as_exact<U>(decode(code, f));
  value.negative = x.negative;
  return {value, {.inexact = bits.tail != 0}};
}

template <class U>
Rounded<U> Rounder::as_logarithm(const BasicExact<U>& x, std::uint32_t random) const {
  const LogFormat& f = *std::get_if<LogFormat>(&layout_);
  const Logarithm l = logarithm_of(widened(x), f.fraction_bits);
  const bool up = rounds_away(x.negative, (l.units & 1) != 0, Wide{l.tail}, 64, random);
  const long long units = l.units + (up ? 1 : 0);
  const long long top = (1LL << (f.width - 2)) - 1;
  if (units < -top) return {BasicExact<U>::zero(x.negative), {.inexact = true}};
  if (units > top) return {x, {.inexact = true}};
  BasicExact<U> value = as_exact<U>(power_of_two(units, f.fraction_bits));
  value.negative = x.negative;
  return {value, {.inexact = l.tail != 0}};
}

template <class U>
Rounded<U> Rounder::into_range(Rounded<U> result) const {
  BasicExact<U>& value = result.value;
  Events& events = result.events;
  const bool below_normal = is_float_ && value.significand != 0 && compare_magnitude(value, as_exact<U>(limits_.min_normal)) < 0;
  if (below_normal && underflow_ == Underflow::flush) {
    value = BasicExact<U>::zero(value.negative);
    events.inexact = true;
  }
  events.underflow |= events.inexact && (value.significand == 0 || below_normal);

  if (value.significand == 0 && !limits_.has_zero) {
    value = as_exact<U>(limits_.min_normal);
  } else if (value.significand != 0 && outside_range(value)) {
    value = overflowed(value);
    events.overflow = true;
    events.underflow = false;  // a small negative value in an unsigned format
    events.inexact = true;
    events.invalid = value.nan || overflow_ == Overflow::nan;
  }
  if (value.is_zero()) value = BasicExact<U>::zero(value.negative && limits_.has_negative_zero);
  return result;
}

template <class U>
bool Rounder::stays_largest(const BasicExact<U>& x, std::uint32_t random) const {
  if (overflow_ != Overflow::ones_tail || mode_ != Rounding::sr || log2_floor(x) <= log2_floor(limits_.max_finite)) return false;
  const int drop = stochastic_.bits + 2;  // more bits than any kind looks at
  return !rounds_away(x.negative, false, U{(std::uint64_t{1} << drop) - 1}, drop, random);
}

template <class U>
Rounded<U> Rounder::operator()(const BasicExact<U>& x, std::uint32_t random) const {
  if (!x.is_nonzero_finite()) return special(x);
  switch (kind_) {
    case Kind::floating:
      if (stays_largest(x, random))
        return {as_exact<U>(x.negative ? limits_.min_finite : limits_.max_finite), {.overflow = true, .inexact = true}};
      [[fallthrough]];
    case Kind::fixed:
    case Kind::hif8: return into_range(on_grid(x, random, spacing_at(x)));
    case Kind::posit: return into_range(as_posit(x, random));
    case Kind::logarithm: return into_range(as_logarithm(x, random));
  }
  return {};
}

template <class U>
bool Rounder::is_tiny(const BasicExact<U>& x, std::uint32_t random) const {
  if (!x.is_nonzero_finite() || kind_ == Kind::fixed) return false;
  const bool one_spacing = kind_ == Kind::posit || kind_ == Kind::logarithm;
  return is_below_normal(one_spacing ? x : on_grid(x, random, spacing_at(x, true)).value);
}

template <class U>
bool Rounder::is_below_normal(const BasicExact<U>& x) const {
  return kind_ != Kind::fixed && x.is_nonzero_finite() && compare_magnitude(x, as_exact<U>(limits_.min_normal)) < 0;
}

template <class U>
Rounded<U> Rounder::eager_sum(const BasicExact<U>& a, const BasicExact<U>& b, std::uint32_t random) const {
  const BasicExact<U> exact = sum(a, b, zero_sum_is_negative());
  if (!a.is_nonzero_finite() || !b.is_nonzero_finite() || !exact.is_nonzero_finite()) return (*this)(exact, random);
  const BasicExact<U>& larger = compare_magnitude(a, b) < 0 ? b : a;
  // The adder's register: down to R + 1 bits below the larger operand's last place.
  const int lowest = spacing_at(larger) - stochastic_.bits - 1;
  const auto cut = [lowest](BasicExact<U> x) {
    const int drop = lowest - x.exponent;
    if (drop <= 0) return x;
    x.significand = shifted_right(x.significand, drop);
    x.exponent = x.significand == 0 ? 0 : lowest;
    return x;
  };
  BasicExact<U> added = sum(cut(a), cut(b));
  if (added.significand == 0) added.negative = exact.negative;
  Rounded<U> result = added.significand == 0 ? Rounded<U>{added, {}} : on_grid(added, random, spacing_at(added));
  result.events.inexact = !same_value(result.value, exact);
  return into_range(std::move(result));
}

template <class U>
Rounded<U> Rounder::rounded_sum(const BasicExact<U>& a, const BasicExact<U>& b, std::uint32_t random) const {
  const LogFormat* f = std::get_if<LogFormat>(&layout_);
  Rounded<U> result;
  if (mode_ == Rounding::sr && stochastic_.kind == StochasticKind::eager) {
    result = eager_sum(a, b, random);
  } else if (f != nullptr && f->table_bits > 0 && a.is_finite() && b.is_finite()) {
    const NarrowExact x = narrowed((*this)(a, random).value);
    const NarrowExact y = narrowed((*this)(b, random).value);
    const bool in_table = x.is_finite() && y.is_finite();
    result = (*this)(in_table ? as_exact<U>(table_sum(x, y, *f)) : sum(a, b));
    result.events.inexact |= !same_value(result.value, sum(a, b));
  } else {
    result = (*this)(sum(a, b, zero_sum_is_negative()), random);
  }
  const bool made_nan = !a.nan && !b.nan && a.infinite && b.infinite && a.negative != b.negative;
  result.events.invalid |= made_nan;
  return result;
}

template Rounded<UInt128> Rounder::operator()(const NarrowExact&, std::uint32_t) const;
template Rounded<Wide> Rounder::operator()(const Exact&, std::uint32_t) const;
template Rounded<UInt128> Rounder::rounded_sum(const NarrowExact&, const NarrowExact&, std::uint32_t) const;
template Rounded<Wide> Rounder::rounded_sum(const Exact&, const Exact&, std::uint32_t) const;
template bool Rounder::is_tiny(const NarrowExact&, std::uint32_t) const;
template bool Rounder::is_tiny(const Exact&, std::uint32_t) const;
template bool Rounder::is_below_normal(const NarrowExact&) const;
template bool Rounder::is_below_normal(const Exact&) const;
template bool Rounder::outside_range(const NarrowExact&) const;
template bool Rounder::outside_range(const Exact&) const;

}  // namespace accsim::formats
