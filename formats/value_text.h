// Values as text: what a person types, and what is printed so that it reads back.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "formats/format.h"

namespace accsim::formats {

/// The value that a text names, surrounding blanks and case aside:
/// `inf`, `infinity`, `nan`, each with a sign or without; a decimal integer, exactly; any other decimal (`0.1`, `1e-3`) as the
/// nearest binary64, ties to even; a hexadecimal float (`0x1.8p-3`, `0x1f`), exactly. A minus sign in front of a zero is kept.
/// Throws InputError for anything else, for a decimal beyond the range of binary64 (write it out as an integer, or in hexadecimal), and
/// for more than 20,000 digits or a binary exponent beyond +/-1,000,000.
Exact parse_value(std::string_view text);

/// `nan`, `inf`, `-inf`, `0`, `-0`; for a value that binary64 holds the shortest decimal that reads back as it, digits as in Python's
/// repr: plain from 1e-4 to below 1e16, integers without a point, otherwise with an exponent (`1e+22`, `5.960464477539063e-08`).
/// Other values as the exact decimal, integers in full, fractions below 1e-4 with an exponent; beyond binary exponents of +/-20,000
/// as a hexadecimal float.
std::string value_text(const Exact& x);
std::string value_text(const NarrowExact& x);

/// The binary64 that is exactly x, where there is one (infinities are; NaN is not).
std::optional<double> exact_double(const Exact& x);

/// A code written in hexadecimal, `0x` allowed, in the width of the format. Throws InputError for other text and for bits above the width.
Code parse_code(std::string_view text, const Format& format);
/// The code as contracts 1.1 write it: lower-case hexadecimal of fixed width, no prefix.
std::string code_text(Code code, const Format& format);

}  // namespace accsim::formats
