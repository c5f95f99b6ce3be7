// When a datapath's unit does what: its levels as blocks of hardware with latencies and intervals, for dot products of k terms.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/datapath.h"

namespace accsim::sim {

enum class BlockShape {
  serial,       ///< an issue is added to the accumulator; the next follows after `interval`
  parallel,     ///< an issue is summed in a pipeline that keeps nothing
  interleaved,  ///< `ways` partial sums in a loop, then their combination
};

/// A level as hardware. Counts are those of one dot product of k terms.
struct Block {
  BlockShape shape = BlockShape::serial;
  std::int64_t addends = 0;   ///< that reach the level
  std::int64_t width = 1;     ///< addends of one issue
  std::int64_t group = 1;     ///< issues of one sum that is handed up; the last may be shorter
  std::int64_t latency = 1;   ///< cycles from an issue to the cycle in which its sum can be used; interleaved: of the loop, which is `ways`
  std::int64_t interval = 1;  ///< cycles between issues
  Combine combine = Combine::sequential;

  [[nodiscard]] std::int64_t issues() const { return (addends + width - 1) / width; }
  [[nodiscard]] std::int64_t sums() const { return (issues() + group - 1) / group; }
};

struct Schedule {
  std::int64_t before = 0;    ///< cycles from an issue's operands to the adder: input registers and multiplier
  std::int64_t interval = 1;  ///< cycles between issues at the input
  std::vector<Block> blocks;  ///< innermost first
  std::int64_t output = 0;    ///< registers behind the last block
};

/// The datapath's `[timing]`, or what stands for a missing one: a multiply-accumulate a cycle.
Timing timing_of(const Datapath& datapath);

/// The schedule of one dot product of k >= 1 terms.
Schedule schedule_of(const Datapath& datapath, std::int64_t k);

/// Throws InputError, naming the key, where `[timing]` and `[array]` do not agree with one another or with the levels.
void check_timing(const Datapath& datapath);

}  // namespace accsim::sim
