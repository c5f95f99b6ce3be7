#include "sim/kernels/issue_tile.h"

#include <algorithm>
#include <cmath>

#include "sim/kernels/packed_integers.h"

namespace accsim::sim::kernels {
namespace {

using formats::BasicExact;
using formats::DoesNotFit;
using formats::NarrowExact;
using formats::Rounder;
using formats::UInt128;
using formats::Wide;

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

/// Of each term the largest finite magnitude.
struct LargestOfTerms {
  explicit LargestOfTerms(const FusedOperand& operand) : of_term(at(operand.terms()), 0.0) {
    const std::span<const double> values = operand.values();
    for (std::size_t i = 0; i < values.size(); i += of_term.size()) {
      for (std::size_t t = 0; t < of_term.size(); ++t) {
        const double x = std::abs(values[i + t]);
        of_term[t] = x > of_term[t] && x <= 1.7976931348623157e308 ? x : of_term[t];
      }
    }
  }
  std::vector<double> of_term;
};

}  // namespace

IssueTile::IssueTile(const Datapath& datapath, const Tile& tile, TileResult& result)
    : datapath_(datapath),
      tile_(tile),
      result_(result),
      level_(datapath.levels.front()),
      rounder_(level_.rounded_format(), level_.rounding),
      order_(term_order(datapath, tile.k)),
      a_(datapath.a, tile.a, tile.a_exact, tile.a_blocks, tile.a_emin, tile.k),
      b_(datapath.b, tile.b, tile.b_exact, tile.b_blocks, tile.b_emin, tile.k) {
  if (datapath.product.range) range_.emplace(*datapath.product.range, formats::RoundingSpec{});
  issue = std::min(*level_.terms, tile.k);
  issues = (tile.k + issue - 1) / issue;
  const bool is_last = datapath.levels.size() == 1;
  issues_in_sum = is_last || !level_.issues ? issues : std::min(*level_.issues, issues);
  sums = (issues + issues_in_sum - 1) / issues_in_sum;
}

bool IssueTile::enters_at(std::size_t level) const {
  return !tile_.accumulator.empty() && !datapath_.accumulator.last && datapath_.accumulator_level_index() == level;
}

bool IssueTile::take_initial(std::int64_t width, int exponent_limit) {
  if (!enters_at(0)) return true;
  initial_.resize(at(tile_.rows * width));
  for (std::int64_t i = 0; i < tile_.rows * tile_.columns; ++i) {
    const NarrowExact& c = tile_.accumulator[at(i)];
    const double x = to_double(c);
    if (c.is_nonzero_finite() && !same_value(formats::from_double<UInt128>(x), c)) return false;
    if (c.is_nonzero_finite() && std::abs(log2_floor(c)) > exponent_limit) return false;
    initial_[at(i / tile_.columns * width + i % tile_.columns)] = x;
  }
  return true;
}

/// What an operand brings to its product's exponent.
int IssueTile::exponent(const FusedOperand& operand, std::int64_t line, std::int64_t term) const {
  if (level_.kind == LevelKind::scaled_sum) return operand.scale_exponent(line, term);
  return operand.exponent(line, term, level_.zero_operand_exponent.value_or(0));
}

void IssueTile::one_issue(std::int64_t row, std::int64_t column, std::int64_t number, double accumulator, IssueOutcome& outcome) const {
  try {
    one_issue_in<UInt128>(row, column, number, accumulator, outcome);
  } catch (const DoesNotFit&) {
    outcome = {};
    one_issue_in<Wide>(row, column, number, accumulator, outcome);
  }
}

template <class U>
void IssueTile::one_issue_in(std::int64_t row, std::int64_t column, std::int64_t number, double accumulator, IssueOutcome& outcome) const {
  std::vector<Addend<U>> addends;
  for (std::int64_t t = number * issue; t < std::min((number + 1) * issue, tile_.k); ++t) {
    const std::int64_t term = order_[at(t)];
    const BasicExact<U> a = formats::from_double<U>(a_.value(row, term));
    const BasicExact<U> b = formats::from_double<U>(b_.value(column, term));
    BasicExact<U> p = product(a, b);
    outcome.counts.invalid += p.nan && !a.nan && !b.nan;
    const int of_both = p.is_finite() ? exponent(a_, row, term) + exponent(b_, column, term) : 0;
    if (range_ && p.is_finite() && range_->outside_range(p)) {
      p = BasicExact<U>::infinity(p.negative);
      ++outcome.counts.product_overflow;
    }
    addends.push_back({std::move(p), of_both});
  }
  OutputCounts<U> counts;
  RandomSite random;
  const BasicExact<U> start = formats::from_double<U>(accumulator);
  const BasicExact<U> value = LevelRun<U>(level_, rounder_, random, counts, &start).run(addends, true).front().value;
  outcome.value = to_double(value);
  outcome.counts.partial = counts.partial.value();
  outcome.counts.overflow = counts.events[Event::sum_overflow];
  outcome.counts.underflow = counts.events[Event::sum_underflow];
  outcome.counts.inexact = counts.events[Event::sum_inexact];
  outcome.counts.invalid += counts.events[Event::invalid];
}

/// The levels above, on the sums that output i hands up.
template <class U>
BasicExact<U> IssueTile::upper_levels(std::span<const double> sums, std::size_t i, OutputCounts<U>& counts,
                                      const std::vector<Rounder>& rounders) const {
  const int emin = formats::limits(level_.format).emin;
  std::vector<Addend<U>> addends;
  for (const double s : sums) {
    BasicExact<U> x = formats::from_double<U>(s);
    const int exponent = x.is_nonzero_finite() ? std::max(log2_floor(x), emin) : level_.zero_operand_exponent.value_or(0);
    addends.push_back({std::move(x), exponent});
  }
  for (std::size_t l = 1; l < datapath_.levels.size(); ++l) {
    RandomSite random;
    BasicExact<U> c = BasicExact<U>::zero();
    if (enters_at(l)) {
      if constexpr (std::is_same_v<U, UInt128>) c = tile_.accumulator[i];
      else c = widened(tile_.accumulator[i]);
    }
    addends = LevelRun<U>(datapath_.levels[l], rounders[l - 1], random, counts, enters_at(l) ? &c : nullptr)
                  .run(addends, l + 1 == datapath_.levels.size());
  }
  return addends.front().value;
}

/// One more level, sequential in binary32, rounded to nearest even: the host's own addition of binary32 numbers (IEEE 754), with the
/// rest of each sum by Knuth's two-sum, which is exact while nothing overflows. False where something does, is not finite or no
/// binary32.
bool IssueTile::add_in_binary32(std::span<const double> sums, std::size_t i, OutputCounts<UInt128>& counts, double& partial,
                                double& value) const {
  float accumulator = 0.0F;
  if (enters_at(1)) {
    const double c = to_double(tile_.accumulator[i]);
    accumulator = static_cast<float>(c);
    if (static_cast<double>(accumulator) != c) return false;
  }
  for (const double s : sums) {
    const auto x = static_cast<float>(s);
    if (static_cast<double>(x) != s) return false;  // underflow = "none" keeps numbers that binary32 has not
    const float total = accumulator + x;
    if (!std::isfinite(total)) return false;
    const float moved = total - accumulator;
    const float rest = (accumulator - (total - moved)) + (x - moved);
    counts.events[Event::sum_inexact] += rest != 0.0F;
    counts.events[Event::swamped] += x != 0.0F && accumulator != 0.0F && total == accumulator;
    partial = std::max(partial, std::abs(static_cast<double>(accumulator) + static_cast<double>(x)));
    accumulator = total;
  }
  value = accumulator;
  return true;
}

bool IssueTile::is_binary32_above() const {
  if (datapath_.levels.size() != 2) return false;
  const Level& above = datapath_.levels[1];
  static const formats::Format binary32{"", formats::FloatFormat{.exponent_bits = 8, .fraction_bits = 23, .bias = 127}, ""};
  return above.kind == LevelKind::sequential && above.rounded_format() == binary32 && above.format == binary32 &&
         level_.format == binary32 && above.rounding.mode == formats::Rounding::rne &&
         underflow_of(above.rounding, above.format) == formats::Underflow::gradual;
}

void IssueTile::fill(const std::vector<double>& values, const std::vector<char>& overflowed, std::int64_t width,
                     const IssueCounts& counts) {
  const Finish finish(datapath_, tile_);
  const std::size_t outputs = at(tile_.rows * tile_.columns);
  const bool has_upper = datapath_.levels.size() > 1;
  const bool as_numbers = !has_upper && !finish.needed();
  result_.overflowed.resize(outputs);
  result_.events[Event::sum_overflow] = counts.overflow;
  result_.events[Event::sum_underflow] = counts.underflow;
  result_.events[Event::sum_inexact] = counts.inexact;
  result_.events[Event::invalid] = counts.invalid;
  result_.events[Event::product_overflow] = counts.product_overflow;
  result_.events[Event::product_inexact] = counts.product_overflow;
  result_.max_abs_partial = counts.partial;
  if (as_numbers) result_.numbers.resize(outputs);
  std::vector<NarrowExact> exact(as_numbers ? 0 : outputs);
  std::vector<Rounder> rounders;
  for (std::size_t l = 1; l < datapath_.levels.size(); ++l)
    rounders.emplace_back(datapath_.levels[l].rounded_format(), datapath_.levels[l].rounding);
  const bool binary32 = is_binary32_above();
  std::vector<double> of_output(at(sums));
  for (std::size_t i = 0; i < outputs; ++i) {
    const std::size_t from = i / at(tile_.columns) * at(width) + i % at(tile_.columns);
    result_.overflowed[i] = overflowed[from];
    for (std::size_t s = 0; s < of_output.size(); ++s) of_output[s] = values[s * at(tile_.rows * width) + from];
    if (as_numbers) result_.numbers[i] = of_output.front();
    else exact[i] = finish(has_upper ? above(of_output, i, rounders, binary32) : formats::from_double<UInt128>(of_output.front()), i);
  }
  if (!as_numbers) deliver(std::move(exact), result_);
  see_products();
}

NarrowExact IssueTile::above(std::span<const double> sums, std::size_t i, const std::vector<Rounder>& rounders, bool binary32) {
  if (binary32) {
    OutputCounts<UInt128> counts;
    double partial = 0;
    double value = 0;
    if (add_in_binary32(sums, i, counts, partial, value)) {
      result_.events.merge(counts.events);
      result_.max_abs_partial = std::max(result_.max_abs_partial, partial);
      return formats::from_double<UInt128>(value);
    }
  }
  try {
    OutputCounts<UInt128> counts;
    const NarrowExact value = upper_levels<UInt128>(sums, i, counts, rounders);
    merge(counts, i);
    return value;
  } catch (const DoesNotFit&) {
    OutputCounts<Wide> counts;
    const NarrowExact value = narrowed(upper_levels<Wide>(sums, i, counts, rounders));
    merge(counts, i);
    return value;
  }
}

template <class U>
void IssueTile::merge(const OutputCounts<U>& counts, std::size_t i) {
  result_.events.merge(counts.events);
  if (counts.overflowed) result_.overflowed[i] = 1;
  result_.max_abs_partial = std::max(result_.max_abs_partial, counts.partial.value());
}

/// The largest product of a term is that of the largest finite operands of both sides.
void IssueTile::see_products() {
  const std::vector<double>& a = a_cache().made<LargestOfTerms>(0, [&] { return LargestOfTerms(a_); }).of_term;
  const std::vector<double>& b = b_cache().made<LargestOfTerms>(0, [&] { return LargestOfTerms(b_); }).of_term;
  for (std::size_t t = 0; t < a.size(); ++t) result_.max_abs_product = std::max(result_.max_abs_product, a[t] * b[t]);
}

}  // namespace accsim::sim::kernels
