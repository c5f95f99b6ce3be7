#include "sim/product_rows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "sim/kernels/kernel_float.h"
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
  kernels::FloatScan found;
  kernels::scan_values(values, found);
  e.nonfinite = found.nonfinite;
  if (found.largest == 0) return e;
  e.lowest = std::ilogb(std::bit_cast<double>(found.lowest));
  e.highest = std::ilogb(std::bit_cast<double>(found.largest));
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
  plan.carrier = lanes.wide_carrier();
  plan.bits = plan.carrier == ProductCarrier::words ? kernels::word_bits : kernels::split_bits;
  return plan;
}

void ProductRows::resize(const ProductPlan& plan, Side side, std::int64_t rows, std::int64_t k) {
  plan_ = plan;
  side_ = side;
  terms_ = plan.carrier == ProductCarrier::words ? k + k % 2 : k;
  lines_ = side == Side::a ? kernels::product_rows : kernels::product_columns;
  rows_.resize(static_cast<std::size_t>(rows));
  const std::int64_t groups = (rows + lines_ - 1) / lines_;
  const auto words = static_cast<std::size_t>(groups * lines_ * terms_ * kernels::words_of(plan.carrier));
  if (words > capacity_) {
    words_.reset();
    words_.reset(static_cast<std::uint64_t*>(::operator new (8 * words, std::align_val_t{64})));
    capacity_ = words;
  }
  // Lines beyond the last row are multiplied with the others; their sums are not looked at, but they must be numbers.
  const std::int64_t last = lines_ * terms_ * kernels::words_of(plan.carrier);
  if (groups > 0 && groups * lines_ != rows) std::memset(words_.get() + (groups - 1) * last, 0, static_cast<std::size_t>(8 * last));
}

double ProductRows::held(double value, int unit) { return std::trunc(value * power_of_two(-unit)) * power_of_two(unit); }

/// The integers of a row that is packed, and what they leave out.
template <ProductCarrier carrier>
void ProductRows::put_all(std::int64_t row, std::span<const double> values) {
  Row& r = rows_[static_cast<std::size_t>(row)];
  const double to_units = power_of_two(-r.unit);
  const std::int64_t lines = lines_;
  std::uint64_t* word = words_.get() + (row / lines * terms_) * lines * kernels::words_of(carrier) + row % lines;
  std::uint64_t sum_low = 0;  // words: of all n + offset, in two halves
  std::uint64_t sum_high = 0;
  std::uint64_t before = 0;
  UInt128 pairs = 0;
  for (std::size_t i = 0; i < values.size(); ++i, word += lines * kernels::words_of(carrier)) {
    const auto n = static_cast<std::int64_t>(values[i] * to_units);
    if constexpr (carrier == ProductCarrier::narrow) {
      *word = std::bit_cast<std::uint64_t>(static_cast<double>(n));
    } else if constexpr (carrier == ProductCarrier::split) {
      const std::int64_t high = (n + (1 << 21)) >> 22;
      word[0] = std::bit_cast<std::uint64_t>(static_cast<double>(high));
      word[lines] = std::bit_cast<std::uint64_t>(static_cast<double>(n - high * (1 << 22)));
    } else {
      const auto u = static_cast<std::uint64_t>(n + kernels::word_offset);
      *word = u;
      sum_low += u & 0xFFFFFFFFULL;
      sum_high += u >> 32;
      if ((i & 1) != 0) pairs += static_cast<UInt128>(before) * u;
      before = u;
    }
  }
  if constexpr (carrier == ProductCarrier::words) {
    if ((values.size() & 1) != 0) *word = 0;
    r.correction = pairs + (((static_cast<UInt128>(sum_high) << 32) + sum_low) << kernels::word_bits);
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
  const std::vector<double> zeros(r.is_packed ? 0 : values.size());
  const std::span<const double> packed = r.is_packed ? values : std::span(zeros);
  switch (plan_.carrier) {
    case ProductCarrier::narrow: put_all<ProductCarrier::narrow>(row, packed); break;
    case ProductCarrier::split: put_all<ProductCarrier::split>(row, packed); break;
    case ProductCarrier::words: put_all<ProductCarrier::words>(row, packed); break;
  }
  if (fits || !r.is_packed) return;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double rest = values[i] - held(values[i], r.unit);
    if (rest != 0) r.rests.push_back({static_cast<std::int64_t>(i), rest});
  }
}

namespace {

using kernels::product_columns;
using kernels::product_rows;
constexpr std::int64_t block_sums = product_rows * product_columns;
struct alignas(64) Halves {
  std::uint64_t at[2 * block_sums] = {};
};

/// All rows of a tile against some groups of its columns.
class Strip {
 public:
  Strip(const ProductPlan& plan, const ProductRows& a, std::int64_t first_a, std::int64_t rows, const ProductRows& b, std::int64_t k)
      : plan_(plan), a_(a), b_(b), first_a_(first_a), rows_(rows), k_(k), row_blocks_((rows + product_rows - 1) / product_rows) {}

  /// The sums of columns first_b..first_b+width, to rows of `stride`.
  void operator()(std::int64_t first_b, std::int64_t width, Int128* to, std::int64_t stride) {
    first_b_ = first_b;
    groups_ = (width + product_columns - 1) / product_columns;
    const bool in_words = plan_.carrier == ProductCarrier::words;
    const auto blocks = static_cast<std::size_t>(groups_ * row_blocks_);
    if (!in_words || a_.terms() > kernels::word_terms) sums_.assign(blocks * block_sums, 0);
    if (in_words && halves_.size() < blocks) halves_.resize(blocks, Halves{});
    // Terms of some groups of columns stay in the first cache while all rows pass, those of the strip in the second.
    const std::int64_t terms = in_words ? 128 : 256;
    static_assert(kernels::word_terms % 128 == 0);
    for (std::int64_t first = 0; first < a_.terms(); first += terms) {
      if (in_words && first > 0 && first % kernels::word_terms == 0) carry();
      add_terms(first, std::min(terms, a_.terms() - first), in_words ? 2 : 1);
    }
    for (std::int64_t group = 0; group < groups_; ++group) {
      const std::int64_t columns = std::min(product_columns, width - group * product_columns);
      if (in_words) deliver_words(group, columns, to + group * product_columns, stride);
      else deliver_sums(group, columns, to + group * product_columns, stride);
    }
  }

 private:
  void add_terms(std::int64_t first, std::int64_t n, std::int64_t groups_at_once) {
    const std::int64_t words = kernels::words_of(plan_.carrier);
    const kernels::ProductFunction product = plan_.carrier == ProductCarrier::narrow ? plan_.lanes->narrow : plan_.lanes->split;
    for (std::int64_t group = 0; group < groups_; group += groups_at_once) {
      const std::uint64_t* from_b = b_.group(first_b_ + group * product_columns) + first * product_columns * words;
      for (std::int64_t block = 0; block < row_blocks_; ++block) {
        const std::uint64_t* from_a = a_.group(first_a_ + block * product_rows) + first * product_rows * words;
        const std::size_t at = index(group, block);
        fetch_ahead(first + n, n, group, block, groups_at_once);
        if (plan_.carrier == ProductCarrier::words)
          plan_.lanes->words(from_a, from_b, b_.terms() * product_columns, std::min(groups_at_once, groups_ - group), n, halves_[at].at,
                             row_blocks_ * 2 * block_sums);
        else product(from_a, from_b, n, &sums_[at * block_sums]);
      }
    }
  }

  /// Of the next n terms the share of this block and group: they are far from each other, which the machine's own prefetching does not see.
  /// (Inlined, since GCC 12 drops calls of functions that only prefetch.)
  [[gnu::always_inline]] void fetch_ahead(std::int64_t first, std::int64_t n, std::int64_t group, std::int64_t block,
                                          std::int64_t groups_at_once) const {
    const std::int64_t words = kernels::words_of(plan_.carrier);
    const auto fetch = [&](const std::uint64_t* from, std::int64_t part, std::int64_t parts) __attribute__((always_inline)) {
      const std::int64_t lines = n * words;  // of 64 bytes
      for (std::int64_t i = part * lines / parts; i < (part + 1) * lines / parts; ++i) __builtin_prefetch(from + i * 8, 0, 2);
    };
    const bool next_strip = first >= a_.terms();
    if (next_strip) first = 0;
    n = std::min(n, a_.terms() - first);
    fetch(a_.group(first_a_ + block * product_rows) + first * product_rows * words, group / groups_at_once,
          (groups_ + groups_at_once - 1) / groups_at_once);
    if (next_strip) return;
    for (std::int64_t g = group; g < std::min(group + groups_at_once, groups_); ++g)
      fetch(b_.group(first_b_ + g * product_columns) + first * product_columns * words, block, row_blocks_);
  }

  [[nodiscard]] std::size_t index(std::int64_t group, std::int64_t block) const {
    return static_cast<std::size_t>(group * row_blocks_ + block);
  }

  /// From the halves into the sums.
  void carry() {
    for (std::size_t block = 0; block < static_cast<std::size_t>(groups_ * row_blocks_); ++block) {
      std::uint64_t* half = halves_[block].at;
      for (std::size_t i = 0; i < block_sums; ++i)
        sums_[block * block_sums + i] += (static_cast<Int128>(half[block_sums + i]) << 52) + half[i];
      std::fill_n(half, 2 * block_sums, 0);
    }
  }

  void deliver_sums(std::int64_t group, std::int64_t columns, Int128* to, std::int64_t stride) const {
    for (std::int64_t r = 0; r < rows_; ++r)
      std::copy_n(&sums_[index(group, r / product_rows) * block_sums + static_cast<std::size_t>(r % product_rows * product_columns)],
                  columns, to + r * stride);
  }

  /// What the halves hold, and leaves zeros there. With u = n + o of a row, and u' of a column: n n' = u u' - o u - o u' + o^2, summed over
  /// k terms. A row's correction is o times the sum of its u, and what pairs add for it.
  void deliver_words(std::int64_t group, std::int64_t columns, Int128* to, std::int64_t stride) {
    const UInt128 square = static_cast<UInt128>(k_) << (2 * kernels::word_bits);
    UInt128 column[product_columns];
    for (std::int64_t j = 0; j < product_columns; ++j) column[j] = b_.correction(first_b_ + group * product_columns + j);
    for (std::int64_t block = 0; block < row_blocks_; ++block) {
      std::uint64_t* low = halves_[index(group, block)].at;
      const Int128* carried = sums_.empty() ? nullptr : &sums_[index(group, block) * block_sums];
      const std::int64_t first = block * product_rows;
      for (std::int64_t r = first; r < std::min(first + product_rows, rows_); ++r) {
        const std::int64_t at = (r - first) * product_columns;
        plan_.lanes->word_sums(low + at, low + block_sums + at, square - a_.correction(first_a_ + r), column, columns, to + r * stride);
        for (std::int64_t j = 0; carried != nullptr && j < columns; ++j) {
          Int128& sum = to[r * stride + j];
          sum = static_cast<Int128>(static_cast<UInt128>(sum) + static_cast<UInt128>(carried[at + j]));
        }
      }
      // Lines beyond the last row hold sums too.
      for (std::int64_t at = (rows_ - first) * product_columns; at < block_sums; ++at) low[at] = low[block_sums + at] = 0;
    }
  }

  const ProductPlan& plan_;
  const ProductRows& a_;
  const ProductRows& b_;
  std::int64_t first_a_, rows_, k_, row_blocks_;
  std::int64_t first_b_ = 0, groups_ = 0;
  std::vector<Int128> sums_;  ///< of blocks of 8 x 8, a group of columns after the other
  std::vector<Halves> halves_;
};

}  // namespace

void integer_products(const ProductPlan& plan, const ProductRows& a, std::int64_t first_a, std::int64_t rows, const ProductRows& b,
                      std::int64_t first_b, std::int64_t columns, std::int64_t k, std::vector<Int128>& sums) {
  sums.resize(static_cast<std::size_t>(rows * columns));
  constexpr std::int64_t groups = 8;
  Strip strip(plan, a, first_a, rows, b, k);
  for (std::int64_t c = 0; c < columns; c += groups * product_columns)
    strip(first_b + c, std::min(groups * product_columns, columns - c), &sums[static_cast<std::size_t>(c)], columns);
}

}  // namespace accsim::sim
