// Quantizing a tensor as a recipe says, and counting what that loses.
#pragma once

#include <optional>

#include "sim/quantize.h"
#include "sim/recipe.h"

namespace accsim::sim {

struct RecipeContext {
  std::uint64_t seed = 0;              ///< of every rng=philox that names none
  formats::RandomPosition position{};  ///< layer, pass, site; its `output` is ignored. Sample s of an element uses n = s
  double delayed_amax = 0;             ///< for RecipeScale::delayed: the largest max|x| of the steps before; 0: none
  int threads = 1;                     ///< the result does not depend on it
};

/// A tensor in real units: (decode(code) - zero_point) * scale * factor, each product rounded to binary64. What has no scale and a factor
/// of one stays as it is.
Tensor real_tensor(Tensor tensor, double divisor = 1.0, double factor = 1.0);

/// The scale that the quantizer's rule gives these values: one for a tensor of zeros.
double recipe_scale(const RoleQuantizer& quantizer, const Values& values, double delayed_amax);

/// Quantizes every element: x / scale in binary64; to `through`; clamped; to the format. With several samples: their mean. A tensor that is
/// stored in the format passes unchanged, with counts of zero; so does one whose quantizer has no format.
QuantizedOperand quantize_role(const Tensor& tensor, const RoleQuantizer& quantizer, const RecipeContext& context,
                               QuantizationCounts& counts);

}  // namespace accsim::sim
