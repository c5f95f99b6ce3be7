#include "sim/weight_update.h"

#include <cmath>

#include "formats/round.h"
#include "sim/exact_sum.h"
#include "sim/random_site.h"

namespace accsim::sim {

using formats::Exact;
using formats::from_double;
using formats::Wide;

UpdateReport replay_update(std::span<const double> weights, std::span<const double> gradients, const WeightUpdate& update,
                           std::uint32_t layer) {
  const formats::Rounder rounder(update.format, update.rounding);
  formats::RoundingSpec nearest = update.rounding;
  nearest.mode = formats::Rounding::rne;
  const formats::Rounder to_nearest(update.format, nearest);
  const Exact min_normal = widened(formats::limits(update.format).min_normal);
  UpdateReport report;
  report.weights = static_cast<std::int64_t>(weights.size());
  report.weights_after.resize(weights.size());
  ExactSum delivered_ideal, ideal_ideal, error, magnitude;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double step = -update.learning_rate * gradients[i];
    const Exact first = to_nearest(from_double<Wide>(weights[i])).value;
    Exact weight = first;
    if (first.is_finite() && std::isfinite(step)) {
      RandomSite random(update.rounding, update.seed, {.output = i, .layer = layer, .pass = 3, .site = 0}, nullptr);
      for (int u = 0; u < update.updates; ++u) {
        const Exact before = weight;
        const std::uint32_t r = random.next();
        const bool is_nearest = update.nearest_subnormals && compare_magnitude(sum(before, from_double<Wide>(step)), min_normal) < 0;
        weight = (is_nearest ? to_nearest : rounder).rounded_sum(before, from_double<Wide>(step), r).value;
        report.nonzero += step != 0;
        report.swamped += step != 0 && same_value(before, weight);
      }
      if (weight.is_finite()) {
        const double delivered = to_double(sum(weight, negated(first)));
        const double ideal = step * update.updates;
        delivered_ideal.add_product(delivered, ideal);
        ideal_ideal.add_product(ideal, ideal);
        error.add(delivered);
        error.add(-ideal);
        magnitude.add(std::fabs(ideal));
      }
    }
    report.weights_after[i] = to_double(weight);
  }
  const auto ratio = [](const ExactSum& a, const ExactSum& b) {
    const double divisor = to_double(b.value());
    return divisor == 0 ? 0.0 : to_double(a.value()) / divisor;
  };
  report.survived = ratio(delivered_ideal, ideal_ideal);
  report.bias = ratio(error, magnitude);
  return report;
}

}  // namespace accsim::sim
