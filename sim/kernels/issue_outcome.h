// What an issue of lanes of binary64 gives: plain data, for lanes and what stands around them.
#pragma once

#include <cstdint>

namespace accsim::sim::kernels {

/// What lanes count besides their sums.
struct IssueCounts {
  std::int64_t overflow = 0, underflow = 0, inexact = 0, invalid = 0;
  std::int64_t product_overflow = 0;  ///< products beyond [product] range, inexact as well
  double partial = 0;                 ///< largest magnitude of the exact sums
};

/// What the interpreter makes of one issue of one output.
struct IssueOutcome {
  double value = 0;
  IssueCounts counts;
};

/// Does one issue of one lane exactly, for what the lanes do not cover.
using SlowIssue = void (*)(void* context, std::int64_t row, std::int64_t column, std::int64_t issue, double accumulator,
                           IssueOutcome& outcome);

}  // namespace accsim::sim::kernels
