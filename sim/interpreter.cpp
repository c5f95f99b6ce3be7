// The interpreter: any datapath, exact integers, one rounding at a time. It defines what accsim computes.
#include <algorithm>

#include "formats/round.h"
#include "sim/executor.h"

namespace accsim::sim {
namespace {

using formats::BasicExact;
using formats::DoesNotFit;
using formats::Events;
using formats::Exact;
using formats::NarrowExact;
using formats::Rounded;
using formats::Rounder;
using formats::RoundingSpec;
using formats::UInt128;
using formats::Wide;

/// The largest finite magnitude seen.
template <class U>
class Largest {
 public:
  void see(const BasicExact<U>& x) {
    if (x.is_nonzero_finite() && (largest_.significand == 0 || compare_magnitude(x, largest_) > 0)) largest_ = magnitude(x);
  }
  [[nodiscard]] double value() const { return to_double(largest_); }

 private:
  BasicExact<U> largest_;
};

/// What one output gives besides its value.
struct OutputCounts {
  EventCounts events;
  bool overflowed = false;
  double max_abs_product = 0, max_abs_partial = 0;
};

/// The roundings of a datapath, prepared once for a tile.
struct Roundings {
  Roundings(const Datapath& d, std::int64_t k) : order(term_order(d, k)) {
    if (d.product.format) product.emplace(*d.product.format, d.product.rounding);
    for (const Level& level : d.levels) levels.emplace_back(level.rounded_format(), level.rounding);
    if (d.output.format) output.emplace(*d.output.format, d.output.rounding);
  }
  std::optional<Rounder> product, output;
  std::vector<Rounder> levels;
  std::vector<std::int64_t> order;  ///< of the terms
};

/// One output, on integers of type U. Throws DoesNotFit where U is too narrow; the caller then takes the wide one.
template <class U>
class OutputRun {
 public:
  OutputRun(const Datapath& datapath, const Roundings& roundings, const Tile& tile, std::int64_t row, std::int64_t column)
      : datapath_(datapath), roundings_(roundings), tile_(tile), row_(row), column_(column), at_(row * tile.columns + column) {}

  NarrowExact run() {
    std::vector<BasicExact<U>> sums = products();
    for (std::size_t i = 0; i < datapath_.levels.size(); ++i) sums = level(i, sums);
    BasicExact<U> result = sums.front();
    if (datapath_.accumulator.last) result = add_initial_last(result);
    if (roundings_.output) {
      RandomSite random = site(13, datapath_.output.rounding);
      result = (*roundings_.output)(scaled(result, -datapath_.output.shift), random.next()).value;
    }
    counts_.max_abs_product = largest_product_.value();
    counts_.max_abs_partial = largest_partial_.value();
    return narrowed(result);
  }
  [[nodiscard]] const OutputCounts& counts() const { return counts_; }

 private:
  [[nodiscard]] RandomSite site(std::uint32_t number, const RoundingSpec& spec) const {
    return {spec, tile_.seed,
            {.output = static_cast<std::uint64_t>(tile_.output_index[static_cast<std::size_t>(at_)]), .layer = tile_.layer, .pass = tile_.pass, .site = number},
            tile_.arrays};
  }

  [[nodiscard]] BasicExact<U> operand(std::span<const double> doubles, std::span<const Exact> exacts, std::int64_t line, std::int64_t k) const {
    const auto i = static_cast<std::size_t>(line * tile_.k + k);
    if (exacts.empty()) return formats::from_double<U>(doubles[i]);
    const Exact& x = exacts[i];
    if constexpr (std::is_same_v<U, UInt128>) return narrowed(x);
    else return x;
  }

  void count(const Events& e, Event overflow, Event underflow, Event inexact) {
    counts_.events[overflow] += e.overflow;
    counts_.events[underflow] += e.underflow;
    counts_.events[inexact] += e.inexact;
    counts_.overflowed |= e.overflow;
  }

  std::vector<BasicExact<U>> products() {
    std::vector<BasicExact<U>> terms;
    terms.reserve(static_cast<std::size_t>(tile_.k));
    RandomSite random = site(0, datapath_.product.rounding);
    for (const std::int64_t k : roundings_.order) {
      const BasicExact<U> a = operand(tile_.a, tile_.a_exact, row_, k);
      const BasicExact<U> b = operand(tile_.b, tile_.b_exact, column_, k);
      BasicExact<U> p = product(a, b);
      bool invalid = p.nan && !a.nan && !b.nan;
      largest_product_.see(p);
      if (roundings_.product) {
        Rounded<U> r = (*roundings_.product)(p, random.next());
        count(r.events, Event::product_overflow, Event::product_underflow, Event::product_inexact);
        invalid |= r.events.invalid;
        p = std::move(r.value);
      }
      counts_.events[Event::invalid] += invalid;
      terms.push_back(std::move(p));
    }
    return terms;
  }

  /// One level over all that the level below hands up.
  std::vector<BasicExact<U>> level(std::size_t index, const std::vector<BasicExact<U>>& addends) {
    const Level& l = datapath_.levels[index];
    const bool is_last = index + 1 == datapath_.levels.size();
    RandomSite random = site(static_cast<std::uint32_t>(1 + index), l.rounding);
    std::vector<BasicExact<U>> sums;
    switch (l.kind) {
      case LevelKind::sequential: {
        const std::size_t group = is_last || !l.terms ? addends.size() : static_cast<std::size_t>(*l.terms);
        for (std::size_t i = 0; i < addends.size(); i += group) {
          BasicExact<U> accumulator = index == 0 && i == 0 && !datapath_.accumulator.last ? initial() : BasicExact<U>::zero();
          for (std::size_t j = i; j < std::min(i + group, addends.size()); ++j) accumulator = add(accumulator, addends[j], roundings_.levels[index], random);
          sums.push_back(std::move(accumulator));
        }
        break;
      }
      case LevelKind::tree:
      case LevelKind::interleaved:
      case LevelKind::fused_sum:
      case LevelKind::exact:
      case LevelKind::exponent_bins:
      case LevelKind::sorted:
      case LevelKind::online: break;  // refused by check_datapath
    }
    return sums;
  }

  /// accumulator + addend, rounded once.
  BasicExact<U> add(const BasicExact<U>& accumulator, const BasicExact<U>& addend, const Rounder& rounder, RandomSite& random) {
    const BasicExact<U> exact = formats::sum(accumulator, addend, rounder.zero_sum_is_negative());
    largest_partial_.see(exact);
    Rounded<U> r = rounder(exact, random.next());
    count(r.events, Event::sum_overflow, Event::sum_underflow, Event::sum_inexact);
    counts_.events[Event::invalid] += r.events.invalid || (exact.nan && !accumulator.nan && !addend.nan);
    counts_.events[Event::swamped] += addend.is_nonzero_finite() && accumulator.is_nonzero_finite() && same_value(r.value, accumulator);
    return std::move(r.value);
  }

  /// The sum of all levels and C, rounded to the accumulator's format. No level's rounding, so no event is counted.
  BasicExact<U> add_initial_last(const BasicExact<U>& result) {
    const Rounder rounder(datapath_.accumulator_format(), datapath_.accumulator_rounding());
    RandomSite random = site(12, datapath_.accumulator_rounding());
    (void)random.next();  // n = 0 is the rounding of C itself
    return rounder(sum(result, initial(), rounder.zero_sum_is_negative()), random.next()).value;
  }

  /// C of this output; +0 where there is none.
  [[nodiscard]] BasicExact<U> initial() const {
    return tile_.accumulator.empty() ? BasicExact<U>::zero() : from_narrow(tile_.accumulator[static_cast<std::size_t>(at_)]);
  }

  static BasicExact<U> from_narrow(const NarrowExact& x) {
    if constexpr (std::is_same_v<U, UInt128>) return x;
    else return widened(x);
  }

  const Datapath& datapath_;
  const Roundings& roundings_;
  const Tile& tile_;
  std::int64_t row_, column_, at_;
  OutputCounts counts_;
  Largest<U> largest_product_, largest_partial_;
};

class Interpreter final : public Executor {
 public:
  [[nodiscard]] std::string_view name() const override { return "interpreter"; }
  [[nodiscard]] std::string_view meaning() const override { return "exact integers, one rounding at a time; runs every datapath and defines its bits"; }
  [[nodiscard]] bool supports(const Datapath& /*datapath*/) const override { return true; }

  void run(const Datapath& datapath, const Tile& tile, TileResult& result) const override {
    const Roundings roundings(datapath, tile.k);
    result = {};
    result.outputs.reserve(static_cast<std::size_t>(tile.rows * tile.columns));
    int too_wide = 0;  // outputs in a row that needed the wide integers; after some, the narrow ones are not tried any more
    for (std::int64_t row = 0; row < tile.rows; ++row) {
      for (std::int64_t column = 0; column < tile.columns; ++column) {
        if (too_wide < 4 && tile.arrays == nullptr) {
          try {
            one_output<UInt128>(datapath, roundings, tile, row, column, result);
            too_wide = 0;
            continue;
          } catch (const DoesNotFit&) {
            ++too_wide;
          }
        }
        one_output<Wide>(datapath, roundings, tile, row, column, result);
      }
    }
  }

 private:
  template <class U>
  static void one_output(const Datapath& datapath, const Roundings& roundings, const Tile& tile, std::int64_t row, std::int64_t column, TileResult& result) {
    OutputRun<U> run(datapath, roundings, tile, row, column);
    const NarrowExact output = run.run();
    const OutputCounts& counts = run.counts();
    result.outputs.push_back(output);
    result.overflowed.push_back(counts.overflowed ? 1 : 0);
    result.events.merge(counts.events);
    result.max_abs_product = std::max(result.max_abs_product, counts.max_abs_product);
    result.max_abs_partial = std::max(result.max_abs_partial, counts.max_abs_partial);
  }
};

}  // namespace

std::span<const Executor* const> executors() {
  static const Interpreter interpreter;
  static constexpr std::array<const Executor*, 1> all = {&interpreter};
  return all;
}

}  // namespace accsim::sim
