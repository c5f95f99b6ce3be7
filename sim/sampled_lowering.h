// A sample of a lowered pass: some of its rows and columns, evenly spaced, as a pass of its own.
#pragma once

#include <algorithm>

#include "sim/lowering.h"

namespace accsim::sim {

/// Of each group as many rows as `outputs` allows with all columns; fewer columns only where one row has too many outputs. At least one
/// output a group. Outputs keep their numbers in the result of `whole`, and so their random bits; what simulate() keeps has that shape,
/// NaN where there is no output of the sample. `whole` has to outlive it.
class SampledLowering : public Lowering {
 public:
  SampledLowering(const Lowering& whole, std::int64_t outputs) : whole_(whole) {
    const std::int64_t of_group = std::max<std::int64_t>(1, outputs / whole.batch);
    n = std::min(whole.n, of_group);
    m = std::min(whole.m, std::max<std::int64_t>(1, of_group / n));
    k = whole.k;
    batch = whole.batch;
    output_shape = whole.output_shape;
  }

  void a_row(std::int64_t group, std::int64_t row, std::span<std::int64_t> elements) const override {
    whole_.a_row(group, whole_row(row), elements);
  }
  void b_row(std::int64_t group, std::int64_t column, std::span<std::int64_t> elements) const override {
    whole_.b_row(group, whole_column(column), elements);
  }
  [[nodiscard]] std::int64_t output_element(std::int64_t group, std::int64_t row, std::int64_t column) const override {
    return whole_.output_element(group, whole_row(row), whole_column(column));
  }

 private:
  [[nodiscard]] std::int64_t whole_row(std::int64_t row) const { return row * whole_.m / m; }
  [[nodiscard]] std::int64_t whole_column(std::int64_t column) const { return column * whole_.n / n; }

  const Lowering& whole_;
};

}  // namespace accsim::sim
