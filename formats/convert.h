// Whole tensors of binary32 to codes and back, at the speed of the machine; bit for bit what Rounder gives, element by element.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "formats/format.h"
#include "formats/random.h"
#include "formats/rounding.h"

namespace accsim::formats {

/// What a conversion needs to know, worked out from a format and a rounding; plain numbers, so that the inner loops are plain too.
struct ConversionPlan {
  int fraction_bits = 0;
  int lowest_field = 0;         ///< the binary32 exponent field (1..254, below it where the format reaches lower) of the lowest binade
  bool flushes = false;         ///< no subnormals
  bool below_binary32 = false;  ///< binary32's subnormals have to be normalized first
  bool is_signed = true;
  std::int32_t least_code = 0, largest_code = 0;  ///< of the positive finite values, zero left aside
  std::uint32_t sign_bit = 0;
  std::uint32_t nan = 0;
  std::uint32_t zero[2] = {}, over[2] = {}, infinity[2] = {};  ///< by sign: too small, too large, infinite
  int random_bits = 0;                                         ///< 0: to nearest, ties to even
};

/// Quantizes binary32 to a float format of at most 16 bits, rne or sr of kind a with Philox.
class TensorQuantizer {
 public:
  /// True for float layouts of at most 16 bits, roundings rne and sr (kind a, Philox), and the underflow mode that the format has.
  static bool supports(const Format& format, const RoundingSpec& spec);
  /// The combination must be supported and have passed check_combination.
  TensorQuantizer(const Format& format, const RoundingSpec& spec);

  /// codes[i] = the code of values[i]. Under sr the random number of element i is word 0 of Philox with n = 0 and o = position.output + i
  /// (contracts 1.3, sites 14 and 15). Spans of one size.
  void operator()(std::span<const float> values, std::span<std::uint16_t> codes, std::uint64_t seed = 0,
                  const RandomPosition& position = {}) const;
  [[nodiscard]] const ConversionPlan& plan() const { return plan_; }

 private:
  ConversionPlan plan_;
};

/// The binary32 value of every code of a format of at most 16 bits; NaN is the quiet NaN. Throws InputError where binary32 does not hold
/// all of them.
std::vector<float> decoding_table(const Format& format);
/// values[i] = table[codes[i]].
void decode(std::span<const std::uint16_t> codes, const std::vector<float>& table, std::span<float> values);

/// The instruction set that the loops run with here: "avx2" or "baseline".
const char* conversion_instructions();

}  // namespace accsim::formats
