#include "sim/recipe_quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "formats/round.h"
#include "sim/exact_sum.h"
#include "sim/random_site.h"

namespace accsim::sim {
namespace {

using formats::NarrowExact;
using formats::Rounder;

/// Beside the ends of binary64's range a scale could be zero or infinite, which is none.
double usable(double scale) { return std::clamp(scale, std::numeric_limits<double>::denorm_min(), std::ldexp(1.0, 1023)); }

/// c1 rms(x) + c2 mean|x| over the finite elements. Both means are exact, then rounded once to binary64; the rest is binary64 arithmetic.
double sawb_clip(const RoleQuantizer& q, const Values& values) {
  Moments magnitudes;
  for (std::int64_t i = 0; i < values.size(); ++i) {
    const double x = values.number(i);
    if (std::isfinite(x)) magnitudes.add(std::fabs(x));
  }
  const double rms = std::sqrt(to_double(magnitudes.mean_square()));
  const double mean = to_double(magnitudes.mean());
  const double first = q.c1 * rms;
  const double second = q.c2 * mean;
  return first + second;
}

bool any_negative(const Values& values) {
  for (std::int64_t i = 0; i < values.size(); ++i) {
    if (values.number(i) < 0) return true;
  }
  return false;
}

double largest_signed(const Values& values) {
  double largest = 0;
  for (std::int64_t i = 0; i < values.size(); ++i) {
    const double x = values.number(i);
    if (std::isfinite(x)) largest = std::max(largest, x);
  }
  return largest;
}

/// One element's way through the quantizer.
class ElementQuantizer {
 public:
  ElementQuantizer(const RoleQuantizer& q, double scale)
      : q_(q), scale_(scale), rounder_(*q.operand.format, q.operand.rounding), nearest_(*q.operand.format, nearest(q.operand.rounding)) {
    if (q.through) through_.emplace(*q.through, formats::RoundingSpec{});
    const formats::Limits& l = rounder_.format_limits();
    min_normal_ = rounder_.is_float() ? to_double(l.min_normal) : 0.0;
  }

  double operator()(double x, RandomSite& random, QuantizationCounts& counts) const {
    const double quotient = x / scale_;
    double h = through_ ? to_double((*through_)(formats::from_double<formats::UInt128>(quotient)).value) : quotient;
    bool clipped = std::isinf(h) && std::isfinite(x);
    if (q_.clamp_low && h < *q_.clamp_low) {
      clipped = true;
      h = *q_.clamp_low;
    }
    if (q_.clamp_high && h > *q_.clamp_high) {
      clipped = true;
      h = *q_.clamp_high;
    }
    const NarrowExact value = formats::from_double<formats::UInt128>(h);
    const bool is_nearest = q_.nearest_subnormals && std::fabs(h) < min_normal_;
    double total = 0;
    for (int s = 0; s < q_.samples; ++s) {
      const std::uint32_t r = random.next();
      const auto rounded = is_nearest ? nearest_(value) : rounder_(value, r);
      clipped = clipped || rounded.events.overflow;
      total = s == 0 ? to_double(rounded.value) : total + to_double(rounded.value);  // a single -0 keeps its sign
    }
    const double y = q_.samples == 1 ? total : total / q_.samples;
    ++counts.values;
    counts.nonfinite += !std::isfinite(y);
    if (std::isfinite(x) && x != 0) {
      ++counts.nonzero;
      counts.zeroed += y == 0;
      counts.subnormal += y != 0 && std::fabs(y) < min_normal_ && q_.samples == 1;
      counts.clipped += clipped;
    }
    return y;
  }

 private:
  static formats::RoundingSpec nearest(formats::RoundingSpec spec) {
    spec.mode = formats::Rounding::rne;
    return spec;
  }

  const RoleQuantizer& q_;
  double scale_;
  Rounder rounder_, nearest_;
  std::optional<Rounder> through_;
  double min_normal_ = 0;
};

}  // namespace

Tensor real_tensor(Tensor tensor, double divisor, double factor) {
  const bool has_scale = tensor.scale.size() > 1 || tensor.scale[0] != 1.0;
  if (!has_scale && divisor == factor) return tensor;
  std::vector<double> values(static_cast<std::size_t>(tensor.values.size()));
  for (std::int64_t i = 0; i < tensor.values.size(); ++i) {
    double x = tensor.values.number(i) * tensor.scale_of(i);
    if (divisor != factor) x = x / divisor * factor;
    values[static_cast<std::size_t>(i)] = x;
  }
  Tensor real;
  real.shape = std::move(tensor.shape);
  real.values = Values(std::move(values));
  return real;
}

double recipe_scale(const RoleQuantizer& q, const Values& values, double delayed_amax) {
  const formats::Format& format = *q.operand.format;
  const auto of_amax = [&](ScaleRule rule, const Values& of) {
    Operand operand = q.operand;
    operand.scale = rule;
    return operand_scale(operand, of);
  };
  switch (q.scale) {
    case RecipeScale::one: return 1.0;
    case RecipeScale::number: return q.number;
    case RecipeScale::range: {
      const formats::FixedFormat& fixed = *format.as_fixed();
      return usable(std::ldexp(q.number, -(fixed.width - (fixed.is_signed ? 1 : 0) - fixed.fraction_bits)));
    }
    case RecipeScale::amax: return of_amax(ScaleRule::amax, values);
    case RecipeScale::amax_pow2: return of_amax(ScaleRule::amax_pow2, values);
    case RecipeScale::delayed: return of_amax(ScaleRule::amax, Values(std::vector<double>{delayed_amax}));
    case RecipeScale::sawb: {
      const double clip = sawb_clip(q, values);
      if (!(clip > 0)) return of_amax(ScaleRule::amax, values);  // values of about one magnitude: the formula gives no range
      const double steps = q.steps_signed && any_negative(values) ? *q.steps_signed : *q.steps;
      return usable(2 * clip / steps);
    }
    case RecipeScale::luq: {
      const double maximum = q.maximum == LuqMaximum::magnitude ? amax(values) : largest_signed(values);
      if (maximum == 0) return 1.0;
      return usable(std::ldexp(maximum, -q.span - formats::limits(format).lsb_exponent));
    }
  }
  return 1.0;
}

QuantizedOperand quantize_role(const Tensor& tensor, const RoleQuantizer& quantizer, const RecipeContext& context,
                               QuantizationCounts& counts) {
  if (!quantizer.has_format() || (tensor.format && *tensor.format == *quantizer.operand.format)) return {};
  QuantizedOperand result;
  result.changed = true;
  result.scale = recipe_scale(quantizer, tensor.values, context.delayed_amax);
  const ElementQuantizer element(quantizer, result.scale);
  const std::int64_t size = tensor.values.size();
  std::vector<double> values(static_cast<std::size_t>(size));
  constexpr std::int64_t worth_threads = 1 << 14;  // elements; starting threads costs more than fewer of them take
#pragma omp parallel num_threads(context.threads) if (size >= worth_threads)
  {
    QuantizationCounts own;
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < size; ++i) {
      formats::RandomPosition here = context.position;
      here.output = static_cast<std::uint64_t>(i);
      RandomSite random(quantizer.operand.rounding, context.seed, here, nullptr);
      values[static_cast<std::size_t>(i)] = element(tensor.values.number(i), random, own);
    }
#pragma omp critical
    counts.merge(own);
  }
  result.values = Values(std::move(values));
  return result;
}

}  // namespace accsim::sim
