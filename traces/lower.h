// The ops of a trace: which datasets they have, and how each pass becomes dot products (contracts 2).
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/lowering.h"
#include "traces/layer_group.h"
#include "traces/tensor_reader.h"

namespace accsim::traces {

/// An operand of a pass: a dataset, and the axes that the pass sums over.
struct Operand {
  std::string dataset;
  std::vector<SummedAxis> summed;
};

constexpr std::size_t most_rank = 32;  ///< HDF5's own limit, H5S_MAX_RANK

/// All about a layer's pass but the data.
struct Plan {
  Operand a, b;
  std::optional<std::string> bias;
  std::unique_ptr<sim::Lowering> lowering;
};

/// Each checks the layer as a whole and what the pass takes; InputError names dataset or attribute.
Plan plan_linear(const LayerGroup& layer, sim::Pass pass);
Plan plan_matmul(const LayerGroup& layer, sim::Pass pass);
Plan plan_conv2d(const LayerGroup& layer, sim::Pass pass);

struct Op {
  std::string_view name;
  Plan (*plan)(const LayerGroup& layer, sim::Pass pass);
  std::vector<std::string> datasets;  ///< in the order in which they are shown
};
std::span<const Op> ops();

/// The plan of a layer by its `op`. InputError for an op that there is none of, and whatever else is wrong.
Plan plan(const LayerGroup& layer, sim::Pass pass);

/// InputError where a gradient pass has no `grad_output`, or one of another shape than the layer's output.
void expect_grad_output(const LayerGroup& layer, const Shape& output, std::string_view axes);

}  // namespace accsim::traces
