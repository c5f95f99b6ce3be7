// One tile through the fused-sum lanes: operands taken apart and packed, lanes, the levels above, back.
#include "sim/kernels/fused_sum_run.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "sim/interpreter_levels.h"
#include "sim/kernels/lane_memory.h"
#include "sim/kernels/packed_integers.h"

namespace accsim::sim::kernels {
namespace {

using formats::BasicExact;
using formats::DoesNotFit;
using formats::NarrowExact;
using formats::Rounder;
using formats::Rounding;
using formats::UInt128;
using formats::Wide;

/// An operand's values taken apart.
struct Scan {
  int fraction_bits = 0;
  int least = 1 << 20;  ///< exponent of the smallest nonzero one
  bool in_range = true;
};
struct Parts {
  bool odd = false;  ///< not finite
  bool negative = false;
  std::uint64_t significand = 0;
  int exponent = 0;  ///< that it is aligned by
  int unit = 0;      ///< exponent of the significand's last bit
};
Parts parts_of(double value, int emin) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const int field = static_cast<int>((bits >> 52) & 0x7FF);
  Parts p;
  p.negative = (bits >> 63) != 0;
  p.odd = field == 0x7FF;
  p.significand = bits & 0xFFFFFFFFFFFFFULL;
  if (field != 0) p.significand |= 1ULL << 52;
  p.unit = std::max(field, 1) - 1075;
  p.exponent = std::max(field - 1023, emin);
  return p;
}
Scan scan(std::span<const double> values, int emin) {
  Scan s;
  for (const double value : values) {
    const Parts p = parts_of(value, emin);
    if (p.odd || p.significand == 0) continue;
    s.fraction_bits = std::max(s.fraction_bits, p.exponent - p.unit - std::countr_zero(p.significand));
    s.least = std::min(s.least, p.exponent);
    s.in_range &= std::abs(p.exponent) <= operand_exponent_limit;
  }
  return s;
}

class FusedRun {
 public:
  FusedRun(const FusedLanes& lanes, const Datapath& datapath, const Tile& tile, TileResult& result)
      : lanes_(lanes),
        datapath_(datapath),
        tile_(tile),
        result_(result),
        level_(datapath.levels.front()),
        rounder_(level_.rounded_format(), level_.rounding),
        order_(term_order(datapath, tile.k)) {}

  /// False where the tile turns out not to be covered.
  bool run() {
    if (tile_.k < 1 || tile_.a_blocks.block != 0 || tile_.b_blocks.block != 0) return false;
    a_ = doubles_of(tile_.a, tile_.a_exact, a_copies_);
    b_ = doubles_of(tile_.b, tile_.b_exact, b_copies_);
    const Scan a = scan(a_, tile_.a_emin);
    const Scan b = scan(b_, tile_.b_emin);
    const std::optional<Shifts> shifts = shifts_for(level_.fraction_bits, a.fraction_bits, b.fraction_bits);
    if (!shifts || !a.in_range || !b.in_range) return false;
    describe(*shifts, a, b);
    const std::int64_t lanes = lanes_.lanes;
    const std::int64_t width = job_.panels * lanes;
    if (!take_initial(width)) return false;

    const LaneMemory<std::int32_t> a_words(tile_.rows * tile_.k), a_exponents(tile_.rows * tile_.k);
    const LaneMemory<std::int32_t> a_least(tile_.rows * job_.issues), a_odd(tile_.rows * job_.issues);
    const LaneMemory<std::int32_t> b_words(width * tile_.k), b_exponents(width * tile_.k);
    const LaneMemory<std::int32_t> b_least(width * job_.issues), b_odd(width * job_.issues);
    for (std::int64_t row = 0; row < tile_.rows; ++row) {
      pack(a_.subspan(at(row * tile_.k), at(tile_.k)), tile_.a_emin, a.fraction_bits, shifts->a, 1,
           {a_words.data() + row * tile_.k, a_exponents.data() + row * tile_.k, a_least.data() + row * job_.issues,
            a_odd.data() + row * job_.issues});
    }
    const std::vector<double> zeros(at(tile_.k));
    for (std::int64_t column = 0; column < width; ++column) {
      const std::int64_t panel = column / lanes;
      const std::int64_t lane = column % lanes;
      pack(column < tile_.columns ? b_.subspan(at(column * tile_.k), at(tile_.k)) : std::span<const double>(zeros), tile_.b_emin,
           b.fraction_bits, shifts->b, lanes,
           {b_words.data() + panel * tile_.k * lanes + lane, b_exponents.data() + panel * tile_.k * lanes + lane,
            b_least.data() + panel * job_.issues * lanes + lane, b_odd.data() + panel * job_.issues * lanes + lane});
    }
    std::vector<double> values(at(job_.sums * tile_.rows * width));
    std::vector<char> overflowed(at(tile_.rows * width));
    job_.a = a_words.data();
    job_.a_exponents = a_exponents.data();
    job_.a_least = a_least.data();
    job_.a_odd = a_odd.data();
    job_.b = b_words.data();
    job_.b_exponents = b_exponents.data();
    job_.b_least = b_least.data();
    job_.b_odd = b_odd.data();
    job_.initial = initial_.empty() ? nullptr : initial_.data();
    job_.values = values.data();
    job_.overflowed = overflowed.data();
    job_.slow = [](void* context, std::int64_t row, std::int64_t column, std::int64_t issue, double accumulator, IssueOutcome& outcome) {
      static_cast<const FusedRun*>(context)->one_issue(row, column, issue, accumulator, outcome);
    };
    job_.context = this;
    lanes_.run(job_);
    fill(values, overflowed, width);
    return true;
  }

 private:
  static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

  void describe(const Shifts& shifts, const Scan& a, const Scan& b) {
    const formats::Limits& rounded = rounder_.format_limits();
    job_.rows = tile_.rows;
    job_.columns = tile_.columns;
    job_.panels = (tile_.columns + lanes_.lanes - 1) / lanes_.lanes;
    job_.k = tile_.k;
    job_.issue = std::min(*level_.terms, tile_.k);
    job_.issues = (tile_.k + job_.issue - 1) / job_.issue;
    const bool is_last = datapath_.levels.size() == 1;
    job_.issues_in_sum = is_last || !level_.issues ? job_.issues : std::min(*level_.issues, job_.issues);
    job_.sums = (job_.issues + job_.issues_in_sum - 1) / job_.issues_in_sum;
    job_.fraction_bits = level_.fraction_bits;
    job_.base = shifts.base;
    job_.floors = level_.align == Align::rd;
    const auto largest = [](const Scan& s, int shift) { return ((std::int64_t{1} << (s.fraction_bits + 1)) - 1) << shift; };
    const std::int64_t product = ((largest(a, shifts.a) * largest(b, shifts.b)) >> std::min(shifts.base, 31)) + 1;
    job_.flush = 16;
    while (job_.flush > ((std::int64_t{1} << 31) - 1) / product || job_.flush >= 2 * job_.issue) job_.flush /= 2;
    job_.window = std::min(29, 31 - std::countr_zero(static_cast<std::uint64_t>(job_.flush)));
    job_.accumulator_emin = formats::limits(level_.format).emin;
    job_.zeros_count = level_.zero_exponent && (*level_.zero_exponent > a.least + b.least || *level_.zero_exponent > job_.accumulator_emin);
    job_.zero_exponent = level_.zero_exponent.value_or(0);
    job_.precision = rounded.precision;
    job_.to_nearest = level_.rounding.mode == Rounding::rne;
    job_.min_normal = std::bit_cast<std::int64_t>(to_double(rounded.min_normal));
    job_.max_finite = std::bit_cast<std::int64_t>(to_double(rounded.max_finite));
  }

  [[nodiscard]] bool enters_at(std::size_t level) const {
    return !tile_.accumulator.empty() && !datapath_.accumulator.last && datapath_.accumulator_level_index() == level;
  }

  bool take_initial(std::int64_t width) {
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

  struct Places {
    std::int32_t *words, *exponents, *least, *odd;
  };
  void pack(std::span<const double> line, int emin, int fraction_bits, int shift, std::int64_t stride, Places to) const {
    for (std::int64_t issue = 0; issue < job_.issues; ++issue) {
      std::int32_t least = 1 << 20;
      std::int32_t odd = 0;
      for (std::int64_t t = issue * job_.issue; t < std::min((issue + 1) * job_.issue, tile_.k); ++t) {
        const Parts p = parts_of(line[at(order_[at(t)])], emin);
        std::int32_t word = 0;
        std::int32_t exponent = zero_operand;
        if (p.odd) {
          odd = -1;
        } else if (p.significand != 0) {
          const auto magnitude = static_cast<std::int32_t>(p.significand >> (p.exponent - fraction_bits - p.unit) << shift);
          word = (p.negative ? -magnitude : magnitude) & 0xFFFF;
          exponent = p.exponent;
          least = std::min(least, exponent);
        }
        to.words[t * stride] = word;
        to.exponents[t * stride] = exponent;
      }
      to.least[issue * stride] = least;
      to.odd[issue * stride] = odd;
    }
  }

  /// One issue by the interpreter's level.
  void one_issue(std::int64_t row, std::int64_t column, std::int64_t issue, double accumulator, IssueOutcome& outcome) const {
    try {
      one_issue_in<UInt128>(row, column, issue, accumulator, outcome);
    } catch (const DoesNotFit&) {
      outcome = {};
      one_issue_in<Wide>(row, column, issue, accumulator, outcome);
    }
  }
  template <class U>
  void one_issue_in(std::int64_t row, std::int64_t column, std::int64_t issue, double accumulator, IssueOutcome& outcome) const {
    std::vector<Addend<U>> addends;
    for (std::int64_t t = issue * job_.issue; t < std::min((issue + 1) * job_.issue, tile_.k); ++t) {
      const BasicExact<U> a = formats::from_double<U>(a_[at(row * tile_.k + order_[at(t)])]);
      const BasicExact<U> b = formats::from_double<U>(b_[at(column * tile_.k + order_[at(t)])]);
      const BasicExact<U> p = product(a, b);
      outcome.invalid += p.nan && !a.nan && !b.nan;
      const int exponent = p.is_nonzero_finite() ? std::max(log2_floor(a), tile_.a_emin) + std::max(log2_floor(b), tile_.b_emin) : 0;
      addends.push_back({p, exponent});
    }
    OutputCounts<U> counts;
    RandomSite random;
    const BasicExact<U> start = formats::from_double<U>(accumulator);
    const BasicExact<U> value = LevelRun<U>(level_, rounder_, random, counts, &start).run(addends, true).front().value;
    outcome.value = to_double(value);
    outcome.partial = counts.partial.value();
    outcome.overflow = counts.events[Event::sum_overflow];
    outcome.underflow = counts.events[Event::sum_underflow];
    outcome.inexact = counts.events[Event::sum_inexact];
    outcome.invalid += counts.events[Event::invalid];
  }

  /// The levels above, on the sums that output i hands up.
  template <class U>
  BasicExact<U> upper_levels(std::span<const double> sums, std::size_t i, OutputCounts<U>& counts,
                             const std::vector<Rounder>& rounders) const {
    std::vector<Addend<U>> addends;
    for (const double s : sums) {
      BasicExact<U> x = formats::from_double<U>(s);
      const int exponent = x.is_nonzero_finite() ? std::max(log2_floor(x), job_.accumulator_emin) : 0;
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
  /// rest of each sum by Knuth's two-sum, which is exact while nothing overflows. False where something does, or is not finite.
  bool add_in_binary32(std::span<const double> sums, std::size_t i, OutputCounts<UInt128>& counts, double& partial, double& value) const {
    float accumulator = 0.0F;
    if (enters_at(1)) {
      const double c = to_double(tile_.accumulator[i]);
      accumulator = static_cast<float>(c);
      if (static_cast<double>(accumulator) != c) return false;
    }
    for (const double s : sums) {
      const auto x = static_cast<float>(s);
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

  [[nodiscard]] bool is_binary32_above() const {
    if (datapath_.levels.size() != 2) return false;
    const Level& above = datapath_.levels[1];
    static const formats::Format binary32{"", formats::FloatFormat{.exponent_bits = 8, .fraction_bits = 23, .bias = 127}, ""};
    return above.kind == LevelKind::sequential && above.rounded_format() == binary32 && above.format == binary32 &&
           level_.format == binary32 && above.rounding.mode == Rounding::rne &&
           underflow_of(above.rounding, above.format) == formats::Underflow::gradual;
  }

  void fill(const std::vector<double>& values, const std::vector<char>& overflowed, std::int64_t width) {
    const Finish finish(datapath_, tile_);
    const std::size_t outputs = at(tile_.rows * tile_.columns);
    const bool has_upper = datapath_.levels.size() > 1;
    const bool as_numbers = !has_upper && !finish.needed();
    result_.overflowed.resize(outputs);
    result_.events[Event::sum_overflow] = job_.overflow;
    result_.events[Event::sum_underflow] = job_.underflow;
    result_.events[Event::sum_inexact] = job_.inexact;
    result_.events[Event::invalid] = job_.invalid;
    result_.max_abs_partial = job_.partial;
    if (as_numbers) result_.numbers.resize(outputs);
    std::vector<NarrowExact> exact(as_numbers ? 0 : outputs);
    std::vector<Rounder> rounders;
    for (std::size_t l = 1; l < datapath_.levels.size(); ++l)
      rounders.emplace_back(datapath_.levels[l].rounded_format(), datapath_.levels[l].rounding);
    const bool binary32 = is_binary32_above();
    std::vector<double> sums(at(job_.sums));
    for (std::size_t i = 0; i < outputs; ++i) {
      const std::size_t from = i / at(tile_.columns) * at(width) + i % at(tile_.columns);
      result_.overflowed[i] = overflowed[from];
      for (std::size_t s = 0; s < sums.size(); ++s) sums[s] = values[s * at(tile_.rows * width) + from];
      if (as_numbers) result_.numbers[i] = sums.front();
      else exact[i] = finish(has_upper ? above(sums, i, rounders, binary32) : formats::from_double<UInt128>(sums.front()), i);
    }
    if (!as_numbers) deliver(std::move(exact), result_);
    see_products();
  }

  NarrowExact above(std::span<const double> sums, std::size_t i, const std::vector<Rounder>& rounders, bool binary32) {
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
  void merge(const OutputCounts<U>& counts, std::size_t i) {
    result_.events.merge(counts.events);
    if (counts.overflowed) result_.overflowed[i] = 1;
    result_.max_abs_partial = std::max(result_.max_abs_partial, counts.partial.value());
  }

  /// The largest product of a term is that of the largest finite operands of both sides.
  void see_products() {
    const std::size_t k = at(tile_.k);
    const auto largest = [k](std::span<const double> values) {
      std::vector<double> of_term(k, 0.0);
      for (std::size_t i = 0; i < values.size(); i += k) {
        for (std::size_t t = 0; t < k; ++t) {
          const double x = std::abs(values[i + t]);
          of_term[t] = x > of_term[t] && x <= 1.7976931348623157e308 ? x : of_term[t];
        }
      }
      return of_term;
    };
    const std::vector<double> a = largest(a_);
    const std::vector<double> b = largest(b_);
    for (std::size_t t = 0; t < k; ++t) result_.max_abs_product = std::max(result_.max_abs_product, a[t] * b[t]);
  }

  const FusedLanes& lanes_;
  const Datapath& datapath_;
  const Tile& tile_;
  TileResult& result_;
  const Level& level_;
  Rounder rounder_;
  std::vector<std::int64_t> order_;
  std::vector<double> a_copies_, b_copies_, initial_;
  std::span<const double> a_, b_;
  FusedJob job_;
};

}  // namespace

std::optional<Shifts> shifts_for(int fraction_bits, int fraction_a, int fraction_b) {
  if (fraction_a > 14 || fraction_b > 14) return std::nullopt;
  const int left = fraction_bits - fraction_a - fraction_b;
  if (left <= 0) return Shifts{.base = -left};
  const int a = std::min(left, 14 - fraction_a);
  if (left - a > 14 - fraction_b) return std::nullopt;
  return Shifts{.a = a, .b = left - a};
}

bool run_fused_sum(const FusedLanes& lanes, const Datapath& datapath, const Tile& tile, TileResult& result) {
  return FusedRun(lanes, datapath, tile, result).run();
}

}  // namespace accsim::sim::kernels
