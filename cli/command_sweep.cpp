// accsim sweep: one datapath with some of its keys varied, all variants over the same layers.
#include <omp.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/document.h"
#include "cli/layer_selection.h"
#include "cli/progress.h"
#include "cli/sweep_table.h"
#include "cli/table_text.h"
#include "formats/error.h"
#include "traces/digest.h"

namespace accsim::cli {
namespace {

constexpr std::size_t most_runs = 1024;

struct SweepOptions {
  DatapathOptions datapath;
  std::string trace;
  std::vector<std::string> over;
  std::string show;
  LayerSelection selection;
  int threads = 0;
  std::uint64_t seed = 0;
  std::string json, csv;
  bool quiet = false;
};

/// The statistic of a name, with its group in front where two groups share it.
std::size_t statistic_named(const std::string& name) {
  const auto rows = sim::statistic_rows();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    names.push_back(flat_name(rows[i]));
    if (names.back() == name) return i;
  }
  throw InputError("--show", "unknown statistic \"" + name + "\"", "a name of `accsim list statistics`" + nearest_names(name, names));
}

class Sweep {
 public:
  explicit Sweep(const SweepOptions& options) : options_(options) {}

  int operator()() {
    if (options_.json == "-" && options_.csv == "-") throw UsageError("--json - and --csv - cannot both have standard output");
    if (!options_.show.empty()) (void)statistic_named(options_.show);
    std::size_t runs = 1;
    for (const std::string& text : options_.over) {
      report_.axes.push_back(parse_sweep_axis(text));
      runs *= report_.axes.back().values.size();
      if (runs > most_runs) throw UsageError("--over: more than " + std::to_string(most_runs) + " combinations");
    }
    const std::vector<sim::Datapath> datapaths = variants(runs);
    const traces::TraceFile trace(options_.trace);
    const std::vector<Job> jobs = jobs_of(trace, options_.selection);
    std::int64_t total_macs = 0;
    for (const Job& job : jobs) total_macs += trace.check(*job.layer, job.pass) * static_cast<std::int64_t>(runs);
    const Document json(options_.json);
    const Document csv(options_.csv);
    check_distinct(options_.trace, {{"--json", json.target()}, {"--csv", csv.target()}});

    sim::SimulateOptions simulate;
    simulate.threads = options_.threads > 0 ? options_.threads : omp_get_num_procs();
    simulate.seed = options_.seed;
    describe(datapaths, simulate.threads);
    for (std::size_t i = 0; i < datapaths.size(); ++i) same_sums_.push_back(variant_of_same_sums(datapaths, i));
    Progress progress(options_.quiet ? ProgressMode::never : ProgressMode::automatic, total_macs);
    simulate.progress = [&](std::int64_t macs) { progress.advance(macs); };
    for (const Job& job : jobs) {
      progress.start_layer(job.layer->name);
      one_layer(trace.load(*job.layer, job.pass), job, datapaths, simulate);
    }
    progress.clear();
    json.write([this](std::ostream& stream) { write_sweep_json(stream); });
    csv.write([this](std::ostream& stream) { write_sweep_csv(stream); });
    if (!options_.quiet && options_.json != "-" && options_.csv != "-") write_tables(std::cout);
    return exit_done;
  }

 private:
  [[nodiscard]] std::vector<sim::Datapath> variants(std::size_t runs) const {
    std::vector<sim::Datapath> datapaths;
    for (std::size_t run = 0; run < runs; ++run) {
      sim::DatapathOverrides overrides = options_.datapath.overrides;
      const std::vector<std::string> values = report_.values_of(run);
      for (std::size_t i = 0; i < values.size(); ++i) overrides.set.push_back(report_.axes[i].key + "=" + values[i]);
      datapaths.push_back(sim::find_datapath(options_.datapath.acc, overrides));
    }
    return datapaths;
  }

  void describe(const std::vector<sim::Datapath>& datapaths, int threads) {
    const std::string trace_digest = "sha256:" + traces::sha256_of_file(options_.trace);
    for (const sim::Datapath& datapath : datapaths) {
      RunReport run;
      run.version = version().substr(7);
      run.datapath_name = datapath.name;
      run.datapath_toml = sim::to_toml(datapath);
      run.datapath_digest = "sha256:" + traces::sha256_of_text(run.datapath_toml);
      run.trace_file = options_.trace;
      run.trace_digest = trace_digest;
      run.seed = options_.seed;
      run.threads = threads;
      report_.runs.push_back(std::move(run));
    }
  }

  /// An earlier variant whose exact sums and their order are those of variant i, which differs in how it holds them; i: none.
  static std::size_t variant_of_same_sums(const std::vector<sim::Datapath>& datapaths, std::size_t i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (datapaths[j].levels.size() != datapaths[i].levels.size()) continue;
      sim::Datapath other = datapaths[j];
      other.output = datapaths[i].output;
      for (std::size_t l = 0; l < other.levels.size(); ++l) {
        other.levels[l].format = datapaths[i].levels[l].format;
        other.levels[l].round_to = datapaths[i].levels[l].round_to;
        other.levels[l].rounding = datapaths[i].levels[l].rounding;
      }
      if (sim::to_toml(other) == sim::to_toml(datapaths[i])) return j;
    }
    return i;
  }

  void one_layer(const traces::LayerPass& pass, const Job& job, const std::vector<sim::Datapath>& datapaths,
                 const sim::SimulateOptions& simulate) {
    sim::LayerProblem problem{
        .a = &pass.a, .b = &pass.b, .bias = nullptr, .lowering = pass.lowering.get(), .layer = job.layer->rank, .pass = job.pass};
    for (std::size_t i = 0; i < datapaths.size(); ++i) {
      RunReport& run = report_.runs[i];
      const sim::LayerResult* same = same_sums_[i] == i ? nullptr : &report_.runs[same_sums_[i]].layers.back().result;
      problem.same_sums = same != nullptr && same->has_bits ? same : nullptr;
      run.layers.push_back({.name = job.layer->name,
                            .op = job.layer->op,
                            .pass = std::string(name_of(job.pass)),
                            .m = pass.lowering->m,
                            .n = pass.lowering->n,
                            .k = pass.lowering->k,
                            .batch = pass.lowering->batch,
                            .result = sim::simulate(datapaths[i], problem, simulate)});
      const sim::LayerResult& result = run.layers.back().result;
      const std::string executor(result.executor);
      if (("," + run.executor + ",").find("," + executor + ",") == std::string::npos)
        run.executor += (run.executor.empty() ? "" : ",") + executor;
      run.simulate_seconds += result.simulate_seconds;
      run.reference_seconds += result.reference_seconds;
      run.total_seconds = run.simulate_seconds + run.reference_seconds;
    }
  }

  void write_tables(std::ostream& out) const {
    if (!options_.show.empty()) write_statistic(out, report_, statistic_named(options_.show));
    else if (is_integer_sweep(report_)) write_first_exact(out, report_);
    else write_statistic(out, report_, statistic_named("sndr_db"));
  }

  /// {"accsim","over":[{"key","values"}...],"runs":[{"values":{KEY:VALUE},"run":the document of accsim run}...]}
  void write_sweep_json(std::ostream& out) const {
    nlohmann::ordered_json over = nlohmann::ordered_json::array();
    for (const SweepAxis& axis : report_.axes) over.push_back({{"key", axis.key}, {"values", axis.values}});
    out << "{\"accsim\": \"" << version().substr(7) << "\", \"over\": " << over.dump() << ", \"runs\": [\n";
    for (std::size_t run = 0; run < report_.runs.size(); ++run) {
      nlohmann::ordered_json values;
      const std::vector<std::string> of_run = report_.values_of(run);
      for (std::size_t i = 0; i < of_run.size(); ++i) values[report_.axes[i].key] = of_run[i];
      out << (run == 0 ? "" : ",") << "{\"values\": " << values.dump() << ", \"run\": ";
      write_json(out, report_.runs[run]);
      out << "}\n";
    }
    out << "]}\n";
  }

  void write_sweep_csv(std::ostream& out) const {
    for (const SweepAxis& axis : report_.axes) out << csv_text(axis.key) << ',';
    write_csv_header(out);
    for (std::size_t run = 0; run < report_.runs.size(); ++run) {
      std::string before;
      for (const std::string& value : report_.values_of(run)) before += csv_text(value) + ",";
      write_csv_rows(out, report_.runs[run], before);
    }
  }

  const SweepOptions& options_;
  SweepReport report_;
  std::vector<std::size_t> same_sums_;  ///< of each variant the one whose widths it shares, or itself
};

}  // namespace

void add_sweep(CLI::App& app, Action& action) {
  auto options = std::make_shared<SweepOptions>();
  CLI::App* sweep = app.add_subcommand("sweep", "Vary keys of a datapath over the same layers: which width, which rounding is enough");
  set_example(*sweep,
              "accsim sweep net.h5 --acc int16_saturate --over reduction.0.format=int10..int20\n  accsim sweep net.h5 --acc fp12 --over "
              "reduction.0.rounding=rz,rne --over reduction.0.format=e5m4..e5m10 --show sndr_db");
  sweep->add_option("file,--trace", options->trace, "HDF5 file of layers, accsim-trace/1")->required();
  add_datapath_options(*sweep, options->datapath);
  sweep
      ->add_option("--over", options->over,
                   "KEY=VALUES of the datapath, as in --set: values by commas (semicolons where they have commas), FROM..TO for a range "
                   "(repeatable: all combinations)")
      ->allow_extra_args(false)
      ->required();
  sweep->add_option("--show", options->show,
                    "A statistic for every value; without it the smallest value from which on sums are exact, or sndr_db");
  add_layer_options(*sweep, options->selection);
  add_threads_option(*sweep, options->threads);
  add_seed_option(*sweep, options->seed);
  sweep->add_option("--json", options->json, "Write the documents of all runs as JSON; - for standard output");
  sweep->add_option("--csv", options->csv, "Write a row a layer and run as CSV; - for standard output");
  add_quiet_option(*sweep, options->quiet);
  add_log_options(*sweep);
  sweep->callback([options, &action] { action = [options] { return Sweep(*options)(); }; });
}

}  // namespace accsim::cli
