// What can and what cannot combine in a datapath.
#include <algorithm>

#include "formats/error.h"
#include "sim/datapath.h"
#include "sim/datapath_keys.h"
#include "sim/timing/schedule.h"

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

/// An accumulator in fixed point must reach what the alignment keeps.
void check_fused_sum(const std::string& where, const Level& level) {
  if (level.fraction_bits < 0)
    throw InputError(where + ": fraction_bits", "none given", "bits kept below the largest exponent, from 0 to 16384");
  const formats::FixedFormat* fixed = level.format.as_fixed();
  if (fixed != nullptr && level.with_accumulator && level.fraction_bits < fixed->width - 1) {
    throw InputError(where + ": fraction_bits",
                     std::to_string(level.fraction_bits) + ", which do not reach from the first to the last bit of the accumulator, " +
                         level.format.name,
                     "at least " + std::to_string(fixed->width - 1) + ", or a float as the format");
  }
}

void check_staged_sum(const std::string& where, const Level& level) {
  check_fused_sum(where, level);
  if (level.sum_fraction_bits < 0)
    throw InputError(where + ": sum_fraction_bits", "none given",
                     "bits of the products' sum kept below the largest exponent, from 0 to 16384");
  if (level.format.as_float() == nullptr) throw InputError(where + ": format", level.format.name, "a float format for kind staged_sum");
  if (level.terms && level.subsets > *level.terms)
    throw InputError(where + ": subsets", std::to_string(level.subsets) + " of " + std::to_string(*level.terms) + " terms",
                     "at most `terms`");
}

void check_scaled_sum(const std::string& where, const Level& level) {
  check_fused_sum(where, level);
  if (level.group < 1) throw InputError(where + ": group", "none given", "the products that are summed before their scales are applied");
  if (level.terms && *level.terms % level.group != 0) {
    throw InputError(where + ": group", std::to_string(level.group) + " with terms = " + std::to_string(*level.terms),
                     "a divisor of `terms`");
  }
}

/// The products of a group share their scales, so that these can be applied to their sum.
void check_scaled_groups(const Datapath& d) {
  for (std::size_t i = 1; i < d.levels.size(); ++i) {
    if (d.levels[i].kind == LevelKind::scaled_sum)
      throw InputError("reduction." + std::to_string(i) + ": kind", "scaled_sum, which sums products", "scaled_sum as the innermost level");
  }
  const Level& level = d.levels.front();
  if (level.kind != LevelKind::scaled_sum) return;
  if (d.product.format || !d.product.permute.empty())
    throw InputError("product", d.product.format ? "rounded products" : "permute", "exact products in order under kind = \"scaled_sum\"");
  for (const Operand* operand : {&d.a, &d.b}) {
    if (operand->block && operand->block->block % level.group != 0) {
      throw InputError("reduction.0: group", std::to_string(level.group) + " with blocks of " + std::to_string(operand->block->block),
                       "a divisor of the operands' blocks");
    }
  }
}

void check_ordered_sum(const std::string& where, const Level& level) {
  const std::vector<int>& bits = level.addition_fraction_bits;
  if (bits.empty())
    throw InputError(where + ": fraction_bits", "none given",
                     "bits kept below the largest exponent, from 0 to 16384: one number, or an array with one for each addition");
  if (level.terms && bits.size() > 1 && bits.size() != static_cast<std::size_t>(*level.terms)) {
    throw InputError(where + ": fraction_bits", std::to_string(bits.size()) + " numbers with terms = " + std::to_string(*level.terms),
                     "one number, or " + std::to_string(*level.terms) + ", since the accumulator is one more addend");
  }
  for (const Format* format : {&level.format, &level.rounded_format()}) {
    if (format->as_float() == nullptr) throw InputError(where + ": format", format->name, "a float format for kind ordered_sum");
  }
  if (level.forget_sticky_below && !level.sticky)
    throw InputError(where + ": forget_sticky_below", std::to_string(*level.forget_sticky_below) + " with sticky = false", "sticky = true");
}

/// Exponents of exact products are what an ordered sum goes by.
void check_ordered_products(const Datapath& d) {
  for (std::size_t i = 0; i < d.levels.size(); ++i) {
    if (d.levels[i].kind != LevelKind::ordered_sum) continue;
    if (i != 0)
      throw InputError("reduction." + std::to_string(i) + ": kind", "ordered_sum, which sums products",
                       "ordered_sum as the innermost level");
    if (d.product.format) throw InputError("product: format", d.product.format->name + " under kind ordered_sum", "\"exact\"");
  }
}

/// What only one kind asks for.
void check_kind(const std::string& where, const Level& level) {
  const bool has_accumulator = takes_accumulator(level);
  switch (level.kind) {
    case LevelKind::sequential:
    case LevelKind::tree:
    case LevelKind::sorted: break;
    case LevelKind::interleaved:
      if (level.ways < 1) throw InputError(where + ": ways", "none given", "an integer of at least 1");
      break;
    case LevelKind::fused_sum: check_fused_sum(where, level); break;
    case LevelKind::staged_sum: check_staged_sum(where, level); break;
    case LevelKind::scaled_sum: check_scaled_sum(where, level); break;
    case LevelKind::ordered_sum: check_ordered_sum(where, level); break;
    case LevelKind::exact:
      if (level.width.has_value() != level.lsb.has_value()) {
        throw InputError(where + (level.width ? ": lsb" : ": width"), "none given", "width and lsb together, or neither");
      }
      if (level.width && *level.width > 128)
        throw InputError(where + ": width", std::to_string(*level.width), "1 to 128 bits, or no width and lsb for an unbounded register");
      break;
    case LevelKind::exponent_bins:
      if (level.bin_width < 1) throw InputError(where + ": bin_width", "none given", "an integer of at least 1");
      break;
    case LevelKind::online:
      if (level.radix != 2 && level.radix != 4) throw InputError(where + ": radix", std::to_string(level.radix), "2 or 4");
      break;
  }
  if (has_accumulator && has_issues(level.kind) && !level.terms)
    throw InputError(where + ": terms", "none given", "the addends of one issue");
}

void check_level(const std::string& where, const Level& level) {
  if (level.zero_exponent && level.zero_operand_exponent)
    throw InputError(where + ": zero_operand_exponent", "given beside zero_exponent", "one of the two");
  check_rounding(where, level.rounded_format(), level.rounding);
  if (level.terms && *level.terms < 1) throw InputError(where + ": terms", std::to_string(*level.terms), "an integer of at least 1");
  if (level.issues && *level.issues < 1) throw InputError(where + ": issues", std::to_string(*level.issues), "an integer of at least 1");
  if (level.issues && !takes_accumulator(level)) {
    throw InputError(where + ": issues", std::to_string(*level.issues) + " without an accumulator to feed back",
                     "with_accumulator = true beside it, or no issues");
  }
  check_kind(where, level);
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

/// Online units take the digits of fixed-point operands, so nothing stands between these and them.
void check_online_level(const Datapath& d, std::size_t i) {
  const std::string where = "reduction." + std::to_string(i) + ": kind";
  if (i != 0) throw InputError(where, "online behind another level", "online as the innermost level, reduction.0, which takes operands");
  if (d.product.format) throw InputError("product: format", d.product.format->name + " with kind online", "\"exact\"");
  if (d.product.range) throw InputError("product: range", d.product.range->name + " with kind online", "no range");
  for (const Operand* operand : {&d.a, &d.b}) {
    const std::string name = operand == &d.a ? "operands: a" : "operands: b";
    if (!operand->format || operand->format->as_fixed() == nullptr) {
      throw InputError(name,
                       (operand->block    ? operand->block->name
                        : operand->format ? operand->format->name
                                          : std::string("as_traced")) +
                           " with kind online, whose units take the digits of integers",
                       "a fixed-point format such as int8");
    }
  }
  const int bits = d.a.format->as_fixed()->width + d.b.format->as_fixed()->width;
  if (bits > 64)
    throw InputError("operands", d.a.format->name + " and " + d.b.format->name + " with kind online", "at most 64 bits together");
}

/// The exact product of two fixed-point operands must fit what a fixed-point format can be, for any accumulator to hold it.
void check_product_width(const Datapath& d) {
  const formats::FixedFormat* a = d.a.format ? d.a.format->as_fixed() : nullptr;
  const formats::FixedFormat* b = d.b.format ? d.b.format->as_fixed() : nullptr;
  if (a == nullptr || b == nullptr || d.product.format || a->width + b->width <= 128) return;
  throw InputError("reduction.0: operands " + d.a.format->name + " and " + d.b.format->name,
                   "exact products of " + std::to_string(a->width + b->width) + " bits, which no fixed-point accumulator holds",
                   "operands of at most 128 bits together, or a [product] format");
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

bool has_generator(const RoundingSpec& spec, formats::LfsrShare share) {
  return spec.mode == formats::Rounding::sr && spec.stochastic.lfsr && spec.stochastic.lfsr->share == share;
}
bool shares_a_generator(const RoundingSpec& spec) { return has_generator(spec, formats::LfsrShare::array); }

/// Some rounding of an output has a generator of this kind.
bool outputs_have_generator(const Datapath& d, formats::LfsrShare share) {
  return (d.product.format && has_generator(d.product.rounding, share)) || has_generator(d.accumulator_rounding(), share) ||
         (d.output.format && has_generator(d.output.rounding, share)) ||
         std::any_of(d.levels.begin(), d.levels.end(), [&](const Level& level) { return has_generator(level.rounding, share); });
}

/// Block formats bring their own scales, and quantize an element anew for every row that takes it.
void check_block_operand(const std::string& where, const Operand& operand) {
  try {
    formats::check_combination(operand.block_format());
  } catch (const InputError& error) {
    throw error.inside(where);
  }
  if (operand.scale != ScaleRule::one)
    throw InputError(where + "_scale", "a scale beside those of the block format " + operand.block->name, "\"one\", or no scale");
  if (shares_a_generator(operand.rounding))
    throw InputError(where + "_rounding", "share=array with the block format " + operand.block->name, "rng=philox, or share=pe");
}

void check_operand(const std::string& where, const Operand& operand) {
  if (operand.block) {
    check_block_operand(where, operand);
    return;
  }
  if (operand.format) check_rounding(where, *operand.format, operand.rounding);
  if (operand.scale == ScaleRule::number && !(operand.scale_number > 0 && operand.scale_number <= 1.7976931348623157e308)) {
    throw InputError(where + "_scale", std::to_string(operand.scale_number),
                     "\"one\", \"amax\", \"amax_pow2\" or a positive finite number");
  }
  if (!operand.format && operand.scale != ScaleRule::one) {
    throw InputError(where + "_scale", "a scale for an operand that is taken as traced", "a format for the operand, or no scale");
  }
}

bool adds_two_at_a_time(const Level& level) {
  switch (level.kind) {
    case LevelKind::sequential:
    case LevelKind::interleaved:
    case LevelKind::sorted: return true;
    case LevelKind::tree: return level.fan_in == 2;
    case LevelKind::fused_sum:
    case LevelKind::staged_sum:
    case LevelKind::scaled_sum:
    case LevelKind::ordered_sum:
    case LevelKind::exact:
    case LevelKind::exponent_bins:
    case LevelKind::online: return false;
  }
  return false;
}

}  // namespace

void check_datapath(const Datapath& d) {
  if (d.levels.empty()) throw InputError("reduction", "no level", "at least one [[reduction]]");
  if (d.levels.size() > max_levels) throw InputError("reduction", std::to_string(d.levels.size()) + " levels", "at most 11");
  check_operand("operands: a", d.a);
  check_operand("operands: b", d.b);
  check_scaled_groups(d);
  check_ordered_products(d);
  if (d.flush_subnormals && (d.a.block || d.b.block))
    throw InputError("operands: flush_subnormals", "an operand in a block format", "operands with a scalar format, or as traced");
  if (d.product.range && (d.product.format || d.product.range->as_float() == nullptr)) {
    throw InputError("product: range", d.product.range->name + (d.product.format ? " beside a rounded product" : ""),
                     "a float format, with exact products");
  }
  if (d.product.format) check_rounding("product", *d.product.format, d.product.rounding);
  check_permutation(d.product.permute);
  check_product_width(d);
  formats::check_single_operand(d.a.rounding, "operands: a_rounding");
  formats::check_single_operand(d.b.rounding, "operands: b_rounding");
  formats::check_single_operand(d.product.rounding, "product: rounding");
  formats::check_single_operand(d.output.rounding, "output: rounding");
  for (std::size_t i = 0; i < d.levels.size(); ++i) {
    if (!adds_two_at_a_time(d.levels[i]))
      formats::check_single_operand(d.levels[i].rounding, "reduction." + std::to_string(i) + ": rounding");
  }
  for (std::size_t i = 0; i < d.levels.size(); ++i) {
    check_level("reduction." + std::to_string(i), d.levels[i]);
    if (d.levels[i].kind == LevelKind::online) check_online_level(d, i);
  }
  if (d.accumulator.level) {
    const std::size_t level = *d.accumulator.level;
    if (d.accumulator.last)
      throw InputError("accumulator: level", std::to_string(level) + " with initial = \"last\"", "initial = \"first\"");
    if (level >= d.levels.size() || !takes_accumulator(d.levels[level]))
      throw InputError("accumulator: level", std::to_string(level), "the index of a level that has an accumulator");
  }
  if (d.accumulator.format || d.accumulator.rounding) check_rounding("accumulator", d.accumulator_format(), d.accumulator_rounding());
  if (d.output.format) check_rounding("output", *d.output.format, d.output.rounding);
  if (d.output.sticky_bits && d.output.format->as_fixed() == nullptr)
    throw InputError("output: sticky_bits", "with format " + d.output.format->name, "a fixed-point format beside it, or no sticky_bits");
  if (std::abs(d.output.shift) > 1 << 14) throw InputError("output: shift", std::to_string(d.output.shift), "-16384..16384");
  if (d.has_cycles()) check_timing(d);
}

void check_takes_initial(const Datapath& d) {
  if (d.accumulator.last || d.accumulator_level().kind != LevelKind::online) return;
  throw InputError("accumulator: initial", "\"first\", but an online level has no accumulator that a bias could start",
                   "\"last\", or no bias in the accumulator");
}

bool has_issues(LevelKind kind) {
  switch (kind) {
    case LevelKind::sequential:
    case LevelKind::interleaved:
    case LevelKind::online: return false;
    case LevelKind::tree:
    case LevelKind::fused_sum:
    case LevelKind::staged_sum:
    case LevelKind::scaled_sum:
    case LevelKind::ordered_sum:
    case LevelKind::exact:
    case LevelKind::exponent_bins:
    case LevelKind::sorted: return true;
  }
  return false;
}

bool takes_accumulator(const Level& level) {
  switch (level.kind) {
    case LevelKind::sequential:
    case LevelKind::interleaved:
    case LevelKind::staged_sum:
    case LevelKind::ordered_sum: return true;
    case LevelKind::fused_sum:
    case LevelKind::scaled_sum:
    case LevelKind::exact: return level.with_accumulator;
    case LevelKind::tree:
    case LevelKind::exponent_bins:
    case LevelKind::sorted:
    case LevelKind::online: return false;
  }
  return false;
}

std::string_view matrix_unit_key(const Datapath& d) {
  if (d.flush_subnormals) return "[operands] flush_subnormals";
  if (d.product.range) return "[product] range";
  if (d.accumulator.flush_subnormals) return "[accumulator] flush_subnormals";
  const auto has_operand_exponent = [](const Level& level) { return level.zero_operand_exponent.has_value(); };
  if (std::any_of(d.levels.begin(), d.levels.end(), has_operand_exponent)) return "zero_operand_exponent";
  return {};
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

bool needs_output_order(const Datapath& d) { return outputs_have_generator(d, formats::LfsrShare::array); }

}  // namespace accsim::sim
