#include "cli/precision_assignment.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "cli/recipe_replay.h"
#include "formats/error.h"
#include "sim/exact_sum.h"

namespace accsim::cli {
namespace {

using sim::FixedPoint;
using sim::Pass;
using traces::LayerInfo;

std::string list_of(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

/// The layers selected, those of one name together, steps in order.
std::vector<LayerAssignment> layers_over_steps(const traces::TraceFile& trace, const std::vector<std::string>& globs) {
  LayerSelection selection;
  selection.globs = globs;
  std::vector<LayerAssignment> layers;
  std::map<std::string, std::size_t> place;
  for (const Job& job : jobs_of(trace, selection)) {
    const std::string name = name_in_step(*job.layer);
    const auto [found, is_new] = place.emplace(name, layers.size());
    if (is_new) {
      layers.push_back({});
      layers.back().name = name;
      layers.back().op = job.layer->op;
    }
    LayerAssignment& layer = layers[found->second];
    if (!layer.steps.empty() && job.layer->step <= layer.steps.back()->step)
      throw InputError(trace.path().string() + ": layer \"" + job.layer->name + "\"",
                       "steps out of order: " + job.layer->name + " after " + layer.steps.back()->name,
                       "steps in execution order that increase");
    layer.steps.push_back(job.layer);
  }
  return layers;
}

double variance_of(const sim::Values& values) {
  sim::Moments moments;
  for (std::int64_t i = 0; i < values.size(); ++i) {
    const double x = values.number(i);
    if (std::isfinite(x)) moments.add(x);
  }
  return moments.count == 0 ? 0 : to_double(moments.variance());
}

/// The largest singular value of the elementwise-squared Jacobian of the weight gradient by the output gradient. G_W[o, j] = sum over k of
/// G_A[o, k] x[j, k], x the columns of the lowered weight-gradient pass, so it is that of the matrix x^2, the largest over the groups; by
/// power iteration, which cannot miss it: the matrix has no negative element.
double squared_jacobian_norm(const traces::LayerPass& pass) {
  const sim::Lowering& l = *pass.lowering;
  const auto n = static_cast<std::size_t>(l.n);
  const auto k = static_cast<std::size_t>(l.k);
  std::vector<double> squares(n * k), left(n), right(k);
  std::vector<std::int64_t> elements(k);
  const sim::Tensor x = sim::real_tensor(pass.b);
  double largest = 0;
  for (std::int64_t g = 0; g < l.batch; ++g) {
    for (std::size_t j = 0; j < n; ++j) {
      l.b_row(g, static_cast<std::int64_t>(j), elements);
      for (std::size_t i = 0; i < k; ++i) {
        const double v = elements[i] == sim::Lowering::hole ? 0 : x.values.number(elements[i]);
        squares[j * k + i] = std::isfinite(v) ? v * v : 0;
      }
    }
    std::fill(left.begin(), left.end(), 1.0);
    double norm = 0;
    for (int iteration = 0; iteration < 300; ++iteration) {
      std::fill(right.begin(), right.end(), 0.0);
      for (std::size_t j = 0; j < n; ++j)
        for (std::size_t i = 0; i < k; ++i) right[i] += left[j] * squares[j * k + i];
      double squared = 0, length = 0;
      for (std::size_t j = 0; j < n; ++j) {
        double sum = 0;
        for (std::size_t i = 0; i < k; ++i) sum += squares[j * k + i] * right[i];
        squared += sum * sum;
        length += left[j] * left[j];
        left[j] = sum;
      }
      const double next = std::sqrt(std::sqrt(squared / length));
      if (next == 0) break;
      const double scale = std::sqrt(squared);
      for (double& v : left) v /= scale;
      const bool settled = std::fabs(next - norm) <= 1e-10 * next;
      norm = next;
      if (settled) break;
    }
    largest = std::max(largest, norm);
  }
  return largest;
}

class Assigner {
 public:
  Assigner(const traces::TraceFile& trace, const AssignOptions& options) : trace_(trace), options_(options) {}

  Assignment operator()(const std::vector<std::string>& globs) {
    assignment_.layers = layers_over_steps(trace_, globs);
    check_gains();
    for (LayerAssignment& layer : assignment_.layers) {
      for (const LayerInfo* step : layer.steps) trace_.check(*step, Pass::fprop);
    }
    feedforward();
    std::vector<std::string> without, one_step;
    for (LayerAssignment& layer : assignment_.layers) {
      if (layer.steps.size() == 1) one_step.push_back(layer.name);
      if (!gradients(layer)) without.push_back(layer.name);
    }
    if (!without.empty())
      assignment_.notes.push_back("no grad_output in " + list_of(without) + ": no gradient and no weight accumulator assigned there");
    if (!one_step.empty() && without.size() < assignment_.layers.size())
      assignment_.notes.push_back("one training step of " + list_of(one_step) + ": its variance is both the largest and the least");
    return std::move(assignment_);
  }

 private:
  void check_gains() {
    if (!options_.gains) {
      assignment_.notes.push_back(
          "F1 needs the network's Jacobians, which a trace of layers has not: no --gains, so every weight and "
          "activation gets B_min = " +
          std::to_string(options_.min_bits) + " bits");
      return;
    }
    std::vector<std::string> names;
    for (const traces::LayerInfo& layer : trace_.layers()) {
      const std::string name = name_in_step(layer);
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    for (const auto& [table, values] : {std::pair("activation", &options_.gains->activation), std::pair("weight", &options_.gains->weight),
                                        std::pair("lambda", &options_.gains->lambda)}) {
      for (const auto& [name, value] : *values) {
        if (std::find(names.begin(), names.end(), name) == names.end())
          throw InputError(options_.gains_file + ": " + table, "layer \"" + name + "\", which the trace has not",
                           list_of(names) + nearest_names(name, names));
      }
      if (table == std::string("lambda")) continue;
      for (const std::string& name : names) {
        if (!values->contains(name))
          throw InputError(options_.gains_file + ": " + table, "no layer \"" + name + "\"", "a gain of every layer of the trace");
      }
    }
  }

  [[nodiscard]] double largest_magnitude(const LayerAssignment& layer, const std::string& dataset, bool& negative) const {
    double largest = 0;
    for (const LayerInfo* step : layer.steps) {
      const sim::Tensor tensor = unscaled_tensor(trace_, *step, dataset);
      largest = std::max(largest, sim::amax(tensor.values));
      for (std::int64_t i = 0; i < tensor.values.size() && !negative; ++i) negative = tensor.values.number(i) < 0;
    }
    return largest;
  }

  /// F2 over the weights and activations of the network. Noise is gain * step^2 / 24, so a range other than the published ones counts with
  /// the square of its step over the published step at the same width.
  void feedforward() {
    std::vector<double> gains;
    std::vector<TensorAssignment*> tensors;
    for (LayerAssignment& layer : assignment_.layers) layer.tensors.reserve(5);
    for (LayerAssignment& layer : assignment_.layers) {
      for (const bool is_weight : {false, true}) {
        const std::string dataset = is_weight ? weight_name(*layer.steps.front()) : input_name(*layer.steps.front());
        FixedPoint format{.is_signed = is_weight, .range_exponent = is_weight ? 0 : 1, .bits = 0};
        layer.tensors.push_back({.tensor = dataset, .format = {}, .reason = {}, .replays = {}});
        if (options_.ranges_of_trace) {
          const double largest = largest_magnitude(layer, dataset, format.is_signed);
          if (largest == 0) {
            layer.tensors.back().reason = "all zero";
            continue;
          }
          format.range_exponent = sim::ceil_log2(largest);
        }
        double gain = 1;
        if (options_.gains) gain = (is_weight ? options_.gains->weight : options_.gains->activation).at(layer.name);
        gains.push_back(options_.gains ? std::ldexp(gain, 2 * (format.step_exponent() - 1)) : 1.0);
        layer.tensors.back().format = format;
        tensors.push_back(&layer.tensors.back());
      }
    }
    if (gains.empty()) return;
    const std::vector<int> offsets = sim::feedforward_offsets(gains, smallest_gain(gains));
    for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i]->format->bits = offsets[i] + options_.min_bits;
  }

  /// E_min over the whole network: with the published ranges also of layers that are not selected.
  [[nodiscard]] double smallest_gain(const std::vector<double>& gains) const {
    double smallest = *std::min_element(gains.begin(), gains.end());
    if (options_.gains && !options_.ranges_of_trace) {
      for (const auto* table : {&options_.gains->activation, &options_.gains->weight})
        for (const auto& [name, gain] : *table) smallest = std::min(smallest, gain);
    }
    return smallest;
  }

  /// F3 to F6; false where no step has gradients.
  bool gradients(LayerAssignment& layer) {
    std::vector<double> of_outputs, of_weights;
    double lambda = 0;
    const bool is_given = options_.gains && options_.gains->lambda.contains(layer.name);
    for (const LayerInfo* step : layer.steps) {
      if (!traces::TraceFile::has_pass(*step, Pass::wgrad)) continue;
      trace_.check(*step, Pass::wgrad);
      of_outputs.push_back(variance_of(unscaled_tensor(trace_, *step, "grad_output").values));
      of_weights.push_back(variance_of(weight_gradient(trace_, *step, options_).values));
      if (!is_given) lambda = std::max(lambda, squared_jacobian_norm(trace_.load(*step, Pass::wgrad)));
    }
    if (of_outputs.empty()) return false;
    of_outputs = sim::moving_average(of_outputs, options_.momentum);
    of_weights = sim::moving_average(of_weights, options_.momentum);
    const double output_max = *std::max_element(of_outputs.begin(), of_outputs.end());
    const double weight_max = *std::max_element(of_weights.begin(), of_weights.end());
    const double weight_min = *std::min_element(of_weights.begin(), of_weights.end());
    layer.activation_gradient_sigma = std::sqrt(output_max);
    layer.weight_gradient_sigma_max = std::sqrt(weight_max);
    layer.weight_gradient_sigma_min = std::sqrt(weight_min);
    layer.lambda_max = is_given ? options_.gains->lambda.at(layer.name) : lambda;
    layer.lambda_measured = !is_given;
    const bool is_matmul = layer.op == "matmul";
    TensorAssignment output{.tensor = "grad_output", .format = {}, .reason = {}, .replays = {}};
    TensorAssignment weight{.tensor = is_matmul ? "grad_b" : "grad_weight", .format = {}, .reason = {}, .replays = {}};
    if (weight_min == 0) weight.reason = "no variance in some step";
    else weight.format = sim::gradient_format(sim::gradient_range_exponent(weight_max, 2), sim::weight_gradient_step_exponent(weight_min));
    if (output_max == 0 || !weight.format || *layer.lambda_max == 0) {
      output.reason = "no variance in some step";
    } else {
      const int range = sim::gradient_range_exponent(output_max, options_.gradient_factor) + (options_.double_range ? 1 : 0);
      output.format =
          sim::gradient_format(range, sim::activation_gradient_step_exponent(weight.format->step_exponent(), *layer.lambda_max));
      if (output.format->bits < 1) output.format->bits = 1;
    }
    layer.tensors.push_back(std::move(output));
    layer.tensors.push_back(weight);
    if (!is_matmul) layer.tensors.push_back(accumulator(layer, weight));
    return true;
  }

  [[nodiscard]] TensorAssignment accumulator(const LayerAssignment& layer, const TensorAssignment& gradient) const {
    TensorAssignment accumulator{.tensor = "weight_accumulator", .format = {}, .reason = {}, .replays = {}};
    const TensorAssignment* weight = layer.tensor("weight");
    if (!weight->format || !gradient.format) {
      accumulator.reason = weight->format ? gradient.reason : weight->reason;
      return accumulator;
    }
    const FixedPoint format = sim::weight_accumulator(*weight->format, *gradient.format, options_.learning_rate);
    if (format.bits < 1) accumulator.reason = "none needed: the weight holds every update";
    else accumulator.format = format;
    return accumulator;
  }

  const traces::TraceFile& trace_;
  const AssignOptions& options_;
  Assignment assignment_;
};

}  // namespace

const TensorAssignment* LayerAssignment::tensor(const std::string& name) const {
  for (const TensorAssignment& t : tensors) {
    if (t.tensor == name) return &t;
  }
  return nullptr;
}

std::string input_name(const LayerInfo& layer) { return layer.op == "matmul" ? "a" : "input"; }
std::string weight_name(const LayerInfo& layer) { return layer.op == "matmul" ? "b" : "weight"; }

sim::Tensor unscaled_tensor(const traces::TraceFile& trace, const LayerInfo& layer, const std::string& dataset) {
  const bool is_gradient = dataset.starts_with("grad_");
  return sim::real_tensor(trace.load_dataset(layer, dataset), is_gradient ? trace.loss_scale(layer) : 1.0);
}

sim::Tensor weight_gradient(const traces::TraceFile& trace, const LayerInfo& layer, const AssignOptions& options) {
  const std::string stored = layer.op == "matmul" ? "grad_b" : "grad_weight";
  if (layer.dataset(stored) != nullptr) return unscaled_tensor(trace, layer, stored);
  const traces::LayerPass pass = trace.load(layer, Pass::wgrad);
  const sim::LayerProblem problem{.a = &pass.a, .b = &pass.b, .lowering = pass.lowering.get(), .layer = layer.rank, .pass = Pass::wgrad};
  sim::SimulateOptions simulate;
  simulate.threads = options.threads;
  simulate.keep_output = true;
  sim::Tensor gradient;
  gradient.shape = pass.lowering->output_shape;
  gradient.values = sim::Values(sim::simulate(sim::find_datapath("fp64"), problem, simulate).output);
  return sim::real_tensor(std::move(gradient), trace.loss_scale(layer));
}

Assignment assign_precisions(const traces::TraceFile& trace, const std::vector<std::string>& globs, const AssignOptions& options) {
  return Assigner(trace, options)(globs);
}

}  // namespace accsim::cli
