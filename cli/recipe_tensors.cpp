// What a recipe makes of the tensors of one layer: operands at their step's loss scale, quantized; results; what is lost.
#include <algorithm>

#include "cli/recipe_replay.h"
#include "formats/round.h"
#include "sim/block_operand.h"

namespace accsim::cli {
namespace {

using sim::Pass;
using sim::Role;
using sim::RoleQuantizer;

constexpr std::uint32_t site_output = 13, site_a = 14, site_b = 15;

/// What the datapath's own operand says, as a quantizer.
RoleQuantizer quantizer_of(const sim::Operand& operand) {
  RoleQuantizer q;
  q.operand = operand;
  q.number = operand.scale_number;
  switch (operand.scale) {
    case sim::ScaleRule::one: q.scale = sim::RecipeScale::one; break;
    case sim::ScaleRule::amax: q.scale = sim::RecipeScale::amax; break;
    case sim::ScaleRule::amax_pow2: q.scale = sim::RecipeScale::amax_pow2; break;
    case sim::ScaleRule::number: q.scale = sim::RecipeScale::number; break;
  }
  return q;
}

std::string gradient_name(const traces::LayerInfo& layer, Role role) {
  const bool matmul = layer.op == "matmul";
  if (role == Role::grad_output) return "grad_output";
  if (role == Role::grad_input) return matmul ? "grad_a" : "grad_input";
  return matmul ? "grad_b" : "grad_weight";
}

bool is_operand(Role role) { return role == Role::input || role == Role::weight || role == Role::grad_output; }

std::string operand_name(const traces::LayerInfo& layer, Role role) {
  const bool matmul = layer.op == "matmul";
  if (role == Role::input) return matmul ? "a" : "input";
  if (role == Role::weight) return matmul ? "b" : "weight";
  return "grad_output";
}

}  // namespace

const sim::Operand& RecipeReplay::operand(Role role, Pass pass) const {
  return role == sim::operand_roles(pass)[0] ? datapath(pass).a : datapath(pass).b;
}

std::optional<RoleQuantizer> RecipeReplay::quantizer(Role role, Pass pass) const {
  if (recipe_.role(role)) {
    if (recipe_.role(role)->has_format()) return recipe_.role(role);
    return std::nullopt;
  }
  if (!is_operand(role) || !has(pass) || !operand(role, pass).format) return std::nullopt;
  return quantizer_of(operand(role, pass));
}

bool RecipeReplay::in_blocks(Role role, Pass pass) const { return is_operand(role) && has(pass) && operand(role, pass).block.has_value(); }

sim::Tensor RecipeReplay::gradient_tensor(const traces::LayerInfo& layer, sim::Tensor stored, double scale) const {
  if (recipe_.loss_scaling.policy == sim::LossPolicy::stored) return sim::real_tensor(std::move(stored));
  return sim::real_tensor(std::move(stored), trace_.loss_scale(layer), scale);
}

sim::Tensor RecipeReplay::operand_tensor(const traces::LayerInfo& layer, Role role, sim::Tensor loaded, double scale) const {
  const auto& q = recipe_.role(role);
  const bool is_rescaled =
      role == Role::grad_output && recipe_.loss_scaling.policy != sim::LossPolicy::stored && trace_.loss_scale(layer) != scale;
  if (is_rescaled) return gradient_tensor(layer, std::move(loaded), scale);
  const bool same_format = q && q->has_format() && loaded.format && *loaded.format == *q->operand.format;
  return q && q->has_format() && !same_format ? sim::real_tensor(std::move(loaded)) : std::move(loaded);
}

std::vector<RecipeReplay::Place> RecipeReplay::gradients_of(const traces::LayerInfo& layer) const {
  std::vector<Place> places;
  const auto add = [&](Role role, Pass pass, std::uint32_t site) {
    const std::string name = gradient_name(layer, role);
    if (layer.dataset(name) != nullptr) places.push_back({&layer, name, role, pass, site});
  };
  const bool in_dgrad = has(Pass::dgrad) || !has(Pass::wgrad);
  if (in_dgrad) add(Role::grad_output, Pass::dgrad, site_a);
  if (!in_dgrad || in_blocks(Role::grad_output, Pass::wgrad)) add(Role::grad_output, Pass::wgrad, site_a);
  add(Role::grad_input, Pass::dgrad, site_output);
  add(Role::grad_weight, Pass::wgrad, site_output);
  return places;
}

double RecipeReplay::delayed_amax(const Place& place, int history) const {
  const std::size_t now = step_of(*place.layer);
  const std::string name = name_in_step(*place.layer);
  const bool is_gradient = place.role == Role::grad_output;
  double largest = 0;
  for (std::size_t s = now - std::min<std::size_t>(now, static_cast<std::size_t>(history)); s < now; ++s) {
    for (const traces::LayerInfo* layer : steps_[s].layers) {
      if (name_in_step(*layer) != name) continue;
      const auto key = std::pair(layer->rank, place.dataset);
      if (!stored_amax_.contains(key)) stored_amax_[key] = sim::amax(sim::real_tensor(trace_.load_dataset(*layer, place.dataset)).values);
      double amax = stored_amax_[key];
      if (is_gradient && recipe_.loss_scaling.policy != sim::LossPolicy::stored) amax = amax / trace_.loss_scale(*layer) * steps_[s].scale;
      largest = std::max(largest, amax);
    }
  }
  return largest;
}

std::optional<sim::QuantizedOperand> RecipeReplay::quantize(const Place& place, const sim::Tensor& tensor,
                                                            sim::QuantizationCounts& counts) const {
  const auto q = quantizer(place.role, place.pass);
  if (!q) return std::nullopt;
  sim::RecipeContext context{
      .seed = seed_,
      .position = {.output = 0, .layer = place.layer->rank, .pass = static_cast<std::uint32_t>(place.pass), .site = place.site},
      .threads = threads_};
  if (q->scale == sim::RecipeScale::delayed) context.delayed_amax = delayed_amax(place, q->history);
  return sim::quantize_role(tensor, *q, context, counts);
}

RecipeReplay::StoredGradient RecipeReplay::load(const Place& place) const {
  if (!in_blocks(place.role, place.pass)) return {.tensor = trace_.load_dataset(*place.layer, place.dataset), .lowering = nullptr};
  traces::LayerPass pass = trace_.load(*place.layer, place.pass);
  return {.tensor = std::move(pass.a), .lowering = std::move(pass.lowering)};
}

sim::QuantizationCounts RecipeReplay::block_counts(const Place& place, const sim::Tensor& tensor, const sim::Lowering& lowering) const {
  const formats::RandomPosition position{
      .output = 0, .layer = place.layer->rank, .pass = static_cast<std::uint32_t>(place.pass), .site = place.site};
  const sim::BlockOperand blocks(tensor, operand(place.role, place.pass), seed_, position);
  return count_blocks(blocks, lowering, place.site == site_a ? sim::OperandSide::a : sim::OperandSide::b, threads_);
}

sim::QuantizationCounts RecipeReplay::counts_of(const Place& place, const StoredGradient& stored, double scale) const {
  const sim::Tensor tensor = place.role == Role::grad_output ? operand_tensor(*place.layer, place.role, stored.tensor, scale)
                                                             : gradient_tensor(*place.layer, stored.tensor, scale);
  if (stored.lowering) return block_counts(place, tensor, *stored.lowering);
  sim::QuantizationCounts counts;
  const auto quantized = quantize(place, tensor, counts);
  return quantized && quantized->changed ? counts : sim::counts_as_is(tensor.values);
}

PreparedPass RecipeReplay::prepare(const Job& job, traces::LayerPass& pass) const {
  PreparedPass prepared;
  prepared.datapath = datapath(job.pass);
  const std::array<Role, 2> roles = sim::operand_roles(job.pass);
  const auto operand = [&](sim::Tensor& loaded, Role role, std::uint32_t site, sim::Tensor& tensor,
                           std::optional<sim::QuantizedOperand>& quantized, std::optional<TensorLoss>& loss) {
    tensor = operand_tensor(*job.layer, role, std::move(loaded), loss_scale(*job.layer));
    const Place place{job.layer, operand_name(*job.layer, role), role, job.pass, site};
    if (in_blocks(role, job.pass)) {
      loss = {place.dataset, block_counts(place, tensor, *pass.lowering)};
      return;
    }
    sim::QuantizationCounts counts;
    std::optional<sim::QuantizedOperand> q = quantize(place, tensor, counts);
    if (!q) return;
    loss = {place.dataset, q->changed ? counts : sim::counts_as_is(tensor.values)};
    if (recipe_.role(role)) quantized = std::move(q);  // else the datapath quantizes it, the same way
  };
  operand(pass.a, roles[0], site_a, prepared.a, prepared.quantized_a, prepared.losses[0]);
  operand(pass.b, roles[1], site_b, prepared.b, prepared.quantized_b, prepared.losses[1]);
  return prepared;
}

TensorLoss RecipeReplay::quantize_result(const Job& job, sim::LayerResult& result, const std::vector<std::int64_t>& shape) const {
  const Role role = sim::result_role(job.pass);
  const sim::RoleQuantizer& q = *recipe_.role(role);
  sim::Tensor tensor;
  tensor.shape = shape;
  tensor.values = sim::Values(std::move(result.output));
  sim::QuantizationCounts counts;
  const auto quantized = quantize({job.layer, "", role, job.pass, site_output}, tensor, counts);
  const auto size = static_cast<std::size_t>(tensor.values.size());
  result.output.resize(size);
  const bool has_codes = q.samples == 1 && code_bits(*q.operand.format) <= 64;
  result.code_words = has_codes ? 1 : 0;
  result.output_code.assign(has_codes ? size : 0, 0);
  for (std::size_t i = 0; i < size; ++i) {
    const double value = quantized->values.number(static_cast<std::int64_t>(i));
    result.output[i] = value * quantized->scale;
    if (has_codes)
      result.output_code[i] = static_cast<std::uint64_t>(encode(formats::from_double<formats::UInt128>(value), *q.operand.format));
  }
  return {role == Role::output ? "output" : gradient_name(*job.layer, role), counts};
}

std::vector<double> RecipeReplay::quantized_gradient(const traces::LayerInfo& layer, const std::string& dataset, Role role) const {
  const double scale = loss_scale(layer);
  const sim::Tensor tensor = gradient_tensor(layer, trace_.load_dataset(layer, dataset), scale);
  sim::QuantizationCounts counts;
  const auto quantized = quantize({&layer, dataset, role, Pass::wgrad, site_output}, tensor, counts);
  std::vector<double> values(static_cast<std::size_t>(tensor.values.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    values[i] =
        quantized && quantized->changed ? quantized->values.number(at) * quantized->scale : tensor.values.number(at) * tensor.scale_of(at);
  }
  return values;
}

}  // namespace accsim::cli
