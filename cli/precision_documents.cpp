// Writers of a precision assignment: table, JSON, CSV.
#include <spdlog/fmt/fmt.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json_number.h"
#include "cli/precision_assignment.h"
#include "cli/table_text.h"

namespace accsim::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string db_text(const std::optional<double>& db) { return db ? fmt::format("{:.2f}", *db) : "-"; }
std::string share_text(double share) { return fmt::format("{:.3g} %", 100 * share); }

Json step_json(const std::optional<std::int64_t>& step) { return step ? Json(*step) : Json(nullptr); }

/// The worst of the steps: lowest SNDR, largest shares.
TensorFit worst(const TensorAssignment& tensor, bool less) {
  TensorFit all;
  for (const TensorReplay& r : tensor.replays) {
    if (less && !r.less) continue;
    const TensorFit& fit = less ? *r.less : r.assigned;
    if (fit.sndr_db && (!all.sndr_db || *fit.sndr_db < *all.sndr_db)) all.sndr_db = fit.sndr_db;
    all.clipped = std::max(all.clipped, fit.clipped);
    all.zeroed = std::max(all.zeroed, fit.zeroed);
  }
  return all;
}

Json fit_json(const TensorFit& fit) { return {{"sndr_db", json_number(fit.sndr_db)}, {"clipped", fit.clipped}, {"zeroed", fit.zeroed}}; }

Json tensor_json(const TensorAssignment& tensor) {
  Json j = {{"tensor", tensor.tensor}};
  if (tensor.format) {
    j["format"] = tensor.format->spelling();
    j["signed"] = tensor.format->is_signed;
    j["range"] = tensor.format->range();
    j["step"] = tensor.format->step();
    j["bits"] = tensor.format->bits;
  } else {
    j["format"] = nullptr;
    j["reason"] = tensor.reason;
  }
  j["replay"] = Json::array();
  for (const TensorReplay& r : tensor.replays)
    j["replay"].push_back({{"training_step", step_json(r.step)},
                           {"assigned", fit_json(r.assigned)},
                           {"one_bit_less", r.less ? fit_json(*r.less) : Json(nullptr)}});
  return j;
}

std::string csv_number(const std::optional<double>& x) { return csv_cell(json_number(x)); }

}  // namespace

void write_assignment_table(std::ostream& out, const Assignment& assignment) {
  for (const std::string& note : assignment.notes) out << wrapped("note: " + note);
  out << "worst training step of each; -1: with one bit less\n";
  out << fmt::format("{:16} {:18} {:>9} {:>9} {:>4} {:>8} {:>8} {:>8} {:>8}\n", "layer", "tensor", "range", "step", "bits", "SNDR dB", "-1",
                     "clipped", "-1");
  for (const LayerAssignment& layer : assignment.layers) {
    for (const TensorAssignment& t : layer.tensors) {
      if (!t.format) {
        out << fmt::format("{} {:18} {}\n", fitted(layer.name, 16), t.tensor, t.reason);
        continue;
      }
      const TensorFit assigned = worst(t, false);
      const TensorFit less = worst(t, true);
      out << fmt::format("{} {:18} {:>9} {:>9} {:>4} {:>8} {:>8} {:>8} {:>8}\n", fitted(layer.name, 16), t.tensor,
                         fmt::format("{}2^{}", t.format->is_signed ? "±" : "", t.format->range_exponent),
                         fmt::format("2^{}", t.format->step_exponent()), t.format->bits, db_text(assigned.sndr_db), db_text(less.sndr_db),
                         share_text(assigned.clipped), t.format->bits > 1 ? share_text(less.clipped) : "-");
    }
  }
  out << fmt::format("\n{:16} {:>6} {:>18} {:>18} {:>18}\n", "layer", "step", "fprop SNDR dB, -1", "dgrad", "wgrad");
  for (const LayerAssignment& layer : assignment.layers) {
    for (const traces::LayerInfo* step : layer.steps) {
      out << fmt::format("{} {:>6}", fitted(layer.name, 16), step->step ? std::to_string(*step->step) : "-");
      for (const char* pass : {"fprop", "dgrad", "wgrad"}) {
        std::string text = "-";
        for (const PassReplay& r : layer.passes) {
          if (r.step == step->step && r.pass == pass) text = db_text(r.assigned_db) + ", " + db_text(r.less_db);
        }
        out << fmt::format(" {:>18}", text);
      }
      out << '\n';
    }
  }
}

void write_assignment_json(std::ostream& out, const Assignment& assignment, const AssignOptions& o, const std::string& trace) {
  Json layers = Json::array();
  for (const LayerAssignment& layer : assignment.layers) {
    Json steps = Json::array(), tensors = Json::array(), passes = Json::array();
    for (const traces::LayerInfo* step : layer.steps) steps.push_back(step_json(step->step));
    for (const TensorAssignment& t : layer.tensors) tensors.push_back(tensor_json(t));
    for (const PassReplay& r : layer.passes)
      passes.push_back({{"training_step", step_json(r.step)},
                        {"pass", r.pass},
                        {"sndr_db", json_number(r.assigned_db)},
                        {"one_bit_less_sndr_db", json_number(r.less_db)}});
    layers.push_back({{"name", layer.name},
                      {"op", layer.op},
                      {"training_steps", steps},
                      {"sigma_grad_output_max", json_number(layer.activation_gradient_sigma)},
                      {"sigma_grad_weight_max", json_number(layer.weight_gradient_sigma_max)},
                      {"sigma_grad_weight_min", json_number(layer.weight_gradient_sigma_min)},
                      {"lambda_max", json_number(layer.lambda_max)},
                      {"lambda_max_source", !layer.lambda_max ? Json(nullptr) : Json(layer.lambda_measured ? "trace" : "gains file")},
                      {"tensors", tensors},
                      {"passes", passes}});
  }
  const Json j = {{"accsim", version().substr(7)},
                  {"trace", trace},
                  {"criteria",
                   {{"gains", o.gains ? Json(o.gains_file) : Json(nullptr)},
                    {"min_bits", o.min_bits},
                    {"momentum", o.momentum},
                    {"activation_gradient_factor", o.gradient_factor},
                    {"doubled_activation_gradient_range", o.double_range},
                    {"lr_min", o.learning_rate},
                    {"ranges", o.ranges_of_trace ? "trace" : "published"},
                    {"clamp_below", o.clamp_below},
                    {"datapath", o.acc}}},
                  {"notes", assignment.notes},
                  {"layers", layers}};
  out << j.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

void write_assignment_csv(std::ostream& out, const Assignment& assignment) {
  out << "layer,tensor,training_step,format,range,step,bits,sndr_db,clipped,zeroed,less_sndr_db,less_clipped,less_zeroed\n";
  for (const LayerAssignment& layer : assignment.layers) {
    for (const TensorAssignment& t : layer.tensors) {
      for (const TensorReplay& r : t.replays) {
        out << csv_text(layer.name) << ',' << t.tensor << ',' << (r.step ? std::to_string(*r.step) : "") << ',' << t.format->spelling()
            << ',' << csv_number(t.format->range()) << ',' << csv_number(t.format->step()) << ',' << t.format->bits << ','
            << csv_number(r.assigned.sndr_db) << ',' << csv_number(r.assigned.clipped) << ',' << csv_number(r.assigned.zeroed) << ',';
        if (r.less) out << csv_number(r.less->sndr_db) << ',' << csv_number(r.less->clipped) << ',' << csv_number(r.less->zeroed) << '\n';
        else out << ",,\n";
      }
    }
    for (const PassReplay& r : layer.passes)
      out << csv_text(layer.name) << ',' << r.pass << ',' << (r.step ? std::to_string(*r.step) : "") << ",,,,," << csv_number(r.assigned_db)
          << ",,," << csv_number(r.less_db) << ",,\n";
  }
}

}  // namespace accsim::cli
