#include "sim/quantize.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "formats/round.h"
#include "sim/random_site.h"

namespace accsim::sim {
namespace {

using formats::NarrowExact;

bool fits_float(const formats::Format& format) {
  const formats::Limits l = formats::limits(format);
  return l.precision <= 24 && l.lsb_exponent >= -149 && (l.max_finite.is_zero() || log2_floor(l.max_finite) <= 127) &&
         (l.min_finite.is_zero() || log2_floor(l.min_finite) <= 127);
}

bool fits_double(const formats::Format& format) {
  const formats::Limits l = formats::limits(format);
  return l.precision <= 53 && l.lsb_exponent >= -1074 && log2_floor(l.max_finite) <= 1023;
}

/// The value of every code of a format of at most 16 bits.
std::vector<double> values_of_codes(const formats::Format& format) {
  std::vector<double> values(std::size_t{1} << code_bits(format));
  for (std::size_t code = 0; code < values.size(); ++code) values[code] = to_double(decode(code, format));
  return values;
}

template <class Word, class At>
Values coded(std::int64_t size, const formats::Format& format, At&& at) {
  Coded<Word> coded{{}, values_of_codes(format)};
  coded.codes.reserve(static_cast<std::size_t>(size));
  for (std::int64_t i = 0; i < size; ++i) coded.codes.push_back(static_cast<Word>(encode(at(i), format)));
  return Values(std::move(coded));
}

/// `at(i)` gives element i quantized; stored in the smallest carrier that holds the format.
template <class At>
Values stored(std::int64_t size, const formats::Format& format, bool keeps_small_values, At&& at) {
  const auto fill = [&](auto carrier, auto convert) {
    carrier.reserve(static_cast<std::size_t>(size));
    for (std::int64_t i = 0; i < size; ++i) carrier.push_back(convert(at(i)));
    return Values(std::move(carrier));
  };
  if (fits_double(format) && !keeps_small_values && code_bits(format) <= 8) return coded<std::uint8_t>(size, format, at);
  if (fits_double(format) && !keeps_small_values && code_bits(format) <= 16) return coded<std::uint16_t>(size, format, at);
  if (fits_float(format) && !keeps_small_values)
    return fill(std::vector<float>{}, [](const NarrowExact& x) { return static_cast<float>(to_double(x)); });
  if (fits_double(format) && !keeps_small_values) return fill(std::vector<double>{}, [](const NarrowExact& x) { return to_double(x); });
  return fill(std::vector<formats::Exact>{}, [](const NarrowExact& x) { return widened(x); });
}

}  // namespace

void QuantizationCounts::merge(const QuantizationCounts& other) {
  values += other.values;
  nonzero += other.nonzero;
  zeroed += other.zeroed;
  subnormal += other.subnormal;
  clipped += other.clipped;
  nonfinite += other.nonfinite;
}

QuantizationCounts counts_as_is(const Values& values) {
  QuantizationCounts counts;
  counts.values = values.size();
  for (std::int64_t i = 0; i < values.size(); ++i) {
    const double x = values.number(i);
    counts.nonzero += std::isfinite(x) && x != 0;
    counts.nonfinite += !std::isfinite(x);
  }
  return counts;
}

double amax(const Values& values) {
  double largest = 0;
  for (std::int64_t i = 0; i < values.size(); ++i) {
    const double x = std::fabs(values.number(i));
    if (std::isfinite(x) && x > largest) largest = x;
  }
  return largest;
}

double operand_scale(const Operand& operand, const Values& values) {
  if (operand.scale == ScaleRule::one) return 1.0;
  const double largest = amax(values);
  if (largest == 0) return 1.0;
  if (operand.scale == ScaleRule::number) return operand.scale_number;
  // Beside the ends of binary64's range the quotient could be zero or infinite, which is no scale.
  const double quotient = largest / to_double(formats::limits(*operand.format).max_finite);
  const double scale = std::clamp(quotient, std::numeric_limits<double>::denorm_min(), std::ldexp(1.0, 1023));
  if (operand.scale == ScaleRule::amax) return scale;
  int exponent = 0;
  const double fraction = std::frexp(scale, &exponent);  // scale = fraction * 2^exponent, fraction in [1/2, 1)
  return std::ldexp(1.0, fraction == 0.5 ? exponent - 1 : exponent);
}

QuantizedOperand quantize_operand(const Tensor& tensor, const Operand& operand, std::uint64_t seed,
                                  const formats::RandomPosition& position) {
  if (!operand.format || (tensor.format && *tensor.format == *operand.format)) return {};
  const formats::Format& format = *operand.format;
  const formats::Rounder rounder(format, operand.rounding);
  QuantizedOperand q;
  q.changed = true;
  q.scale = operand_scale(operand, tensor.values);
  ArrayGenerators arrays;
  const auto random_at = [&](std::int64_t i) {
    formats::RandomPosition here = position;
    here.output = static_cast<std::uint64_t>(i);
    return rounder.is_stochastic() ? RandomSite(operand.rounding, seed, here, &arrays).next() : 0U;
  };
  const bool keeps_small_values = formats::underflow_of(operand.rounding, format) == formats::Underflow::none;
  q.values = stored(tensor.values.size(), format, keeps_small_values, [&](std::int64_t i) {
    if (tensor.values.fits_double() || q.scale != 1.0) {
      return rounder(formats::from_double<formats::UInt128>(tensor.values.number(i) / q.scale), random_at(i)).value;
    }
    return narrowed(rounder(tensor.values.exact(i), random_at(i)).value);
  });
  return q;
}

}  // namespace accsim::sim
