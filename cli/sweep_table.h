// A sweep's results, and its tables for a terminal.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "cli/run_report.h"
#include "cli/sweep_axis.h"

namespace accsim::cli {

struct SweepReport {
  std::vector<SweepAxis> axes;  ///< at least one
  std::vector<RunReport> runs;  ///< one for each combination, the last axis varying fastest; the same layers in all
  /// The value of each axis in a run.
  [[nodiscard]] std::vector<std::string> values_of(std::size_t run) const;
};

/// True where every layer of every run has an integer datapath, whose outputs can be exact.
bool is_integer_sweep(const SweepReport& report);

/// A row a layer and pass, a column for each combination of all axes but the last: the first value of the last axis from which on no
/// output is inexact, "-" where there is none.
void write_first_exact(std::ostream& out, const SweepReport& report);

/// For each combination of all axes but the last a table of one statistic: a row a layer and pass, a column a value.
void write_statistic(std::ostream& out, const SweepReport& report, std::size_t statistic);

}  // namespace accsim::cli
