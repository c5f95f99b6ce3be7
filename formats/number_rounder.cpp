// Plans of roundings, from what Rounder makes of the special cases.
#include "formats/number_rounder.h"

#include <cassert>
#include <cmath>

#include "formats/convert_isa.h"
#include "formats/round.h"

namespace accsim::formats {

bool NumberRounder::supports(const Format& format, const RoundingSpec& spec) {
  constexpr int farthest = 400;
  if (spec.mode == Rounding::sr || overflow_of(spec, format) == Overflow::wrap || underflow_of(spec, format) == Underflow::none)
    return false;
  const Limits l = limits(format);
  // Spacings above 1 would make quotients of subnormals inexact.
  if (l.precision > 51 || !l.has_zero || l.lsb_exponent > 0) return false;
  if (format.as_fixed() != nullptr) return l.lsb_exponent >= -farthest;
  // With one significand bit a tie goes by the exponent's last bit.
  return format.as_float() != nullptr && l.precision > 1 && l.emin >= -farthest && l.emin <= farthest &&
         log2_floor(l.max_finite) <= farthest;
}

NumberRounder::NumberRounder(const Format& format, const RoundingSpec& spec) {
  assert(supports(format, spec));
  const Rounder rounder(format, spec);
  const Limits& l = rounder.format_limits();
  NumberPlan& p = plan_;
  p.mode = spec.mode;
  p.is_float = format.as_float() != nullptr;
  p.flushes = p.is_float && underflow_of(spec, format) == Underflow::flush;
  p.lowest_field = l.emin + 1023;
  p.fraction_bits = l.precision - 1;
  if (!p.is_float) {
    p.spacing = std::ldexp(1.0, l.lsb_exponent);
    p.per_spacing = std::ldexp(1.0, -l.lsb_exponent);
  }
  p.least = to_double(l.min_normal);
  for (const bool negative : {false, true}) {
    const auto rounded = [&](NarrowExact x) {
      x.negative = negative;
      return to_double(rounder(x).value);
    };
    p.largest[negative] = !negative ? to_double(l.max_finite) : l.is_signed ? to_double(magnitude(l.min_finite)) : 0.0;
    p.over[negative] = rounded({.exponent = 1 << 20, .significand = 1});
    p.infinity[negative] = rounded(NarrowExact::infinity(negative));
    p.zero[negative] = rounded(NarrowExact::zero(negative));
  }
  p.nan = to_double(rounder(NarrowExact::not_a_number()).value);
}

void NumberRounder::operator()(std::span<double> numbers) const {
#if defined(__x86_64__)
  if (has_avx2()) return avx2::round_numbers(numbers.data(), numbers.size(), plan_);
#endif
  baseline::round_numbers(numbers.data(), numbers.size(), plan_);
}

}  // namespace accsim::formats
