// accsim info: what a trace holds, and what is wrong with it.
#include <spdlog/fmt/fmt.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "formats/error.h"
#include "traces/trace_file.h"

namespace accsim::cli {
namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ",") + std::to_string(shape[i]);
  return text + "]";
}

std::string dataset_text(const traces::DatasetInfo& d) {
  std::string text = d.name + " " + shape_text(d.shape) + " " + (d.format ? *d.format : d.stored_type);
  if (d.format) text += " in " + d.stored_type;
  return d.scale.empty() ? text : text + " scale " + d.scale;
}

std::vector<std::string> passes_of(const traces::LayerInfo& layer) {
  std::vector<std::string> passes;
  using sim::Pass;
  for (const auto& [pass, name] : {std::pair{Pass::fprop, "fprop"}, std::pair{Pass::dgrad, "dgrad"}, std::pair{Pass::wgrad, "wgrad"}}) {
    if (traces::TraceFile::has_pass(layer, pass)) passes.emplace_back(name);
  }
  return passes;
}

/// Everything that checking finds, besides what scanning found.
std::vector<std::string> problems_of(const traces::TraceFile& trace, const traces::LayerInfo& layer) {
  std::vector<std::string> problems = layer.problems;
  if (!problems.empty()) return problems;
  using sim::Pass;
  for (const Pass pass : {Pass::fprop, Pass::dgrad, Pass::wgrad}) {
    if (!traces::TraceFile::has_pass(layer, pass)) continue;
    try {
      (void)trace.check(layer, pass);
    } catch (const InputError& error) {
      problems.emplace_back(error.what());
    }
  }
  std::sort(problems.begin(), problems.end());
  problems.erase(std::unique(problems.begin(), problems.end()), problems.end());
  return problems;
}

int print_text(const traces::TraceFile& trace) {
  std::size_t with_problems = 0;
  for (const traces::LayerInfo& layer : trace.layers()) {
    std::string passes;
    for (const std::string& pass : passes_of(layer)) passes += (passes.empty() ? "" : " ") + pass;
    std::cout << fmt::format("{:>4}  {}  {}  {}", layer.rank, layer.name, layer.op, passes);
    if (layer.loss_scale) std::cout << fmt::format("  loss_scale {}", *layer.loss_scale);
    std::cout << '\n';
    for (const traces::DatasetInfo& d : layer.datasets) std::cout << "        " << dataset_text(d) << '\n';
    const std::vector<std::string> problems = problems_of(trace, layer);
    for (const std::string& problem : problems) std::cout << "        problem: " << problem << '\n';
    with_problems += problems.empty() ? 0 : 1;
  }
  std::cout << fmt::format("{} layers, {} with problems\n", trace.layers().size(), with_problems);
  return with_problems == 0 ? exit_done : exit_bad_input;
}

int print_json(const traces::TraceFile& trace) {
  using nlohmann::ordered_json;
  ordered_json layers = ordered_json::array();
  bool problem_found = false;
  for (const traces::LayerInfo& layer : trace.layers()) {
    ordered_json datasets = ordered_json::array();
    for (const traces::DatasetInfo& d : layer.datasets) {
      datasets.push_back({{"name", d.name},
                          {"shape", d.shape},
                          {"stored", d.stored_type},
                          {"format", d.format ? ordered_json(*d.format) : ordered_json()},
                          {"scale", d.scale}});
    }
    const std::vector<std::string> problems = problems_of(trace, layer);
    problem_found |= !problems.empty();
    layers.push_back({{"rank", layer.rank},
                      {"name", layer.name},
                      {"op", layer.op},
                      {"passes", passes_of(layer)},
                      {"datasets", datasets},
                      {"problems", problems}});
  }
  std::cout << ordered_json{{"file", trace.path().string()}, {"layers", layers}}.dump(2, ' ', false, ordered_json::error_handler_t::replace)
            << '\n';
  return problem_found ? exit_bad_input : exit_done;
}

}  // namespace

void add_info(CLI::App& app, Action& action) {
  struct Options {
    std::string trace;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* info = app.add_subcommand("info", "List the layers of a trace with shapes, formats and problems");
  set_example(*info, "accsim info traces/samples/layer3.h5");
  info->add_option("trace", options->trace, "HDF5 file of layers, accsim-trace/1")->required();
  info->add_flag("--json", options->json, "As JSON");
  info->callback([options, &action] {
    action = [options] {
      const traces::TraceFile trace(options->trace);
      return options->json ? print_json(trace) : print_text(trace);
    };
  });
}

}  // namespace accsim::cli
