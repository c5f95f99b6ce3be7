// The run's report as JSON, CSV and HDF5 attributes: loops over the rows of the statistics.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/json_number.h"
#include "cli/loss_report.h"
#include "cli/run_report.h"
#include "cli/table_text.h"

namespace accsim::cli {
namespace {

using nlohmann::ordered_json;
using sim::StatisticGroup;
using sim::StatisticValue;

ordered_json json_value(const StatisticValue& value) {
  struct Visitor {
    ordered_json operator()(std::monostate) const { return nullptr; }
    ordered_json operator()(std::int64_t v) const { return v; }
    ordered_json operator()(double v) const { return json_number(v); }
  };
  return std::visit(Visitor{}, value);
}

std::string csv_value(const StatisticValue& value) {
  struct Visitor {
    std::string operator()(std::monostate) const { return ""; }
    std::string operator()(std::int64_t v) const { return std::to_string(v); }
    std::string operator()(double v) const {
      if (std::isinf(v)) return v > 0 ? "inf" : "-inf";
      std::array<char, 40> text{};
      return {text.data(), std::to_chars(text.data(), text.data() + text.size(), v).ptr};
    }
  };
  return std::visit(Visitor{}, value);
}

/// Calls use(row, value) for every statistic that the layer has.
template <class Use>
void for_each_statistic(const LayerReport& layer, Use&& use) {
  const auto rows = sim::statistic_rows();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].group == StatisticGroup::bits && !layer.result.has_bits) continue;
    if (rows[i].group == StatisticGroup::cycles && std::holds_alternative<std::monostate>(layer.result.statistics[i])) continue;
    use(rows[i], layer.result.statistics[i]);
  }
}

/// What a layer's pass was.
template <class Use>
void for_each_fact(const LayerReport& layer, Use use) {
  use("op", layer.op);
  use("pass", layer.pass);
  use("m", layer.m);
  use("n", layer.n);
  use("k", layer.k);
  use("batch", layer.batch);
  use("macs", layer.result.macs);
  use("outputs", layer.result.outputs);
}

ordered_json layer_json(const LayerReport& layer) {
  ordered_json j = {{"name", layer.name}};
  for_each_fact(layer, [&](const char* name, const auto& value) { j[name] = value; });
  for_each_statistic(layer, [&](const sim::StatisticRow& row, const StatisticValue& value) {
    j[std::string(name_of(row.group))][std::string(row.name)] = json_value(value);
  });
  for (const std::optional<TensorLoss>& loss : layer.losses) {
    if (loss) j["quantized"][loss->dataset] = counts_json(loss->counts);
  }
  j["seconds"] = {{"simulate", layer.result.simulate_seconds}};
  return j;
}

/// What a row of a run with a recipe has beside the statistics: counts of a, b and the result, then of its step.
void write_csv_losses(std::ostream& out, const LayerReport& layer, const std::vector<StepReport>& steps) {
  for (const std::optional<TensorLoss>& loss : layer.losses) out << csv_counts(loss ? std::optional(loss->counts) : std::nullopt);
  const auto step = std::find_if(steps.begin(), steps.end(), [&](const StepReport& s) { return s.step == layer.step; });
  out << ',' << (layer.step ? std::to_string(*layer.step) : "");
  if (step == steps.end()) out << ",,," << csv_counts(std::nullopt);
  else
    out << ',' << csv_value(step->loss_scale) << (step->overflow ? ",true" : ",false") << (step->skipped ? ",true" : ",false")
        << csv_counts(step->total());
}

}  // namespace

std::string flat_name(const sim::StatisticRow& row) {
  const bool shared = row.group == StatisticGroup::total || row.group == StatisticGroup::cycles;
  return (shared ? std::string(name_of(row.group)) + "_" : "") + std::string(row.name);
}

void write_json(std::ostream& out, const RunReport& report) {
  ordered_json j;
  j["accsim"] = report.version;
  j["datapath"] = {{"name", report.datapath_name}, {"toml", report.datapath_toml}, {"digest", report.datapath_digest}};
  if (report.recipe) {
    const RecipeReport& r = *report.recipe;
    ordered_json datapaths = ordered_json::object();
    for (const auto& [pass, datapath] : r.datapaths) datapaths[pass] = {{"name", datapath.name}, {"toml", sim::to_toml(datapath)}};
    j["recipe"] = {{"name", r.name}, {"toml", r.toml}, {"digest", r.digest}, {"datapaths", std::move(datapaths)}};
    if (!r.is_named) j["recipe"] = nullptr;
    j["loss_scaling"] = {{"policy", r.loss_scaling}, {"steps", steps_json(r.steps)}};
  }
  j["trace"] = {{"file", report.trace_file}, {"digest", report.trace_digest}};
  j["executor"] = report.executor;
  j["seed"] = report.seed;
  j["threads"] = report.threads;
  j["layers"] = ordered_json::array();
  for (const LayerReport& layer : report.layers) j["layers"].push_back(layer_json(layer));
  j["seconds"] = {{"total", report.total_seconds},
                  {"read", report.read_seconds},
                  {"simulate", report.simulate_seconds},
                  {"reference", report.reference_seconds}};
  out << j.dump(2, ' ', false, ordered_json::error_handler_t::replace) << '\n';
}

void write_csv(std::ostream& out, const RunReport& report) {
  write_csv_header(out, report.recipe.has_value());
  write_csv_rows(out, report);
}

void write_csv_header(std::ostream& out, bool has_recipe) {
  out << "name,op,pass,m,n,k,batch,macs,outputs";
  for (const sim::StatisticRow& row : sim::statistic_rows()) out << ',' << flat_name(row);
  if (has_recipe) {
    for (const char* tensor : {"a", "b", "result"}) out << csv_counts_header(tensor);
    out << ",step,loss_scale,step_overflow,step_skipped" << csv_counts_header("step_gradients");
  }
  out << '\n';
}

void write_csv_rows(std::ostream& out, const RunReport& report, const std::string& before) {
  for (const LayerReport& layer : report.layers) {
    out << before << csv_text(layer.name) << ',' << layer.op << ',' << layer.pass << ',' << layer.m << ',' << layer.n << ',' << layer.k
        << ',' << layer.batch << ',' << layer.result.macs << ',' << layer.result.outputs;
    for (const StatisticValue& value : layer.result.statistics) out << ',' << csv_value(value);
    if (report.recipe) write_csv_losses(out, layer, report.recipe->steps);
    out << '\n';
  }
}

std::vector<traces::Attribute> layer_attributes(const LayerReport& layer) {
  std::vector<traces::Attribute> attributes;
  for_each_fact(layer, [&](const char* name, const auto& value) { attributes.emplace_back(name, value); });
  for_each_statistic(layer, [&](const sim::StatisticRow& row, const StatisticValue& value) {
    if (const auto* integer = std::get_if<std::int64_t>(&value)) attributes.emplace_back(flat_name(row), *integer);
    else if (const auto* real = std::get_if<double>(&value)) attributes.emplace_back(flat_name(row), *real);
    else attributes.emplace_back(flat_name(row), std::nan(""));
  });
  return attributes;
}

/// As a number while it is one of int64, else as its digits.
traces::Attribute seed_attribute(std::uint64_t seed) {
  if (seed <= static_cast<std::uint64_t>(INT64_MAX)) return {"seed", static_cast<std::int64_t>(seed)};
  return {"seed", std::to_string(seed)};
}

std::vector<traces::Attribute> root_attributes(const RunReport& report) {
  return {{"accsim", report.version},
          {"datapath_name", report.datapath_name},
          {"datapath_toml", report.datapath_toml},
          {"datapath_digest", report.datapath_digest},
          {"trace_file", report.trace_file},
          {"trace_digest", report.trace_digest},
          seed_attribute(report.seed)};
}

}  // namespace accsim::cli
