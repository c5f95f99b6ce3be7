#include "sim/product_rows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "sim/wide_round.h"

namespace accsim::sim {

using formats::Int128;
using formats::UInt128;
using kernels::ProductCarrier;

namespace {

constexpr std::int64_t most_terms = std::int64_t{1} << 24;  // sums of 2^102 stay below 2^126
constexpr int farthest = 900;                               // units whose powers of two, and their products with 53 bits, are normal

/// The exponent of the last significant bit and that of the first, over the nonzero values of a row.
struct Exponents {
  int lowest = 1 << 20, highest = -(1 << 20);
  bool nonfinite = false;
};
Exponents exponents_of(std::span<const double> values) {
  Exponents e;
  for (const double value : values) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    const int field = static_cast<int>((bits >> 52) & 0x7FF);
    const std::uint64_t fraction = bits & 0xFFFFFFFFFFFFFULL;
    if (field == 0x7FF) e.nonfinite = true;
    const std::uint64_t significand = field != 0 ? fraction | (1ULL << 52) : fraction;
    if (significand == 0) continue;
    const int base = std::max(field, 1) - 1075;
    e.lowest = std::min(e.lowest, base + std::countr_zero(significand));
    e.highest = std::max(e.highest, base + 63 - std::countl_zero(significand));
  }
  return e;
}

int width_of(const OperandFacts& f) { return f.precision == 0 ? 0 : f.highest - f.lowest + 1; }

}  // namespace

ProductPlan plan_products(const OperandFacts& a, const OperandFacts& b, std::int64_t k, const kernels::ProductLanes& lanes) {
  ProductPlan plan;
  if (k > most_terms) return plan;
  plan.lanes = &lanes;
  const auto near = [](const OperandFacts& f) { return f.precision == 0 || (f.lowest > -farthest && f.highest < farthest); };
  if (width_of(a) + width_of(b) <= kernels::narrow_bits && near(a) && near(b)) {
    plan.carrier = ProductCarrier::narrow;
    plan.bits = std::max(width_of(a), width_of(b));
    plan.unit_a = a.precision == 0 ? 0 : a.lowest;
    plan.unit_b = b.precision == 0 ? 0 : b.lowest;
    return plan;
  }
  plan.carrier = lanes.wide_carrier;
  plan.bits = plan.carrier == ProductCarrier::words ? kernels::word_bits : kernels::split_bits;
  return plan;
}

void ProductRows::resize(const ProductPlan& plan, Side side, std::int64_t rows, std::int64_t k) {
  plan_ = plan;
  side_ = side;
  k_ = k;
  lines_ = side == Side::a ? kernels::product_rows : kernels::product_columns;
  rows_.resize(static_cast<std::size_t>(rows));
  const std::int64_t groups = (rows + lines_ - 1) / lines_;
  const auto words = static_cast<std::size_t>(groups * lines_ * k * kernels::words_of(plan.carrier));
  if (words > capacity_) {
    words_.reset();
    words_.reset(static_cast<std::uint64_t*>(::operator new (8 * words, std::align_val_t{64})));
    capacity_ = words;
  }
  // Lines beyond the last row are multiplied with the others; their sums are not looked at, but they must be numbers.
  const std::int64_t last = lines_ * k * kernels::words_of(plan.carrier);
  if (groups > 0 && groups * lines_ != rows) std::memset(words_.get() + (groups - 1) * last, 0, static_cast<std::size_t>(8 * last));
}

double ProductRows::held(double value, int unit) { return std::trunc(value * power_of_two(-unit)) * power_of_two(unit); }

void ProductRows::put(std::int64_t row, std::int64_t term, std::int64_t n) {
  std::uint64_t* word = words_.get() + (row / lines_ * k_ + term) * lines_ * kernels::words_of(plan_.carrier) + row % lines_;
  switch (plan_.carrier) {
    case ProductCarrier::narrow: *word = std::bit_cast<std::uint64_t>(static_cast<double>(n)); break;
    case ProductCarrier::split: {
      const std::int64_t high = (n + (1 << 21)) >> 22;
      word[0] = std::bit_cast<std::uint64_t>(static_cast<double>(high));
      word[lines_] = std::bit_cast<std::uint64_t>(static_cast<double>(n - high * (1 << 22)));
      break;
    }
    case ProductCarrier::words: *word = static_cast<std::uint64_t>(n + (std::int64_t{1} << 51)); break;
  }
}

void ProductRows::pack(std::int64_t row, std::span<const double> values) {
  Row& r = rows_[static_cast<std::size_t>(row)];
  r = {};
  bool fits = true;
  if (plan_.carrier == ProductCarrier::narrow) {
    r.unit = side_ == Side::a ? plan_.unit_a : plan_.unit_b;
    r.is_packed = std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); });
  } else {
    const Exponents e = exponents_of(values);
    const bool any = e.highest >= e.lowest;
    fits = !any || e.highest - e.lowest + 1 <= plan_.bits;
    r.unit = !any ? 0 : fits ? e.lowest : e.highest + 1 - plan_.bits;
    r.is_packed = !e.nonfinite && r.unit > -farthest && (!any || e.highest < farthest);
  }
  const auto k = static_cast<std::int64_t>(values.size());
  if (!r.is_packed) {
    for (std::int64_t i = 0; i < k; ++i) put(row, i, 0);
    return;
  }
  const double to_units = power_of_two(-r.unit);
  std::int64_t sum = 0;  // |n| < 2^51: carried every 2^10 terms
  for (std::int64_t i = 0; i < k; ++i) {
    const double x = values[static_cast<std::size_t>(i)];
    const auto n = static_cast<std::int64_t>(x * to_units);
    put(row, i, n);
    sum += n;
    if ((i & 1023) == 1023) {
      r.sum += sum;
      sum = 0;
    }
    if (!fits) {
      const double rest = x - static_cast<double>(n) * power_of_two(r.unit);
      if (rest != 0) r.rests.push_back({i, rest});
    }
  }
  r.sum += sum + static_cast<Int128>(k) * (Int128{1} << 51);
}

void integer_products(const ProductPlan& plan, const ProductRows& a, std::int64_t first_a, std::int64_t rows, const ProductRows& b,
                      std::int64_t first_b, std::int64_t columns, std::int64_t k, std::vector<Int128>& sums) {
  using kernels::product_columns;
  using kernels::product_rows;
  sums.resize(static_cast<std::size_t>(rows * columns));
  const kernels::ProductFunction product = plan.carrier == ProductCarrier::narrow ? plan.lanes->narrow : plan.lanes->wide;
  const bool offset = plan.carrier == ProductCarrier::words;
  // n_a n_b = (n_a + o)(n_b + o) - o (n_a + o) - o (n_b + o) + o^2, modulo 2^128
  const UInt128 square = static_cast<UInt128>(k) << 102;
  // Terms of a block of columns stay in the first cache while all rows pass.
  constexpr std::int64_t terms = 512;
  const std::int64_t words = kernels::words_of(plan.carrier);
  std::vector<Int128> blocks(static_cast<std::size_t>((rows + product_rows - 1) / product_rows * product_rows * product_columns));
  for (std::int64_t c = 0; c < columns; c += product_columns) {
    std::fill(blocks.begin(), blocks.end(), Int128{0});
    for (std::int64_t first = 0; first < k; first += terms) {
      for (std::int64_t r = 0; r < rows; r += product_rows) {
        product(a.group(first_a + r) + first * product_rows * words, b.group(first_b + c) + first * product_columns * words,
                std::min(terms, k - first), &blocks[static_cast<std::size_t>(r * product_columns)]);
      }
    }
    for (std::int64_t r = 0; r < rows; r += product_rows) {
      const Int128* block = &blocks[static_cast<std::size_t>(r * product_columns)];
      for (std::int64_t i = 0; i < std::min(product_rows, rows - r); ++i) {
        const UInt128 sum_a = offset ? static_cast<UInt128>(a.row(first_a + r + i).sum) << 51 : 0;
        for (std::int64_t j = 0; j < std::min(product_columns, columns - c); ++j) {
          auto sum = static_cast<UInt128>(block[i * product_columns + j]);
          if (offset) sum += square - sum_a - (static_cast<UInt128>(b.row(first_b + c + j).sum) << 51);
          sums[static_cast<std::size_t>((r + i) * columns + c + j)] = static_cast<Int128>(sum);
        }
      }
    }
  }
}

}  // namespace accsim::sim
