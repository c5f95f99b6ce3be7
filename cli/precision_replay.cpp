// Replays what was assigned: every tensor through its quantizer, every pass with its operands quantized, at the assigned precision and at
// one bit less.
#include <algorithm>
#include <cmath>

#include "cli/precision_assignment.h"
#include "sim/datapath_toml.h"
#include "sim/exact_sum.h"
#include "sim/recipe_quantize.h"
#include "sim/simulate.h"

namespace accsim::cli {
namespace {

using sim::FixedPoint;
using sim::Pass;
using traces::LayerInfo;

sim::QuantizedOperand at_precision(const sim::Tensor& tensor, const FixedPoint& format, bool clamp_below, sim::QuantizationCounts& counts) {
  return sim::quantize_role(tensor, sim::fixed_point_quantizer(format, clamp_below), {}, counts);
}

std::vector<double> quantized_values(const sim::Tensor& tensor, const FixedPoint& format, bool clamp_below,
                                     sim::QuantizationCounts& counts) {
  const sim::QuantizedOperand q = at_precision(tensor, format, clamp_below, counts);
  const sim::Values& values = q.changed ? q.values : tensor.values;
  std::vector<double> numbers(static_cast<std::size_t>(values.size()));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = values.number(static_cast<std::int64_t>(i)) * q.scale;
  return numbers;
}

sim::Tensor tensor_of(std::vector<double> values) {
  sim::Tensor tensor;
  tensor.shape = {static_cast<std::int64_t>(values.size())};
  tensor.values = sim::Values(std::move(values));
  return tensor;
}

/// 10 log10(Var(signal) / mean(error^2)) over what is finite.
class Sndr {
 public:
  void add(double signal, double received) {
    if (!std::isfinite(signal) || !std::isfinite(received)) return;
    signal_.add(signal);
    error_.add(received - signal);
  }
  [[nodiscard]] std::optional<double> db() const {
    if (signal_.count == 0) return std::nullopt;
    const double signal = to_double(signal_.variance());
    const double noise = to_double(error_.mean_square());
    if (signal == 0 && noise == 0) return std::nullopt;
    return 10 * std::log10(signal / noise);
  }

 private:
  sim::Moments signal_, error_;
};

TensorFit fit_of(const Sndr& sndr, const sim::QuantizationCounts& counts) {
  const double nonzero = counts.nonzero == 0 ? 1 : static_cast<double>(counts.nonzero);
  return {.sndr_db = sndr.db(),
          .clipped = static_cast<double>(counts.clipped) / nonzero,
          .zeroed = static_cast<double>(counts.zeroed) / nonzero};
}

TensorFit fit(const sim::Tensor& tensor, const FixedPoint& format, bool clamp_below) {
  sim::QuantizationCounts counts;
  const std::vector<double> received = quantized_values(tensor, format, clamp_below, counts);
  Sndr sndr;
  for (std::size_t i = 0; i < received.size(); ++i) sndr.add(tensor.values.number(static_cast<std::int64_t>(i)), received[i]);
  return fit_of(sndr, counts);
}

/// F7 once, from a weight that fills its accumulator: W = Q(w), acc = Q(w - W), then w' = W + acc - lr g, W' = Q(w'), acc' = Q(w' - W').
/// The signal is -lr g of the unquantized gradient, what is received (W' + acc') - (W + acc); clipped and zeroed are those of acc'.
TensorFit fit_update(const sim::Tensor& weight, const sim::Tensor& gradient, const FixedPoint& weight_format,
                     const FixedPoint& gradient_format, const FixedPoint& accumulator_format, const AssignOptions& o) {
  sim::QuantizationCounts unused, counts;
  const std::vector<double> g = quantized_values(gradient, gradient_format, o.clamp_below, unused);
  const std::vector<double> before = quantized_values(weight, weight_format, o.clamp_below, unused);
  const std::size_t size = before.size();
  std::vector<double> rest(size), target(size);
  for (std::size_t i = 0; i < size; ++i) rest[i] = weight.values.number(static_cast<std::int64_t>(i)) - before[i];
  const std::vector<double> held = quantized_values(tensor_of(rest), accumulator_format, o.clamp_below, unused);
  for (std::size_t i = 0; i < size; ++i) target[i] = before[i] + held[i] - o.learning_rate * g[i];
  const std::vector<double> after = quantized_values(tensor_of(target), weight_format, o.clamp_below, unused);
  for (std::size_t i = 0; i < size; ++i) rest[i] = target[i] - after[i];
  const std::vector<double> held_after = quantized_values(tensor_of(rest), accumulator_format, o.clamp_below, counts);
  Sndr sndr;
  for (std::size_t i = 0; i < size; ++i)
    sndr.add(-o.learning_rate * gradient.values.number(static_cast<std::int64_t>(i)), (after[i] + held_after[i]) - (before[i] + held[i]));
  return fit_of(sndr, counts);
}

class Replayer {
 public:
  Replayer(const traces::TraceFile& trace, const AssignOptions& options)
      : trace_(trace), options_(options), datapath_(sim::find_datapath(options.acc)) {}

  void operator()(LayerAssignment& layer) const {
    for (const LayerInfo* step : layer.steps) {
      for (TensorAssignment& tensor : layer.tensors) {
        if (tensor.format) replay_tensor(layer, *step, tensor);
      }
      for (const Pass pass : {Pass::fprop, Pass::dgrad, Pass::wgrad}) {
        if (traces::TraceFile::has_pass(*step, pass)) replay_pass(layer, *step, pass);
      }
    }
  }

 private:
  void replay_tensor(const LayerAssignment& layer, const LayerInfo& step, TensorAssignment& tensor) const {
    const FixedPoint& format = *tensor.format;
    TensorReplay replay{.step = step.step, .assigned = {}, .less = {}};
    const bool has_gradients = traces::TraceFile::has_pass(step, Pass::wgrad);
    if (tensor.tensor == "weight_accumulator") {
      if (!has_gradients) return;
      const sim::Tensor weight = unscaled_tensor(trace_, step, "weight");
      const sim::Tensor gradient = weight_gradient(trace_, step, options_);
      const auto at = [&](const FixedPoint& accumulator) {
        return fit_update(weight, gradient, *layer.tensor("weight")->format, *layer.tensor("grad_weight")->format, accumulator, options_);
      };
      replay.assigned = at(format);
      if (format.bits > 1) replay.less = at(format.one_bit_less());
    } else {
      const bool is_gradient = tensor.tensor.starts_with("grad_");
      if (is_gradient && !has_gradients) return;
      const bool is_result = is_gradient && tensor.tensor != "grad_output";
      const sim::Tensor values = is_result ? weight_gradient(trace_, step, options_) : unscaled_tensor(trace_, step, tensor.tensor);
      replay.assigned = fit(values, format, options_.clamp_below);
      if (format.bits > 1) replay.less = fit(values, format.one_bit_less(), options_.clamp_below);
    }
    tensor.replays.push_back(replay);
  }

  void replay_pass(LayerAssignment& layer, const LayerInfo& step, Pass pass) const {
    const traces::LayerPass loaded = trace_.load(step, pass);
    const double loss_scale = pass == Pass::fprop ? 1.0 : trace_.loss_scale(step);
    const sim::Tensor a = sim::real_tensor(loaded.a, loss_scale);
    const sim::Tensor b = sim::real_tensor(loaded.b);
    const auto& format_a = layer.tensor(pass == Pass::fprop ? input_name(step) : "grad_output")->format;
    const auto& format_b = layer.tensor(pass == Pass::wgrad ? input_name(step) : weight_name(step))->format;
    if (!format_a || !format_b) return;
    const auto at = [&](const FixedPoint& of_a, const FixedPoint& of_b) {
      sim::QuantizationCounts counts;
      const sim::QuantizedOperand quantized_a = at_precision(a, of_a, options_.clamp_below, counts);
      const sim::QuantizedOperand quantized_b = at_precision(b, of_b, options_.clamp_below, counts);
      sim::Datapath datapath = datapath_;
      datapath.a = sim::fixed_point_quantizer(of_a, options_.clamp_below).operand;
      datapath.b = sim::fixed_point_quantizer(of_b, options_.clamp_below).operand;
      const sim::LayerProblem problem{.a = &a,
                                      .b = &b,
                                      .quantized_a = quantized_a.changed ? &quantized_a : nullptr,
                                      .quantized_b = quantized_b.changed ? &quantized_b : nullptr,
                                      .lowering = loaded.lowering.get(),
                                      .layer = step.rank,
                                      .pass = pass};
      sim::SimulateOptions simulate;
      simulate.threads = options_.threads;
      simulate.seed = options_.seed;
      return sim::simulate(datapath, problem, simulate).real(sim::StatisticGroup::total, "sndr_db");
    };
    PassReplay replay{.step = step.step, .pass = std::string(name_of(pass)), .assigned_db = at(*format_a, *format_b), .less_db = {}};
    if (format_a->bits > 1 && format_b->bits > 1) replay.less_db = at(format_a->one_bit_less(), format_b->one_bit_less());
    layer.passes.push_back(std::move(replay));
  }

  const traces::TraceFile& trace_;
  const AssignOptions& options_;
  sim::Datapath datapath_;
};

/// Names the layers that the published ranges do not suit.
void note_clipping(Assignment& assignment) {
  constexpr double much = 0.01;
  std::string layers;
  for (const LayerAssignment& layer : assignment.layers) {
    const bool clips = std::any_of(layer.tensors.begin(), layer.tensors.end(), [&](const TensorAssignment& t) {
      const bool is_forward = t.tensor == input_name(*layer.steps.front()) || t.tensor == weight_name(*layer.steps.front());
      return is_forward &&
             std::any_of(t.replays.begin(), t.replays.end(), [](const TensorReplay& r) { return r.assigned.clipped >= much; });
    });
    if (clips) layers += (layers.empty() ? "" : ", ") + layer.name;
  }
  if (!layers.empty())
    assignment.notes.push_back("the published ranges clip 1 % or more of an input, [0, 2), or a weight, [-1, 1), in " + layers +
                               "; --ranges trace takes those of the trace");
}

}  // namespace

void replay_assignment(const traces::TraceFile& trace, const AssignOptions& options, Assignment& assignment) {
  const Replayer replay(trace, options);
  for (LayerAssignment& layer : assignment.layers) replay(layer);
  if (!options.ranges_of_trace) note_clipping(assignment);
}

}  // namespace accsim::cli
