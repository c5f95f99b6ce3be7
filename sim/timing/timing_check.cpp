// What [timing] and [array] can be beside a datapath's levels.
#include <algorithm>

#include "formats/error.h"
#include "sim/datapath_keys.h"
#include "sim/timing/schedule.h"

namespace accsim::sim {
namespace {

std::string place(std::size_t level) { return "reduction." + std::to_string(level); }
std::string kind_of(const Level& level) { return std::string(level_kind_names[static_cast<std::size_t>(level.kind)]); }

/// The order of an interleaved sum is the level's; the schedule must be the one that has this order.
void check_feedback(const Datapath& d, const Timing& t) {
  bool interleaves = false;
  for (std::size_t i = 0; i < d.levels.size(); ++i) {
    const Level& level = d.levels[i];
    if (level.kind != LevelKind::interleaved) continue;
    interleaves = true;
    if (t.feedback != Feedback::interleave) {
      throw InputError(
          "timing: feedback",
          "\"" + std::string(feedback_names[static_cast<std::size_t>(t.feedback)]) + "\" with " + place(i) + " of kind interleaved",
          "\"interleave\", or a level of kind sequential");
    }
    if (level.ways < t.adder_of(i)) {
      throw InputError("timing: adder",
                       std::to_string(t.adder_of(i)) + " cycles with " + std::to_string(level.ways) + " ways of " + place(i) +
                           ", whose sums would not be there in time",
                       "at most as many cycles as the level has ways");
    }
  }
  if (t.feedback == Feedback::interleave && !interleaves) {
    throw InputError("timing: feedback", "\"interleave\" without a level of kind interleaved, whose `ways` say how sums are interleaved",
                     "\"stall\", \"single_cycle\", or kind = \"interleaved\"");
  }
}

/// Sums flow down a column: the innermost level adds in order, what lies above it at the column's foot.
void check_weight_stationary(const Datapath& d) {
  const Level& inner = d.levels.front();
  if (!takes_accumulator(inner) || inner.kind == LevelKind::interleaved)
    throw InputError("array: dataflow", "\"ws\" with " + place(0) + " of kind " + kind_of(inner) + ", which does not add down a column",
                     "\"os\", or a level of kind sequential, or one with_accumulator");
  if (d.levels.size() == 1) return;
  const std::int64_t issues = inner.kind == LevelKind::sequential ? inner.terms.value_or(0) : inner.issues.value_or(0);
  if (issues != d.array->rows) {
    throw InputError("array: rows",
                     std::to_string(d.array->rows) + " with dataflow \"ws\", where " + place(0) + " hands up sums of " +
                         (issues == 0 ? "all" : std::to_string(issues)) + " issues",
                     "as many rows as issues, or a single level");
  }
  for (std::size_t i = 1; i < d.levels.size(); ++i) {
    if (d.levels[i].kind != LevelKind::sequential)
      throw InputError("array: dataflow", "\"ws\" with " + place(i) + " of kind " + kind_of(d.levels[i]) + " at the column's foot",
                       "kind sequential there, or \"os\"");
  }
}

void check_tree(const Datapath& d) {
  const Level& inner = d.levels.front();
  if (!has_issues(inner.kind) || inner.kind == LevelKind::sorted || inner.kind == LevelKind::exponent_bins)
    throw InputError("array: dataflow", "\"tree\" with " + place(0) + " of kind " + kind_of(inner) + ", which takes one term at a time",
                     "\"os\" or \"ws\", or an innermost level that takes `terms` at a time");
  const bool takes_all = d.levels.size() == 1 && !takes_accumulator(inner);
  if (takes_all || inner.terms != d.array->rows) {
    throw InputError("array: rows",
                     std::to_string(d.array->rows) + " with dataflow \"tree\", where " + place(0) + " takes " +
                         (takes_all || !inner.terms ? "all terms" : std::to_string(*inner.terms) + " terms") + " at a time",
                     "rows = terms");
  }
}

}  // namespace

void check_timing(const Datapath& d) {
  const Timing t = timing_of(d);
  for (std::size_t i = 0; i < d.levels.size(); ++i) {
    if (d.levels[i].kind == LevelKind::online)
      throw InputError(d.timing ? "timing" : "array", place(i) + " of kind online, whose cycles follow from its digits",
                       "no [timing], no [array]");
  }
  if (t.adder.size() != 1 && t.adder.size() != d.levels.size()) {
    throw InputError("timing: adder", std::to_string(t.adder.size()) + " latencies for " + std::to_string(d.levels.size()) + " levels",
                     "one for all, or one a level");
  }
  check_feedback(d, t);
  const std::int64_t needed = schedule_of(d, std::int64_t{1} << 40).blocks.front().interval;
  const bool loops = !d.array || d.array->dataflow != Dataflow::ws;  // down a column there is no loop
  if (loops && t.interval && *t.interval < needed) {
    throw InputError("timing: interval",
                     std::to_string(*t.interval) + " where the accumulator of " + place(0) + " needs " + std::to_string(needed) +
                         " cycles from one issue to the next",
                     "at least " + std::to_string(needed) + ", or feedback = \"single_cycle\"");
  }
  if (t.elastic && (needed > 1 || t.interval.value_or(1) > 1 || t.feedback == Feedback::interleave)) {
    throw InputError("timing: elastic", "true where issues are several cycles apart, or sums are interleaved",
                     "false, or an issue a cycle: adder = 1 or feedback = \"single_cycle\"");
  }
  if (!d.array) return;
  switch (d.array->dataflow) {
    case Dataflow::os: break;
    case Dataflow::ws: check_weight_stationary(d); break;
    case Dataflow::tree: check_tree(d); break;
  }
}

}  // namespace accsim::sim
