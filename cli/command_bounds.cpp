// accsim bounds: the accumulator widths that are guaranteed and observed, layer by layer and channel by channel.
#include <omp.h>

#include <iostream>
#include <memory>

#include "cli/bounds_report.h"
#include "cli/command.h"
#include "cli/document.h"
#include "cli/layer_selection.h"
#include "cli/progress.h"
#include "traces/digest.h"

namespace accsim::cli {
namespace {

struct BoundsOptions {
  DatapathOptions datapath;
  std::string trace;
  LayerSelection selection;
  int threads = 0;
  std::uint64_t seed = 0;
  std::string json, csv;
  bool channels = false, quiet = false;
};

int bounds(const BoundsOptions& options) {
  if (options.json == "-" && options.csv == "-") throw UsageError("--json - and --csv - cannot both have standard output");
  const sim::Datapath datapath = sim::find_datapath(options.datapath.acc, options.datapath.overrides);
  const traces::TraceFile trace(options.trace);
  const std::vector<Job> jobs = jobs_of(trace, options.selection);
  std::int64_t total_macs = 0;
  for (const Job& job : jobs) total_macs += trace.check(*job.layer, job.pass);
  const Document json(options.json);
  const Document csv(options.csv);
  check_distinct(options.trace, {{"--json", json.target()}, {"--csv", csv.target()}});

  BoundsReport report{.version = version().substr(7),
                      .datapath_name = datapath.name,
                      .datapath_toml = sim::to_toml(datapath),
                      .datapath_digest = {},
                      .trace_file = options.trace,
                      .trace_digest = "sha256:" + traces::sha256_of_file(options.trace),
                      .layers = {}};
  report.datapath_digest = "sha256:" + traces::sha256_of_text(report.datapath_toml);
  Progress progress(options.quiet ? ProgressMode::never : ProgressMode::automatic, total_macs);
  sim::SimulateOptions simulate;
  simulate.threads = options.threads > 0 ? options.threads : omp_get_num_procs();
  simulate.seed = options.seed;
  simulate.progress = [&](std::int64_t macs) { progress.advance(macs); };
  for (const Job& job : jobs) {
    progress.start_layer(job.layer->name);
    const traces::LayerPass pass = trace.load(*job.layer, job.pass);
    const sim::LayerProblem problem{
        .a = &pass.a, .b = &pass.b, .bias = nullptr, .lowering = pass.lowering.get(), .layer = job.layer->rank, .pass = job.pass};
    report.layers.push_back({.name = job.layer->name,
                             .op = job.layer->op,
                             .pass = std::string(name_of(job.pass)),
                             .m = pass.lowering->m,
                             .n = pass.lowering->n,
                             .k = pass.lowering->k,
                             .batch = pass.lowering->batch,
                             .survey = survey_widths(datapath, problem, simulate)});
  }
  progress.clear();
  json.write([&](std::ostream& stream) { write_bounds_json(stream, report); });
  csv.write([&](std::ostream& stream) { write_bounds_csv(stream, report, options.channels); });
  if (!options.quiet && options.json != "-" && options.csv != "-") write_bounds_table(std::cout, report, options.channels);
  return exit_done;
}

}  // namespace

void add_bounds(CLI::App& app, Action& action) {
  auto options = std::make_shared<BoundsOptions>();
  CLI::App* command = app.add_subcommand("bounds", "Accumulator widths that are guaranteed and observed, per layer and channel");
  set_example(*command,
              "accsim bounds net.h5 --acc int8_int32\n  accsim bounds net.h5 --acc fp12 --layer 'conv*' --channels --csv widths.csv");
  command->add_option("file,--trace", options->trace, "HDF5 file of layers, accsim-trace/1")->required();
  add_datapath_options(*command, options->datapath);
  add_layer_options(*command, options->selection);
  command->add_flag("--channels", options->channels, "A row for each output channel, in the table and in CSV");
  add_threads_option(*command, options->threads);
  add_seed_option(*command, options->seed);
  command->add_option("--json", options->json, "Write the report as JSON, channels included; - for standard output");
  command->add_option("--csv", options->csv, "Write the rows as CSV; - for standard output");
  add_quiet_option(*command, options->quiet);
  add_log_options(*command);
  command->callback([options, &action] { action = [options] { return bounds(*options); }; });
}

}  // namespace accsim::cli
