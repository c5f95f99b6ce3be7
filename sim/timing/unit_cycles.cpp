#include "sim/timing/unit_cycles.h"

#include <algorithm>

#include "sim/timing/combination.h"

namespace accsim::sim {
namespace {

/// When things come: evenly, but for the last, which may be early.
struct Stream {
  std::int64_t first = 0, period = 1, count = 1, last = 0;
};

/// When every `size` of them are complete.
Stream grouped(const Stream& s, std::int64_t size) {
  const std::int64_t groups = (s.count + size - 1) / size;
  if (groups == 1) return {s.last, 1, 1, s.last};
  return {s.first + (size - 1) * s.period, size * s.period, groups, s.last};
}

/// When they start if each waits for its turn.
Stream spaced(const Stream& s, std::int64_t interval) {
  if (s.count == 1) return s;
  Stream started = s;
  started.period = std::max(s.period, interval);
  started.last = std::max(s.last, s.first + (s.count - 2) * started.period + interval);
  return started;
}

Stream delayed(Stream s, std::int64_t cycles) {
  s.first += cycles;
  s.last += cycles;
  return s;
}

/// Groups of addends, each combined before the first of the next enters the loop. Products wait outside the unit, so the next group comes
/// at the input's pace and has the way to the adder before it; sums of the level below wait before the loop, and enter one a cycle. The
/// last of group g enters in e(g) = max(what has come by then, e(g-1) + combination + way + (size - 1) pace).
Stream interleaved(const Block& b, const Stream& s, bool is_innermost, std::int64_t before) {
  const std::int64_t sums = b.sums();
  const std::int64_t short_group = b.issues() - (sums - 1) * b.group;
  const std::int64_t rest = combination_cycles(b.combine, b.latency, short_group);
  if (sums == 1) return {s.last + rest, 1, 1, s.last + rest};
  const std::int64_t combination = combination_cycles(b.combine, b.latency, b.group);
  const std::int64_t way = combination + (is_innermost ? before : 0);
  const std::int64_t pace = is_innermost ? s.period : 1;
  const std::int64_t entered = s.first + (b.group - 1) * s.period;
  const std::int64_t period = std::max(b.group * s.period, way + (b.group - 1) * pace);
  const std::int64_t last = std::max(s.last, entered + (sums - 2) * period + way + (short_group - 1) * pace);
  return {entered + combination, period, sums, last + rest};
}

}  // namespace

std::int64_t unit_cycles(const Schedule& schedule) {
  Stream s;
  for (std::size_t i = 0; i < schedule.blocks.size(); ++i) {
    const Block& b = schedule.blocks[i];
    if (i == 0) s = {schedule.before, schedule.interval, b.issues(), schedule.before + (b.issues() - 1) * schedule.interval};
    else s = grouped(s, b.width);
    s = spaced(s, b.interval);
    s = b.shape == BlockShape::interleaved ? interleaved(b, s, i == 0, schedule.before) : delayed(grouped(s, b.group), b.latency);
  }
  return s.last + schedule.output;
}

std::int64_t unit_cycles(const Datapath& datapath, std::int64_t k) { return unit_cycles(schedule_of(datapath, k)); }

}  // namespace accsim::sim
