// Rounding an exact value to a format: the only place that decides a bit.
#pragma once

#include "formats/format.h"
#include "formats/rounding.h"

namespace accsim::formats {

/// What happened at one rounding; the table in formats/README.md says when each is set.
struct Events {
  bool overflow = false;   ///< the rounded value left the finite range, or an infinity could not be kept
  bool underflow = false;  ///< inexact, and the rounded value is zero or (floats) below the smallest normal
  bool inexact = false;    ///< the delivered value is not the exact one
  bool invalid = false;    ///< a NaN made from operands that were none, or lost in a format without
  bool operator==(const Events&) const = default;
};

template <class U>
struct Rounded {
  BasicExact<U> value;
  Events events;
};

/// Rounds to one format in one way; what follows from both is worked out once, on construction.
class Rounder {
 public:
  /// The combination must have passed check_combination.
  Rounder(const Format& format, const RoundingSpec& spec);

  /// NaN stays NaN, or becomes +0 with `invalid` where the format has none. Infinities stay, or follow the overflow mode.
  /// Zero keeps its sign where the format has -0. `random`: the R low bits are used by sr, ignored otherwise.
  /// The eager adder's mode is that of kind a here, where there is nothing to align.
  template <class U>
  [[nodiscard]] Rounded<U> operator()(const BasicExact<U>& x, std::uint32_t random = 0) const;

  /// a + b as an adder delivers it: the exact sum, rounded once; but `kind=eager` cuts the operands before it adds (README.md), and lns
  /// formats with a table add through it. A NaN from operands that are none counts `invalid`; a zero sum has the sign that the mode gives.
  template <class U>
  [[nodiscard]] Rounded<U> rounded_sum(const BasicExact<U>& a, const BasicExact<U>& b, std::uint32_t random = 0) const;

  /// IEEE 754's tininess after rounding (7.5): x, rounded as if exponents had no lower bound, lies below the smallest normal. It differs
  /// from the event `underflow` where the spacing of the subnormals carries x up to the smallest normal. False for zero and non-finite x.
  template <class U>
  [[nodiscard]] bool is_tiny(const BasicExact<U>& x, std::uint32_t random = 0) const;

  /// Tininess before rounding: x is nonzero and lies below the smallest normal. False where the format is no float.
  template <class U>
  [[nodiscard]] bool is_below_normal(const BasicExact<U>& x) const;

  /// True where only rounded_sum gives what the adder gives: eager random bits, logarithms added by table.
  [[nodiscard]] bool needs_both_operands() const {
    const auto* log = std::get_if<LogFormat>(&layout_);
    return (mode_ == Rounding::sr && stochastic_.kind == StochasticKind::eager) || (log != nullptr && log->table_bits > 0);
  }
  [[nodiscard]] bool is_stochastic() const { return mode_ == Rounding::sr; }
  /// An exact zero sum takes the minus sign only when rounding down.
  [[nodiscard]] bool zero_sum_is_negative() const { return mode_ == Rounding::rd; }
  [[nodiscard]] const Limits& format_limits() const { return limits_; }
  /// True for every layout but fixed point and signed digits.
  [[nodiscard]] bool is_float() const { return is_float_; }
  [[nodiscard]] const StochasticSpec& stochastic() const { return stochastic_; }
  /// True where |x| lies beyond the finite range that this rounding keeps; infinities and NaN do.
  template <class U>
  [[nodiscard]] bool outside_range(const BasicExact<U>& x) const;

 private:
  template <class U>
  Rounded<U> special(const BasicExact<U>& x) const;
  template <class U>
  bool rounds_away(bool negative, bool kept_is_odd, const U& tail, int drop, std::uint32_t random) const;
  /// The spacing's exponent at a nonzero x, before the range is looked at.
  template <class U>
  int spacing_at(const BasicExact<U>& x, bool unbounded = false) const;
  /// Rounded, without a look at the range; per kind of spacing.
  template <class U>
  Rounded<U> on_grid(const BasicExact<U>& x, std::uint32_t random, int exponent) const;
  template <class U>
  Rounded<U> as_posit(const BasicExact<U>& x, std::uint32_t random) const;
  template <class U>
  Rounded<U> as_logarithm(const BasicExact<U>& x, std::uint32_t random) const;
  /// Underflow, overflow and zeros of an unlimited result.
  template <class U>
  Rounded<U> into_range(Rounded<U> result) const;
  /// What NaN becomes in a format without: zero, or the least value where there is none.
  template <class U>
  BasicExact<U> lost_nan() const;
  template <class U>
  BasicExact<U> overflowed(const BasicExact<U>& rounded) const;
  /// ones_tail under sr: x lies beyond the binade of the largest finite value, which a discarded part of ones does not round up.
  template <class U>
  bool stays_largest(const BasicExact<U>& x, std::uint32_t random) const;
  template <class U>
  Rounded<U> eager_sum(const BasicExact<U>& a, const BasicExact<U>& b, std::uint32_t random) const;

  enum class Kind { fixed, floating, hif8, posit, logarithm };

  Layout layout_;
  Kind kind_;
  bool is_float_, is_p3109_ = false;
  int width_ = 0, bias_ = 0;
  Limits limits_;
  Rounding mode_;
  StochasticSpec stochastic_;
  Overflow overflow_;
  Underflow underflow_;
};

/// One rounding of one value.
template <class U>
Rounded<U> round(const BasicExact<U>& x, const Format& format, const RoundingSpec& spec, std::uint32_t random = 0) {
  return Rounder(format, spec)(x, random);
}

}  // namespace accsim::formats
