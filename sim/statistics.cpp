#include "sim/statistics.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace accsim::sim {

std::span<const StatisticRow> statistic_rows() {
  using enum StatisticGroup;
  using enum Merge;
  static constexpr std::array rows = {
      StatisticRow{events, "product_overflow", "roundings", sum, "products that left the finite range of the product's format"},
      StatisticRow{events, "product_underflow", "roundings", sum, "inexact products that became zero or lie below the smallest normal"},
      StatisticRow{events, "product_inexact", "roundings", sum, "products that are not delivered exactly"},
      StatisticRow{events, "sum_overflow", "roundings", sum, "sums that left the finite range of their level's format"},
      StatisticRow{events, "sum_underflow", "roundings", sum, "inexact sums that became zero or lie below the smallest normal"},
      StatisticRow{events, "sum_inexact", "roundings", sum, "sums that are not delivered exactly"},
      StatisticRow{events, "swamped", "roundings", sum, "nonzero addends that left a nonzero accumulator unchanged"},
      StatisticRow{events, "invalid", "roundings", sum, "NaN made from operands that were none, or lost in a format without NaN"},
      StatisticRow{events, "outputs_overflowed", "outputs", sum, "outputs with at least one product or sum overflow"},
      StatisticRow{events, "outputs_transient_overflow", "outputs", sum, "of those, the exact final sum fits the last level"},
      StatisticRow{events, "outputs_persistent_overflow", "outputs", sum, "of those, the exact final sum does not fit the last level"},
      StatisticRow{events, "nonfinite_outputs", "outputs", sum, "outputs that are infinite or NaN"},
      StatisticRow{events, "outputs_inexact", "outputs", sum, "outputs that are not the exact sum, converted as [output] says"},
      StatisticRow{error, "sndr_db", "dB", derived, "10 log10(Var(ref) / mean(e^2))"},
      StatisticRow{error, "snr_power_db", "dB", derived, "10 log10(mean(ref^2) / mean(e^2))"},
      StatisticRow{error, "csnr_db", "dB", derived, "10 log10(Var(ref) / Var(e))"},
      StatisticRow{error, "bias", "real units", derived, "mean of e = y - ref"},
      StatisticRow{error, "mse", "real units squared", derived, "mean of e^2"},
      StatisticRow{error, "rmse", "real units", derived, "square root of mse"},
      StatisticRow{error, "max_abs", "real units", maximum, "largest |e|"},
      StatisticRow{error, "max_ulp", "ulp", maximum, "largest |e| over the spacing of the last format at ref"},
      StatisticRow{error, "cosine", "", derived, "sum(y ref) / sqrt(sum(y^2) sum(ref^2))"},
      StatisticRow{quantization, "sqnr_db", "dB", derived, "signal from the unquantized operands over the noise of quantizing them"},
      StatisticRow{total, "sndr_db", "dB", derived, "signal from the unquantized operands over quantization and datapath together"},
      StatisticRow{range, "max_abs_product", "before scales", maximum, "largest magnitude of an exact product"},
      StatisticRow{range, "max_abs_partial", "before scales", maximum, "largest magnitude of an exact sum before its rounding"},
      StatisticRow{range, "max_abs_output", "before scales", maximum, "largest magnitude of an output"},
      StatisticRow{bits, "datatype_bound", "bits", maximum, "accumulator width that the operand types guarantee (K 2^(N-s) 2^(M-1))"},
      StatisticRow{bits, "l1_bound", "bits", maximum, "width that the L1 norm of each output channel's weights guarantees (A2Q)"},
      StatisticRow{bits, "range_bound", "bits", maximum, "width of the exact range over all inputs of the type (FINN, in integers)"},
      StatisticRow{bits, "observed", "bits", maximum, "two's complement width that held every exact prefix in the datapath's order"},
      StatisticRow{cycles, "per_output", "cycles", maximum,
                   "from the first operand digit until the last digit of an output is registered (online)"},
      StatisticRow{cycles, "saved", "cycles", sum, "that outputs known early to be negative need no more where a ReLU follows (online)"},
      StatisticRow{cycles, "total", "cycles", sum, "by the schedule of [timing] and [array], every fold drained before the next"},
      StatisticRow{cycles, "utilization", "", derived, "macs / (rows cols total)"},
      StatisticRow{cycles, "folds", "folds", sum, "pieces as large as the array; outputs, where there is none"},
      StatisticRow{cycles, "fold", "cycles", maximum, "of one fold"},
      StatisticRow{cycles, "fill", "cycles", maximum, "of a fold: loading weights, and until operands reach the last element"},
      StatisticRow{cycles, "drain", "cycles", maximum, "of a fold: until its results have left, after the last one is registered"},
      StatisticRow{cycles, "scale_sim", "cycles", sum, "as SCALE-Sim counts: elements of one cycle, os folds without their drain"},
  };
  return rows;
}

std::size_t statistic_index(StatisticGroup group, std::string_view name) {
  const std::span<const StatisticRow> rows = statistic_rows();
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const StatisticRow& r) { return r.group == group && r.name == name; });
  if (row == rows.end()) throw std::logic_error("no statistic " + std::string(name));
  return static_cast<std::size_t>(row - rows.begin());
}

std::string_view name_of(StatisticGroup group) {
  switch (group) {
    case StatisticGroup::events: return "events";
    case StatisticGroup::error: return "error";
    case StatisticGroup::quantization: return "quantization";
    case StatisticGroup::total: return "total";
    case StatisticGroup::range: return "range";
    case StatisticGroup::bits: return "bits";
    case StatisticGroup::cycles: return "cycles";
  }
  return "";
}

}  // namespace accsim::sim
