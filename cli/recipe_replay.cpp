#include "cli/recipe_replay.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

#include "formats/error.h"

namespace accsim::cli {
namespace {

using sim::Pass;
using sim::Role;
using sim::RoleQuantizer;

constexpr std::array<Pass, 3> all_passes = {Pass::fprop, Pass::dgrad, Pass::wgrad};

std::string step_name(const std::optional<std::int64_t>& step) { return step ? "step " + std::to_string(*step) : "no step"; }

/// What the datapath's checks and proofs need to know of an operand that is quantized before.
sim::Operand operand_of(const RoleQuantizer& q) {
  sim::Operand operand = q.operand;
  operand.scale = sim::ScaleRule::one;
  if (q.samples > 1) operand.format.reset();  // means of several codes are no codes
  return operand;
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

}  // namespace accsim::cli
