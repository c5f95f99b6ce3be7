// Executors of adders that take products and accumulator by falling exponent (`ordered_sum`).
//
// The proof. All is binary64, rounded to nearest by the host; e0: the largest exponent of an issue's addends; F: a number of fraction bits.
// - Products, of at most 51 bits, and accumulators are exact, and so is scaling by powers of two: no exponent leaves +/-900.
// - Where no addend has a bit below 2^(e0 - F) for the smallest F of the level, none is cut in whatever order they come. Each is below
//   2^(e0 + 1), or 2^(e0 + 2) where a product may carry into the place above its register's first; F no more than `common_bits`, their sums
//   are integers below 2^53 of that unit, so the host's additions are exact. The zero that is left of numbers is +0, that of zeros -0 only
//   where all are: as IEEE 754 has it, in any order. Rounding down, which makes zeros -0, is rounding up of the negated addends.
// - Else the addends are sorted and cut as sim::ordered_sum says. A cut is a floor in units of 2^(e0 - F) of a number of at most 51 bits,
//   which is an integer from 2^51 on. What is kept is a multiple of 2^(e0 - F), F <= 96, so that sums are pairs of binary64 without error.
//   Their magnitude rounded to odd to 53 bits, the sticky bit being one more odd bit, rounds to the format's 51 bits or less as they do.
// - Rounding is that of the magnitude in units of the spacing at its binade, or of the lowest one's: integers below 2^51.
// - Inexact: the delivered value less the sum of addends cut toward zero, and what these cuts took off, are pairs without error, whose
//   halves are compared. What two cuts took off may be no binary64. It is below 2^(e0 - the smallest F + 1), and the former a multiple of
//   2^(e0 - the largest F) or of the result's spacing; such a multiple below that has no more bits than the distance of the two F and the
//   precision together, at most 50, so they differ. A saturated result has a spacing of its own: the interpreter's.
// - The largest sum's nearest binary64 is the largest of the sums' nearest.
// - Where an addend is not finite the sum is the host's, and nothing is counted but invalid, as the rounding keeps infinities and NaN.
// - The interpreter's level does, an issue at a time, what is left: a sum of cut addends that is zero before or after an addition, a sign
//   foreseen of a sum without a bit, several cuts whose parts do not add up exactly, overflow into what is no infinity and no
//   finite value.
#include <algorithm>
#include <bit>
#include <cmath>

#include "sim/kernels/executors.h"
#include "sim/kernels/issue_tile.h"
#include "sim/kernels/kernel_ordered_sum.h"
#include "sim/kernels/lane_memory.h"
#include "sim/kernels/packed_integers.h"

namespace accsim::sim::kernels {
namespace {

using formats::Limits;
using formats::NarrowExact;
using formats::Rounding;

constexpr int most_bits = 51;           ///< of a product, an accumulator, a sum
constexpr int most_fraction_bits = 96;  ///< of an addition
constexpr int most_operand_exponent = 200;
constexpr int most_exponent = 400;

/// True where the level says something that was added to levels after this kernel was taught.
bool has_keys_unknown_to_ordered_sums(Level level) {
  level.addition_fraction_bits.clear();
  level.product_integer_bits = 2;
  level.sticky = true;
  level.forget_sticky_below.reset();
  level.foresees_sign = false;
  return has_unknown_keys(level);
}

std::string unknown_format(const formats::Format& format) {
  const Limits l = formats::limits(format);
  if (format.as_float() == nullptr || !l.is_signed || !l.has_zero || !l.has_negative_zero) return "sums in floats with -0 only";
  if (l.precision < 2 || l.precision > most_bits) return "sums of 2 to 51 bits only";
  if (l.emin < -most_exponent || log2_floor(l.max_finite) > most_exponent) return "sums with exponents beyond +/-400";
  return {};
}

std::string unknown_to_ordered_sums(const Datapath& d) {
  if (const std::string_view key = matrix_unit_key(d); !key.empty()) return "the key " + std::string(key);
  const Level& level = d.levels.front();
  if (level.kind != LevelKind::ordered_sum) return "ordered_sum only";
  if (has_unknown_keys(d.product) || has_keys_unknown_to_ordered_sums(level)) return "a key that this kernel does not know";
  if (d.a.block || d.b.block) return "operands with block scales";
  if (level.terms.value_or(0) < 1 || *level.terms > most_ordered_terms) return "issues of 1 to 4 products only";
  for (const formats::Format* format : {&level.format, &level.rounded_format()}) {
    if (std::string reason = unknown_format(*format); !reason.empty()) return reason;
  }
  if (!d.accumulator.last && d.accumulator_level_index() == 0) {
    if (std::string reason = unknown_format(d.accumulator_format()); !reason.empty()) return reason + ", of C too";
  }
  if (std::ranges::max(level.addition_fraction_bits) > most_fraction_bits) return "at most 96 fraction bits";
  if (level.forget_sticky_below.value_or(0) > most_bits - 1) return "forget_sticky_below of at most 50";
  for (const Level& l : d.levels) {
    if (l.rounding.mode == Rounding::sr) return "no stochastic rounding";
  }
  return unknown_to_finish(d);
}

OrderedRounding ordered_rounding(Rounding mode) {
  switch (mode) {
    case Rounding::rne: return OrderedRounding::to_even;
    case Rounding::rna: return OrderedRounding::to_away;
    case Rounding::rz: return OrderedRounding::truncate;
    case Rounding::ru:
    case Rounding::rd: return OrderedRounding::up;
    case Rounding::ro: return OrderedRounding::to_odd;
    case Rounding::sr: break;
  }
  return OrderedRounding::to_even;
}

double power_of_two(int e) { return std::ldexp(1.0, e); }

/// An operand's lines as lanes take them.
struct OrderedLines {
  explicit OrderedLines(std::int64_t numbers) : values(numbers), powers(numbers) {}
  LaneMemory<double> values, powers;
};

class OrderedRun {
 public:
  OrderedRun(const OrderedLanes& lanes, const Datapath& datapath, const Tile& tile, TileResult& result)
      : lanes_(lanes), tile_(tile), level_(datapath.levels.front()), around_(datapath, tile, result) {}

  /// False where C is not covered.
  bool run() {
    describe_tile();
    describe_sums();
    describe_rounding();
    const std::int64_t lanes = lanes_.lanes;
    const std::int64_t width = job_.panels * lanes;
    if (!around_.take_initial(width, most_exponent)) return false;
    const auto& a = around_.a_cache().made<OrderedLines>(0, [&] {
      OrderedLines to(tile_.rows * tile_.k);
      for (std::int64_t row = 0; row < tile_.rows; ++row)
        pack(around_.a(), row, tile_.a_emin, level_.product_integer_bits - 1, false, to, row * tile_.k, 1);
      return to;
    });
    const auto& b = around_.b_cache().made<OrderedLines>(0, [&] {
      OrderedLines to(width * tile_.k);
      for (std::int64_t column = 0; column < width; ++column) {
        const std::int64_t first = column / lanes * tile_.k * lanes + column % lanes;
        pack(around_.b(), column < tile_.columns ? column : -1, tile_.b_emin, 0, job_.negated, to, first, lanes);
      }
      return to;
    });
    std::vector<double> values(at(job_.sums * tile_.rows * width));
    std::vector<char> overflowed(at(tile_.rows * width));
    job_.a = a.values.data();
    job_.a_powers = a.powers.data();
    job_.b = b.values.data();
    job_.b_powers = b.powers.data();
    job_.initial = around_.initial();
    job_.values = values.data();
    job_.overflowed = overflowed.data();
    job_.slow = [](void* context, std::int64_t row, std::int64_t column, std::int64_t issue, double accumulator, IssueOutcome& outcome) {
      static_cast<const IssueTile*>(context)->one_issue(row, column, issue, accumulator, outcome);
    };
    job_.context = &around_;
    lanes_.run(job_);
    around_.fill(values, overflowed, width, job_.counts);
    return true;
  }

 private:
  static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

  void describe_tile() {
    job_.rows = tile_.rows;
    job_.columns = tile_.columns;
    job_.panels = (tile_.columns + lanes_.lanes - 1) / lanes_.lanes;
    job_.k = tile_.k;
    job_.issue = around_.issue;
    job_.issues = around_.issues;
    job_.issues_in_sum = around_.issues_in_sum;
    job_.sums = around_.sums;
    job_.negated = level_.rounding.mode == Rounding::rd;
  }

  void describe_sums() {
    const std::vector<int>& bits = level_.addition_fraction_bits;
    const auto terms = static_cast<unsigned>(job_.issue);
    const int carry = level_.product_integer_bits < 2 ? 1 : 0;  // a product's first bit may lie above its register's
    int common_bits = std::min(50, 52 - static_cast<int>(std::bit_width(terms))) - carry;
    for (std::size_t i = 0; i < terms; ++i) {
      job_.fraction_bits[i] = bits[std::min(i, bits.size() - 1)];
      common_bits = std::min(common_bits, job_.fraction_bits[i]);
    }
    job_.common_anchor = 0x1.8p52 * power_of_two(-common_bits);
    const auto [fewest, most] = std::ranges::minmax(std::span(job_.fraction_bits).first(terms));
    job_.odd_rest_is_inexact = terms <= 2 && most - fewest + around_.rounder().format_limits().precision <= 50;
    job_.sticky = level_.sticky;
    if (level_.align == Align::rd) job_.cut = job_.negated ? OrderedCut::up : OrderedCut::down;
    job_.forget_sticky_below = level_.forget_sticky_below.value_or(-1);
    job_.foresees_sign = level_.foresees_sign;
    job_.accumulator_min = power_of_two(formats::limits(level_.format).emin);
  }

  void describe_rounding() {
    const formats::Rounder& rounder = around_.rounder();
    const Limits& l = rounder.format_limits();
    const formats::Underflow underflow = underflow_of(level_.rounding, level_.rounded_format());
    job_.rounding = ordered_rounding(level_.rounding.mode);
    job_.least_power = power_of_two(underflow == formats::Underflow::gradual ? l.emin : -900);
    job_.spacing = power_of_two(1 - l.precision);
    job_.flush = underflow == formats::Underflow::flush;
    job_.tiny_matters = job_.flush || (level_.foresees_sign && underflow != formats::Underflow::gradual);
    job_.min_normal = to_double(l.min_normal);
    job_.smallest = power_of_two(l.lsb_exponent);
    job_.max_finite = to_double(l.max_finite);
    const auto beyond = [&](bool negative) {
      NarrowExact x = scaled(l.max_finite, 2);
      x.negative = negative;
      const formats::Rounded<formats::UInt128> r = rounder(x);
      job_.overflow_is_odd |= r.value.nan || r.value.is_zero() || r.events.invalid;
      return std::abs(to_double(r.value));
    };
    job_.overflow_positive = beyond(job_.negated);
    job_.overflow_negative = beyond(!job_.negated);
    const auto keeps = [&](const NarrowExact& x) {
      const formats::Rounded<formats::UInt128> r = rounder(x);
      return r.events == formats::Events{} && r.value.nan == x.nan && r.value.infinite == x.infinite;
    };
    job_.keeps_nonfinite = keeps(NarrowExact::not_a_number()) && keeps(NarrowExact::infinity(false)) && keeps(NarrowExact::infinity(true));
  }

  /// A line of an operand, or of zeros, in the datapath's order; powers are 2^shift times those that it is aligned by.
  void pack(std::span<const double> values, std::int64_t line, int emin, int shift, bool negated, const OrderedLines& to,
            std::int64_t first, std::int64_t stride) const {
    const double least = emin < -most_exponent ? 0.0 : power_of_two(emin);
    const double factor = power_of_two(shift);
    double* const numbers = to.values.data() + first;
    double* const powers = to.powers.data() + first;
    for (std::int64_t t = 0; t < tile_.k; ++t) {
      const double x = line < 0 ? 0.0 : values[at(line * tile_.k + around_.order()[at(t)])];
      const std::uint64_t exponent = std::bit_cast<std::uint64_t>(x) & 0x7FF0000000000000ULL;
      numbers[t * stride] = negated ? -x : x;
      powers[t * stride] = x == 0.0 ? 0.0 : factor * std::max(std::bit_cast<double>(exponent), least);
    }
  }

  const OrderedLanes& lanes_;
  const Tile& tile_;
  const Level& level_;
  IssueTile around_;
  OrderedJob job_;
};

class OrderedExecutor final : public Executor {
 public:
  explicit OrderedExecutor(Isa isa) : isa_(isa), name_("ordered_sum_" + std::string(name_of(isa))) {}
  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] std::string_view meaning() const override {
    return "sums of products and accumulator by falling exponent in lanes of outputs";
  }

  [[nodiscard]] std::string refusal(const Datapath& datapath, const LayerFacts& facts) const override {
    if (std::string reason = unknown_to_ordered_sums(datapath); !reason.empty()) return reason;
    const auto in_range = [](const OperandFacts& x, int emin) {
      return x.precision == 0 ||
             (x.highest <= most_operand_exponent && x.lowest >= -most_operand_exponent && emin <= most_operand_exponent);
    };
    if (!in_range(facts.a, facts.a_emin) || !in_range(facts.b, facts.b_emin)) return "operands with exponents beyond +/-200";
    if (facts.a.precision + facts.b.precision > most_bits) return "products of at most 51 bits";
    return {};
  }

  void run(const Datapath& datapath, const Tile& tile, TileResult& result) const override {
    result = {};
    const bool is_covered = !tile.watch_tiny && tile.k > 0 && tile.a_blocks.block == 0 && tile.b_blocks.block == 0;
    if (is_covered &&
        OrderedRun(lanes_for(isa_, ordered_lanes_baseline, ordered_lanes_avx2, ordered_lanes_avx512), datapath, tile, result).run())
      return;
    run_interpreter(datapath, tile, result);
  }

 private:
  Isa isa_;
  std::string name_;
};

}  // namespace

const Executor& ordered_sum_kernel(Isa isa) { return made_for<OrderedExecutor>(isa); }

}  // namespace accsim::sim::kernels
