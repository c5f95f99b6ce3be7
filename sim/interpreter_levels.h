// The interpreter's reduction levels: every kind of contracts 3 on exact integers, one rounding at a time.
#pragma once

#include <algorithm>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "formats/round.h"
#include "sim/aligned_sum.h"
#include "sim/cut.h"
#include "sim/datapath.h"
#include "sim/online/level.h"
#include "sim/ordered_sum.h"
#include "sim/output_counts.h"
#include "sim/random_site.h"

namespace accsim::sim {

/// A value that a level adds, with the exponent that fused_sum aligns it by: of a product the sum of its operands' exponents,
/// elsewhere that of its binade, in both cases not below that of the smallest normal.
template <class U>
struct Addend {
  formats::BasicExact<U> value;
  int exponent = 0;
};

/// One level of one output.
template <class U>
class LevelRun {
 public:
  using Value = formats::BasicExact<U>;
  using Addends = std::vector<Addend<U>>;
  using Part = std::span<const Addend<U>>;

  /// `initial` starts the first accumulator; null: zero. `online` has the operands where the kind asks for them.
  LevelRun(const Level& level, const formats::Rounder& rounder, RandomSite& random, OutputCounts<U>& counts, const Value* initial,
           online::OnlineLevel* online = nullptr)
      : level_(level),
        rounder_(rounder),
        random_(random),
        counts_(counts),
        initial_(initial),
        online_(online),
        emin_(level.format.as_float() != nullptr ? formats::limits(level.format).emin : lowest_exponent) {}

  /// What the level hands up. The last level takes all in one sum, whatever its terms and issues.
  Addends run(const Addends& addends, bool is_last) {
    first_ = addends.data();
    const std::size_t all = addends.size();
    const std::size_t terms = level_.terms ? static_cast<std::size_t>(*level_.terms) : all;
    std::size_t group = is_last ? all : terms;  // addends for one sum that is handed up
    if (takes_accumulator(level_) && has_issues(level_.kind) && !is_last) {
      group = level_.issues && static_cast<std::size_t>(*level_.issues) < all / terms + 1 ? terms * static_cast<std::size_t>(*level_.issues)
                                                                                          : all;
    }
    Addends sums;
    for (std::size_t first = 0; first < all; first += group) {
      const std::size_t last = std::min(first + group, all);
      sums.push_back(with_exponent(one_sum(Part(addends).subspan(first, last - first), terms, first == 0 ? initial_ : nullptr)));
    }
    return sums;
  }

  static constexpr int lowest_exponent = -(1 << 24);  ///< of a format without a smallest normal: no bound

 private:
  Value one_sum(Part part, std::size_t terms, const Value* initial) {
    Value start = initial != nullptr ? *initial : Value::zero();
    switch (level_.kind) {
      case LevelKind::sequential: {
        Value accumulator = start;
        for (const Addend<U>& addend : part) accumulator = add(accumulator, addend.value, true);
        return accumulator;
      }
      case LevelKind::tree: return tree(values_of(part), static_cast<std::size_t>(level_.fan_in));
      case LevelKind::interleaved: return interleaved(part, start);
      case LevelKind::fused_sum: return issue_after_issue(part, terms, start, [this](Part issue) { return fused_sum(issue); });
      case LevelKind::staged_sum: return issue_after_issue(part, terms, start, [this](Part issue) { return staged_sum(issue); });
      case LevelKind::scaled_sum: return issue_after_issue(part, terms, start, [this](Part issue) { return scaled_sum(issue); });
      case LevelKind::ordered_sum: return issue_after_issue(part, terms, start, [this](Part issue) { return ordered_sum(issue); });
      case LevelKind::exact:
      case LevelKind::exponent_bins: return issue_after_issue(part, terms, start, [this](Part issue) { return exact_sum(issue); });
      case LevelKind::sorted: return sorted(part);
      case LevelKind::online:
        return rounded_cut_sum(part, online_->template sum<U>(static_cast<std::size_t>(part.data() - first_), part.size()));
    }
    return start;
  }

  static std::vector<Value> values_of(Part addends) {
    std::vector<Value> values;
    values.reserve(addends.size());
    for (const Addend<U>& addend : addends) values.push_back(addend.value);
    return values;
  }

  Addend<U> with_exponent(Value value) const {
    const int exponent = value.is_nonzero_finite() ? std::max(log2_floor(value), emin_) : level_.zero_operand_exponent.value_or(0);
    return {std::move(value), exponent};
  }

  /// Rounds the exact sum of addends once; `made_nan`: it is NaN and none of them was.
  Value rounded(const Value& exact, bool made_nan) {
    counts_.partial.see(exact);
    const std::uint32_t random = random_.next();
    formats::Rounded<U> r = rounder_(exact, random);
    counts_.see_tiny(rounder_, exact, random, r.events);
    counts_.count(r.events, Event::sum_overflow, Event::sum_underflow, Event::sum_inexact);
    counts_.events[Event::invalid] += r.events.invalid || made_nan;
    return std::move(r.value);
  }

  /// accumulator + addend, rounded once.
  Value add(const Value& accumulator, const Value& addend, bool count_swamped) {
    const Value exact = formats::sum(accumulator, addend, rounder_.zero_sum_is_negative());
    const bool made_nan = exact.nan && !accumulator.nan && !addend.nan;
    Value result = rounder_.needs_both_operands() ? rounded_pair(accumulator, addend, exact) : rounded(exact, made_nan);
    if (count_swamped) {
      counts_.events[Event::swamped] += addend.is_nonzero_finite() && accumulator.is_nonzero_finite() && same_value(result, accumulator);
    }
    return result;
  }

  /// For adders whose result depends on the operands, not only on their sum.
  Value rounded_pair(const Value& accumulator, const Value& addend, const Value& exact) {
    counts_.partial.see(exact);
    const std::uint32_t random = random_.next();
    formats::Rounded<U> r = rounder_.rounded_sum(accumulator, addend, random);
    counts_.see_tiny(rounder_, exact, random, r.events);
    counts_.count(r.events, Event::sum_overflow, Event::sum_underflow, Event::sum_inexact);
    counts_.events[Event::invalid] += r.events.invalid;
    return std::move(r.value);
  }

  /// The exact sum of several values; sets `made_nan` where none of them was NaN.
  Value exact_total(const std::vector<Value>& values, bool& made_nan) const {
    Value total = values.front();
    bool had_nan = total.nan;
    for (std::size_t i = 1; i < values.size(); ++i) {
      had_nan |= values[i].nan;
      total = formats::sum(total, values[i], rounder_.zero_sum_is_negative());
    }
    made_nan = total.nan && !had_nan;
    return total;
  }

  Value tree(std::vector<Value> values, std::size_t fan_in) {
    if (values.size() == 1) return rounded(values.front(), false);
    while (values.size() > 1) {
      std::vector<Value> next;
      for (std::size_t i = 0; i < values.size(); i += fan_in) {
        const std::vector<Value> node(values.begin() + static_cast<std::ptrdiff_t>(i),
                                      values.begin() + static_cast<std::ptrdiff_t>(std::min(i + fan_in, values.size())));
        if (node.size() == 1) {
          next.push_back(node.front());
        } else if (node.size() == 2) {
          next.push_back(add(node[0], node[1], false));
        } else {
          bool made_nan = false;
          const Value total = exact_total(node, made_nan);
          next.push_back(rounded(total, made_nan));
        }
      }
      values = std::move(next);
    }
    return values.front();
  }

  Value interleaved(Part part, const Value& start) {
    const auto ways = static_cast<std::size_t>(level_.ways);
    std::vector<Value> partial(ways, Value::zero());
    partial.front() = start;
    for (std::size_t i = 0; i < part.size(); ++i) partial[i % ways] = add(partial[i % ways], part[i].value, true);
    switch (level_.combine) {
      case Combine::sequential: {
        Value total = Value::zero();
        for (const Value& p : partial) total = add(total, p, true);
        return total;
      }
      case Combine::tree: return tree(std::move(partial), 2);
      case Combine::coalesce: return coalesce(partial, part.size());
    }
    return partial.front();
  }

  /// The order in which a one-adder pipeline of latency `ways` meets its partial sums (online.md 6.2): they leave the pipe one a
  /// cycle, the first being number (count mod ways); one waits until the next appears, and their sum enters the pipe.
  Value coalesce(const std::vector<Value>& partial, std::size_t count) {
    const std::size_t ways = partial.size();
    std::deque<std::optional<Value>> pipe;  // front leaves next
    const std::size_t used = std::min(count, ways);
    for (std::size_t i = used; i < ways; ++i) pipe.emplace_back();
    for (std::size_t i = 0; i < used; ++i) pipe.emplace_back(partial[count < ways ? i : (count + i) % ways]);
    std::optional<Value> waiting;
    for (;;) {
      std::optional<Value> out = std::move(pipe.front());
      pipe.pop_front();
      std::optional<Value> issued;
      if (out) {
        if (!waiting) {
          waiting = std::move(out);
        } else {
          issued = add(*waiting, *out, false);
          waiting.reset();
        }
      }
      pipe.push_back(std::move(issued));
      const bool in_flight = std::any_of(pipe.begin(), pipe.end(), [](const std::optional<Value>& p) { return p.has_value(); });
      if (waiting && !in_flight) return *waiting;
    }
  }

  /// Splits a part into issues of `terms`, feeds the result back where the level takes an accumulator.
  template <class Sum>
  Value issue_after_issue(Part part, std::size_t terms, const Value& start, Sum&& sum_of) {
    if (!takes_accumulator(level_)) return sum_of(part);
    Value accumulator = start;
    for (std::size_t first = 0; first < part.size(); first += terms) {
      Addends issue{with_exponent(accumulator)};
      issue.insert(issue.end(), part.begin() + static_cast<std::ptrdiff_t>(first),
                   part.begin() + static_cast<std::ptrdiff_t>(std::min(first + terms, part.size())));
      accumulator = sum_of(issue);
    }
    return accumulator;
  }

  /// Whether and by what exponent an addend takes part in the search for the largest.
  std::optional<int> alignment_of(const Addend<U>& x) const {
    if (x.value.is_zero()) return level_.zero_operand_exponent ? std::optional(x.exponent) : level_.zero_exponent;
    return level_.normalize_products ? log2_floor(x.value) : x.exponent;
  }

  std::vector<Aligned<U>> aligned(Part addends) const {
    std::vector<Aligned<U>> result;
    result.reserve(addends.size());
    for (const Addend<U>& x : addends) result.push_back({x.value, alignment_of(x)});
    return result;
  }

  /// All aligned to the largest exponent, each cut to fraction_bits below it, summed exactly, rounded once.
  Value fused_sum(Part issue) {
    if (has_nonfinite(issue)) return exactly_rounded(issue);
    return rounded_cut_sum(issue, aligned_sum<U>(aligned(issue), level_.fraction_bits, level_.align).value);
  }

  /// The products are summed before the accumulator, which comes first in the issue, joins them.
  Value staged_sum(Part issue) {
    if (has_nonfinite(issue)) return exactly_rounded(issue);
    const std::vector<Aligned<U>> all = aligned(issue);
    return rounded_cut_sum(issue, sim::staged_sum<U>(level_, std::span(all).subspan(1), all.front(), emin_));
  }

  /// Groups of products are summed exactly; a sum is aligned by the exponents of its scales, which are those of its addends, even where it
  /// cancelled.
  Value scaled_sum(Part issue) {
    if (has_nonfinite(issue)) return exactly_rounded(issue);
    std::vector<Aligned<U>> sums;
    if (level_.with_accumulator) sums.push_back({issue.front().value, alignment_of(issue.front())});
    const Part products = issue.subspan(sums.size());
    const auto group = static_cast<std::size_t>(level_.group);
    for (std::size_t first = 0; first < products.size(); first += group) {
      Aligned<U> sum{Value::zero(), level_.zero_exponent};
      for (const Addend<U>& x : products.subspan(first, std::min(group, products.size() - first))) {
        if (x.value.is_zero()) continue;
        sum = {formats::sum(sum.value, x.value), x.exponent};
      }
      sums.push_back(std::move(sum));
    }
    return rounded_cut_sum(issue, aligned_sum<U>(sums, level_.fraction_bits, level_.align).value);
  }

  /// The products and, last, the accumulator, which comes first in the issue, by falling exponent. The exponent of a product's first bit is
  /// one above the sum of its operands' where its significand has two integer bits. The flags of a row see the sticky bits; the event
  /// `inexact` is what is delivered against the exact sum.
  Value ordered_sum(Part issue) {
    if (has_nonfinite(issue)) return exactly_rounded(issue);
    std::vector<Placed<U>> placed;
    for (const Addend<U>& x : issue.subspan(1)) {
      placed.push_back({x.value, x.value.is_zero() ? 2 * lowest_exponent : x.exponent + level_.product_integer_bits - 1});
    }
    placed.push_back({issue.front().value, issue.front().value.is_zero() ? emin_ : issue.front().exponent});
    const formats::Limits& limits = rounder_.format_limits();
    const auto total = sim::ordered_sum<U>(level_, placed, emin_, limits.lsb_exponent, rounder_.zero_sum_is_negative());
    counts_.partial.see(total.value);
    const Value seen = ordered::with_sticky(total, limits);
    const std::uint32_t random = random_.next();
    formats::Rounded<U> r = rounder_(seen, random);
    bool made_nan = false;
    if (!counts_.watch_tiny) r.events.inexact = !same_value(r.value, exact_total(values_of(issue), made_nan));
    counts_.see_tiny(rounder_, seen, random, r.events);
    counts_.count(r.events, Event::sum_overflow, Event::sum_underflow, Event::sum_inexact);
    counts_.events[Event::invalid] += r.events.invalid;
    return std::move(r.value);
  }

  static bool has_nonfinite(Part issue) {
    return std::any_of(issue.begin(), issue.end(), [](const Addend<U>& x) { return !x.value.is_finite(); });
  }

  Value exactly_rounded(Part issue) {
    bool made_nan = false;
    const Value total = exact_total(values_of(issue), made_nan);
    return rounded(total, made_nan);
  }

  /// Rounds the sum of addends that were cut. Inexact is what is delivered against the sum of the uncut ones: two cuts can cancel.
  Value rounded_cut_sum(Part issue, Value total) {
    bool made_nan = false;
    const Value uncut = exact_total(values_of(issue), made_nan);
    if (total.is_zero()) {
      const bool zeros_only = std::all_of(issue.begin(), issue.end(), [](const Addend<U>& x) { return x.value.is_zero(); });
      total = zeros_only ? uncut : Value::zero(rounder_.zero_sum_is_negative());
    }
    counts_.partial.see(total);
    const std::uint32_t random = random_.next();
    formats::Rounded<U> r = rounder_(total, random);
    r.events.inexact = !same_value(r.value, uncut);
    counts_.see_tiny(rounder_, total, random, r.events);
    counts_.count(r.events, Event::sum_overflow, Event::sum_underflow, Event::sum_inexact);
    counts_.events[Event::invalid] += r.events.invalid;
    return std::move(r.value);
  }

  /// A register wide enough for the exact sum (Kulisch), or of `width` bits with its last at 2^lsb, which drops what is finer
  /// toward zero and wraps; rounded once.
  Value exact_sum(Part issue) {
    bool made_nan = false;
    const Value total = exact_total(values_of(issue), made_nan);
    if (!level_.width || !total.is_finite()) return rounded(total, made_nan);
    const int lsb = *level_.lsb;
    Value held = Value::zero(total.negative);
    for (const Addend<U>& x : issue)
      held = formats::sum(held, x.value.is_zero() ? x.value : cut_below(x.value, lsb, Align::rz), rounder_.zero_sum_is_negative());
    const formats::Format reg{"", formats::FixedFormat{.width = *level_.width, .fraction_bits = -lsb}, ""};
    const formats::Rounded<U> in_register =
        formats::round(held, reg, {.mode = formats::Rounding::rz, .stochastic = {}, .overflow = formats::Overflow::wrap, .underflow = {}});
    counts_.partial.see(held);
    formats::Rounded<U> r = rounder_(in_register.value, random_.next());
    r.events.overflow |= in_register.events.overflow;
    r.events.inexact = !same_value(r.value, total);
    counts_.count(r.events, Event::sum_overflow, Event::sum_underflow, Event::sum_inexact);
    counts_.events[Event::invalid] += r.events.invalid;
    return std::move(r.value);
  }

  /// The largest positive and the most negative are added and their sum sorted back in; once one sign is left, by increasing
  /// magnitude from zero. NaN and infinities count by their sign (NaN as positive), zeros go with the last phase.
  Value sorted(Part part) {
    std::vector<Value> positive, negative, zeros;
    const auto place = [&](Value value) {
      if (value.is_zero()) return zeros.push_back(std::move(value));
      std::vector<Value>& list = value.negative && !value.nan ? negative : positive;
      const auto smaller = [](const Value& x, const Value& y) {
        if (!x.is_finite() || !y.is_finite()) return x.is_finite() && !y.is_finite();
        return compare_magnitude(x, y) < 0;
      };
      list.insert(std::lower_bound(list.begin(), list.end(), value, smaller), std::move(value));  // a newcomer stands below its equals
    };
    for (const Addend<U>& addend : part) place(addend.value);
    while (!positive.empty() && !negative.empty()) {
      const Value largest = std::move(positive.back());
      const Value most_negative = std::move(negative.back());
      positive.pop_back();
      negative.pop_back();
      place(add(largest, most_negative, false));
    }
    Value total = Value::zero();
    for (const std::vector<Value>* list : {&zeros, &positive, &negative}) {
      for (const Value& value : *list) total = add(total, value, false);
    }
    return total;
  }

  const Level& level_;
  const formats::Rounder& rounder_;
  RandomSite& random_;
  OutputCounts<U>& counts_;
  const Value* initial_;
  online::OnlineLevel* online_;
  const Addend<U>* first_ = nullptr;  ///< of all addends
  int emin_;
};

}  // namespace accsim::sim
