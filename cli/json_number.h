// Numbers in JSON documents, as contracts 4 has them.
#pragma once

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace accsim::cli {

/// An infinity is the string "inf" or "-inf", what is undefined null.
inline nlohmann::ordered_json json_number(const std::optional<double>& x) {
  if (!x || std::isnan(*x)) return nullptr;
  if (std::isinf(*x)) return *x > 0 ? "inf" : "-inf";
  return *x;
}

/// The same value as a cell of a CSV file: without quotes, nothing for null.
inline std::string csv_cell(const nlohmann::ordered_json& j) { return j.is_null() ? "" : j.is_string() ? j.get<std::string>() : j.dump(); }

}  // namespace accsim::cli
