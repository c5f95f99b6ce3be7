// Weight updates in a narrow format: what of learning rate x gradient reaches the master weight.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "formats/random.h"
#include "formats/rounding.h"

namespace accsim::sim {

struct WeightUpdate {
  formats::Format format;  ///< of the master weight
  formats::RoundingSpec rounding;
  bool nearest_subnormals = false;  ///< sums below the smallest normal are rounded to nearest even, whatever `rounding` says
  double learning_rate = 0.01;
  int updates = 1;         ///< how often the gradient is applied
  std::uint64_t seed = 0;  ///< of an rng=philox that names none
};

/// Sums are exact, then rounded once.
struct UpdateReport {
  std::int64_t weights = 0;
  std::int64_t nonzero = 0;  ///< additions of an update that is not zero
  std::int64_t swamped = 0;  ///< of those, the ones that left the weight as it was
  double survived = 0;       ///< sum(delivered * ideal) / sum(ideal^2): 1 where all of the update arrives; 0 for none
  double bias = 0;           ///< mean(delivered - ideal) / mean|ideal|
  std::vector<double> weights_after;
};

/// w := round(w - learning_rate * gradient), `updates` times, from the weight rounded to the format to nearest even. learning_rate *
/// gradient is rounded once, to binary64; the sum is exact before it is rounded. Ideal: updates * (-learning_rate * gradient). Elements
/// whose weight or gradient is not finite are left out. Random bits: Philox at pass 3, site 0 of the layer, o the element, n the ordinal of
/// the update.
UpdateReport replay_update(std::span<const double> weights, std::span<const double> gradients, const WeightUpdate& update,
                           std::uint32_t layer);

}  // namespace accsim::sim
