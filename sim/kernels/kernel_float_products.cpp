#include "sim/kernels/kernel_float_products.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace accsim::sim::kernels {

bool has_products(const formats::Format& format, const formats::RoundingSpec& spec, const OperandFacts& a, const OperandFacts& b) {
  const formats::Limits l = limits(format);
  if (!l.has_negative_zero) return false;
  if (a.precision == 0 || b.precision == 0) return true;
  const bool flushes = underflow_of(spec, format) == formats::Underflow::flush;
  return a.precision + b.precision <= l.precision && a.highest + b.highest + 1 < log2_floor(l.max_finite) &&
         a.lowest + b.lowest >= (flushes ? log2_floor(l.min_normal) + 1 : l.lsb_exponent);
}

/// Of each term the largest magnitudes meet; binary64's product is the exact one rounded once. A product of odd significands has at least
/// the bits of either, so only pairs of two brief operands can be values of the product's format.
TileProducts::TileProducts(const FloatLaneSet& set, const Datapath& datapath, const Tile& tile, const std::vector<char>& bad_rows,
                           const std::vector<char>& bad_columns, PackCache& a_cache, PackCache& b_cache, bool with_events, bool all_fit)
    : tile_(tile), bad_rows_(bad_rows), bad_columns_(bad_columns) {
  const int precision = datapath.product.format ? formats::limits(*datapath.product.format).precision : 53;
  const std::uint64_t low = precision >= 53 ? 0 : (std::uint64_t{1} << (53 - precision)) - 1;
  const Survey& a = survey(set, tile_.a, bad_rows_, low, a_cache);
  const Survey& b = survey(set, tile_.b, bad_columns_, low, b_cache);
  std::int64_t brief = 0;
  for (std::size_t k = 0; k < a.largest.size(); ++k) {
    largest_ = std::max(largest_, std::bit_cast<double>(a.largest[k]) * std::bit_cast<double>(b.largest[k]));
    nonzero_ += a.nonzero[k] * b.nonzero[k];
    brief += a.brief[k] * b.brief[k];
  }
  if (!with_events) return;
  mark_overflows(a, b, to_double(formats::limits(*datapath.product.format).max_finite));
  if (all_fit) return;
  few_brief_ = brief <= tile_.rows * tile_.columns * tile_.k / 128;
  if (!few_brief_) return;
  const double least = to_double(formats::limits(*datapath.product.format).min_normal);
  for (std::size_t k = 0; k < a.largest.size(); ++k) {
    if (a.brief[k] > 0 && b.brief[k] > 0) count_exact(k, low, least);
  }
}

const TileProducts::Survey& TileProducts::survey(const FloatLaneSet& set, std::span<const double> values, const std::vector<char>& bad,
                                                 std::uint64_t low, PackCache& cache) const {
  return cache.made<Survey>(low, [&] {
    const auto k = static_cast<std::size_t>(tile_.k);
    Survey s{std::vector<std::uint64_t>(k), std::vector<std::int64_t>(k), std::vector<std::int64_t>(k)};
    for (std::size_t line = 0; line < bad.size(); ++line) {
      if (bad[line] == 0) set.lanes64.survey(values.data() + line * k, tile_.k, low, s.largest.data(), s.nonzero.data(), s.brief.data());
    }
    return s;
  });
}

/// Outputs with a product beyond the finite range of its format. Binary64's product of two magnitudes is beyond where the exact one is,
/// or so near that truncation makes it the largest value.
void TileProducts::mark_overflows(const Survey& a, const Survey& b, double largest) {
  if (largest_ <= largest) return;
  overflowing_.assign(static_cast<std::size_t>(tile_.rows * tile_.columns), 0);
  std::int64_t found = 0;
  for (std::size_t k = 0; k < a.largest.size(); ++k) {
    const double top_a = std::bit_cast<double>(a.largest[k]);
    const double top_b = std::bit_cast<double>(b.largest[k]);
    if (top_a * top_b <= largest) continue;
    std::vector<std::int64_t> columns;
    for (std::int64_t c = 0; c < tile_.columns; ++c) {
      if (std::fabs(tile_.b[static_cast<std::size_t>(c * tile_.k) + k]) * top_a > largest) columns.push_back(c);
    }
    for (std::int64_t r = 0; r < tile_.rows && found <= tile_.rows * tile_.columns / 64; ++r) {
      const double x = std::fabs(tile_.a[static_cast<std::size_t>(r * tile_.k) + k]);
      if (!(x * top_b > largest)) continue;
      for (const std::int64_t c : columns) {
        if (!(x * std::fabs(tile_.b[static_cast<std::size_t>(c * tile_.k) + k]) > largest)) continue;
        overflowing_[static_cast<std::size_t>(r * tile_.columns + c)] = 1;
        ++found;
      }
    }
  }
  few_overflows_ = found <= tile_.rows * tile_.columns / 64;
}

bool TileProducts::overflows(std::int64_t first_column, std::int64_t columns, std::int64_t row, std::int64_t last_row) const {
  if (overflowing_.empty()) return false;
  for (std::int64_t r = row; r < last_row; ++r) {
    const auto first = overflowing_.begin() + r * tile_.columns + first_column;
    if (std::find(first, first + columns, 1) != first + columns) return true;
  }
  return false;
}

void TileProducts::count_exact(std::size_t k, std::uint64_t low, double least) {
  const auto brief_at = [&](std::span<const double> values, const std::vector<char>& bad) {
    std::vector<double> found;
    for (std::size_t line = 0; line < bad.size(); ++line) {
      const double x = values[line * static_cast<std::size_t>(tile_.k) + k];
      if (bad[line] == 0 && x != 0 && (std::bit_cast<std::uint64_t>(x) & low) == 0) found.push_back(x);
    }
    return found;
  };
  const std::vector<double> b = brief_at(tile_.b, bad_columns_);
  for (const double x : brief_at(tile_.a, bad_rows_)) {
    for (const double y : b) {
      const double p = x * y;  // of twice the format's bits: exact, or far below its smallest normal
      exact_ += std::fabs(p) >= least && (std::bit_cast<std::uint64_t>(p) & low) == 0 ? 1 : 0;
    }
  }
}

}  // namespace accsim::sim::kernels
