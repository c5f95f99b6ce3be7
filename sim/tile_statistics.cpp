#include "sim/tile_statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/output_conversion.h"
#include "sim/output_number.h"
#include "sim/wide_round.h"

namespace accsim::sim {

using formats::Exact;
using formats::Int128;
using formats::NarrowExact;
using formats::UInt128;
using formats::Wide;

namespace {

constexpr int binades = 2800;  // about 2^0

/// n * 2^exponent.
Exact exact(Int128 n, int exponent) {
  if (n == 0) return Exact::zero();
  const bool negative = n < 0;
  return {negative, false, false, exponent, formats::widened(negative ? -static_cast<UInt128>(n) : static_cast<UInt128>(n))};
}

int bit_length_of(Int128 n) { return formats::bit_length(n < 0 ? -static_cast<UInt128>(n) : static_cast<UInt128>(n)); }

}  // namespace

Exact exact_dot(std::span<const double> a, std::span<const double> b) {
  ExactSum sum;
  for (std::size_t i = 0; i < a.size(); ++i) sum.add_product(a[i], b[i]);
  return sum.value();
}

Exact exact_dot(std::span<const Exact> a, std::span<const Exact> b) {
  Exact total = Exact::zero();
  for (std::size_t i = 0; i < a.size(); ++i) total = sum(total, product(a[i], b[i]));
  return total;
}

void LayerPart::merge(const LayerPart& other) {
  events.merge(other.events);
  errors.merge(other.errors);
  max_abs_product = std::max(max_abs_product, other.max_abs_product);
  max_abs_partial = std::max(max_abs_partial, other.max_abs_partial);
  saved_cycles += other.saved_cycles;
  max_abs_output = std::max(max_abs_output, other.max_abs_output);
  guaranteed.merge(other.guaranteed);
  observed = std::max(observed, other.observed);
  simulate_seconds += other.simulate_seconds;
  reference_seconds += other.reference_seconds;
}

OutputScales::OutputScales(const PassOperand& a, const PassOperand& b)
    : quantization_(product(formats::from_double<Wide>(a.scale), formats::from_double<Wide>(b.scale))) {}

Exact OutputScales::dataset(double a, double b) { return product(formats::from_double<Wide>(a), formats::from_double<Wide>(b)); }

/// The scales of the outputs of one column, while their rows have one scale.
struct TileStatistics::Scale {
  double dataset_a = std::numeric_limits<double>::quiet_NaN();
  Exact exact;
  ScaleFactor real, dataset;
  bool is_fast = false;
};

TileStatistics::TileStatistics(const Datapath& datapath, const LayerProblem& problem, const PassOperand& a, const PassOperand& b,
                               const PackPlan& plan)
    : datapath_(datapath),
      problem_(problem),
      a_(a),
      b_(b),
      plan_(plan),
      scales_(a, b),
      last_level_(datapath.last_level().rounded_format(), datapath.last_level().rounding),
      has_sums_(!plan.exact && plan.seen.lanes != nullptr),
      may_be_fast_(has_sums_ && problem.bias == nullptr && std::abs(datapath.output.shift) <= 64),
      may_be_lanes_(may_be_fast_ && !datapath.output.format && datapath.output.shift == 0),
      adds_step_by_step_(may_be_lanes_ && matrix_unit_key(datapath).empty() &&
                         std::all_of(datapath.levels.begin(), datapath.levels.end(), [](const Level& l) {
                           return l.kind == LevelKind::sequential || l.kind == LevelKind::tree || l.kind == LevelKind::interleaved;
                         })) {
  if (datapath.output.format && datapath.output.rounding.mode != formats::Rounding::sr)
    output_.emplace(*datapath.output.format, datapath.output.rounding);
}

Exact TileStatistics::real_bias(std::int64_t group, std::int64_t column) const {
  const std::int64_t element = problem_.lowering->bias_element(group, column);
  return product(problem_.bias->values.exact(element), formats::from_double<Wide>(problem_.bias->scale_of(element)));
}

void TileStatistics::add(const ExecutedTile& tile, LayerPart& part, LayerResult& result) const {
  if (has_sums_) {
    if (!outputs_are_sums(tile, part.sums))
      integer_products(plan_.seen, tile.a->seen_integers, tile.first_a, tile.rows, tile.b->seen_integers, tile.first_b, tile.columns,
                       plan_.k, part.sums);
    if (plan_.needs_traced && plan_.traced.lanes != nullptr) {
      integer_products(plan_.traced, tile.a->traced_integers, tile.first_a, tile.rows, tile.b->traced_integers, tile.first_b, tile.columns,
                       plan_.k, part.traced_sums);
    }
  }
  const bool on_lanes = may_be_lanes_ && !tile.executed->numbers.empty();
  const bool traced = plan_.needs_traced && plan_.traced.lanes != nullptr;
  RowRounder rounder(on_lanes ? part.batch.lanes() : nullptr, tile.columns, plan_.needs_traced);
  if (on_lanes) {
    if (part.inverse_spacings.empty()) part.inverse_spacings.assign(2048, std::numeric_limits<double>::quiet_NaN());
    for (std::int64_t c = 0; c < tile.columns; ++c)
      rounder.set_integers(c, tile.b->seen_integers.row(tile.first_b + c),
                           traced ? &tile.b->traced_integers.row(tile.first_b + c) : nullptr);
  }
  std::vector<Scale> scales(static_cast<std::size_t>(tile.columns));
  for (std::int64_t r = 0; r < tile.rows; ++r) {
    const double scale_a = tile.a->dataset_scale[static_cast<std::size_t>(tile.first_a + r)];
    if (scales.front().dataset_a != scale_a) set_scales(tile, scale_a, scales, on_lanes ? &rounder : nullptr);
    const char* done = nullptr;
    if (on_lanes) {
      const std::size_t at = static_cast<std::size_t>(r * tile.columns);
      const kernels::RoundedRow& row =
          rounder.round(&tile.executed->numbers[at], &part.sums[at], tile.a->seen_integers.row(tile.first_a + r),
                        traced ? &part.traced_sums[at] : nullptr, traced ? &tile.a->traced_integers.row(tile.first_a + r) : nullptr,
                        part.inverse_spacings);
      rounded_outputs(tile, r, row, part, result);
      done = row.done;
    }
    for (std::int64_t c = 0; c < tile.columns; ++c) {
      if (done != nullptr && done[c] != 0) continue;
      const Scale& scale = scales[static_cast<std::size_t>(c)];
      if (!may_be_fast_ || !scale.is_fast || !fast_output(tile, r, c, scale, part, result))
        slow_output(tile, r, c, scale.exact, part, result);
    }
  }
  part.batch.flush(part.errors);
}

/// Where every step delivered its exact value the outputs are the exact sums, and no product is needed to find these. False: some were not,
/// or cannot be taken over.
bool TileStatistics::outputs_are_sums(const ExecutedTile& tile, std::vector<Int128>& sums) const {
  const std::vector<double>& outputs = tile.executed->numbers;
  if (!adds_step_by_step_ || !tile.executed->events.every_step_was_exact() || outputs.empty()) return false;
  sums.resize(outputs.size());
  bool whole = true;
  for (std::int64_t r = 0; r < tile.rows; ++r) {
    const ProductRows::Row& row = tile.a->seen_integers.row(tile.first_a + r);
    if (!row.is_packed || !row.rests.empty()) return false;
    for (std::int64_t c = 0; c < tile.columns; ++c) {
      const auto i = static_cast<std::size_t>(r * tile.columns + c);
      const ProductRows::Row& column = tile.b->seen_integers.row(tile.first_b + c);
      const int unit = row.unit + column.unit;
      if (!column.is_packed || !column.rests.empty() || std::abs(unit) > farthest_output_unit) return false;
      const double units = outputs[i] * power_of_two(-unit);
      const bool fits = std::fabs(units) < 0x1p62;
      const auto n = static_cast<std::int64_t>(fits ? units : 0.0);
      sums[i] = n;
      whole &= fits && static_cast<double>(n) == units;
    }
  }
  return whole;
}

/// The scales of all columns for rows of one scale; neighbours mostly share theirs.
void TileStatistics::set_scales(const ExecutedTile& tile, double scale_a, std::vector<Scale>& scales, RowRounder* rounder) const {
  const auto scale_b = [&](std::int64_t c) { return tile.b->dataset_scale[static_cast<std::size_t>(tile.first_b + c)]; };
  for (std::int64_t c = 0; c < tile.columns; ++c) {
    Scale& scale = scales[static_cast<std::size_t>(c)];
    if (c > 0 && scale_b(c) == scale_b(c - 1)) {
      scale = scales[static_cast<std::size_t>(c) - 1];
      if (rounder != nullptr) rounder->copy_scales(c - 1, c);
      continue;
    }
    const Exact dataset = OutputScales::dataset(scale_a, scale_b(c));
    scale.dataset_a = scale_a;
    scale.exact = scales_.real(scale_a, scale_b(c));
    scale.real = factor_of(scale.exact);
    scale.dataset = factor_of(dataset);
    scale.is_fast = scale.real.significand != 0 && scale.dataset.significand != 0;
    if (rounder != nullptr) rounder->set_scales(c, scale.exact, dataset);
  }
}

/// What lanes have done of a row goes where it belongs.
void TileStatistics::rounded_outputs(const ExecutedTile& tile, std::int64_t r, const kernels::RoundedRow& row, LayerPart& part,
                                     LayerResult& result) const {
  const auto at = static_cast<std::size_t>(r * tile.columns);
  part.max_abs_output = std::max(part.max_abs_output, row.max_abs_output);
  part.events[Event::outputs_inexact] += row.inexact;
  const bool keeps = !result.reference.empty() || !result.output.empty();
  for (std::int64_t c = 0; c < tile.columns;) {
    const char* const whole = row.done;
    const char* const end_of_row = whole + tile.columns;
    const std::int64_t first = std::find(whole + c, end_of_row, char{1}) - whole;
    c = std::find(whole + first, end_of_row, char{0}) - whole;
    if (c > first) part.batch.add(row, first, c - first, part.errors);
    for (std::int64_t i = first; i < c; ++i) {
      const std::size_t output = at + static_cast<std::size_t>(i);
      if (tile.executed->overflowed[output] != 0) {
        const int unit = tile.a->seen_integers.row(tile.first_a + r).unit + tile.b->seen_integers.row(tile.first_b + i).unit;
        count_overflow(exact(part.sums[output], unit), part);
      }
      if (keeps)
        keep(result, static_cast<std::size_t>(tile.output_index[output]), tile.executed->output(output), row.y[i], row.reference[i]);
    }
  }
}

/// Where the exact sum is an integer in some unit that y shares: everything on machine integers. False: nothing was done.
bool TileStatistics::fast_output(const ExecutedTile& tile, std::int64_t r, std::int64_t c, const Scale& scale, LayerPart& part,
                                 LayerResult& result) const {
  const auto i = static_cast<std::size_t>(r * tile.columns + c);
  const ProductRows::Row& row = tile.a->seen_integers.row(tile.first_a + r);
  const ProductRows::Row& column = tile.b->seen_integers.row(tile.first_b + c);
  if (!row.is_packed || !column.is_packed || !row.rests.empty() || !column.rests.empty()) return false;
  const int unit = row.unit + column.unit;
  const int real_unit = unit + scale.real.exponent;
  OutputNumber y;
  Int128 n = 0;
  const int shift = datapath_.output.shift;
  if (std::abs(unit) > farthest_output_unit || std::abs(real_unit) > farthest_output_unit || !number_of(*tile.executed, i, y) ||
      !in_units(y, unit - shift, n))
    return false;
  const Int128 sum = part.sums[i];
  const Int128 error = n - sum;

  RoundedOutput rounded_output;
  const bool is_power = scale.real.is_power_of_two();
  const double units = rounded(error);
  if (is_power) {
    const double to_real = power_of_two(real_unit);
    rounded_output.error = units * to_real;
    rounded_output.reference = rounded(sum) * to_real;
    rounded_output.y = scale.real.exponent == 0 ? y.value : std::ldexp(y.value, scale.real.exponent);
  } else {
    const Number256 real_y = product256(y.negative ? -static_cast<Int128>(y.significand) : static_cast<Int128>(y.significand),
                                        scale.real.significand, y.exponent + scale.real.exponent);
    rounded_output.error = rounded(product256(error, scale.real.significand, real_unit));
    rounded_output.reference = rounded(product256(sum, scale.real.significand, real_unit));
    rounded_output.y = y.significand == 0 ? y.value : rounded(real_y);
  }
  rounded_output.comparable_y = shift == 0 ? rounded_output.y : std::ldexp(rounded_output.y, shift);
  if (plan_.needs_traced) {
    const ProductRows::Row& traced_row = tile.a->traced_integers.row(tile.first_a + r);
    const ProductRows::Row& traced_column = tile.b->traced_integers.row(tile.first_b + c);
    if (plan_.traced.lanes == nullptr || !traced_row.is_packed || !traced_column.is_packed || !traced_row.rests.empty() ||
        !traced_column.rests.empty())
      return false;
    const int traced_unit = traced_row.unit + traced_column.unit + scale.dataset.exponent;
    if (std::abs(traced_unit) > farthest_output_unit) return false;
    const Number256 signal = product256(part.traced_sums[i], scale.dataset.significand, traced_unit);
    rounded_output.signal = rounded(signal);
    rounded_output.quantization_noise = rounded_difference(product256(sum, scale.real.significand, real_unit), signal);
    rounded_output.total_noise = rounded_difference(product256(n, scale.real.significand, real_unit), signal);
  }
  const int sum_length = bit_length_of(sum);
  const int spacing_exponent = spacing(sum_length == 0 ? binades : sum_length - 1 + unit - shift, part) + shift;
  const int above_spacing = unit - spacing_exponent;
  if (error != 0)
    rounded_output.ulps =
        std::abs(above_spacing) <= farthest_output_unit ? units * power_of_two(above_spacing) : std::ldexp(units, above_spacing);

  part.batch.add(rounded_output, part.errors);
  const bool needs_conversion = output_ || shift != 0;
  if (!needs_conversion) {
    part.events[Event::outputs_inexact] += error != 0;
  } else {
    const Exact register_sum = exact(sum, unit);
    part.events[Event::outputs_inexact] +=
        !same_value(widened(tile.executed->output(i)), output_ ? converted(datapath_.output, *output_, register_sum, 0) : register_sum);
  }
  if (tile.executed->overflowed[i] != 0) count_overflow(exact(sum, unit), part);
  part.max_abs_output = std::max(part.max_abs_output, std::fabs(y.value));
  const auto index = static_cast<std::size_t>(tile.output_index[i]);
  if (!result.reference.empty() || !result.output.empty())
    keep(result, index, tile.executed->output(i), rounded_output.y, rounded_output.reference);
  return true;
}

void TileStatistics::slow_output(const ExecutedTile& tile, std::int64_t r, std::int64_t c, const Exact& scale, LayerPart& part,
                                 LayerResult& result) const {
  const auto i = static_cast<std::size_t>(r * tile.columns + c);
  const NarrowExact y = tile.executed->output(i);
  OutputValues values;
  values.y = widened(y);
  values.sum = dot(tile, r, c, false, part);
  values.scale = scale;
  values.bias = problem_.bias != nullptr ? real_bias(tile.group, tile.b->first + tile.first_b + c) : Exact::zero();
  values.shift = datapath_.output.shift;
  if (signal_is_reference()) {
    values.signal = product(values.sum, scale);
  } else {
    values.signal =
        product(dot(tile, r, c, true, part), OutputScales::dataset(tile.a->dataset_scale[static_cast<std::size_t>(tile.first_a + r)],
                                                                   tile.b->dataset_scale[static_cast<std::size_t>(tile.first_b + c)]));
  }
  values.signal = formats::sum(values.signal, values.bias);
  // What the register would hold without any rounding: the sum and C as it entered.
  const Exact register_sum = formats::sum(values.sum, tile.accumulator.empty() ? Exact::zero() : widened(tile.accumulator[i]));
  values.spacing_exponent = spacing_exponent(datapath_.result_format(), scaled(register_sum, -values.shift)) + values.shift;

  const RoundedOutput real = part.errors.add(values);
  part.events[Event::nonfinite_outputs] += !y.is_finite();
  part.events[Event::outputs_inexact] +=
      !same_value(values.y, output_ ? converted(datapath_.output, *output_, register_sum, 0) : register_sum);
  if (tile.executed->overflowed[i] != 0) count_overflow(register_sum, part);
  if (y.is_finite()) part.max_abs_output = std::max(part.max_abs_output, to_double(magnitude(y)));
  keep(result, static_cast<std::size_t>(tile.output_index[i]), y, real.y, real.reference);
}

void TileStatistics::count_overflow(const Exact& register_sum, LayerPart& part) const {
  ++part.events[Event::outputs_overflowed];
  ++part.events[last_level_.outside_range(register_sum) ? Event::outputs_persistent_overflow : Event::outputs_transient_overflow];
}

int TileStatistics::spacing(int binade, LayerPart& part) const {
  constexpr int unknown = std::numeric_limits<int>::min();
  const auto compute = [&](const Exact& x) { return spacing_exponent(datapath_.result_format(), x); };
  if (part.spacings.empty()) part.spacings.assign(2 * binades + 1, unknown);
  int& spacing = part.spacings[static_cast<std::size_t>(binade + binades)];
  if (spacing == unknown) {
    spacing = binade == binades ? compute(Exact::zero()) : compute(exact(1, binade));
    const int field = binade == binades ? 0 : binade + 1023;  // of a binary64 in the binade
    if (std::abs(spacing) <= 400 && field >= 0 && field < static_cast<int>(part.inverse_spacings.size()) &&
        (field > 0 || binade == binades))
      part.inverse_spacings[static_cast<std::size_t>(field)] = power_of_two(-spacing);
  }
  return spacing;
}

Exact TileStatistics::dot(const ExecutedTile& tile, std::int64_t r, std::int64_t c, bool traced, const LayerPart& part) const {
  const auto k = static_cast<std::size_t>(plan_.k);
  const std::size_t at_a = static_cast<std::size_t>(tile.first_a + r) * k;
  const std::size_t at_b = static_cast<std::size_t>(tile.first_b + c) * k;
  const bool traced_a = traced && a_.quantized;
  const bool traced_b = traced && b_.quantized;
  if (plan_.exact) {
    return exact_dot(std::span(traced_a ? tile.a->traced_exact : tile.a->seen_exact).subspan(at_a, k),
                     std::span(traced_b ? tile.b->traced_exact : tile.b->seen_exact).subspan(at_b, k));
  }
  const auto row_a = std::span(traced_a ? tile.a->traced : tile.a->seen).subspan(at_a, k);
  const auto row_b = std::span(traced_b ? tile.b->traced : tile.b->seen).subspan(at_b, k);
  const ProductPlan& products = traced ? plan_.traced : plan_.seen;
  if (!has_sums_ || products.lanes == nullptr) return exact_dot(row_a, row_b);
  const ProductRows::Row& a = (traced ? tile.a->traced_integers : tile.a->seen_integers).row(tile.first_a + r);
  const ProductRows::Row& b = (traced ? tile.b->traced_integers : tile.b->seen_integers).row(tile.first_b + c);
  if (!a.is_packed || !b.is_packed) return exact_dot(row_a, row_b);
  // (held_a + rest_a) b + held_a rest_b: the integers' sum, and what they leave out
  ExactSum sum;
  sum.add_integer((traced ? part.traced_sums : part.sums)[static_cast<std::size_t>(r * tile.columns + c)], a.unit + b.unit);
  for (const Rest& rest : a.rests) sum.add_product(rest.rest, row_b[static_cast<std::size_t>(rest.term)]);
  for (const Rest& rest : b.rests) sum.add_product(ProductRows::held(row_a[static_cast<std::size_t>(rest.term)], a.unit), rest.rest);
  return sum.value();
}

void TileStatistics::keep(LayerResult& result, std::size_t index, const NarrowExact& y, double real_y, double reference) const {
  if (!result.reference.empty()) result.reference[index] = reference;
  if (result.output.empty()) return;
  result.output[index] = real_y;
  if (result.code_words == 0) return;
  const formats::Code code = encode(y, datapath_.result_format());
  const auto words = static_cast<std::size_t>(result.code_words);
  result.output_code[index * words] = static_cast<std::uint64_t>(code);
  if (words == 2) result.output_code[index * words + 1] = static_cast<std::uint64_t>(code >> 64);
}

}  // namespace accsim::sim
