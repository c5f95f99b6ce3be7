// What a sweep goes over: a key of the datapath and the values that it takes.
#pragma once

#include <string>
#include <vector>

namespace accsim::cli {

struct SweepAxis {
  std::string key;                  ///< as in --set: reduction.0.format
  std::vector<std::string> values;  ///< at least one
};

/// KEY=VALUE,VALUE,... ; semicolons separate values that have commas in them. A value A..B, where A and B differ in one whole number,
/// stands for all between: int10..int20, e5m2..e5m10, 4..64. Throws UsageError.
SweepAxis parse_sweep_axis(const std::string& text);

}  // namespace accsim::cli
