#include "sim/online/level.h"

#include <algorithm>

namespace accsim::sim::online {

OperandShape operand_shape(const Operand& operand, int bits) {
  const formats::FixedFormat& format = *operand.format->as_fixed();
  if (bits != 0) return {bits, true, format.fraction_bits};
  return {format.width, format.is_signed, format.fraction_bits};
}

Unit unit_for(const Level& level, const OperandShape& a, const OperandShape& b, std::int64_t terms) {
  const int per_digit = bits_per_digit(level.radix);
  return {.radix = level.radix,
          .multiplier = level.multiplier,
          .terms = terms,
          .a_digits = (a.bits + per_digit - 1) / per_digit,
          .b_digits = (b.bits + per_digit - 1) / per_digit};
}

int kept_digits(const Level& level, const Unit& unit) {
  return std::min(level.digits.value_or(unit.result_digits()), unit.result_digits());
}

std::optional<std::int64_t> cycles_of_output(const Datapath& datapath, int a_bits, int b_bits, std::int64_t k) {
  const Level& level = datapath.levels.front();
  if (level.kind != LevelKind::online || k < 1) return std::nullopt;
  // A short last vector takes its way through the same unit, zeros in place of the terms that it lacks.
  const std::int64_t terms = datapath.levels.size() == 1 ? k : std::min(k, level.terms.value_or(k));
  const Unit unit = unit_for(level, operand_shape(datapath.a, a_bits), operand_shape(datapath.b, b_bits), terms);
  const int kept = kept_digits(level, unit);
  const std::int64_t vectors_before = (k + terms - 1) / terms - 1;
  return vectors_before * unit.interval(kept) + unit.cycles(kept);
}

bool early_detection_is_exact(const Datapath& datapath) {
  return datapath.levels.front().kind == LevelKind::online && datapath.levels.size() == 1 && !datapath.accumulator.last;
}

std::optional<std::int64_t> saved_cycles(const Datapath& datapath, std::int64_t saved) {
  return early_detection_is_exact(datapath) ? std::optional(saved) : std::nullopt;
}

OnlineLevel::OnlineLevel(const Datapath& datapath, int a_bits, int b_bits)
    : level_(datapath.levels.front()),
      detects_(early_detection_is_exact(datapath)),
      a_shape_(operand_shape(datapath.a, a_bits)),
      b_shape_(operand_shape(datapath.b, b_bits)) {}

void OnlineLevel::start_output() {
  a_.clear();
  b_.clear();
}

InnerProduct& OnlineLevel::unit(std::int64_t terms) {
  for (InnerProduct& unit : units_) {
    if (unit.unit().terms == terms) return unit;
  }
  return units_.emplace_back(unit_for(level_, a_shape_, b_shape_, terms));
}

OnlineLevel::Scaled OnlineLevel::run(std::size_t first, std::size_t count) {
  InnerProduct& inner_product = unit(static_cast<std::int64_t>(count));
  const Unit& shape = inner_product.unit();
  const int kept = kept_digits(level_, shape);
  const Stream stream = run_inner_product(inner_product, std::span(a_).subspan(first, count), std::span(b_).subspan(first, count),
                                          a_shape_.is_signed, b_shape_.is_signed, kept);
  if (detects_ && stream.end_cycle != 0) saved_cycles_ += stream.cycles - stream.end_cycle;
  const int dropped = bits_per_digit(shape.radix) * (shape.result_digits() - kept);
  return {stream.value, dropped - a_shape_.fraction_bits - b_shape_.fraction_bits};
}

}  // namespace accsim::sim::online
