// A trace's operands as codes of the datapath's formats: dot products of outputs drawn at random.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/layer_selection.h"
#include "sim/datapath.h"

namespace accsim::cli {

/// The operands of one output, in term order.
struct TracedDot {
  std::vector<formats::Code> a, b;
  std::vector<formats::Code> a_scales, b_scales;  ///< of block formats, one a block
  std::string_view layer;                         ///< lives as long as the TracedOperands
  std::int64_t row_limit = 0;                     ///< rows written by the end of this layer's share
};

class TracedOperands {
 public:
  /// InputError as for `accsim run`. The datapath's operands have formats or block formats.
  TracedOperands(const std::string& path, const LayerSelection& selection, const sim::Datapath& datapath, std::uint64_t seed);

  /// Calls `take` for outputs drawn from each layer in turn, until it returns false because this layer's share of `rows` is made.
  /// InputError where a stored value has no code in the operand's format (a zero point does that).
  void for_each_output(std::int64_t rows, const std::function<bool(const TracedDot&)>& take);

 private:
  traces::TraceFile trace_;
  std::vector<Job> jobs_;
  const sim::Datapath& datapath_;
  std::uint64_t seed_;
};

}  // namespace accsim::cli
