// Format names and spellings (contracts 1.1) to facts and back.
#include <algorithm>
#include <charconv>

#include "formats/block.h"
#include "formats/error.h"
#include "formats/format.h"
#include "formats/text.h"

namespace accsim::formats {
namespace {

constexpr const char* spellings_accepted =
    "a name of `accsim list formats`, eXmY, sW.F, uW.F, intW, uintW, sdN, binary<K>p<P><s|u><e|f>, positN, lnsW.F; floats also "
    "NAME:bias=N,specials=ieee|fn|fnuz|none|p3109e|p3109f,subnormals=on|off|binade,signed=on|off,zero=on|off";

constexpr const char* posit_standard = "Standard for Posit Arithmetic, 2022";

[[noreturn]] void refuse(std::string_view text, const std::string& rule) {
  throw InputError("format \"" + std::string(text) + "\"", rule, "");
}

void check(std::string_view text, const FloatFormat& f) {
  const int bits = f.exponent_bits + f.fraction_bits + (f.is_signed ? 1 : 0);
  if (f.exponent_bits < 1 || f.exponent_bits > 16)
    refuse(text, "a float has 1 to 16 exponent bits, found " + std::to_string(f.exponent_bits));
  if (f.fraction_bits < 0 || bits > 128) refuse(text, "a float has at most 128 bits in all, found " + std::to_string(bits));
  if (f.specials == Specials::ieee && f.fraction_bits == 0)
    refuse(text, "specials=ieee needs at least 1 fraction bit, to tell NaN from infinity");
  if (f.specials == Specials::fnuz && !f.is_signed) refuse(text, "specials=fnuz takes the code of -0, and signed=off has none");
  if (!f.has_zero && !f.lowest_binade) refuse(text, "zero=off needs subnormals=binade");
  if (std::abs(f.bias) > 1 << 17) refuse(text, "a bias lies between -131072 and 131072, found " + std::to_string(f.bias));
  if (f.specials == Specials::p3109e && f.exponent_bits + f.fraction_bits < (f.is_signed ? 2 : 3))
    refuse(text, "specials=p3109e leaves no finite nonzero value");
  const Limits l = limits({"", f, ""});
  if (l.max_finite.is_zero() || (!f.subnormals && compare_magnitude(l.max_finite, l.min_normal) < 0)) {
    refuse(text, "no finite nonzero value is left");
  }
}

void check(std::string_view text, const FixedFormat& f) {
  if (f.width < 1 || f.width > 128) refuse(text, "fixed point has 1 to 128 bits, found " + std::to_string(f.width));
  if (std::abs(f.fraction_bits) > 1 << 14)
    refuse(text, "fraction bits lie between -16384 and 16384, found " + std::to_string(f.fraction_bits));
}

std::optional<Format> from_catalogue(std::string_view name) {
  for (const CatalogueRow& row : catalogue()) {
    if (row.format.name == name || std::find(row.aliases.begin(), row.aliases.end(), name) != row.aliases.end()) {
      Format format = row.format;
      format.name = std::string(name);
      return format;
    }
  }
  return std::nullopt;
}

/// A format of IEEE P3109 by its name binary<K>p<P><s|u><e|f>.
std::optional<Format> from_p3109(std::string_view name) {
  Scanner s{name};
  if (!s.skip("binary")) return std::nullopt;
  const auto k = s.integer();
  if (!k || !s.skip("p")) return std::nullopt;
  const auto p = s.integer();
  const bool is_signed = s.skip("s");
  if (!p || (!is_signed && !s.skip("u"))) return std::nullopt;
  const bool extended = s.skip("e");
  if ((!extended && !s.skip("f")) || !s.at_end()) return std::nullopt;
  if (*k < 3 || *k > 16) refuse(name, "a P3109 format has 3 to 16 bits here, found " + std::to_string(*k));
  const long long most = is_signed ? *k - 1 : *k;
  if (*p < 1 || *p > most) refuse(name, "its precision lies between 1 and " + std::to_string(most) + ", found " + std::to_string(*p));
  const int exponent_bits = static_cast<int>(is_signed ? *k - *p : *k - *p + 1);
  const FloatFormat f{.exponent_bits = exponent_bits,
                      .fraction_bits = static_cast<int>(*p - 1),
                      .bias = 1 << (exponent_bits - 1),
                      .specials = extended ? Specials::p3109e : Specials::p3109f,
                      .is_signed = is_signed};
  return Format{std::string(name), f, "IEEE P3109 interim report v4.0"};
}

std::optional<Format> from_tapered(std::string_view name) {
  Scanner s{name};
  if (s.skip("posit")) {
    const auto n = s.integer();
    int exponent_bits = 2;
    if (!n) return std::nullopt;
    if (s.skip(":es=")) {
      const auto e = s.integer();
      if (!e || *e < 0 || *e > 4) refuse(name, "a posit has 0 to 4 exponent bits: es=0..4");
      exponent_bits = static_cast<int>(*e);
    }
    if (!s.at_end()) return std::nullopt;
    if (*n < 3 || *n > 64) refuse(name, "a posit has 3 to 64 bits, found " + std::to_string(*n));
    return Format{std::string(name), PositFormat{static_cast<int>(*n), exponent_bits}, exponent_bits == 2 ? posit_standard : ""};
  }
  if (s.skip("lns")) {
    const auto w = s.integer();
    if (!w || !s.skip(".")) return std::nullopt;
    const auto fraction = s.integer();
    if (!fraction) return std::nullopt;
    if (*w < 3 || *w > 32) refuse(name, "a logarithmic number has 3 to 32 bits, found " + std::to_string(*w));
    if (*fraction < 0 || *fraction > *w - 2 || *fraction > 24)
      refuse(name, "its logarithm has 0 to W - 2 (at most 24) fraction bits, found " + std::to_string(*fraction));
    if (*w - 2 - *fraction > 16) refuse(name, "its logarithm has at most 16 bits before the point and the sign");
    LogFormat f{.width = static_cast<int>(*w), .fraction_bits = static_cast<int>(*fraction)};
    if (s.skip(":table=")) {
      const auto bits = s.integer();
      if (!bits || *bits < 1 || *bits > 24) refuse(name, "a table has 1 to 24 address bits: table=1..24");
      f.table_bits = static_cast<int>(*bits);
    }
    if (!s.at_end()) return std::nullopt;
    return Format{std::string(name), f, ""};
  }
  return std::nullopt;
}

std::optional<Format> from_spelling(std::string_view name) {
  Scanner s{name};
  if (s.skip("e")) {
    const auto x = s.integer();
    if (x && s.skip("m")) {
      const auto y = s.integer();
      if (y && s.at_end() && *x >= 0 && *y >= 0) {
        if (*x < 1 || *x > 16) refuse(name, "a float has 1 to 16 exponent bits, found " + std::to_string(*x));
        const FloatFormat f{.exponent_bits = static_cast<int>(*x),
                            .fraction_bits = static_cast<int>(std::min<long long>(*y, 1000)),
                            .bias = (1 << (*x - 1)) - 1};
        return Format{std::string(name), f, ""};
      }
    }
    return std::nullopt;
  }
  const auto fixed = [&](long long width, long long fraction, bool is_signed) -> Format {
    const FixedFormat f{.width = static_cast<int>(std::clamp<long long>(width, -1, 1000)),
                        .fraction_bits = static_cast<int>(std::clamp<long long>(fraction, -100000, 100000)),
                        .is_signed = is_signed};
    check(name, f);
    return {std::string(name), f, ""};
  };
  if (s.skip("sd")) {
    const auto n = s.integer();
    if (!n || !s.at_end()) return std::nullopt;
    if (*n < 1 || *n > 64) refuse(name, "a signed-digit fraction has 1 to 64 digits, found " + std::to_string(*n));
    return Format{std::string(name), DigitFormat{static_cast<int>(*n)}, ""};
  }
  const bool is_int = s.skip("int");
  const bool is_uint = !is_int && s.skip("uint");
  if (is_int || is_uint) {
    const auto w = s.integer();
    if (!w || !s.at_end()) return std::nullopt;
    return fixed(*w, 0, is_int);
  }
  const bool is_s = s.skip("s");
  if (is_s || s.skip("u")) {
    const auto w = s.integer();
    if (!w || !s.skip(".")) return std::nullopt;
    const auto fraction = s.integer();
    if (!fraction || !s.at_end()) return std::nullopt;
    return fixed(*w, *fraction, is_s);
  }
  return std::nullopt;
}

void change(std::string_view text, FloatFormat& f, std::string_view key, std::string_view value) {
  if (key == "bias") {
    const auto bias = parse_integer(value);
    if (!bias || std::abs(*bias) > 1 << 17) refuse(text, "bias=" + std::string(value) + " is not an integer between -131072 and 131072");
    f.bias = static_cast<int>(*bias);
  } else if (key == "specials") {
    if (value == "ieee") f.specials = Specials::ieee;
    else if (value == "fn") f.specials = Specials::fn;
    else if (value == "fnuz") f.specials = Specials::fnuz;
    else if (value == "none") f.specials = Specials::none;
    else if (value == "p3109e") f.specials = Specials::p3109e;
    else if (value == "p3109f") f.specials = Specials::p3109f;
    else refuse(text, "specials=" + std::string(value) + " is none of ieee, fn, fnuz, none, p3109e, p3109f");
  } else if (key == "subnormals") {
    if (value != "on" && value != "off" && value != "binade")
      refuse(text, "subnormals=" + std::string(value) + " is none of on, off, binade");
    f.subnormals = value == "on";
    f.lowest_binade = value == "binade";
  } else if (key == "signed" || key == "zero") {
    if (value != "on" && value != "off") refuse(text, std::string(key) + "=" + std::string(value) + " is neither on nor off");
    (key == "signed" ? f.is_signed : f.has_zero) = value == "on";
  } else {
    refuse(text, "unknown key \"" + std::string(key) + "\"; accepted: bias, specials, subnormals, signed, zero");
  }
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const CatalogueRow& row : catalogue()) {
    all.push_back(row.format.name);
    all.insert(all.end(), row.aliases.begin(), row.aliases.end());
  }
  return all;
}

const char* name_of(Specials specials) {
  switch (specials) {
    case Specials::ieee: return "ieee";
    case Specials::fn: return "fn";
    case Specials::fnuz: return "fnuz";
    case Specials::none: return "none";
    case Specials::p3109e: return "p3109e";
    case Specials::p3109f: return "p3109f";
  }
  return "";
}

}  // namespace

Format parse_format(std::string_view text) {
  const std::string lower = lower_case(trimmed(text));
  const std::size_t colon = lower.find(':');
  const std::string name = lower.substr(0, colon);
  std::optional<Format> format = from_tapered(lower);
  if (format) {
    if (const auto row = from_catalogue(lower)) format = row;  // with its source
    return *format;
  }
  format = from_catalogue(name);
  if (!format) format = from_p3109(name);
  if (!format) format = from_spelling(name);
  if (!format && is_block_format(name)) {
    throw InputError("format \"" + std::string(text) + "\"", "a block format, whose scales follow the order of terms",
                     "a format of single elements; block formats are for operands, not for datasets or the results of sums");
  }
  if (!format) {
    std::vector<std::string> known = names();
    for (const BlockFormat& block : block_catalogue()) known.push_back(block.name);
    throw InputError("format \"" + std::string(text) + "\"", "unknown format", spellings_accepted + nearest_names(name, known));
  }
  if (colon != std::string::npos) {
    auto* f = std::get_if<FloatFormat>(&format->layout);
    if (f == nullptr) refuse(text, "only floats take :key=value");
    std::vector<std::string> keys;
    for (const std::string& part : split(lower.substr(colon + 1), ',')) {
      const std::size_t equals = part.find('=');
      if (equals == std::string::npos) refuse(text, "\"" + part + "\" is not key=value");
      const std::string key(trimmed(std::string_view(part).substr(0, equals)));
      if (std::find(keys.begin(), keys.end(), key) != keys.end()) refuse(text, key + " is given twice");
      keys.push_back(key);
      change(text, *f, key, trimmed(std::string_view(part).substr(equals + 1)));
    }
    // Without specials, subnormals=off already makes field 0 a binade; one set of facts for one format.
    if (f->specials == Specials::none && f->fraction_bits > 0 && f->has_zero) f->lowest_binade = false;
    format->name = lower;
    format->source.clear();
  }
  if (const auto* f = format->as_float()) check(text, *f);
  return *format;
}

std::string spelling(const Format& format) {
  struct Visitor {
    std::string operator()(const FloatFormat& f) const {
      // The bare small spellings are OCP's, so specials are always written out.
      std::string text = "e" + std::to_string(f.exponent_bits) + "m" + std::to_string(f.fraction_bits);
      text += ":bias=" + std::to_string(f.bias) + ",specials=" + name_of(f.specials);
      text += std::string(",subnormals=") + (f.subnormals ? "on" : f.lowest_binade ? "binade" : "off");
      const bool is_e8m0 = f.exponent_bits == 8 && f.fraction_bits == 0;  // OCP's too: without a sign, without zero
      if (is_e8m0 || !f.is_signed) text += std::string(",signed=") + (f.is_signed ? "on" : "off");
      if (is_e8m0 || !f.has_zero) text += std::string(",zero=") + (f.has_zero ? "on" : "off");
      return text;
    }
    std::string operator()(const FixedFormat& f) const {
      return (f.is_signed ? "s" : "u") + std::to_string(f.width) + "." + std::to_string(f.fraction_bits);
    }
    std::string operator()(const DigitFormat& f) const { return "sd" + std::to_string(f.digits); }
    std::string operator()(const PositFormat& f) const {
      return "posit" + std::to_string(f.width) + (f.exponent_bits == 2 ? "" : ":es=" + std::to_string(f.exponent_bits));
    }
    std::string operator()(const Hif8Format&) const { return "hif8"; }
    std::string operator()(const LogFormat& f) const {
      const std::string text = "lns" + std::to_string(f.width) + "." + std::to_string(f.fraction_bits);
      return text + (f.table_bits == 0 ? "" : ":table=" + std::to_string(f.table_bits));
    }
  };
  return std::visit(Visitor{}, format.layout);
}

std::vector<Format> p3109_formats(int bits) {
  std::vector<Format> all;
  for (int p = 1; p <= bits; ++p) {
    for (const char* ending : {"se", "sf", "ue", "uf"}) {
      if (p == bits && ending[0] == 's') continue;
      all.push_back(parse_format("binary" + std::to_string(bits) + "p" + std::to_string(p) + ending));
    }
  }
  return all;
}

}  // namespace accsim::formats
