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
  const Wide magnitude = x.exponent >= spacing_exponent ? Wide(x.significand << (x.exponent - spacing_exponent))
                                                        : Wide(x.significand >> (spacing_exponent - x.exponent));
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

/// Walks the sums of a datapath without any rounding and shows every partial sum to `extremes`.
template <class T>
class Walk {
 public:
  explicit Walk(Extremes<T>& extremes) : extremes_(extremes) {}

  /// One level; `initial` starts its first accumulator.
  std::vector<T> level(const Level& l, bool is_last, const std::vector<T>& addends, const T& initial) {
    const std::size_t all = addends.size();
    const std::size_t terms = l.terms ? static_cast<std::size_t>(*l.terms) : all;
    std::size_t group = is_last ? all : terms;
    if (takes_accumulator(l) && has_issues(l.kind) && !is_last) group = l.issues ? terms * static_cast<std::size_t>(*l.issues) : all;
    std::vector<T> sums;
    for (std::size_t first = 0; first < all; first += group) {
      const std::vector<T> part(addends.begin() + static_cast<std::ptrdiff_t>(first),
                                addends.begin() + static_cast<std::ptrdiff_t>(std::min(first + group, all)));
      sums.push_back(one_sum(l, part, terms, first == 0 ? initial : T{0}));
    }
    return sums;
  }

 private:
  T see(T value) {
    extremes_.see(value);
    return value;
  }

  T one_sum(const Level& l, std::vector<T> part, std::size_t terms, T accumulator) {
    switch (l.kind) {
      case LevelKind::sequential:
        for (const T& x : part) accumulator = see(T(accumulator + x));
        return accumulator;
      case LevelKind::interleaved: {
        std::vector<T> partial(static_cast<std::size_t>(l.ways), T{0});
        partial[0] = accumulator;
        for (std::size_t i = 0; i < part.size(); ++i) partial[i % partial.size()] = see(T(partial[i % partial.size()] + part[i]));
        if (l.combine == Combine::tree) return tree(std::move(partial), 2);
        T total{0};
        for (const T& x : partial) total = see(T(total + x));
        return total;
      }
      case LevelKind::tree: return tree(std::move(part), static_cast<std::size_t>(l.fan_in));
      case LevelKind::sorted: return sorted(std::move(part));
      case LevelKind::fused_sum:
      case LevelKind::exact:
      case LevelKind::exponent_bins:
      case LevelKind::online: {
        const std::size_t issue = takes_accumulator(l) ? terms : part.size();
        for (std::size_t first = 0; first < part.size(); first += issue) {
          for (std::size_t i = first; i < std::min(first + issue, part.size()); ++i) accumulator += part[i];
          extremes_.see(accumulator);
        }
        return accumulator;
      }
    }
    return accumulator;
  }

  T tree(std::vector<T> values, std::size_t fan_in) {
    extremes_.see(values.front());
    while (values.size() > 1) {
      std::vector<T> next;
      for (std::size_t i = 0; i < values.size(); i += fan_in) {
        T node{0};
        for (std::size_t j = i; j < std::min(i + fan_in, values.size()); ++j) node += values[j];
        next.push_back(see(node));
      }
      values = std::move(next);
    }
    return values.front();
  }

  T sorted(std::vector<T> values) {
    std::sort(values.begin(), values.end());
    while (values.size() > 1 && values.front() < 0 && values.back() > 0) {
      const T sum = see(T(values.front() + values.back()));
      values.pop_back();
      values.erase(values.begin());
      values.insert(std::lower_bound(values.begin(), values.end(), sum), sum);
    }
    T total{0};
    if (values.back() <= 0) std::reverse(values.begin(), values.end());  // by increasing magnitude
    for (const T& x : values) total = see(T(total + x));
    return total;
  }

  Extremes<T>& extremes_;
};

template <class T>
void walk(const Datapath& datapath, std::vector<T> sums, const T& initial, Extremes<T>& extremes) {
  Walk<T> levels(extremes);
  const T none{0};
  for (std::size_t i = 0; i < datapath.levels.size(); ++i) {
    const bool c_enters = !datapath.accumulator.last && i == datapath.accumulator_level_index();
    if (c_enters) extremes.see(initial);
    sums = levels.level(datapath.levels[i], i + 1 == datapath.levels.size(), sums, c_enters ? initial : none);
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
  const auto wide = [](Int128 v) {
    return v < 0 ? Wide(-formats::widened(static_cast<formats::UInt128>(-v))) : formats::widened(static_cast<formats::UInt128>(v));
  };
  return twos_complement_width(wide(extremes.low()), wide(extremes.high()));
}

}  // namespace accsim::sim
