// Operand quantization: a tensor's values to a format, with the scale rule of the datapath (contracts 3, [operands]).
#pragma once

#include "formats/random.h"
#include "sim/datapath.h"
#include "sim/tensor.h"

namespace accsim::sim {

/// What quantizing the elements of a tensor did.
struct QuantizationCounts {
  std::int64_t values = 0;
  std::int64_t nonzero = 0;    ///< finite and not zero before
  std::int64_t zeroed = 0;     ///< of those, zero afterwards
  std::int64_t subnormal = 0;  ///< of those, below the format's smallest normal afterwards, and not zero
  std::int64_t clipped = 0;    ///< of those, brought into range: saturated, wrapped, clamped, or made infinite or NaN
  std::int64_t nonfinite = 0;  ///< infinities and NaN afterwards
  void merge(const QuantizationCounts& other);
  bool operator==(const QuantizationCounts&) const = default;
};

/// What the datapath sees of a tensor.
struct QuantizedOperand {
  Values values;         ///< what enters the datapath
  double scale = 1.0;    ///< results are multiplied by it (beside the dataset's own scales)
  bool changed = false;  ///< false: the tensor's own values pass as they are (`values` is then empty)
};

/// Of values that pass as they are: nothing is lost.
QuantizationCounts counts_as_is(const Values& values);

/// max|x| over the finite elements; 0 for none.
double amax(const Values& values, int threads = 1);
/// The scale that the operand's rule gives this tensor: one for a tensor of zeros.
double operand_scale(const Operand& operand, const Values& values, int threads = 1);

/// x / scale in binary64, rounded to the operand's format. A tensor stored in that format passes unchanged.
/// `position` gives seed-independent facts of the random bits: layer, pass, site 14 or 15; its `output` is ignored.
/// The same for any number of threads.
QuantizedOperand quantize_operand(const Tensor& tensor, const Operand& operand, std::uint64_t seed, const formats::RandomPosition& position,
                                  int threads = 1);

}  // namespace accsim::sim
