// How a layer is cut into work: panels of columns that are packed once, tasks of rows that run against them.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "sim/lowering.h"

namespace accsim::sim {

/// Columns of one group.
struct WorkPanel {
  std::int64_t group = 0, column = 0, columns = 0;
};
/// Rows of a panel's group, and columns counted from the panel's first.
struct WorkTask {
  std::size_t panel = 0;  ///< of the stage
  std::int64_t row = 0, rows = 0, column = 0, columns = 0;
};
/// Panels that are in memory together, and all tasks on them, in any order.
struct WorkStage {
  std::vector<WorkPanel> panels;
  std::vector<WorkTask> tasks;
};

struct WorkShape {
  const Lowering* lowering = nullptr;
  std::int64_t bytes_a = 0, bytes_b = 0;  ///< of a packed term
  int threads = 1;
  bool is_slow = false;  ///< a tile of the size for kernels would take minutes

  /// Columns that an executor is given at once.
  [[nodiscard]] std::int64_t tile_columns() const { return is_slow ? 64 : 512; }
};

/// Cuts a layer so that a stage's panels take about 32 MB and a task's rows about 8 MB. Between threads a stage's tasks become smaller
/// towards its end, so that all threads end together (guided self-scheduling, Polychronopoulos and Kuck 1987, doi 10.1109/TC.1987.5009495).
/// A task has at least 16 rows where there are so many: what is done once for a tile stays a small part. Firsts of rows and columns within
/// a panel are multiples of eight.
void in_stages(const WorkShape& shape, const std::function<void(const WorkStage&)>& stage);

/// One output a stage, in the result's row-major order.
void in_output_order(const Lowering& lowering, const std::function<void(const WorkStage&)>& stage);

}  // namespace accsim::sim
