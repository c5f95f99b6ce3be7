// Many binary64 numbers rounded to a format, as binary64; bit for bit what Rounder gives, element by element.
#pragma once

#include <span>

#include "formats/format.h"
#include "formats/rounding.h"

namespace accsim::formats {

/// What the loops need to know, worked out from a format and a rounding; plain numbers, so that the loops are plain too. Pairs are by sign.
struct NumberPlan {
  Rounding mode = Rounding::rne;
  bool is_float = false;
  bool flushes = false;                                 ///< magnitudes below `least` are zero, and spacings shrink below it
  int lowest_field = 0;                                 ///< float: the binary64 exponent field below which the spacing stays
  int fraction_bits = 0;                                ///< float: of the format
  double spacing = 0, per_spacing = 0;                  ///< fixed point, and its reciprocal
  double least = 0;                                     ///< the smallest normal
  double largest[2] = {};                               ///< finite magnitudes
  double zero[2] = {}, over[2] = {}, infinity[2] = {};  ///< what rounds to zero, lies beyond the largest, is infinite
  double nan = 0;
};

/// Rounds to a float or fixed-point format whose values are binary64 numbers far from the ends of its range.
///
/// A magnitude over its spacing, a power of two, is exact in binary64; a whole number below 2^52 next to it is found by adding and
/// subtracting 2^52, which rounds to nearest even, and corrected for the other modes by comparisons. That number times the spacing has at
/// most 52 bits and is exact. All else is a comparison with the ends of the range.
class NumberRounder {
 public:
  /// True for float and fixed-point layouts of at most 51 significand bits within 2^-400..2^400 and no finest spacing above 1, all
  /// roundings but sr, all overflow modes but wrap, all underflow modes but none.
  static bool supports(const Format& format, const RoundingSpec& spec);
  /// The combination must be supported and have passed check_combination.
  NumberRounder(const Format& format, const RoundingSpec& spec);

  /// Each number rounded in place.
  void operator()(std::span<double> numbers) const;
  [[nodiscard]] const NumberPlan& plan() const { return plan_; }

 private:
  NumberPlan plan_;
};

}  // namespace accsim::formats
