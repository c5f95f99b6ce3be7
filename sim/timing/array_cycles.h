// Cycles of a layer on the datapath's [array], by formula (contracts 6; online.md 6.4). array_stepper.h steps the same cell by cell.
#pragma once

#include <cstdint>
#include <optional>

#include "sim/statistics.h"
#include "sim/timing/schedule.h"

namespace accsim::sim {

/// A layer's cycles: every fold, a piece of the layer as large as the array, is drained before the next.
struct LayerCycles {
  std::int64_t total = 0;
  double utilization = 0;  ///< macs / (rows cols total); an element that takes several terms a cycle can pass 1
  std::int64_t folds = 0;
  std::int64_t fold = 0;                  ///< cycles of one fold = fill + what streams + drain
  std::int64_t fill = 0;                  ///< of a fold: weights are loaded, operands reach the last element
  std::int64_t drain = 0;                 ///< of a fold: results leave after the last one is registered
  std::optional<std::int64_t> scale_sim;  ///< what SCALE-Sim counts for an os or ws array of this size: os without the drain
};

/// m x n outputs of k terms in each of `batch` groups, all at least 1. Without [array] a single unit makes one output after the other.
LayerCycles layer_cycles(const Datapath& datapath, std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t batch);

/// A statistic of the group `cycles`; monostate where there are none, or no such count.
StatisticValue cycle_statistic(const std::optional<LayerCycles>& cycles, std::string_view name);

/// The element that makes output (row, column) of a group: os row by row of the array, ws and tree the number of the column.
/// Seeds the generators of rng=lfsr with share=pe (contracts 1.3).
std::int64_t pe_index(const Array& array, std::int64_t row, std::int64_t column);

}  // namespace accsim::sim
