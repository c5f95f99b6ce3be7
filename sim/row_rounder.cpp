#include "sim/row_rounder.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "sim/wide_round.h"

namespace accsim::sim {

using formats::Exact;
using formats::Int128;

namespace {

constexpr int farthest_unit = 150;
constexpr double unusable = std::numeric_limits<double>::quiet_NaN();

bool is_usable(const ProductRows::Row& row) { return row.is_packed && row.rests.empty() && std::abs(row.unit) <= farthest_unit; }

bool is_power_of_two(double x) {
  int exponent = 0;
  return std::frexp(x, &exponent) == 0.5;
}

}  // namespace

RowRounder::RowRounder(const kernels::BatchLanes* lanes, std::int64_t columns, bool traced)
    : lanes_(lanes), whole_(lanes == nullptr ? 0 : columns / kernels::output_lanes * kernels::output_lanes), traced_(traced) {
  const auto size = static_cast<std::size_t>(columns);
  done_.assign(size, 0);
  for (Numbers* numbers : {&units_, &scale_high_, &scale_low_, &error_, &reference_, &y_}) numbers->resize(size);
  if (traced)
    for (Numbers* numbers : {&traced_units_, &dataset_high_, &dataset_low_, &signal_, &quantization_noise_, &total_noise_})
      numbers->resize(size);
}

void RowRounder::set_integers(std::int64_t column, const ProductRows::Row& seen, const ProductRows::Row* traced) {
  const auto c = static_cast<std::size_t>(column);
  units_[c] = is_usable(seen) ? power_of_two(seen.unit) : unusable;
  if (traced_) traced_units_[c] = traced != nullptr && is_usable(*traced) ? power_of_two(traced->unit) : unusable;
}

void RowRounder::set_scale(std::int64_t column, const Exact& scale, Numbers& high, Numbers& low) {
  const auto c = static_cast<std::size_t>(column);
  powers_known_ = false;
  high[c] = low[c] = unusable;
  if (!scale.is_nonzero_finite() || scale.negative) return;
  const int first = log2_floor(scale);
  const int last = scale.exponent + static_cast<int>(boost::multiprecision::lsb(scale.significand));
  if (first >= 100 || first <= -100 || last < -230) return;
  const double leading = to_double(scale);
  const Exact rest = formats::sum(scale, negated(formats::from_double<formats::Wide>(leading)));
  const double trailing = to_double(rest);
  if (!formats::sum(rest, negated(formats::from_double<formats::Wide>(trailing))).is_zero()) return;
  high[c] = leading;
  low[c] = trailing;
}

void RowRounder::set_scales(std::int64_t column, const Exact& real, const Exact& dataset) {
  set_scale(column, real, scale_high_, scale_low_);
  if (traced_) set_scale(column, dataset, dataset_high_, dataset_low_);
}

void RowRounder::copy_scales(std::int64_t from, std::int64_t to) {
  const auto copy = [&](Numbers& numbers) { numbers[static_cast<std::size_t>(to)] = numbers[static_cast<std::size_t>(from)]; };
  copy(scale_high_);
  copy(scale_low_);
  if (!traced_) return;
  copy(dataset_high_);
  copy(dataset_low_);
}

const kernels::RoundedRow& RowRounder::round(const double* y, const Int128* sums, const ProductRows::Row& row, const Int128* traced_sums,
                                             const ProductRows::Row* traced_row, const std::vector<double>& inverse_spacings) {
  row_ = {.error = error_.data(),
          .reference = reference_.data(),
          .y = y_.data(),
          .signal = signal_.data(),
          .quantization_noise = quantization_noise_.data(),
          .total_noise = total_noise_.data(),
          .done = done_.data()};
  const bool usable =
      whole_ > 0 && is_usable(row) && (!traced_ || (traced_row != nullptr && traced_sums != nullptr && is_usable(*traced_row)));
  if (!usable) {
    std::fill(done_.begin(), done_.end(), 0);
    return row_;
  }
  if (!powers_known_) {
    powers_of_two_ = are_powers();
    powers_known_ = true;
  }
  lanes_->round({.y = y,
                 .sums = sums,
                 .units = units_.data(),
                 .row_unit = power_of_two(row.unit),
                 .scale_high = scale_high_.data(),
                 .scale_low = scale_low_.data(),
                 .traced_sums = traced_ ? traced_sums : nullptr,
                 .traced_units = traced_units_.data(),
                 .traced_row_unit = traced_ ? power_of_two(traced_row->unit) : 1,
                 .dataset_high = dataset_high_.data(),
                 .dataset_low = dataset_low_.data(),
                 .powers_of_two = powers_of_two_,
                 .inverse_spacings = inverse_spacings.data()},
                whole_, row_);
  return row_;
}

bool RowRounder::are_powers() const {
  const auto powers = [](const Numbers& high, const Numbers& low) {
    for (std::size_t c = 0; c < high.size(); ++c) {
      if (low[c] != 0 || !is_power_of_two(high[c])) return false;
    }
    return true;
  };
  return powers(scale_high_, scale_low_) && (!traced_ || powers(dataset_high_, dataset_low_));
}

}  // namespace accsim::sim
