#include "sim/kernels/row_units.h"

#include <algorithm>

#include "formats/round.h"
#include "sim/issue_model.h"

namespace accsim::sim::kernels {
namespace {

using formats::FloatFormat;
using formats::Format;
using formats::Limits;
using formats::NarrowExact;
using formats::Rounder;
using formats::RoundingSpec;
using formats::Specials;

struct Lane {
  int precision, bias, emin, emax;
  [[nodiscard]] int fraction_bits() const { return precision - 1; }
  [[nodiscard]] int sign_bit() const { return precision == 24 ? 31 : 63; }
};
constexpr Lane binary32{24, 127, -126, 127};
constexpr Lane binary64{53, 1023, -1022, 1023};

/// What the lanes hold of a format: its layout is known, and every nonzero value is normal in the lane.
bool fits(const Format& format, const Lane& lane) {
  const FloatFormat* f = format.as_float();
  if (f == nullptr || !f->is_signed || !f->has_zero || f->fraction_bits < 1 || code_bits(format) > 32) return false;
  if (f->specials != Specials::ieee && f->specials != Specials::fn && f->specials != Specials::none) return false;
  const Limits l = limits(format);
  return l.precision <= lane.precision && l.lsb_exponent >= lane.emin && log2_floor(l.max_finite) + 2 <= lane.emax;
}

RowFormat decoding(const Format& format, const Lane& lane) {
  const FloatFormat& f = *format.as_float();
  const Limits l = limits(format);
  RowFormat r;
  const int sign = code_bits(format) - 1;
  r.sign_bit = 1U << sign;
  r.magnitude_mask = r.sign_bit - 1;
  r.sign_shift = lane.sign_bit() - sign;
  r.shift = lane.fraction_bits() - f.fraction_bits;
  r.offset = static_cast<std::int64_t>(lane.bias - f.bias) << lane.fraction_bits();
  r.gradual = l.gradual;
  r.normal_from = static_cast<std::uint32_t>(encode(l.min_normal, format));
  r.subnormal_unit = to_double(NarrowExact{.exponent = l.lsb_exponent, .significand = 1});
  r.infinity = r.special_from = r.sign_bit;
  if (f.specials == Specials::fn) r.special_from = r.magnitude_mask;
  if (f.specials == Specials::ieee) {
    r.special_from = r.infinity = ((1U << f.exponent_bits) - 1U) << f.fraction_bits;
    r.quiet_bit = 1U << (f.fraction_bits - 1);
  }
  r.has_specials = f.specials != Specials::none;
  return r;
}

/// `sum`: the lane's value is rounded to odd, not exact.
std::optional<RowRounding> rounding(const Format& format, const RoundingSpec& spec, const Lane& lane, bool sum) {
  if (!fits(format, lane)) return std::nullopt;
  RowRounding r;
  const FloatFormat& f = *format.as_float();
  const Limits l = limits(format);
  r.fraction_bits = f.fraction_bits;
  r.drop = lane.precision - l.precision;
  int needed = sum ? 2 : 1;
  switch (spec.mode) {
    case formats::Rounding::rne: r.mode = RowMode::rne; break;
    case formats::Rounding::rna: r.mode = RowMode::rna; break;
    case formats::Rounding::rz: r.mode = RowMode::rz; break;
    case formats::Rounding::ru: r.mode = RowMode::ru; break;
    case formats::Rounding::rd: r.mode = RowMode::rd; break;
    case formats::Rounding::ro: r.mode = RowMode::ro; break;
    case formats::Rounding::sr:
      switch (spec.stochastic.kind) {
        case formats::StochasticKind::a: r.mode = RowMode::sr; break;
        case formats::StochasticKind::below: r.mode = RowMode::sr_below; break;
        case formats::StochasticKind::b:
        case formats::StochasticKind::c:
        case formats::StochasticKind::eager: return std::nullopt;
      }
      r.random_bits = spec.stochastic.bits;
      if (r.random_bits > lane.precision - 2) return std::nullopt;
      needed = sum ? r.random_bits + 1 : 1;
      break;
  }
  if (r.drop < needed) return std::nullopt;
  switch (underflow_of(spec, format)) {
    case formats::Underflow::gradual: r.gradual = true; break;
    case formats::Underflow::flush: break;
    case formats::Underflow::none: return std::nullopt;
  }
  if (r.gradual && !l.gradual) return std::nullopt;
  r.lowest_field = 1 - f.bias + lane.bias;
  r.min_normal = static_cast<std::int64_t>(encode(l.min_normal, format));
  r.least_code = r.gradual ? 1 : r.min_normal;
  r.largest_code = static_cast<std::int64_t>(encode(l.max_finite, format));
  r.sign_bit = 1U << (code_bits(format) - 1);
  r.sign_shift = lane.sign_bit() - (code_bits(format) - 1);
  const Rounder rounder(format, spec);
  for (const bool negative : {false, true}) {
    NarrowExact huge{.exponent = 1 << 20, .significand = 1};
    huge.negative = negative;
    r.over[negative] = static_cast<std::uint32_t>(encode(rounder(huge).value, format));
    r.zero[negative] = static_cast<std::uint32_t>(encode(rounder(NarrowExact::zero(negative)).value, format));
    const formats::Rounded<formats::UInt128> infinite = rounder(NarrowExact::infinity(negative));
    r.infinity[negative] = static_cast<std::uint32_t>(encode(infinite.value, format));
    r.infinity_flags[negative] = (infinite.events.overflow ? flag_overflow : 0U) | (infinite.events.inexact ? flag_inexact : 0U);
  }
  r.nan = static_cast<std::uint32_t>(encode(rounder(NarrowExact::not_a_number()).value, format));
  const RowFormat codes = decoding(format, lane);
  const bool finite = r.over[0] < codes.special_from || !codes.has_specials;
  r.simple = !r.gradual && finite && r.zero[0] == 0 && r.zero[1] == r.sign_bit && r.over[1] == (r.over[0] | r.sign_bit);
  r.code_offset = -(static_cast<std::int64_t>(r.lowest_field - 1) << f.fraction_bits);
  const auto bits_of = [&](std::int64_t code) { return (code - r.code_offset) * (std::int64_t{1} << r.drop); };
  r.least_bits = bits_of(r.least_code);
  r.largest_bits = bits_of(r.largest_code);
  r.over_bits = bits_of(r.over[0]);
  return r;
}

std::optional<RowPlan> float_plan(const Datapath& d, const Lane& lane) {
  const Format& a = *d.a.format;
  const Format& b = *d.b.format;
  const Level& level = d.levels.front();
  if (d.tininess != Tininess::after) return std::nullopt;
  if (!fits(a, lane) || !fits(b, lane) || !fits(level.format, lane)) return std::nullopt;
  const Limits la = limits(a);
  const Limits lb = limits(b);
  const bool product_fits = la.precision + lb.precision <= lane.precision && la.lsb_exponent + lb.lsb_exponent >= lane.emin &&
                            log2_floor(la.max_finite) + log2_floor(lb.max_finite) + 3 <= lane.emax;
  if (!product_fits) return std::nullopt;
  RowPlan plan;
  plan.binary64 = lane.precision == 53;
  plan.a = decoding(a, lane);
  plan.b = decoding(b, lane);
  plan.accumulator = decoding(level.format, lane);
  const std::optional<RowRounding> sum = rounding(level.format, level.rounding, lane, true);
  if (!sum) return std::nullopt;
  plan.sum = *sum;
  plan.has_specials = plan.a.has_specials || plan.b.has_specials || plan.accumulator.has_specials;
  plan.zero_down = level.rounding.mode == formats::Rounding::rd;
  if (d.product.format) {
    const std::optional<RowRounding> product = rounding(*d.product.format, d.product.rounding, lane, false);
    if (!product) return std::nullopt;
    plan.rounds_product = true;
    plan.product = *product;
    plan.rounded_product = decoding(*d.product.format, lane);
    plan.has_specials |= plan.rounded_product.has_specials;
  }
  const bool one_mode = !plan.rounds_product || (plan.product.simple && plan.product.mode == plan.sum.mode);
  plan.plain = !plan.binary64 && !plan.has_specials && !plan.a.gradual && !plan.b.gradual && !plan.accumulator.gradual && plan.sum.simple &&
               one_mode && plan.sum.random_bits == 0;
  return plan;
}

std::optional<RowPlan> integer_plan(const Datapath& d) {
  const formats::FixedFormat* a = d.a.format->as_fixed();
  const formats::FixedFormat* b = d.b.format->as_fixed();
  const Level& level = d.levels.front();
  const formats::FixedFormat* out = level.format.as_fixed();
  if (a == nullptr || b == nullptr || out == nullptr || d.product.format) return std::nullopt;
  if (out->fraction_bits != a->fraction_bits + b->fraction_bits || out->width > 32 || a->width + b->width > 60) return std::nullopt;
  if (a->width > 32 || b->width > 32) return std::nullopt;
  RowPlan plan;
  plan.is_integer = true;
  plan.a_bits = a->width;
  plan.b_bits = b->width;
  plan.out_bits = out->width;
  plan.a_signed = a->is_signed;
  plan.b_signed = b->is_signed;
  plan.out_signed = out->is_signed;
  plan.largest = (std::int64_t{1} << (out->width - (out->is_signed ? 1 : 0))) - 1;
  plan.least = out->is_signed ? -plan.largest - 1 : 0;
  switch (overflow_of(level.rounding, level.format)) {
    case formats::Overflow::wrap: plan.wraps = true; break;
    case formats::Overflow::saturate_symmetric:
      if (out->is_signed) plan.least = -plan.largest;
      break;
    case formats::Overflow::saturate: break;
    case formats::Overflow::saturate_zero: return plan;  // overflows become 0
    case formats::Overflow::ieee:
    case formats::Overflow::nan:
    case formats::Overflow::infinity:
    case formats::Overflow::ones_tail:
    case formats::Overflow::propagate: return std::nullopt;
  }
  plan.over_least = plan.least;
  plan.over_largest = plan.largest;
  return plan;
}

}  // namespace

std::optional<RowPlan> row_plan(const Datapath& d) {
  const Level& level = d.levels.front();
  const bool plain = d.levels.size() == 1 && level.kind == LevelKind::sequential && !level.round_to && d.a.format && d.b.format &&
                     !d.accumulator.last && !d.accumulator.format && matrix_unit_key(d).empty() && !d.flush_subnormals && !d.product.range;
  if (!plain) return std::nullopt;
  if (std::optional<RowPlan> plan = integer_plan(d)) return plan;
  for (const Lane& lane : {binary32, binary64}) {
    if (std::optional<RowPlan> plan = float_plan(d, lane)) return plan;
  }
  return std::nullopt;
}

RowLanes row_lanes(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::avx512: return row_lanes_avx512();
    case Isa::avx2: return row_lanes_avx2();
#else
    case Isa::avx512:
    case Isa::avx2:
#endif
    case Isa::baseline: break;
  }
  return row_lanes_baseline();
}

RowLanes row_lanes() {
  for (const Isa isa : {Isa::avx512, Isa::avx2}) {
    if (host_has(isa)) return row_lanes(isa);
  }
  return row_lanes_baseline();
}

}  // namespace accsim::sim::kernels
