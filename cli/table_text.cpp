#include "cli/table_text.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <numeric>
#include <sstream>
#include <vector>

namespace accsim::cli {

std::string count(std::int64_t value) {
  if (value < 100000000) return std::to_string(value);
  double scaled = static_cast<double>(value);
  std::size_t letter = 0;
  for (; scaled >= 999.5 && letter < 4; ++letter) scaled /= 1000;
  return fmt::format("{:.4g}{}", scaled, std::string_view(" kMGT").substr(letter, 1));
}

std::string rough(std::int64_t value) {
  if (value < 10000) return std::to_string(value);
  double scaled = static_cast<double>(value);
  std::size_t letter = 0;
  for (; scaled >= 999.5 && letter < 4; ++letter) scaled /= 1000;
  return fmt::format("{:#.3g}{}", scaled, std::string_view(" kMGT").substr(letter, 1));
}

std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string fitted(const std::string& name, std::size_t width) {
  std::string shown = name;
  if (columns_of(name) > width) {
    std::vector<std::string> points;
    for (const char c : name) {
      if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) points.emplace_back();
      points.back() += c;
    }
    const std::size_t tail = (width - 2) * 2 / 3;
    const std::size_t head = width - 2 - tail;
    shown = std::accumulate(points.begin(), points.begin() + static_cast<std::ptrdiff_t>(head), std::string{}) + "..";
    shown = std::accumulate(points.end() - static_cast<std::ptrdiff_t>(tail), points.end(), shown);
  }
  return shown + std::string(width - std::min(width, columns_of(shown)), ' ');
}

std::string wrapped(const std::string& text) {
  std::string lines, line;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (!line.empty() && columns_of(line) + 1 + columns_of(word) > 100) {
      lines += line + '\n';
      line = "  " + word;
    } else {
      line += (line.empty() ? "" : " ") + word;
    }
  }
  return lines + line + '\n';
}

std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

}  // namespace accsim::cli
