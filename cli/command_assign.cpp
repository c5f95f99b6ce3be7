// accsim assign: which fixed-point precision every tensor of training needs, or which accumulator every pass.
#include <omp.h>
#include <spdlog/spdlog.h>

#include <cmath>
#include <iostream>
#include <memory>

#include "cli/accumulator_search.h"
#include "cli/command.h"
#include "cli/document.h"
#include "cli/precision_assignment.h"
#include "formats/error.h"

namespace accsim::cli {
namespace {

struct AssignCommand {
  std::string trace, gains, ranges = "published", json, csv;
  std::vector<std::string> globs;
  std::optional<int> min_bits;
  std::string pass = "all";
  bool clamp_above_only = false, accumulator = false;
  AssignOptions options;
  AccumulatorOptions accumulators;
};

int assign_accumulators(AssignCommand& c) {
  AccumulatorOptions& o = c.accumulators;
  o.threads = c.options.threads;
  o.seed = c.options.seed;
  for (const double db : {o.within_db, o.floor_db.value_or(0)}) {
    if (!std::isfinite(db)) throw InputError(db == o.within_db ? "--within" : "--floor", std::to_string(db), "a finite number");
  }
  if (o.within_db < 0) throw InputError("--within", std::to_string(o.within_db), "a number not below 0");
  for (const std::int64_t chunk : o.chunks) {
    if (chunk < 1 || chunk > 256 || (chunk & (chunk - 1)) != 0)
      throw InputError("--chunk", std::to_string(chunk), "powers of two from 1 (no chunks) to 256");
  }
  const traces::TraceFile trace(c.trace);
  LayerSelection selection;
  selection.globs = c.globs;
  selection.passes = {c.pass};
  const std::vector<Job> jobs = jobs_of(trace, selection);
  const Document json(c.json);
  const Document csv(c.csv);
  check_distinct(c.trace, {{"--json", json.target()}, {"--csv", csv.target()}});
  const std::vector<AccumulatorRow> rows = search_accumulators(trace, jobs, o);
  json.write([&](std::ostream& stream) { write_accumulator_json(stream, rows, o, c.trace); });
  csv.write([&](std::ostream& stream) { write_accumulator_csv(stream, rows); });
  if (c.json != "-" && c.csv != "-") write_accumulator_table(std::cout, rows, o);
  return exit_done;
}

int assign(AssignCommand& c) {
  if (c.json == "-" && c.csv == "-") throw UsageError("--json - and --csv - cannot both have standard output");
  AssignOptions& o = c.options;
  if (o.threads == 0) o.threads = omp_get_num_procs();
  if (c.accumulator) return assign_accumulators(c);
  if (!c.gains.empty()) {
    o.gains = read_noise_gains(c.gains);
    o.gains_file = c.gains;
  }
  o.min_bits = c.min_bits.value_or(o.gains ? 3 : 8);
  o.ranges_of_trace = c.ranges == "trace";
  o.clamp_below = !c.clamp_above_only;
  if (!std::isfinite(o.learning_rate) || o.learning_rate <= 0)
    throw InputError("--lr-min", std::to_string(o.learning_rate), "a finite number above 0");
  (void)sim::find_datapath(o.acc);
  const traces::TraceFile trace(c.trace);
  const Document json(c.json);
  const Document csv(c.csv);
  check_distinct(c.trace, {{"--json", json.target()}, {"--csv", csv.target()}});
  Assignment assignment = assign_precisions(trace, c.globs, o);
  replay_assignment(trace, o, assignment);
  json.write([&](std::ostream& stream) { write_assignment_json(stream, assignment, o, c.trace); });
  csv.write([&](std::ostream& stream) { write_assignment_csv(stream, assignment); });
  if (c.json != "-" && c.csv != "-") write_assignment_table(std::cout, assignment);
  return exit_done;
}

}  // namespace

void add_assign(CLI::App& app, Action& action) {
  auto c = std::make_shared<AssignCommand>();
  CLI::App* command =
      app.add_subcommand("assign", "Fixed-point precision of every tensor from a training trace, replayed there and one bit below");
  set_example(*command,
              "accsim assign train.h5 --gains gains.toml --lr-min 0.001\n  accsim assign train.h5 --accumulator --within 0.5 --pass wgrad");
  AssignOptions& o = c->options;
  command->add_option("file,--trace", c->trace, "HDF5 file of layers over training steps, accsim-trace/1")->required();
  command->add_option("--layer", c->globs, "Only layers whose name matches this pattern (repeatable)")->allow_extra_args(false);
  command->add_option("--gains", c->gains, "Noise gains by layer, TOML or JSON: tables activation, weight and, where known, lambda");
  command->add_option("--min-bits", c->min_bits, "B_min: bits of the tensor with the least noise gain; 3, or 8 without --gains")
      ->check(CLI::Range(1, 32));
  command->add_option("--momentum", o.momentum, "Of the variances' moving average over the steps; 0: each step for itself")
      ->check(CLI::Range(0.0, 1.0))
      ->default_str("0.9");
  command->add_option("--gradient-factor", o.gradient_factor, "Range of activation gradients in standard deviations: 8 (code), 4 (paper)")
      ->check(CLI::Validator(
          [](const std::string& text) -> std::string {
            double factor = 0;
            const bool is_number = CLI::detail::lexical_cast(text, factor) && std::isfinite(factor);
            return is_number && factor > 0 ? "" : "found " + text + ", accepted a number above 0";
          },
          "POSITIVE"))
      ->default_str("8");
  command->add_flag("--double-range", o.double_range, "Double the ranges of activation gradients, as the authors' training does");
  command->add_option("--lr-min", o.learning_rate, "The least learning rate of the training")->default_str("0.001");
  command->add_option("--ranges", c->ranges, "Weights and activations: published ([-1, 1) and [0, 2)), or the powers of two of the trace")
      ->check(CLI::IsMember({"published", "trace"}))
      ->default_str("published");
  command->add_flag("--clamp-above-only", c->clamp_above_only, "Let values below -r pass, as the authors' code does");
  command->add_option("--acc", o.acc, "Datapath of the replayed passes")->default_str("fp32");
  add_threads_option(*command, o.threads);
  add_seed_option(*command, o.seed);
  command->add_option("--json", c->json, "Write the report as JSON; - for standard output");
  command->add_option("--csv", c->csv, "Write a row a tensor or pass and step as CSV; - for standard output");
  AccumulatorOptions& a = c->accumulators;
  const std::string group = "With --accumulator";
  CLI::Option* search =
      command->add_flag("--accumulator", c->accumulator, "Instead: the smallest float accumulator of every layer, pass and chunk size")
          ->group(group);
  const auto of_search = [&](CLI::Option* option) { return option->needs(search)->group(group); };
  of_search(command->add_option("--within", a.within_db, "dB below the SNDR of an exact sum of the same operands")->default_str("0.5"));
  of_search(command->add_option("--floor", a.floor_db, "Instead: SNDR in dB of the sum alone, whatever the operands lose"));
  of_search(command->add_option_function<std::string>(
                "--in",
                [&a](const std::string& f) {
                  a.in_a = f;
                  a.in_b = f;
                },
                "Format that both operands are quantized to, or as_traced"))
      ->default_str("e5m2");
  of_search(command->add_option("--in-a", a.in_a, "Format of operand a (input, grad_output)"));
  of_search(command->add_option("--in-b", a.in_b, "Format of operand b (weight; input in wgrad)"));
  of_search(command->add_option("--rounding", a.rounding, "Rounding of the accumulator")->default_str("rne"));
  of_search(command->add_option("--chunk", a.chunks, "Chunk sizes, powers of two up to 256; 1: no chunks")
                ->delimiter(',')
                ->allow_extra_args(false)
                ->default_str("1,2,...,256"));
  of_search(command->add_option("--outputs", a.outputs, "Outputs of each pass that are computed, evenly spaced")
                ->check(whole_number_from(1))
                ->default_str("4096"));
  of_search(command->add_option("--pass", c->pass, "fprop, dgrad, wgrad or all")
                ->check(CLI::IsMember({"fprop", "dgrad", "wgrad", "all"}))
                ->default_str("all"));
  add_log_options(*command);
  o.threads = 0;
  command->callback([c, &action] { action = [c] { return assign(*c); }; });
}

}  // namespace accsim::cli
