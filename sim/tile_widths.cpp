#include "sim/tile_widths.h"

#include <algorithm>
#include <cmath>

namespace accsim::sim {

using formats::Exact;
using formats::Wide;

TileWidths::TileWidths(const Datapath& datapath, const LayerFacts& facts, IntegerRange a, IntegerRange b, bool exact)
    : datapath_(datapath),
      k_(facts.k),
      range_a_(std::move(a)),
      range_b_(std::move(b)),
      exact_(exact),
      prefixes_(datapath, facts, range_a_.spacing_exponent, range_b_.spacing_exponent, kernels::prefix_lanes().back()),
      order_(term_order(datapath, facts.k)) {}

/// The guaranteed widths of the tile's columns.
void TileWidths::add_weights(const ExecutedTile& place, LayerPart& part) const {
  const auto k = static_cast<std::size_t>(k_);
  const int spacing = range_b_.spacing_exponent;
  const bool in_machine_integers =
      !exact_ && std::abs(spacing) <= 500 && formats::bit_length(range_b_.magnitude) + formats::bit_length(Wide(k_)) <= 62;
  std::vector<Wide> weights(in_machine_integers ? 0 : k);
  for (std::int64_t c = 0; c < place.columns; ++c) {
    const std::size_t at = static_cast<std::size_t>(place.first_b + c) * k;
    if (in_machine_integers) {
      const double to_units = std::ldexp(1.0, -spacing);
      std::int64_t positive = 0;
      std::int64_t negative = 0;
      for (std::size_t i = 0; i < k; ++i) {
        const auto q = static_cast<std::int64_t>(place.b->seen[at + i] * to_units);
        positive += std::max<std::int64_t>(q, 0);
        negative -= std::min<std::int64_t>(q, 0);
      }
      part.guaranteed.merge(guaranteed_widths(range_a_, range_b_, k_, Wide(positive), Wide(negative)));
      continue;
    }
    for (std::size_t i = 0; i < k; ++i)
      weights[i] = units(exact_ ? place.b->seen_exact[at + i] : formats::from_double<Wide>(place.b->seen[at + i]), spacing);
    part.guaranteed.merge(guaranteed_widths(range_a_, range_b_, weights));
  }
}

void TileWidths::add(const ExecutedTile& place, LayerPart& part) const {
  const PackedRows& a = *place.a;
  const PackedRows& b = *place.b;
  const std::span<const formats::NarrowExact> accumulator = place.accumulator;
  const auto k = static_cast<std::size_t>(k_);
  const auto rows_of = [&](const PackedNumbers& all, std::int64_t first, std::int64_t rows) {
    return std::span(all).subspan(static_cast<std::size_t>(first) * k, static_cast<std::size_t>(rows) * k);
  };
  const auto exact_operand = [&](const PackedNumbers& doubles, const std::vector<Exact>& exacts, std::size_t at) {
    return exact_ ? exacts[at] : formats::from_double<Wide>(doubles[at]);
  };
  if (a.first + place.first_a == 0) add_weights(place, part);
  if (!exact_ && accumulator.empty() && prefixes_.supported()) {
    // Where every step was exact the prefixes are the partial sums, of which the largest magnitude is known: a width of one bit more than
    // it has, of either sign, unless it is a power of two.
    const double largest = std::ldexp(place.executed->max_abs_partial, -(range_a_.spacing_exponent + range_b_.spacing_exponent));
    int bits = 0;
    if (place.executed->events.every_step_was_exact() && largest > 0 && std::frexp(largest, &bits) != 0.5) {
      part.observed = std::max(part.observed, bits + 1);
      return;
    }
    part.observed = std::max(part.observed, prefixes_.width(rows_of(a.seen, place.first_a, place.rows),
                                                            rows_of(b.seen, place.first_b, place.columns), place.rows, place.columns));
    return;
  }
  const int unit = range_a_.spacing_exponent + range_b_.spacing_exponent;
  const int widest = formats::bit_length(range_a_.magnitude) + formats::bit_length(range_b_.magnitude) + formats::bit_length(Wide(k_)) + 2;
  const bool in_machine_integers = !exact_ && widest <= 120 && accumulator.empty();
  std::vector<formats::Int128> machine(k);
  std::vector<Exact> products(k);
  for (std::int64_t r = 0; r < place.rows; ++r) {
    for (std::int64_t c = 0; c < place.columns; ++c) {
      const std::size_t at_a = static_cast<std::size_t>(place.first_a + r) * k;
      const std::size_t at_b = static_cast<std::size_t>(place.first_b + c) * k;
      for (std::size_t i = 0; i < k; ++i) {
        const auto from = static_cast<std::size_t>(order_[i]);
        if (in_machine_integers) {
          machine[i] = static_cast<formats::Int128>(std::ldexp(a.seen[at_a + from], -range_a_.spacing_exponent)) *
                       static_cast<formats::Int128>(std::ldexp(b.seen[at_b + from], -range_b_.spacing_exponent));
        } else {
          products[i] = product(exact_operand(a.seen, a.seen_exact, at_a + from), exact_operand(b.seen, b.seen_exact, at_b + from));
        }
      }
      const Exact initial = accumulator.empty() ? Exact::zero() : widened(accumulator[static_cast<std::size_t>(r * place.columns + c)]);
      part.observed = std::max(
          part.observed, in_machine_integers ? observed_width(datapath_, machine, 0) : observed_width(datapath_, products, initial, unit));
    }
  }
}

}  // namespace accsim::sim
