// From a dataset's elements to the operands of a datapath: decode(code) - zero_point in the smallest exact carrier.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/tensor.h"
#include "traces/dataset.h"

namespace accsim::traces {

/// An axis of a dataset along which a pass sums, in runs of `run` neighbouring indices: the whole extent, or one group's
/// share of it.
struct SummedAxis {
  int axis = 0;
  std::int64_t run = 0;
};

/// True where elements of different scale would meet in one sum. Such a dataset enters as (decode(code) - zero_point) *
/// scale in binary64.
bool scale_varies_in_sums(const Dataset& dataset, const std::vector<SummedAxis>& summed);

/// Reads all elements and keeps none. InputError: unreadable data, a code that its format does not have.
void check_elements(const Dataset& dataset);

/// Reads the tensor. The same errors as check_elements.
sim::Tensor read_tensor(const Dataset& dataset, const std::vector<SummedAxis>& summed);

}  // namespace accsim::traces
