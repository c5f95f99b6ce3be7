// What can and what cannot combine in a datapath.
#include <algorithm>

#include "formats/error.h"
#include "sim/datapath.h"
#include "sim/datapath_keys.h"

namespace accsim::sim {
namespace {

using formats::Format;
using formats::RoundingSpec;

void check_rounding(const std::string& where, const Format& format, const RoundingSpec& spec) {
  try {
    formats::check_combination(spec, format);
  } catch (const InputError& error) {
    throw error.inside(where);
  }
}

void check_level(const std::string& where, const Level& level) {
  if (level.kind != LevelKind::sequential) {
    throw InputError(where + ": kind", std::string(level_kind_names[static_cast<std::size_t>(level.kind)]) + ", which this version does not execute", "sequential");
  }
  check_rounding(where, level.rounded_format(), level.rounding);
  if (level.terms && *level.terms < 1) throw InputError(where + ": terms", std::to_string(*level.terms), "an integer of at least 1");
  if (level.issues && *level.issues < 1) throw InputError(where + ": issues", std::to_string(*level.issues), "an integer of at least 1");
  if (level.round_to) {
    const formats::Limits held = formats::limits(level.format);
    const formats::Limits rounded = formats::limits(*level.round_to);
    const bool both_float = level.format.as_float() != nullptr && level.round_to->as_float() != nullptr;
    const bool both_fixed = level.format.as_fixed() != nullptr && level.round_to->as_fixed() != nullptr;
    if (!(both_float || both_fixed) || rounded.precision > held.precision || rounded.lsb_exponent < held.lsb_exponent ||
        compare_magnitude(rounded.max_finite, held.max_finite) > 0) {
      throw InputError(where + ": round_to", level.round_to->name + " held in " + level.format.name, "a format whose values `format` has");
    }
  }
}

void check_permutation(const std::vector<std::int64_t>& permute) {
  std::vector<bool> seen(permute.size(), false);
  for (const std::int64_t i : permute) {
    if (i < 0 || i >= static_cast<std::int64_t>(permute.size()) || seen[static_cast<std::size_t>(i)]) {
      throw InputError("product: permute", "entry " + std::to_string(i), "each of 0.." + std::to_string(permute.size() - 1) + " once");
    }
    seen[static_cast<std::size_t>(i)] = true;
  }
}

void check_operand(const std::string& where, const Operand& operand) {
  if (operand.format) check_rounding(where, *operand.format, operand.rounding);
  if (operand.scale == ScaleRule::number && !(operand.scale_number > 0 && operand.scale_number <= 1.7976931348623157e308)) {
    throw InputError(where + "_scale", std::to_string(operand.scale_number), "\"one\", \"amax\", \"amax_pow2\" or a positive finite number");
  }
  if (!operand.format && operand.scale != ScaleRule::one) {
    throw InputError(where + "_scale", "a scale for an operand that is taken as traced", "a format for the operand, or no scale");
  }
}

bool shares_a_generator(const RoundingSpec& spec) {
  return spec.mode == formats::Rounding::sr && spec.stochastic.lfsr && spec.stochastic.lfsr->share == formats::LfsrShare::array;
}

}  // namespace

void check_datapath(const Datapath& d) {
  if (d.levels.empty()) throw InputError("reduction", "no level", "at least one [[reduction]]");
  if (d.levels.size() > max_levels) throw InputError("reduction", std::to_string(d.levels.size()) + " levels", "at most 11");
  check_operand("operands: a", d.a);
  check_operand("operands: b", d.b);
  if (d.product.format) check_rounding("product", *d.product.format, d.product.rounding);
  check_permutation(d.product.permute);
  for (std::size_t i = 0; i < d.levels.size(); ++i) check_level("reduction." + std::to_string(i), d.levels[i]);
  if (d.accumulator.format || d.accumulator.rounding) check_rounding("accumulator", d.accumulator_format(), d.accumulator_rounding());
  if (d.output.format) check_rounding("output", *d.output.format, d.output.rounding);
  if (!d.output.format && d.output.shift != 0) throw InputError("output: shift", std::to_string(d.output.shift), "an output format beside it");
  if (std::abs(d.output.shift) > 1 << 14) throw InputError("output: shift", std::to_string(d.output.shift), "-16384..16384");
}

std::vector<std::int64_t> term_order(const Datapath& d, std::int64_t k) {
  std::vector<std::int64_t> order;
  order.reserve(static_cast<std::size_t>(k));
  const std::vector<std::int64_t>& permute = d.product.permute;
  const std::int64_t period = permute.empty() ? 1 : static_cast<std::int64_t>(permute.size());
  for (std::int64_t start = 0; start < k; start += period) {
    for (std::int64_t i = 0; i < period; ++i) {
      const std::int64_t pair = start + (permute.empty() ? 0 : permute[static_cast<std::size_t>(i)]);
      if (pair < k) order.push_back(pair);
    }
  }
  return order;
}

bool needs_output_order(const Datapath& d) {
  return (d.product.format && shares_a_generator(d.product.rounding)) || shares_a_generator(d.accumulator_rounding()) ||
         (d.output.format && shares_a_generator(d.output.rounding)) ||
         std::any_of(d.levels.begin(), d.levels.end(), [](const Level& level) { return shares_a_generator(level.rounding); });
}

}  // namespace accsim::sim
