// Finding the layers of a trace file: every group with a string attribute `op`, in execution order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "traces/hdf5_handle.h"

namespace accsim::traces {

/// A link of a group, as far as order needs it.
struct Link {
  std::string name;
  bool is_hard = false;
  bool has_creation_order = false;
  std::int64_t creation_order = 0;
};
/// All links of a group, by name.
std::vector<Link> links_of(hid_t group);

/// A layer, or a link that leads nowhere and so may have been one.
struct FoundLayer {
  std::string path;  ///< without the leading slash; "/" where the root group itself is a layer
  bool is_dangling = false;
};

/// Execution order: depth first, a group before what is in it; siblings with an integer attribute `index` first, by it,
/// the others after them in creation order where tracked, else by name. Links of all kinds are followed; a link to a
/// group that contains it is not followed again. InputError: an object that cannot be opened, an `index` that is no
/// integer, more groups than a trace can have.
std::vector<FoundLayer> find_layers(hid_t file);

}  // namespace accsim::traces
