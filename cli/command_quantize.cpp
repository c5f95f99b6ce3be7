// accsim quantize: single values through the roundings, for looking things up.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "formats/error.h"
#include "formats/random.h"
#include "formats/round.h"
#include "formats/text.h"
#include "formats/value_text.h"
#include "sim/random_site.h"

namespace accsim::cli {
namespace {

using formats::Exact;
using formats::Format;

struct QuantizeOptions {
  std::vector<std::string> values;
  std::string to, from, rounding = "rne", overflow, underflow;
  std::uint64_t seed = 0;
  bool json = false, events = false;
};

/// The words of the arguments; "-" stands for those of standard input.
std::vector<std::string> words_of(const std::vector<std::string>& arguments) {
  std::vector<std::string> words;
  for (const std::string& argument : arguments) {
    if (argument != "-") {
      words.push_back(argument);
      continue;
    }
    std::string word;
    while (std::cin >> word) words.push_back(word);
  }
  return words;
}

std::string events_text(const formats::Events& e) {
  std::string text;
  for (const auto& [set, name] : {std::pair{e.overflow, "overflow"}, std::pair{e.underflow, "underflow"}, std::pair{e.inexact, "inexact"},
                                  std::pair{e.invalid, "invalid"}}) {
    if (set) text += (text.empty() ? "" : ",") + std::string(name);
  }
  return text.empty() ? "exact" : text;
}

int quantize(const QuantizeOptions& o) {
  const Format to = formats::parse_format(o.to);
  const std::optional<Format> from = o.from.empty() ? std::nullopt : std::optional(formats::parse_format(o.from));
  formats::RoundingSpec spec;
  formats::parse_rounding(o.rounding, spec);
  if (!o.overflow.empty()) spec.overflow = formats::parse_overflow(o.overflow);
  if (!o.underflow.empty()) spec.underflow = formats::parse_underflow(o.underflow);
  formats::check_combination(spec, to);
  const formats::Rounder rounder(to, spec);
  const bool has_codes = formats::underflow_of(spec, to) != formats::Underflow::none;
  sim::ArrayGenerators arrays;
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  const std::vector<std::string> words = words_of(o.values);
  std::vector<Exact> inputs;
  inputs.reserve(words.size());
  for (const std::string& word : words)
    inputs.push_back(from ? widened(decode(formats::parse_code(trimmed(word), *from), *from)) : formats::parse_value(word));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    sim::RandomSite random(spec, o.seed, {.output = i, .layer = 0, .pass = 0, .site = 14}, &arrays);
    const formats::Rounded<formats::Wide> r = rounder(inputs[i], random.next());
    const std::string code = has_codes ? formats::code_text(encode(narrowed(r.value), to), to) : "-";
    const std::string value = formats::value_text(r.value);
    if (o.json) {
      rows.push_back({{"input", std::string(trimmed(words[i]))},
                      {"code", code},
                      {"value", value},
                      {"overflow", r.events.overflow},
                      {"underflow", r.events.underflow},
                      {"inexact", r.events.inexact},
                      {"invalid", r.events.invalid}});
    } else {
      std::cout << code << ' ' << value << (o.events ? " " + events_text(r.events) : "") << '\n';
    }
  }
  if (o.json) std::cout << rows.dump(2) << '\n';
  return exit_done;
}

}  // namespace

void add_quantize(CLI::App& app, Action& action) {
  auto options = std::make_shared<QuantizeOptions>();
  CLI::App* command = app.add_subcommand("quantize", "Round values to a format; prints code and value, a line each");
  set_example(*command, "accsim quantize 0.1 448 -1e9 --to ocp_e4m3 --events");
  command->add_option("values", options->values, "Decimal or hexadecimal numbers, inf, nan; - reads them from standard input")->required();
  command->add_option("--to", options->to, "Format")->required();
  command->add_option("--from", options->from, "The values are codes (hexadecimal) of this format");
  command->add_option("--rounding", options->rounding, "Rounding")->default_str("rne");
  command->add_option("--overflow", options->overflow, "Overflow mode; ieee for floats, wrap for fixed point unless given");
  command->add_option("--underflow", options->underflow, "gradual, flush or none; what the format has unless given");
  add_seed_option(*command, options->seed, "Seed of stochastic rounding; value i uses element i");
  command->add_flag("--events", options->events, "Also print what happened: overflow, underflow, inexact, invalid");
  command->add_flag("--json", options->json, "As a JSON array, with events");
  command->callback([options, &action] { action = [options] { return quantize(*options); }; });
}

}  // namespace accsim::cli
