// Format names and spellings (contracts 1.1) to facts and back.
#include <algorithm>
#include <charconv>

#include "formats/error.h"
#include "formats/format.h"
#include "formats/text.h"

namespace accsim::formats {
namespace {

constexpr const char* spellings_accepted =
    "a name of `accsim list formats`, eXmY, sW.F, uW.F, intW, uintW, sdN; floats also "
    "NAME:bias=N,specials=ieee|fn|fnuz|none,subnormals=on|off";

[[noreturn]] void refuse(std::string_view text, const std::string& rule) {
  throw InputError("format \"" + std::string(text) + "\"", rule, "");
}

void check(std::string_view text, const FloatFormat& f) {
  if (f.exponent_bits < 1 || f.exponent_bits > 16)
    refuse(text, "a float has 1 to 16 exponent bits, found " + std::to_string(f.exponent_bits));
  if (f.fraction_bits < 0 || 1 + f.exponent_bits + f.fraction_bits > 128) {
    refuse(text, "a float has at most 128 bits in all, found " + std::to_string(1 + f.exponent_bits + f.fraction_bits));
  }
  if (f.specials == Specials::ieee && f.fraction_bits == 0)
    refuse(text, "specials=ieee needs at least 1 fraction bit, to tell NaN from infinity");
  if (std::abs(f.bias) > 1 << 17) refuse(text, "a bias lies between -131072 and 131072, found " + std::to_string(f.bias));
  if (limits({"", f, ""}).max_finite.is_zero() ||
      (!f.subnormals && compare_magnitude(limits({"", f, ""}).max_finite, limits({"", f, ""}).min_normal) < 0)) {
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
    else refuse(text, "specials=" + std::string(value) + " is none of ieee, fn, fnuz, none");
  } else if (key == "subnormals") {
    if (value != "on" && value != "off") refuse(text, "subnormals=" + std::string(value) + " is neither on nor off");
    f.subnormals = value == "on";
  } else {
    refuse(text, "unknown key \"" + std::string(key) + "\"; accepted: bias, specials, subnormals");
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
  }
  return "";
}

}  // namespace

Format parse_format(std::string_view text) {
  const std::string lower = lower_case(trimmed(text));
  const std::size_t colon = lower.find(':');
  const std::string name = lower.substr(0, colon);
  std::optional<Format> format = from_catalogue(name);
  if (!format) format = from_spelling(name);
  if (!format)
    throw InputError("format \"" + std::string(text) + "\"", "unknown format", spellings_accepted + nearest_names(name, names()));
  if (colon != std::string::npos) {
    auto* f = std::get_if<FloatFormat>(&format->layout);
    if (f == nullptr) refuse(text, "only floats take :key=value");
    for (const std::string& part : split(lower.substr(colon + 1), ',')) {
      const std::size_t equals = part.find('=');
      if (equals == std::string::npos) refuse(text, "\"" + part + "\" is not key=value");
      change(text, *f, trimmed(std::string_view(part).substr(0, equals)), trimmed(std::string_view(part).substr(equals + 1)));
    }
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
      return text + ",subnormals=" + (f.subnormals ? "on" : "off");
    }
    std::string operator()(const FixedFormat& f) const {
      return (f.is_signed ? "s" : "u") + std::to_string(f.width) + "." + std::to_string(f.fraction_bits);
    }
    std::string operator()(const DigitFormat& f) const { return "sd" + std::to_string(f.digits); }
  };
  return std::visit(Visitor{}, format.layout);
}

}  // namespace accsim::formats
