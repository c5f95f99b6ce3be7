// Datapaths that nobody designed.
#pragma once

#include "draw.h"
#include "sim/datapath.h"

namespace accsim::agreement {

/// A datapath that check_datapath accepts: any formats, roundings, level kinds and sizes, those that kernels take more often.
sim::Datapath random_datapath(Draw& draw);

}  // namespace accsim::agreement
