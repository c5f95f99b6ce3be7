// accsim run: replays the layers of a trace through a datapath and reports.
#include <omp.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <sstream>

#include "cli/command.h"
#include "cli/document.h"
#include "cli/layer_selection.h"
#include "cli/progress.h"
#include "cli/run_report.h"
#include "formats/error.h"
#include "traces/digest.h"

namespace accsim::cli {
namespace {

using Clock = std::chrono::steady_clock;
using sim::Pass;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct RunOptions {
  DatapathOptions datapath;
  std::string trace;
  LayerSelection selection;
  int threads = 0;
  std::string executor;
  std::uint64_t seed = 0;
  std::string json, csv, out;
  std::vector<std::string> save{"output"};
  bool quiet = false, bias_in_accumulator = false;
  ProgressMode progress = ProgressMode::automatic;
};

const sim::Executor* executor_named(const std::string& name) {
  if (name.empty() || name == "auto") return nullptr;
  std::string accepted = "auto";
  for (const sim::Executor* executor : sim::executors()) {
    accepted += ", " + std::string(executor->name());
    if (executor->name() == name) return executor;
  }
  throw UsageError("--executor " + name + ": unknown; accepted: " + accepted);
}

class Run {
 public:
  explicit Run(const RunOptions& options) : options_(options) {}

  int operator()() {
    const auto start = Clock::now();
    if (options_.json == "-" && options_.csv == "-") throw UsageError("--json - and --csv - cannot both have standard output");
    const sim::Datapath datapath = sim::find_datapath(options_.datapath.acc, options_.datapath.overrides);
    const sim::Executor* executor = executor_named(options_.executor);
    const traces::TraceFile trace(options_.trace);
    const std::vector<Job> jobs = jobs_of(trace, options_.selection);
    std::int64_t total_macs = 0;
    for (const Job& job : jobs) total_macs += trace.check(*job.layer, job.pass);
    const Document json(options_.json);
    const Document csv(options_.csv);
    std::error_code error;
    const std::filesystem::path out =
        options_.out.empty() ? std::filesystem::path() : std::filesystem::weakly_canonical(options_.out, error);
    check_distinct(options_.trace, {{"--json", json.target()}, {"--csv", csv.target()}, {"--out", out}});
    std::unique_ptr<traces::ResultsFile> results;
    if (!options_.out.empty()) results = std::make_unique<traces::ResultsFile>(options_.out);

    sim::SimulateOptions simulate{.threads = options_.threads > 0 ? options_.threads : omp_get_num_procs(),
                                  .executor = executor,
                                  .seed = options_.seed,
                                  .keep_output = results != nullptr && saves("output"),
                                  .keep_reference = results != nullptr && saves("reference"),
                                  .progress = {}};
    describe(datapath, simulate);
    if (results) results->write_root(root_attributes(report_));
    Progress progress(options_.quiet ? ProgressMode::never : options_.progress, total_macs);
    simulate.progress = [&](std::int64_t macs) { progress.advance(macs); };
    for (const Job& job : jobs) {
      progress.start_layer(job.layer->name);
      one_layer(trace, job, datapath, simulate, results.get());
    }
    progress.clear();
    report_.total_seconds = seconds_since(start);
    if (results) results->finish();
    json.write([this](std::ostream& stream) { write_json(stream, report_); });
    csv.write([this](std::ostream& stream) { write_csv(stream, report_); });
    if (!options_.quiet && options_.json != "-" && options_.csv != "-") write_table(std::cout, report_);
    return exit_done;
  }

 private:
  [[nodiscard]] bool saves(std::string_view what) const {
    return std::find(options_.save.begin(), options_.save.end(), what) != options_.save.end();
  }

  void describe(const sim::Datapath& datapath, const sim::SimulateOptions& simulate) {
    report_.version = version().substr(7);
    report_.datapath_name = datapath.name;
    report_.datapath_toml = sim::to_toml(datapath);
    report_.datapath_digest = "sha256:" + traces::sha256_of_text(report_.datapath_toml);
    report_.trace_file = options_.trace;
    report_.trace_digest = "sha256:" + traces::sha256_of_file(options_.trace);
    report_.seed = options_.seed;
    report_.threads = simulate.threads;
    spdlog::debug("datapath {} with {} levels, {} threads", datapath.name, datapath.levels.size(), simulate.threads);
  }

  /// The document's `executor`: the one that ran every layer, or all that ran one, in the order of their first.
  void note_executor(const sim::LayerResult& result) {
    const std::string name(result.executor);
    std::vector<std::string>& used = executors_used_;
    if (std::find(used.begin(), used.end(), name) == used.end()) {
      used.push_back(name);
      report_.executor += (report_.executor.empty() ? "" : ",") + name;
    }
    if (!result.refusals.empty()) spdlog::debug("executors that did not run: {}", result.refusals);
  }

  void one_layer(const traces::TraceFile& trace, const Job& job, const sim::Datapath& datapath, const sim::SimulateOptions& simulate,
                 traces::ResultsFile* results) {
    const auto read_start = Clock::now();
    const traces::LayerPass pass = trace.load(*job.layer, job.pass);
    report_.read_seconds += seconds_since(read_start);
    LayerReport layer{.name = job.layer->name,
                      .op = job.layer->op,
                      .pass = std::string(name_of(job.pass)),
                      .m = pass.lowering->m,
                      .n = pass.lowering->n,
                      .k = pass.lowering->k,
                      .batch = pass.lowering->batch,
                      .result = {}};
    const sim::LayerProblem problem{.a = &pass.a,
                                    .b = &pass.b,
                                    .bias = options_.bias_in_accumulator && pass.bias ? &*pass.bias : nullptr,
                                    .lowering = pass.lowering.get(),
                                    .layer = job.layer->rank,
                                    .pass = job.pass};
    layer.result = sim::simulate(datapath, problem, simulate);
    note_executor(layer.result);
    report_.simulate_seconds += layer.result.simulate_seconds;
    report_.reference_seconds += layer.result.reference_seconds;
    spdlog::debug("{} {}: executor {}, {:.3f} s simulating, {:.3f} s reference", layer.name, layer.pass, layer.result.executor,
                  layer.result.simulate_seconds, layer.result.reference_seconds);
    if (results != nullptr) {
      const std::string group = job.pass == Pass::fprop ? layer.name : layer.name + "/" + layer.pass;
      results->write_layer(group, layer_attributes(layer),
                           {.shape = pass.lowering->output_shape,
                            .output = layer.result.output,
                            .output_code = layer.result.output_code,
                            .code_words = layer.result.code_words,
                            .reference = layer.result.reference});
    }
    layer.result.output = {};
    layer.result.output_code = {};
    layer.result.reference = {};
    report_.layers.push_back(std::move(layer));
  }

  const RunOptions& options_;
  RunReport report_;
  std::vector<std::string> executors_used_;
};

}  // namespace

void add_run(CLI::App& app, Action& action) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* run = app.add_subcommand("run", "Replay the layers of a trace through a datapath and report overflow, SNDR and errors");
  set_example(*run,
              "accsim run --acc fp12 --trace traces/samples/layer3.h5\n  accsim run --acc fp12 --trace net.h5 --layer 'conv*' --chunk 32 "
              "--json - --out results.h5 --save output,reference");
  run->add_option("--trace", options->trace, "HDF5 file of layers, accsim-trace/1")->required();
  add_datapath_options(*run, options->datapath);
  add_layer_options(*run, options->selection);
  run->add_option("--threads", options->threads, "Threads; all processors unless given")->check(CLI::Range(1, 4096));
  run->add_option("--executor", options->executor, "Force an executor of `accsim list executors`");
  run->add_option("--seed", options->seed, "Seed of every rng=philox that names none")->check(CLI::NonNegativeNumber)->default_str("0");
  run->add_flag("--bias-in-accumulator", options->bias_in_accumulator, "Start each accumulator with the layer's bias");
  run->add_option("--json", options->json, "Write the report as JSON; - for standard output");
  run->add_option("--csv", options->csv, "Write a row a layer as CSV; - for standard output");
  run->add_option("--out", options->out, "Write results as HDF5, accsim-results/1");
  run->add_option("--save", options->save, "What --out keeps of each layer: output, reference")
      ->delimiter(',')
      ->check(CLI::IsMember({"output", "reference"}))
      ->allow_extra_args(false);
  run->add_flag_callback(
      "-q,--quiet",
      [options] {
        options->quiet = true;
        spdlog::set_level(spdlog::level::err);
      },
      "No table, no progress, only errors");
  run->add_option_function<std::string>(
         "--progress",
         [options](const std::string& mode) {
           options->progress = mode == "auto" ? ProgressMode::automatic : mode == "always" ? ProgressMode::always : ProgressMode::never;
         },
         "auto (on a terminal), always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  add_log_options(*run);
  run->callback([options, &action] { action = [options] { return Run(*options)(); }; });
}

}  // namespace accsim::cli
