// Packing operands: the elements that a tile's rows and columns take, gathered into dense rows.
#pragma once

#include <span>
#include <vector>

#include "sim/block_operand.h"
#include "sim/lowering.h"
#include "sim/tensor.h"

namespace accsim::sim {

/// One operand of a pass: the tensor as traced, and what the datapath sees of it.
struct PassOperand {
  const Tensor* tensor = nullptr;
  const Values* seen = nullptr;  ///< the tensor's own values, or the quantized ones; with `blocks` they are made row by row
  double scale = 1.0;            ///< of the quantization
  bool quantized = false;
  const BlockOperand* blocks = nullptr;  ///< set where the operand has a block format
};

/// Dense rows of one operand: what the datapath sees, and the unquantized values where they differ.
struct PackedRows {
  std::vector<double> seen, traced;                      ///< rows x k
  std::vector<formats::Exact> seen_exact, traced_exact;  ///< instead of both, where binary64 does not hold them
  std::vector<double> dataset_scale;                     ///< of each row
  std::vector<double> block_elements, block_scales;      ///< of a block format: see BlockScales
};

/// Gathers rows first..first+count of a group with `elements_of(group, row, span)`; `exact` packs exact values.
template <class ElementsOf>
void pack_rows(const PassOperand& operand, std::int64_t k, std::int64_t group, std::int64_t first, std::int64_t count, bool exact,
               ElementsOf&& elements_of, PackedRows& packed) {
  std::vector<std::int64_t> elements(static_cast<std::size_t>(k));
  packed.seen.clear();
  packed.traced.clear();
  packed.seen_exact.clear();
  packed.traced_exact.clear();
  packed.dataset_scale.clear();
  packed.block_elements.clear();
  packed.block_scales.clear();
  for (std::int64_t row = first; row < first + count; ++row) {
    elements_of(group, row, std::span<std::int64_t>(elements));
    double scale = 1.0;
    for (const std::int64_t e : elements) {
      if (e == Lowering::hole) continue;
      scale = operand.tensor->scale_of(e);
      break;
    }
    packed.dataset_scale.push_back(scale);
    const auto gather = [&](const Values& values, std::vector<double>& doubles, std::vector<formats::Exact>& exacts) {
      for (const std::int64_t e : elements) {
        if (exact) exacts.push_back(e == Lowering::hole ? formats::Exact::zero() : values.exact(e));
        else doubles.push_back(e == Lowering::hole ? 0.0 : values.number(e));
      }
    };
    if (operand.blocks == nullptr) gather(*operand.seen, packed.seen, packed.seen_exact);
    else operand.blocks->quantize_row(elements, packed.seen, packed.block_elements, packed.block_scales);
    if (operand.quantized) gather(operand.tensor->values, packed.traced, packed.traced_exact);
  }
  if (operand.blocks != nullptr && exact) {
    for (const double x : packed.seen) packed.seen_exact.push_back(formats::from_double<formats::Wide>(x));
  }
}

/// The exact dot product of two packed rows.
formats::Exact exact_dot(std::span<const double> a, std::span<const double> b);
formats::Exact exact_dot(std::span<const formats::Exact> a, std::span<const formats::Exact> b);

}  // namespace accsim::sim
