#include "sim/kernels/scaled_sum_groups.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace accsim::sim::kernels {

GroupBits group_bits(const Operand& operand, const OperandFacts& facts) {
  if (!operand.block) return {.unit = facts.lowest, .highest = facts.precision == 0 ? facts.lowest : facts.highest};
  const formats::Limits element = formats::limits(operand.block->element);
  // In fixed point the most negative value is the larger one.
  const formats::NarrowExact& largest =
      compare_magnitude(element.min_finite, element.max_finite) > 0 ? element.min_finite : element.max_finite;
  return {.unit = element.lsb_exponent, .highest = log2_floor(largest), .scale_precision = formats::limits(operand.block->scale).precision};
}

GroupBits group_bits(const FusedOperand& operand) {
  if (operand.format().block) return group_bits(operand.format(), {});
  GroupBits bits{.unit = 1 << 20, .highest = -(1 << 20)};
  for (const double value : operand.values()) {
    const Parts p = parts_of(value, -(1 << 20));
    if (!p.is_finite || p.significand == 0) continue;
    bits.unit = std::min(bits.unit, p.unit);
    bits.highest = std::max(bits.highest, p.exponent);
  }
  if (bits.highest < bits.unit) bits.unit = bits.highest = 0;  // zeros
  return bits;
}

std::string too_wide_for_groups(const Level& level, const GroupBits& a, const GroupBits& b) {
  const int a_bits = a.highest - a.unit + 1;
  const int b_bits = b.highest - b.unit + 1;
  if (a_bits > 15 || b_bits > 15) return "elements of too many bits for 16-bit factors";
  const int sum_bits = a_bits + b_bits + log2_ceil(level.group);
  if (sum_bits > 31) return "groups whose sums need more than 32 bits";
  if (sum_bits + a.scale_precision + b.scale_precision > 53) return "groups whose scaled sums need more than 53 bits";
  // Exponents of group sums, and of accumulators, beyond those that they are aligned by.
  const int above =
      std::max(a.highest + b.highest + 2 + log2_ceil(level.group) + (a.scale_precision > 1 ? 1 : 0) + (b.scale_precision > 1 ? 1 : 0), 1);
  const int aligned = level.fraction_bits + above;
  if (aligned > 51 || aligned + log2_ceil(*level.terms / level.group + 1) > 53) return "sums that need more than 53 bits";
  return {};
}

PackedGroups::PackedGroups(const FusedOperand& operand, int unit, const FusedJob& job, std::int64_t group, std::int64_t padded_lines,
                           std::int64_t lanes)
    : words(padded_lines * job.groups * job.words),
      exponents(padded_lines * job.groups),
      nonzero(padded_lines * job.groups),
      odd(padded_lines * job.issues),
      scales(padded_lines * job.groups) {
  std::fill_n(words.data(), padded_lines * job.groups * job.words, 0);
  std::fill_n(exponents.data(), padded_lines * job.groups, 0);
  std::fill_n(nonzero.data(), padded_lines * job.groups, 0);
  std::fill_n(odd.data(), padded_lines * job.issues, 0);
  std::fill_n(scales.data(), padded_lines * job.groups, 0.0);
  for (std::int64_t line = 0; line < operand.lines(); ++line) {
    for (std::int64_t g = 0; g < job.groups; ++g)
      pack_group(operand, unit, job, line, lanes, g, g * group, std::min((g + 1) * group, operand.terms()));
  }
}

void PackedGroups::pack_group(const FusedOperand& operand, int unit, const FusedJob& job, std::int64_t line, std::int64_t lanes,
                              std::int64_t group, std::int64_t first, std::int64_t last) {
  const std::int64_t panel = line / lanes;
  const std::int64_t lane = line % lanes;
  const std::int64_t at = (panel * job.groups + group) * lanes + lane;
  const double scale = operand.scale(line, first);
  bool is_odd = std::isnan(scale);
  std::int32_t nonzero_terms = 0;
  if (scale != 0 && !is_odd) {
    const double to_units = std::ldexp(1.0, -unit);
    std::int32_t* const word = words.data() + (panel * job.groups + group) * job.words * lanes + lane;
    for (std::int64_t t = first; t < last; ++t) {
      const double units = operand.element(line, t) * to_units;
      const bool is_finite = std::abs(units) < 0x1p15;
      const std::int32_t element = is_finite ? static_cast<std::int32_t>(units) : 0;
      const std::int64_t i = t - first;
      is_odd |= !is_finite;
      word[i / 2 * lanes] |= i % 2 == 0 ? element & 0xFFFF : element * 0x10000;
      nonzero_terms |= static_cast<std::int32_t>(static_cast<std::uint32_t>(element != 0) << i);
    }
  }
  if (is_odd) odd.data()[(panel * job.issues + group / job.groups_in_issue) * lanes + lane] = -1;
  if (nonzero_terms == 0) return;
  nonzero.data()[at] = nonzero_terms;
  exponents.data()[at] = operand.scale_exponent(line, first);
  scales.data()[at] = std::ldexp(scale, unit);
}

}  // namespace accsim::sim::kernels
