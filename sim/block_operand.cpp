#include "sim/block_operand.h"

#include <algorithm>
#include <cmath>

#include "sim/operand_facts.h"
#include "sim/random_site.h"

namespace accsim::sim {

BlockOperand::BlockOperand(const Tensor& tensor, const Operand& operand, std::uint64_t seed, const formats::RandomPosition& position)
    : tensor_(tensor),
      rounding_(operand.rounding),
      seed_(seed),
      position_(position),
      quantizer_(operand.block_format(), operand.block->rule == formats::ScaleRule::nvfp4 ? amax(tensor.values) : 0.0),
      scale_emin_(formats::limits(operand.block->scale).emin) {}

OperandFacts BlockOperand::facts() const {
  const formats::Limits element = formats::limits(quantizer_.format().element);
  const formats::Limits scale = formats::limits(quantizer_.format().scale);
  const OperandFacts traced = operand_facts(tensor_.values);
  OperandFacts facts;
  const bool clamps = overflow_of(rounding_, quantizer_.format().element) == formats::Overflow::saturate;
  facts.nonfinite = traced.nonfinite || (!clamps && (element.has_infinity || element.has_nan));
  if (traced.precision == 0) return facts;
  facts.precision = element.precision + (scale.precision == 1 ? 0 : scale.precision);
  facts.lowest = element.lsb_exponent + scale.lsb_exponent;
  facts.highest = log2_floor(element.max_finite) + log2_floor(scale.max_finite) + 1;
  if (scale.precision > 1) return facts;  // nvfp4's scales lie within twenty binades, and never overflow
  // A power of two goes with the largest magnitude of its block, which lies between those of the tensor; a rule may round up. A block
  // whose scale does not fit is NaN.
  const int emax = log2_floor(element.max_finite);
  facts.lowest = std::max(facts.lowest, element.lsb_exponent + traced.lowest - emax);
  facts.highest = std::max(std::min(facts.highest, traced.highest + 2), facts.lowest);
  facts.nonfinite |= traced.highest + 1 - emax > log2_floor(scale.max_finite);
  return facts;
}

template <class Use>
void BlockOperand::for_each_block(std::span<const std::int64_t> row, Use&& use) const {
  const bool is_random = rounding_.mode == formats::Rounding::sr;
  const auto size = static_cast<std::size_t>(block());
  std::vector<double> values;
  std::vector<double> elements;
  std::vector<std::uint32_t> random;
  for (std::size_t first = 0; first < row.size(); first += size) {
    const std::span<const std::int64_t> places = row.subspan(first, std::min(size, row.size() - first));
    values.clear();
    random.clear();
    for (const std::int64_t e : places) {
      values.push_back(e == Lowering::hole ? 0.0 : tensor_.values.number(e));
      if (!is_random) continue;
      formats::RandomPosition here = position_;
      here.output = static_cast<std::uint64_t>(e);
      random.push_back(e == Lowering::hole ? 0U : RandomSite(rounding_, seed_, here, nullptr).next());
    }
    elements = values;
    const formats::NumberBlock block = quantizer_.numbers(elements, random);
    use(places, std::span<const double>(values), std::span<const double>(elements), block);
  }
}

void BlockOperand::quantize_row(std::span<const std::int64_t> row, std::vector<double>& seen, std::vector<double>& elements,
                                std::vector<double>& scales) const {
  for_each_block(row, [&](std::span<const std::int64_t>, std::span<const double>, std::span<const double> of_block,
                          const formats::NumberBlock& block) {
    scales.push_back(block.scale);
    elements.insert(elements.end(), of_block.begin(), of_block.end());
    for (const double element : of_block) seen.push_back(element * block.scale);  // exact: at most 12 significant bits from 2^-149 to 2^144
  });
}

void BlockOperand::count_row(std::span<const std::int64_t> row, QuantizationCounts& counts) const {
  const formats::Format& format = quantizer_.format().element;
  const double min_normal = format.as_float() != nullptr ? to_double(formats::limits(format).min_normal) : 0.0;
  for_each_block(row, [&](std::span<const std::int64_t> places, std::span<const double> values, std::span<const double> elements,
                          const formats::NumberBlock& block) {
    const bool vanishes = block.scale == 0;  // nvfp4: a block far below the tensor's largest value
    if (!vanishes) counts.clipped += block.clipped;
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (places[i] == Lowering::hole) continue;
      const double element = vanishes ? 0.0 : std::fabs(elements[i]);
      ++counts.values;
      counts.nonfinite += !std::isfinite(element);
      if (!std::isfinite(values[i]) || values[i] == 0) continue;
      ++counts.nonzero;
      counts.zeroed += element == 0;
      counts.subnormal += element != 0 && element < min_normal;
    }
  });
}

QuantizationCounts count_blocks(const BlockOperand& operand, const Lowering& lowering, OperandSide side, int threads) {
  const std::int64_t rows = side == OperandSide::a ? lowering.m : lowering.n;
  QuantizationCounts counts;
  constexpr std::int64_t worth_threads = 1 << 14;  // values; starting threads costs more than fewer of them take
#pragma omp parallel num_threads(threads) if (lowering.batch * rows * lowering.k >= worth_threads)
  {
    QuantizationCounts own;
    std::vector<std::int64_t> places(static_cast<std::size_t>(lowering.k));
#pragma omp for schedule(static) collapse(2)
    for (std::int64_t group = 0; group < lowering.batch; ++group) {
      for (std::int64_t row = 0; row < rows; ++row) {
        if (side == OperandSide::a) lowering.a_row(group, row, places);
        else lowering.b_row(group, row, places);
        operand.count_row(places, own);
      }
    }
#pragma omp critical
    counts.merge(own);
  }
  return counts;
}

}  // namespace accsim::sim
