// Writing datapath TOML, defaults filled in.
#include "sim/datapath_keys.h"
#include "sim/datapath_toml.h"
#include "sim/toml_writer.h"

namespace accsim::sim {
namespace {

using formats::Format;
using formats::RoundingSpec;

void write_operand(TomlWriter& w, const std::string& key, const Operand& o) {
  w.string(key, o.block ? spelling(*o.block) : o.format ? o.format->name : "as_traced");
  if (o.is_as_traced()) return;
  w.rounding(o.rounding, o.block ? o.block->element : *o.format, key + "_");
  if (o.scale == ScaleRule::number) w.line(key + "_scale", number(o.scale_number));
  else w.string(key + "_scale", scale_names[static_cast<std::size_t>(o.scale)]);
}

/// One number as itself, several as an array.
std::string list_of(const std::vector<int>& numbers) {
  std::string list;
  for (const int n : numbers) list += (list.empty() ? "" : ", ") + std::to_string(n);
  return numbers.size() == 1 ? list : "[" + list + "]";
}

void write_level(TomlWriter& w, const Level& l) {
  w.string("kind", level_kind_names[static_cast<std::size_t>(l.kind)]);
  if (l.terms) w.line("terms", std::to_string(*l.terms));
  if (l.issues) w.line("issues", std::to_string(*l.issues));
  w.string("format", l.format.name);
  if (l.round_to) w.string("round_to", l.round_to->name);
  w.rounding(l.rounding, l.rounded_format());
  const auto boolean = [](bool value) { return value ? "true" : "false"; };
  switch (l.kind) {
    case LevelKind::sequential:
    case LevelKind::sorted: break;
    case LevelKind::tree: w.line("fan_in", std::to_string(l.fan_in)); break;
    case LevelKind::interleaved:
      w.line("ways", std::to_string(l.ways));
      w.string("combine", combine_names[static_cast<std::size_t>(l.combine)]);
      break;
    case LevelKind::fused_sum:
      w.line("fraction_bits", std::to_string(l.fraction_bits));
      w.string("align", align_names[static_cast<std::size_t>(l.align)]);
      w.line("with_accumulator", boolean(l.with_accumulator));
      if (l.zero_exponent) w.line("zero_exponent", std::to_string(*l.zero_exponent));
      if (l.zero_operand_exponent) w.line("zero_operand_exponent", std::to_string(*l.zero_operand_exponent));
      w.line("normalize_products", boolean(l.normalize_products));
      break;
    case LevelKind::scaled_sum:
      w.line("group", std::to_string(l.group));
      w.line("fraction_bits", std::to_string(l.fraction_bits));
      w.string("align", align_names[static_cast<std::size_t>(l.align)]);
      w.line("with_accumulator", boolean(l.with_accumulator));
      if (l.zero_exponent) w.line("zero_exponent", std::to_string(*l.zero_exponent));
      break;
    case LevelKind::staged_sum:
      w.line("fraction_bits", std::to_string(l.fraction_bits));
      w.string("align", align_names[static_cast<std::size_t>(l.align)]);
      if (l.zero_operand_exponent) w.line("zero_operand_exponent", std::to_string(*l.zero_operand_exponent));
      w.line("subsets", std::to_string(l.subsets));
      w.line("sum_fraction_bits", std::to_string(l.sum_fraction_bits));
      if (l.result_fraction_bits) w.line("result_fraction_bits", std::to_string(*l.result_fraction_bits));
      w.string("join_align", align_names[static_cast<std::size_t>(l.join_align)]);
      w.line("drop_far_accumulator", boolean(l.drop_far_accumulator));
      break;
    case LevelKind::ordered_sum:
      w.line("fraction_bits", list_of(l.addition_fraction_bits));
      w.line("product_integer_bits", std::to_string(l.product_integer_bits));
      w.line("sticky", boolean(l.sticky));
      if (!l.sticky) w.string("align", align_names[static_cast<std::size_t>(l.align)]);
      if (l.forget_sticky_below) w.line("forget_sticky_below", std::to_string(*l.forget_sticky_below));
      w.line("foresees_sign", boolean(l.foresees_sign));
      break;
    case LevelKind::exact:
      if (l.width) w.line("width", std::to_string(*l.width));
      if (l.lsb) w.line("lsb", std::to_string(*l.lsb));
      w.line("with_accumulator", boolean(l.with_accumulator));
      break;
    case LevelKind::exponent_bins: w.line("bin_width", std::to_string(l.bin_width)); break;
    case LevelKind::online:
      w.line("radix", std::to_string(l.radix));
      w.string("multiplier", online_multiplier_names[static_cast<std::size_t>(l.multiplier)]);
      if (l.digits) w.line("digits", std::to_string(*l.digits));
      break;
  }
}

void write_timing(TomlWriter& w, const Timing& t) {
  w.section("[timing]");
  w.line("input", std::to_string(t.input));
  w.line("multiplier", std::to_string(t.multiplier));
  w.line("adder", list_of(t.adder));
  w.line("output", std::to_string(t.output));
  w.string("feedback", feedback_names[static_cast<std::size_t>(t.feedback)]);
  if (t.interval) w.line("interval", std::to_string(*t.interval));
  if (t.elastic) w.line("elastic", "true");
}

}  // namespace

std::span<const std::string_view> level_keys(LevelKind kind) {
  using Keys = std::vector<std::string_view>;
  static const Keys sequential = {};
  static const Keys tree = {"issues", "fan_in"};
  static const Keys interleaved = {"ways", "combine"};
  static const Keys fused_sum = {
      "issues", "fraction_bits", "align", "with_accumulator", "zero_exponent", "zero_operand_exponent", "normalize_products"};
  static const Keys staged_sum = {
      "issues",     "fraction_bits",       "align", "zero_operand_exponent", "subsets", "sum_fraction_bits", "result_fraction_bits",
      "join_align", "drop_far_accumulator"};
  static const Keys scaled_sum = {"issues", "group", "fraction_bits", "align", "with_accumulator", "zero_exponent"};
  static const Keys ordered_sum = {"issues", "fraction_bits",       "product_integer_bits", "sticky",
                                   "align",  "forget_sticky_below", "foresees_sign"};
  static const Keys exact = {"issues", "width", "lsb", "with_accumulator"};
  static const Keys exponent_bins = {"issues", "bin_width"};
  static const Keys sorted = {"issues"};
  static const Keys online = {"radix", "multiplier", "digits"};
  switch (kind) {
    case LevelKind::sequential: return sequential;
    case LevelKind::tree: return tree;
    case LevelKind::interleaved: return interleaved;
    case LevelKind::fused_sum: return fused_sum;
    case LevelKind::staged_sum: return staged_sum;
    case LevelKind::scaled_sum: return scaled_sum;
    case LevelKind::ordered_sum: return ordered_sum;
    case LevelKind::exact: return exact;
    case LevelKind::exponent_bins: return exponent_bins;
    case LevelKind::sorted: return sorted;
    case LevelKind::online: return online;
  }
  return {};
}

std::string to_toml(const Datapath& d) {
  TomlWriter w;
  w.line("accsim", "1");
  w.string("name", d.name);
  w.string("source", d.source);
  w.section("[operands]");
  write_operand(w, "a", d.a);
  write_operand(w, "b", d.b);
  if (d.flush_subnormals) w.line("flush_subnormals", "true");
  w.section("[product]");
  w.string("format", d.product.format ? d.product.format->name : "exact");
  if (d.product.format) w.rounding(d.product.rounding, *d.product.format);
  if (d.product.range) w.string("range", d.product.range->name);
  if (!d.product.permute.empty()) {
    std::string list;
    for (const std::int64_t i : d.product.permute) list += (list.empty() ? "" : ", ") + std::to_string(i);
    w.line("permute", "[" + list + "]");
  }
  for (const Level& level : d.levels) {
    w.section("[[reduction]]");
    write_level(w, level);
  }
  w.section("[accumulator]");
  w.string("initial", d.accumulator.last ? "last" : "first");
  if (d.accumulator.level) w.line("level", std::to_string(*d.accumulator.level));
  if (d.accumulator.flush_subnormals) w.line("flush_subnormals", "true");
  w.string("format", d.accumulator_format().name);
  w.rounding(d.accumulator_rounding(), d.accumulator_format());
  if (d.accumulator.nan_is_all_ones) w.string("nan", "all_ones");
  if (d.tininess != Tininess::after) w.string("tininess", tininess_names[static_cast<std::size_t>(d.tininess)]);
  if (d.output.format) {
    w.section("[output]");
    w.string("format", d.output.format->name);
    w.rounding(d.output.rounding, *d.output.format);
    w.line("shift", std::to_string(d.output.shift));
    if (d.output.sticky_bits) w.line("sticky_bits", std::to_string(*d.output.sticky_bits));
  }
  if (d.timing) write_timing(w, *d.timing);
  if (d.array) {
    w.section("[array]");
    w.line("rows", std::to_string(d.array->rows));
    w.line("cols", std::to_string(d.array->cols));
    w.string("dataflow", dataflow_names[static_cast<std::size_t>(d.array->dataflow)]);
  }
  return std::move(w).text();
}

}  // namespace accsim::sim
