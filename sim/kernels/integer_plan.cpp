// The proof. All quantities are integers times a power of two that the datapath and the operands give; a lane holds them exactly as long
// as `widest` fits it. Per rounding:
//
// - Exact sum. Accumulator and addend are brought to the finer of their two units by shifts; the sum s is exact in it.
// - Rounding. floor(s / 2^drop) is an arithmetic shift. rd is that; ru adds 2^drop - 1 first, rz does so for negative s, rna adds half a
//   unit (less one in the last place for negative s, whose ties go down), rne adds half a unit less one, plus one where the floor is odd;
//   ro sets the last bit of an inexact floor, which is the odd one of the two neighbours. Inexact is s mod 2^drop != 0.
// - Range. q outside low..high is an overflow; the delivered value then differs from the exact one in every mode, so it is inexact. A sum
//   underflows where it is inexact and q is zero (an overflowing q is not).
// - No overflow is possible where the sum of the magnitudes of a chain's addends (and C), in units of the accumulator and one more for
//   each inexact rounding, does not leave the range.
// - Swamped. Addend and accumulator nonzero, result equal to the accumulator. Where the addend has the accumulator's unit, s differs from
//   the accumulator, so only overflow can bring it back: wrap where the addend is a multiple of 2^W, excluded where |p| < 2^W; saturation
//   where the accumulator was that end already, which is nonzero unless the range ends at zero; saturate_zero never.
//
// Zeros: fixed point has no -0, so signs of zero operands do not matter.
#include "sim/kernels/integer_plan.h"

#include <algorithm>

#include "sim/kernels/packed_integers.h"

namespace accsim::sim::kernels {
namespace {

using formats::Int128;
using formats::Overflow;
using formats::Rounding;
using formats::RoundingSpec;

constexpr Int128 one = 1;

/// A plan's shifts and bounds stay far inside 128 bits.
constexpr int widest_shift = 62;

std::string unknown_rounding(const formats::Format& format, const RoundingSpec& spec) {
  if (format.as_fixed() == nullptr) return "sums in fixed point only";
  if (spec.mode == Rounding::sr) return "no stochastic rounding in fixed point";
  switch (overflow_of(spec, format)) {
    case Overflow::wrap:
    case Overflow::saturate:
    case Overflow::propagate:
    case Overflow::saturate_symmetric:
    case Overflow::saturate_zero: return {};
    case Overflow::ieee:
    case Overflow::infinity:
    case Overflow::ones_tail:
    case Overflow::nan: break;
  }
  return "an overflow mode of floats";
}

std::string unknown_level(const Level& level) {
  switch (level.kind) {
    case LevelKind::sequential:
    case LevelKind::tree: break;
    case LevelKind::interleaved:
      if (level.combine == Combine::coalesce) return "no coalescing combination";
      break;
    case LevelKind::fused_sum:
    case LevelKind::staged_sum:
    case LevelKind::scaled_sum:
    case LevelKind::ordered_sum:
    case LevelKind::exact:
    case LevelKind::exponent_bins:
    case LevelKind::sorted:
    case LevelKind::online: return "sequential, tree and interleaved levels only";
  }
  if (has_unknown_keys(level)) return "a key of a level that this kernel does not know";
  return unknown_rounding(level.rounded_format(), level.rounding);
}

/// Rounding to a format from units of 2^fine.
struct StepRange {
  FixedStep step;
  Int128 low = 0, high = 0;
};
StepRange rounding_step(const formats::Format& format, const RoundingSpec& spec, int fine) {
  const formats::FixedFormat& f = *format.as_fixed();
  StepRange r;
  r.high = (one << (f.is_signed ? f.width - 1 : f.width)) - 1;
  r.low = f.is_signed ? -r.high - 1 : 0;
  switch (overflow_of(spec, format)) {
    case Overflow::wrap: r.step.fit = Fit::wrap; break;
    case Overflow::saturate_symmetric:
      r.step.fit = Fit::clamp;
      if (f.is_signed) r.low = -r.high;
      break;
    case Overflow::saturate_zero: r.step.fit = Fit::zero; break;
    case Overflow::saturate:
    case Overflow::propagate:
    case Overflow::ieee:
    case Overflow::infinity:
    case Overflow::ones_tail:
    case Overflow::nan: r.step.fit = Fit::clamp; break;
  }
  r.step.drop = -f.fraction_bits - fine;
  if (r.step.drop == 0) return r;
  const std::int64_t unit = std::int64_t{1} << r.step.drop;
  switch (spec.mode) {
    case Rounding::rne:
      r.step.nearest = unit / 2 - 1;
      r.step.odd = 1;
      break;
    case Rounding::rna:
      r.step.nearest = unit / 2;
      r.step.negative = -1;
      break;
    case Rounding::rz: r.step.negative = unit - 1; break;
    case Rounding::ru: r.step.nearest = unit - 1; break;
    case Rounding::ro: r.step.jam = 1; break;
    case Rounding::rd:
    case Rounding::sr: break;
  }
  return r;
}

/// Puts the range into the step, of which no overflow is possible where |q| <= reach.
Int128 fit_into(StepRange& r, Int128 reach) {
  const Int128 end = std::max(-r.low, r.high);
  if (reach <= std::min(-r.low, r.high)) {
    r.step.fit = Fit::none;
    r.step.low = static_cast<std::int64_t>(-reach);
    r.step.high = static_cast<std::int64_t>(reach);
    return reach;
  }
  if (r.step.fit == Fit::wrap) {
    if (end >> widest_shift != 0) return end;  // refused for its width
    r.step.low = static_cast<std::int64_t>(r.low);
    r.step.high = static_cast<std::int64_t>(r.high);
    r.step.mask = static_cast<std::int64_t>(r.high - r.low);
    return end;
  }
  // These modes only pull toward zero, so that reach still bounds every q: an end beyond it is never met, and reach stands for it.
  if (std::min(end, reach) >> widest_shift != 0) return std::min(end, reach);
  r.step.low = static_cast<std::int64_t>(std::max(r.low, -reach));
  r.step.high = static_cast<std::int64_t>(std::min(r.high, reach));
  return std::min(end, reach);
}

SumKind kind_of(const Level& level) {
  if (level.kind == LevelKind::tree) return SumKind::tree;
  if (level.kind == LevelKind::interleaved)
    return level.combine == Combine::tree ? SumKind::interleaved_tree : SumKind::interleaved_sequential;
  return SumKind::sequential;
}

}  // namespace

std::string unknown_to_integers(const Datapath& d) {
  if (const std::string_view key = matrix_unit_key(d); !key.empty()) return "the key " + std::string(key);
  if (has_unknown_keys(d.product)) return "a key of [product] that this kernel does not know";
  if (d.product.format) {
    const std::string reason = unknown_rounding(*d.product.format, d.product.rounding);
    if (!reason.empty()) return "[product]: " + reason;
  }
  for (const Level& level : d.levels) {
    std::string reason = unknown_level(level);
    if (!reason.empty()) return reason;
  }
  return unknown_to_finish(d);
}

IntegerPlan plan_integers(const Datapath& d, const IntegerBounds& bounds) {
  IntegerPlan plan;
  const auto no_plan = [&](const char* reason) {
    plan.reason = reason;
    return plan;
  };
  constexpr const char* too_wide = "sums need more than 63 bits";
  int unit = bounds.product_unit;
  Int128 addend = bounds.product;
  if (addend >> widest_shift != 0) return no_plan(too_wide);
  plan.widest = addend;
  if (d.product.format) {
    const int lsb = -d.product.format->as_fixed()->fraction_bits;
    const int fine = std::min(unit, lsb);
    if (unit - fine > widest_shift || lsb - fine > widest_shift) return no_plan(too_wide);
    StepRange r = rounding_step(*d.product.format, d.product.rounding, fine);
    r.step.addend_shift = unit - fine;
    const Int128 exact = addend << r.step.addend_shift;
    if (exact >> widest_shift != 0) return no_plan(too_wide);
    addend = fit_into(r, (exact >> r.step.drop) + (r.step.drop > 0 ? 1 : 0));
    plan.widest = std::max(plan.widest, exact + (one << r.step.drop) + (r.step.fit == Fit::wrap ? addend : 0));
    plan.product = r.step;
    plan.rounded_product = true;
    unit = lsb;
    if (plan.widest >> widest_shift != 0) return no_plan(too_wide);
  }
  plan.addend = addend;
  Int128 chain = plan.rounded_product ? addend * bounds.terms : bounds.chain;
  std::int64_t count = bounds.terms;
  plan.level_count = static_cast<int>(d.levels.size());
  const bool enters = bounds.has_initial && !d.accumulator.last && takes_accumulator(d.accumulator_level());
  if (enters) plan.initial_level = static_cast<int>(d.accumulator_level_index());
  for (int i = 0; i < plan.level_count; ++i) {
    const Level& level = d.levels[static_cast<std::size_t>(i)];
    const bool last = i + 1 == plan.level_count;
    IntegerLevel& planned = plan.levels[i];
    const int lsb = -level.rounded_format().as_fixed()->fraction_bits;
    const int fine = std::min(unit, lsb);
    if (unit - fine > widest_shift || lsb - fine > widest_shift) return no_plan(too_wide);
    StepRange r = rounding_step(level.rounded_format(), level.rounding, fine);
    r.step.addend_shift = unit - fine;
    r.step.accumulator_shift = lsb - fine;
    planned.kind = kind_of(level);
    planned.group = last ? count : std::min(count, level.terms.value_or(count));
    planned.fan_in = level.kind == LevelKind::tree ? std::min<std::int64_t>(level.fan_in, count) : 2;
    planned.ways = std::max<std::int64_t>(level.ways, 1);
    if (addend >> (widest_shift - r.step.addend_shift) != 0) return no_plan(too_wide);
    Int128 reach = std::min(addend * planned.group, chain) << r.step.addend_shift >> r.step.drop;
    if (r.step.drop > 0) reach += 2 * planned.group + 2 * planned.ways;
    if (plan.initial_level == i) {
      plan.initial_range[0] = r.low;
      plan.initial_range[1] = r.high;
      reach += bounds.initial >= 0 ? bounds.initial : std::max(-r.low, r.high);
    }
    const Int128 held = fit_into(r, reach);
    if (held >> (widest_shift - r.step.accumulator_shift) != 0) return no_plan(too_wide);
    const Int128 in = addend << r.step.addend_shift;
    const Int128 back = held << r.step.accumulator_shift;
    Int128 sum = in + back;
    if (planned.kind != SumKind::sequential) sum = std::max<std::int64_t>(planned.fan_in, 2) * std::max(in, back);
    plan.widest = std::max(plan.widest, sum + (one << r.step.drop) + (r.step.fit == Fit::wrap ? std::max(-r.low, r.high) : 0));
    if (plan.widest >> widest_shift != 0) return no_plan(too_wide);
    planned.step = r.step;
    planned.buffer = plan.scratch;
    if (planned.kind == SumKind::tree) plan.scratch += planned.group;
    else if (planned.kind != SumKind::sequential) plan.scratch += planned.ways;
    plan.sum_unit[i] = fine;
    plan.level_unit[i] = lsb;
    unit = lsb;
    addend = held;
    count = (count + planned.group - 1) / planned.group;
    chain = held * count;
  }
  return plan;
}

}  // namespace accsim::sim::kernels
