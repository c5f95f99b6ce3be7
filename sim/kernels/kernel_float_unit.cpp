#include "sim/kernels/kernel_float_unit.h"

#include <bit>

#include "formats/round.h"

namespace accsim::sim::kernels {

using formats::Format;
using formats::Limits;
using formats::NarrowExact;
using formats::Rounding;
using formats::RoundingSpec;
using formats::StochasticKind;
using formats::Underflow;

namespace {

/// t + r carries into the kept bits where r stands at the tail's leading R bits.
void stochastic(const formats::StochasticSpec& s, FloatRounding& r) {
  const std::uint64_t mask = (std::uint64_t{1} << s.bits) - 1;
  r.mode = FloatMode::sr;
  r.sr_shift = r.drop - s.bits;
  r.sr_mask = mask;
  switch (s.kind) {
    case StochasticKind::eager:
      r.eager = true;
      r.eager_shift = r.sr_shift - 1;
      break;
    case StochasticKind::a: break;
    case StochasticKind::b: r.sr_add = std::uint64_t{1} << (r.sr_shift - 1); break;
    case StochasticKind::c:
      r.mode = FloatMode::sr_c;
      r.sr_tail = r.sr_shift;
      break;
    case StochasticKind::below: r.sr_flip = mask; break;  // r < t: t + (2^R - 1 - r) >= 2^R
  }
}

}  // namespace

std::uint64_t LaneUnit::bits(const NarrowExact& x) const {
  if (lane_.binary64) {
    if (x.nan) return 0x7FF8000000000000ULL;
    if (x.is_nonzero_finite() && log2_floor(x) + unit_ > lane_.emax) return 0x7FEFFFFFFFFFFFFFULL | sign_bit(x);
    if (x.is_nonzero_finite() && x.exponent + unit_ < lane_.lsb) return sign_bit(x);
    return std::bit_cast<std::uint64_t>(value(x));
  }
  if (x.nan) return 0x7FC00000U;
  if (x.is_nonzero_finite() && log2_floor(x) + unit_ > lane_.emax) return 0x7F7FFFFFU | sign_bit(x);
  if (x.is_nonzero_finite() && x.exponent + unit_ < lane_.lsb) return sign_bit(x);
  return std::bit_cast<std::uint32_t>(static_cast<float>(value(x)));
}
double LaneUnit::value(const NarrowExact& x) const { return to_double(scaled(x, unit_)); }
std::uint64_t LaneUnit::sign_bit(const NarrowExact& x) const { return x.negative ? (lane_.binary64 ? 1ULL << 63 : 1ULL << 31) : 0; }

FloatRounding LaneUnit::rounding(const Format& format, const RoundingSpec& spec) const {
  const Limits l = limits(format);
  const formats::Rounder rounder(format, spec);
  FloatRounding r;
  r.drop = lane_.precision - l.precision;
  r.min_normal = bits(l.min_normal);
  r.max_finite = bits(l.max_finite);
  r.flush = underflow_of(spec, format) == Underflow::flush;
  r.keeps_negative_zero = l.has_negative_zero;
  const NarrowExact infinity = NarrowExact::infinity();
  r.keeps_infinity = rounder(infinity).value.infinite && !rounder(infinity).events.overflow;
  r.keeps_nan = l.has_nan;
  NarrowExact huge;
  huge.significand = 1;
  huge.exponent = log2_floor(l.max_finite) + 2;
  for (const int negative : {0, 1}) {
    huge.negative = negative != 0;
    r.overflow[negative] = bits(rounder(huge).value);
    r.infinity[negative] = bits(rounder(NarrowExact::infinity(negative != 0)).value);
  }
  switch (spec.mode) {
    case Rounding::rz: r.mode = FloatMode::rz; break;
    case Rounding::rne: r.mode = FloatMode::rne; break;
    case Rounding::rna: r.mode = FloatMode::rna; break;
    case Rounding::ru: r.mode = FloatMode::ru; break;
    case Rounding::rd: r.mode = FloatMode::rd; break;
    case Rounding::ro: r.mode = FloatMode::ro; break;
    case Rounding::sr: stochastic(spec.stochastic, r); break;
  }
  if (r.eager && underflow_of(spec, format) == Underflow::gradual) r.eager_least = r.min_normal;
  return r;
}

}  // namespace accsim::sim::kernels
