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

  const std::int64_t rows = std::min(l.m, std::clamp<std::int64_t>(task_bytes / (k * shape.bytes_a), 1, shape.is_slow ? 64 : 128));
  std::int64_t columns = panel_columns;
  const std::int64_t several = std::int64_t{8} * shape.threads;
  while (shape.threads > 1 && columns > 8 && parts(l.m, 8) * parts(panel_columns, columns) * panels_at_once < several)
    columns = std::min(columns - 1, to_eight((columns + 1) / 2));

  WorkStage stage;
  const auto flush = [&] {
    if (stage.panels.empty()) return;
    std::int64_t left = static_cast<std::int64_t>(stage.panels.size()) * l.m;
    for (std::size_t p = 0; p < stage.panels.size(); ++p) {
      for (std::int64_t r = 0; r < l.m;) {
        const std::int64_t share = std::max<std::int64_t>(16, to_eight(parts(left, std::int64_t{2} * shape.threads)));
        const std::int64_t n = std::min(shape.threads > 1 ? std::min(rows, share) : rows, l.m - r);
        for (std::int64_t c = 0; c < stage.panels[p].columns; c += columns)
          stage.tasks.push_back({p, r, n, c, std::min(columns, stage.panels[p].columns - c)});
        r += n;
        left -= n;
      }
    }
    run(stage);
    stage = {};
  };
  for (std::int64_t g = 0; g < l.batch; ++g) {
    for (std::int64_t p = 0; p < l.n; p += panel_columns) {
      stage.panels.push_back({g, p, std::min(panel_columns, l.n - p)});
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
