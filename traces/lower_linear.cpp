// linear: output[..., n] = sum over k of input[..., k] * weight[n, k] (+ bias[n]).
#include "formats/error.h"
#include "traces/lower.h"
#include "traces/lower_strided.h"

namespace accsim::traces {
namespace {

struct LinearLayer {
  Shape input, output;  ///< [..., K], [..., N]
  std::int64_t rows = 1, n = 0, k = 0;
};

LinearLayer read_linear(const LayerGroup& layer) {
  LinearLayer l;
  l.input = layer.shape("input", 1, most_rank, "[..., K]");
  const Shape weight = layer.shape("weight", 2, 2, "[N, K]");
  l.n = weight[0];
  l.k = weight[1];
  if (l.input.back() != l.k) {
    throw InputError("", "weight has K=" + std::to_string(l.k) + ", input gives " + std::to_string(l.input.back()) + " (its last axis)",
                     "input [..., K] and weight [N, K] of one K; found " + shape_text(l.input) + " and " + shape_text(weight));
  }
  l.rows = element_count(l.input).value_or(0) / l.k;
  l.output = l.input;
  l.output.back() = l.n;
  (void)checked_product(checked_product(l.rows, l.n, "outputs"), l.k, "MACs");
  layer.expect_shape("bias", {l.n}, "[N]");
  layer.expect_shape("output", l.output, "[..., N]");
  return l;
}

/// All axes but the last.
std::vector<SummedAxis> leading_axes(const Shape& shape) {
  std::vector<SummedAxis> axes;
  for (std::size_t d = 0; d + 1 < shape.size(); ++d) axes.push_back({static_cast<int>(d), shape[d]});
  return axes;
}

std::vector<SummedAxis> last_axis(const Shape& shape) { return {{static_cast<int>(shape.size()) - 1, shape.back()}}; }

Plan fprop(const LayerGroup& layer, const LinearLayer& l) {
  Plan plan;
  plan.a = {"input", last_axis(l.input)};
  plan.b = {"weight", {{1, l.k}}};
  if (layer.has("bias")) plan.bias = "bias";
  plan.lowering =
      std::make_unique<StridedLowering>(l.rows, l.n, l.k, 1, OperandStrides{.line = l.k, .term = 1}, OperandStrides{.line = l.k, .term = 1},
                                        OutputStrides{.row = l.n, .column = 1}, l.output);
  return plan;
}

/// grad_input[row, k] = sum over n of grad_output[row, n] * weight[n, k].
Plan dgrad(const LayerGroup& layer, const LinearLayer& l) {
  layer.expect_shape("grad_input", l.input, "the shape of input");
  Plan plan;
  plan.a = {"grad_output", last_axis(l.output)};
  plan.b = {"weight", {{0, l.n}}};
  plan.lowering =
      std::make_unique<StridedLowering>(l.rows, l.k, l.n, 1, OperandStrides{.line = l.n, .term = 1}, OperandStrides{.line = 1, .term = l.k},
                                        OutputStrides{.row = l.k, .column = 1}, l.input);
  return plan;
}

/// grad_weight[n, k] = sum over rows of grad_output[row, n] * input[row, k].
Plan wgrad(const LayerGroup& layer, const LinearLayer& l) {
  layer.expect_shape("grad_weight", {l.n, l.k}, "the shape of weight");
  Plan plan;
  plan.a = {"grad_output", leading_axes(l.output)};
  plan.b = {"input", leading_axes(l.input)};
  plan.lowering =
      std::make_unique<StridedLowering>(l.n, l.k, l.rows, 1, OperandStrides{.line = 1, .term = l.n}, OperandStrides{.line = 1, .term = l.k},
                                        OutputStrides{.row = l.k, .column = 1}, Shape{l.n, l.k});
  return plan;
}

}  // namespace

Plan plan_linear(const LayerGroup& layer, sim::Pass pass) {
  const LinearLayer l = read_linear(layer);
  if (pass != sim::Pass::fprop) expect_grad_output(layer, l.output, "the shape of output");
  switch (pass) {
    case sim::Pass::fprop: return fprop(layer, l);
    case sim::Pass::dgrad: return dgrad(layer, l);
    case sim::Pass::wgrad: return wgrad(layer, l);
  }
  return {};
}

}  // namespace accsim::traces
