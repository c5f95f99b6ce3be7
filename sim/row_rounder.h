// The outputs of a tile's rows rounded on lanes, where lanes decide every number of them.
#pragma once

#include <vector>

#include "sim/kernels/batch_sums.h"
#include "sim/product_rows.h"

namespace accsim::sim {

/// What the columns of a tile have in common for all its rows, laid out for the lanes.
class RowRounder {
 public:
  /// `lanes` may be null: no output is done then. `traced`: the signal is not the reference.
  RowRounder(const kernels::BatchLanes* lanes, std::int64_t columns, bool traced);

  /// The integers of a column, as seen and (null: not used) as traced.
  void set_integers(std::int64_t column, const ProductRows::Row& seen, const ProductRows::Row* traced);
  /// The scales of a column's outputs: of all, and of the dataset alone.
  void set_scales(std::int64_t column, const formats::Exact& real, const formats::Exact& dataset);
  void copy_scales(std::int64_t from, std::int64_t to);

  /// One row: outputs y against exact sums, and their signals against the traced ones (null: none). What `done()` does not mark has to be
  /// done otherwise.
  const kernels::RoundedRow& round(const double* y, const formats::Int128* sums, const ProductRows::Row& row,
                                   const formats::Int128* traced_sums, const ProductRows::Row* traced_row,
                                   const std::vector<double>& inverse_spacings);

 private:
  using Numbers = std::vector<double>;
  [[nodiscard]] bool are_powers() const;
  void set_scale(std::int64_t column, const formats::Exact& scale, Numbers& high, Numbers& low);

  const kernels::BatchLanes* lanes_;
  std::int64_t whole_;  ///< columns that fill lanes
  bool traced_;
  bool powers_of_two_ = false, powers_known_ = false;
  Numbers units_, traced_units_, scale_high_, scale_low_, dataset_high_, dataset_low_;
  Numbers error_, reference_, y_, signal_, quantization_noise_, total_noise_;
  std::vector<char> done_;
  kernels::RoundedRow row_;
};

}  // namespace accsim::sim
