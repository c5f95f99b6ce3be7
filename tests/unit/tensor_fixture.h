// Tensors and special values for the tests of sim.
#pragma once

#include <limits>
#include <vector>

#include "sim/tensor.h"

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// Of one dimension.
inline accsim::sim::Tensor tensor(std::vector<double> values) {
  accsim::sim::Tensor t;
  t.shape = {static_cast<std::int64_t>(values.size())};
  t.values = accsim::sim::Values(accsim::sim::Values::Storage(std::move(values)));
  return t;
}
