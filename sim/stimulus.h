// Stimulus for RTL: rows of operand codes that reach the corners of a multiply-accumulate unit.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "formats/block.h"

namespace accsim::sim {

/// What a row is after. All but the first two aim its last product at the sum of what comes before it in the row. Scales of blocks are
/// drawn from all codes, from the corners or from the specials of their format by the class; where a class aims, they are powers of two
/// that bring the last block's products to where the aim is.
enum class StimulusClass {
  random,        ///< finite codes, uniform or of magnitudes near one another
  corners,       ///< half of the codes from the corners of their formats, the rest random
  limits,        ///< every code a corner: zeros, smallest and largest subnormals and normals, one and its neighbours, largest values
  ties,          ///< the sum lies half way between two results, or next to it
  cancellation,  ///< the last product cancels the sum, or all but its last places
  subnormals,    ///< operands, accumulator and sum at the lower end of the range
  specials,      ///< infinities, quiet and signalling NaN, zeros of both signs among ordinary codes
  overflow,      ///< the last product carries the sum to the end of the range, or just beyond
};
constexpr int stimulus_classes = 8;
std::string_view name_of(StimulusClass kind);

/// What a row drives: `terms` products and, where there is one, an accumulator.
struct StimulusUnit {
  formats::Format a, b, in, out;
  bool has_accumulator = true;
  int terms = 1;
  std::optional<formats::BlockFormat> a_blocks = {}, b_blocks = {};  ///< where a, b are the elements of block formats
};

struct StimulusRow {
  std::vector<formats::Code> a, b;
  std::vector<formats::Code> a_scales, b_scales;  ///< one a block
  formats::Code accumulator = 0;
};

class Stimulus {
 public:
  Stimulus(StimulusUnit unit, std::uint64_t seed);

  /// Row `number` of a class; the same for the same arguments. `accumulator`: what is fed back; unset: the class chooses it.
  [[nodiscard]] StimulusRow row(StimulusClass kind, std::uint64_t number, std::optional<formats::Code> accumulator) const;

 private:
  class Draw;
  StimulusUnit unit_;
  std::uint64_t seed_;
  std::vector<formats::Code> corners_a_, corners_b_, corners_c_, specials_a_, specials_b_, specials_c_;
};

}  // namespace accsim::sim
