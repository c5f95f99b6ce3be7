// Values and codes to text and back.
#include "formats/value_text.h"

#include <array>
#include <charconv>
#include <cmath>

#include "formats/error.h"
#include "formats/text.h"

namespace accsim::formats {
namespace {

constexpr std::size_t most_digits = 20000;
constexpr int most_binary_exponent = 1000000;
constexpr int most_decimal_exponent = 20000;  // of two, beyond which values are printed in hexadecimal

constexpr const char* accepted = "an integer, a decimal (0.1, 1e-3), a hexadecimal float (0x1.8p-3), inf, -inf, nan";

[[noreturn]] void refuse(std::string_view text, const std::string& rule) {
  constexpr std::size_t shown = 60;
  const std::string start(text.substr(0, shown));
  throw InputError("value \"" + start + (text.size() > shown ? "..." : "") + "\"", rule, accepted);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
int hex_digit(char c) { return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

Exact simplified(Exact x) {
  if (x.significand.is_zero()) return Exact::zero(x.negative);
  const int trailing = static_cast<int>(boost::multiprecision::lsb(x.significand));
  x.significand >>= trailing;
  x.exponent += trailing;
  return x;
}

Exact parse_hex(std::string_view text, std::string_view digits, bool negative) {
  Exact x{.negative = negative};
  bool any = false;
  bool after_point = false;
  std::size_t i = 0;
  for (; i < digits.size(); ++i) {
    const int digit = hex_digit(digits[i]);
    if (digits[i] == '.' && !after_point) {
      after_point = true;
    } else if (digit >= 0) {
      any = true;
      x.significand = (x.significand << 4) | digit;
      if (after_point) x.exponent -= 4;
    } else {
      break;
    }
  }
  if (!any) refuse(text, "no hexadecimal digit");
  if (i < digits.size()) {
    if (digits[i] != 'p') refuse(text, "not a number");
    const auto exponent = parse_integer(digits.substr(i + 1));
    if (!exponent || digits.substr(i + 1).starts_with("0x")) refuse(text, "the exponent after p is not an integer");
    if (std::abs(*exponent) > most_binary_exponent) refuse(text, "a binary exponent beyond +/-1000000");
    x.exponent += static_cast<int>(*exponent);
  }
  return simplified(x);
}

/// What the decimal rounds to where std::from_chars finds it outside binary64: a zero, or nothing where it is too large.
bool is_tiny(std::string_view digits) {
  long long magnitude = 0;  // decimal exponent of the first nonzero digit
  bool found = false;
  bool after_point = false;
  for (const char c : digits) {
    if (c == 'e') break;
    if (c == '.') after_point = true;
    else if (found || c != '0') {
      found = true;
      if (!after_point) ++magnitude;
    } else if (after_point) {
      --magnitude;
    }
  }
  const std::size_t e = digits.find('e');
  if (e == std::string_view::npos) return magnitude < 0;
  const bool minus = digits.substr(e + 1).starts_with('-');
  const auto exponent = parse_integer(digits.substr(e + 1));
  return exponent ? magnitude + *exponent < 0 : minus;  // an exponent that no integer holds: its sign decides
}

Exact parse_decimal(std::string_view text, std::string_view digits, bool negative) {
  double value = 0;
  if (digits.empty() || (!is_digit(digits[0]) && digits[0] != '.')) refuse(text, "not a number");  // from_chars would take `inf`
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::invalid_argument || end != digits.data() + digits.size()) refuse(text, "not a number");
  if (error == std::errc::result_out_of_range) {
    if (!is_tiny(digits)) refuse(text, "beyond the range of binary64; write the integer out, or in hexadecimal");
    value = 0;
  }
  Exact x = from_double<Wide>(value);
  x.negative = negative;
  return x;
}

/// The shortest digits as Python's repr lays them out, without its ".0".
std::string shortest(double value) {
  std::array<char, 64> buffer{};
  const double magnitude = std::fabs(value);
  const bool plain = value == 0 || (magnitude >= 1e-4 && magnitude < 1e16);
  const auto [end, error] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, plain ? std::chars_format::fixed : std::chars_format::scientific);
  return {buffer.data(), end};
}

std::string hex_text(const Exact& x) {
  std::string digits;
  for (Wide rest = x.significand; !rest.is_zero(); rest >>= 4) {
    digits.insert(digits.begin(), "0123456789abcdef"[static_cast<int>(Wide(rest & 15).convert_to<int>())]);
  }
  return "0x" + digits + "p" + std::to_string(x.exponent);
}

/// All digits of a finite nonzero magnitude.
std::string exact_decimal(const Exact& x) {
  if (x.exponent >= 0) return Wide(x.significand << x.exponent).str();
  const int places = -x.exponent;  // significand / 2^places = significand * 5^places / 10^places
  const std::string digits = Wide(x.significand * boost::multiprecision::pow(Wide{5}, static_cast<unsigned>(places))).str();
  const int leading = static_cast<int>(digits.size()) - places - 1;  // decimal exponent of the first digit
  if (leading >= 0) return digits.substr(0, digits.size() - places) + "." + digits.substr(digits.size() - places);
  if (leading >= -4) return "0." + std::string(static_cast<std::size_t>(-leading - 1), '0') + digits;
  std::string text = digits.substr(0, 1) + (digits.size() > 1 ? "." + digits.substr(1) : "");
  return text + "e-" + (leading > -10 ? "0" : "") + std::to_string(-leading);
}

}  // namespace

Exact parse_value(std::string_view text) {
  const std::string lower = lower_case(trimmed(text));
  std::string_view body = lower;
  if (body.size() > most_digits) refuse(text, "more than 20000 characters");
  const bool negative = body.starts_with('-');
  if (negative || body.starts_with('+')) body.remove_prefix(1);
  if (body == "inf" || body == "infinity") return Exact::infinity(negative);
  if (body == "nan") return Exact::not_a_number();
  if (body.starts_with("0x")) return parse_hex(text, body.substr(2), negative);
  if (!body.empty() && body.find_first_not_of("0123456789") == std::string_view::npos) {
    const std::size_t first = body.find_first_not_of('0');  // boost reads a leading 0 as octal
    if (first == std::string_view::npos) return Exact::zero(negative);
    return simplified({.negative = negative, .significand = Wide(std::string(body.substr(first)))});
  }
  return parse_decimal(text, body, negative);
}

std::optional<double> exact_double(const Exact& x) {
  if (x.nan) return std::nullopt;
  const double value = to_double(x);
  if (x.is_finite() && (std::isinf(value) || !same_value(x, from_double<Wide>(value)))) return std::nullopt;
  return value;
}

std::string value_text(const Exact& value) {
  if (value.nan) return "nan";
  const std::string sign = value.negative ? "-" : "";
  if (value.infinite) return sign + "inf";
  const Exact x = simplified(value);
  if (const auto held = exact_double(x)) return shortest(*held);
  return sign + (std::abs(x.exponent) > most_decimal_exponent ? hex_text(x) : exact_decimal(x));
}
std::string value_text(const NarrowExact& x) { return value_text(widened(x)); }

Code parse_code(std::string_view text, const Format& format) {
  const std::string lower = lower_case(trimmed(text));
  const std::string_view digits = std::string_view(lower).substr(lower.starts_with("0x") ? 2 : 0);
  const int bits = code_bits(format);
  const std::string where = "code \"" + std::string(text) + "\" of " + format.name;
  const std::string wanted = "hexadecimal digits of at most " + std::to_string(bits) + " bits";
  if (digits.empty()) throw InputError(where, "no digits", wanted);
  Code code = 0;
  for (const char c : digits) {
    const int digit = hex_digit(c);
    if (digit < 0) throw InputError(where, "not hexadecimal", wanted);
    if (bit_length(code) > 124) throw InputError(where, "more than 128 bits", wanted);
    code = (code << 4) | static_cast<unsigned>(digit);
  }
  if (bit_length(code) > bits) throw InputError(where, "bits above the format's width of " + std::to_string(bits), wanted);
  return code;
}

std::string code_text(Code code, const Format& format) { return to_hex(code, code_bits(format)); }

}  // namespace accsim::formats
