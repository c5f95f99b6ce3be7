#include "cli/sweep_axis.h"

#include <cctype>

#include "cli/command.h"
#include "formats/text.h"

namespace accsim::cli {
namespace {

constexpr std::int64_t most_values = 256;

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }

/// Runs of digits, and what stands between them.
std::vector<std::string> runs_of(const std::string& text) {
  std::vector<std::string> runs;
  for (const char c : text) {
    if (runs.empty() || is_digit(runs.back().front()) != is_digit(c)) runs.emplace_back();
    runs.back() += c;
  }
  return runs;
}

void add_values(const std::string& where, const std::string& text, std::vector<std::string>& values) {
  const std::size_t dots = text.find("..");
  if (dots == std::string::npos) {
    values.push_back(text);
    return;
  }
  const std::vector<std::string> from = runs_of(text.substr(0, dots));
  const std::vector<std::string> to = runs_of(text.substr(dots + 2));
  std::size_t differing = from.size();
  std::size_t differences = from.size() == to.size() ? 0 : 2;
  for (std::size_t i = 0; differences < 2 && i < from.size(); ++i) {
    if (from[i] == to[i]) continue;
    differing = i;
    ++differences;
  }
  if (differences == 0) {
    values.push_back(text.substr(0, dots));
    return;
  }
  const auto first = differences == 1 ? parse_integer(from[differing]) : std::nullopt;
  const auto last = differences == 1 ? parse_integer(to[differing]) : std::nullopt;
  if (!first || !last || *last < *first || *last - *first >= most_values) {
    throw UsageError(where + ": \"" + text + "\"; accepted: FROM..TO that differ in one whole number, ascending, at most " +
                     std::to_string(most_values) + " values, for example int10..int20");
  }
  for (std::int64_t v = *first; v <= *last; ++v) {
    std::string value;
    for (std::size_t i = 0; i < from.size(); ++i) value += i == differing ? std::to_string(v) : from[i];
    values.push_back(value);
  }
}

}  // namespace

SweepAxis parse_sweep_axis(const std::string& text) {
  const std::string where = "--over " + text;
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) throw UsageError(where + ": no KEY=VALUES; for example reduction.0.format=int10..int20");
  SweepAxis axis{.key = text.substr(0, equals), .values = {}};
  const std::string list = text.substr(equals + 1);
  for (const std::string& value : split(list, list.find(';') != std::string::npos ? ';' : ',')) {
    if (trimmed(value).empty()) throw UsageError(where + ": an empty value");
    add_values(where, std::string(trimmed(value)), axis.values);
  }
  return axis;
}

}  // namespace accsim::cli
