// Reading datapath TOML: every key known, every type checked, every message with its place.
#include "sim/datapath_toml.h"

#include <toml++/toml.h>

#include <array>
#include <cmath>
#include <filesystem>

#include "formats/error.h"
#include "formats/text.h"
#include "sim/datapath_keys.h"
#include "sim/toml_table.h"

namespace accsim::sim {
namespace {

using formats::Format;
using formats::RoundingSpec;

Operand read_operand(const Table& t, const std::string& key) {
  Operand o;
  const auto spelled = t.text(key);
  if (spelled && formats::is_block_format(*spelled)) {
    o.block = t.at(key, [&] { return formats::parse_block_format(*spelled); });
    o.rounding = o.block->rounding;
  } else {
    o.format = t.format(key, "as_traced");
  }
  o.rounding = t.rounding(o.rounding, key + "_");
  o.scale = o.format && o.format->as_fixed() != nullptr ? ScaleRule::amax : ScaleRule::one;
  const std::string scale = key + "_scale";
  if (const toml::node* node = t.node(scale)) {
    if (node->is_string()) {
      o.scale = *t.choice<ScaleRule>(scale, scale_names);
    } else if (node->is_number()) {
      o.scale = ScaleRule::number;
      o.scale_number = *node->value<double>();
    } else {
      t.wrong_type(scale, *node, "\"one\", \"amax\", \"amax_pow2\" or a number");
    }
  }
  return o;
}

Product read_product(const Table& t) {
  Product p;
  p.format = t.format("format", "exact");
  p.rounding = t.rounding(p.rounding);
  p.range = t.format("range");
  if (const toml::node* node = t.node("permute")) {
    if (!node->is_array()) t.wrong_type("permute", *node, "an array of integers");
    for (const toml::node& entry : *node->as_array()) {
      if (!entry.is_integer()) t.wrong_type("permute", entry, "integers in the array");
      p.permute.push_back(**entry.as_integer());
    }
  }
  return p;
}

/// `fraction_bits` of an ordered sum: one number, or one for each addition.
std::vector<int> read_addition_fraction_bits(const Table& t) {
  constexpr std::int64_t most = 1 << 14;
  const toml::node* node = t.node("fraction_bits");
  if (node == nullptr) return {};
  if (!node->is_array()) return {static_cast<int>(*t.integer("fraction_bits", 0, most))};
  std::vector<int> bits;
  for (const toml::node& entry : *node->as_array()) {
    if (!entry.is_integer() || **entry.as_integer() < 0 || **entry.as_integer() > most)
      t.wrong_type("fraction_bits", entry, "integers from 0 to 16384 in the array");
    bits.push_back(static_cast<int>(**entry.as_integer()));
  }
  return bits;
}

Level read_level(const Table& t) {
  constexpr std::int64_t many = std::int64_t{1} << 62;
  Level l;
  const auto kind = t.choice<LevelKind>("kind", level_kind_names);
  if (!kind) throw InputError(t.place("kind"), "no kind", "a level's kind: sequential, tree, ...");
  l.kind = *kind;
  std::vector<std::string_view> keys(common_level_keys.begin(), common_level_keys.end());
  keys.insert(keys.end(), level_keys(l.kind).begin(), level_keys(l.kind).end());
  t.accept_only(keys, " for kind " + std::string(level_kind_names[static_cast<std::size_t>(l.kind)]));
  const auto format = t.format("format");
  if (!format) throw InputError(t.place("format"), "no format", "the level's format");
  l.format = *format;
  l.terms = t.integer("terms", 1, many);
  l.issues = t.integer("issues", 1, many);
  l.round_to = t.format("round_to");
  l.rounding = t.rounding(l.rounding);
  l.fan_in = static_cast<int>(t.integer("fan_in", 2, 1 << 20).value_or(2));
  l.ways = t.integer("ways", 1, 1 << 20).value_or(0);
  if (const auto combine = t.choice<Combine>("combine", combine_names)) l.combine = *combine;
  if (l.kind == LevelKind::ordered_sum) l.addition_fraction_bits = read_addition_fraction_bits(t);
  else l.fraction_bits = static_cast<int>(t.integer("fraction_bits", 0, 1 << 14).value_or(-1));
  if (const auto align = t.choice<Align>("align", align_names)) l.align = *align;
  l.with_accumulator = t.boolean("with_accumulator").value_or(false);
  if (const auto e = t.integer("zero_exponent", -(1 << 20), 1 << 20)) l.zero_exponent = static_cast<int>(*e);
  if (const auto e = t.integer("zero_operand_exponent", -(1 << 20), 1 << 20)) l.zero_operand_exponent = static_cast<int>(*e);
  l.normalize_products = t.boolean("normalize_products").value_or(false);
  l.product_integer_bits = static_cast<int>(t.integer("product_integer_bits", 1, 2).value_or(2));
  l.sticky = t.boolean("sticky").value_or(true);
  if (const auto bits = t.integer("forget_sticky_below", 1, 1 << 14)) l.forget_sticky_below = static_cast<int>(*bits);
  l.foresees_sign = t.boolean("foresees_sign").value_or(false);
  l.group = t.integer("group", 1, 1 << 20).value_or(0);
  l.subsets = static_cast<int>(t.integer("subsets", 1, 1 << 20).value_or(1));
  l.sum_fraction_bits = static_cast<int>(t.integer("sum_fraction_bits", 0, 1 << 14).value_or(-1));
  if (const auto f = t.integer("result_fraction_bits", 0, 1 << 14)) l.result_fraction_bits = static_cast<int>(*f);
  if (const auto align = t.choice<Align>("join_align", align_names)) l.join_align = *align;
  l.drop_far_accumulator = t.boolean("drop_far_accumulator").value_or(false);
  if (const auto w = t.integer("width", 1, 1 << 20)) l.width = static_cast<int>(*w);
  if (const auto e = t.integer("lsb", -(1 << 20), 1 << 20)) l.lsb = static_cast<int>(*e);
  if (t.has("radix")) l.radix = static_cast<int>(*t.integer("radix", 2, 4));
  if (const auto m = t.choice<OnlineMultiplier>("multiplier", online_multiplier_names)) l.multiplier = *m;
  if (const auto n = t.integer("digits", 1, 1 << 20)) l.digits = static_cast<int>(*n);
  l.bin_width = static_cast<int>(t.integer("bin_width", 1, 128).value_or(0));
  return l;
}

constexpr std::int64_t most_cycles = 256;

Timing read_timing(const Table& t, const std::vector<Level>& levels) {
  t.accept_only(timing_keys, "");
  Timing timing;
  timing.input = static_cast<int>(t.integer("input", 0, most_cycles).value_or(0));
  timing.multiplier = static_cast<int>(t.integer("multiplier", 0, most_cycles).value_or(0));
  timing.output = static_cast<int>(t.integer("output", 0, most_cycles).value_or(0));
  timing.interval = t.integer("interval", 1, 1 << 20);
  timing.elastic = t.boolean("elastic").value_or(false);
  const toml::node* adder = t.node("adder");
  if (adder != nullptr && adder->is_array()) {
    timing.adder.clear();
    for (const toml::node& entry : *adder->as_array()) {
      if (!entry.is_integer() || **entry.as_integer() < 1 || **entry.as_integer() > most_cycles)
        t.wrong_type("adder", entry, "integers from 1 to 256 in the array");
      timing.adder.push_back(static_cast<int>(**entry.as_integer()));
    }
  } else {
    timing.adder = {static_cast<int>(t.integer("adder", 1, most_cycles).value_or(1))};
  }
  const bool interleaves = std::any_of(levels.begin(), levels.end(), [](const Level& l) { return l.kind == LevelKind::interleaved; });
  timing.feedback = t.choice<Feedback>("feedback", feedback_names).value_or(interleaves ? Feedback::interleave : Feedback::stall);
  return timing;
}

Array read_array(const Table& t) {
  t.accept_only(array_keys, "");
  Array array;
  for (const auto& [key, extent] : {std::pair{"rows", &array.rows}, std::pair{"cols", &array.cols}}) {
    const auto value = t.integer(key, 1, 1 << 16);
    if (!value) throw InputError(t.place(key), "none given", "the array's " + std::string(key) + ", from 1 to 65536");
    *extent = *value;
  }
  array.dataflow = t.choice<Dataflow>("dataflow", dataflow_names).value_or(Dataflow::os);
  return array;
}

Datapath read_datapath(const toml::table& root) {
  const Table top(root, "");
  top.accept_only(top_keys, "");
  (void)top.integer("accsim", 1, 1);
  Datapath d;
  d.name = top.text("name").value_or("");
  d.source = top.text("source").value_or("");
  const Table operands(subtable(root, "operands"), "operands");
  operands.accept_only(operand_keys, "");
  d.a = read_operand(operands, "a");
  d.b = read_operand(operands, "b");
  d.flush_subnormals = operands.boolean("flush_subnormals").value_or(false);
  const Table product(subtable(root, "product"), "product");
  product.accept_only(product_keys, "");
  d.product = read_product(product);
  const toml::node* reduction = root.get("reduction");
  if (reduction != nullptr && !reduction->is_array_of_tables()) throw InputError("reduction", "not an array of tables", "[[reduction]]");
  if (reduction != nullptr) {
    std::size_t i = 0;
    for (const toml::node& level : *reduction->as_array()) {
      d.levels.push_back(read_level(Table(*level.as_table(), "reduction." + std::to_string(i++))));
    }
  }
  const Table accumulator(subtable(root, "accumulator"), "accumulator");
  accumulator.accept_only(accumulator_keys, "");
  if (const auto initial = accumulator.choice<int>("initial", std::array<std::string_view, 2>{"first", "last"}))
    d.accumulator.last = *initial == 1;
  if (const auto level = accumulator.integer("level", 0, max_levels - 1)) d.accumulator.level = static_cast<std::size_t>(*level);
  d.accumulator.flush_subnormals = accumulator.boolean("flush_subnormals").value_or(false);
  d.accumulator.format = accumulator.format("format");
  if (accumulator.has("rounding") || accumulator.has("overflow") || accumulator.has("underflow"))
    d.accumulator.rounding = accumulator.rounding({});
  d.accumulator.nan_is_all_ones = accumulator.choice<int>("nan", std::array<std::string_view, 2>{"canonical", "all_ones"}).value_or(0) == 1;
  d.tininess = accumulator.choice<Tininess>("tininess", tininess_names).value_or(Tininess::after);
  const Table output(subtable(root, "output"), "output");
  output.accept_only(output_keys, "");
  d.output.format = output.format("format");
  if (!d.output.format && root.contains("output") && !d.levels.empty()) d.output.format = d.levels.back().format;
  d.output.rounding = output.rounding({});
  d.output.shift = static_cast<int>(output.integer("shift", -(1 << 14), 1 << 14).value_or(0));
  if (const auto bits = output.integer("sticky_bits", 0, 1 << 14)) d.output.sticky_bits = static_cast<int>(*bits);
  if (root.contains("timing")) d.timing = read_timing(Table(subtable(root, "timing"), "timing"), d.levels);
  if (root.contains("array")) d.array = read_array(Table(subtable(root, "array"), "array"));
  return d;
}

/// A value of --set: TOML where it parses as one value, else a plain string (nan is an overflow mode, not a number).
void insert_value(toml::table& table, const std::string& key, const std::string& text) {
  if (text.find_first_of("\r\n") != std::string::npos) throw InputError("--set " + key, "a line break", "KEY=VALUE on one line");
  try {
    const toml::table parsed = toml::parse("value = " + text);
    const toml::node& value = *parsed.get("value");
    const bool is_a_number = !value.is_floating_point() || std::isfinite(**value.as_floating_point());
    if (is_a_number) {
      table.insert_or_assign(key, value);
      return;
    }
  } catch (const toml::parse_error&) {
    // not TOML, so a bare word
  }
  table.insert_or_assign(key, text);
}

void apply_set(toml::table& root, const std::string& assignment) {
  const std::size_t equals = assignment.find('=');
  const std::string where = "--set " + assignment;
  if (equals == std::string::npos || equals == 0) throw InputError(where, "no KEY=VALUE", "for example reduction.0.format=e5m10");
  const std::vector<std::string> path = split(assignment.substr(0, equals), '.');
  toml::table* table = &root;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    if (table->get(path[i]) == nullptr && path[i] != "reduction") table->insert(path[i], toml::table{});
    toml::node* node = table->get(path[i]);
    if (node != nullptr && node->is_array() && i + 2 < path.size()) {
      const auto index = parse_integer(path[++i]);
      toml::array& array = *node->as_array();
      if (!index || *index < 0 || *index >= static_cast<std::int64_t>(array.size())) {
        throw InputError(where, path[i - 1] + "." + path[i], "the index of one of its " + std::to_string(array.size()) + " levels");
      }
      node = array.get(static_cast<std::size_t>(*index));
    }
    if (node == nullptr || !node->is_table())
      throw InputError(where, "no table " + path[i], "a key of the datapath's TOML, as `accsim show` prints it");
    table = node->as_table();
  }
  insert_value(*table, path.back(), assignment.substr(equals + 1));
}

/// The levels, where they are what they should be; reading the datapath says what is wrong with them otherwise.
std::vector<toml::table*> level_tables(toml::table& root) {
  std::vector<toml::table*> levels;
  toml::array* array = root.get("reduction") != nullptr ? root.get("reduction")->as_array() : nullptr;
  if (array == nullptr || !array->is_array_of_tables()) return levels;
  for (toml::node& level : *array) levels.push_back(level.as_table());
  return levels;
}

void apply_overrides(toml::table& root, const DatapathOverrides& o) {
  const auto assign = [&](std::string_view table, std::string_view key, const std::optional<std::string>& value) {
    if (!value) return;
    if (root.get(table) == nullptr) root.insert(table, toml::table{});
    if (root.get(table)->is_table()) root.get(table)->as_table()->insert_or_assign(key, *value);
  };
  assign("operands", "a", o.in_a);
  assign("operands", "b", o.in_b);
  assign("product", "format", o.product);
  for (toml::table* level : level_tables(root)) {
    if (o.rounding) level->insert_or_assign("rounding", *o.rounding);
    if (o.overflow) level->insert_or_assign("overflow", *o.overflow);
  }
  if (o.chunk) {
    if (level_tables(root).size() == 1) {
      const toml::table copy = *level_tables(root).front();
      root.get("reduction")->as_array()->push_back(copy);
    }
    if (!level_tables(root).empty()) level_tables(root).front()->insert_or_assign("terms", *o.chunk);
  }
  for (const std::string& assignment : o.set) apply_set(root, assignment);
}

}  // namespace

Datapath parse_datapath(std::string_view text, const std::string& where, const DatapathOverrides& overrides) {
  try {
    toml::table root = toml::parse(text);
    apply_overrides(root, overrides);
    Datapath d = read_datapath(root);
    check_datapath(d);
    return d;
  } catch (const toml::parse_error& error) {
    const auto& at = error.source().begin;
    throw InputError(where + ", line " + std::to_string(at.line), std::string(error.description()), "TOML 1.0");
  } catch (const InputError& error) {
    throw error.inside(where);
  }
}

Datapath find_datapath(const std::string& acc, const DatapathOverrides& overrides) {
  const std::string lower = lower_case(acc);
  std::vector<std::string> names;
  for (const BuiltinDatapath& builtin : builtin_datapaths()) {
    if (builtin.name == lower) return parse_datapath(builtin.toml, "datapath \"" + lower + "\"", overrides);
    names.emplace_back(builtin.name);
  }
  if (acc.ends_with(".toml") || acc.find('/') != std::string::npos) {
    if (!std::filesystem::exists(acc)) throw InputError(acc, "no such file", "a datapath's TOML file, a built-in datapath or a format");
    return parse_datapath(read_toml_file(acc, "a datapath's TOML file"), acc, overrides);
  }
  try {
    (void)formats::parse_format(acc);
  } catch (const InputError& error) {
    for (const formats::CatalogueRow& row : formats::catalogue()) {
      names.push_back(row.format.name);
      names.insert(names.end(), row.aliases.begin(), row.aliases.end());
    }
    if (!error.found().starts_with("unknown format")) throw;
    throw InputError(
        "--acc", "unknown \"" + acc + "\"",
        "a datapath of `accsim list datapaths`, a TOML file, or a format of `accsim list formats`" + nearest_names(lower, names));
  }
  const std::string text = "accsim = 1\nname = \"" + lower +
                           "\"\n[product]\nformat = \"exact\"\n[[reduction]]\nkind = \"sequential\"\nformat = \"" + lower + "\"\n";
  return parse_datapath(text, "format \"" + lower + "\"", overrides);
}

}  // namespace accsim::sim
