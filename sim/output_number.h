// Outputs and their scales as machine integers times powers of two.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "sim/executor.h"
#include "sim/wide_round.h"

namespace accsim::sim {

constexpr int farthest_output_unit = 600;  ///< units whose multiples of up to 256 bits are normal numbers of binary64

/// A positive number as an integer of at most 128 bits times a power of two; zero where it is none.
struct ScaleFactor {
  formats::UInt128 significand = 0;
  int exponent = 0;
  [[nodiscard]] bool is_power_of_two() const { return significand == 1; }
};
inline ScaleFactor factor_of(const formats::Exact& x) {
  if (x.negative || !x.is_nonzero_finite()) return {};
  const auto trailing = static_cast<int>(boost::multiprecision::lsb(x.significand));
  const formats::Wide odd = x.significand >> trailing;
  if (formats::bit_length(odd) > 128) return {};
  return {formats::narrowed(odd), x.exponent + trailing};
}

/// An output as an integer of at most 53 bits times a power of two.
struct OutputNumber {
  bool negative = false;
  std::uint64_t significand = 0;
  int exponent = 0;
  double value = 0;
};
/// False where it is not finite, or has more bits.
inline bool number_of(const TileResult& executed, std::size_t i, OutputNumber& y) {
  if (!executed.numbers.empty()) {
    y.value = executed.numbers[i];
    if (!std::isfinite(y.value)) return false;
    const auto bits = std::bit_cast<std::uint64_t>(y.value);
    const int field = static_cast<int>((bits >> 52) & 0x7FF);
    y.negative = (bits >> 63) != 0;
    y.significand = (bits & 0xFFFFFFFFFFFFFULL) | (field != 0 ? 1ULL << 52 : 0);
    y.exponent = std::max(field, 1) - 1075;
    return true;
  }
  const formats::NarrowExact& x = executed.outputs[i];
  if (!x.is_finite() || x.significand >> 53 != 0 || std::abs(x.exponent) > farthest_output_unit) return false;
  y = {x.negative, static_cast<std::uint64_t>(x.significand), x.exponent, 0};
  const double value = static_cast<double>(y.significand) * power_of_two(y.exponent);
  y.value = y.negative ? -value : value;
  return true;
}

/// y in units of 2^unit; false where it is no whole number of them, or has more than 126 bits.
inline bool in_units(const OutputNumber& y, int unit, formats::Int128& n) {
  n = 0;
  if (y.significand == 0) return true;
  const int shift = y.exponent - unit;
  const int trailing = std::countr_zero(y.significand);
  if (shift + trailing < 0 || shift > 126 - 53) return false;
  const formats::Int128 magnitude =
      shift >= 0 ? static_cast<formats::Int128>(y.significand) << shift : static_cast<formats::Int128>(y.significand >> -shift);
  n = y.negative ? -magnitude : magnitude;
  return true;
}

}  // namespace accsim::sim
