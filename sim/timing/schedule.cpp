#include "sim/timing/schedule.h"

#include <algorithm>

namespace accsim::sim {
namespace {

/// Stages of a tree: ceil(log_fan_in width); a lone addend passes one adder, which rounds it.
std::int64_t tree_depth(std::int64_t width, std::int64_t fan_in) {
  std::int64_t depth = 0;
  for (std::int64_t left = width; left > 1; left = (left + fan_in - 1) / fan_in) ++depth;
  return std::max<std::int64_t>(1, depth);
}

Block block_of(const Level& level, std::int64_t addends, bool is_last, int adder, Feedback feedback) {
  Block b;
  b.addends = addends;
  b.latency = adder;
  b.interval = feedback == Feedback::stall || feedback == Feedback::interleave ? adder : 1;
  const std::int64_t terms = std::min(level.terms.value_or(addends), addends);
  const std::int64_t handed_up = is_last ? addends : terms;
  switch (level.kind) {
    case LevelKind::sequential:
    case LevelKind::sorted:         // as many additions as addends, each after the one before
    case LevelKind::exponent_bins:  // a term a cycle into its register
      b.group = handed_up;
      return b;
    case LevelKind::interleaved:
      b.shape = BlockShape::interleaved;
      b.group = handed_up;
      b.latency = level.ways;
      b.interval = 1;
      b.combine = level.combine;
      return b;
    case LevelKind::tree:
      b.shape = BlockShape::parallel;
      b.width = handed_up;
      b.latency = adder * tree_depth(is_last ? addends : level.terms.value_or(addends), level.fan_in);
      b.interval = 1;
      return b;
    case LevelKind::exact:
      if (!takes_accumulator(level) && (is_last || !level.terms)) {  // an exact register, a term a cycle
        b.group = handed_up;
        return b;
      }
      [[fallthrough]];
    case LevelKind::fused_sum:
    case LevelKind::staged_sum:
    case LevelKind::scaled_sum:
    case LevelKind::ordered_sum:
      if (takes_accumulator(level)) {
        b.width = terms;
        b.group = is_last || !level.issues ? std::max<std::int64_t>(1, b.issues()) : *level.issues;
      } else {
        b.shape = BlockShape::parallel;
        b.width = handed_up;
        b.interval = 1;
      }
      return b;
    case LevelKind::online: break;  // refused by check_timing
  }
  return b;
}

}  // namespace

Timing timing_of(const Datapath& d) {
  if (d.timing) return *d.timing;
  Timing t;
  const bool interleaves = std::any_of(d.levels.begin(), d.levels.end(), [](const Level& l) { return l.kind == LevelKind::interleaved; });
  if (interleaves) t.feedback = Feedback::interleave;
  return t;
}

Schedule schedule_of(const Datapath& d, std::int64_t k) {
  const Timing t = timing_of(d);
  Schedule s;
  s.before = t.input + t.multiplier;
  s.output = t.output;
  std::int64_t addends = k;
  for (std::size_t i = 0; i < d.levels.size(); ++i) {
    s.blocks.push_back(block_of(d.levels[i], addends, i + 1 == d.levels.size(), t.adder_of(i), t.feedback));
    addends = s.blocks.back().sums();
  }
  s.interval = std::max(t.interval.value_or(1), s.blocks.front().interval);
  return s;
}

}  // namespace accsim::sim
