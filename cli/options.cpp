// Options that several commands share.
#include <charconv>

#include <spdlog/spdlog.h>

#include "cli/command.h"

#ifndef ACCSIM_VERSION
#error "ACCSIM_VERSION comes from the build"
#endif

namespace accsim::cli {

std::string version() { return "accsim " ACCSIM_VERSION; }

void set_example(CLI::App& command, const std::string& example) { command.footer("Example:\n  " + example); }

CLI::Validator whole_number_from(std::int64_t least) {
  const auto refusal = [least](const std::string& text) -> std::string {
    std::int64_t value = 0;
    if (CLI::detail::lexical_cast(text, value) && value >= least) return {};
    return "found " + text + ", accepted a whole number from " + std::to_string(least);
  };
  return {refusal, least > 0 ? "POSITIVE" : "NONNEGATIVE"};
}

void add_datapath_options(CLI::App& command, DatapathOptions& options, bool positional, bool required) {
  sim::DatapathOverrides& o = options.overrides;
  command
      .add_option(positional ? "datapath" : "--acc", options.acc, "Datapath: a built-in name, a TOML file, or a format to accumulate in")
      ->required(required);
  const std::string group = "Overrides of the datapath";
  command
      .add_option_function<std::string>(
          "--in",
          [&o](const std::string& f) {
            o.in_a = f;
            o.in_b = f;
          },
          "Format that both operands are quantized to")
      ->group(group);
  command
      .add_option_function<std::string>(
          "--in-a", [&o](const std::string& f) { o.in_a = f; }, "Format of operand a (input, grad_output)")
      ->group(group);
  command
      .add_option_function<std::string>(
          "--in-b", [&o](const std::string& f) { o.in_b = f; }, "Format of operand b (weight)")
      ->group(group);
  command
      .add_option_function<std::string>(
          "--product", [&o](const std::string& f) { o.product = f; }, "Format that products are rounded to, or exact")
      ->group(group);
  command
      .add_option_function<std::string>(
          "--rounding", [&o](const std::string& r) { o.rounding = r; }, "Rounding of every reduction level")
      ->group(group);
  command
      .add_option_function<std::string>(
          "--overflow", [&o](const std::string& v) { o.overflow = v; }, "Overflow mode of every reduction level")
      ->group(group);
  command
      .add_option_function<std::int64_t>(
          "--chunk", [&o](std::int64_t n) { o.chunk = n; }, "Terms of the innermost level (a single level is doubled first)")
      ->check(whole_number_from(1))
      ->group(group);
  command.add_option("--set", o.set, "A field, for example reduction.0.format=e5m10 (repeatable)")->allow_extra_args(false)->group(group);
}

void require_operand_codes(const sim::Datapath& datapath) {
  const std::string takes = "datapath \"" + datapath.name + "\" takes operands ";
  if (datapath.a.is_as_traced() || datapath.b.is_as_traced())
    throw UsageError(takes + "as traced, which have no codes; give --in or --in-a and --in-b");
}

void add_seed_option(CLI::App& command, std::uint64_t& seed, const std::string& description) {
  const auto in_decimal = [](std::string& text) -> std::string {
    const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    const char* const first = text.data() + (hexadecimal ? 2 : 0);
    const char* const end = text.data() + text.size();
    std::uint64_t value = 0;
    const auto [stop, error] = std::from_chars(first, end, value, hexadecimal ? 16 : 10);
    if (error != std::errc() || stop != end) return "found " + text + ", accepted 0 to 2^64 - 1, decimal or hexadecimal after 0x";
    text = std::to_string(value);  // the parser would read 010 as octal
    return {};
  };
  command.add_option("--seed", seed, description)->transform(CLI::Validator(in_decimal, "0..2^64-1"))->default_str(std::to_string(seed));
}

void add_threads_option(CLI::App& command, int& threads) {
  command.add_option("--threads", threads, "Threads; all processors unless given")->check(CLI::Range(1, 4096));
}

void add_quiet_option(CLI::App& command, bool& quiet) {
  command.add_flag_callback(
      "-q,--quiet",
      [&quiet] {
        quiet = true;
        spdlog::set_level(spdlog::level::err);
      },
      "No table, no progress, only errors");
}

void add_log_options(CLI::App& command) {
  command.add_flag_callback(
      "-v,--verbose", [] { spdlog::set_level(spdlog::level::debug); }, "Log more, to standard error");
}

}  // namespace accsim::cli
