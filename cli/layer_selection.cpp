#include "cli/layer_selection.h"

#include <fnmatch.h>
#include <spdlog/spdlog.h>

#include "formats/error.h"

namespace accsim::cli {
namespace {

std::vector<const traces::LayerInfo*> selected_layers(const traces::TraceFile& trace, const std::vector<std::string>& globs) {
  std::vector<const traces::LayerInfo*> selected;
  std::vector<bool> used(globs.size(), false);
  for (const traces::LayerInfo& layer : trace.layers()) {
    bool wanted = globs.empty();
    for (std::size_t i = 0; i < globs.size(); ++i) {
      if (fnmatch(globs[i].c_str(), layer.name.c_str(), 0) != 0) continue;
      wanted = true;
      used[i] = true;
    }
    if (wanted) selected.push_back(&layer);
  }
  std::vector<std::string> names;
  std::string list;
  for (const traces::LayerInfo& layer : trace.layers()) {
    names.push_back(layer.name);
    if (names.size() <= 8) list += (list.empty() ? "" : ", ") + layer.name;
  }
  if (names.size() > 8) list += ", ... (" + std::to_string(names.size()) + " in all)";
  for (std::size_t i = 0; i < globs.size(); ++i) {
    if (!used[i])
      throw InputError(trace.path().string() + ": --layer", "no layer matches \"" + globs[i] + "\"", list + nearest_names(globs[i], names));
  }
  return selected;
}

}  // namespace

using sim::Pass;

std::string_view name_of(Pass pass) {
  switch (pass) {
    case Pass::fprop: return "fprop";
    case Pass::dgrad: return "dgrad";
    case Pass::wgrad: return "wgrad";
  }
  return "";
}

void add_layer_options(CLI::App& command, LayerSelection& selection) {
  command.add_option("--layer", selection.globs, "Only layers whose name matches this pattern (repeatable)")->allow_extra_args(false);
  command.add_option("--pass", selection.passes, "fprop, dgrad, wgrad or all")
      ->check(CLI::IsMember({"fprop", "dgrad", "wgrad", "all"}))
      ->expected(1)
      ->default_str("fprop");
}

std::vector<Job> jobs_of(const traces::TraceFile& trace, const LayerSelection& selection) {
  const std::string& wanted = selection.passes.back();
  std::vector<Job> jobs;
  std::string missing;
  for (const traces::LayerInfo* layer : selected_layers(trace, selection.globs)) {
    for (const Pass pass : {Pass::fprop, Pass::dgrad, Pass::wgrad}) {
      if (wanted != "all" && wanted != name_of(pass)) continue;
      if (traces::TraceFile::has_pass(*layer, pass)) jobs.push_back({layer, pass});
      else if (wanted != "all") missing = layer->name;
    }
  }
  if (jobs.empty())
    throw InputError(trace.path().string() + ": layer \"" + missing + "\"", "no grad_output, so no " + wanted,
                     "a layer with grad_output, or --pass fprop");
  if (!missing.empty()) spdlog::warn("layers without grad_output are left out of {}, among them \"{}\"", wanted, missing);
  return jobs;
}

}  // namespace accsim::cli
