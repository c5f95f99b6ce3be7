// Integers of 128 and 256 bits times powers of two, rounded once to binary64: what the error statistics of most outputs take.
#pragma once

#include <algorithm>
#include <array>
#include <bit>

#include "formats/integer.h"

namespace accsim::sim {

/// 2^n of a normal binary64.
inline double power_of_two(int n) { return std::bit_cast<double>(static_cast<std::uint64_t>(n + 1023) << 52); }

/// n to the nearest binary64, ties to even.
inline double rounded(formats::Int128 n) {
  const bool negative = n < 0;
  const formats::UInt128 magnitude = negative ? -static_cast<formats::UInt128>(n) : static_cast<formats::UInt128>(n);
  // The first 63 bits, what lies below them jammed into the last: 10 more than a binary64 keeps.
  const int shift = std::max(0, formats::bit_length(magnitude) - 63);
  const auto top = static_cast<std::int64_t>(magnitude >> shift);
  const bool sticky = (magnitude & ((formats::UInt128{1} << shift) - 1)) != 0;
  const double value = static_cast<double>(top | static_cast<std::int64_t>(sticky)) * power_of_two(shift);
  return negative ? -value : value;
}

/// +/- an integer of 256 bits (the last limb is the highest) * 2^exponent.
struct Number256 {
  bool negative = false;
  int exponent = 0;
  std::array<std::uint64_t, 4> limbs{};
};

/// n * significand * 2^exponent.
Number256 product256(formats::Int128 n, formats::UInt128 significand, int exponent);

/// x to the nearest binary64, ties to even. A nonzero one must be a normal number of binary64.
double rounded(const Number256& x);

/// x - y to the nearest binary64, ties to even. Nonzero results must be normal numbers of binary64.
double rounded_difference(const Number256& x, const Number256& y);

}  // namespace accsim::sim
