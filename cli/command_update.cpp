// accsim update: what of learning rate x gradient reaches master weights of a narrow format.
#include <omp.h>
#include <spdlog/fmt/fmt.h>

#include <cmath>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/document.h"
#include "cli/recipe_replay.h"
#include "cli/table_text.h"
#include "formats/error.h"
#include "sim/recipe_toml.h"
#include "sim/weight_update.h"

namespace accsim::cli {
namespace {

struct UpdateOptions {
  std::string trace, recipe, format, rounding, loss_scale, json;
  std::vector<std::string> globs;
  double learning_rate = 0.01;
  int updates = 1;
  std::uint64_t seed = 0;
};

struct UpdateRow {
  std::string layer, dataset;
  bool skipped = false;
  sim::UpdateReport report;
};

sim::WeightUpdate master_weight(const UpdateOptions& o, const sim::Recipe& recipe) {
  sim::WeightUpdate update;
  update.learning_rate = o.learning_rate;
  update.updates = o.updates;
  update.seed = o.seed;
  if (!std::isfinite(o.learning_rate) || o.learning_rate == 0)
    throw InputError("--lr", std::to_string(o.learning_rate), "a finite number other than zero");
  const auto& role = recipe.role(sim::Role::master_weight);
  if (o.format.empty()) {
    if (!role || !role->has_format())
      throw InputError("--format", "missing, and no recipe with a master_weight", "a format for the master weights");
    if (role->scale != sim::RecipeScale::one)
      throw InputError("recipe \"" + recipe.name + "\": tensors.master_weight.scale", "a scale", "\"one\"");
    if (role->through || role->clamp_low || role->clamp_high || role->samples != 1)
      throw InputError("recipe \"" + recipe.name + "\": tensors.master_weight", "through, clamp_low, clamp_high or samples",
                       "format, rounding, overflow, underflow, subnormals");
    update.nearest_subnormals = role->nearest_subnormals;
    update.format = *role->operand.format;
    update.rounding = role->operand.rounding;
  } else {
    update.format = formats::parse_format(o.format);
    update.rounding.overflow = formats::Overflow::saturate;
  }
  if (!o.rounding.empty()) formats::parse_rounding(o.rounding, update.rounding);
  check_combination(update.rounding, update.format);
  formats::check_single_operand(update.rounding, "a weight update");
  return update;
}

std::vector<double> real_values(sim::Tensor tensor) {
  const sim::Tensor real = sim::real_tensor(std::move(tensor));
  std::vector<double> values(static_cast<std::size_t>(real.values.size()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = real.values.number(static_cast<std::int64_t>(i));
  return values;
}

std::string percent(double share) { return fmt::format("{:.3g} %", 100 * share); }

void write_table(std::ostream& out, const UpdateOptions& o, const sim::WeightUpdate& u, const std::vector<UpdateRow>& rows) {
  out << wrapped(fmt::format("master weights {}, {}, learning rate {}, {} {}", u.format.name, formats::rounding_spelling(u.rounding),
                             o.learning_rate, u.updates, u.updates == 1 ? "update a step" : "updates a step, of the same gradient"));
  out << "swamped: share of the nonzero updates that left the weight as it was; survived: share of the\n"
         "update that arrived, 100 % ideally; bias: mean of what arrived too much, in mean updates\n";
  out << fmt::format("{:36} {:>9} {:>9} {:>9} {:>10} {:>10}\n", "layer", "weights", "nonzero", "swamped", "survived", "bias");
  for (const UpdateRow& r : rows) {
    const double swamped = r.report.nonzero == 0 ? 0 : static_cast<double>(r.report.swamped) / static_cast<double>(r.report.nonzero);
    if (r.skipped) out << fmt::format("{} step skipped by the loss scaling\n", fitted(r.layer, 36));
    else
      out << fmt::format("{} {:>9} {:>9} {:>9} {:>10} {:>10}\n", fitted(r.layer, 36), count(r.report.weights), count(r.report.nonzero),
                         percent(swamped), percent(r.report.survived), percent(r.report.bias));
  }
}

nlohmann::ordered_json rows_json(const std::vector<UpdateRow>& rows) {
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  for (const UpdateRow& r : rows)
    array.push_back({{"layer", r.layer},
                     {"tensor", r.dataset},
                     {"skipped", r.skipped},
                     {"weights", r.report.weights},
                     {"nonzero", r.report.nonzero},
                     {"swamped", r.report.swamped},
                     {"survived", r.report.survived},
                     {"bias", r.report.bias}});
  return array;
}

int run_update(const UpdateOptions& o) {
  sim::Recipe recipe = o.recipe.empty() ? recipe_of_datapath("fp32") : sim::find_recipe(o.recipe);
  if (!o.loss_scale.empty()) recipe.loss_scaling = loss_scaling_option(o.loss_scale);
  const sim::WeightUpdate update = master_weight(o, recipe);
  const traces::TraceFile trace(o.trace);
  RecipeReplay replay(trace, recipe, "", {}, o.seed, omp_get_num_procs());
  LayerSelection selection;
  selection.globs = o.globs;
  selection.passes = {"wgrad"};
  const std::vector<Job> jobs = replay.jobs(selection);
  const Document json(o.json);
  check_distinct(o.trace, {{"--json", json.target()}});
  const std::vector<StepReport> steps = replay.plan(jobs);
  std::vector<UpdateRow> rows;
  for (const Job& job : jobs) {
    const bool matmul = job.layer->op == "matmul";
    const std::string gradient = matmul ? "grad_b" : "grad_weight";
    if (job.layer->dataset(gradient) == nullptr) continue;
    if (matmul && job.layer->dataset("b")->shape.size() > 2) continue;  // a batch of b: activations, as in attention
    UpdateRow row{.layer = job.layer->name, .dataset = matmul ? "b" : "weight", .skipped = false, .report = {}};
    for (const StepReport& s : steps) row.skipped = row.skipped || (s.step == job.layer->step && s.skipped);
    if (!row.skipped) {
      const double scale = replay.loss_scale(*job.layer);
      std::vector<double> gradients = replay.quantized_gradient(*job.layer, gradient, sim::Role::grad_weight);
      for (double& g : gradients) g /= scale;
      row.report = sim::replay_update(real_values(trace.load_dataset(*job.layer, row.dataset)), gradients, update, job.layer->rank);
    }
    rows.push_back(std::move(row));
  }
  if (rows.empty()) throw InputError(o.trace, "no grad_weight in the layers selected", "a trace with weight gradients");
  json.write([&](std::ostream& stream) {
    nlohmann::ordered_json j = {
        {"accsim", version().substr(7)},
        {"recipe", o.recipe.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(recipe.name)},
        {"master_weight", {{"format", update.format.name}, {"rounding", formats::rounding_spelling(update.rounding)}}},
        {"learning_rate", o.learning_rate},
        {"updates", o.updates},
        {"seed", o.seed},
        {"layers", rows_json(rows)}};
    stream << j.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
  });
  if (!json.to_standard_output()) write_table(std::cout, o, update, rows);
  return exit_done;
}

}  // namespace

void add_update(CLI::App& app, Action& action) {
  auto options = std::make_shared<UpdateOptions>();
  CLI::App* update = app.add_subcommand("update", "Replay weight updates in a master-weight format: what is swamped, what arrives");
  set_example(*update,
              "accsim update --trace train.h5 --format fp16 --rounding sr:bits=13 --lr 0.02\n  accsim update --trace train.h5 --recipe "
              "mellempudi2019 --updates 100");
  update->add_option("--trace", options->trace, "HDF5 file of layers with grad_weight, accsim-trace/1")->required();
  update->add_option("--recipe", options->recipe, "Training recipe: its grad_weight and master_weight, its loss scaling");
  update->add_option("--format", options->format, "Format of the master weights, instead of the recipe's");
  update->add_option("--rounding", options->rounding, "Rounding of the updated weight (rne, sr:bits=13, ...)");
  update->add_option("--lr", options->learning_rate, "Learning rate")->default_str("0.01");
  update->add_option("--updates", options->updates, "How often each step's gradient is applied")
      ->check(CLI::Range(1, 1000000))
      ->default_str("1");
  update->add_option("--loss-scale", options->loss_scale, "Loss scaling, as in accsim run");
  update->add_option("--layer", options->globs, "Only layers whose name matches this pattern (repeatable)")->allow_extra_args(false);
  add_seed_option(*update, options->seed);
  update->add_option("--json", options->json, "Write the report as JSON; - for standard output");
  update->callback([options, &action] { action = [options] { return run_update(*options); }; });
}

}  // namespace accsim::cli
