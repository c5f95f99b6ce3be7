// Which passes of which layers of a trace a command works on: --layer and --pass.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "traces/trace_file.h"

namespace accsim::cli {

std::string_view name_of(sim::Pass pass);

struct LayerSelection {
  std::vector<std::string> globs;            ///< none: every layer
  std::vector<std::string> passes{"fprop"};  ///< the last one counts: fprop, dgrad, wgrad or all
};
void add_layer_options(CLI::App& command, LayerSelection& selection);

/// A pass of a layer.
struct Job {
  const traces::LayerInfo* layer;
  sim::Pass pass;
};

/// In execution order, a layer's passes as fprop, dgrad, wgrad. InputError where a pattern matches nothing or no layer has the pass.
std::vector<Job> jobs_of(const traces::TraceFile& trace, const LayerSelection& selection);

}  // namespace accsim::cli
