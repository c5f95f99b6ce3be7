// Block formats: their catalogue and spelling, scales, and the quantization of rows.
#include "formats/block.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "formats/error.h"
#include "formats/round.h"
#include "formats/text.h"

namespace accsim::formats {
namespace {

constexpr const char* mx_blocks = "OCP MX 1.0, 5.3 and 6.3";
constexpr int least_scale_exponent = -127;
constexpr int largest_scale_exponent = 127;

constexpr RoundingSpec saturating{.overflow = Overflow::saturate};
constexpr RoundingSpec symmetric{.overflow = Overflow::saturate_symmetric};

BlockFormat mx_format(std::string name, const char* element, RoundingSpec rounding = saturating) {
  return {std::move(name), parse_format(element), parse_format("e8m0"), 32, ScaleRule::floor, rounding, mx_blocks};
}

[[noreturn]] void refuse(std::string_view text, const std::string& rule, const std::string& accepted = "") {
  throw InputError("format \"" + std::string(text) + "\"", rule, accepted);
}

const char* name_of(ScaleRule rule) {
  switch (rule) {
    case ScaleRule::floor: return "floor";
    case ScaleRule::ceil: return "ceil";
    case ScaleRule::even: return "even";
    case ScaleRule::rceil: return "rceil";
    case ScaleRule::nvfp4: return "nvfp4";
  }
  return "";
}

/// |x| = amax, not zero, finite.
int scale_exponent(const NarrowExact& amax, const BlockFormat& f) {
  const NarrowExact largest = limits(f.element).max_finite;
  const int emax = log2_floor(largest);
  switch (f.rule) {
    case ScaleRule::floor: return log2_floor(amax) - emax;
    case ScaleRule::ceil: return log2_floor(amax) - emax + (std::has_single_bit(static_cast<std::uint64_t>(amax.significand)) ? 0 : 1);
    case ScaleRule::even: {
      // A float of the element's precision and the exponents of binary64.
      const int precision = f.element.as_fixed() != nullptr ? f.element.as_fixed()->width - 1 : limits(f.element).precision;
      const Format wide{"", FloatFormat{.exponent_bits = 12, .fraction_bits = precision - 1, .bias = 2047}, ""};
      return log2_floor(round(amax, wide, {}).value) - emax;
    }
    case ScaleRule::rceil: {
      const int e = log2_floor(amax) - emax;
      return compare_magnitude(amax, scaled(largest, e)) <= 0 ? e : e + 1;
    }
    case ScaleRule::nvfp4: break;
  }
  return 0;
}

/// Binary32 arithmetic, to nearest even, whatever the host's rounding mode is.
class Binary32 {
 public:
  Binary32()
      : rounder_(parse_format("fp32"), RoundingSpec{.overflow = Overflow::saturate}), largest_(rounder_.format_limits().max_finite) {}
  /// Results beyond the range become the largest value, which is what every use below asks for.
  [[nodiscard]] NarrowExact rounded(const NarrowExact& x) const { return rounder_(x).value; }
  [[nodiscard]] NarrowExact times(const NarrowExact& a, const NarrowExact& b) const { return rounder_(product(a, b)).value; }
  [[nodiscard]] NarrowExact over(const NarrowExact& a, const NarrowExact& b) const {
    if (b.is_zero()) return a.is_zero() ? a : largest_;
    return narrowed(rounder_(quotient_with_sticky(widened(a), widened(b), 64)).value);
  }

 private:
  Rounder rounder_;
  NarrowExact largest_;
};

/// The host's binary32, rounded to nearest even; beyond its range lies the largest value.
constexpr float largest_binary32 = std::numeric_limits<float>::max();
float in_range(float x) { return std::clamp(x, -largest_binary32, largest_binary32); }
float binary32(double x) { return static_cast<float>(std::clamp<double>(x, -largest_binary32, largest_binary32)); }

NarrowExact whole(unsigned n) { return {.significand = n}; }

}  // namespace

std::span<const BlockFormat> block_catalogue() {
  static const std::vector<BlockFormat> rows = {
      mx_format("mxfp8_e4m3", "ocp_e4m3"),
      mx_format("mxfp8_e5m2", "ocp_e5m2"),
      mx_format("mxfp6_e3m2", "ocp_e3m2"),
      mx_format("mxfp6_e2m3", "ocp_e2m3"),
      mx_format("mxfp4", "ocp_e2m1"),
      mx_format("mxint8", "s8.6", symmetric),
      {"nvfp4", parse_format("ocp_e2m1"), parse_format("ocp_e4m3"), 16, ScaleRule::nvfp4, saturating,
       "NVIDIA/TransformerEngine, quantization_nvfp4.py 99d67c1"},
  };
  return rows;
}

bool is_block_format(std::string_view text) {
  const std::string lower = lower_case(trimmed(text));
  const std::string name = lower.substr(0, lower.find(':'));
  const auto rows = block_catalogue();
  return std::any_of(rows.begin(), rows.end(), [&name](const BlockFormat& row) { return row.name == name; });
}

BlockFormat parse_block_format(std::string_view text) {
  const std::string lower = lower_case(trimmed(text));
  const std::size_t colon = lower.find(':');
  const std::string name = lower.substr(0, colon);
  const auto rows = block_catalogue();
  const auto row = std::find_if(rows.begin(), rows.end(), [&name](const BlockFormat& r) { return r.name == name; });
  if (row == rows.end()) {
    std::vector<std::string> names;
    for (const BlockFormat& r : rows) names.push_back(r.name);
    std::string accepted;
    for (const std::string& n : names) accepted += (accepted.empty() ? "" : ", ") + n;
    refuse(text, "unknown block format", accepted + nearest_names(name, names));
  }
  BlockFormat f = *row;
  if (colon == std::string::npos) return f;
  f.name = lower;
  for (const std::string& part : split(lower.substr(colon + 1), ',')) {
    const std::size_t equals = part.find('=');
    const std::string key(trimmed(part.substr(0, equals)));
    const std::string value(equals == std::string::npos ? "" : trimmed(std::string_view(part).substr(equals + 1)));
    if (f.rule == ScaleRule::nvfp4) {
      refuse(text, "\"" + part + "\" with nvfp4, whose scales and blocks are fixed", "nvfp4 alone");
    } else if (key == "block") {
      const auto n = parse_integer(value);
      if (!n || *n < 1 || *n > 65536) refuse(text, "block=" + value, "1 to 65536");
      f.block = static_cast<int>(*n);
    } else if (key == "scale") {
      if (value == "floor") f.rule = ScaleRule::floor;
      else if (value == "ceil") f.rule = ScaleRule::ceil;
      else if (value == "even") f.rule = ScaleRule::even;
      else if (value == "rceil") f.rule = ScaleRule::rceil;
      else refuse(text, "scale=" + value, "floor, ceil, even, rceil");
    } else {
      refuse(text, "\"" + part + "\"", "scale=floor|ceil|even|rceil, block=N");
    }
  }
  return f;
}

std::string spelling(const BlockFormat& f) {
  std::string text = f.name.substr(0, f.name.find(':'));
  if (f.rule == ScaleRule::nvfp4) return text;
  return text + ":scale=" + name_of(f.rule) + ",block=" + std::to_string(f.block);
}

void check_combination(const BlockFormat& f) {
  check_combination(f.rounding, f.element);
  if (underflow_of(f.rounding, f.element) == Underflow::none)
    throw InputError("underflow", "none with the block format " + f.name + ", whose elements have codes", "gradual, flush");
}

double largest_magnitude(std::span<const double> values) {
  double amax = 0;
  for (const double value : values) {
    if (std::isfinite(value)) amax = std::max(amax, std::fabs(value));
  }
  return amax;
}

BlockQuantizer::BlockQuantizer(const BlockFormat& format, double tensor_amax)
    : format_(format),
      to_element_(format.element, format.rounding),
      to_scale_(format.scale, {.overflow = Overflow::saturate}),
      encode_(whole(1)),
      decode_(whole(1)) {
  if (NumberRounder::supports(format.element, format.rounding)) {
    numbers_.emplace(format.element, format.rounding);
    for (const bool negative : {false, true}) overflow_[negative] = least_overflow(negative);
  }
  if (format.rule != ScaleRule::nvfp4) return;
  scale_numbers_.emplace(format.scale, RoundingSpec{.overflow = Overflow::saturate});
  const Binary32 arithmetic;
  const NarrowExact amax = arithmetic.rounded(from_double<UInt128>(tensor_amax));
  if (!amax.is_zero()) encode_ = arithmetic.over(whole(448 * 6), amax);
  if (encode_.is_zero()) encode_ = whole(1);
  decode_ = arithmetic.over(whole(1), encode_);
}

Block BlockQuantizer::operator()(std::span<const double> values, std::span<const std::uint32_t> random) const {
  if (!std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); })) return nan_block(values);
  return format_.rule == ScaleRule::nvfp4 ? nvfp4_block(values, random) : mx_block(values, random);
}

Block BlockQuantizer::nan_block(std::span<const double> values) const {
  Block block;
  block.scale = NarrowExact::not_a_number();
  block.scale_code = encode(block.scale, format_.scale);
  block.codes.assign(values.size(), 0);
  block.elements.assign(values.size(), NarrowExact::not_a_number());
  block.clipped = std::count_if(values.begin(), values.end(), [](double x) { return std::isfinite(x) && x != 0; });
  return block;
}

/// Element i of the block is the one that follows those already there.
void BlockQuantizer::add_element(Block& block, const NarrowExact& quotient, std::span<const std::uint32_t> random) const {
  const auto rounded = to_element_(quotient, random.empty() ? 0 : random[block.elements.size()]);
  block.clipped += rounded.events.overflow;
  block.codes.push_back(encode(rounded.value, format_.element));
  block.elements.push_back(rounded.value);
}

Block BlockQuantizer::mx_block(std::span<const double> values, std::span<const std::uint32_t> random) const {
  const double amax = largest_magnitude(values);
  const int e = amax == 0 ? least_scale_exponent : std::max(scale_exponent(from_double<UInt128>(amax), format_), least_scale_exponent);
  if (e > largest_scale_exponent) return nan_block(values);
  Block block;
  block.scale = {.exponent = e, .significand = 1};
  block.scale_code = encode(block.scale, format_.scale);
  for (const double value : values) add_element(block, scaled(from_double<UInt128>(value), -e), random);
  return block;
}

Block BlockQuantizer::nvfp4_block(std::span<const double> values, std::span<const std::uint32_t> random) const {
  static const Binary32 arithmetic;
  const NarrowExact amax = arithmetic.rounded(from_double<UInt128>(largest_magnitude(values)));
  Block block;
  block.scale = to_scale_(arithmetic.times(arithmetic.over(amax, whole(6)), encode_)).value;
  block.scale_code = encode(block.scale, format_.scale);
  const NarrowExact enc = arithmetic.over(whole(1), arithmetic.times(block.scale, decode_));
  for (const double value : values) {
    const NarrowExact x = arithmetic.rounded(from_double<UInt128>(value));
    add_element(block, arithmetic.times(x, enc), random);
  }
  return block;
}

/// By bisection over the bits of binary64: whether a magnitude overflows does not fall as it grows.
double BlockQuantizer::least_overflow(bool negative) const {
  std::uint64_t below = 0;
  auto above = std::bit_cast<std::uint64_t>(std::numeric_limits<double>::infinity());
  while (above - below > 1) {
    const std::uint64_t middle = below + (above - below) / 2;
    const double x = std::bit_cast<double>(middle);
    (to_element_(from_double<UInt128>(negative ? -x : x)).events.overflow ? above : below) = middle;
  }
  return std::bit_cast<double>(above);
}

NumberBlock BlockQuantizer::numbers(std::span<double> values, std::span<const std::uint32_t> random) const {
  if (!numbers_ || !std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); }))
    return slow_numbers(values, random);
  if (format_.rule == ScaleRule::nvfp4) return nvfp4_numbers(values);
  const double amax = largest_magnitude(values);
  const int e = amax == 0 ? least_scale_exponent : std::max(scale_exponent(from_double<UInt128>(amax), format_), least_scale_exponent);
  // Quotients are exact where they stay above binary64's subnormals.
  constexpr double smallest = 0x1p-800;
  const bool is_tiny = e > 0 && std::any_of(values.begin(), values.end(), [](double x) { return x != 0 && std::fabs(x) < smallest; });
  if (e > largest_scale_exponent || is_tiny) return slow_numbers(values, random);
  const double reciprocal = std::ldexp(1.0, -e);
  for (double& x : values) x *= reciprocal;
  return rounded(values, std::ldexp(1.0, e));
}

/// The same steps on the host's binary32.
NumberBlock BlockQuantizer::nvfp4_numbers(std::span<double> values) const {
  const float encode = binary32(to_double(encode_));
  const float decode = binary32(to_double(decode_));
  double scale = in_range(binary32(largest_magnitude(values)) / 6.0F * encode);
  (*scale_numbers_)(std::span(&scale, 1));
  const float real_scale = in_range(binary32(scale) * decode);
  const float enc = real_scale == 0 ? largest_binary32 : in_range(1.0F / real_scale);
  for (double& x : values) x = in_range(binary32(x) * enc);
  return rounded(values, scale);
}

NumberBlock BlockQuantizer::rounded(std::span<double> quotients, double scale) const {
  NumberBlock block{.scale = scale};
  for (const double x : quotients) block.clipped += std::fabs(x) >= overflow_[x < 0] ? 1 : 0;
  (*numbers_)(quotients);
  return block;
}

NumberBlock BlockQuantizer::slow_numbers(std::span<double> values, std::span<const std::uint32_t> random) const {
  const Block block = (*this)(values, random);
  std::transform(block.elements.begin(), block.elements.end(), values.begin(), [](const NarrowExact& x) { return to_double(x); });
  return {.scale = to_double(block.scale), .clipped = block.clipped};
}

std::size_t blocks_of(const std::optional<BlockFormat>& format, std::size_t terms) {
  if (!format) return 0;
  const auto block = static_cast<std::size_t>(format->block);
  return (terms + block - 1) / block;
}

Code scale_one(const BlockFormat& format) { return encode(NarrowExact{.exponent = 0, .significand = 1}, format.scale); }

}  // namespace accsim::formats
