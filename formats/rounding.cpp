// Spellings of rounding, overflow and underflow modes, and which combinations exist.
#include "formats/rounding.h"

#include <algorithm>
#include <array>

#include "formats/error.h"
#include "formats/text.h"

namespace accsim::formats {
namespace {

constexpr const char* rounding_accepted = "rne, rna, rz, ru, rd, ro, sr:bits=R[,kind=a|b|c|below|eager][,rng=philox[:SEED]|lfsr:...]";

const std::vector<NamedMode>& modes_of_rounding() {
  static const std::vector<NamedMode> rows = {
      {"rne", "to nearest, ties to even"},
      {"rna", "to nearest, ties away from zero"},
      {"rz", "toward zero (truncation of the magnitude)"},
      {"ru", "toward plus infinity"},
      {"rd", "toward minus infinity"},
      {"ro", "to odd: an inexact value becomes the neighbour with the odd code"},
      {"sr",
       "stochastic with R random bits: "
       "sr:bits=R[,kind=a|b|c|below|eager][,rng=philox[:SEED]|lfsr:width=W,mask=M,seed=S,form=galois|fibonacci,step=right|left,share=pe|"
       "array]"},
  };
  return rows;
}

const std::vector<NamedMode>& modes_of_overflow() {
  static const std::vector<NamedMode> rows = {
      {"ieee",
       "infinity, or the largest finite value where the rounding mode says so; NaN in formats without infinity; the largest finite value "
       "without both; in P3109's formats its SatNone, also spelled satnone"},
      {"saturate", "the nearest end of the finite range, infinities too (P3109 SatFinite, also spelled satfinite)"},
      {"nan", "NaN, counted invalid; 0 in formats without NaN (floats)"},
      {"wrap", "modulo 2^width (fixed point)"},
      {"saturate_symmetric", "the nearest of -(2^(W-1)-1) and 2^(W-1)-1; -2^(W-1) overflows too (fixed point)"},
      {"saturate_zero", "zero (fixed point)"},
      {"propagate",
       "finite values as saturate, infinities stay where the format has them (floats; P3109 SatPropagate, also spelled satpropagate)"},
      {"infinity", "as ieee to nearest, whatever the rounding mode (floats)"},
      {"ones_tail",
       "as ieee; but from the power of two above the largest finite value on, sr rounds that value with a discarded part of ones (floats)"},
  };
  return rows;
}

const std::vector<NamedMode>& modes_of_underflow() {
  static const std::vector<NamedMode> rows = {
      {"gradual", "subnormals"},
      {"flush", "below the smallest normal: zero of its sign"},
      {"none", "below the smallest normal: all fraction bits kept; such values have no code"},
  };
  return rows;
}

std::string list_of(const std::vector<NamedMode>& rows) {
  std::string text;
  for (const NamedMode& row : rows) text += (text.empty() ? "" : ", ") + row.name;
  return text;
}

std::size_t index_in(const std::vector<NamedMode>& rows, std::string_view what, std::string_view text) {
  const std::string lower = lower_case(trimmed(text));
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const NamedMode& m) { return m.name == lower; });
  if (row == rows.end()) throw InputError(std::string(what), "unknown \"" + std::string(text) + "\"", list_of(rows));
  return static_cast<std::size_t>(row - rows.begin());
}

[[noreturn]] void refuse(std::string_view text, const std::string& found, const std::string& accepted) {
  throw InputError("rounding \"" + std::string(text) + "\"", found, accepted);
}

std::optional<std::uint64_t> parse_unsigned(std::string_view text) {
  const bool hex = text.starts_with("0x");
  if (hex) text.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::pair<std::string, std::string> key_and_value(std::string_view text, const std::string& part) {
  const std::size_t equals = part.find('=');
  if (equals == std::string::npos) refuse(text, "\"" + part + "\" is not key=value", rounding_accepted);
  return {std::string(trimmed(std::string_view(part).substr(0, equals))), std::string(trimmed(std::string_view(part).substr(equals + 1)))};
}

LfsrSpec parse_lfsr(std::string_view text, std::string_view facts) {
  LfsrSpec l;
  bool has_mask = false;
  for (const std::string& part : split(facts, ',')) {
    const auto [key, value] = key_and_value(text, part);
    const auto number = parse_unsigned(value);
    const auto need_number = [&, &key = key, &value = value] {
      if (!number) refuse(text, key + "=" + value, "an unsigned integer, 0x allowed");
      return *number;
    };
    if (key == "width") {
      l.width = static_cast<int>(std::min<std::uint64_t>(need_number(), 1000));
    } else if (key == "mask") {
      l.mask = need_number();
      has_mask = true;
    } else if (key == "seed") {
      l.seed = need_number();
    } else if (key == "form" && (value == "galois" || value == "fibonacci")) {
      l.form = value == "galois" ? LfsrForm::galois : LfsrForm::fibonacci;
    } else if (key == "step" && (value == "right" || value == "left")) {
      l.step = value == "right" ? LfsrStep::right : LfsrStep::left;
    } else if (key == "share" && (value == "pe" || value == "array")) {
      l.share = value == "pe" ? LfsrShare::pe : LfsrShare::array;
    } else {
      refuse(text, part, "lfsr:width=W,mask=M,seed=S,form=galois|fibonacci,step=right|left,share=pe|array");
    }
  }
  if (l.width < 1 || l.width > 64) refuse(text, "an LFSR of width " + std::to_string(l.width), "width=1..64");
  const std::uint64_t all = l.width == 64 ? ~0ULL : (1ULL << l.width) - 1;
  if (!has_mask || l.mask == 0 || (l.mask & ~all) != 0)
    refuse(text, "mask missing, zero or wider than the LFSR", "a mask of at most `width` bits");
  if ((l.seed & ~all) != 0) refuse(text, "seed wider than the LFSR", "a seed of at most `width` bits");
  return l;
}

StochasticSpec parse_stochastic(std::string_view text, std::string_view facts) {
  StochasticSpec s;
  const std::size_t rng = facts.find("rng=");
  std::string_view before = facts.substr(0, rng);
  if (before.ends_with(',')) before.remove_suffix(1);
  for (const std::string& part : before.empty() ? std::vector<std::string>{} : split(before, ',')) {
    const auto [key, value] = key_and_value(text, part);
    if (key == "bits") {
      const auto bits = parse_unsigned(value);
      if (!bits || *bits < 1 || *bits > 32) refuse(text, "bits=" + value, "bits=1..32");
      s.bits = static_cast<int>(*bits);
    } else if (key == "kind") {
      if (value == "a") s.kind = StochasticKind::a;
      else if (value == "b") s.kind = StochasticKind::b;
      else if (value == "c") s.kind = StochasticKind::c;
      else if (value == "below") s.kind = StochasticKind::below;
      else if (value == "eager") s.kind = StochasticKind::eager;
      else refuse(text, "kind=" + value, "kind=a|b|c|below|eager");
    } else {
      refuse(text, "unknown key \"" + key + "\"", "bits, kind, and last rng");
    }
  }
  if (s.bits == 0) refuse(text, "no number of random bits", "sr:bits=R with R from 1 to 32");
  if (rng != std::string_view::npos) {
    const std::string_view generator = facts.substr(rng + 4);
    if (generator.starts_with("lfsr:")) {
      s.lfsr = parse_lfsr(text, generator.substr(5));
      if (s.bits > s.lfsr->width)
        refuse(text, "bits=" + std::to_string(s.bits) + " from an LFSR of width " + std::to_string(s.lfsr->width),
               "at most `width` random bits");
    } else if (generator.starts_with("philox:")) {
      s.philox_seed = parse_unsigned(generator.substr(7));
      if (!s.philox_seed) refuse(text, "rng=" + std::string(generator), "rng=philox:SEED with an unsigned 64-bit seed");
    } else if (generator != "philox") {
      refuse(text, "rng=" + std::string(generator), "rng=philox[:SEED] or rng=lfsr:width=W,mask=M,...");
    }
  }
  return s;
}

}  // namespace

Overflow overflow_of(const RoundingSpec& spec, const Format& format) {
  return spec.overflow.value_or(format.as_fixed() != nullptr ? Overflow::wrap : Overflow::ieee);
}

Underflow underflow_of(const RoundingSpec& spec, const Format& format) {
  const FloatFormat* f = format.as_float();
  const bool flushes = (f != nullptr && !f->subnormals) || std::holds_alternative<LogFormat>(format.layout);
  return spec.underflow.value_or(flushes ? Underflow::flush : Underflow::gradual);
}

void parse_rounding(std::string_view text, RoundingSpec& spec) {
  const std::string lower = lower_case(trimmed(text));
  static constexpr std::array plain = {std::pair{"rne", Rounding::rne}, std::pair{"rna", Rounding::rna}, std::pair{"rz", Rounding::rz},
                                       std::pair{"ru", Rounding::ru},   std::pair{"rd", Rounding::rd},   std::pair{"ro", Rounding::ro}};
  for (const auto& [name, mode] : plain) {
    if (lower == name) {
      spec.mode = mode;
      spec.stochastic = {};
      return;
    }
  }
  if (!lower.starts_with("sr:")) refuse(text, lower == "sr" ? "no number of random bits" : "unknown rounding", rounding_accepted);
  spec.stochastic = parse_stochastic(text, std::string_view(lower).substr(3));
  spec.mode = Rounding::sr;
}

Overflow parse_overflow(std::string_view text) {
  const std::string lower = lower_case(trimmed(text));
  if (lower == "satfinite") return Overflow::saturate;
  if (lower == "satpropagate") return Overflow::propagate;
  if (lower == "satnone") return Overflow::ieee;
  return static_cast<Overflow>(index_in(modes_of_overflow(), "overflow", text));
}
Underflow parse_underflow(std::string_view text) { return static_cast<Underflow>(index_in(modes_of_underflow(), "underflow", text)); }

std::string rounding_spelling(const RoundingSpec& spec) {
  std::string text = modes_of_rounding()[static_cast<std::size_t>(spec.mode)].name;
  if (spec.mode != Rounding::sr) return text;
  const StochasticSpec& s = spec.stochastic;
  static constexpr std::array kinds = {"a", "b", "c", "below", "eager"};
  text += ":bits=" + std::to_string(s.bits) + ",kind=" + kinds[static_cast<std::size_t>(s.kind)];
  if (s.philox_seed) return text + ",rng=philox:" + std::to_string(*s.philox_seed);
  if (!s.lfsr) return text + ",rng=philox";
  const LfsrSpec& l = *s.lfsr;
  text += ",rng=lfsr:width=" + std::to_string(l.width) + ",mask=0x" + to_hex(l.mask, l.width) + ",seed=0x" + to_hex(l.seed, l.width);
  text += std::string(",form=") + (l.form == LfsrForm::galois ? "galois" : "fibonacci");
  text += std::string(",step=") + (l.step == LfsrStep::right ? "right" : "left");
  return text + ",share=" + (l.share == LfsrShare::pe ? "pe" : "array");
}

std::string_view name_of(Overflow overflow) { return modes_of_overflow()[static_cast<std::size_t>(overflow)].name; }
std::string_view name_of(Underflow underflow) { return modes_of_underflow()[static_cast<std::size_t>(underflow)].name; }

namespace {

void check_float_overflow(Overflow overflow, const Format& format) {
  switch (overflow) {
    case Overflow::ieee:
    case Overflow::propagate:
    case Overflow::saturate:
    case Overflow::infinity:
    case Overflow::ones_tail:
    case Overflow::nan: return;
    case Overflow::wrap:
    case Overflow::saturate_symmetric:
    case Overflow::saturate_zero:
      throw InputError("overflow", std::string(name_of(overflow)) + " with the float format " + format.name,
                       "ieee, saturate, propagate, nan, infinity, ones_tail");
  }
}

void check_fixed_overflow(Overflow overflow, const Format& format) {
  switch (overflow) {
    case Overflow::saturate_symmetric:
      if (format.as_fixed()->is_signed) return;
      throw InputError("overflow", "saturate_symmetric with " + format.name + ", which is unsigned", "wrap, saturate, saturate_zero");
    case Overflow::wrap:
    case Overflow::saturate:
    case Overflow::saturate_zero: return;
    case Overflow::ieee:
    case Overflow::propagate:
    case Overflow::infinity:
    case Overflow::ones_tail:
    case Overflow::nan:
      throw InputError("overflow", std::string(name_of(overflow)) + " with the fixed-point format " + format.name,
                       "wrap, saturate, saturate_symmetric, saturate_zero");
  }
}

bool is_eager(const RoundingSpec& spec) { return spec.mode == Rounding::sr && spec.stochastic.kind == StochasticKind::eager; }

}  // namespace

void check_combination(const RoundingSpec& spec, const Format& format) {
  struct Visitor {
    const RoundingSpec& spec;
    const Format& format;
    void operator()(const FloatFormat& f) const {
      check_float_overflow(overflow_of(spec, format), format);
      if (underflow_of(spec, format) == Underflow::gradual && !f.subnormals) {
        throw InputError("underflow", "gradual with " + format.name + ", which has no subnormals", "flush, none");
      }
    }
    void operator()(const FixedFormat&) const {
      check_fixed_overflow(overflow_of(spec, format), format);
      if (underflow_of(spec, format) != Underflow::gradual) {
        throw InputError("underflow", std::string(name_of(underflow_of(spec, format))) + " with the fixed-point format " + format.name,
                         "no underflow mode (or gradual)");
      }
    }
    void operator()(const DigitFormat&) const {
      throw InputError("format", format.name + " as a rounding's target",
                       "a float or fixed-point format; signed digits belong to a level of kind online");
    }
    void operator()(const PositFormat&) const { check_tapered(); }
    void operator()(const Hif8Format&) const { check_tapered(); }
    void operator()(const LogFormat&) const { check_tapered(); }
    void check_tapered() const {
      check_float_overflow(overflow_of(spec, format), format);
      if (overflow_of(spec, format) == Overflow::ones_tail)
        throw InputError("overflow", "ones_tail with " + format.name, "ieee, saturate, propagate, nan, infinity");
      if (underflow_of(spec, format) != underflow_of({}, format)) {
        throw InputError("underflow", std::string(name_of(underflow_of(spec, format))) + " with " + format.name,
                         "what the format has: no underflow mode, or " + std::string(name_of(underflow_of({}, format))));
      }
    }
  };
  std::visit(Visitor{spec, format}, format.layout);
  if (is_eager(spec) && format.as_float() == nullptr) {
    throw InputError("rounding", "kind=eager with " + format.name, "a binary float format, whose adder normalizes");
  }
}

void check_single_operand(const RoundingSpec& spec, std::string_view where) {
  if (is_eager(spec)) throw InputError(std::string(where), "kind=eager, where no two operands are added", "kind=a, b, c or below");
}

std::span<const NamedMode> rounding_modes() { return modes_of_rounding(); }
std::span<const NamedMode> overflow_modes() { return modes_of_overflow(); }
std::span<const NamedMode> underflow_modes() { return modes_of_underflow(); }

}  // namespace accsim::formats
