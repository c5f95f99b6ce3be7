// Random bits as functions of position: Philox4x32-10, and the hardware's LFSRs (contracts 1.3).
#pragma once

#include <array>
#include <cstdint>

#include "formats/rounding.h"

namespace accsim::formats {

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011; known answers of Random123).
std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

/// Where in a run a rounding happens.
struct RandomPosition {
  std::uint64_t output = 0;  ///< row-major index of the output element (or of the dataset's element)
  std::uint32_t layer = 0;   ///< rank of the layer in the whole file
  std::uint32_t pass = 0;    ///< 0 fprop, 1 dgrad, 2 wgrad
  std::uint32_t site = 0;    ///< 0 product, 1 + i reduction level i, 12 C, 13 output, 14 operand a, 15 operand b
};

/// The random words of one rounding site of one output, n = 0, 1, 2, ... in turn.
class PhiloxStream {
 public:
  PhiloxStream(std::uint64_t seed, const RandomPosition& position);
  std::uint32_t next();

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 4> words_{};
  std::uint32_t n_ = 0;
};

/// A linear feedback shift register: `next` hands out the low 32 bits of the state, then steps.
class Lfsr {
 public:
  /// `pe` is XORed into the seed where the generator is per PE; a state of 0 becomes 1.
  Lfsr(const LfsrSpec& spec, std::uint64_t pe);
  std::uint32_t next();
  [[nodiscard]] std::uint64_t state() const { return state_; }

 private:
  LfsrSpec spec_;
  std::uint64_t all_, state_;
};

}  // namespace accsim::formats
