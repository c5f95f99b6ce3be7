#include "cli/loss_report.h"

#include <spdlog/fmt/fmt.h>

#include <tuple>

#include "cli/table_text.h"

namespace accsim::cli {
namespace {

using nlohmann::ordered_json;
using sim::QuantizationCounts;

std::string share(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return "-";
  if (part == 0) return "0 %";
  return fmt::format("{:.3g} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string shares(const QuantizationCounts& c) {
  return fmt::format("{:>8} {:>9} {:>9} {:>9}", count(c.nonzero), share(c.zeroed, c.nonzero), share(c.subnormal, c.nonzero),
                     share(c.clipped, c.nonzero));
}

std::string scale_text(double scale) { return fmt::format("{:.10g}", scale); }

}  // namespace

std::int64_t lost(const QuantizationCounts& counts) { return counts.zeroed + counts.clipped; }

const SweepPoint& best_of(const std::vector<SweepPoint>& points) {
  const auto rank = [](const SweepPoint& p) {
    return std::tuple(p.gradients.clipped + p.gradients.nonfinite > 0, lost(p.gradients), p.gradients.subnormal, p.loss_scale);
  };
  return *std::min_element(points.begin(), points.end(), [&](const auto& x, const auto& y) { return rank(x) < rank(y); });
}

void write_steps(std::ostream& out, const std::string& policy, const std::vector<StepReport>& steps) {
  if (steps.empty()) return;
  out << "\ngradients, shares of the nonzero values\nloss scaling " << policy << '\n';
  out << fmt::format("{:24} {:11} {:5} {:>10} {:>8} {:>9} {:>9} {:>9}\n", "layer or step", "tensor", "pass", "scale", "nonzero", "to zero",
                     "subnormal", "clipped");
  for (const StepReport& step : steps) {
    for (const GradientReport& g : step.gradients)
      out << fmt::format("{} {:11} {:5} {:>10} {}\n", fitted(g.layer, 24), g.dataset, g.pass, "", shares(g.counts));
    const std::string what = std::string(step.overflow ? ": overflow" : "") + (step.skipped ? ", skipped" : "");
    out << fmt::format("{:42} {:>10} {}\n", (step.step ? "step " + std::to_string(*step.step) : "all") + what, scale_text(step.loss_scale),
                       shares(step.total()));
  }
}

void write_sweep(std::ostream& out, const std::vector<SweepPoint>& points) {
  const SweepPoint& best = best_of(points);
  out << "gradients at constant loss scales, shares of the nonzero values\n";
  out << fmt::format("{:>10} {:>8} {:>9} {:>9} {:>9} {:>9}\n", "scale", "nonzero", "to zero", "subnormal", "clipped", "lost");
  for (const SweepPoint& p : points)
    out << fmt::format("{:>10} {} {:>9}{}\n", scale_text(p.loss_scale), shares(p.gradients), share(lost(p.gradients), p.gradients.nonzero),
                       &p == &best ? "  best" : "");
  out << fmt::format("best scale: {}, losing {} of the nonzero gradients\n", scale_text(best.loss_scale),
                     share(lost(best.gradients), best.gradients.nonzero));
}

std::string csv_counts_header(const std::string& of) {
  std::string names;
  for (const char* name : {"values", "nonzero", "zeroed", "subnormal", "clipped", "nonfinite"}) names += "," + of + "_" + name;
  return names;
}

std::string csv_counts(const std::optional<QuantizationCounts>& c) {
  if (!c) return ",,,,,,";
  return fmt::format(",{},{},{},{},{},{}", c->values, c->nonzero, c->zeroed, c->subnormal, c->clipped, c->nonfinite);
}

void write_sweep_csv(std::ostream& out, const std::vector<SweepPoint>& points) {
  out << "loss_scale" << csv_counts_header("gradients") << '\n';
  for (const SweepPoint& p : points) out << fmt::format("{}", p.loss_scale) << csv_counts(p.gradients) << '\n';
}

ordered_json counts_json(const QuantizationCounts& c) {
  return {{"values", c.values},       {"nonzero", c.nonzero}, {"zeroed", c.zeroed},
          {"subnormal", c.subnormal}, {"clipped", c.clipped}, {"nonfinite", c.nonfinite}};
}

ordered_json steps_json(const std::vector<StepReport>& steps) {
  ordered_json array = ordered_json::array();
  for (const StepReport& step : steps) {
    ordered_json tensors = ordered_json::array();
    for (const GradientReport& g : step.gradients) {
      ordered_json row = {{"layer", g.layer}, {"tensor", g.dataset}, {"pass", g.pass}};
      row.update(counts_json(g.counts));
      tensors.push_back(std::move(row));
    }
    array.push_back({{"step", step.step ? ordered_json(*step.step) : ordered_json(nullptr)},
                     {"loss_scale", step.loss_scale},
                     {"stored_loss_scale", step.stored_loss_scale},
                     {"overflow", step.overflow},
                     {"skipped", step.skipped},
                     {"gradients", counts_json(step.total())},
                     {"tensors", std::move(tensors)}});
  }
  return array;
}

}  // namespace accsim::cli
