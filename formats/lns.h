// Logarithmic numbers: powers of two with fixed-point exponents, and addition through a table.
//
// A code is a sign and L = log2 of the magnitude, two's complement, `fraction_bits` of them fraction. The smallest L with sign 0 is zero,
// with sign 1 NaN; there are no infinities and no -0. Everywhere in this project the value of L stands for 2^L correctly rounded to
// 120 significant bits, which is exact for whole L; and a magnitude within a factor of 1 +/- 2^-108 of 2^L for an L of the format counts as
// that value, so that products and quotients, which add and subtract logarithms, are exact. Sums and differences of two values are
// correctly rounded: the nearest L (the nearest logarithm, not the nearest magnitude).
#pragma once

#include "formats/format.h"

namespace accsim::formats {

/// 2^(units / 2^fraction_bits), correctly rounded to 120 significant bits. fraction_bits <= 24.
NarrowExact power_of_two(long long units, int fraction_bits);

/// log2 of a magnitude in units of 2^-fraction_bits: floor, and the first 64 bits of what follows, the last one sticky.
struct Logarithm {
  long long units = 0;
  std::uint64_t tail = 0;
};
/// x finite and not zero; its sign is ignored.
Logarithm logarithm_of(const Exact& x, int fraction_bits);

/// The sum of two values of the format as an adder with a table forms it (format.table_bits > 0): with x the larger magnitude and
/// d = log2|x| - log2|y| >= 0, the result's logarithm is log2|x| + T(d). T is the table of
/// log2(1 + 2^-d) where the signs agree and of log2(1 - 2^-d) where not, in units of the format, rounded to nearest, at 2^table_bits
/// addresses: d cut (toward zero) to a multiple of the table's step, which is the smallest power of two, not below one unit,
/// such that 2^table_bits steps reach the d from which T is zero (or the largest d there is). Beyond the last address T is zero.
/// Equal magnitudes of unlike sign give zero; unequal ones whose d is cut to zero use the first unit as d. The result may lie outside the
/// format's range, which the rounding then looks at. x and y are finite values of the format.
NarrowExact table_sum(const NarrowExact& x, const NarrowExact& y, const LogFormat& format);

}  // namespace accsim::formats
