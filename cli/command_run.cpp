// accsim run: replays the layers of a trace through a datapath and reports.
#include <omp.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <cmath>
#include <future>
#include <iostream>
#include <memory>
#include <sstream>

#include "cli/command.h"
#include "cli/document.h"
#include "cli/layer_selection.h"
#include "cli/loss_report.h"
#include "cli/progress.h"
#include "cli/read_ahead.h"
#include "cli/run_report.h"
#include "formats/error.h"
#include "formats/text.h"
#include "sim/recipe_toml.h"
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
  std::string recipe, loss_scale;
  [[nodiscard]] bool has_recipe() const { return !recipe.empty() || !loss_scale.empty(); }
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
    const bool is_sweep = lower_case(options_.loss_scale) == "sweep";
    if (is_sweep && !options_.out.empty()) throw UsageError("--out with --loss-scale sweep, which multiplies nothing");
    std::optional<sim::Recipe> recipe;
    if (options_.has_recipe()) recipe = chosen_recipe();
    const sim::Datapath single = recipe ? sim::Datapath{} : sim::find_datapath(options_.datapath.acc, options_.datapath.overrides);
    const sim::Executor* executor = executor_named(options_.executor);
    const traces::TraceFile trace(options_.trace);
    if (recipe) replay_.emplace(trace, *recipe, options_.datapath.acc, options_.datapath.overrides, options_.seed, threads());
    const std::vector<Job> jobs = replay_ ? replay_->jobs(options_.selection) : jobs_of(trace, options_.selection);
    const sim::Datapath& datapath = replay_ ? replay_->datapath(jobs.front().pass) : single;
    std::int64_t total_macs = 0;
    for (const Job& job : jobs) {
      total_macs += trace.check(*job.layer, job.pass);
      check_bias(trace, job, datapath);
    }
    const Document json(options_.json);
    const Document csv(options_.csv);
    const std::filesystem::path out = options_.out.empty() ? std::filesystem::path() : resolved(options_.out);
    check_distinct(options_.trace, {{"--json", json.target()}, {"--csv", csv.target()}, {"--out", out}});
    if (is_sweep) return sweep(trace, jobs, json, csv);
    std::unique_ptr<traces::ResultsFile> results;
    if (!options_.out.empty()) results = std::make_unique<traces::ResultsFile>(options_.out);

    sim::SimulateOptions simulate{.threads = threads(),
                                  .executor = executor,
                                  .seed = options_.seed,
                                  .keep_output = results != nullptr && saves("output"),
                                  .keep_reference = results != nullptr && saves("reference"),
                                  .progress = {}};
    // With one thread when it is asked for.
    std::future<std::string> trace_digest = std::async(threads() > 1 ? std::launch::async : std::launch::deferred, traces::sha256_of_file,
                                                       std::filesystem::path(options_.trace));
    describe(datapath, simulate);
    if (replay_) describe_recipe(jobs);
    if (results) {
      report_.trace_digest = "sha256:" + trace_digest.get();
      results->write_root(root_attributes(report_));
    }
    Progress progress(options_.quiet ? ProgressMode::never : options_.progress, total_macs);
    simulate.progress = [&](std::int64_t macs) { progress.advance(macs); };
    ReadAhead reader(trace);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      progress.start_layer(jobs[i].layer->name);
      one_layer(reader, jobs[i], i + 1 < jobs.size() ? &jobs[i + 1] : nullptr, datapath, simulate, results.get());
    }
    if (trace_digest.valid()) report_.trace_digest = "sha256:" + trace_digest.get();
    progress.clear();
    report_.total_seconds = seconds_since(start);
    explain_slowness();
    if (results) results->finish();
    json.write([this](std::ostream& stream) { write_json(stream, report_); });
    csv.write([this](std::ostream& stream) { write_csv(stream, report_); });
    if (!options_.quiet && options_.json != "-" && options_.csv != "-") write_table(std::cout, report_);
    return exit_done;
  }

 private:
  /// A bias that --bias-in-accumulator asks for has to have an accumulator.
  void check_bias(const traces::TraceFile& trace, const Job& job, const sim::Datapath& given) const {
    if (!options_.bias_in_accumulator || job.pass != Pass::fprop || job.layer->dataset("bias") == nullptr) return;
    const sim::Datapath& datapath = replay_ ? replay_->datapath(job.pass) : given;
    if (datapath.accumulator.last || sim::takes_accumulator(datapath.accumulator_level())) return;
    throw InputError(trace.path().string() + ": layer \"" + job.layer->name + "\": --bias-in-accumulator",
                     "datapath \"" + datapath.name + "\", in which no level keeps an accumulator",
                     "a level that does, or [accumulator] initial = \"last\", or the bias outside");
  }

  [[nodiscard]] int threads() const { return options_.threads > 0 ? options_.threads : omp_get_num_procs(); }

  [[nodiscard]] sim::Recipe chosen_recipe() const {
    const sim::DatapathOverrides& o = options_.datapath.overrides;
    if (!options_.recipe.empty() && (o.in_a || o.in_b)) throw UsageError("--in with --recipe: the recipe says how operands are quantized");
    sim::Recipe recipe = options_.recipe.empty() ? recipe_of_datapath(options_.datapath.acc) : sim::find_recipe(options_.recipe);
    if (lower_case(options_.loss_scale) == "sweep") recipe.loss_scaling = sim::parse_loss_scaling("constant:1");
    else if (!options_.loss_scale.empty()) recipe.loss_scaling = loss_scaling_option(options_.loss_scale);
    return recipe;
  }

  void describe_recipe(const std::vector<Job>& jobs) {
    const sim::Recipe& recipe = replay_->recipe();
    RecipeReport r;
    r.name = recipe.name;
    r.toml = sim::to_toml(recipe);
    r.loss_scaling = spelling(recipe.loss_scaling);
    r.is_named = !options_.recipe.empty();
    r.digest = "sha256:" + traces::sha256_of_text(r.toml);
    for (const Pass pass : {Pass::fprop, Pass::dgrad, Pass::wgrad}) {
      if (replay_->has(pass)) r.datapaths.emplace_back(name_of(pass), replay_->datapath(pass));
    }
    const bool has_gradients = std::any_of(jobs.begin(), jobs.end(), [](const Job& job) { return job.pass != Pass::fprop; });
    if (has_gradients) r.steps = replay_->plan(jobs);
    report_.recipe = std::move(r);
  }

  /// --loss-scale sweep: what constant scales 2^0 to 2^24 lose, without a multiply-accumulate.
  int sweep(const traces::TraceFile& trace, const std::vector<Job>& jobs, const Document& json, const Document& csv) {
    std::vector<SweepPoint> points;
    std::vector<double> scales;
    for (int e = 0; e <= 24; ++e) scales.push_back(std::ldexp(1.0, e));
    const std::vector<sim::QuantizationCounts> losses = replay_->losses_at(jobs, scales);
    for (std::size_t i = 0; i < scales.size(); ++i) points.push_back({.loss_scale = scales[i], .gradients = losses[i]});
    if (points.front().gradients.nonzero == 0)
      throw InputError(trace.path().string(), "no gradient that is not zero in the layers selected", "a trace with grad_output");
    json.write([&](std::ostream& stream) { write_sweep_json(stream, points); });
    csv.write([&](std::ostream& stream) { write_sweep_csv(stream, points); });
    if (!options_.quiet && options_.json != "-" && options_.csv != "-") write_sweep(std::cout, points);
    return exit_done;
  }

  void write_sweep_json(std::ostream& out, const std::vector<SweepPoint>& points) const {
    nlohmann::ordered_json j;
    j["accsim"] = version().substr(7);
    j["recipe"] = options_.recipe.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(replay_->recipe().name);
    j["trace"] = {{"file", options_.trace}, {"digest", "sha256:" + traces::sha256_of_file(options_.trace)}};
    j["sweep"] = nlohmann::ordered_json::array();
    for (const SweepPoint& p : points) j["sweep"].push_back({{"loss_scale", p.loss_scale}, {"gradients", counts_json(p.gradients)}});
    j["best_loss_scale"] = best_of(points).loss_scale;
    out << j.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
  }

  [[nodiscard]] bool saves(std::string_view what) const {
    return std::find(options_.save.begin(), options_.save.end(), what) != options_.save.end();
  }

  void describe(const sim::Datapath& datapath, const sim::SimulateOptions& simulate) {
    report_.version = version().substr(7);
    report_.datapath_name = datapath.name;
    report_.datapath_toml = sim::to_toml(datapath);
    report_.datapath_digest = "sha256:" + traces::sha256_of_text(report_.datapath_toml);
    report_.trace_file = options_.trace;
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
    if (result.executor != sim::executors().front()->name() || options_.executor == result.executor) return;
    interpreted_macs_ += result.macs;
    if (why_interpreted_.empty()) why_interpreted_ = result.refusals;
  }

  /// Says why a run was slow, where it was.
  void explain_slowness() const {
    constexpr std::int64_t slow = 20'000'000;  // MACs; some seconds
    if (interpreted_macs_ < slow) return;
    spdlog::info("slow: no kernel is proved exact for {:.3g} million MACs, which the interpreter ran ({})",
                 static_cast<double>(interpreted_macs_) * 1e-6, why_interpreted_);
  }

  void one_layer(ReadAhead& reader, const Job& job, const Job* next, const sim::Datapath& given, sim::SimulateOptions simulate,
                 traces::ResultsFile* results) {
    auto [pass, seconds] = reader.take(job);
    report_.read_seconds += seconds;
    const auto prepare_start = Clock::now();
    std::optional<PreparedPass> prepared;
    if (replay_) prepared = replay_->prepare(job, pass);
    const sim::Datapath& datapath = prepared ? prepared->datapath : given;
    report_.read_seconds += seconds_since(prepare_start);
    LayerReport layer{.name = job.layer->name,
                      .op = job.layer->op,
                      .pass = std::string(name_of(job.pass)),
                      .m = pass.lowering->m,
                      .n = pass.lowering->n,
                      .k = pass.lowering->k,
                      .batch = pass.lowering->batch,
                      .result = {},
                      .step = job.layer->step,
                      .losses = {}};
    const sim::LayerProblem problem{.a = prepared ? &prepared->a : &pass.a,
                                    .b = prepared ? &prepared->b : &pass.b,
                                    .bias = options_.bias_in_accumulator && pass.bias ? &*pass.bias : nullptr,
                                    .quantized_a = prepared && prepared->quantized_a ? &*prepared->quantized_a : nullptr,
                                    .quantized_b = prepared && prepared->quantized_b ? &*prepared->quantized_b : nullptr,
                                    .lowering = pass.lowering.get(),
                                    .layer = job.layer->rank,
                                    .pass = job.pass};
    const bool quantizes_result = replay_ && replay_->quantizes_result(job.pass);
    const bool saves_output = simulate.keep_output;
    simulate.keep_output = saves_output || quantizes_result;
    if (next != nullptr && simulate.threads > 1) reader.start(*next);
    layer.result = sim::simulate(datapath, problem, simulate);
    reader.wait();
    if (prepared) layer.losses = prepared->losses;
    if (quantizes_result) layer.losses[2] = replay_->quantize_result(job, layer.result, pass.lowering->output_shape);
    if (!saves_output) {
      layer.result.output = {};
      layer.result.output_code = {};
    }
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
  std::optional<RecipeReplay> replay_;
  std::vector<std::string> executors_used_;
  std::int64_t interpreted_macs_ = 0;
  std::string why_interpreted_;
};

}  // namespace

void add_run(CLI::App& app, Action& action) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* run = app.add_subcommand("run", "Replay the layers of a trace through a datapath and report overflow, SNDR and errors");
  set_example(*run,
              "accsim run --acc fp12 --trace traces/samples/layer3.h5\n  accsim run --acc fp12 --trace net.h5 --layer 'conv*' --chunk 32 "
              "--json - --out results.h5 --save output,reference\n  accsim run --recipe mellempudi2019 --trace train.h5 --loss-scale "
              "backoff:init=65536,window=500,min=0:1/40000:8192\n  accsim run --recipe mellempudi2019 --trace train.h5 --loss-scale sweep");
  run->add_option("--trace", options->trace, "HDF5 file of layers, accsim-trace/1")->required();
  add_datapath_options(*run, options->datapath, false, false);
  run->add_option("--recipe", options->recipe, "Training recipe: a built-in name of `accsim list recipes`, or a TOML file");
  run->add_option("--loss-scale", options->loss_scale,
                  "Loss scaling of the gradients: stored, constant:1024, backoff:init=65536,factor=2,window=2000,"
                  "min=0:1/40000:8192/150000:32768 (minimum by iteration), or sweep (what scales 2^0..2^24 lose)");
  add_layer_options(*run, options->selection);
  add_threads_option(*run, options->threads);
  run->add_option("--executor", options->executor, "Force an executor of `accsim list executors`");
  add_seed_option(*run, options->seed);
  run->add_flag("--bias-in-accumulator", options->bias_in_accumulator, "Start each accumulator with the layer's bias");
  run->add_option("--json", options->json, "Write the report as JSON; - for standard output");
  run->add_option("--csv", options->csv, "Write a row a layer as CSV; - for standard output");
  run->add_option("--out", options->out, "Write results as HDF5, accsim-results/1");
  run->add_option("--save", options->save, "What --out keeps of each layer: output, reference")
      ->delimiter(',')
      ->check(CLI::IsMember({"output", "reference"}))
      ->allow_extra_args(false);
  add_quiet_option(*run, options->quiet);
  run->add_option_function<std::string>(
         "--progress",
         [options](const std::string& mode) {
           options->progress = mode == "auto" ? ProgressMode::automatic : mode == "always" ? ProgressMode::always : ProgressMode::never;
         },
         "auto (on a terminal), always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  add_log_options(*run);
  run->callback([run, options, &action] {
    if (options->datapath.acc.empty() && options->recipe.empty()) throw CLI::RequiredError("--acc or --recipe");
    if (options->has_recipe() && run->get_option("--pass")->empty()) options->selection.passes = {"all"};
    action = [options] { return Run(*options)(); };
  });
}

}  // namespace accsim::cli
