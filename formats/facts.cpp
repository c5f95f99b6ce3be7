// The rows of a list of formats, derived from the formats' limits.
#include "formats/facts.h"

#include "formats/error.h"

namespace accsim::formats {
namespace {

const char* kind_of(const Format& format) {
  struct Visitor {
    const char* operator()(const FloatFormat&) const { return "float"; }
    const char* operator()(const FixedFormat&) const { return "fixed"; }
    const char* operator()(const DigitFormat&) const { return "signed digits"; }
    const char* operator()(const PositFormat&) const { return "posit"; }
    const char* operator()(const Hif8Format&) const { return "hif8"; }
    const char* operator()(const LogFormat&) const { return "logarithmic"; }
  };
  return std::visit(Visitor{}, format.layout);
}

std::string specials_of(const Limits& l) {
  std::string text;
  const auto add = [&text](const char* what) { text += (text.empty() ? "" : ", ") + std::string(what); };
  if (!l.is_signed) add("unsigned");
  if (!l.has_zero) add("no zero");
  if (l.has_infinity) add("Inf");
  if (l.has_nan) add("NaN");
  if (l.has_negative_zero) add("-0");
  return text.empty() ? "none" : text;
}

}  // namespace

FormatFacts facts_of(const Format& format) {
  const Limits l = limits(format);
  FormatFacts row;
  row.name = format.name;
  row.spelling = spelling(format);
  row.kind = kind_of(format);
  row.bits = code_bits(format);
  row.precision = l.precision;
  row.max = l.max_finite;
  row.min = l.min_finite;
  row.min_normal = l.min_normal;
  if (format.as_fixed() == nullptr && !std::holds_alternative<DigitFormat>(format.layout)) {
    row.emin = l.emin;
    row.emax = log2_floor(l.max_finite);
    if (l.gradual && l.lsb_exponent < l.emin) row.min_subnormal = NarrowExact{.exponent = l.lsb_exponent, .significand = 1};
  }
  row.specials = specials_of(l);
  row.source = format.source;
  return row;
}

FormatFacts facts_of(const BlockFormat& format) {
  FormatFacts row = facts_of(format.element);
  row.name = format.name;
  row.spelling = spelling(format);
  row.kind = "block";
  row.block = format.block;
  row.scale = format.scale.name;
  row.source = format.source;
  return row;
}

std::vector<FormatFacts> list_formats() {
  std::vector<FormatFacts> rows;
  for (const CatalogueRow& row : catalogue()) {
    rows.push_back(facts_of(row.format));
    rows.back().aliases = row.aliases;
  }
  for (const BlockFormat& format : block_catalogue()) rows.push_back(facts_of(format));
  return rows;
}

std::vector<CodeValue> value_table(const Format& format) {
  const int bits = code_bits(format);
  if (bits > 16) throw InputError("format " + format.name, "a value table of " + std::to_string(bits) + " bits", "at most 16 bits");
  std::vector<CodeValue> table;
  for (unsigned code = 0; code < 1U << bits; ++code) table.push_back({code, decode(code, format)});
  return table;
}

}  // namespace accsim::formats
