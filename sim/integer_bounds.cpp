#include "sim/integer_bounds.h"

#include <algorithm>

namespace accsim::sim {
namespace {

using formats::Exact;
using formats::Format;
using formats::Int128;
using formats::Wide;

/// A fixed-point value as an integer in units of 2^spacing_exponent.
Wide units(const Exact& x, int spacing_exponent) {
  const Wide magnitude = x.exponent >= spacing_exponent ? Wide(x.significand << (x.exponent - spacing_exponent)) : Wide(x.significand >> (spacing_exponent - x.exponent));
  return x.negative ? Wide(-magnitude) : magnitude;
}

const Format* fixed_format(const Tensor& tensor, const Operand& operand) {
  const Format* format = operand.format ? &*operand.format : tensor.format ? &*tensor.format : nullptr;
  return format != nullptr && format->as_fixed() != nullptr ? format : nullptr;
}

template <class T>
class Extremes {
 public:
  void see(const T& value) {
    if (value < low_) low_ = value;
    if (value > high_) high_ = value;
  }
  [[nodiscard]] const T& low() const { return low_; }
  [[nodiscard]] const T& high() const { return high_; }

 private:
  T low_{0}, high_{0};
};

/// Walks the sums of a datapath without any rounding and shows every prefix to `extremes`.
template <class T>
void walk(const Datapath& datapath, std::vector<T> sums, const T& initial, Extremes<T>& extremes) {
  for (std::size_t i = 0; i < datapath.levels.size(); ++i) {
    const Level& l = datapath.levels[i];
    const bool is_last = i + 1 == datapath.levels.size();
    const std::size_t group = is_last || !l.terms ? sums.size() : static_cast<std::size_t>(*l.terms);
    std::vector<T> handed_up;
    for (std::size_t first = 0; first < sums.size(); first += group) {
      T accumulator = i == 0 && first == 0 && !datapath.accumulator.last ? initial : T{0};
      extremes.see(accumulator);
      for (std::size_t j = first; j < std::min(first + group, sums.size()); ++j) {
        accumulator += sums[j];
        extremes.see(accumulator);
      }
      handed_up.push_back(accumulator);
    }
    sums = std::move(handed_up);
  }
  if (datapath.accumulator.last) extremes.see(T(sums.front() + initial));
}

int width_of_magnitude(const Wide& magnitude) { return formats::bit_length(magnitude) + 1; }  // magnitude <= 2^(P-1)-1

}  // namespace

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

GuaranteedWidths guaranteed_widths(const IntegerRange& a, const IntegerRange& b, std::span<const Exact> weights) {
  Wide positive = 0;
  Wide negative = 0;
  for (const Exact& weight : weights) {
    const Wide q = units(weight, b.spacing_exponent);
    if (q > 0) positive += q;
    else negative -= q;
  }
  GuaranteedWidths widths;
  widths.datatype = width_of_magnitude(Wide(weights.size()) * a.magnitude * b.magnitude);
  widths.l1 = width_of_magnitude((positive + negative) * a.magnitude);
  widths.range = twos_complement_width(positive * a.low - negative * a.high, positive * a.high - negative * a.low);
  return widths;
}

int observed_width(const Datapath& datapath, std::span<const Exact> products, const Exact& initial, int spacing_exponent) {
  std::vector<Wide> terms;
  terms.reserve(products.size());
  for (const Exact& p : products) terms.push_back(units(p, spacing_exponent));
  Extremes<Wide> extremes;
  walk<Wide>(datapath, std::move(terms), units(initial, spacing_exponent), extremes);
  return twos_complement_width(extremes.low(), extremes.high());
}

int observed_width(const Datapath& datapath, std::span<const Int128> products, Int128 initial) {
  Extremes<Int128> extremes;
  walk<Int128>(datapath, {products.begin(), products.end()}, initial, extremes);
  const auto wide = [](Int128 v) { return v < 0 ? Wide(-formats::widened(static_cast<formats::UInt128>(-v))) : formats::widened(static_cast<formats::UInt128>(v)); };
  return twos_complement_width(wide(extremes.low()), wide(extremes.high()));
}

}  // namespace accsim::sim
