// What a list of formats shows: the derived facts of each, and tables of all values of the small ones.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "formats/block.h"
#include "formats/format.h"

namespace accsim::formats {

/// One row of `accsim list formats`. What a layout does not have stays empty.
struct FormatFacts {
  std::string name;                  ///< as listed, lower case
  std::vector<std::string> aliases;  ///< other names of the same format
  std::string spelling;              ///< the parametric spelling, which parses to the same facts
  std::string kind;                  ///< "float", "fixed", ...
  int bits = 0;                      ///< width of a code (of one element where the format is a block format)
  int precision = 0;                 ///< significand bits with the implicit one, at their most; a fixed-point format's width
  std::optional<int> emin, emax;     ///< exponents of the smallest and the largest binade of normal numbers (floats)
  NarrowExact max;                   ///< the largest finite value
  NarrowExact min;                   ///< the most negative finite value; 0 or above in unsigned formats
  std::optional<NarrowExact> min_normal, min_subnormal;  ///< the smallest positive ones (fixed point: min_normal is the spacing)
  std::string specials;                                  ///< "Inf, NaN, -0", or "none"
  int block = 0;                                         ///< block formats: elements that share a scale; 0 otherwise
  std::string scale;                                     ///< block formats: the scale's format and rule
  std::string source;                                    ///< standard and clause, paper; empty for a parametric spelling
};
FormatFacts facts_of(const Format& format);
/// Those of the elements, with the block and the scale.
FormatFacts facts_of(const BlockFormat& format);

/// The rows of the catalogue in its order, then the block formats (kind "block", which parse_format refuses). The 504 formats of P3109 are
/// not among them: p3109_formats(K).
std::vector<FormatFacts> list_formats();

/// A code with its value.
struct CodeValue {
  Code code;
  NarrowExact value;
};
/// Every code of a format of at most 16 bits, in the order of codes. Throws InputError for wider ones.
std::vector<CodeValue> value_table(const Format& format);

}  // namespace accsim::formats
