// What loss scaling does to the gradients of a trace: tables and JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <ostream>
#include <vector>

#include "cli/recipe_replay.h"

namespace accsim::cli {

/// One constant scale of a sweep, over all steps.
struct SweepPoint {
  double loss_scale = 1;
  sim::QuantizationCounts gradients;
};

/// Lost: what became zero or was clipped.
std::int64_t lost(const sim::QuantizationCounts& counts);
/// The point that loses least: among those that clip nothing if there is one, then fewest lost, fewest subnormal, smallest scale.
const SweepPoint& best_of(const std::vector<SweepPoint>& points);

void write_steps(std::ostream& out, const std::string& policy, const std::vector<StepReport>& steps);
void write_sweep(std::ostream& out, const std::vector<SweepPoint>& points);
void write_sweep_csv(std::ostream& out, const std::vector<SweepPoint>& points);
nlohmann::ordered_json steps_json(const std::vector<StepReport>& steps);
nlohmann::ordered_json counts_json(const sim::QuantizationCounts& counts);
/// Six columns of CSV, each with a comma in front: ",OF_values,OF_nonzero,..."; empty where there are no counts.
std::string csv_counts_header(const std::string& of);
std::string csv_counts(const std::optional<sim::QuantizationCounts>& counts);

}  // namespace accsim::cli
