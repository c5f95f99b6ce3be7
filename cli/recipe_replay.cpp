#include "cli/recipe_replay.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "formats/error.h"
#include "formats/round.h"
#include "sim/block_operand.h"

namespace accsim::cli {
namespace {

using sim::Pass;
using sim::Role;
using sim::RoleQuantizer;

constexpr std::uint32_t site_output = 13, site_a = 14, site_b = 15;
constexpr std::array<Pass, 3> all_passes = {Pass::fprop, Pass::dgrad, Pass::wgrad};

std::string step_name(const std::optional<std::int64_t>& step) { return step ? "step " + std::to_string(*step) : "no step"; }

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

/// What the datapath's checks and proofs need to know of an operand that is quantized before.
sim::Operand operand_of(const RoleQuantizer& q) {
  sim::Operand operand = q.operand;
  operand.scale = sim::ScaleRule::one;
  if (q.samples > 1) operand.format.reset();  // means of several codes are no codes
  return operand;
}

std::string gradient_name(const traces::LayerInfo& layer, Role role) {
  const bool matmul = layer.op == "matmul";
  if (role == Role::grad_output) return "grad_output";
  if (role == Role::grad_input) return matmul ? "grad_a" : "grad_input";
  return matmul ? "grad_b" : "grad_weight";
}

/// The datapath that a recipe names for a pass.
sim::Datapath datapath_named(const std::string& name, const sim::DatapathOverrides& overrides, const std::string& where) {
  try {
    return sim::find_datapath(name, overrides);
  } catch (const InputError& error) {
    if (error.where() == "--acc") throw InputError(where, error.found(), error.accepted());
    throw error.inside(where);
  }
}

bool is_operand(Role role) { return role == Role::input || role == Role::weight || role == Role::grad_output; }

std::string operand_name(const traces::LayerInfo& layer, Role role) {
  const bool matmul = layer.op == "matmul";
  if (role == Role::input) return matmul ? "a" : "input";
  if (role == Role::weight) return matmul ? "b" : "weight";
  return "grad_output";
}

}  // namespace

std::string name_in_step(const traces::LayerInfo& layer) { return layer.step ? layer.name.substr(layer.name.find('/') + 1) : layer.name; }

sim::QuantizationCounts StepReport::total() const {
  sim::QuantizationCounts all;
  for (const GradientReport& g : gradients) all.merge(g.counts);
  return all;
}

sim::LossScaling loss_scaling_option(const std::string& text) {
  try {
    return sim::parse_loss_scaling(text);
  } catch (const InputError& error) {
    throw error.inside("--loss-scale " + text);
  }
}

sim::Recipe recipe_of_datapath(const std::string& acc) {
  sim::Recipe recipe;
  recipe.passes = {acc, acc, acc};
  return recipe;
}

RecipeReplay::RecipeReplay(const traces::TraceFile& trace, sim::Recipe recipe, const std::string& acc,
                           const sim::DatapathOverrides& overrides, std::uint64_t seed, int threads)
    : trace_(trace), recipe_(std::move(recipe)), seed_(seed), threads_(threads) {
  for (const Pass pass : all_passes) {
    const auto& named = recipe_.pass(pass);
    if (!named) continue;
    const std::string where = "recipe \"" + recipe_.name + "\": pass " + std::string(name_of(pass));
    sim::Datapath datapath = acc.empty() ? datapath_named(*named, overrides, where) : sim::find_datapath(acc, overrides);
    const std::array<Role, 2> roles = sim::operand_roles(pass);
    if (recipe_.role(roles[0])) datapath.a = operand_of(*recipe_.role(roles[0]));
    if (recipe_.role(roles[1])) datapath.b = operand_of(*recipe_.role(roles[1]));
    if (quantizes_result(pass) && datapath.output.format && !recipe_.name.empty())
      throw InputError(where + ": datapath \"" + datapath.name + "\"",
                       "an [output] format beside the recipe's own for " +
                           std::string(sim::role_names[static_cast<std::size_t>(sim::result_role(pass))]),
                       "one of the two");
    try {
      sim::check_datapath(datapath);
    } catch (const InputError& error) {
      throw error.inside(where);
    }
    datapaths_[static_cast<std::size_t>(pass)] = std::move(datapath);
  }
  find_steps();
  const bool delayed =
      std::any_of(recipe_.roles.begin(), recipe_.roles.end(), [](const auto& q) { return q && q->scale == sim::RecipeScale::delayed; });
  if (delayed || recipe_.loss_scaling.policy == sim::LossPolicy::backoff) check_complete();
}

void RecipeReplay::find_steps() {
  for (const traces::LayerInfo& layer : trace_.layers()) {
    if (steps_.empty() || steps_.back().number != layer.step) {
      if (!steps_.empty() && layer.step && steps_.back().number && *layer.step < *steps_.back().number)
        throw InputError(trace_.path().string() + ": layer \"" + layer.name + "\"",
                         "steps out of order: step " + std::to_string(*layer.step) + " after step " + std::to_string(*steps_.back().number),
                         "steps in execution order that increase");
      steps_.push_back({.number = layer.step, .layers = {}});
    }
    steps_.back().layers.push_back(&layer);
    step_of_rank_[layer.rank] = steps_.size() - 1;
  }
}

void RecipeReplay::check_complete() const {
  const auto names_of = [](const Step& step) {
    std::set<std::string> names;
    for (const traces::LayerInfo* layer : step.layers) names.insert(name_in_step(*layer));
    return names;
  };
  const std::string carries = "; the recipe carries state from step to step";
  for (const Step& step : steps_) {
    if (steps_.size() > 1 && !step.number)
      throw InputError(trace_.path().string() + ": layer \"" + step.layers.front()->name + "\"", "a layer outside the steps" + carries,
                       "every layer in a group step_N/");
    const std::set<std::string> wanted = names_of(steps_.front());
    const std::set<std::string> found = names_of(step);
    for (const std::string& name : wanted) {
      if (!found.contains(name))
        throw InputError(trace_.path().string() + ": " + step_name(step.number),
                         "layer \"" + name + "\" of " + step_name(steps_.front().number) + " is missing" + carries,
                         "the same layers in every step");
    }
    for (const std::string& name : found) {
      if (!wanted.contains(name))
        throw InputError(trace_.path().string() + ": " + step_name(steps_.front().number),
                         "layer \"" + name + "\" of " + step_name(step.number) + " is missing" + carries, "the same layers in every step");
    }
  }
}

std::vector<Job> RecipeReplay::jobs(const LayerSelection& selection) const {
  const std::string& wanted = selection.passes.back();
  const std::string named = recipe_.name.empty() ? "the run" : "recipe \"" + recipe_.name + "\"";
  std::vector<Job> jobs;
  for (const Job& job : jobs_of(trace_, selection)) {
    if (has(job.pass)) jobs.push_back(job);
  }
  if (jobs.empty()) throw InputError("recipe \"" + recipe_.name + "\"", "no pass " + wanted, "--pass with one that the recipe has");
  for (const Pass pass : {Pass::dgrad, Pass::wgrad}) {
    const bool missing = std::none_of(jobs.begin(), jobs.end(), [&](const Job& job) { return job.pass == pass; });
    if (wanted == "all" && has(pass) && missing)
      throw InputError(trace_.path().string(),
                       "no grad_output in any layer selected, but " + named + " has pass " + std::string(name_of(pass)),
                       "a trace with gradients, or --pass fprop");
  }
  const auto forward_only = std::find_if(jobs.begin(), jobs.end(), [](const Job& job) { return !job.layer->dataset("grad_output"); });
  if (wanted == "all" && forward_only != jobs.end() && (has(Pass::dgrad) || has(Pass::wgrad)))
    spdlog::warn("layers without grad_output have their forward pass alone, among them \"{}\"", forward_only->layer->name);
  return jobs;
}

double RecipeReplay::loss_scale(const traces::LayerInfo& layer) const { return steps_[step_of(layer)].scale; }

bool RecipeReplay::quantizes_result(Pass pass) const {
  const auto& q = recipe_.role(sim::result_role(pass));
  return q && q->has_format();
}

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

std::vector<GradientReport> RecipeReplay::scan(const std::vector<const traces::LayerInfo*>& layers, double scale) const {
  std::vector<GradientReport> reports;
  for (const traces::LayerInfo* layer : layers) {
    for (const Place& place : gradients_of(*layer)) {
      GradientReport report{.layer = layer->name, .dataset = place.dataset, .pass = std::string(name_of(place.pass)), .counts = {}};
      report.counts = counts_of(place, load(place), scale);
      reports.push_back(std::move(report));
    }
  }
  return reports;
}

std::vector<sim::QuantizationCounts> RecipeReplay::losses_at(const std::vector<Job>& jobs, std::span<const double> scales) {
  std::vector<sim::QuantizationCounts> losses(scales.size());
  const traces::LayerInfo* last = nullptr;
  for (const Job& job : jobs) {
    if (job.layer == last) continue;
    last = job.layer;
    for (const Place& place : gradients_of(*job.layer)) {
      const StoredGradient stored = load(place);
      for (std::size_t i = 0; i < scales.size(); ++i) {
        for (Step& step : steps_) step.scale = scales[i];
        losses[i].merge(counts_of(place, stored, scales[i]));
      }
    }
  }
  return losses;
}

std::vector<StepReport> RecipeReplay::plan(const std::vector<Job>& jobs) {
  sim::LossScaler scaler(recipe_.loss_scaling);
  const bool is_dynamic = recipe_.loss_scaling.policy == sim::LossPolicy::backoff;
  std::vector<StepReport> reports;
  for (Step& step : steps_) {
    std::vector<const traces::LayerInfo*> selected, others;
    for (const traces::LayerInfo* layer : step.layers) {
      const bool wanted = std::any_of(jobs.begin(), jobs.end(), [&](const Job& job) { return job.layer == layer; });
      (wanted ? selected : others).push_back(layer);
    }
    if (is_dynamic) {
      while (scaler.iteration() < step.number.value_or(0)) scaler.finish_iteration(false);  // iterations that the trace lacks
    }
    const double stored = trace_.loss_scale(*step.layers.front());
    step.scale = recipe_.loss_scaling.policy == sim::LossPolicy::stored ? stored : scaler.scale();
    if (selected.empty() && !is_dynamic) continue;
    StepReport report{.step = step.number, .loss_scale = step.scale, .stored_loss_scale = stored, .gradients = {}};
    report.gradients = scan(selected, step.scale);
    report.overflow = report.total().nonfinite > 0;
    if (is_dynamic && !report.overflow) {
      for (const GradientReport& g : scan(others, step.scale)) report.overflow = report.overflow || g.counts.nonfinite > 0;
    }
    report.skipped = is_dynamic && report.overflow;
    if (is_dynamic) scaler.finish_iteration(report.overflow);
    if (!selected.empty()) reports.push_back(std::move(report));
  }
  return reports;
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
