// The report of `accsim bounds` as data, and its writers.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "sim/width_survey.h"

namespace accsim::cli {

/// A pass of a layer.
struct LayerBounds {
  std::string name, op, pass;
  std::int64_t m = 0, n = 0, k = 0, batch = 0;
  sim::WidthSurvey survey;
};

struct BoundsReport {
  std::string version, datapath_name, datapath_toml, datapath_digest, trace_file, trace_digest;
  std::vector<LayerBounds> layers;
};

/// At most 100 columns: a row a layer, or a row a channel.
void write_bounds_table(std::ostream& out, const BoundsReport& report, bool channels);
/// Layers with all their channels.
void write_bounds_json(std::ostream& out, const BoundsReport& report);
/// A header and a row a layer, or a row a channel.
void write_bounds_csv(std::ostream& out, const BoundsReport& report, bool channels);

}  // namespace accsim::cli
