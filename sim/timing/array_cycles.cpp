#include "sim/timing/array_cycles.h"

#include "sim/timing/unit_cycles.h"

namespace accsim::sim {
namespace {

std::int64_t ceil_div(std::int64_t x, std::int64_t y) { return (x + y - 1) / y; }

/// A row's operands enter a cycle later than those of the row above, and so do columns; sums leave down the columns, one row a cycle.
void output_stationary(const Datapath& d, std::int64_t m, std::int64_t n, std::int64_t k, LayerCycles& c) {
  const Array& array = *d.array;
  c.folds = ceil_div(m, array.rows) * ceil_div(n, array.cols);
  c.fill = array.rows + array.cols - 2;
  c.drain = array.rows;
  c.fold = c.fill + unit_cycles(d, k) + c.drain;
  c.scale_sim = c.folds * (array.rows + array.cols + k - 2);
}

/// R cycles load the weights; m rows of operands stream, each array row later by an adder's latency; sums flow down.
void weight_stationary(const Datapath& d, std::int64_t m, std::int64_t n, std::int64_t k, LayerCycles& c) {
  const Array& array = *d.array;
  const Schedule s = schedule_of(d, k);
  const Timing t = timing_of(d);
  c.folds = ceil_div(s.blocks.front().issues(), array.rows) * ceil_div(n, array.cols);
  c.fill = array.rows + (array.rows - 1) * s.blocks.front().latency + array.cols - 1;
  std::int64_t foot = s.output;
  for (std::size_t i = 1; i < s.blocks.size(); ++i) foot += s.blocks[i].latency;
  c.fold = c.fill + (m - 1) * t.interval.value_or(1) + s.before + s.blocks.front().latency + foot;
  c.drain = foot;
  c.scale_sim = c.folds * (2 * array.rows + array.cols + m - 2);
}

}  // namespace

LayerCycles layer_cycles(const Datapath& d, std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t batch) {
  LayerCycles c;
  std::int64_t elements = 1;
  if (!d.array) {
    c.folds = m * n;
    c.fold = unit_cycles(d, k);
  } else {
    elements = d.array->rows * d.array->cols;
    switch (d.array->dataflow) {
      case Dataflow::os: output_stationary(d, m, n, k, c); break;
      case Dataflow::ws: weight_stationary(d, m, n, k, c); break;
      case Dataflow::tree:
        c.folds = m * ceil_div(n, d.array->cols);
        c.fold = unit_cycles(d, k);
        break;
    }
  }
  c.folds *= batch;
  c.total = c.folds * c.fold;
  if (c.scale_sim) *c.scale_sim *= batch;
  const double macs = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) * static_cast<double>(batch);
  c.utilization = macs / (static_cast<double>(elements) * static_cast<double>(c.total));
  return c;
}

StatisticValue cycle_statistic(const std::optional<LayerCycles>& cycles, std::string_view name) {
  if (!cycles) return std::monostate{};
  if (name == "total") return cycles->total;
  if (name == "utilization") return cycles->utilization;
  if (name == "folds") return cycles->folds;
  if (name == "fold") return cycles->fold;
  if (name == "fill") return cycles->fill;
  if (name == "drain") return cycles->drain;
  return cycles->scale_sim ? StatisticValue(*cycles->scale_sim) : StatisticValue();
}

std::int64_t pe_index(const Array& array, std::int64_t row, std::int64_t column) {
  switch (array.dataflow) {
    case Dataflow::os: return row % array.rows * array.cols + column % array.cols;
    case Dataflow::ws:
    case Dataflow::tree: return column % array.cols;
  }
  return 0;
}

}  // namespace accsim::sim
