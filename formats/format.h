// Number formats as rows of facts, and what follows from the facts.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "formats/exact.h"

namespace accsim::formats {

/// Which codes are not finite numbers.
enum class Specials {
  ieee,    ///< the top exponent field holds infinities and NaN (IEEE 754-2019 3.4)
  fn,      ///< no infinity; the all-ones code of each sign is NaN (OCP OFP8 1.0, E4M3)
  fnuz,    ///< no infinity, no -0; the code of -0 is the one NaN
  none,    ///< every code is finite
  p3109e,  ///< IEEE P3109 extended: infinity is the largest code of its sign; NaN is the code of -0, or if unsigned the largest code
  p3109f,  ///< IEEE P3109 finite: the same NaN, no infinity
};

/// A binary float: sign (if it has one), exponent field, fraction field, from the top. See contracts 1.1 for `subnormals` off.
struct FloatFormat {
  int exponent_bits = 0;
  int fraction_bits = 0;
  int bias = 0;
  Specials specials = Specials::ieee;
  bool subnormals = true;
  bool lowest_binade = false;  ///< without subnormals: exponent field 0 is an ordinary binade, but for the zero (DLFloat16)
  bool is_signed = true;
  bool has_zero = true;  ///< false: code 0 is the first value of the lowest binade (E8M0)
  bool operator==(const FloatFormat&) const = default;
};

/// Fixed point: two's complement (or unsigned) integer times 2^-fraction_bits.
struct FixedFormat {
  int width = 0;
  int fraction_bits = 0;
  bool is_signed = true;
  bool operator==(const FixedFormat&) const = default;
};

/// A radix-2 signed-digit fraction of `digits` digits in {-1, 0, 1}; digit i weighs 2^-i, i from 1.
struct DigitFormat {
  int digits = 0;
  bool operator==(const DigitFormat&) const = default;
};

/// A posit (Standard for Posit Arithmetic, 2022): two's complement code, regime of a run of equal bits, exponent, fraction.
struct PositFormat {
  int width = 0;
  int exponent_bits = 2;
  bool operator==(const PositFormat&) const = default;
};

/// HiFloat8: a prefix code says how many of the 7 bits after the sign are exponent; 3, 2 or 1 fraction bits.
struct Hif8Format {
  bool operator==(const Hif8Format&) const = default;
};

/// A logarithmic number: sign, and log2 of the magnitude as a two's complement fixed-point number of width - 1 bits. See lns.h.
struct LogFormat {
  int width = 0;
  int fraction_bits = 0;
  int table_bits = 0;  ///< adds through a table addressed by this many bits; 0: adds are correctly rounded
  bool operator==(const LogFormat&) const = default;
};

using Layout = std::variant<FloatFormat, FixedFormat, DigitFormat, PositFormat, Hif8Format, LogFormat>;

struct Format {
  std::string name;  ///< as spelled by who chose it, lower case
  Layout layout;
  std::string source;  ///< standard and clause, paper, or "" for a parametric spelling

  /// Formats are equal when their facts are, whatever their names.
  bool operator==(const Format& other) const { return layout == other.layout; }
  [[nodiscard]] const FloatFormat* as_float() const { return std::get_if<FloatFormat>(&layout); }
  [[nodiscard]] const FixedFormat* as_fixed() const { return std::get_if<FixedFormat>(&layout); }
};

/// What rounding and encoding need, derived once from a format's facts. Finite magnitudes are kept * 2^q with
/// q >= lsb_exponent and kept < 2^precision. In the tapered layouts (posit, hif8, lns) precision and spacing are those at their finest.
struct Limits {
  int precision = 0;       ///< significand bits, with the implicit one; a fixed format's width
  int lsb_exponent = 0;    ///< exponent of the spacing in the lowest binade (fixed: everywhere)
  int emin = 0;            ///< exponent of the lowest binade with full precision (floats)
  NarrowExact max_finite;  ///< the largest finite value
  NarrowExact min_finite;  ///< the most negative one (0 in unsigned formats)
  NarrowExact min_normal;  ///< the smallest nonzero value of full precision (floats)
  bool gradual = false;    ///< has subnormals (floats)
  bool has_infinity = false;
  bool has_nan = false;
  bool has_negative_zero = false;
  bool has_zero = true;
  bool is_signed = true;
};
Limits limits(const Format& format);

/// Width of a code in bits.
int code_bits(const Format& format);
/// Spacing of the format's values at magnitude |x| as an exponent of two, not below the smallest; uncapped above. Where spacings are no
/// power of two (lns, posits that have lost exponent bits) the power below.
int spacing_exponent(const Format& format, const Exact& x);

/// The value of a code. Bits above the width must be zero. NaN codes give NaN, -0 keeps its sign. Exact, but for lns: see lns.h.
NarrowExact decode(Code code, const Format& format);
/// The code of a value that the format has (what `round` gave); NaN gives the canonical code of contracts 1.1.
/// Sign of zero is dropped where the format has no -0.
Code encode(const NarrowExact& value, const Format& format);
/// True where the format has exactly this value (zero of either sign, NaN and infinities count where it has them).
bool represents(const Format& format, const NarrowExact& value);

/// Parses a name or spelling of contracts 1.1, case-insensitively. Throws InputError that names the broken rule.
Format parse_format(std::string_view text);
/// The parametric spelling of a layout, which parses back to the same facts.
std::string spelling(const Format& format);

/// All formats of IEEE P3109 v4.0 of K bits (3..16), by precision, signed before unsigned, extended before finite.
std::vector<Format> p3109_formats(int bits);

/// The named formats in the order in which they are listed; aliases follow the name that they stand for.
struct CatalogueRow {
  Format format;
  std::vector<std::string> aliases;
};
std::span<const CatalogueRow> catalogue();

}  // namespace accsim::formats
