// What a run reports, as rows: name, unit and meaning of every statistic, and the counters behind the events (contracts 4).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace accsim::sim {

/// Event counters, in the order of the report.
enum class Event {
  product_overflow,
  product_underflow,
  product_inexact,
  sum_overflow,
  sum_underflow,
  sum_inexact,
  swamped,
  invalid,
  outputs_overflowed,
  outputs_transient_overflow,
  outputs_persistent_overflow,
  nonfinite_outputs,
  outputs_inexact,
};
constexpr std::size_t event_count = 13;

struct EventCounts {
  std::array<std::int64_t, event_count> counts{};
  std::int64_t& operator[](Event e) { return counts[static_cast<std::size_t>(e)]; }
  std::int64_t operator[](Event e) const { return counts[static_cast<std::size_t>(e)]; }
  /// True where every rounding delivered the exact value.
  [[nodiscard]] bool every_step_was_exact() const {
    const EventCounts& e = *this;
    return e[Event::product_inexact] == 0 && e[Event::product_overflow] == 0 && e[Event::sum_inexact] == 0 && e[Event::sum_overflow] == 0 &&
           e[Event::invalid] == 0;
  }
  void merge(const EventCounts& other) {
    for (std::size_t i = 0; i < event_count; ++i) counts[i] += other.counts[i];
  }
  bool operator==(const EventCounts&) const = default;
};

/// Where a statistic stands in a layer's JSON object.
enum class StatisticGroup { events, error, quantization, total, range, bits, cycles };

/// How the values of two parts of a layer become one.
enum class Merge { sum, maximum, derived };

struct StatisticRow {
  StatisticGroup group;
  std::string_view name;
  std::string_view unit;
  Merge merge;
  std::string_view meaning;
};
/// All rows, in the order of the report.
std::span<const StatisticRow> statistic_rows();
/// The place of a statistic among them; std::logic_error where there is none.
std::size_t statistic_index(StatisticGroup group, std::string_view name);
std::string_view name_of(StatisticGroup group);

/// A statistic's value; monostate where it is undefined (JSON null). Infinities are values.
using StatisticValue = std::variant<std::monostate, std::int64_t, double>;

}  // namespace accsim::sim
