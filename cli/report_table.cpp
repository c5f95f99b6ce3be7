// The run's report for a terminal of 100 columns.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cli/loss_report.h"
#include "cli/run_report.h"
#include "cli/table_text.h"

namespace accsim::cli {
namespace {

using sim::Event;

std::string decibels(const sim::StatisticValue& value) {
  if (const auto* db = std::get_if<double>(&value)) return std::isinf(*db) ? (*db > 0 ? "exact" : "-inf") : fmt::format("{:.2f}", *db);
  return "-";
}

struct Row {
  std::string name, pass, k, macs, outputs, overflowed, overflow, underflow, swamped, sndr;
};

void write_row(std::ostream& out, const Row& r) {
  out << fmt::format("{} {:5} {:>6} {:>7} {:>8} {:>9} {:>8} {:>9} {:>8} {:>7}\n", fitted(r.name, 24), r.pass, r.k, r.macs, r.outputs,
                     r.overflowed, r.overflow, r.underflow, r.swamped, r.sndr);
}

Row row_of(const LayerReport& layer) {
  const sim::EventCounts& e = layer.result.events;
  return {layer.name,
          layer.pass,
          rough(layer.k),
          rough(layer.result.macs),
          count(layer.result.outputs),
          count(e[Event::outputs_overflowed]),
          count(e[Event::product_overflow] + e[Event::sum_overflow]),
          count(e[Event::product_underflow] + e[Event::sum_underflow]),
          count(e[Event::swamped]),
          decibels(layer.result.statistic(sim::StatisticGroup::error, "sndr_db"))};
}

/// Name and pass in at most 60 columns.
std::string shown_name(const LayerReport& layer) {
  const std::string name = columns_of(layer.name) > 54 ? fitted(layer.name, 54) : layer.name;
  return layer.pass == "fprop" ? name : name + " " + layer.pass;
}

std::string of_outputs(const LayerReport& layer) {
  const double share =
      100.0 * static_cast<double>(layer.result.events[Event::outputs_overflowed]) / static_cast<double>(layer.result.outputs);
  return fmt::format("{} ({:.3g} % of outputs)", shown_name(layer), share);
}

/// Breaks a list of phrases into lines of at most 100 columns.
void write_wrapped(std::ostream& out, const std::string& start, const std::vector<std::string>& phrases) {
  std::string line = start;
  for (std::size_t i = 0; i < phrases.size(); ++i) {
    const std::string phrase = " " + phrases[i] + (i + 1 < phrases.size() ? "," : "");
    if (columns_of(line) + columns_of(phrase) > 100) {
      out << line << '\n';
      line = " ";
    }
    line += phrase;
  }
  out << line << '\n';
}

void write_overflow_lines(std::ostream& out, const RunReport& report) {
  std::vector<const LayerReport*> overflowed;
  for (const LayerReport& layer : report.layers) {
    if (layer.result.events[Event::outputs_overflowed] != 0) overflowed.push_back(&layer);
  }
  if (overflowed.empty()) {
    out << "no product or sum overflowed\n";
    return;
  }
  std::stable_sort(overflowed.begin(), overflowed.end(), [](const LayerReport* x, const LayerReport* y) {
    const auto share = [](const LayerReport* l) {
      return static_cast<double>(l->result.events[Event::outputs_overflowed]) / static_cast<double>(l->result.outputs);
    };
    return share(x) > share(y);
  });
  std::vector<std::string> most;
  for (std::size_t i = 0; i < std::min<std::size_t>(3, overflowed.size()); ++i) most.push_back(of_outputs(*overflowed[i]));
  write_wrapped(out,
                fmt::format("warning: overflow in {} of {} {}, most in", overflowed.size(), report.layers.size(),
                            report.layers.size() == 1 ? "row" : "rows"),
                most);
}

void write_lowest_sndr(std::ostream& out, const RunReport& report) {
  const LayerReport* lowest = nullptr;
  double lowest_db = HUGE_VAL;
  for (const LayerReport& layer : report.layers) {
    const auto* db = std::get_if<double>(&layer.result.statistic(sim::StatisticGroup::error, "sndr_db"));
    if (db != nullptr && *db < lowest_db) {
      lowest_db = *db;
      lowest = &layer;
    }
  }
  if (lowest != nullptr && report.layers.size() > 1)
    write_wrapped(out, "lowest SNDR:", {fmt::format("{:.2f} dB in", lowest_db) + " " + shown_name(*lowest)});
}

void write_widths(std::ostream& out, const RunReport& report) {
  std::int64_t observed = 0;
  std::int64_t guaranteed = 0;
  for (const LayerReport& layer : report.layers) {
    if (!layer.result.has_bits) continue;
    observed = std::max(observed, std::get<std::int64_t>(layer.result.statistic(sim::StatisticGroup::bits, "observed")));
    guaranteed = std::max(guaranteed, std::get<std::int64_t>(layer.result.statistic(sim::StatisticGroup::bits, "range_bound")));
  }
  if (observed != 0) out << fmt::format("sums: safe at {} bits on this trace, guaranteed at {} bits for any input\n", observed, guaranteed);
}

/// What online units take, and what stopping at the first negative digit would save.
void write_online_cycles(std::ostream& out, const RunReport& report) {
  std::int64_t longest = 0, all = 0, saved = 0;
  bool may_stop = false;
  for (const LayerReport& layer : report.layers) {
    const auto* cycles = std::get_if<std::int64_t>(&layer.result.statistic(sim::StatisticGroup::cycles, "per_output"));
    if (cycles == nullptr) continue;
    longest = std::max(longest, *cycles);
    const auto* of_layer = std::get_if<std::int64_t>(&layer.result.statistic(sim::StatisticGroup::cycles, "saved"));
    if (of_layer == nullptr) continue;
    may_stop = true;
    all += *cycles * layer.result.outputs;
    saved += *of_layer;
  }
  if (longest == 0) return;
  out << fmt::format("online: {}{} cycles an output", report.layers.size() > 1 ? "at most " : "", longest);
  if (may_stop) {
    out << fmt::format("; where a ReLU follows, early detection saves {} of {} ({:.2f} %)", rough(saved), rough(all),
                       100.0 * static_cast<double>(saved) / static_cast<double>(all));
  }
  out << '\n';
}

/// Cycles of all rows, and what SCALE-Sim would count, where it differs.
void write_cycles(std::ostream& out, const RunReport& report) {
  std::int64_t total = 0;
  std::int64_t scale_sim = 0;
  double macs = 0;
  double slots = 0;
  for (const LayerReport& layer : report.layers) {
    if (!layer.result.has_cycles) return;
    total += std::get<std::int64_t>(layer.result.statistic(sim::StatisticGroup::cycles, "total"));
    const double layer_macs = static_cast<double>(layer.result.macs);
    macs += layer_macs;
    slots += layer_macs / std::get<double>(layer.result.statistic(sim::StatisticGroup::cycles, "utilization"));
    if (const auto* count = std::get_if<std::int64_t>(&layer.result.statistic(sim::StatisticGroup::cycles, "scale_sim")))
      scale_sim += *count;
  }
  if (report.layers.empty()) return;
  out << fmt::format("cycles: {}, utilization {:.3g} %\n", total, 100 * macs / slots);
  if (scale_sim != 0 && scale_sim != total)
    out << fmt::format("SCALE-Sim counts {}: elements of one cycle, and os folds without their drain\n", scale_sim);
}

/// Percent in at most 7 characters, "-" for none.
std::string percent(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return "-";
  if (part == 0) return "0";
  const double share = 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  return share < 0.001 ? "<0.001" : fmt::format("{:.3g}", share);
}

/// What quantizing the tensors of the forward passes lost, a row a layer.
void write_forward_losses(std::ostream& out, const std::vector<LayerReport>& layers) {
  const auto is_forward = [](const LayerReport& l) { return l.pass == "fprop" && (l.losses[0] || l.losses[1] || l.losses[2]); };
  if (std::none_of(layers.begin(), layers.end(), is_forward)) return;
  out << "\nforward tensors as quantized, % of the nonzero values that became zero, subnormal, or were clipped\n";
  out << fmt::format("{:24} {:<23} {:<23} {:<23}\n", "", "  input (a)", "  weight (b)", "  output");
  out << fmt::format("{:24}", "layer");
  for (int i = 0; i < 3; ++i) out << fmt::format(" {:>7} {:>7} {:>7}", "to zero", "subn.", "clipped");
  out << '\n';
  for (const LayerReport& layer : layers) {
    if (!is_forward(layer)) continue;
    out << fitted(layer.name, 24);
    for (const std::optional<TensorLoss>& loss : layer.losses) {
      const sim::QuantizationCounts c = loss ? loss->counts : sim::QuantizationCounts{};
      out << fmt::format(" {:>7} {:>7} {:>7}", percent(c.zeroed, c.nonzero), percent(c.subnormal, c.nonzero),
                         percent(c.clipped, c.nonzero));
    }
    out << '\n';
  }
}

}  // namespace

void write_table(std::ostream& out, const RunReport& report) {
  const auto totals = [&](auto member) {
    return std::accumulate(report.layers.begin(), report.layers.end(), std::int64_t{0},
                           [&](std::int64_t sum, const LayerReport& l) { return sum + member(l); });
  };
  const auto events = [&](Event e) { return totals([&](const LayerReport& l) { return l.result.events[e]; }); };
  write_row(out, {"layer", "pass", "k", "MACs", "outputs", "ovf. outs", "overflow", "underflow", "swamped", "SNDR dB"});
  for (const LayerReport& layer : report.layers) write_row(out, row_of(layer));
  write_row(out, {fmt::format("total ({} {})", report.layers.size(), report.layers.size() == 1 ? "row" : "rows"), "", "",
                  rough(totals([](const LayerReport& l) { return l.result.macs; })),
                  count(totals([](const LayerReport& l) { return l.result.outputs; })), count(events(Event::outputs_overflowed)),
                  count(events(Event::product_overflow) + events(Event::sum_overflow)),
                  count(events(Event::product_underflow) + events(Event::sum_underflow)), count(events(Event::swamped)), ""});
  write_overflow_lines(out, report);
  write_lowest_sndr(out, report);
  write_widths(out, report);
  write_online_cycles(out, report);
  write_cycles(out, report);
  if (report.recipe) write_forward_losses(out, report.layers);
  if (report.recipe) write_steps(out, report.recipe->loss_scaling, report.recipe->steps);
}

}  // namespace accsim::cli
