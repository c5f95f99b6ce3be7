// Precision assignment from a training trace: what every tensor of every layer gets, and how it fares with that and with one bit less.
#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "cli/layer_selection.h"
#include "cli/noise_gains.h"
#include "sim/precision_rules.h"

namespace accsim::cli {

struct AssignOptions {
  std::optional<NoiseGains> gains;
  std::string gains_file;
  int min_bits = 8;              ///< B_min
  double momentum = 0.9;         ///< of the variances' moving average
  double gradient_factor = 8;    ///< F3 of activation gradients: 8 as in the code, 4 as the paper is quoted
  bool double_range = false;     ///< activation gradients' ranges doubled, as the training script does
  double learning_rate = 0.001;  ///< the least one
  bool ranges_of_trace = false;  ///< weights and activations: ranges of the trace instead of [-1, 1) and [0, 2)
  bool clamp_below = true;       ///< false: values below -r pass, as in the code
  std::string acc = "fp32";      ///< datapath of the replayed passes
  std::uint64_t seed = 0;
  int threads = 1;
};

/// A tensor at one precision in one step.
struct TensorFit {
  std::optional<double> sndr_db;   ///< none where undefined
  double clipped = 0, zeroed = 0;  ///< shares of the values, of those not zero
};
struct TensorReplay {
  std::optional<std::int64_t> step;
  TensorFit assigned;
  std::optional<TensorFit> less;  ///< none at one bit
};
struct TensorAssignment {
  std::string tensor;  ///< dataset; weight_accumulator
  std::optional<sim::FixedPoint> format;
  std::string reason;  ///< why none
  std::vector<TensorReplay> replays;
};
/// A pass with its operands at the assigned precision and at one bit less: SNDR against the unquantized result.
struct PassReplay {
  std::optional<std::int64_t> step;
  std::string pass;
  std::optional<double> assigned_db, less_db;
};
struct LayerAssignment {
  std::string name, op;
  std::vector<const traces::LayerInfo*> steps;
  std::optional<double> activation_gradient_sigma, weight_gradient_sigma_max, weight_gradient_sigma_min, lambda_max;
  bool lambda_measured = false;
  std::vector<TensorAssignment> tensors;
  std::vector<PassReplay> passes;
  [[nodiscard]] const TensorAssignment* tensor(const std::string& name) const;
};
struct Assignment {
  std::vector<LayerAssignment> layers;
  std::vector<std::string> notes;  ///< what is missing, and what is used instead
};

/// The layers named by the globs, over the steps of the trace. InputError: steps out of order, gains that lack a layer or name another.
Assignment assign_precisions(const traces::TraceFile& trace, const std::vector<std::string>& globs, const AssignOptions& options);
/// Fills in `replays` and `passes`.
void replay_assignment(const traces::TraceFile& trace, const AssignOptions& options, Assignment& assignment);

/// A dataset of a layer in real units, gradients without the loss scale.
sim::Tensor unscaled_tensor(const traces::TraceFile& trace, const traces::LayerInfo& layer, const std::string& dataset);
/// The weight gradient (grad_b of a matmul), stored or summed from its operands.
sim::Tensor weight_gradient(const traces::TraceFile& trace, const traces::LayerInfo& layer, const AssignOptions& options);
/// Names of operand datasets: input and weight, a and b of a matmul.
std::string input_name(const traces::LayerInfo& layer);
std::string weight_name(const traces::LayerInfo& layer);

void write_assignment_table(std::ostream& out, const Assignment& assignment);
void write_assignment_json(std::ostream& out, const Assignment& assignment, const AssignOptions& options, const std::string& trace);
void write_assignment_csv(std::ostream& out, const Assignment& assignment);

}  // namespace accsim::cli
