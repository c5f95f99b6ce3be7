// Datapath files: defaults, overrides, round trips, messages.
#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "formats/error.h"
#include "sim/datapath_toml.h"
#include "sim/operand_facts.h"

using namespace accsim::sim;
using accsim::InputError;
using accsim::formats::Overflow;
using accsim::formats::parse_format;
using accsim::formats::Rounding;
using accsim::formats::Underflow;

namespace {

const std::string fp16_level = "[[reduction]]\nkind = \"sequential\"\nformat = \"fp16\"\n";
const std::string int16_level = "[[reduction]]\nkind = \"sequential\"\nformat = \"int16\"\n";

Datapath parsed(const std::string& toml) { return parse_datapath(toml, "mine.toml"); }

/// The InputError of parsing; its parts are checked one by one.
InputError error_of(const std::string& toml) {
  try {
    (void)parsed(toml);
  } catch (const InputError& error) {
    return error;
  }
  FAIL("no error from:\n" << toml);
  return {"", "", ""};
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("what a file leaves out has the contract's defaults") {
  const Datapath d = parsed(fp16_level);
  CHECK_FALSE(d.a.format.has_value());
  CHECK_FALSE(d.b.format.has_value());
  CHECK_FALSE(d.product.format.has_value());
  CHECK(d.levels.size() == 1);
  CHECK_FALSE(d.levels[0].terms.has_value());
  CHECK(d.levels[0].rounding.mode == Rounding::rne);
  CHECK(overflow_of(d.levels[0].rounding, d.levels[0].format) == Overflow::ieee);
  CHECK(underflow_of(d.levels[0].rounding, d.levels[0].format) == Underflow::gradual);
  CHECK_FALSE(d.accumulator.last);
  CHECK_FALSE(d.output.format.has_value());
  CHECK(d.result_format() == parse_format("fp16"));
  const Datapath fixed = parsed(int16_level);
  CHECK(overflow_of(fixed.levels[0].rounding, fixed.levels[0].format) == Overflow::wrap);
}

TEST_CASE("operands are quantized to nearest even, saturating, fixed point by amax, floats without a scale") {
  const Datapath d = parsed("[operands]\na = \"int8\"\nb = \"e5m2\"\n" + fp16_level);
  CHECK(d.a.rounding.mode == Rounding::rne);
  CHECK(overflow_of(d.a.rounding, *d.a.format) == Overflow::saturate);
  CHECK(overflow_of(d.b.rounding, *d.b.format) == Overflow::saturate);
  CHECK(d.a.scale == ScaleRule::amax);
  CHECK(d.b.scale == ScaleRule::one);
}

TEST_CASE("every key of operands, product, levels, accumulator and output is read") {
  const Datapath d = parsed(
      "accsim = 1\nname = \"mine\"\nsource = \"a paper\"\n"
      "[operands]\na = \"int8\"\na_rounding = \"rz\"\na_overflow = \"wrap\"\na_scale = 0.5\nb = \"int4\"\nb_scale = \"amax_pow2\"\n"
      "[product]\nformat = \"e5m6\"\nrounding = \"ru\"\noverflow = \"saturate\"\nunderflow = \"flush\"\npermute = [2, 0, 1]\n"
      "[[reduction]]\nkind = \"sequential\"\nterms = 16\nformat = \"fp32\"\nround_to = \"e8m10\"\nrounding = \"ro\"\noverflow = "
      "\"nan\"\nunderflow = \"none\"\n" +
      int16_level +
      "[accumulator]\ninitial = \"last\"\nformat = \"int20\"\nrounding = \"rd\"\n[output]\nformat = \"int8\"\nrounding = \"rna\"\noverflow "
      "= \"saturate\"\nshift = 4\n");
  CHECK(d.name == "mine");
  CHECK(d.source == "a paper");
  CHECK(d.a.rounding.mode == Rounding::rz);
  CHECK(d.a.rounding.overflow == Overflow::wrap);
  CHECK(d.a.scale == ScaleRule::number);
  CHECK(d.a.scale_number == 0.5);
  CHECK(d.b.scale == ScaleRule::amax_pow2);
  CHECK(*d.product.format == parse_format("e5m6"));
  CHECK(d.product.rounding.mode == Rounding::ru);
  CHECK(d.product.rounding.underflow == Underflow::flush);
  CHECK(d.product.permute == std::vector<std::int64_t>{2, 0, 1});
  CHECK(d.levels.size() == 2);
  CHECK(d.levels[0].terms == 16);
  CHECK(d.levels[0].rounded_format() == parse_format("e8m10"));
  CHECK(d.levels[0].rounding.mode == Rounding::ro);
  CHECK(d.levels[0].rounding.overflow == Overflow::nan);
  CHECK(d.levels[0].rounding.underflow == Underflow::none);
  CHECK(d.accumulator.last);
  CHECK(d.accumulator_format() == parse_format("int20"));
  CHECK(d.accumulator_rounding().mode == Rounding::rd);
  CHECK(d.result_format() == parse_format("int8"));
  CHECK(d.output.shift == 4);
}

TEST_CASE("the printed TOML parses to the same printed TOML, for every built-in datapath") {
  for (const BuiltinDatapath& builtin : builtin_datapaths()) {
    CAPTURE(builtin.name);
    const Datapath d = find_datapath(std::string(builtin.name));
    CHECK(d.name == builtin.name);
    CHECK_FALSE(d.source.empty());
    const std::string text = to_toml(d);
    CHECK(to_toml(parsed(text)) == text);
  }
}

TEST_CASE("names and sources survive with quotes, backslashes and line ends in them") {
  Datapath d = parsed(fp16_level);
  d.name = "a \"b\" \\ c";
  d.source = "line\nnext\ttab";
  const Datapath again = parsed(to_toml(d));
  CHECK(again.name == d.name);
  CHECK(again.source == d.source);
}

TEST_CASE("a scale that is a number is printed so that it reads back") {
  const Datapath d = parsed("[operands]\na = \"int8\"\na_scale = 0.1\nb = \"int8\"\nb_scale = 3\n" + fp16_level);
  const Datapath again = parsed(to_toml(d));
  CHECK(again.a.scale_number == 0.1);
  CHECK(again.b.scale_number == 3);
  CHECK(again.b.scale == ScaleRule::number);
}

TEST_CASE("errors name the place, what was found and what is accepted") {
  const InputError unknown = error_of("[product]\nroundin = \"rz\"\n" + fp16_level);
  CHECK(contains(unknown.where(), "mine.toml"));
  CHECK(contains(unknown.where(), "product.roundin"));
  CHECK(contains(unknown.accepted(), "rounding"));
  const InputError type = error_of("[[reduction]]\nkind = \"sequential\"\nformat = \"fp16\"\nterms = \"16\"\n");
  CHECK(contains(type.where(), "reduction.0.terms"));
  CHECK(contains(type.found(), "string"));
  CHECK(contains(type.accepted(), "integer"));
  const InputError value = error_of(fp16_level + "[accumulator]\ninitial = \"end\"\n");
  CHECK(contains(value.where(), "accumulator.initial"));
  CHECK(contains(value.found(), "end"));
  CHECK(contains(value.accepted(), "first"));
  const InputError second = error_of(fp16_level + "[[reduction]]\nkind = \"sequential\"\nformat = \"fp61\"\n");
  CHECK(contains(second.where(), "reduction.1.format"));
}

TEST_CASE("what cannot combine is an error") {
  for (const std::string& toml : {
           std::string(""),
           "accsim = 2\n" + fp16_level,
           fp16_level + "overflow = \"wrap\"\n",
           fp16_level + "overflow = \"saturate_zero\"\n",
           fp16_level + "overflow = \"saturate_symmetric\"\n",
           int16_level + "overflow = \"ieee\"\n",
           int16_level + "overflow = \"nan\"\n",
           int16_level + "underflow = \"flush\"\n",
           int16_level + "round_to = \"fp16\"\n",
           fp16_level + "round_to = \"fp32\"\n",
           fp16_level + "round_to = \"int8\"\n",
           int16_level + "terms = 0\n",
           int16_level + "issues = 1\n",
           int16_level + "fan_in = 2\n",
           "[operands]\na_scale = 2.0\n" + fp16_level,
           "[operands]\na = \"int8\"\na_scale = 0\n" + fp16_level,
           "[operands]\na = \"int8\"\na_overflow = \"nan\"\n" + fp16_level,
           "[product]\npermute = [1]\n" + fp16_level,
           "[product]\npermute = [0, 0]\n" + fp16_level,
           "[product]\nformat = \"lba_fp12\"\nunderflow = \"gradual\"\n" + fp16_level,
           fp16_level + "[output]\nformat = \"int8\"\noverflow = \"ieee\"\n",
           fp16_level + "[accumulator]\nformat = \"int8\"\noverflow = \"nan\"\n",
       }) {
    CAPTURE(toml);
    CHECK_THROWS_AS(parsed(toml), InputError);
  }
}

TEST_CASE("keys of matrix units that cannot combine are an error naming the key") {
  const std::string staged = "[[reduction]]\nkind = \"staged_sum\"\nterms = 4\nfraction_bits = 24\n";
  const std::string scaled = "[[reduction]]\nkind = \"scaled_sum\"\nterms = 64\nfraction_bits = 35\nformat = \"fp32\"\n";
  const std::string fused = "[[reduction]]\nkind = \"fused_sum\"\nterms = 4\nfraction_bits = 24\nformat = \"fp32\"\n";
  const std::pair<std::string, const char*> wrong[] = {
      {staged + "format = \"fp32\"\n", "sum_fraction_bits"},
      {staged + "sum_fraction_bits = 32\nformat = \"int32\"\n", "format"},
      {staged + "sum_fraction_bits = 32\nsubsets = 5\nformat = \"fp32\"\n", "subsets"},
      {scaled, "group"},
      {scaled + "group = 5\n", "group"},
      {"[operands]\na = \"mxfp4:block=24\"\nb = \"mxfp4:block=24\"\n" + scaled + "group = 16\n", "group"},
      {"[product]\npermute = [1, 0]\n" + scaled + "group = 16\n", "product"},
      {fp16_level + scaled + "group = 16\n", "kind"},
      {fused + "zero_exponent = -132\nzero_operand_exponent = -126\n", "zero_operand_exponent"},
      {"[product]\nformat = \"fp32\"\nrange = \"fp32\"\n" + fp16_level, "range"},
      {"[product]\nrange = \"int8\"\n" + fp16_level, "range"},
      {"[operands]\na = \"mxfp4\"\nflush_subnormals = true\n" + fp16_level, "flush_subnormals"},
      {fp16_level + "[accumulator]\nlevel = 1\n", "level"},
      {fused + fp16_level + "[accumulator]\nlevel = 0\n", "level"},
      {fp16_level + "[accumulator]\ninitial = \"last\"\nlevel = 0\n", "level"},
  };
  for (const auto& [toml, key] : wrong) {
    CAPTURE(toml);
    CHECK(contains(error_of(toml).where(), key));
  }
}

TEST_CASE("eleven levels are the most") {
  std::string eleven;
  for (int i = 0; i < 11; ++i) eleven += fp16_level;
  CHECK(parsed(eleven).levels.size() == 11);
  CHECK_THROWS_AS(parsed(eleven + fp16_level), InputError);
}

TEST_CASE("a name is looked up as built-in, then as a file, then as a format") {
  CHECK(find_datapath("fp16_fp32acc").a.format.has_value());
  CHECK(find_datapath("int24").levels[0].format == parse_format("int24"));
  CHECK_FALSE(find_datapath("int24").a.format.has_value());
  CHECK(find_datapath("int16_WRAP").name == "int16_wrap");
  CHECK_THROWS_AS(find_datapath("no/such.toml"), InputError);
  try {
    (void)find_datapath("fp13");
    FAIL("fp13 is a datapath");
  } catch (const InputError& error) {
    CHECK(contains(error.what(), "fp12"));
  }
}

TEST_CASE("built-in matrix units that tell checks of their NaN are still run by kernels where the machine has them") {
  // binary16 operands: 11 bits, subnormals down to 2^-24
  const LayerFacts facts{
      .a = {11, -24, 15, false}, .b = {11, -24, 15, false}, .k = 64, .a_emin = -14, .b_emin = -14, .has_accumulator = false};
  for (const char* name : {"ampere_fp16_fp32", "hopper_fp16_fp32", "ada_fp16_fp32", "blackwell_fp16_fp32"}) {
    CAPTURE(name);
    const ChosenExecutor chosen = choose_executor(find_datapath(name, {}), facts, nullptr);
    CHECK(chosen.executor->name().substr(0, 10) == "fused_sum_");
  }
}
