#include "cli/sweep_table.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>

#include "cli/table_text.h"

namespace accsim::cli {
namespace {

constexpr std::size_t name_columns = 30;

std::string cell(const sim::StatisticValue& value) {
  struct Visitor {
    std::string operator()(std::monostate) const { return "-"; }
    std::string operator()(std::int64_t v) const { return rough(v); }
    std::string operator()(double v) const {
      if (std::isinf(v)) return v > 0 ? "exact" : "-inf";
      const double magnitude = std::abs(v);
      return magnitude == 0 || (magnitude >= 0.01 && magnitude < 1e4) ? fmt::format("{:.2f}", v) : fmt::format("{:.1e}", v);
    }
  };
  return std::visit(Visitor{}, value);
}

std::string row_name(const LayerReport& layer) { return layer.pass == "fprop" ? layer.name : layer.name + " " + layer.pass; }

/// As many cells as columns, each at least `narrowest` wide and apart from the one before it.
void write_cells(std::ostream& out, const std::string& name, const std::vector<std::string>& cells, std::size_t width) {
  out << fitted(name, name_columns);
  for (const std::string& text : cells) out << std::string(width - std::min(width, columns_of(text)), ' ') << text;
  out << '\n';
}

std::size_t widest(const std::vector<std::string>& texts, std::size_t narrowest) {
  std::size_t width = narrowest;
  for (const std::string& text : texts) width = std::max(width, columns_of(text) + 2);
  return width;
}

}  // namespace

std::vector<std::string> SweepReport::values_of(std::size_t run) const {
  std::vector<std::string> values(axes.size());
  for (std::size_t i = axes.size(); i-- > 0;) {
    values[i] = axes[i].values[run % axes[i].values.size()];
    run /= axes[i].values.size();
  }
  return values;
}

bool is_integer_sweep(const SweepReport& report) {
  return std::all_of(report.runs.begin(), report.runs.end(), [](const RunReport& run) {
    return std::all_of(run.layers.begin(), run.layers.end(), [](const LayerReport& layer) { return layer.result.has_bits; });
  });
}

void write_first_exact(std::ostream& out, const SweepReport& report) {
  const std::vector<std::string>& inner = report.axes.back().values;
  const std::size_t combinations = report.runs.size() / inner.size();
  std::size_t width = widest(inner, 8);
  for (std::size_t i = 0; i + 1 < report.axes.size(); ++i) width = widest(report.axes[i].values, width);
  out << "smallest " << report.axes.back().key << " from which on every output is the exact sum, of " << inner.front() << " to "
      << inner.back() << '\n';
  for (std::size_t i = 0; i + 1 < report.axes.size(); ++i) {
    std::vector<std::string> head;
    for (std::size_t c = 0; c < combinations; ++c) head.push_back(report.values_of(c * inner.size())[i]);
    write_cells(out, report.axes[i].key, head, width);
  }
  const auto name_of_value = [&](std::size_t first) { return first < inner.size() ? inner[first] : std::string("-"); };
  std::vector<std::size_t> all(combinations, 0);
  for (std::size_t row = 0; row < report.runs.front().layers.size(); ++row) {
    std::vector<std::string> cells;
    for (std::size_t c = 0; c < combinations; ++c) {
      std::size_t first = inner.size();
      while (first > 0 && report.runs[c * inner.size() + first - 1].layers[row].result.events[sim::Event::outputs_inexact] == 0) --first;
      all[c] = std::max(all[c], first);
      cells.push_back(name_of_value(first));
    }
    write_cells(out, row_name(report.runs.front().layers[row]), cells, width);
  }
  std::vector<std::string> cells;
  cells.reserve(all.size());
  for (const std::size_t first : all) cells.push_back(name_of_value(first));
  write_cells(out, fmt::format("all ({} rows)", report.runs.front().layers.size()), cells, width);
}

void write_statistic(std::ostream& out, const SweepReport& report, std::size_t statistic) {
  const std::vector<std::string>& inner = report.axes.back().values;
  const sim::StatisticRow& row_of_statistic = sim::statistic_rows()[statistic];
  const std::size_t width = widest(inner, 8);
  for (std::size_t first = 0; first < report.runs.size(); first += inner.size()) {
    out << flat_name(row_of_statistic) << (row_of_statistic.unit.empty() ? "" : fmt::format(" ({})", row_of_statistic.unit));
    const std::vector<std::string> values = report.values_of(first);
    for (std::size_t i = 0; i + 1 < report.axes.size(); ++i) out << (i == 0 ? " with " : ", ") << report.axes[i].key << " = " << values[i];
    out << '\n';
    write_cells(out, report.axes.back().key, inner, width);
    for (std::size_t row = 0; row < report.runs.front().layers.size(); ++row) {
      std::vector<std::string> cells;
      for (std::size_t i = 0; i < inner.size(); ++i) cells.push_back(cell(report.runs[first + i].layers[row].result.statistics[statistic]));
      write_cells(out, row_name(report.runs.front().layers[row]), cells, width);
    }
  }
}

}  // namespace accsim::cli
