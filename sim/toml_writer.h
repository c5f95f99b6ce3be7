// Writing TOML: strings quoted, numbers as the shortest decimals that read back.
#pragma once

#include <array>
#include <charconv>
#include <string>
#include <string_view>

#include "formats/rounding.h"

namespace accsim::sim {

inline std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      constexpr std::string_view hex = "0123456789abcdef";
      out += "\\u00";
      out += hex[static_cast<unsigned char>(c) >> 4];
      out += hex[static_cast<unsigned char>(c) & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

inline std::string number(double value) {
  std::array<char, 40> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  std::string text(buffer.data(), end);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

class TomlWriter {
 public:
  void section(const std::string& header) { text_ += "\n" + header + "\n"; }
  void line(const std::string& key, const std::string& value) { text_ += key + " = " + value + "\n"; }
  void string(const std::string& key, std::string_view value) { line(key, quoted(value)); }
  void rounding(const formats::RoundingSpec& spec, const formats::Format& format, const std::string& prefix = "") {
    string(prefix + "rounding", formats::rounding_spelling(spec));
    string(prefix + "overflow", formats::name_of(formats::overflow_of(spec, format)));
    if (format.as_float() != nullptr) string(prefix + "underflow", formats::name_of(formats::underflow_of(spec, format)));
  }
  [[nodiscard]] std::string text() && { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace accsim::sim
