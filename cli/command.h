// The commands of the program: each adds itself to the argument parser and leaves behind what to run.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "sim/datapath_toml.h"
#include "sim/issue_model.h"

namespace accsim::cli {

constexpr int exit_done = 0;
constexpr int exit_comparison_failed = 1;
constexpr int exit_usage = 2;
constexpr int exit_bad_input = 3;
constexpr int exit_internal = 4;

/// The command line is right in form but asks for two things that exclude each other; exit status 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What the chosen command does; returns the exit status.
using Action = std::function<int()>;

void add_run(CLI::App& app, Action& action);
void add_list(CLI::App& app, Action& action);
void add_show(CLI::App& app, Action& action);
void add_sweep(CLI::App& app, Action& action);
void add_bounds(CLI::App& app, Action& action);
void add_info(CLI::App& app, Action& action);
void add_quantize(CLI::App& app, Action& action);
void add_check(CLI::App& app, Action& action);
void add_vectors(CLI::App& app, Action& action);
void add_update(CLI::App& app, Action& action);
void add_assign(CLI::App& app, Action& action);
void add_probe(CLI::App& app, Action& action);
void add_wave(CLI::App& app, Action& action);
void add_completion(CLI::App& app, Action& action);

/// --acc with all that overrides its fields.
struct DatapathOptions {
  std::string acc;
  sim::DatapathOverrides overrides;
};
/// `positional`: the datapath is an argument, not --acc.
void add_datapath_options(CLI::App& command, DatapathOptions& options, bool positional = false, bool required = true);

/// Throws UsageError where an operand is taken as traced, which has no codes.
void require_operand_codes(const sim::Datapath& datapath);

/// Takes whole numbers from `least` on.
CLI::Validator whole_number_from(std::int64_t least);
/// --seed: 0 to 2^64 - 1, decimal or hexadecimal (0x). `seed` outlives the parsing, and its value then is the default.
void add_seed_option(CLI::App& command, std::uint64_t& seed, const std::string& description = "Seed of every rng=philox that names none");
/// --threads: 1 to 4096; left alone where it is not given.
void add_threads_option(CLI::App& command, int& threads);
/// -q: only errors are logged. `quiet` outlives the command line's parsing.
void add_quiet_option(CLI::App& command, bool& quiet);
/// -v: more is logged to standard error.
void add_log_options(CLI::App& command);

/// An example for --help.
void set_example(CLI::App& command, const std::string& example);

std::string version();

}  // namespace accsim::cli
