// accsim check --cycles: a file of one row a clock, as accsim wave writes it and an RTL simulation can, against the clocked unit.
#pragma once

#include <ostream>
#include <string>

#include "sim/datapath.h"

namespace accsim::cli {

/// Drives the unit with the file's inputs and compares what else the file has, in pipeline order; a code is looked at where its valid bit
/// should be set. Writes at most `limit` wrong cycles, the first with its stage, and the line `M of N cycles match`; true if all do.
/// InputError names file, row and column: a missing column, bad hex, a code too wide, a cycle out of sequence.
bool check_cycles(const sim::Datapath& datapath, const std::string& path, std::int64_t limit, std::ostream& out);

}  // namespace accsim::cli
