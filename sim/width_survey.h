// What a pass of a layer asks of its accumulators, channel by channel: guaranteed and observed widths of an integer datapath,
// exponents and swamping of any other.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/integer_bounds.h"
#include "sim/simulate.h"

namespace accsim::sim {

/// Exponents floor(log2 |x|) of nonzero finite numbers; empty where there was none.
struct ExponentRange {
  std::optional<int> low, high;
  void see(int exponent) {
    low = std::min(low.value_or(exponent), exponent);
    high = std::max(high.value_or(exponent), exponent);
  }
  void merge(const ExponentRange& other) {
    if (!other.low) return;
    see(*other.low);
    see(*other.high);
  }
};

/// Additions to an accumulator by the precision (significand bits) below which rounding to nearest swamps them: the addend is not
/// larger than half a unit in the last place of the accumulator. Both are exact here, so this is where swamping starts, not what
/// an accumulator that has already lost bits does.
class Swamping {
 public:
  /// An addition of two nonzero numbers whose addend is swamped at `precision` bits and fewer; 0 or less: at none.
  void see(int precision) {
    ++additions_;
    if (precision < 1) return;
    if (static_cast<std::size_t>(precision) >= counts_.size()) counts_.resize(static_cast<std::size_t>(precision) + 1);
    ++counts_[static_cast<std::size_t>(precision)];
  }
  void merge(const Swamping& other);
  [[nodiscard]] std::int64_t additions() const { return additions_; }
  /// The largest precision at which more than `share` of the additions (0 to 1) are swamped; 0 where none is that large.
  [[nodiscard]] int precision(double share) const;

 private:
  std::int64_t additions_ = 0;
  std::vector<std::int64_t> counts_;
};

/// One output channel: a column of operand b in its group.
struct ChannelNeeds {
  GuaranteedWidths guaranteed;                   // integer datapaths
  int observed_partial = 0, observed_final = 0;  // integer datapaths: every exact partial sum; the exact final sums
  ExponentRange products, sums;                  // others
  Swamping swamping;                             // others, where sums are added one at a time
  void merge(const ChannelNeeds& other);         ///< the larger of all
};

struct WidthSurvey {
  bool is_integer = false;
  std::vector<ChannelNeeds> channels;  ///< n for each group of the batch, group by group
  std::int64_t nonfinite_outputs = 0;  ///< left out: an operand or a product is infinite or NaN
  [[nodiscard]] ChannelNeeds layer() const;
};

/// Walks every output's exact sums. Products are rounded where the datapath rounds them; sums are not. Of the options it uses
/// threads, seed and progress.
WidthSurvey survey_widths(const Datapath& datapath, const LayerProblem& problem, const SimulateOptions& options);

}  // namespace accsim::sim
