// A test bench's unit from a datapath and options as text.
#pragma once

#include <memory>
#include <string>

#include "sim/dpi/bench_unit.h"

namespace accsim::sim {

/// `datapath`: a name, a file or the text of a TOML. `options`: words as accsim takes them, values after a space or `=`. InputError names
/// an option that is not known, its value, or what the datapath does not take.
std::unique_ptr<BenchUnit> create_unit(const std::string& datapath, const std::string& options);

}  // namespace accsim::sim
