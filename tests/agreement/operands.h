// Operands that ask a datapath hard questions.
#pragma once

#include <array>
#include <string_view>

#include "agreement.h"
#include "draw.h"

namespace accsim::agreement {

enum class Distribution {
  normal,          ///< products about 1, or codes about a third of the range
  heavy_tailed,    ///< magnitudes over many binades
  near_overflow,   ///< products and sums about the ends of the finite range
  subnormal_rich,  ///< products and sums about the smallest normal
  special_values,  ///< infinities, NaN, zeros of both signs, ends of the range
  cancelling,      ///< a term and then its negative, at times one unit off
  small_integers,  ///< many exact sums and ties
};
inline constexpr std::array distributions = {Distribution::normal,         Distribution::heavy_tailed,   Distribution::near_overflow,
                                             Distribution::subnormal_rich, Distribution::special_values, Distribution::cancelling,
                                             Distribution::small_integers};
std::string_view name_of(Distribution distribution);

/// What an operand taken as traced holds.
enum class Traced { binary32, binary16, int8, binary64 };

/// Fills a case's operands for its datapath and size: of the operands' formats, or of `traced`; in block formats elements and scales, whose
/// binades are near, or wide apart, among them zeros and (special_values) NaN.
void fill_operands(Case& c, Distribution distribution, Traced traced, Draw& draw);

/// A C for every output, in the accumulator's format.
void fill_accumulator(Case& c, Draw& draw);

/// Rows, columns and terms about the edges of lanes and tiles, at most `macs` together.
void draw_size(Case& c, std::int64_t macs, Draw& draw);

}  // namespace accsim::agreement
