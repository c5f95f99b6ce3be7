#include "sim/tile_pack.h"

#include <algorithm>

namespace accsim::sim {

using formats::Exact;

namespace {

template <class At>
void gather(std::span<const std::int64_t> elements, double* row, At&& at) {
  for (std::size_t i = 0; i < elements.size(); ++i) row[i] = elements[i] == Lowering::hole ? 0.0 : static_cast<double>(at(elements[i]));
}

void gather(const Values& values, std::span<const std::int64_t> elements, double* row) {
  std::visit(
      [&](const auto& stored) {
        using Stored = std::decay_t<decltype(stored)>;
        if constexpr (std::is_same_v<Stored, std::vector<Exact>>) {
          gather(elements, row, [&](std::int64_t e) { return formats::to_double(stored[static_cast<std::size_t>(e)]); });
        } else if constexpr (std::is_same_v<Stored, std::vector<float>> || std::is_same_v<Stored, std::vector<double>>) {
          gather(elements, row, [data = stored.data()](std::int64_t e) { return data[e]; });
        } else {
          gather(elements, row, [&](std::int64_t e) { return stored.at(static_cast<std::size_t>(e)); });
        }
      },
      values.storage());
}

void gather(const Values& values, std::span<const std::int64_t> elements, Exact* row) {
  for (std::size_t i = 0; i < elements.size(); ++i) row[i] = elements[i] == Lowering::hole ? Exact::zero() : values.exact(elements[i]);
}

}  // namespace

std::int64_t PackedRows::bytes(const PassOperand& operand, const PackPlan& plan) {
  if (plan.exact) return (operand.quantized ? 2 : 1) * static_cast<std::int64_t>(sizeof(Exact));
  std::int64_t bytes = 8 + ProductRows::bytes(plan.seen);
  if (operand.quantized) bytes += 8;
  if (plan.needs_traced) bytes += ProductRows::bytes(plan.traced);
  if (operand.blocks != nullptr) bytes += 16;
  return bytes;
}

void PackedRows::resize(const PassOperand& operand, const PackPlan& plan, std::int64_t of_group, std::int64_t from, std::int64_t rows) {
  group = of_group;
  first = from;
  count = rows;
  const auto size = static_cast<std::size_t>(rows * plan.k);
  dataset_scale.assign(static_cast<std::size_t>(rows), 1.0);
  if (!plan.exact || operand.blocks != nullptr) seen.resize(size);
  if (operand.blocks != nullptr) {
    const std::int64_t block = operand.blocks->block();
    block_elements.resize(size);
    block_scales.resize(static_cast<std::size_t>(rows * ((plan.k + block - 1) / block)));
  }
  if (plan.exact) {
    seen_exact.resize(size);
    if (operand.quantized) traced_exact.resize(size);
    return;
  }
  if (operand.quantized) traced.resize(size);
  if (plan.seen.lanes != nullptr) seen_integers.resize(plan.seen, plan.side, rows, plan.k);
  if (plan.needs_traced && plan.traced.lanes != nullptr) traced_integers.resize(plan.traced, plan.side, rows, plan.k);
}

void PackedRows::pack(const PassOperand& operand, const PackPlan& plan, const Lowering& lowering, std::int64_t i, std::int64_t n) {
  std::vector<std::int64_t> elements(static_cast<std::size_t>(plan.k));
  for (std::int64_t row = i; row < i + n; ++row) {
    if (plan.side == ProductRows::Side::a) lowering.a_row(group, first + row, elements);
    else lowering.b_row(group, first + row, elements);
    pack_row(operand, plan, row, elements);
  }
}

void PackedRows::pack_row(const PassOperand& operand, const PackPlan& plan, std::int64_t i, std::span<const std::int64_t> elements) {
  const auto k = static_cast<std::size_t>(plan.k);
  const std::size_t at = static_cast<std::size_t>(i) * k;
  const auto element = std::find_if(elements.begin(), elements.end(), [](std::int64_t e) { return e != Lowering::hole; });
  if (element != elements.end()) dataset_scale[static_cast<std::size_t>(i)] = operand.tensor->scale_of(*element);
  if (operand.blocks != nullptr) {
    std::vector<double> values;
    std::vector<double> parts;
    std::vector<double> scales;
    operand.blocks->quantize_row(elements, values, parts, scales);
    std::copy(values.begin(), values.end(), seen.begin() + static_cast<std::ptrdiff_t>(at));
    std::copy(parts.begin(), parts.end(), block_elements.begin() + static_cast<std::ptrdiff_t>(at));
    std::copy(scales.begin(), scales.end(),
              block_scales.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(i) * scales.size()));
    if (plan.exact)
      std::transform(values.begin(), values.end(), seen_exact.begin() + static_cast<std::ptrdiff_t>(at),
                     formats::from_double<formats::Wide>);
  } else if (plan.exact) {
    gather(*operand.seen, elements, seen_exact.data() + at);
  } else {
    gather(*operand.seen, elements, seen.data() + at);
  }
  if (!operand.quantized) return;
  if (plan.exact) gather(operand.tensor->values, elements, traced_exact.data() + at);
  else gather(operand.tensor->values, elements, traced.data() + at);
}

void PackedRows::pack_integers(const PassOperand& operand, const PackPlan& plan, std::int64_t i, std::int64_t n) {
  if (plan.exact) return;
  const auto k = static_cast<std::size_t>(plan.k);
  const auto row_of = [k](const PackedNumbers& numbers, std::int64_t row) {
    return std::span<const double>(numbers.data() + static_cast<std::size_t>(row) * k, k);
  };
  for (std::int64_t row = i; row < i + n; ++row) {
    if (plan.seen.lanes != nullptr) seen_integers.pack(row, row_of(seen, row));
    if (plan.needs_traced && plan.traced.lanes != nullptr) traced_integers.pack(row, row_of(operand.quantized ? traced : seen, row));
  }
}

}  // namespace accsim::sim
