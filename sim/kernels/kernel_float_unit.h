// Values, and what a format's rounding takes, in a lane's own bits.
#pragma once

#include "sim/kernels/kernel_float_proof.h"

namespace accsim::sim::kernels {

/// Lane values are values * 2^unit.
class LaneUnit {
 public:
  LaneUnit(const LaneType& lane, int unit) : lane_(lane), unit_(unit) {}

  /// Bits of a value in the lane; beyond its range the largest finite, below it zero.
  [[nodiscard]] std::uint64_t bits(const formats::NarrowExact& x) const;
  [[nodiscard]] FloatRounding rounding(const formats::Format& format, const formats::RoundingSpec& spec) const;

 private:
  [[nodiscard]] double value(const formats::NarrowExact& x) const;
  [[nodiscard]] std::uint64_t sign_bit(const formats::NarrowExact& x) const;

  const LaneType& lane_;
  int unit_;
};

}  // namespace accsim::sim::kernels
