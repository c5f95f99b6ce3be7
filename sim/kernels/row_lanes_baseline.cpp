// Rows in lanes for one instruction set.
#define ACCSIM_ISA row_baseline
#include "sim/kernels/row_lanes.h"

namespace accsim::sim::kernels {

RowLanes row_lanes_baseline() { return {ACCSIM_ISA::multiply_rows, ACCSIM_ISA::add_rows, ACCSIM_ISA::any_row_has}; }

}  // namespace accsim::sim::kernels
