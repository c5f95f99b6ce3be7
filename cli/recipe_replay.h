// Replaying a trace under a training recipe: which scale the loss has at every step, what each pass takes, what its result becomes.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/layer_selection.h"
#include "sim/datapath_toml.h"
#include "sim/recipe_quantize.h"
#include "sim/simulate.h"

namespace accsim::cli {

/// What quantizing one gradient tensor of a layer loses, in the pass that takes or gives it. In a block format a pass takes an element as
/// often as it stands in rows, and dgrad and wgrad have blocks of their own.
struct GradientReport {
  std::string layer, dataset, pass;
  sim::QuantizationCounts counts;
};

/// A training step of the trace, under a loss scale.
struct StepReport {
  std::optional<std::int64_t> step;  ///< N of step_N/; none for a trace without steps
  double loss_scale = 1, stored_loss_scale = 1;
  bool overflow = false;                  ///< an infinity or NaN among the quantized gradients of the step, all layers of the trace
  bool skipped = false;                   ///< the policy leaves out the update
  std::vector<GradientReport> gradients;  ///< of the layers selected
  [[nodiscard]] sim::QuantizationCounts total() const;
};

/// The layer's name without its step.
std::string name_in_step(const traces::LayerInfo& layer);

/// What quantizing a tensor of a pass lost.
struct TensorLoss {
  std::string dataset;  ///< input, weight, output, grad_output, ...
  sim::QuantizationCounts counts;
};

/// Of operands a and b and the result of a pass; none where a tensor passes as it is.
using PassLosses = std::array<std::optional<TensorLoss>, 3>;

/// One pass of a layer, ready for simulate(); `a` and `b` replace the tensors as loaded.
struct PreparedPass {
  sim::Tensor a, b;
  std::optional<sim::QuantizedOperand> quantized_a, quantized_b;
  PassLosses losses;  ///< of the operands
  sim::Datapath datapath;
};

/// The recipe of a run that names none: the datapath in every pass, operands as it says.
sim::Recipe recipe_of_datapath(const std::string& acc);

/// What --loss-scale says.
sim::LossScaling loss_scaling_option(const std::string& text);

class RecipeReplay {
 public:
  /// `acc`, where given, replaces the datapath of every pass. InputError: a datapath that does not go with its quantizers, steps out of
  /// order, and where state is carried over (delayed scaling, dynamic loss scaling) steps or layers missing.
  RecipeReplay(const traces::TraceFile& trace, sim::Recipe recipe, const std::string& acc, const sim::DatapathOverrides& overrides,
               std::uint64_t seed, int threads);

  /// The passes of the selection that the recipe has. InputError where recipe or trace lacks one that the other or the selection names.
  [[nodiscard]] std::vector<Job> jobs(const LayerSelection& selection) const;
  /// Works out the loss scale of every step; the report is of the steps and layers among `jobs`.
  std::vector<StepReport> plan(const std::vector<Job>& jobs);
  /// What constant scales lose of the gradients of the layers among `jobs`, over all steps: one result for each scale.
  [[nodiscard]] std::vector<sim::QuantizationCounts> losses_at(const std::vector<Job>& jobs, std::span<const double> scales);

  [[nodiscard]] const sim::Recipe& recipe() const { return recipe_; }
  /// The datapath of a pass that the recipe has, as given.
  [[nodiscard]] const sim::Datapath& datapath(sim::Pass pass) const { return *datapaths_[static_cast<std::size_t>(pass)]; }
  [[nodiscard]] bool has(sim::Pass pass) const { return datapaths_[static_cast<std::size_t>(pass)].has_value(); }
  [[nodiscard]] bool quantizes_result(sim::Pass pass) const;

  /// After plan(). Operands by the recipe, gradients at the step's loss scale.
  [[nodiscard]] PreparedPass prepare(const Job& job, traces::LayerPass& pass) const;
  /// Quantizes a result that was kept, values and codes, by the role of the pass, which has a quantizer.
  TensorLoss quantize_result(const Job& job, sim::LayerResult& result, const std::vector<std::int64_t>& shape) const;
  /// A gradient's dataset as this replay scales and quantizes it, in real units (the loss scale still in it).
  [[nodiscard]] std::vector<double> quantized_gradient(const traces::LayerInfo& layer, const std::string& dataset, sim::Role role) const;
  /// The loss scale of a layer's step, after plan().
  [[nodiscard]] double loss_scale(const traces::LayerInfo& layer) const;

 private:
  struct Step {
    std::optional<std::int64_t> number;
    std::vector<const traces::LayerInfo*> layers;
    double scale = 1;
  };
  /// How a dataset takes part in a pass.
  struct Place {
    const traces::LayerInfo* layer;
    std::string dataset;
    sim::Role role;
    sim::Pass pass;
    std::uint32_t site;
  };

  /// A gradient as its file has it, or as its pass takes it.
  struct StoredGradient {
    sim::Tensor tensor;
    std::unique_ptr<sim::Lowering> lowering;  ///< of the pass, for operands in block formats
  };

  void find_steps();
  void check_complete() const;
  [[nodiscard]] std::size_t step_of(const traces::LayerInfo& layer) const { return step_of_rank_.at(layer.rank); }
  [[nodiscard]] sim::Tensor gradient_tensor(const traces::LayerInfo& layer, sim::Tensor stored, double scale) const;
  [[nodiscard]] std::optional<sim::RoleQuantizer> quantizer(sim::Role role, sim::Pass pass) const;
  [[nodiscard]] std::vector<Place> gradients_of(const traces::LayerInfo& layer) const;
  [[nodiscard]] std::vector<GradientReport> scan(const std::vector<const traces::LayerInfo*>& layers, double scale) const;
  [[nodiscard]] StoredGradient load(const Place& place) const;
  [[nodiscard]] sim::QuantizationCounts counts_of(const Place& place, const StoredGradient& stored, double scale) const;
  [[nodiscard]] bool in_blocks(sim::Role role, sim::Pass pass) const;
  [[nodiscard]] const sim::Operand& operand(sim::Role role, sim::Pass pass) const;
  [[nodiscard]] sim::QuantizationCounts block_counts(const Place& place, const sim::Tensor& tensor, const sim::Lowering& lowering) const;
  /// An operand at the loss scale, before it is quantized.
  [[nodiscard]] sim::Tensor operand_tensor(const traces::LayerInfo& layer, sim::Role role, sim::Tensor loaded, double scale) const;
  [[nodiscard]] std::optional<sim::QuantizedOperand> quantize(const Place& place, const sim::Tensor& tensor,
                                                              sim::QuantizationCounts& counts) const;
  [[nodiscard]] double delayed_amax(const Place& place, int history) const;

  const traces::TraceFile& trace_;
  sim::Recipe recipe_;
  std::array<std::optional<sim::Datapath>, 3> datapaths_;
  std::uint64_t seed_;
  int threads_;
  std::vector<Step> steps_;
  std::map<std::uint32_t, std::size_t> step_of_rank_;
  mutable std::map<std::pair<std::uint32_t, std::string>, double> stored_amax_;
};

}  // namespace accsim::cli
