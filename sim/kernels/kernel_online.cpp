// Executors of online datapaths: operands to wires, digits clock by clock, and back.
#include <algorithm>
#include <bit>
#include <cmath>

#include "formats/round.h"
#include "sim/kernels/executors.h"
#include "sim/kernels/packed_integers.h"
#include "sim/kernels/sliced_online.h"
#include "sim/online/level.h"

namespace accsim::sim::kernels {
namespace {

using formats::NarrowExact;

/// An operand of a tile as integers, line by line: one bit of 64 lines at once, or of one line for all 64 units of a word.
class Lines {
 public:
  Lines(std::span<const double> values, std::int64_t lines, const online::OperandShape& shape, std::span<const std::int64_t> order)
      : shape_(shape), lines_(lines), terms_(static_cast<std::int64_t>(order.size())) {
    integers_.reserve(values.size());
    for (std::int64_t line = 0; line < lines; ++line) {
      for (const std::int64_t term : order)
        integers_.push_back(
            static_cast<std::int64_t>(std::ldexp(values[static_cast<std::size_t>(line * terms_ + term)], shape.fraction_bits)));
    }
  }
  [[nodiscard]] std::int64_t lines() const { return lines_; }
  [[nodiscard]] std::int64_t at(std::int64_t line, std::int64_t term) const {
    return integers_[static_cast<std::size_t>(line * terms_ + term)];
  }
  [[nodiscard]] const online::OperandShape& shape() const { return shape_; }

  /// The bits of the 64 lines from `first` on stand side by side from now on; else of one line a word.
  void spread(std::int64_t first) {
    planes_.assign(static_cast<std::size_t>(terms_ * shape_.bits), 0);
    for (std::int64_t line = first; line < std::min(first + 64, lines_); ++line) {
      for (std::int64_t term = 0; term < terms_; ++term) {
        for (int bit = 0; bit < shape_.bits; ++bit)
          planes_[static_cast<std::size_t>(term * shape_.bits + bit)] |= (static_cast<std::uint64_t>(at(line, term) >> bit) & 1U)
                                                                         << (line - first);
      }
    }
  }
  /// The bit of a term, its sign behind the last, for the 64 units of a word, which belong to this line where lines are not spread.
  [[nodiscard]] std::uint64_t bit(std::int64_t line, std::int64_t term, int bit) const {
    if (bit >= shape_.bits && !shape_.is_signed) return 0;
    bit = std::min(bit, shape_.bits - 1);
    if (!planes_.empty()) return planes_[static_cast<std::size_t>(term * shape_.bits + bit)];
    return line < lines_ && (at(line, term) >> bit & 1) != 0 ? ~std::uint64_t{0} : 0;
  }

 private:
  online::OperandShape shape_;
  std::int64_t lines_, terms_;
  std::vector<std::int64_t> integers_;
  std::vector<std::uint64_t> planes_;
};

/// One tile. Each word of a wire is a line of one operand, each bit of it a line of the other.
class OnlineRun {
 public:
  OnlineRun(const Datapath& datapath, const Tile& tile, Isa isa, TileResult& result)
      : tile_(tile),
        result_(result),
        level_(datapath.levels.front()),
        detects_(online::early_detection_is_exact(datapath)),
        order_(term_order(datapath, tile.k)),
        a_(doubles_of(tile.a, tile.a_exact, copies_), tile.rows, online::operand_shape(datapath.a, tile.a_bits), order_),
        b_(doubles_of(tile.b, tile.b_exact, copies_), tile.columns, online::operand_shape(datapath.b, tile.b_bits), order_),
        unit_(online::unit_for(level_, a_.shape(), b_.shape(), static_cast<std::int64_t>(order_.size()))),
        units_(unit_, isa),
        kept_(online::kept_digits(level_, unit_)),
        digit_bits_(online::bits_per_digit(unit_.radix)),
        rounder_(level_.rounded_format(), level_.rounding),
        finish_(datapath, tile),
        values_(static_cast<std::size_t>(tile.rows * tile.columns)) {}

  void run() {
    result_.overflowed.resize(values_.size());
    const bool columns_spread = tile_.columns >= tile_.rows;
    Lines& spread = columns_spread ? b_ : a_;
    const Lines& whole = columns_spread ? a_ : b_;
    for (std::int64_t first = 0; first < spread.lines(); first += 64) {
      spread.spread(first);
      const std::int64_t bits = std::min<std::int64_t>(64, spread.lines() - first);
      for (std::int64_t line = 0; line < whole.lines(); line += units_.words()) {
        const std::int64_t words = std::min<std::int64_t>(units_.words(), whole.lines() - line);
        vectors(line, words, bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1);
        for (std::int64_t w = 0; w < words; ++w) {
          for (std::int64_t bit = 0; bit < bits; ++bit)
            output(columns_spread ? line + w : first + bit, columns_spread ? first + bit : line + w, w, static_cast<int>(bit));
        }
      }
    }
    for (std::size_t t = 0; t < order_.size(); ++t) see_largest_product(static_cast<std::int64_t>(t));
    result_.max_abs_partial = in_units(largest_sum_);
    result_.max_abs_product = in_units(largest_product_);
    deliver(std::move(values_), result_);
  }

 private:
  [[nodiscard]] int product_unit() const { return -a_.shape().fraction_bits - b_.shape().fraction_bits; }
  [[nodiscard]] double in_units(std::int64_t magnitude) const { return std::ldexp(static_cast<double>(magnitude), product_unit()); }
  [[nodiscard]] NarrowExact exact(std::int64_t value) const {
    if (value == 0) return NarrowExact::zero();
    return {.negative = value < 0, .exponent = product_unit(), .significand = static_cast<formats::UInt128>(std::abs(value))};
  }

  /// Digit number `digit` of an operand onto the wires of all terms; zeros behind the last.
  template <class WireOf>
  void apply(const Lines& operand, int digit, std::int64_t line, std::int64_t words, const WireOf& wire_of) {
    const online::OperandShape& shape = operand.shape();
    const bool is_sign = digit == 0 && shape.is_signed;
    const int lowest = ((shape.bits + digit_bits_ - 1) / digit_bits_ - 1 - digit) * digit_bits_;
    for (std::int64_t t = 0; t < unit_.terms; ++t) {
      for (std::int64_t w = 0; w < words; ++w) {
        const auto bit = [&](int i) { return lowest >= 0 ? operand.bit(line + w, t, lowest + i) : 0; };
        if (unit_.radix == 2) {
          wire_of(t, 0)[w] = is_sign ? 0 : bit(0);
          wire_of(t, 1)[w] = is_sign ? bit(0) : 0;
        } else {
          wire_of(t, 0)[w] = bit(0);
          wire_of(t, 1)[w] = bit(1);
          wire_of(t, 2)[w] = is_sign ? bit(1) : 0;
        }
      }
    }
  }

  /// All digits of the vectors of `words` lines.
  void vectors(std::int64_t line, std::int64_t words, std::uint64_t valid) {
    const bool is_parallel = unit_.multiplier == OnlineMultiplier::serial_parallel;
    if (is_parallel) {
      for (std::int64_t t = 0; t < unit_.terms; ++t) {
        for (int bit = 0; bit <= digit_bits_ * unit_.b_digits; ++bit) {
          for (std::int64_t w = 0; w < words; ++w) units_.parallel(t, bit)[w] = b_.bit(line + w, t, bit);
        }
      }
    }
    units_.reset();
    units_.start();
    const int cycles = unit_.cycles(kept_);
    const int length = std::max(unit_.a_digits, unit_.b_digits);
    std::vector<std::uint64_t> decided(static_cast<std::size_t>(words));
    digits_.clear();
    for (int cycle = 1; cycle <= cycles; ++cycle) {
      if (cycle <= length + 1) {
        apply(a_, cycle - 1, line, words, [&](std::int64_t t, int wire) { return units_.x(t, wire); });
        if (!is_parallel) apply(b_, cycle - 1, line, words, [&](std::int64_t t, int wire) { return units_.y(t, wire); });
      }
      units_.step();
      if (cycle < unit_.first_cycle()) continue;
      for (std::int64_t w = 0; w < words; ++w) {
        const Digits d{units_.out(0)[w], units_.out(1)[w], unit_.radix == 2 ? 0 : units_.out(2)[w]};
        digits_.push_back(d);
        auto& known = decided[static_cast<std::size_t>(w)];
        const std::uint64_t negative = unit_.radix == 2 ? d.second & ~d.first : d.third;
        if (detects_) result_.saved_cycles += std::int64_t{cycles - cycle} * std::popcount(negative & ~known & valid);
        known |= unit_.radix == 2 ? d.first ^ d.second : d.first | d.second | d.third;
      }
    }
    words_ = static_cast<std::size_t>(words);
  }

  /// Output (row, column), unit `bit` of word `word` of the digits at hand.
  void output(std::int64_t row, std::int64_t column, std::int64_t word, int bit) {
    std::int64_t value = 0;
    const int second = unit_.radix == 2 ? -1 : 2;
    for (auto d = static_cast<std::size_t>(word); d < digits_.size(); d += words_) {
      const auto one = [&](std::uint64_t wire) { return static_cast<std::int64_t>(wire >> bit & 1U); };
      value = unit_.radix * value + one(digits_[d].first) + second * one(digits_[d].second) - 4 * one(digits_[d].third);
    }
    value *= std::int64_t{1} << (digit_bits_ * (unit_.result_digits() - kept_));
    std::int64_t sum = 0;
    for (std::int64_t t = 0; t < unit_.terms; ++t) sum += a_.at(row, t) * b_.at(column, t);
    largest_sum_ = std::max(largest_sum_, std::abs(value));
    const formats::Rounded<formats::UInt128> r = rounder_(exact(value), 0);
    const auto i = static_cast<std::size_t>(row * tile_.columns + column);
    result_.events[Event::sum_overflow] += r.events.overflow;
    result_.events[Event::sum_underflow] += r.events.underflow;
    result_.events[Event::sum_inexact] += !same_value(r.value, exact(sum));
    result_.overflowed[i] = r.events.overflow ? 1 : 0;
    values_[i] = finish_.needed() ? finish_(r.value, i) : r.value;
  }

  /// Every row meets every column.
  void see_largest_product(std::int64_t term) {
    std::int64_t a = 0, b = 0;
    for (std::int64_t line = 0; line < a_.lines(); ++line) a = std::max(a, std::abs(a_.at(line, term)));
    for (std::int64_t line = 0; line < b_.lines(); ++line) b = std::max(b, std::abs(b_.at(line, term)));
    largest_product_ = std::max(largest_product_, a * b);
  }

  /// The wires of a digit of 64 units: plus and minus, or bits 1, 2 and -4.
  struct Digits {
    std::uint64_t first, second, third;
  };

  const Tile& tile_;
  TileResult& result_;
  const Level& level_;
  bool detects_;
  std::vector<std::int64_t> order_;
  std::vector<double> copies_;
  Lines a_, b_;
  online::Unit unit_;
  SlicedInnerProduct units_;
  int kept_, digit_bits_;
  formats::Rounder rounder_;
  Finish finish_;
  std::vector<NarrowExact> values_;
  std::vector<Digits> digits_;  ///< those kept, word by word
  std::size_t words_ = 0;
  std::int64_t largest_sum_ = 0, largest_product_ = 0;
};

class OnlineExecutor final : public Executor {
 public:
  explicit OnlineExecutor(Isa isa) : isa_(isa), name_("online_" + std::string(name_of(isa))) {}
  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] std::string_view meaning() const override { return "online arithmetic, a bit of a vector a unit"; }

  [[nodiscard]] std::string refusal(const Datapath& datapath, const LayerFacts& facts) const override {
    const Level& level = datapath.levels.front();
    if (level.kind != LevelKind::online) return "online levels only";
    if (datapath.levels.size() != 1) return "one online level only";
    if (level.rounded_format().as_fixed() == nullptr || level.rounding.mode == formats::Rounding::sr ||
        level.rounding.mode == formats::Rounding::rd)
      return "results in fixed point only, rounded neither by chance nor down";
    if (facts.k < 1 || facts.k > 1 << 16) return "more than 2^16 terms, or none";
    // A zero point makes each operand a bit wider.
    const online::Unit unit = online::unit_for(level, online::operand_shape(datapath.a, 0), online::operand_shape(datapath.b, 0), facts.k);
    const int bits = online::bits_per_digit(unit.radix);
    if (bits * unit.result_digits() + 2 > 60 || bits * unit.a_digits > 24 || bits * unit.b_digits > 24)
      return "results of more than 58 bits, or operands of more than 24";
    return unknown_to_finish(datapath);
  }

  void run(const Datapath& datapath, const Tile& tile, TileResult& result) const override {
    result = {};
    if (tile.watch_tiny) run_interpreter(datapath, tile, result);
    else OnlineRun(datapath, tile, isa_, result).run();
  }

 private:
  Isa isa_;
  std::string name_;
};

}  // namespace

const Executor& online_kernel(Isa isa) { return made_for<OnlineExecutor>(isa); }

}  // namespace accsim::sim::kernels
