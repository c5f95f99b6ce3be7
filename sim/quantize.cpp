#include "sim/quantize.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <mutex>
#include <optional>

#include "formats/number_rounder.h"
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

/// each(first, count) for pieces of a tensor, on some threads.
template <class Each>
void in_pieces(std::int64_t size, int threads, Each&& each) {
  constexpr std::int64_t piece = 1 << 12;
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1 && size >= 4 * piece)
  for (std::int64_t first = 0; first < size; first += piece) each(first, std::min(piece, size - first));
}

/// The code of a number that a format has, from the number's own bits; it has been tried on every code.
class CodeOfNumber {
 public:
  CodeOfNumber(const formats::Format& format, const std::vector<double>& values) {
    const formats::Limits l = formats::limits(format);
    width_ = code_bits(format);
    if (const formats::FloatFormat* f = format.as_float()) {
      is_float_ = true;
      const double least = to_double(l.min_normal);
      shift_ = 52 - f->fraction_bits;
      least_bits_ = std::bit_cast<std::int64_t>(least);
      offset_ = (least_bits_ >> shift_) - static_cast<std::int64_t>(encode(l.min_normal, format));
      sign_ = f->is_signed ? std::int64_t{1} << (f->exponent_bits + f->fraction_bits) : 0;
      if (l.has_nan) nan_ = static_cast<std::int64_t>(encode(NarrowExact::not_a_number(), format));
      for (const bool negative : {false, true}) {
        if (l.has_infinity && (!negative || l.is_signed))
          infinity_[negative] = static_cast<std::int64_t>(encode(NarrowExact::infinity(negative), format));
      }
    } else if (format.as_fixed() == nullptr) {
      return;
    }
    if (std::abs(l.lsb_exponent) > 400) return;
    per_spacing_ = std::ldexp(1.0, -l.lsb_exponent);
    works_ = std::all_of(values.begin(), values.end(), [&](double value) {
      const auto code = static_cast<std::size_t>((*this)(value));
      if (code >= values.size()) return false;
      return std::isnan(value) ? std::isnan(values[code])
                               : std::bit_cast<std::uint64_t>(values[code]) == std::bit_cast<std::uint64_t>(value);
    });
  }
  [[nodiscard]] bool works() const { return works_; }

  [[nodiscard]] std::int64_t operator()(double x) const {
    const std::int64_t mask = (std::int64_t{1} << width_) - 1;
    if (!is_float_) return static_cast<std::int64_t>(x * per_spacing_) & mask;
    const auto bits = std::bit_cast<std::int64_t>(x);
    const bool negative = bits < 0;
    const std::int64_t magnitude = bits & 0x7FFFFFFFFFFFFFFF;
    if (magnitude >= 0x7FF0000000000000) return magnitude == 0x7FF0000000000000 ? infinity_[negative] : nan_;
    const std::int64_t code = magnitude >= least_bits_ ? (magnitude >> shift_) - offset_
                                                       : static_cast<std::int64_t>(std::bit_cast<double>(magnitude) * per_spacing_);
    return (negative ? code | sign_ : code) & mask;
  }

 private:
  bool is_float_ = false, works_ = false;
  int width_ = 0, shift_ = 0;
  std::int64_t least_bits_ = 0, offset_ = 0, sign_ = 0, nan_ = 0, infinity_[2] = {};
  double per_spacing_ = 1;
};

/// Elements rounded to an operand's format, many at a time where that is proved the same.
class ElementRounder {
 public:
  ElementRounder(const Tensor& tensor, const Operand& operand, double scale, std::uint64_t seed, const formats::RandomPosition& position)
      : tensor_(tensor), operand_(operand), scale_(scale), seed_(seed), position_(position), rounder_(*operand.format, operand.rounding) {
    if (takes_numbers() && formats::NumberRounder::supports(*operand.format, operand.rounding))
      many_.emplace(*operand.format, operand.rounding);
  }
  /// Elements from `first` on, as binary64; only for formats that it holds.
  void numbers(std::int64_t first, std::span<double> to) {
    if (many_) {
      tensor_.values.numbers(first, to);
      if (scale_ != 1.0)
        for (double& x : to) x /= scale_;
      (*many_)(to);
    } else {
      for (std::size_t i = 0; i < to.size(); ++i) to[i] = to_double(element(first + static_cast<std::int64_t>(i)));
    }
  }
  NarrowExact element(std::int64_t i) {
    if (takes_numbers()) return rounder_(formats::from_double<formats::UInt128>(tensor_.values.number(i) / scale_), random_at(i)).value;
    return narrowed(rounder_(tensor_.values.exact(i), random_at(i)).value);
  }
  /// Generators of hardware run from element to element.
  [[nodiscard]] bool may_be_shared() const { return !(rounder_.is_stochastic() && rounder_.stochastic().lfsr); }

 private:
  [[nodiscard]] bool takes_numbers() const { return tensor_.values.fits_double() || scale_ != 1.0; }
  std::uint32_t random_at(std::int64_t i) {
    if (!rounder_.is_stochastic()) return 0U;
    formats::RandomPosition here = position_;
    here.output = static_cast<std::uint64_t>(i);
    return RandomSite(operand_.rounding, seed_, here, &arrays_).next();
  }

  const Tensor& tensor_;
  const Operand& operand_;
  double scale_;
  std::uint64_t seed_;
  formats::RandomPosition position_;
  formats::Rounder rounder_;
  std::optional<formats::NumberRounder> many_;
  ArrayGenerators arrays_;
};

/// put(first, numbers) for pieces of the elements rounded.
template <class Put>
void rounded_pieces(std::int64_t size, ElementRounder& rounder, int threads, Put&& put) {
  in_pieces(size, rounder.may_be_shared() ? threads : 1, [&](std::int64_t first, std::int64_t count) {
    std::vector<double> piece(static_cast<std::size_t>(count));
    rounder.numbers(first, piece);
    put(static_cast<std::size_t>(first), std::span<const double>(piece));
  });
}

template <class Word>
Values coded(std::int64_t size, const formats::Format& format, ElementRounder& rounder, int threads) {
  Coded<Word> coded{std::vector<Word>(static_cast<std::size_t>(size)), values_of_codes(format)};
  const CodeOfNumber code(format, coded.values);
  if (code.works()) {
    rounded_pieces(size, rounder, threads, [&](std::size_t first, std::span<const double> numbers) {
      for (std::size_t i = 0; i < numbers.size(); ++i) coded.codes[first + i] = static_cast<Word>(code(numbers[i]));
    });
  } else {
    in_pieces(size, rounder.may_be_shared() ? threads : 1, [&](std::int64_t first, std::int64_t count) {
      for (std::int64_t i = first; i < first + count; ++i)
        coded.codes[static_cast<std::size_t>(i)] = static_cast<Word>(encode(rounder.element(i), format));
    });
  }
  return Values(std::move(coded));
}

/// The elements quantized, in the smallest carrier that holds the format.
Values stored(std::int64_t size, const formats::Format& format, bool keeps_small_values, ElementRounder& rounder, int threads) {
  if (keeps_small_values || !fits_double(format)) {
    std::vector<formats::Exact> values(static_cast<std::size_t>(size));
    for (std::int64_t i = 0; i < size; ++i) values[static_cast<std::size_t>(i)] = widened(rounder.element(i));
    return Values(std::move(values));
  }
  if (code_bits(format) <= 8) return coded<std::uint8_t>(size, format, rounder, threads);
  if (code_bits(format) <= 16) return coded<std::uint16_t>(size, format, rounder, threads);
  const auto as = [&](auto values) {
    values.resize(static_cast<std::size_t>(size));
    rounded_pieces(size, rounder, threads, [&](std::size_t first, std::span<const double> numbers) {
      for (std::size_t i = 0; i < numbers.size(); ++i) values[first + i] = static_cast<typename decltype(values)::value_type>(numbers[i]);
    });
    return Values(std::move(values));
  };
  return fits_float(format) ? as(std::vector<float>{}) : as(std::vector<double>{});
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

double amax(const Values& values, int threads) {
  double largest = 0;
  std::mutex mutex;
  in_pieces(values.size(), threads, [&](std::int64_t first, std::int64_t count) {
    std::vector<double> piece(static_cast<std::size_t>(count));
    values.numbers(first, piece);
    constexpr double finite = std::numeric_limits<double>::max();
    double of_piece = 0;
    for (const double x : piece) {
      const double magnitude = std::fabs(x);
      of_piece = magnitude > of_piece && magnitude <= finite ? magnitude : of_piece;
    }
    const std::lock_guard lock(mutex);
    largest = std::max(largest, of_piece);
  });
  return largest;
}

double operand_scale(const Operand& operand, const Values& values, int threads) {
  if (operand.scale == ScaleRule::one) return 1.0;
  const double largest = amax(values, threads);
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

QuantizedOperand quantize_operand(const Tensor& tensor, const Operand& operand, std::uint64_t seed, const formats::RandomPosition& position,
                                  int threads) {
  if (!operand.format || (tensor.format && *tensor.format == *operand.format)) return {};
  QuantizedOperand q;
  q.changed = true;
  q.scale = operand_scale(operand, tensor.values, threads);
  ElementRounder rounder(tensor, operand, q.scale, seed, position);
  const bool keeps_small_values = formats::underflow_of(operand.rounding, *operand.format) == formats::Underflow::none;
  q.values = stored(tensor.values.size(), *operand.format, keeps_small_values, rounder, threads);
  return q;
}

}  // namespace accsim::sim
