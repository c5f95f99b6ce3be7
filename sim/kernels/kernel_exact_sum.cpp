// The executor of exact sums: unbounded `exact` registers and `exponent_bins`, whose value is that of the exact sum.
//
// The proof. Operands are integers of a unit each, so products are integers of the units' product, and their sum stays below 2^126: 128-bit
// integers hold it. Where products are rounded, both operands take few values, and a table holds the product of each pair as the
// format's own rounding gives it, in units of the format's finest spacing. Each issue's sum is rounded by the format's own rounding. A sum
// of zero is -0 where all products are, +0 where all are, else as the rounding says.
#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include "sim/kernels/executors.h"
#include "sim/kernels/packed_integers.h"

namespace accsim::sim::kernels {
namespace {

using formats::DoesNotFit;
using formats::Int128;
using formats::NarrowExact;
using formats::Rounded;
using formats::Rounder;
using formats::UInt128;

constexpr std::size_t table_side = 512;

struct TableEntry {
  std::int64_t units = 0;
  bool negative = false, overflow = false, underflow = false, inexact = false;
};

/// Products rounded in advance, for operands of few values.
class ProductTable {
 public:
  /// Index of each value among the distinct ones; empty where there are too many.
  static std::vector<std::uint16_t> indices(std::span<const double> values, std::vector<double>& distinct) {
    std::map<std::uint64_t, std::uint16_t> seen;
    std::vector<std::uint16_t> result;
    result.reserve(values.size());
    for (const double v : values) {
      const auto [at, is_new] = seen.try_emplace(std::bit_cast<std::uint64_t>(v), static_cast<std::uint16_t>(distinct.size()));
      if (is_new) distinct.push_back(v);
      if (distinct.size() > table_side) return {};
      result.push_back(at->second);
    }
    return result;
  }

  /// False where a product is not finite or too large.
  bool fill(const std::vector<double>& a, const std::vector<double>& b, const Rounder& rounder) {
    unit_ = rounder.format_limits().lsb_exponent;
    stride_ = b.size();
    entries_.reserve(a.size() * b.size());
    for (const double x : a) {
      for (const double y : b) {
        const Rounded<UInt128> r = rounder(product(formats::from_double<UInt128>(x), formats::from_double<UInt128>(y)));
        TableEntry entry{.units = 0,
                         .negative = r.value.negative,
                         .overflow = r.events.overflow,
                         .underflow = r.events.underflow,
                         .inexact = r.events.inexact};
        if (!r.value.is_finite() || r.events.invalid) return false;
        if (!r.value.is_zero()) {
          if (log2_floor(r.value) - unit_ > 60) return false;
          const double units = std::ldexp(to_double(r.value), -unit_);
          entry.units = static_cast<std::int64_t>(units);
          if (static_cast<double>(entry.units) != units) return false;
        }
        entries_.push_back(entry);
      }
    }
    return true;
  }
  [[nodiscard]] const TableEntry& at(std::uint16_t a, std::uint16_t b) const { return entries_[a * stride_ + b]; }
  [[nodiscard]] int unit() const { return unit_; }

 private:
  int unit_ = 0;
  std::size_t stride_ = 0;
  std::vector<TableEntry> entries_;
};

class ExactRun {
 public:
  ExactRun(const IntegerLanes& lanes, const Datapath& datapath, const Tile& tile, TileResult& result)
      : lanes_(lanes),
        datapath_(datapath),
        tile_(tile),
        result_(result),
        level_(datapath.levels.front()),
        rounder_(level_.rounded_format(), level_.rounding),
        order_(term_order(datapath, tile.k)) {}

  bool run() {
    if (tile_.k < 1) return false;
    a_ = doubles_of(tile_.a, tile_.a_exact, a_copies_);
    b_ = doubles_of(tile_.b, tile_.b_exact, b_copies_);
    if (datapath_.product.format ? !prepare_table() : !prepare_integers()) return false;
    const Finish finish(datapath_, tile_);
    const auto outputs = static_cast<std::size_t>(tile_.rows * tile_.columns);
    std::vector<NarrowExact> values(outputs);
    result_.overflowed.resize(outputs);
    for (std::size_t i = 0; i < outputs; ++i) {
      row_ = static_cast<std::int64_t>(i) / tile_.columns;
      column_ = static_cast<std::int64_t>(i) % tile_.columns;
      overflowed_ = false;
      values[i] = finish(one_output(i), i);
      result_.overflowed[i] = overflowed_ ? 1 : 0;
    }
    deliver(std::move(values), result_);
    see_products();
    return true;
  }

 private:
  bool prepare_integers() {
    a_integers_ = integers_of(a_, tile_.k, nullptr, lanes_);
    b_integers_ = integers_of(b_, tile_.k, nullptr, lanes_);
    if (!a_integers_ || !b_integers_) return false;
    unit_ = a_integers_->unit + b_integers_->unit;
    int bits = 0;
    Int128 chain = 0;
    for (std::size_t t = 0; t < a_integers_->largest.size(); ++t) {
      const Int128 p = Int128{a_integers_->largest[t]} * b_integers_->largest[t];
      bits = std::max(bits, formats::bit_length(static_cast<UInt128>(p)));
      chain += bits <= 100 ? p : 0;
    }
    narrow_ = bits <= 100 && chain < Int128{1} << 62;
    return bits + std::bit_width(static_cast<std::uint64_t>(tile_.k)) <= 125;
  }

  bool prepare_table() {
    std::vector<double> a_distinct, b_distinct;
    a_indices_ = ProductTable::indices(a_, a_distinct);
    b_indices_ = ProductTable::indices(b_, b_distinct);
    if (a_indices_.empty() || b_indices_.empty()) return false;
    if (!table_.fill(a_distinct, b_distinct, Rounder(*datapath_.product.format, datapath_.product.rounding))) return false;
    unit_ = table_.unit();
    return true;
  }

  NarrowExact one_output(std::size_t i) {
    const bool feeds_back = takes_accumulator(level_);
    const std::int64_t terms = feeds_back ? *level_.terms : tile_.k;
    NarrowExact accumulator = NarrowExact::zero();
    if (feeds_back && !tile_.accumulator.empty() && !datapath_.accumulator.last) accumulator = tile_.accumulator[i];
    for (std::int64_t first = 0; first < tile_.k; first += terms) {
      const NarrowExact x = sum_of(first, std::min(first + terms, tile_.k));
      if (!feeds_back) return rounded(x);
      try {
        accumulator = rounded(sum(accumulator, x, rounder_.zero_sum_is_negative()));
      } catch (const DoesNotFit&) {
        accumulator = narrowed(rounded(sum(widened(accumulator), widened(x), rounder_.zero_sum_is_negative())));
      }
    }
    return accumulator;
  }

  template <class U>
  formats::BasicExact<U> rounded(const formats::BasicExact<U>& exact) {
    if (exact.is_finite()) result_.max_abs_partial = std::max(result_.max_abs_partial, to_double(magnitude(exact)));
    Rounded<U> r = rounder_(exact);
    result_.events[Event::sum_overflow] += r.events.overflow;
    result_.events[Event::sum_underflow] += r.events.underflow;
    result_.events[Event::sum_inexact] += r.events.inexact;
    result_.events[Event::invalid] += r.events.invalid;
    overflowed_ |= r.events.overflow;
    return r.value;
  }

  /// The exact sum of some terms.
  NarrowExact sum_of(std::int64_t first, std::int64_t last) {
    Int128 total = 0;
    if (datapath_.product.format) {
      for (std::int64_t t = first; t < last; ++t) {
        const TableEntry& p = table_.at(a_indices_[at_a(t)], b_indices_[at_b(t)]);
        total += p.units;
        result_.events[Event::product_overflow] += p.overflow;
        result_.events[Event::product_underflow] += p.underflow;
        result_.events[Event::product_inexact] += p.inexact;
        overflowed_ |= p.overflow;
      }
    } else if (narrow_) {
      std::int64_t sum = 0;
      for (std::int64_t t = first; t < last; ++t) sum += a_integers_->at(at_a(t)) * b_integers_->at(at_b(t));
      total = sum;
    } else {
      for (std::int64_t t = first; t < last; ++t) total += Int128{a_integers_->at(at_a(t))} * b_integers_->at(at_b(t));
    }
    if (total == 0) return NarrowExact::zero(zero_is_negative(first, last));
    NarrowExact x;
    x.negative = total < 0;
    x.significand = static_cast<UInt128>(total < 0 ? -total : total);
    x.exponent = unit_;
    return x;
  }

  [[nodiscard]] bool zero_is_negative(std::int64_t first, std::int64_t last) const {
    bool all_positive = true;
    bool all_negative = true;
    for (std::int64_t t = first; t < last; ++t) {
      const double x = a_[at_a(t)];
      const double y = b_[at_b(t)];
      bool is_zero = x == 0 || y == 0;
      bool negative = std::signbit(x) != std::signbit(y);
      if (datapath_.product.format) {
        const TableEntry& p = table_.at(a_indices_[at_a(t)], b_indices_[at_b(t)]);
        is_zero = p.units == 0;
        negative = p.negative;
      }
      all_positive &= is_zero && !negative;
      all_negative &= is_zero && negative;
    }
    return all_negative || (!all_positive && rounder_.zero_sum_is_negative());
  }

  /// The largest product of a term is that of the largest operands of both sides.
  void see_products() {
    const auto k = static_cast<std::size_t>(tile_.k);
    const auto largest = [k](std::span<const double> values) {
      std::vector<double> of_term(k, 0.0);
      for (std::size_t i = 0; i < values.size(); ++i) of_term[i % k] = std::max(of_term[i % k], std::abs(values[i]));
      return of_term;
    };
    const std::vector<double> a = largest(a_);
    const std::vector<double> b = largest(b_);
    for (std::size_t t = 0; t < k; ++t) {
      const NarrowExact p = product(formats::from_double<UInt128>(a[t]), formats::from_double<UInt128>(b[t]));
      result_.max_abs_product = std::max(result_.max_abs_product, to_double(p));
    }
  }

  [[nodiscard]] std::size_t at_a(std::int64_t t) const {
    return static_cast<std::size_t>(row_ * tile_.k + order_[static_cast<std::size_t>(t)]);
  }
  [[nodiscard]] std::size_t at_b(std::int64_t t) const {
    return static_cast<std::size_t>(column_ * tile_.k + order_[static_cast<std::size_t>(t)]);
  }

  const IntegerLanes& lanes_;
  const Datapath& datapath_;
  const Tile& tile_;
  TileResult& result_;
  const Level& level_;
  Rounder rounder_;
  std::vector<std::int64_t> order_;
  std::vector<double> a_copies_, b_copies_;
  std::span<const double> a_, b_;
  std::optional<Integers> a_integers_, b_integers_;
  ProductTable table_;
  std::vector<std::uint16_t> a_indices_, b_indices_;
  int unit_ = 0;
  bool narrow_ = false, overflowed_ = false;
  std::int64_t row_ = 0, column_ = 0;
};

class ExactExecutor final : public Executor {
 public:
  [[nodiscard]] std::string_view name() const override { return "exact_sum"; }
  [[nodiscard]] std::string_view meaning() const override { return "exact sums in 128-bit integers, rounded once"; }

  [[nodiscard]] std::string refusal(const Datapath& d, const LayerFacts& facts) const override {
    if (const std::string_view key = matrix_unit_key(d); !key.empty()) return "the key " + std::string(key);
    const Level& level = d.levels.front();
    if (d.levels.size() != 1 || (level.kind != LevelKind::exact && level.kind != LevelKind::exponent_bins) || level.width)
      return "one level, an unbounded exact register or exponent_bins, only";
    if (has_unknown_keys(d.product) || has_unknown_keys(level)) return "a key that this kernel does not know";
    if (level.rounding.mode == formats::Rounding::sr) return "no stochastic rounding";
    if (facts.a.nonfinite || facts.b.nonfinite) return "infinities or NaN among the operands";
    if (facts.a.precision > 53 || facts.b.precision > 53) return "operands of more than 53 bits";
    if (d.product.format) {
      if (d.product.rounding.mode == formats::Rounding::sr) return "no stochastic rounding";
      const formats::Limits l = formats::limits(*d.product.format);
      if (log2_floor(l.max_finite) - l.lsb_exponent > 60 || facts.a.precision > 8 || facts.b.precision > 8)
        return "rounded products of small formats only";
      return unknown_to_finish(d);
    }
    // What is known of a layer's blocks bounds their scales by single values of the tensor, far from what they are: each tile decides.
    const auto width = [](const Operand& operand, const OperandFacts& x) {
      return operand.block || x.precision == 0 ? 0 : x.highest - x.lowest + 1;
    };
    const int a = width(d.a, facts.a);
    const int b = width(d.b, facts.b);
    if (a > 61 || b > 61 || a + b + static_cast<int>(std::bit_width(static_cast<std::uint64_t>(facts.k))) > 124)
      return "sums of more than 125 bits";
    return unknown_to_finish(d);
  }

  void run(const Datapath& datapath, const Tile& tile, TileResult& result) const override {
    result = {};
    if (!tile.watch_tiny && ExactRun(integer_lanes_baseline(), datapath, tile, result).run()) return;
    result = {};
    run_interpreter(datapath, tile, result);
  }
};

}  // namespace

const Executor& exact_sum_kernel() {
  static const ExactExecutor executor;
  return executor;
}

}  // namespace accsim::sim::kernels
