// Operands in a block format: a row of the lowered matrix, a scale every `block` terms (contracts 1.1).
#pragma once

#include "formats/block.h"
#include "formats/random.h"
#include "sim/datapath.h"
#include "sim/executor.h"
#include "sim/lowering.h"
#include "sim/quantize.h"
#include "sim/tensor.h"

namespace accsim::sim {

/// Quantizes rows of one operand of a pass. Blocks follow the lowered term order (before [product] permute), start anew with each row and
/// hold padding and stride holes as +0; the last block of a row is short. So an element that several rows take may differ between them.
/// Values enter as their nearest binary64. Safe to share between threads.
class BlockOperand {
 public:
  /// `operand.block` is set. `position` gives layer, pass and site 14 or 15 of the random bits; its `output` is ignored.
  BlockOperand(const Tensor& tensor, const Operand& operand, std::uint64_t seed, const formats::RandomPosition& position);

  /// What results are multiplied by: nvfp4's scale of the tensor, else 1.
  [[nodiscard]] double tensor_scale() const { return to_double(quantizer_.tensor_scale()); }
  [[nodiscard]] int block() const { return quantizer_.format().block; }
  /// Exponent of the smallest normal of the scales.
  [[nodiscard]] int scale_emin() const { return scale_emin_; }
  /// Facts that hold for every operand, whatever its block: for the proofs of kernels.
  [[nodiscard]] OperandFacts facts() const;

  /// Quantizes the row that takes these places of the tensor (Lowering::hole: +0). Appends a value for each to `seen` (element * scale,
  /// exact) and `elements` (before the scale), and a scale a block to `scales`. Random bits are those of n = 0 of the element's
  /// row-major index.
  void quantize_row(std::span<const std::int64_t> row, std::vector<double>& seen, std::vector<double>& elements,
                    std::vector<double>& scales) const;
  /// Adds what quantizing that row does to its values; holes are none. Subnormal: below the elements' smallest normal, before the scale.
  void count_row(std::span<const std::int64_t> row, QuantizationCounts& counts) const;

 private:
  /// use(places of a block, their values, its elements, its scale)
  template <class Use>
  void for_each_block(std::span<const std::int64_t> row, Use&& use) const;

  const Tensor& tensor_;
  formats::RoundingSpec rounding_;
  std::uint64_t seed_;
  formats::RandomPosition position_;
  formats::BlockQuantizer quantizer_;
  int scale_emin_;
};

enum class OperandSide { a, b };

/// What a block format does to the values of one operand of a pass, as often as the pass takes them: an element counts in every row of the
/// lowered matrix that it stands in, since its block may differ there. Independent of `threads`.
QuantizationCounts count_blocks(const BlockOperand& operand, const Lowering& lowering, OperandSide side, int threads);

}  // namespace accsim::sim
