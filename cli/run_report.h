// The report of a run as data, and its four writers.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "cli/recipe_replay.h"
#include "sim/simulate.h"
#include "traces/results_file.h"
#include "traces/trace_file.h"

namespace accsim::cli {

/// One row: a pass of a layer.
struct LayerReport {
  std::string name, op, pass;
  std::int64_t m = 0, n = 0, k = 0, batch = 0;
  sim::LayerResult result;
  std::optional<std::int64_t> step = {};  ///< N of step_N/
  PassLosses losses = {};                 ///< of a run with a recipe or loss scaling
};

/// The recipe of a run that has one, or that scales the loss.
struct RecipeReport {
  std::string name, toml, digest, loss_scaling;
  bool is_named = false;                                         ///< false: made of --acc and --loss-scale
  std::vector<std::pair<std::string, sim::Datapath>> datapaths;  ///< by pass
  std::vector<StepReport> steps;
};

struct RunReport {
  std::string version, datapath_name, datapath_toml, datapath_digest, trace_file, trace_digest, executor;
  std::uint64_t seed = 0;
  int threads = 1;
  std::vector<LayerReport> layers;
  std::optional<RecipeReport> recipe;
  double total_seconds = 0, read_seconds = 0, simulate_seconds = 0, reference_seconds = 0;
};

/// The name of a statistic outside its group: its own, with the group where that alone says too little.
std::string flat_name(const sim::StatisticRow& row);

/// At most 100 columns: a row a layer, totals, warnings.
void write_table(std::ostream& out, const RunReport& report);
/// The document of contracts 4.
void write_json(std::ostream& out, const RunReport& report);
/// A header and a row a layer: the JSON's numbers without nesting.
void write_csv(std::ostream& out, const RunReport& report);
/// `has_recipe`: with columns for what quantizing lost and for the step.
void write_csv_header(std::ostream& out, bool has_recipe = false);
/// The rows alone, each with `before` in front.
void write_csv_rows(std::ostream& out, const RunReport& report, const std::string& before = "");
/// The JSON's numbers of a layer as HDF5 attributes; undefined ones are NaN.
std::vector<traces::Attribute> layer_attributes(const LayerReport& layer);
std::vector<traces::Attribute> root_attributes(const RunReport& report);

}  // namespace accsim::cli
