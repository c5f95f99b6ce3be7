#include "cli/noise_gains.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "sim/toml_table.h"

namespace accsim::cli {
namespace {

constexpr const char* accepted = "TOML or JSON with the tables activation, weight, lambda of numbers by layer name";

/// The file as one JSON value, whichever it is written in.
nlohmann::json parsed(const std::string& path) {
  const std::string text = sim::read_toml_file(path, accepted);
  if (!path.ends_with(".json")) {
    try {
      std::ostringstream json;
      json << toml::json_formatter(toml::parse(text));
      return nlohmann::json::parse(json.str());
    } catch (const toml::parse_error& error) {
      std::ostringstream what;
      what << error.description() << " at " << error.source().begin;
      throw InputError(path, what.str(), accepted);
    }
  }
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    throw InputError(path, error.what(), accepted);
  }
}

}  // namespace

NoiseGains read_noise_gains(const std::string& path) {
  const nlohmann::json file = parsed(path);
  NoiseGains gains;
  if (!file.is_object()) throw InputError(path, "no tables", accepted);
  for (const auto& [table, values] : file.items()) {
    auto* known = table == "activation" ? &gains.activation
                  : table == "weight"   ? &gains.weight
                  : table == "lambda"   ? &gains.lambda
                                        : nullptr;
    if (known == nullptr || !values.is_object())
      throw InputError(path + ": " + table, values.is_object() ? "unknown table" : "not a table", accepted);
    for (const auto& [layer, value] : values.items()) {
      const bool is_positive = value.is_number() && std::isfinite(value.get<double>()) && value.get<double>() > 0;
      if (!is_positive) throw InputError(path + ": " + table + ".\"" + layer + "\"", value.dump(), "a finite number above 0");
      (*known)[layer] = value.get<double>();
    }
  }
  return gains;
}

}  // namespace accsim::cli
