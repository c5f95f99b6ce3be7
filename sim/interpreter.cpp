// The interpreter: any datapath, exact integers, one rounding at a time. It defines what accsim computes.
#include <algorithm>

#include "formats/round.h"
#include "sim/interpreter.h"
#include "sim/interpreter_levels.h"
#include "sim/output_conversion.h"

namespace accsim::sim {
namespace {

using formats::BasicExact;
using formats::DoesNotFit;
using formats::Exact;
using formats::NarrowExact;
using formats::Rounded;
using formats::Rounder;
using formats::RoundingSpec;
using formats::UInt128;
using formats::Wide;

/// The roundings of a datapath, prepared once for a tile.
struct Roundings {
  Roundings(const Datapath& d, std::int64_t k) : order(term_order(d, k)) {
    if (d.product.format) {
      product.emplace(*d.product.format, d.product.rounding);
      if (d.product.format->as_float() != nullptr) product_emin = product->format_limits().emin;
    }
    if (d.product.range) range.emplace(*d.product.range, RoundingSpec{});
    for (const Level& level : d.levels) levels.emplace_back(level.rounded_format(), level.rounding);
    if (d.output.format) output.emplace(*d.output.format, d.output.rounding);
  }
  std::optional<Rounder> product, output, range;
  int product_emin = LevelRun<Wide>::lowest_exponent;
  std::vector<Rounder> levels;
  std::vector<std::int64_t> order;  ///< of the terms
};

/// One output, on integers of type U. Throws DoesNotFit where U is too narrow; the caller then takes the wide one.
template <class U>
class OutputRun {
 public:
  OutputRun(const Datapath& datapath, const Roundings& roundings, const Tile& tile, online::OnlineLevel* online, std::int64_t row,
            std::int64_t column)
      : datapath_(datapath),
        roundings_(roundings),
        tile_(tile),
        online_(online),
        row_(row),
        column_(column),
        at_(row * tile.columns + column) {
    counts_.watch_tiny = tile.watch_tiny;
    counts_.tininess = datapath.tininess;
  }

  NarrowExact run() {
    Addends sums = products();
    for (std::size_t i = 0; i < datapath_.levels.size(); ++i) sums = level(i, sums);
    BasicExact<U> result = sums.front().value;
    if (datapath_.accumulator.last) result = add_initial_last(result);
    if (roundings_.output) {
      RandomSite random = site(13, datapath_.output.rounding);
      result = converted(datapath_.output, *roundings_.output, result, random.next());
    }
    return narrowed(result);
  }
  [[nodiscard]] const OutputCounts<U>& counts() const { return counts_; }

 private:
  using Addends = std::vector<Addend<U>>;

  [[nodiscard]] RandomSite site(std::uint32_t number, const RoundingSpec& spec) const {
    return {
        spec,
        tile_.seed,
        {.output = static_cast<std::uint64_t>(tile_.output_index[static_cast<std::size_t>(at_)]),
         .layer = tile_.layer,
         .pass = tile_.pass,
         .site = number},
        tile_.arrays,
        tile_.pe_index.empty() ? std::nullopt : std::optional(static_cast<std::uint64_t>(tile_.pe_index[static_cast<std::size_t>(at_)]))};
  }

  [[nodiscard]] BasicExact<U> operand(std::span<const double> doubles, std::span<const Exact> exacts, std::int64_t line,
                                      std::int64_t k) const {
    const auto i = static_cast<std::size_t>(line * tile_.k + k);
    if (exacts.empty()) return formats::from_double<U>(doubles[i]);
    const Exact& x = exacts[i];
    if constexpr (std::is_same_v<U, UInt128>) return narrowed(x);
    else return x;
  }

  Addends products() {
    Addends terms;
    terms.reserve(static_cast<std::size_t>(tile_.k));
    RandomSite random = site(0, datapath_.product.rounding);
    if (online_ != nullptr) online_->start_output();
    for (const std::int64_t k : roundings_.order) {
      const BasicExact<U> a = flushed(operand(tile_.a, tile_.a_exact, row_, k), tile_.a_emin, datapath_.flush_subnormals);
      const BasicExact<U> b = flushed(operand(tile_.b, tile_.b_exact, column_, k), tile_.b_emin, datapath_.flush_subnormals);
      if (online_ != nullptr) online_->add_operands(a, b);
      BasicExact<U> p = product(a, b);
      bool invalid = p.nan && !a.nan && !b.nan;
      counts_.product.see(p);
      int exponent = 0;
      if (p.is_finite()) {
        exponent = datapath_.levels.front().kind == LevelKind::scaled_sum
                       ? scale_exponent(tile_.a_blocks, row_, k) + scale_exponent(tile_.b_blocks, column_, k)
                       : operand_exponent(a, tile_.a_emin, tile_.a_blocks, row_, k) +
                             operand_exponent(b, tile_.b_emin, tile_.b_blocks, column_, k);
      }
      if (roundings_.range && p.is_finite() && roundings_.range->outside_range(p)) {
        p = BasicExact<U>::infinity(p.negative);
        counts_.count({.overflow = true, .inexact = true}, Event::product_overflow, Event::product_underflow, Event::product_inexact);
      }
      if (roundings_.product) {
        const std::uint32_t bits = random.next();
        Rounded<U> r = (*roundings_.product)(p, bits);
        counts_.see_tiny(*roundings_.product, p, bits, r.events);
        counts_.count(r.events, Event::product_overflow, Event::product_underflow, Event::product_inexact);
        invalid |= r.events.invalid;
        p = std::move(r.value);
        exponent = p.is_finite() ? exponent_of(p, roundings_.product_emin) : 0;
      }
      counts_.events[Event::invalid] += invalid;
      if (tile_.subtract) p = negated(p);
      terms.push_back({std::move(p), exponent});
    }
    return terms;
  }

  /// The exponent in a format's field: a subnormal has that of the smallest normal.
  [[nodiscard]] int exponent_of(const BasicExact<U>& x, int emin) const {
    return x.is_zero() ? datapath_.levels.front().zero_operand_exponent.value_or(0) : std::max(log2_floor(x), emin);
  }
  /// That of an operand: in a block format the element's and the scale's.
  [[nodiscard]] int operand_exponent(const BasicExact<U>& x, int emin, const BlockScales& blocks, std::int64_t line, std::int64_t k) const {
    if (blocks.block == 0 || x.is_zero()) return exponent_of(x, emin);
    const double element = blocks.elements[static_cast<std::size_t>(line * tile_.k + k)];
    return exponent_of(formats::from_double<U>(element), emin) + scale_exponent(blocks, line, k);
  }
  /// 0 where there is no scale, or where it is zero, as its block then is.
  [[nodiscard]] int scale_exponent(const BlockScales& blocks, std::int64_t line, std::int64_t k) const {
    if (blocks.block == 0) return 0;
    const auto scale = formats::from_double<U>(blocks.scale_at(line, k, tile_.k));
    return scale.is_nonzero_finite() ? std::max(log2_floor(scale), blocks.scale_emin) : 0;
  }

  /// What a unit that flushes makes of an operand: +0 below the smallest normal, of zeros too.
  static BasicExact<U> flushed(BasicExact<U> x, int emin, bool flush) {
    if (!flush || !x.is_finite() || (!x.is_zero() && log2_floor(x) >= emin)) return x;
    return BasicExact<U>::zero();
  }

  /// One level over all that the level below hands up.
  Addends level(std::size_t index, const Addends& addends) {
    const Level& l = datapath_.levels[index];
    RandomSite random = site(static_cast<std::uint32_t>(1 + index), l.rounding);
    const BasicExact<U> c = initial();
    const bool c_enters = !tile_.accumulator.empty() && !datapath_.accumulator.last && index == datapath_.accumulator_level_index();
    return LevelRun<U>(l, roundings_.levels[index], random, counts_, c_enters ? &c : nullptr, index == 0 ? online_ : nullptr)
        .run(addends, index + 1 == datapath_.levels.size());
  }

  /// The sum of all levels and C, rounded to the accumulator's format. No level's rounding, so no event is counted.
  BasicExact<U> add_initial_last(const BasicExact<U>& result) {
    const Rounder rounder(datapath_.accumulator_format(), datapath_.accumulator_rounding());
    RandomSite random = site(12, datapath_.accumulator_rounding());
    (void)random.next();  // n = 0 is the rounding of C itself
    const BasicExact<U> exact = sum(result, initial(), rounder.zero_sum_is_negative());
    const std::uint32_t bits = random.next();
    Rounded<U> r = rounder(exact, bits);
    if (counts_.watch_tiny) {
      counts_.count(r.events, Event::sum_overflow, Event::sum_underflow, Event::sum_inexact);
      counts_.see_tiny(rounder, exact, bits, r.events);
    }
    return std::move(r.value);
  }

  /// C of this output; +0 where there is none.
  [[nodiscard]] BasicExact<U> initial() const {
    if (tile_.accumulator.empty()) return BasicExact<U>::zero();
    const formats::Format& format = datapath_.accumulator_format();
    const int emin = format.as_float() != nullptr ? formats::limits(format).emin : LevelRun<U>::lowest_exponent;
    return flushed(from_narrow(tile_.accumulator[static_cast<std::size_t>(at_)]), emin, datapath_.accumulator.flush_subnormals);
  }

  static BasicExact<U> from_narrow(const NarrowExact& x) {
    if constexpr (std::is_same_v<U, UInt128>) return x;
    else return widened(x);
  }

  const Datapath& datapath_;
  const Roundings& roundings_;
  const Tile& tile_;
  online::OnlineLevel* online_;  ///< null: the innermost level is of another kind
  std::int64_t row_, column_, at_;
  OutputCounts<U> counts_;
};

class Interpreter final : public Executor {
 public:
  [[nodiscard]] std::string_view name() const override { return "interpreter"; }
  [[nodiscard]] std::string_view meaning() const override {
    return "exact integers, one rounding at a time; runs every datapath and defines its bits";
  }
  [[nodiscard]] std::string refusal(const Datapath& /*datapath*/, const LayerFacts& /*facts*/) const override { return {}; }

  void run(const Datapath& datapath, const Tile& tile, TileResult& result) const override {
    const Roundings roundings(datapath, tile.k);
    std::optional<online::OnlineLevel> online;
    if (datapath.levels.front().kind == LevelKind::online) online.emplace(datapath, tile.a_bits, tile.b_bits);
    online::OnlineLevel* const online_level = online ? &*online : nullptr;
    result = {};
    result.outputs.reserve(static_cast<std::size_t>(tile.rows * tile.columns));
    int too_wide = 0;  // outputs in a row that needed the wide integers; after some, the narrow ones are not tried any more
    for (std::int64_t row = 0; row < tile.rows; ++row) {
      for (std::int64_t column = 0; column < tile.columns; ++column) {
        if (too_wide < 4 && tile.arrays == nullptr) {
          try {
            one_output<UInt128>(datapath, roundings, tile, online_level, row, column, result);
            too_wide = 0;
            continue;
          } catch (const DoesNotFit&) {
            ++too_wide;
          }
        }
        one_output<Wide>(datapath, roundings, tile, online_level, row, column, result);
      }
    }
  }

 private:
  template <class U>
  static void one_output(const Datapath& datapath, const Roundings& roundings, const Tile& tile, online::OnlineLevel* online,
                         std::int64_t row, std::int64_t column, TileResult& result) {
    OutputRun<U> run(datapath, roundings, tile, online, row, column);
    const std::int64_t saved_before = online != nullptr ? online->saved_cycles() : 0;
    const NarrowExact output = run.run();
    const OutputCounts<U>& counts = run.counts();
    result.outputs.push_back(output);
    if (online != nullptr) result.saved_cycles += online->saved_cycles() - saved_before;
    result.overflowed.push_back(counts.overflowed ? 1 : 0);
    if (tile.watch_tiny) result.tiny.push_back(counts.tiny ? 1 : 0);
    result.events.merge(counts.events);
    result.max_abs_product = std::max(result.max_abs_product, counts.product.value());
    result.max_abs_partial = std::max(result.max_abs_partial, counts.partial.value());
  }
};

}  // namespace

const Executor& interpreter() {
  static const Interpreter the_interpreter;
  return the_interpreter;
}

}  // namespace accsim::sim
