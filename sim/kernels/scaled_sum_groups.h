// An operand of scaled sums for the fused-sum lanes: groups of whole numbers and their scales.
#pragma once

#include <string>

#include "sim/kernels/fused_sum_operand.h"
#include "sim/kernels/lane_memory.h"

namespace accsim::sim::kernels {

/// Bits of an operand's elements (of a format without blocks, its values), and of its scales.
struct GroupBits {
  int unit = 0;             ///< every element is a multiple of 2^unit
  int highest = 0;          ///< floor(log2) of the largest magnitude
  int scale_precision = 1;  ///< significand bits of scales
};
/// Of all operands with such facts.
GroupBits group_bits(const Operand& operand, const OperandFacts& facts);
/// Of a tile's; in block formats those of the format.
GroupBits group_bits(const FusedOperand& operand);

/// Why the lanes cannot hold what such operands give; empty where they can.
std::string too_wide_for_groups(const Level& level, const GroupBits& a, const GroupBits& b);

/// Operands as FusedJob takes them in groups: lines in panels of `lanes`, zeros beyond the last one.
class PackedGroups {
 public:
  PackedGroups(const FusedOperand& operand, int unit, const FusedJob& job, std::int64_t group, std::int64_t padded_lines,
               std::int64_t lanes);
  LaneMemory<std::int32_t> words, exponents, nonzero, odd;
  LaneMemory<double> scales;

 private:
  void pack_group(const FusedOperand& operand, int unit, const FusedJob& job, std::int64_t line, std::int64_t lanes, std::int64_t group,
                  std::int64_t first, std::int64_t last);
};

}  // namespace accsim::sim::kernels
