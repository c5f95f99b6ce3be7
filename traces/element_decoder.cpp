// Decoding by table for formats of up to 16 bits, by formats::decode beyond; zero points subtracted without rounding.
#include "traces/element_decoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>

namespace accsim::traces {
namespace {

using formats::Exact;
using formats::NarrowExact;
using formats::UInt128;
using formats::Wide;
using Kind = h5::StoredType::Kind;

constexpr int table_bits = 16;

/// Whether the format's Limits bound all its values: those of the tapered layouts describe only where they are finest.
bool is_bounded_by_limits(const formats::Format& format) {
  return format.as_float() != nullptr || format.as_fixed() != nullptr || std::holds_alternative<formats::DigitFormat>(format.layout);
}

/// What bounds a set of values: multiples of 2^lsb below 2^top, of at most `precision` significand bits.
struct Bounds {
  int precision = 0, lsb = 0, top = 0;
};

Bounds bounds_of(const formats::Format& format) {
  const formats::Limits l = formats::limits(format);
  const auto top = [](const NarrowExact& x) { return x.is_zero() ? std::numeric_limits<int>::min() : formats::log2_floor(x) + 1; };
  return {l.precision, l.lsb_exponent, std::max(top(l.max_finite), top(l.min_finite))};
}

Bounds bounds_of(const h5::StoredType& stored) { return stored.kind == Kind::binary32 ? Bounds{24, -149, 128} : Bounds{53, -1074, 1024}; }

/// The bounds of differences x - z: one bit more at the top, and all bits between may be needed.
Bounds minus(const Bounds& x, const std::vector<Exact>& zero_points) {
  Bounds d = x;
  for (const Exact& z : zero_points) {
    if (z.is_zero()) continue;
    d.lsb = std::min(d.lsb, z.exponent + static_cast<int>(boost::multiprecision::lsb(z.significand)));
    d.top = std::max(d.top, formats::log2_floor(z) + 1);
  }
  d.top += 1;
  d.precision = d.top - d.lsb;
  return d;
}

Carrier carrier_of(const Bounds& b) {
  if (b.precision <= 24 && b.lsb >= -149 && b.top <= 128) return Carrier::binary32;
  if (b.precision <= 53 && b.lsb >= -1074 && b.top <= 1024) return Carrier::binary64;
  return Carrier::exact;
}

bool is_exactly(const NarrowExact& value, double number) {
  if (value.nan) return true;
  if (std::isinf(number) && !value.infinite) return false;
  return formats::same_value(formats::from_double<UInt128>(number), value);
}

std::optional<double> as_binary64(const Exact& x) {
  const double nearest = formats::to_double(x);
  if (!std::isfinite(nearest) || !formats::same_value(formats::from_double<Wide>(nearest), x)) return std::nullopt;
  return nearest;
}

/// The exact difference where binary64 holds it (checked by Knuth's two-sum, TAOCP 4.2.2), else nothing. x is finite.
std::optional<double> exact_difference(double x, double z) {
  const double difference = x - z;
  if (!std::isfinite(difference)) return std::nullopt;
  const double part = difference - x;
  const double error = (x - (difference - part)) + (-z - part);
  if (error != 0.0) return std::nullopt;
  return difference;
}

/// An integer as its bit pattern, with sign extended to 128 bits.
template <class Integer>
UInt128 pattern_of(Integer value) {
  return static_cast<UInt128>(value);
}

template <class Element>
Element element_at(std::span<const std::byte> run, std::size_t i) {
  Element value;
  std::memcpy(&value, run.data() + i * sizeof(Element), sizeof(Element));
  return value;
}

}  // namespace

bool fits_binary32(double number) {
  if (!std::isfinite(number)) return true;
  return std::abs(number) <= std::numeric_limits<float>::max() && static_cast<double>(static_cast<float>(number)) == number;
}

ElementDecoder::ElementDecoder(const Dataset& dataset) : dataset_(dataset), format_(dataset.format) {
  if (dataset.stored.kind == Kind::small_float) format_ = formats::Format{"", dataset.stored.small_float, ""};
  if (dataset.axis >= 0) {
    stride_ = dataset.axis_stride();
    extent_ = dataset.shape[static_cast<std::size_t>(dataset.axis)];
  }
  has_zero_point_ = std::any_of(dataset.zero_point.begin(), dataset.zero_point.end(), [](const Exact& z) { return !z.is_zero(); });
  if (has_zero_point_) std::transform(dataset.zero_point.begin(), dataset.zero_point.end(), std::back_inserter(zero_points_), as_binary64);
  if (!format_) return;
  width_ = formats::code_bits(*format_);
  if (width_ <= table_bits) make_table();
}

void ElementDecoder::make_table() {
  table_.resize(std::size_t{1} << width_);
  for (std::size_t code = 0; code < table_.size(); ++code) {
    const NarrowExact value = formats::decode(code, *format_);
    table_[code] = formats::to_double(value);
    if (!is_exactly(value, table_[code])) {
      table_.clear();
      return;
    }
  }
}

Carrier ElementDecoder::carrier_by_type() const {
  if (!has_zero_point_ && !table_.empty()) {
    return std::all_of(table_.begin(), table_.end(), fits_binary32) ? Carrier::binary32 : Carrier::binary64;
  }
  if (format_ && !is_bounded_by_limits(*format_)) return Carrier::exact;
  const Bounds bounds = format_ ? bounds_of(*format_) : bounds_of(dataset_.stored);
  return carrier_of(has_zero_point_ ? minus(bounds, dataset_.zero_point) : bounds);
}

const DecodedRun& ElementDecoder::decode(std::int64_t first, std::span<const std::byte> run) {
  decoded_.numbers.clear();
  decoded_.beyond.clear();
  const bool is_signed = dataset_.stored.is_signed;
  switch (dataset_.stored.kind) {
    case Kind::binary32: append_floats<float>(first, run); return decoded_;
    case Kind::binary64: append_floats<double>(first, run); return decoded_;
    case Kind::small_float: append_integers<std::uint16_t>(first, run); return decoded_;
    case Kind::integer: break;
  }
  switch (dataset_.stored.bytes) {
    case 1: is_signed ? append_integers<std::int8_t>(first, run) : append_integers<std::uint8_t>(first, run); break;
    case 2: is_signed ? append_integers<std::int16_t>(first, run) : append_integers<std::uint16_t>(first, run); break;
    case 4: is_signed ? append_integers<std::int32_t>(first, run) : append_integers<std::uint32_t>(first, run); break;
    case 8: is_signed ? append_integers<std::int64_t>(first, run) : append_integers<std::uint64_t>(first, run); break;
    default: is_signed ? append_integers<formats::Int128>(first, run) : append_integers<UInt128>(first, run); break;
  }
  return decoded_;
}

template <class Integer>
void ElementDecoder::append_integers(std::int64_t first, std::span<const std::byte> run) {
  const std::size_t count = run.size() / sizeof(Integer);
  decoded_.numbers.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = element_at<Integer>(run, i);
    const std::int64_t element = first + static_cast<std::int64_t>(i);
    append_code(code_of(pattern_of(value), value < Integer{0}, element), element);
  }
}

template <class Float>
void ElementDecoder::append_floats(std::int64_t first, std::span<const std::byte> run) {
  const std::size_t count = run.size() / sizeof(Float);
  if (!has_zero_point_) {
    decoded_.numbers.resize(count);
    for (std::size_t i = 0; i < count; ++i) decoded_.numbers[i] = static_cast<double>(element_at<Float>(run, i));
    return;
  }
  for (std::size_t i = 0; i < count; ++i) append(static_cast<double>(element_at<Float>(run, i)), first + static_cast<std::int64_t>(i));
}

formats::Code ElementDecoder::code_of(UInt128 pattern, bool negative, std::int64_t element) const {
  const bool fits = negative ? width_ <= dataset_.stored.stored_bits && formats::shifted_right(~pattern, width_ - 1) == 0
                             : formats::shifted_right(pattern, width_) == 0;
  if (fits) return formats::low_bits(pattern, width_);
  const std::string found = negative ? "-" + formats::to_string(~pattern + 1) : formats::to_string(pattern);
  const std::string largest = formats::to_hex(formats::low_bits(~UInt128{0}, width_), width_);
  throw InputError("", "code " + found + " at element " + std::to_string(element) + " is out of range",
                   "the " + std::to_string(width_) + " bits of " + format_->name + ", hexadecimal 0 to " + largest +
                       (dataset_.stored.is_signed && width_ <= dataset_.stored.stored_bits ? " or the same with sign extended" : ""));
}

void ElementDecoder::append_code(formats::Code code, std::int64_t element) {
  if (!table_.empty()) {
    append(table_[static_cast<std::size_t>(code)], element);
    return;
  }
  const NarrowExact value = formats::decode(code, *format_);
  const double number = formats::to_double(value);
  if (is_exactly(value, number)) {
    append(number, element);
    return;
  }
  const Exact exact = formats::widened(value);
  append_beyond(has_zero_point_ ? formats::sum(exact, formats::negated(zero_point(element))) : exact);
}

void ElementDecoder::append(double number, std::int64_t element) {
  if (!has_zero_point_ || !std::isfinite(number)) {
    decoded_.numbers.push_back(number);
    return;
  }
  const std::optional<double> z = zero_points_[zero_point_index(element)];
  const std::optional<double> difference = z ? exact_difference(number, *z) : std::nullopt;
  if (difference) decoded_.numbers.push_back(*difference);
  else append_beyond(formats::sum(formats::from_double<Wide>(number), formats::negated(zero_point(element))));
}

void ElementDecoder::append_beyond(const Exact& value) {
  if (!as_binary64(value)) decoded_.beyond.emplace_back(decoded_.numbers.size(), value);
  decoded_.numbers.push_back(formats::to_double(value));
}

}  // namespace accsim::traces
