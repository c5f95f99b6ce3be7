#include "sim/kernels/fused_sum_operand.h"

#include <cmath>

#include "sim/kernels/packed_integers.h"

namespace accsim::sim::kernels {

namespace {

SignificandBits bits_of(const formats::BlockFormat& format) {
  const int element = formats::limits(format.element).precision;
  const int scale = formats::limits(format.scale).precision;
  return {.fraction = element - 1 + scale - 1, .above = scale > 1 ? 1 : 0};
}

}  // namespace

int log2_ceil(std::int64_t n) { return static_cast<int>(std::bit_width(static_cast<std::uint64_t>(n - 1))); }

SignificandBits significand_bits(const Operand& operand, const OperandFacts& facts, int emin) {
  if (facts.precision == 0) return {};
  if (!operand.block) return {.fraction = std::max(facts.precision - 1, std::max(emin, -operand_exponent_limit) - facts.lowest)};
  return bits_of(*operand.block);
}

std::optional<Shifts> shifts_for(int fraction_bits, SignificandBits a, SignificandBits b) {
  const int room_a = 14 - a.above - a.fraction;
  const int room_b = 14 - b.above - b.fraction;
  if (room_a < 0 || room_b < 0) return std::nullopt;
  const int left = fraction_bits - a.fraction - b.fraction;
  if (left <= 0) return Shifts{.base = -left};
  const int shift_a = std::min(left, room_a);
  if (left - shift_a > room_b) return std::nullopt;
  return Shifts{.a = shift_a, .b = left - shift_a};
}

std::int64_t largest_product(const Shifts& shifts, SignificandBits a, SignificandBits b) {
  const auto largest = [](SignificandBits bits, int shift) { return ((std::int64_t{1} << (bits.fraction + 1 + bits.above)) - 1) << shift; };
  return ((largest(a, shifts.a) * largest(b, shifts.b)) >> std::min(shifts.base, 31)) + 1;
}

FusedOperand::FusedOperand(const Operand& format, std::span<const double> values, std::span<const formats::Exact> exact,
                           const BlockScales& blocks, int emin, std::int64_t k)
    : format_(format), values_(doubles_of(values, exact, copies_)), blocks_(blocks), emin_(emin), k_(k) {
  if (blocks.block == 0) return;
  blocks_in_line_ = (k + blocks.block - 1) / blocks.block;
  scales_.reserve(blocks.scales.size());
  for (const double scale : blocks.scales) {
    const Parts p = parts_of(scale, blocks.scale_emin);
    if (!p.is_finite) scales_.push_back({.is_finite = false});
    else scales_.push_back({.significand = std::ldexp(scale, -p.exponent), .exponent = p.exponent});
  }
}

Scan FusedOperand::scan() const {
  if (blocks_.block != 0) return scan_blocks();
  Scan s;
  for (const double value : values_) {
    const Parts p = parts_of(value, emin_);
    if (!p.is_finite || p.significand == 0) continue;
    s.bits.fraction = std::max(s.bits.fraction, p.exponent - p.unit);
    s.least = std::min(s.least, p.exponent);
    s.in_range &= std::abs(p.exponent) <= operand_exponent_limit;
  }
  return s;
}

Scan FusedOperand::scan_blocks() const {
  Scan s;
  s.bits = bits_of(*format_.block);
  const int least_element = std::max(emin_, formats::limits(format_.block->element).lsb_exponent);
  for (std::int64_t line = 0; line < lines(); ++line) {
    for (std::int64_t first = 0; first < k_; first += blocks_.block) {
      const Scale& scale = scale_of(line, first);
      if (!scale.is_finite || scale.significand == 0) continue;
      const auto elements =
          blocks_.elements.subspan(at(line, first), static_cast<std::size_t>(std::min<std::int64_t>(blocks_.block, k_ - first)));
      if (std::all_of(elements.begin(), elements.end(), [](double x) { return x == 0; })) continue;
      s.least = std::min(s.least, scale.exponent + least_element);
    }
  }
  return s;
}

}  // namespace accsim::sim::kernels
