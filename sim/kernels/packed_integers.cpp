#include "sim/kernels/packed_integers.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "sim/interpreter.h"
#include "sim/output_conversion.h"

namespace accsim::sim::kernels {
namespace {

using formats::NarrowExact;

/// The exponent of the coarsest unit of which all are multiples; nothing where one is not finite.
std::optional<int> coarsest_unit(std::span<const double> values) {
  int unit = 1 << 20;
  for (const double value : values) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    const int field = static_cast<int>((bits >> 52) & 0x7FF);
    if (field == 0x7FF) return std::nullopt;
    std::uint64_t significand = bits & 0xFFFFFFFFFFFFFULL;
    if (field != 0) significand |= 1ULL << 52;
    if (significand != 0) unit = std::min(unit, std::max(field, 1) - 1075 + std::countr_zero(significand));
  }
  return unit == 1 << 20 ? 0 : unit;
}

bool narrow_in(std::span<const double> values, std::int64_t k, int unit, const IntegerLanes& lanes, Integers& integers) {
  if (unit < -1000 || unit > 1000) return false;
  integers.unit = unit;
  integers.narrow.resize(values.size());
  if (!lanes.narrow(values.data(), static_cast<std::int64_t>(values.size()), std::ldexp(1.0, -unit), integers.narrow.data())) {
    integers.narrow.clear();
    return false;
  }
  std::vector<std::int16_t> largest(static_cast<std::size_t>(k));
  lanes.see_largest(integers.narrow.data(), static_cast<std::int64_t>(values.size()) / k, k, largest.data());
  integers.largest.assign(largest.begin(), largest.end());
  return true;
}

}  // namespace

std::optional<Integers> integers_of(std::span<const double> values, std::int64_t k, const formats::Format* format,
                                    const IntegerLanes& lanes) {
  Integers integers;
  const formats::FixedFormat* fixed = format != nullptr ? format->as_fixed() : nullptr;
  if (narrow_in(values, k, fixed != nullptr ? -fixed->fraction_bits : 0, lanes, integers)) return integers;
  const std::optional<int> unit = coarsest_unit(values);
  if (!unit) return std::nullopt;
  if (narrow_in(values, k, *unit, lanes, integers)) return integers;
  integers.unit = *unit;
  integers.values.resize(values.size());
  integers.largest.assign(static_cast<std::size_t>(k), 0);
  constexpr double limit = 0x1p62;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double x = std::ldexp(values[i], -*unit);
    if (!(std::abs(x) < limit)) return std::nullopt;
    integers.values[i] = static_cast<std::int64_t>(x);
    std::int64_t& largest = integers.largest[i % static_cast<std::size_t>(k)];
    largest = std::max(largest, std::abs(integers.values[i]));
  }
  return integers;
}

std::span<const double> doubles_of(std::span<const double> values, std::span<const formats::Exact> exact, std::vector<double>& copies) {
  if (exact.empty()) return values;
  copies.reserve(exact.size());
  for (const formats::Exact& x : exact) copies.push_back(to_double(x));
  return copies;
}

void run_interpreter(const Datapath& datapath, const Tile& tile, TileResult& result) { interpreter().run(datapath, tile, result); }

bool has_unknown_keys(const Level& level) {
  Level known;
  known.kind = level.kind;
  known.terms = level.terms;
  known.issues = level.issues;
  known.format = level.format;
  known.round_to = level.round_to;
  known.rounding = level.rounding;
  known.fan_in = level.fan_in;
  known.ways = level.ways;
  known.combine = level.combine;
  known.fraction_bits = level.fraction_bits;
  known.align = level.align;
  known.with_accumulator = level.with_accumulator;
  known.zero_exponent = level.zero_exponent;
  known.normalize_products = level.normalize_products;
  known.subsets = level.subsets;
  known.sum_fraction_bits = level.sum_fraction_bits;
  known.result_fraction_bits = level.result_fraction_bits;
  known.join_align = level.join_align;
  known.drop_far_accumulator = level.drop_far_accumulator;
  known.width = level.width;
  known.lsb = level.lsb;
  known.bin_width = level.bin_width;
  return !(known == level);
}

bool has_unknown_keys(const Product& product) {
  Product known;
  known.format = product.format;
  known.rounding = product.rounding;
  known.permute = product.permute;
  return !(known == product);
}

std::string unknown_to_finish(const Datapath& d) {
  InitialAccumulator known;
  known.last = d.accumulator.last;
  known.level = d.accumulator.level;
  known.format = d.accumulator.format;
  known.rounding = d.accumulator.rounding;
  known.nan_is_all_ones = d.accumulator.nan_is_all_ones;  // for checks alone
  if (!(known == d.accumulator)) return "a key of [accumulator] that this kernel does not know";
  if (d.accumulator.last && d.accumulator_rounding().mode == formats::Rounding::sr) return "no stochastic rounding of C at the end";
  if (d.output.format && d.output.rounding.mode == formats::Rounding::sr) return "no stochastic rounding of the output";
  return {};
}

Finish::Finish(const Datapath& datapath, const Tile& tile) : tile_(tile), conversion_(datapath.output) {
  if (datapath.accumulator.last) last_.emplace(datapath.accumulator_format(), datapath.accumulator_rounding());
  if (datapath.output.format) output_.emplace(*datapath.output.format, datapath.output.rounding);
}

NarrowExact Finish::operator()(const NarrowExact& value, std::size_t i) const {
  try {
    return finished(value, i);
  } catch (const formats::DoesNotFit&) {
    return narrowed(finished(widened(value), i));
  }
}

template <class U>
formats::BasicExact<U> Finish::finished(formats::BasicExact<U> value, std::size_t i) const {
  if (last_) {
    formats::BasicExact<U> c = formats::BasicExact<U>::zero();
    if (!tile_.accumulator.empty()) {
      if constexpr (std::is_same_v<U, formats::UInt128>) c = tile_.accumulator[i];
      else c = widened(tile_.accumulator[i]);
    }
    value = (*last_)(sum(value, c, last_->zero_sum_is_negative())).value;
  }
  if (output_) value = converted(conversion_, *output_, value, 0);
  return value;
}

void deliver(std::vector<NarrowExact> values, TileResult& result) {
  result.numbers.resize(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    result.numbers[i] = to_double(values[i]);
    const bool same = values[i].nan || (values[i].is_zero() && std::signbit(result.numbers[i]) == values[i].negative) ||
                      same_value(formats::from_double<formats::UInt128>(result.numbers[i]), values[i]);
    if (same) continue;
    result.numbers.clear();
    result.outputs = std::move(values);
    return;
  }
}

}  // namespace accsim::sim::kernels
