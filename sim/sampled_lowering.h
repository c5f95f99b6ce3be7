// A sample of a lowered pass: some of its rows and columns, evenly spaced, as a pass of its own.
#pragma once

#include <algorithm>

#include "sim/lowering.h"

namespace accsim::sim {

/// Of each group as many rows as `outputs` allows with all columns; fewer columns only where one row has too many outputs. At least one
/// output a group. Outputs are numbered anew, in a result [batch, rows, columns]. `whole` has to outlive it.
class SampledLowering : public Lowering {
 public:
  SampledLowering(const Lowering& whole, std::int64_t outputs) : whole_(whole) {
    const std::int64_t of_group = std::max<std::int64_t>(1, outputs / whole.batch);
    n = std::min(whole.n, of_group);
    m = std::min(whole.m, std::max<std::int64_t>(1, of_group / n));
    k = whole.k;
    batch = whole.batch;
    output_shape = {batch, m, n};
  }

  void a_row(std::int64_t group, std::int64_t row, std::span<std::int64_t> elements) const override {
    whole_.a_row(group, row * whole_.m / m, elements);
  }
  void b_row(std::int64_t group, std::int64_t column, std::span<std::int64_t> elements) const override {
    whole_.b_row(group, column * whole_.n / n, elements);
  }
  [[nodiscard]] std::int64_t output_element(std::int64_t group, std::int64_t row, std::int64_t column) const override {
    return (group * m + row) * n + column;
  }

 private:
  const Lowering& whole_;
};

}  // namespace accsim::sim
