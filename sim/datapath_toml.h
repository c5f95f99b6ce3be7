// Datapath files: TOML in and out, the built-in ones, and what the command line overrides (contracts 3).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/datapath.h"

namespace accsim::sim {

/// A datapath file that is compiled in.
struct BuiltinDatapath {
  std::string_view name, toml;
};
std::span<const BuiltinDatapath> builtin_datapaths();

/// What the command line changes in a datapath; unset and empty fields change nothing.
struct DatapathOverrides {
  std::optional<std::string> in_a, in_b, product, rounding, overflow;
  std::optional<std::int64_t> chunk;
  std::vector<std::string> set;  ///< "reduction.0.format=e5m10"
};

/// `acc`: a built-in name, a TOML file, or a format (contracts 3). Throws InputError, with the nearest names for an unknown one.
Datapath find_datapath(const std::string& acc, const DatapathOverrides& overrides = {});
/// Parses and checks one datapath; `where` stands before the messages.
Datapath parse_datapath(std::string_view toml, const std::string& where, const DatapathOverrides& overrides = {});
/// The whole TOML, defaults filled in; parsing it gives the same datapath.
std::string to_toml(const Datapath& datapath);

}  // namespace accsim::sim
