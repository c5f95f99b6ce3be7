#include "sim/integer_bounds.h"

#include <algorithm>

#include "sim/exact_walk.h"

namespace accsim::sim {
namespace {

using formats::Exact;
using formats::Format;
using formats::Int128;
using formats::Wide;

const Format* fixed_format(const Tensor& tensor, const Operand& operand) {
  if (operand.block) return nullptr;  // every block has a spacing of its own
  const Format* format = operand.format ? &*operand.format : tensor.format ? &*tensor.format : nullptr;
  return format != nullptr && format->as_fixed() != nullptr ? format : nullptr;
}

int width_of_magnitude(const Wide& magnitude) { return formats::bit_length(magnitude) + 1; }  // magnitude <= 2^(P-1)-1

}  // namespace

Wide units(const Exact& x, int spacing_exponent) {
  const Wide magnitude = x.exponent >= spacing_exponent ? Wide(x.significand << (x.exponent - spacing_exponent))
                                                        : Wide(x.significand >> (spacing_exponent - x.exponent));
  return x.negative ? Wide(-magnitude) : magnitude;
}

std::optional<IntegerRange> integer_range(const Tensor& tensor, const Operand& operand) {
  const Format* format = fixed_format(tensor, operand);
  if (format == nullptr) return std::nullopt;
  const formats::FixedFormat& f = *format->as_fixed();
  IntegerRange range;
  range.spacing_exponent = -f.fraction_bits;
  range.high = (Wide{1} << (f.is_signed ? f.width - 1 : f.width)) - 1;
  range.low = f.is_signed ? Wide(-(Wide{1} << (f.width - 1))) : Wide{0};
  range.magnitude = Wide{1} << (f.is_signed ? f.width - 1 : f.width);
  const bool passes = !operand.format || (tensor.format && *tensor.format == *operand.format);
  if (passes && (!tensor.zero_point_min.is_zero() || !tensor.zero_point_max.is_zero())) {
    range.low -= units(tensor.zero_point_max, range.spacing_exponent);
    range.high -= units(tensor.zero_point_min, range.spacing_exponent);
    range.magnitude = std::max(Wide(abs(range.low)), Wide(abs(range.high)));
  }
  return range;
}

int zero_point_width(const Tensor& tensor, const Operand& operand) {
  if (tensor.zero_point_min.is_zero() && tensor.zero_point_max.is_zero()) return 0;
  const std::optional<IntegerRange> range = integer_range(tensor, operand);
  return range ? twos_complement_width(range->low, range->high) : 0;
}

bool is_integer_datapath(const Datapath& datapath, const Tensor& a, const Tensor& b) {
  return fixed_format(a, datapath.a) != nullptr && fixed_format(b, datapath.b) != nullptr && !datapath.product.format &&
         std::all_of(datapath.levels.begin(), datapath.levels.end(), [](const Level& l) { return l.format.as_fixed() != nullptr; });
}

int twos_complement_width(const Wide& low, const Wide& high) {
  int width = 1;
  if (high > 0) width = std::max(width, formats::bit_length(high) + 1);
  if (low < 0) width = std::max(width, formats::bit_length(Wide(-low - 1)) + 1);
  return width;
}

GuaranteedWidths guaranteed_widths(const IntegerRange& a, const IntegerRange& b, std::span<const Wide> weights) {
  Wide positive = 0;
  Wide negative = 0;
  for (const Wide& q : weights) {
    if (q > 0) positive += q;
    else negative -= q;
  }
  return guaranteed_widths(a, b, static_cast<std::int64_t>(weights.size()), positive, negative);
}

GuaranteedWidths guaranteed_widths(const IntegerRange& a, const IntegerRange& b, std::int64_t k, const Wide& positive,
                                   const Wide& negative) {
  // A register starts at zero and padding adds zeros, so the bound holds for every prefix only where the inputs' range has zero.
  const Wide low = std::min(a.low, Wide{0});
  const Wide high = std::max(a.high, Wide{0});
  GuaranteedWidths widths;
  widths.positive = positive;
  widths.negative = negative;
  widths.datatype = width_of_magnitude(Wide(k) * a.magnitude * b.magnitude);
  widths.l1 = width_of_magnitude((positive + negative) * a.magnitude);
  widths.zero_centred = formats::bit_length(Wide((positive + negative) * (a.high - a.low) + 1));
  widths.range = twos_complement_width(positive * low - negative * high, positive * high - negative * low);
  return widths;
}

void GuaranteedWidths::merge(const GuaranteedWidths& other) {
  datatype = std::max(datatype, other.datatype);
  l1 = std::max(l1, other.l1);
  zero_centred = std::max(zero_centred, other.zero_centred);
  range = std::max(range, other.range);
  positive = std::max(positive, other.positive);
  negative = std::max(negative, other.negative);
}

int observed_width(const Datapath& datapath, std::span<const Exact> products, const Exact& initial, int spacing_exponent) {
  std::vector<Wide> terms;
  terms.reserve(products.size());
  for (const Exact& p : products) terms.push_back(units(p, spacing_exponent));
  Extremes<Wide> extremes;
  ExactWalk<Wide, Extremes<Wide>>(extremes).walk(datapath, std::move(terms), units(initial, spacing_exponent));
  return twos_complement_width(extremes.low(), extremes.high());
}

int observed_width(const Datapath& datapath, std::span<const Int128> products, Int128 initial) {
  Extremes<Int128> extremes;
  ExactWalk<Int128, Extremes<Int128>>(extremes).walk(datapath, {products.begin(), products.end()}, initial);
  const auto wide = [](Int128 v) {
    return v < 0 ? Wide(-formats::widened(static_cast<formats::UInt128>(-v))) : formats::widened(static_cast<formats::UInt128>(v));
  };
  return twos_complement_width(wide(extremes.low()), wide(extremes.high()));
}

}  // namespace accsim::sim
