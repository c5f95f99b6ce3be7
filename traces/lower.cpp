// The list of ops.
#include "traces/lower.h"

#include <algorithm>

#include "formats/error.h"

namespace accsim::traces {

std::span<const Op> ops() {
  static const std::vector<Op> all = {
      {"linear", plan_linear, {"input", "weight", "bias", "output", "grad_output", "grad_input", "grad_weight"}},
      {"matmul", plan_matmul, {"a", "b", "output", "grad_output", "grad_a", "grad_b"}},
      {"conv2d", plan_conv2d, {"input", "weight", "bias", "output", "grad_output", "grad_input", "grad_weight"}},
  };
  return all;
}

Plan plan(const LayerGroup& layer, sim::Pass pass) {
  const std::string name = layer.op();
  const auto op = std::find_if(ops().begin(), ops().end(), [&](const Op& o) { return o.name == name; });
  if (op != ops().end()) {
    (void)layer.loss_scale();
    return op->plan(layer, pass);
  }
  std::vector<std::string> names;
  for (const Op& o : ops()) names.emplace_back(o.name);
  std::string accepted;
  for (const std::string& known : names) accepted += (accepted.empty() ? "" : ", ") + known;
  throw InputError(h5::quoted("attribute", "op"), "\"" + name + "\"", accepted + nearest_names(name, names));
}

void expect_grad_output(const LayerGroup& layer, const Shape& output, std::string_view axes) {
  if (!layer.has("grad_output")) {
    throw InputError(h5::quoted("dataset", "grad_output"), "missing", "a dataset " + shape_text(output) + ", " + std::string(axes));
  }
  layer.expect_shape("grad_output", output, axes);
}

}  // namespace accsim::traces
