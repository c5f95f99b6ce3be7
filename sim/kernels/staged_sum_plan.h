// Staged sums in the fused-sum lanes: the proof, and what the lanes are told.
#pragma once

#include <string>

#include "sim/kernels/fused_sum_operand.h"

namespace accsim::sim::kernels {

/// Why the lanes do not know a datapath whose innermost level is a staged sum; empty where they do. What all fused sums ask for is not
/// looked at.
std::string unknown_to_staged_sums(const Datapath& datapath);

/// Why the lanes cannot hold the sums of such operands in issues of so many terms; empty where they can.
std::string too_wide_for_stages(const Level& level, std::int64_t issue, const Shifts& shifts, SignificandBits a, SignificandBits b);

/// Fills in what staged sums need beside what all fused sums do.
void plan_stages(const Datapath& datapath, const Shifts& shifts, SignificandBits a, SignificandBits b, FusedJob& job);

}  // namespace accsim::sim::kernels
