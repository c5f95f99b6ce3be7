// An output-stationary array clock by clock with its values: skewed operands, a unit in every cell, sums that leave down the columns.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "sim/timing/clocked_unit.h"

namespace accsim::sim {

class ClockedArray {
 public:
  /// InputError where the datapath has no [array] of dataflow os, or an issue takes several terms.
  explicit ClockedArray(const Datapath& datapath);

  [[nodiscard]] std::int64_t rows() const { return rows_; }
  [[nodiscard]] std::int64_t cols() const { return cols_; }
  [[nodiscard]] const IssueModel& model() const { return cells_.front()->model(); }
  /// Terms that are offered are taken at the edge: no sums are on their way out.
  [[nodiscard]] bool is_ready() const { return !leaving_ && cells_.front()->outputs(true).ready; }
  /// The row of results that leaves after the last edge, the lowest one first; empty: none.
  [[nodiscard]] const std::vector<formats::Code>& leaving() const { return out_; }
  [[nodiscard]] std::uint64_t edges() const { return edges_; }
  /// The row of the array that `leaving` came from.
  [[nodiscard]] std::int64_t leaving_row() const { return drained_; }

  /// The rising edge: term k of every row (a) and column (b), unskewed; cell (i, j) sees it i + j cycles later. `first` and `last` as in
  /// UnitControl; `ready`, `subtract` and `rm` have no meaning.
  void clock(const UnitControl& control, const std::vector<formats::Code>& a, const std::vector<formats::Code>& b);

 private:
  /// What moves from cell to cell.
  struct Operand {
    UnitControl control;
    formats::Code code = 0;
  };
  void reset();

  std::int64_t rows_ = 1, cols_ = 1;
  std::vector<std::unique_ptr<ClockedUnit>> cells_;  ///< row by row
  std::vector<std::deque<Operand>> left_edge_, top_edge_;
  std::vector<Operand> left_, top_;  ///< what each cell held in the last cycle
  std::vector<formats::Code> sums_;
  bool leaving_ = false;      ///< from the last term until the sums have left
  std::int64_t drained_ = 0;  ///< rows still to leave
  std::vector<formats::Code> out_;
  std::uint64_t edges_ = 0;
};

}  // namespace accsim::sim
