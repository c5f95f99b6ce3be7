// Rows of many units in step: codes in, codes and flags out, on lanes where it is proved that they give the interpreter's.
#pragma once

#include <optional>

#include "sim/datapath.h"
#include "sim/kernels/isa.h"
#include "sim/kernels/row_plan.h"

namespace accsim::sim::kernels {

/// The plan of a datapath of one level as IssueModel runs it, or nothing where it is not proved. Proved: sequential sums of one product.
/// Float formats (signed, specials ieee, fn or none): a product's significand, P bits of the lane's, is exact; so is its range. A sum is
/// rounded to odd to P bits (the two-sum's error gives the side), which keeps every rounding to P - 2 bits (stochastic ones of R bits: to
/// P - R - 1). Every nonzero value is a normal number of the lane, since each is a multiple of what the formats have as smallest. Fixed
/// point: exact in 64 bits.
std::optional<RowPlan> row_plan(const Datapath& datapath);

/// The lanes of this machine.
RowLanes row_lanes();
RowLanes row_lanes(Isa isa);

}  // namespace accsim::sim::kernels
