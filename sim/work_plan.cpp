#include "sim/work_plan.h"

#include <algorithm>

namespace accsim::sim {
namespace {

constexpr std::int64_t stage_bytes = std::int64_t{32} << 20;
constexpr std::int64_t task_bytes = std::int64_t{8} << 20;
constexpr std::int64_t panels_a_stage = 256;

std::int64_t parts(std::int64_t whole, std::int64_t part) { return (whole + part - 1) / part; }
std::int64_t to_eight(std::int64_t n) { return (n + 7) / 8 * 8; }

}  // namespace

void in_stages(const WorkShape& shape, const std::function<void(const WorkStage&)>& run) {
  const Lowering& l = *shape.lowering;
  const std::int64_t k = std::max<std::int64_t>(1, l.k);
  std::int64_t panel_columns = stage_bytes / (k * shape.bytes_b);
  if (panel_columns >= 8) panel_columns = panel_columns / 8 * 8;
  panel_columns = std::clamp<std::int64_t>(panel_columns, 1, l.n);
  const std::int64_t panels_a_group = parts(l.n, panel_columns);
  const std::int64_t panels_at_once =
      std::clamp<std::int64_t>(stage_bytes / (k * shape.bytes_b * panel_columns), 1, std::min(panels_a_stage, panels_a_group * l.batch));

  std::int64_t rows = std::min(l.m, std::clamp<std::int64_t>(task_bytes / (k * shape.bytes_a), 1, shape.is_slow ? 64 : 128));
  std::int64_t columns = panel_columns;
  const auto tasks = [&] { return parts(l.m, rows) * parts(panel_columns, columns) * panels_at_once; };
  while (shape.threads > 1 && tasks() < std::int64_t{8} * shape.threads && (rows > 8 || columns > 8)) {
    if (rows >= columns || columns <= 8) rows = rows > 8 ? std::min(rows - 1, to_eight((rows + 1) / 2)) : rows;
    else columns = std::min(columns - 1, to_eight((columns + 1) / 2));
  }

  WorkStage stage;
  const auto flush = [&] {
    if (!stage.panels.empty()) run(stage);
    stage = {};
  };
  for (std::int64_t g = 0; g < l.batch; ++g) {
    for (std::int64_t p = 0; p < l.n; p += panel_columns) {
      const WorkPanel panel{g, p, std::min(panel_columns, l.n - p)};
      for (std::int64_t r = 0; r < l.m; r += rows) {
        for (std::int64_t c = 0; c < panel.columns; c += columns)
          stage.tasks.push_back({stage.panels.size(), r, std::min(rows, l.m - r), c, std::min(columns, panel.columns - c)});
      }
      stage.panels.push_back(panel);
      if (static_cast<std::int64_t>(stage.panels.size()) == panels_at_once) flush();
    }
  }
  flush();
}

void in_output_order(const Lowering& l, const std::function<void(const WorkStage&)>& run) {
  struct Place {
    std::int64_t group, row, column;
  };
  std::vector<Place> places(static_cast<std::size_t>(l.m * l.n * l.batch));
  for (std::int64_t g = 0; g < l.batch; ++g) {
    for (std::int64_t r = 0; r < l.m; ++r) {
      for (std::int64_t c = 0; c < l.n; ++c) places[static_cast<std::size_t>(l.output_element(g, r, c))] = {g, r, c};
    }
  }
  for (const Place& p : places) run({.panels = {{p.group, p.column, 1}}, .tasks = {{0, p.row, 1, 0, 1}}});
}

}  // namespace accsim::sim
