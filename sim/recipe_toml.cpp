// Reading and writing recipe TOML.
#include "sim/recipe_toml.h"

#include <cmath>

#include "sim/toml_table.h"
#include "sim/toml_writer.h"

namespace accsim::sim {
namespace {

constexpr std::array<std::string_view, 6> top_keys = {"accsim", "name", "source", "loss_scaling", "tensors", "passes"};
constexpr std::array<std::string_view, 18> quantizer_keys = {
    "format",       "rounding", "overflow", "underflow", "scale",   "value",      "range",     "history",    "steps",
    "steps_signed", "span",     "maximum",  "samples",   "through", "subnormals", "clamp_low", "clamp_high", "coefficients"};
constexpr std::array<std::string_view, 2> subnormal_names = {"as_rounding", "nearest"};
constexpr std::array<std::string_view, 2> maximum_names = {"magnitude", "signed"};

/// Clip coefficients: clip = c1 * rms + c2 * mean magnitude.
struct SawbRow {
  std::string_view name;
  int bits;  ///< 0: any
  double c1, c2;
  int unused_codes = 0;  ///< of the format
};
/// luq: LUQ's official code (OpenReview yTbNYYcopd). ibm: fms-model-optimizer, by width; ibm_old: its older 2-bit pair; ibm_102 (every
/// code, none of them 0), ibm_103 and ibm_403 (0 in the middle, so one code less): its code-book variants (sawb_utils.py,
/// sawb_params_code).
constexpr std::array<SawbRow, 10> sawb_rows = {{{"luq", 0, 12.1, -12.2},
                                                {"ibm", 2, 3.12, -2.064},
                                                {"ibm", 3, 7.509, -6.892},
                                                {"ibm", 4, 12.68, -12.80},
                                                {"ibm", 5, 17.74, -18.64},
                                                {"ibm", 8, 31.76, -35.04},
                                                {"ibm_old", 2, 3.212, -2.178},
                                                {"ibm_102", 0, 3.12, -2.064},
                                                {"ibm_103", 0, 2.6, -1.71, 1},
                                                {"ibm_403", 0, 12.035, -12.03, 1}}};

std::optional<double> read_number(const Table& t, std::string_view key) {
  const toml::node* node = t.node(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_number()) t.wrong_type(key, *node, "a number");
  const double value = *node->value<double>();
  if (!std::isfinite(value)) throw InputError(t.place(key), number(value), "a finite number");
  return value;
}

double read_positive(const Table& t, std::string_view key) {
  const auto value = read_number(t, key);
  if (!value) throw InputError(t.place(key), "missing", "a number above zero");
  if (*value <= 0) throw InputError(t.place(key), number(*value), "a number above zero");
  return *value;
}

void read_sawb(const Table& t, RoleQuantizer& q) {
  const toml::node* node = t.node("coefficients");
  const std::string accepted =
      "\"luq\", \"ibm\" (2, 3, 4, 5 or 8 bits), \"ibm_old\" (2 bits), \"ibm_102\", \"ibm_103\", \"ibm_403\" or [c1, c2]";
  if (node == nullptr) throw InputError(t.place("coefficients"), "missing", accepted);
  int unused_codes = 0;
  if (const toml::array* pair = node->as_array()) {
    if (pair->size() != 2 || !pair->get(0)->is_number() || !pair->get(1)->is_number()) t.wrong_type("coefficients", *node, accepted);
    q.c1 = *pair->get(0)->value<double>();
    q.c2 = *pair->get(1)->value<double>();
    for (const double c : {q.c1, q.c2}) {
      if (!std::isfinite(c)) throw InputError(t.place("coefficients"), number(c), "finite numbers");
    }
  } else {
    const std::string name = t.text("coefficients").value_or("");
    const int bits = code_bits(*q.operand.format);
    const auto row = std::find_if(sawb_rows.begin(), sawb_rows.end(),
                                  [&](const SawbRow& r) { return r.name == name && (r.bits == 0 || r.bits == bits); });
    if (row == sawb_rows.end())
      throw InputError(t.place("coefficients"), "\"" + name + "\" for " + std::to_string(bits) + " bits", accepted);
    q.c1 = row->c1;
    q.c2 = row->c2;
    unused_codes = row->unused_codes;
  }
  q.steps = read_number(t, "steps");
  q.steps_signed = read_number(t, "steps_signed");
  if (!q.steps) q.steps = std::ldexp(1.0, code_bits(*q.operand.format)) - 1 - unused_codes;
  for (const auto& [key, value] : {std::pair("steps", q.steps), std::pair("steps_signed", q.steps_signed)}) {
    if (value && *value <= 0) throw InputError(t.place(key), number(*value), "a number above zero");
  }
}

/// Keys that belong to one scale rule only.
void check_rule_keys(const Table& t, RecipeScale scale) {
  constexpr std::array<std::pair<std::string_view, RecipeScale>, 8> owners = {{{"value", RecipeScale::number},
                                                                               {"range", RecipeScale::range},
                                                                               {"history", RecipeScale::delayed},
                                                                               {"coefficients", RecipeScale::sawb},
                                                                               {"steps", RecipeScale::sawb},
                                                                               {"steps_signed", RecipeScale::sawb},
                                                                               {"span", RecipeScale::luq},
                                                                               {"maximum", RecipeScale::luq}}};
  for (const auto& [key, owner] : owners) {
    if (t.has(key) && scale != owner)
      throw InputError(t.place(key), "a key of scale = \"" + std::string(recipe_scale_names[static_cast<std::size_t>(owner)]) + "\"",
                       "no such key with scale = \"" + std::string(recipe_scale_names[static_cast<std::size_t>(scale)]) + "\"");
  }
}

void check_format(const Table& t, const std::string& key, const formats::Format& format) {
  const formats::Limits l = formats::limits(format);
  if (l.precision > 53 || l.lsb_exponent < -1074 || log2_floor(l.max_finite) > 1023)
    throw InputError(t.place(key), format.name, "a format whose values are binary64 numbers");
}

RoleQuantizer read_quantizer(const Table& t) {
  t.accept_only(quantizer_keys, "");
  RoleQuantizer q;
  const auto spelled = t.text("format");
  if (spelled && formats::is_block_format(*spelled)) {
    constexpr std::array<std::string_view, 3> block_keys = {"format", "rounding", "overflow"};
    t.accept_only(block_keys, " of a block format");
    q.operand.block = t.at("format", [&] { return formats::parse_block_format(*spelled); });
    q.operand.rounding = t.rounding(q.operand.block->rounding);
    return q;
  }
  q.operand.format = t.format("format", "as_traced");
  if (!q.operand.format) {
    if (!t.has("format")) throw InputError(t.place("format"), "missing", "a format, or \"as_traced\"");
    t.accept_only(std::array<std::string_view, 1>{"format"}, " where the tensor passes as traced");
    return q;
  }
  const formats::Format& format = *q.operand.format;
  check_format(t, "format", format);
  q.operand.rounding = t.rounding(q.operand.rounding);
  t.at("rounding", [&] {
    check_combination(q.operand.rounding, format);
    formats::check_single_operand(q.operand.rounding, "a tensor");
    if (formats::underflow_of(q.operand.rounding, format) == formats::Underflow::none)
      throw InputError("", "underflow none", "gradual or flush: the values have no codes otherwise");
    const auto& lfsr = q.operand.rounding.stochastic.lfsr;
    if (q.operand.rounding.mode == formats::Rounding::sr && lfsr)
      throw InputError("", "rng=lfsr", "rng=philox: a tensor has no processing elements");
    return 0;
  });
  if (const auto scale = t.choice<RecipeScale>("scale", recipe_scale_names)) q.scale = *scale;
  check_rule_keys(t, q.scale);
  switch (q.scale) {
    case RecipeScale::one:
    case RecipeScale::amax:
    case RecipeScale::amax_pow2: break;
    case RecipeScale::number: q.number = read_positive(t, "value"); break;
    case RecipeScale::range:
      if (format.as_fixed() == nullptr) throw InputError(t.place("scale"), "\"range\" with " + format.name, "a fixed-point format");
      q.number = read_positive(t, "range");
      break;
    case RecipeScale::delayed: q.history = static_cast<int>(t.integer("history", 1, 1 << 20).value_or(16)); break;
    case RecipeScale::sawb:
      if (format.as_fixed() == nullptr) throw InputError(t.place("scale"), "\"sawb\" with " + format.name, "a fixed-point format");
      read_sawb(t, q);
      break;
    case RecipeScale::luq:
      if (format.as_float() == nullptr || formats::limits(format).precision != 1)
        throw InputError(t.place("scale"), "\"luq\" with " + format.name, "a float format without fraction bits, as luq_e3m0");
      q.span = static_cast<int>(t.integer("span", 1, 64).value_or(6));
      if (log2_floor(formats::limits(format).max_finite) - formats::limits(format).lsb_exponent < q.span)
        throw InputError(t.place("span"), std::to_string(q.span),
                         "at most the span of the format's exponents, " +
                             std::to_string(log2_floor(formats::limits(format).max_finite) - formats::limits(format).lsb_exponent));
      if (const auto maximum = t.choice<LuqMaximum>("maximum", maximum_names)) q.maximum = *maximum;
      break;
  }
  q.samples = static_cast<int>(t.integer("samples", 1, 1024).value_or(1));
  if ((q.samples & (q.samples - 1)) != 0)
    throw InputError(t.place("samples"), std::to_string(q.samples), "a power of two: its mean is exact");
  if (q.samples > 1 && q.operand.rounding.mode != formats::Rounding::sr)
    throw InputError(t.place("samples"), "several samples of a rounding that is not stochastic", "rounding = \"sr:bits=...\"");
  q.through = t.format("through");
  if (q.through) check_format(t, "through", *q.through);
  q.nearest_subnormals = t.choice<int>("subnormals", subnormal_names).value_or(0) == 1;
  q.clamp_low = read_number(t, "clamp_low");
  q.clamp_high = read_number(t, "clamp_high");
  if (q.clamp_low && q.clamp_high && *q.clamp_low > *q.clamp_high)
    throw InputError(t.place("clamp_low"), number(*q.clamp_low) + " above clamp_high", "at most " + number(*q.clamp_high));
  return q;
}

Recipe read_recipe(const toml::table& root) {
  const Table top(root, "");
  top.accept_only(top_keys, " of a recipe");
  (void)top.integer("accsim", 1, 1);
  Recipe r;
  r.name = top.text("name").value_or("");
  r.source = top.text("source").value_or("");
  if (const auto scaling = top.text("loss_scaling")) r.loss_scaling = top.at("loss_scaling", [&] { return parse_loss_scaling(*scaling); });
  const toml::table& tensors = subtable(root, "tensors");
  const Table roles(tensors, "tensors");
  roles.accept_only(role_names, ": no such tensor role");
  for (std::size_t i = 0; i < role_names.size(); ++i) {
    const toml::node* node = roles.node(role_names[i]);
    if (node == nullptr) continue;
    if (!node->is_table()) roles.wrong_type(role_names[i], *node, "a table");
    const Table table(*node->as_table(), roles.place(role_names[i]));
    r.roles[i] = read_quantizer(table);
    const bool is_result = i != static_cast<std::size_t>(Role::input) && i != static_cast<std::size_t>(Role::weight) &&
                           i != static_cast<std::size_t>(Role::grad_output);
    if (is_result && r.roles[i]->operand.block)
      throw InputError(table.place("format"), r.roles[i]->operand.block->name,
                       "block formats for input, weight and grad_output: blocks follow terms");
    if (is_result && r.roles[i]->scale == RecipeScale::delayed)
      throw InputError(table.place("scale"), "\"delayed\" for a result", "delayed for input, weight and grad_output");
  }
  const Table passes(subtable(root, "passes"), "passes");
  passes.accept_only(pass_names, ": no such pass");
  for (std::size_t i = 0; i < pass_names.size(); ++i) r.passes[i] = passes.text(pass_names[i]);
  if (std::none_of(r.passes.begin(), r.passes.end(), [](const auto& p) { return p.has_value(); }))
    throw InputError("passes", "no pass", "fprop, dgrad or wgrad = a datapath's name, TOML file or format");
  return r;
}

void write_quantizer(TomlWriter& w, const RoleQuantizer& q) {
  w.string("format", q.operand.block ? spelling(*q.operand.block) : q.operand.format ? q.operand.format->name : "as_traced");
  if (q.operand.block) {
    w.string("rounding", formats::rounding_spelling(q.operand.rounding));
    w.string("overflow", formats::name_of(formats::overflow_of(q.operand.rounding, q.operand.block->element)));
  }
  if (!q.operand.format) return;
  w.rounding(q.operand.rounding, *q.operand.format);
  w.string("scale", recipe_scale_names[static_cast<std::size_t>(q.scale)]);
  switch (q.scale) {
    case RecipeScale::one:
    case RecipeScale::amax:
    case RecipeScale::amax_pow2: break;
    case RecipeScale::number: w.line("value", number(q.number)); break;
    case RecipeScale::range: w.line("range", number(q.number)); break;
    case RecipeScale::delayed: w.line("history", std::to_string(q.history)); break;
    case RecipeScale::sawb:
      w.line("coefficients", "[" + number(q.c1) + ", " + number(q.c2) + "]");
      w.line("steps", number(*q.steps));
      if (q.steps_signed) w.line("steps_signed", number(*q.steps_signed));
      break;
    case RecipeScale::luq:
      w.line("span", std::to_string(q.span));
      w.string("maximum", maximum_names[static_cast<std::size_t>(q.maximum)]);
      break;
  }
  if (q.samples != 1) w.line("samples", std::to_string(q.samples));
  if (q.through) w.string("through", q.through->name);
  if (q.nearest_subnormals) w.string("subnormals", subnormal_names[1]);
  if (q.clamp_low) w.line("clamp_low", number(*q.clamp_low));
  if (q.clamp_high) w.line("clamp_high", number(*q.clamp_high));
}

}  // namespace

Role result_role(Pass pass) {
  switch (pass) {
    case Pass::fprop: return Role::output;
    case Pass::dgrad: return Role::grad_input;
    case Pass::wgrad: return Role::grad_weight;
  }
  return Role::output;
}

std::array<Role, 2> operand_roles(Pass pass) {
  switch (pass) {
    case Pass::fprop: return {Role::input, Role::weight};
    case Pass::dgrad: return {Role::grad_output, Role::weight};
    case Pass::wgrad: return {Role::grad_output, Role::input};
  }
  return {Role::input, Role::weight};
}

Recipe parse_recipe(std::string_view text, const std::string& where) {
  try {
    return read_recipe(toml::parse(text));
  } catch (const toml::parse_error& error) {
    throw InputError(where + ", line " + std::to_string(error.source().begin.line), std::string(error.description()), "TOML 1.0");
  } catch (const InputError& error) {
    throw error.inside(where);
  }
}

bool is_recipe(const std::string& name) {
  const std::string lower = lower_case(name);
  for (const BuiltinRecipe& builtin : builtin_recipes()) {
    if (builtin.name == lower) return true;
  }
  if (!std::filesystem::is_regular_file(name)) return false;
  try {
    return toml::parse(read_toml_file(name, "a TOML file")).contains("passes");
  } catch (const toml::parse_error&) {
    return false;
  }
}

Recipe find_recipe(const std::string& name) {
  const std::string lower = lower_case(name);
  std::vector<std::string> names;
  for (const BuiltinRecipe& builtin : builtin_recipes()) {
    if (builtin.name == lower) return parse_recipe(builtin.toml, "recipe \"" + lower + "\"");
    names.emplace_back(builtin.name);
  }
  const std::string accepted = "a recipe of `accsim list recipes` or a TOML file";
  if (!name.ends_with(".toml") && name.find('/') == std::string::npos)
    throw InputError("--recipe", "unknown \"" + name + "\"", accepted + nearest_names(lower, names));
  if (!std::filesystem::exists(name)) throw InputError(name, "no such file", accepted);
  Recipe recipe = parse_recipe(read_toml_file(name, "a recipe's TOML file"), name);
  if (recipe.name.empty()) recipe.name = std::filesystem::path(name).stem().string();
  return recipe;
}

std::string to_toml(const Recipe& r) {
  TomlWriter w;
  w.line("accsim", "1");
  w.string("name", r.name);
  w.string("source", r.source);
  w.string("loss_scaling", spelling(r.loss_scaling));
  for (std::size_t i = 0; i < role_names.size(); ++i) {
    if (!r.roles[i]) continue;
    w.section("[tensors." + std::string(role_names[i]) + "]");
    write_quantizer(w, *r.roles[i]);
  }
  w.section("[passes]");
  for (std::size_t i = 0; i < pass_names.size(); ++i) {
    if (r.passes[i]) w.string(std::string(pass_names[i]), *r.passes[i]);
  }
  return std::move(w).text();
}

}  // namespace accsim::sim
