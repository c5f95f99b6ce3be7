// Executors of fixed-point datapaths: operands to integers, a plan that proves them exact, the lanes, and back.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "sim/kernels/executors.h"
#include "sim/kernels/integer_plan.h"
#include "sim/kernels/isa.h"
#include "sim/kernels/lane_memory.h"
#include "sim/kernels/packed_integers.h"

namespace accsim::sim::kernels {
namespace {

using formats::Int128;
using formats::NarrowExact;

/// An operand's lines as integers, where they have some.
using LineIntegers = std::optional<Integers>;

/// Columns in words of T: panels of a vector's columns, term by term.
template <class T>
struct IntegerColumns {
  LaneMemory<T> words;
};

/// One tile on its way through the lanes.
class IntegerRun {
 public:
  IntegerRun(const IntegerLanes& lanes, const Datapath& datapath, const Tile& tile, TileResult& result)
      : lanes_(lanes),
        datapath_(datapath),
        tile_(tile),
        result_(result),
        a_cache_(tile.a_cache != nullptr ? *tile.a_cache : own_a_cache_),
        b_cache_(tile.b_cache != nullptr ? *tile.b_cache : own_b_cache_) {}

  /// False where the tile turns out not to be covered.
  bool run() {
    if (tile_.k < 1) return false;
    const LineIntegers& a = integers(tile_.a, tile_.a_exact, datapath_.a, a_cache_);
    const LineIntegers& b = integers(tile_.b, tile_.b_exact, datapath_.b, b_cache_);
    if (!a || !b || !plan_for(*a, *b)) return false;
    choose_loop(*a, *b);
    order_terms();
    if (job_.wide) pack<std::int64_t>(*a, *b);
    else pack<std::int32_t>(*a, *b);
    return true;
  }

 private:
  const LineIntegers& integers(std::span<const double> values, std::span<const formats::Exact> exact, const Operand& operand,
                               PackCache& cache) const {
    return cache.made<LineIntegers>(0, [&] {
      std::vector<double> copies;
      return integers_of(doubles_of(values, exact, copies), tile_.k, operand.format ? &*operand.format : nullptr, lanes_);
    });
  }

  bool plan_for(const Integers& a, const Integers& b) {
    IntegerBounds bounds{.product_unit = a.unit + b.unit, .terms = tile_.k, .has_initial = !tile_.accumulator.empty()};
    for (std::size_t t = 0; t < a.largest.size(); ++t) {
      const Int128 p = Int128{a.largest[t]} * b.largest[t];
      bounds.product = std::max(bounds.product, p);
      bounds.chain += p;
    }
    plan_ = plan_integers(datapath_, bounds);
    if (plan_.reason.empty() && plan_.initial_level >= 0) {
      if (!initial_integers(bounds)) return false;
      plan_ = plan_integers(datapath_, bounds);
    }
    largest_product_ = bounds.product;
    product_unit_ = bounds.product_unit;
    return plan_.reason.empty();
  }

  /// C in units of the level that it enters, where it is a multiple in that level's range.
  bool initial_integers(IntegerBounds& bounds) {
    const int unit = plan_.level_unit[plan_.initial_level];
    initial_.resize(tile_.accumulator.size());
    bounds.initial = 0;
    for (std::size_t i = 0; i < initial_.size(); ++i) {
      const NarrowExact& c = tile_.accumulator[i];
      if (!c.is_finite()) return false;
      if (c.significand == 0) continue;
      if (log2_floor(c) - unit >= 62) return false;
      const NarrowExact units = scaled(c, -unit);
      formats::UInt128 magnitude = units.significand;
      if (units.exponent < 0) {
        if (formats::low_bits(magnitude, -units.exponent) != 0) return false;
        magnitude = formats::shifted_right(magnitude, -units.exponent);
      } else {
        magnitude <<= units.exponent;
      }
      initial_[i] = c.negative ? -static_cast<std::int64_t>(magnitude) : static_cast<std::int64_t>(magnitude);
      if (initial_[i] < plan_.initial_range[0] || initial_[i] > plan_.initial_range[1]) return false;
      bounds.initial = std::max(bounds.initial, static_cast<Int128>(magnitude));
    }
    return true;
  }

  void choose_loop(const Integers& a, const Integers& b) {
    job_.wide = a.narrow.empty() || b.narrow.empty() || plan_.widest >= (Int128{1} << 31) - 1;
    const IntegerLevel& inner = plan_.levels[0];
    const bool is_plain = inner.kind == SumKind::sequential && inner.step.is_plain() && !plan_.rounded_product;
    bool covered = false;
    switch (inner.step.fit) {
      case Fit::none:
      case Fit::zero: covered = true; break;
      case Fit::clamp: covered = inner.step.low != 0 && inner.step.high != 0; break;
      case Fit::wrap: covered = inner.step.low != 0 && plan_.addend <= inner.step.mask; break;
    }
    job_.loop = is_plain && covered ? IntegerLoop::plain : IntegerLoop::general;
    if (job_.loop == IntegerLoop::plain && inner.step.fit == Fit::none && plan_.level_count == 1 && !job_.wide && plan_.widest < 1 << 30)
      job_.loop = IntegerLoop::pairs;
  }

  /// The operand pair of each packed term, -1 where a word is filled up at the end of a group.
  void order_terms() {
    const std::int64_t per_word = job_.wide ? 1 : 2;
    const std::int64_t group = plan_.levels[0].group;
    const std::vector<std::int64_t> order = term_order(datapath_, tile_.k);
    job_.group_words = (group + per_word - 1) / per_word;
    for (std::int64_t first = 0; first < tile_.k; first += group) {
      const std::int64_t last = std::min(first + group, tile_.k);
      terms_.insert(terms_.end(), order.begin() + first, order.begin() + last);
      if ((last - first) % per_word != 0) terms_.push_back(-1);
      job_.last_group_terms = last - first;
    }
    job_.words = static_cast<std::int64_t>(terms_.size()) / per_word;
    in_order_ = static_cast<std::int64_t>(terms_.size()) == tile_.k;
    for (std::size_t t = 0; t < terms_.size(); ++t) in_order_ &= terms_[t] == static_cast<std::int64_t>(t);
  }

  /// Half of how far partial sums move within a block, or the one after it, rounded up.
  void measure_blocks(const Integers& a, const Integers& b) {
    const std::int64_t terms = 2 * block_words;
    std::vector<std::int64_t> moved;
    for (std::size_t first = 0; first < terms_.size(); first += static_cast<std::size_t>(terms)) {
      moved.push_back(0);
      for (std::size_t t = first; t < std::min(first + static_cast<std::size_t>(terms), terms_.size()); ++t) {
        if (terms_[t] >= 0) moved.back() += a.largest[static_cast<std::size_t>(terms_[t])] * b.largest[static_cast<std::size_t>(terms_[t])];
      }
    }
    for (std::size_t i = 0; i < moved.size(); ++i)
      slack_.push_back(static_cast<std::int32_t>((std::max(moved[i], i + 1 < moved.size() ? moved[i + 1] : 0) + 1) / 2));
  }

  /// A row or column in the order of the packed terms: 16-bit integers where the lanes are of 32 bits.
  const std::int16_t* narrow_line(const Integers& x, std::int64_t line) {
    const std::int16_t* const from = x.narrow.data() + line * tile_.k;
    if (in_order_) return from;
    line_.resize(terms_.size());
    for (std::size_t t = 0; t < terms_.size(); ++t) line_[t] = terms_[t] < 0 ? std::int16_t{0} : from[terms_[t]];
    return line_.data();
  }
  static std::int32_t pair(const std::int16_t* line, std::int64_t word) {
    const auto first = static_cast<std::uint16_t>(line[2 * word]);
    const auto second = static_cast<std::uint16_t>(line[2 * word + 1]);
    return static_cast<std::int32_t>(first | static_cast<std::uint32_t>(second) << 16);
  }
  void pack_row(const Integers& x, std::int64_t line, std::int32_t* out) {
    const std::int16_t* const from = narrow_line(x, line);
    for (std::int64_t w = 0; w < job_.words; ++w) {
      const std::int32_t both = pair(from, w);
      if (job_.loop == IntegerLoop::pairs) {
        out[w] = both;
      } else {
        out[2 * w] = both & 0xFFFF;
        out[2 * w + 1] = both & ~0xFFFF;
      }
    }
  }
  void pack_row(const Integers& x, std::int64_t line, std::int64_t* out) const { pack_column(x, line, 1, out); }
  void pack_column(const Integers& x, std::int64_t line, std::int64_t stride, std::int32_t* out) {
    const std::int16_t* const from = narrow_line(x, line);
    for (std::int64_t w = 0; w < job_.words; ++w) out[w * stride] = pair(from, w);
  }
  void pack_column(const Integers& x, std::int64_t line, std::int64_t stride, std::int64_t* out) const {
    for (std::size_t t = 0; t < terms_.size(); ++t)
      out[static_cast<std::int64_t>(t) * stride] = x.at(static_cast<std::size_t>(line * tile_.k + terms_[t]));
  }

  template <class T>
  void pack_columns(const Integers& x, std::int64_t lanes, T* out) {
    const std::int64_t full = tile_.columns / lanes * lanes;
    if (full < job_.panels * lanes) std::fill(out + full * job_.words, out + job_.panels * job_.words * lanes, T{0});
    for (std::int64_t c = 0; c < tile_.columns; ++c) pack_column(x, c, lanes, out + c / lanes * job_.words * lanes + c % lanes);
  }

  template <class T>
  void pack(const Integers& a, const Integers& b) {
    const std::int64_t lanes = lanes_.vector_bytes / static_cast<std::int64_t>(sizeof(T));
    job_.rows = tile_.rows;
    job_.panels = (tile_.columns + lanes - 1) / lanes;
    if (job_.loop == IntegerLoop::pairs) {
      job_.panels = (job_.panels + loop_panels - 1) / loop_panels * loop_panels;
      measure_blocks(a, b);
      job_.slack = slack_.data();
    }
    const LaneMemory<T> rows(tile_.rows * static_cast<std::int64_t>(terms_.size()));
    for (std::int64_t r = 0; r < tile_.rows; ++r)
      pack_row(a, r, rows.data() + r * job_.words * (job_.loop == IntegerLoop::pairs ? 1 : job_.wide ? 1 : 2));
    const auto& columns = b_cache_.made<IntegerColumns<T>>(job_.loop, [&] {
      IntegerColumns<T> packed{LaneMemory<T>(job_.panels * job_.words * lanes)};
      pack_columns(b, lanes, packed.words.data());
      return packed;
    });
    const std::int64_t padded = job_.panels * lanes;
    const LaneMemory<char> scratch(plan_.scratch * lanes_.vector_bytes);
    const LaneMemory<std::int64_t> values(tile_.rows * padded);
    std::vector<char> overflowed(static_cast<std::size_t>(tile_.rows * padded));
    std::vector<std::int64_t> initial;
    if (!initial_.empty()) {
      initial.resize(overflowed.size());
      for (std::int64_t r = 0; r < tile_.rows; ++r)
        std::copy_n(initial_.begin() + r * tile_.columns, tile_.columns, initial.begin() + r * padded);
      job_.initial = initial.data();
      job_.initial_level = plan_.initial_level;
    }
    job_.a = rows.data();
    job_.b = columns.words.data();
    std::copy(std::begin(plan_.levels), std::end(plan_.levels), std::begin(job_.levels));
    job_.level_count = plan_.level_count;
    job_.rounded_product = plan_.rounded_product;
    job_.product = plan_.product;
    job_.scratch = scratch.data();
    job_.values = values.data();
    job_.overflowed = overflowed.data();
    lanes_.run(job_);
    fill(values.data(), overflowed, padded);
  }

  void fill(const std::int64_t* values, const std::vector<char>& overflowed, std::int64_t padded) {
    const int unit = plan_.level_unit[plan_.level_count - 1];
    const Finish finish(datapath_, tile_);
    const auto outputs = static_cast<std::size_t>(tile_.rows * tile_.columns);
    result_.overflowed.resize(outputs);
    const bool as_numbers = !finish.needed() && plan_.widest <= Int128{1} << 53 && unit > -1000 && unit < 900;
    const double scale = as_numbers ? std::ldexp(1.0, unit) : 0.0;
    if (as_numbers) result_.numbers.resize(outputs);
    std::vector<NarrowExact> exact(as_numbers ? 0 : outputs);
    for (std::int64_t r = 0; r < tile_.rows; ++r) {
      for (std::int64_t c = 0; c < tile_.columns; ++c) {
        const auto i = static_cast<std::size_t>(r * tile_.columns + c);
        const std::int64_t from = r * padded + c;
        result_.overflowed[i] = overflowed[static_cast<std::size_t>(from)];
        if (as_numbers) {
          result_.numbers[i] = static_cast<double>(values[from]) * scale;
        } else {
          NarrowExact v = NarrowExact::zero();
          v.negative = values[from] < 0;
          v.significand = static_cast<formats::UInt128>(std::abs(values[from]));
          if (v.significand != 0) v.exponent = unit;
          exact[i] = finish(v, i);
        }
      }
    }
    if (!as_numbers) deliver(std::move(exact), result_);
    const IntegerTotals& t = job_.totals;
    result_.events[Event::product_overflow] = t.product_overflow;
    result_.events[Event::product_underflow] = t.product_underflow;
    result_.events[Event::product_inexact] = t.product_inexact;
    result_.events[Event::sum_overflow] = t.sum_overflow;
    result_.events[Event::sum_underflow] = t.sum_underflow;
    result_.events[Event::sum_inexact] = t.sum_inexact;
    result_.events[Event::swamped] = t.swamped;
    result_.max_abs_product = in_units(largest_product_, product_unit_);
    for (int i = 0; i < plan_.level_count; ++i)
      result_.max_abs_partial = std::max(result_.max_abs_partial, in_units(t.largest[i], plan_.sum_unit[i]));
  }

  static double in_units(Int128 magnitude, int unit) {
    NarrowExact x = NarrowExact::zero();
    x.significand = static_cast<formats::UInt128>(magnitude);
    if (magnitude != 0) x.exponent = unit;
    return to_double(x);
  }

  const IntegerLanes& lanes_;
  const Datapath& datapath_;
  const Tile& tile_;
  TileResult& result_;
  PackCache own_a_cache_, own_b_cache_;  ///< where the tile brings none
  PackCache &a_cache_, &b_cache_;
  IntegerPlan plan_;
  IntegerJob job_;
  Int128 largest_product_ = 0;
  int product_unit_ = 0;
  std::vector<std::int64_t> initial_, terms_;
  std::vector<std::int16_t> line_;
  bool in_order_ = false;
  std::vector<std::int32_t> slack_;
};

class IntegerExecutor final : public Executor {
 public:
  explicit IntegerExecutor(Isa isa)
      : lanes_(lanes_for(isa, integer_lanes_baseline, integer_lanes_avx2, integer_lanes_avx512)),
        name_("integer_" + std::string(name_of(isa))) {}
  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] std::string_view meaning() const override { return "fixed-point sums in 32-bit and 64-bit lanes, outputs side by side"; }

  [[nodiscard]] std::string refusal(const Datapath& datapath, const LayerFacts& facts) const override {
    std::string reason = unknown_to_integers(datapath);
    if (!reason.empty()) return reason;
    if (facts.a.nonfinite || facts.b.nonfinite) return "infinities or NaN among the operands";
    const auto width = [](const OperandFacts& x) { return x.precision == 0 ? 0 : x.highest - x.lowest + 1; };
    if (width(facts.a) > 61 || width(facts.b) > 61 || facts.a.precision > 53 || facts.b.precision > 53)
      return "operands of more than 61 bits";
    const int product = std::min(width(facts.a) + width(facts.b), 100);
    const IntegerBounds bounds{.product_unit = facts.a.lowest + facts.b.lowest,
                               .product = Int128{1} << product,
                               .chain = (Int128{1} << product) * std::min<std::int64_t>(std::max<std::int64_t>(facts.k, 1), 1 << 20),
                               .terms = facts.k,
                               .has_initial = facts.has_accumulator};
    if (facts.k > 1 << 20) return "more than 2^20 terms";
    return plan_integers(datapath, bounds).reason;
  }

  void run(const Datapath& datapath, const Tile& tile, TileResult& result) const override {
    result = {};
    if (!tile.watch_tiny && IntegerRun(lanes_, datapath, tile, result).run()) return;
    run_interpreter(datapath, tile, result);
  }

 private:
  const IntegerLanes& lanes_;
  std::string name_;
};

}  // namespace

const Executor& integer_kernel(Isa isa) { return made_for<IntegerExecutor>(isa); }

}  // namespace accsim::sim::kernels
