// The executor of sorted sums in fixed point.
//
// The proof. Values are integers of the finer of the products' and the accumulator's unit, rounded as integer_plan.cpp shows; the plan is
// that of a tree over the same addends, whose bounds hold for any order of adding them two at a time. What is left to add is a count for
// every magnitude and sign, so equal values need no order: they add to the same. As long as the sum of the largest positive and the most
// negative is no larger than the one of them whose sign it has, all their equals meet in turn, and one rounding stands for them all. Zeros
// add nothing: fixed point has no -0, and a zero sum is exact.
#include <algorithm>
#include <bit>
#include <cmath>

#include "sim/kernels/executors.h"
#include "sim/kernels/integer_plan.h"
#include "sim/kernels/packed_integers.h"

namespace accsim::sim::kernels {
namespace {

using formats::Int128;
using formats::NarrowExact;

/// Magnitudes up to 2^18 - 1 with a count each: the largest, and all in order, by three levels of bits.
class Bag {
 public:
  static constexpr std::int64_t limit = std::int64_t{1} << 18;
  Bag() : counts_(limit), words_(limit / 64), groups_(limit / 4096) {}
  void add(std::int64_t magnitude, std::int64_t count) {
    const auto m = static_cast<std::size_t>(magnitude);
    counts_[m] += static_cast<std::int32_t>(count);
    words_[m / 64] |= std::uint64_t{1} << (m % 64);
    groups_[m / 4096] |= std::uint64_t{1} << (m / 64 % 64);
    top_ |= std::uint64_t{1} << (m / 4096);
  }
  void remove(std::int64_t magnitude, std::int64_t count) {
    const auto m = static_cast<std::size_t>(magnitude);
    counts_[m] -= static_cast<std::int32_t>(count);
    if (counts_[m] != 0) return;
    words_[m / 64] &= ~(std::uint64_t{1} << (m % 64));
    if (words_[m / 64] != 0) return;
    groups_[m / 4096] &= ~(std::uint64_t{1} << (m / 64 % 64));
    if (groups_[m / 4096] == 0) top_ &= ~(std::uint64_t{1} << (m / 4096));
  }
  [[nodiscard]] bool empty() const { return top_ == 0; }
  [[nodiscard]] std::int64_t largest() const {
    const auto group = static_cast<std::size_t>(63 - std::countl_zero(top_));
    const std::size_t word = group * 64 + static_cast<std::size_t>(63 - std::countl_zero(groups_[group]));
    return static_cast<std::int64_t>(word * 64 + static_cast<std::size_t>(63 - std::countl_zero(words_[word])));
  }
  [[nodiscard]] std::int64_t smallest() const {
    const auto group = static_cast<std::size_t>(std::countr_zero(top_));
    const std::size_t word = group * 64 + static_cast<std::size_t>(std::countr_zero(groups_[group]));
    return static_cast<std::int64_t>(word * 64 + static_cast<std::size_t>(std::countr_zero(words_[word])));
  }
  [[nodiscard]] std::int64_t count(std::int64_t magnitude) const { return counts_[static_cast<std::size_t>(magnitude)]; }

 private:
  std::vector<std::int32_t> counts_;
  std::vector<std::uint64_t> words_, groups_;
  std::uint64_t top_ = 0;
};

/// The datapath with the sorted level as a tree, which has the same bounds.
Datapath as_tree(Datapath d) {
  for (Level& level : d.levels) {
    if (level.kind != LevelKind::sorted) continue;
    level.kind = LevelKind::tree;
    level.fan_in = 2;
  }
  return d;
}

bool fits_bags(const IntegerPlan& plan) { return plan.reason.empty() && plan.widest < Bag::limit; }

class SortedRun {
 public:
  SortedRun(const IntegerLanes& lanes, const Datapath& datapath, const Tile& tile, TileResult& result)
      : lanes_(lanes), datapath_(datapath), tile_(tile), result_(result) {}

  bool run() {
    if (tile_.k < 1) return false;
    std::vector<double> a_copies, b_copies;
    const auto format_of = [](const Operand& o) { return o.format ? &*o.format : nullptr; };
    const auto a = integers_of(doubles_of(tile_.a, tile_.a_exact, a_copies), tile_.k, format_of(datapath_.a), lanes_);
    const auto b = integers_of(doubles_of(tile_.b, tile_.b_exact, b_copies), tile_.k, format_of(datapath_.b), lanes_);
    if (!a || !b) return false;
    IntegerBounds bounds{.product_unit = a->unit + b->unit, .terms = tile_.k};
    for (std::size_t t = 0; t < a->largest.size(); ++t) {
      const Int128 p = Int128{a->largest[t]} * b->largest[t];
      bounds.product = std::max(bounds.product, p);
      bounds.chain += p;
    }
    plan_ = plan_integers(as_tree(datapath_), bounds);
    if (!fits_bags(plan_)) return false;
    step_ = plan_.levels[0].step;

    const Finish finish(datapath_, tile_);
    const auto outputs = static_cast<std::size_t>(tile_.rows * tile_.columns);
    const auto k = static_cast<std::size_t>(tile_.k);
    std::vector<NarrowExact> values(outputs);
    result_.overflowed.resize(outputs);
    for (std::size_t i = 0; i < outputs; ++i) {
      const std::size_t row = i / static_cast<std::size_t>(tile_.columns) * k;
      const std::size_t column = i % static_cast<std::size_t>(tile_.columns) * k;
      overflowed_ = false;
      for (std::size_t t = 0; t < k; ++t) place(product_of(a->at(row + t) * b->at(column + t)) << step_.addend_shift, 1);
      values[i] = finish(in_units(sum_of_bags() >> step_.accumulator_shift, plan_.level_unit[0]), i);
      result_.overflowed[i] = overflowed_ ? 1 : 0;
    }
    deliver(std::move(values), result_);
    result_.max_abs_product = to_double(in_units(static_cast<std::int64_t>(bounds.product), bounds.product_unit));
    result_.max_abs_partial = to_double(in_units(largest_, plan_.sum_unit[0]));
    return true;
  }

 private:
  static NarrowExact in_units(std::int64_t value, int unit) {
    NarrowExact x = NarrowExact::zero();
    if (value == 0) return x;
    x.negative = value < 0;
    x.significand = static_cast<formats::UInt128>(std::abs(value));
    x.exponent = unit;
    return x;
  }

  struct Outcome {
    std::int64_t value = 0;
    bool overflow = false, underflow = false, inexact = false;
  };
  static Outcome rounded(std::int64_t s, const FixedStep& step) {
    const bool lost = (s & ((std::int64_t{1} << step.drop) - 1)) != 0;
    std::int64_t q = (s + step.nearest + ((s >> step.drop) & step.odd) + (s < 0 ? step.negative : 0)) >> step.drop;
    if (lost) q |= step.jam;
    Outcome o{.value = q, .overflow = q < step.low || q > step.high, .underflow = lost && q == 0, .inexact = lost};
    if (!o.overflow) return o;
    o.inexact = true;
    switch (step.fit) {
      case Fit::none: break;
      case Fit::clamp: o.value = std::clamp(q, step.low, step.high); break;
      case Fit::wrap: o.value = ((q - step.low) & step.mask) + step.low; break;
      case Fit::zero: o.value = 0; break;
    }
    return o;
  }

  std::int64_t product_of(std::int64_t p) {
    if (!plan_.rounded_product) return p;
    const Outcome o = rounded(p << plan_.product.addend_shift, plan_.product);
    result_.events[Event::product_overflow] += o.overflow;
    result_.events[Event::product_underflow] += o.underflow;
    result_.events[Event::product_inexact] += o.inexact;
    overflowed_ |= o.overflow;
    return o.value;
  }

  /// `times` equal sums, rounded; the result in the finer unit.
  std::int64_t add(std::int64_t s, std::int64_t times) {
    largest_ = std::max(largest_, std::abs(s));
    const Outcome o = rounded(s, step_);
    count(o, times);
    return o.value << step_.accumulator_shift;
  }
  void count(const Outcome& o, std::int64_t times) {
    if (o.overflow) result_.events[Event::sum_overflow] += times;
    if (o.underflow) result_.events[Event::sum_underflow] += times;
    if (o.inexact) result_.events[Event::sum_inexact] += times;
    overflowed_ |= o.overflow;
  }

  void place(std::int64_t value, std::int64_t times) {
    if (value > 0) positive_.add(value, times);
    if (value < 0) negative_.add(-value, times);
  }

  std::int64_t sum_of_bags() {
    while (!positive_.empty() && !negative_.empty()) {
      const std::int64_t up = positive_.largest();
      const std::int64_t down = negative_.largest();
      const std::int64_t r = rounded(up - down, step_).value << step_.accumulator_shift;
      const bool stays_below = r > 0 ? r <= up : -r <= down;
      const std::int64_t times = stays_below ? std::min(positive_.count(up), negative_.count(down)) : 1;
      positive_.remove(up, times);
      negative_.remove(down, times);
      place(add(up - down, times), times);
    }
    const std::int64_t sign = negative_.empty() ? 1 : -1;
    Bag& left = negative_.empty() ? positive_ : negative_;
    std::int64_t total = 0;
    while (!left.empty()) {
      const std::int64_t magnitude = left.smallest();
      const std::int64_t times = left.count(magnitude);
      for (std::int64_t i = 0; i < times; ++i) total = add(total + sign * magnitude, 1);
      left.remove(magnitude, times);
    }
    return total;
  }

  const IntegerLanes& lanes_;
  const Datapath& datapath_;
  const Tile& tile_;
  TileResult& result_;
  IntegerPlan plan_;
  FixedStep step_;
  Bag positive_, negative_;
  std::int64_t largest_ = 0;
  bool overflowed_ = false;
};

class SortedExecutor final : public Executor {
 public:
  [[nodiscard]] std::string_view name() const override { return "sorted_integer"; }
  [[nodiscard]] std::string_view meaning() const override { return "sorted sums in fixed point, by counting equal values"; }

  [[nodiscard]] std::string refusal(const Datapath& datapath, const LayerFacts& facts) const override {
    if (datapath.levels.size() != 1 || datapath.levels.front().kind != LevelKind::sorted) return "one sorted level only";
    const Datapath tree = as_tree(datapath);
    std::string reason = unknown_to_integers(tree);
    if (!reason.empty()) return reason;
    if (facts.a.nonfinite || facts.b.nonfinite) return "infinities or NaN among the operands";
    const auto width = [](const OperandFacts& x) { return x.precision == 0 ? 0 : x.highest - x.lowest + 1; };
    const int product = width(facts.a) + width(facts.b);
    if (product > 18 || facts.k > 1 << 20) return "products of more than 18 bits";
    const IntegerBounds bounds{.product_unit = facts.a.lowest + facts.b.lowest,
                               .product = Int128{1} << product,
                               .chain = (Int128{1} << product) * facts.k,
                               .terms = facts.k};
    return fits_bags(plan_integers(tree, bounds)) ? "" : "sums of more than 18 bits";
  }

  void run(const Datapath& datapath, const Tile& tile, TileResult& result) const override {
    result = {};
    if (!tile.watch_tiny && SortedRun(integer_lanes_baseline(), datapath, tile, result).run()) return;
    result = {};
    run_interpreter(datapath, tile, result);
  }
};

}  // namespace

const Executor& sorted_kernel() {
  static const SortedExecutor executor;
  return executor;
}

}  // namespace accsim::sim::kernels
