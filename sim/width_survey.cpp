#include "sim/width_survey.h"

#include <cmath>
#include <mutex>

#include "formats/error.h"
#include "formats/round.h"
#include "sim/exact_walk.h"
#include "sim/parallel.h"
#include "sim/quantize.h"
#include "sim/tile_pack.h"
#include "sim/timing/array_cycles.h"

namespace accsim::sim {
namespace {

using formats::BasicExact;
using formats::Exact;
using formats::Int128;
using formats::UInt128;
using formats::Wide;

UInt128 magnitude_of(Int128 v) { return v < 0 ? -static_cast<UInt128>(v) : static_cast<UInt128>(v); }
Wide magnitude_of(const Wide& v) { return abs(v); }

Wide widened_signed(Int128 v) { return v < 0 ? Wide(-formats::widened(magnitude_of(v))) : formats::widened(magnitude_of(v)); }
Wide widened_signed(std::int64_t v) { return Wide(v); }
Wide widened_signed(const Wide& v) { return v; }

/// Sees the partial sums of a datapath that is no integer one, in units of 2^lsb.
template <class T>
class ExponentSink {
 public:
  ExponentSink(ChannelNeeds& needs, int lsb) : needs_(needs), lsb_(lsb) {}
  void see(const T& sum) {
    if (sum != 0) needs_.sums.see(log2_floor(sum) + lsb_);
  }
  void added(const T& accumulator, const T& addend, const T& sum) {
    see(sum);
    if (accumulator == 0 || addend == 0) return;
    // Swamped at p bits where |addend| <= 2^(floor(log2 |accumulator|) - p).
    const int addend_log2_ceiling = formats::bit_length(decltype(magnitude_of(addend))(magnitude_of(addend) - 1));
    needs_.swamping.see(log2_floor(accumulator) - addend_log2_ceiling);
  }

 private:
  static int log2_floor(const T& v) { return formats::bit_length(magnitude_of(v)) - 1; }

  ChannelNeeds& needs_;
  int lsb_;
};

/// The operands of one tile of channels, in the order in which the datapath takes them.
template <class T>
struct IntegerRows {
  std::vector<T> values;  ///< rows x k
  std::size_t k = 0;
  [[nodiscard]] const T* row(std::int64_t r) const { return values.data() + static_cast<std::size_t>(r) * k; }
};

class Survey {
 public:
  Survey(const Datapath& datapath, const LayerProblem& problem, const SimulateOptions& options)
      : datapath_(datapath), problem_(problem), options_(options), lowering_(*problem.lowering) {
    const auto pass = static_cast<std::uint32_t>(problem.pass);
    quantized_a_ = quantize_operand(*problem.a, datapath.a, options.seed, {.output = 0, .layer = problem.layer, .pass = pass, .site = 14});
    quantized_b_ = quantize_operand(*problem.b, datapath.b, options.seed, {.output = 0, .layer = problem.layer, .pass = pass, .site = 15});
    if (datapath.a.block)
      blocks_a_.emplace(*problem.a, datapath.a, options.seed,
                        formats::RandomPosition{.output = 0, .layer = problem.layer, .pass = pass, .site = 14});
    if (datapath.b.block)
      blocks_b_.emplace(*problem.b, datapath.b, options.seed,
                        formats::RandomPosition{.output = 0, .layer = problem.layer, .pass = pass, .site = 15});
    a_ = operand(*problem.a, quantized_a_, blocks_a_);
    b_ = operand(*problem.b, quantized_b_, blocks_b_);
    exact_ = !(a_.seen->fits_double() && b_.seen->fits_double());
    is_integer_ = is_integer_datapath(datapath, *problem.a, *problem.b);
    if (is_integer_) {
      range_a_ = *integer_range(*problem.a, datapath.a);
      range_b_ = *integer_range(*problem.b, datapath.b);
      widest_ = formats::bit_length(Wide(range_a_.high - range_a_.low)) + formats::bit_length(Wide(range_b_.high - range_b_.low)) +
                formats::bit_length(Wide(lowering_.k)) + 3;
    } else if (datapath.product.format && datapath.product.rounding.mode == formats::Rounding::sr && needs_output_order(datapath)) {
      throw InputError("datapath \"" + datapath.name + "\": product: rounding", "a generator shared by the array",
                       "for bounds a generator of each output's own: share=pe, or rng=philox");
    }
    order_ = term_order(datapath, lowering_.k);
    if (datapath.product.format) product_.emplace(*datapath.product.format, datapath.product.rounding);
  }

  WidthSurvey run() {
    WidthSurvey survey;
    survey.is_integer = is_integer_;
    survey.channels.resize(static_cast<std::size_t>(lowering_.n * lowering_.batch));
    const std::int64_t pieces = std::int64_t{4} * options_.threads;
    const std::int64_t share = (lowering_.n * lowering_.batch + pieces - 1) / pieces;
    const std::int64_t columns = std::clamp<std::int64_t>(std::min(share, packed_elements / std::max<std::int64_t>(1, lowering_.k)), 1, 64);
    const std::int64_t tiles = (lowering_.n + columns - 1) / columns;
    std::mutex mutex;
    parallel(options_.threads, static_cast<std::size_t>(tiles * lowering_.batch), [&](std::size_t i) {
      const auto t = static_cast<std::int64_t>(i);
      const std::int64_t first = (t % tiles) * columns;
      const std::int64_t nonfinite = channels(t / tiles, first, std::min(columns, lowering_.n - first), survey.channels);
      const std::lock_guard lock(mutex);
      survey.nonfinite_outputs += nonfinite;
      if (options_.progress) options_.progress(std::min(columns, lowering_.n - first) * lowering_.m * lowering_.k);
    });
    return survey;
  }

 private:
  static constexpr std::int64_t packed_elements = std::int64_t{1} << 16;

  /// `quantized` stays false: the traced values are not needed beside those that the datapath sees.
  static PassOperand operand(const Tensor& tensor, const QuantizedOperand& quantized, const std::optional<BlockOperand>& blocks) {
    return {&tensor, quantized.changed ? &quantized.values : &tensor.values, quantized.scale, false, blocks ? &*blocks : nullptr};
  }

  [[nodiscard]] PackedRows rows_of(bool is_a, std::int64_t group, std::int64_t first, std::int64_t count) const {
    const PackPlan plan{.side = is_a ? ProductRows::Side::a : ProductRows::Side::b,
                        .k = lowering_.k,
                        .exact = exact_,
                        .seen = {},
                        .traced = {},
                        .needs_traced = false};
    PackedRows rows;
    rows.resize(is_a ? a_ : b_, plan, group, first, count);
    rows.pack(is_a ? a_ : b_, plan, lowering_, 0, count);
    return rows;
  }

  /// Some channels of a group over all rows; returns the number of outputs that are not finite.
  std::int64_t channels(std::int64_t group, std::int64_t first, std::int64_t count, std::vector<ChannelNeeds>& needs) const {
    const PackedRows b = rows_of(false, group, first, count);
    const std::span<ChannelNeeds> mine =
        std::span(needs).subspan(static_cast<std::size_t>(group * lowering_.n + first), static_cast<std::size_t>(count));
    if (is_integer_) {
      if (widest_ <= 62) integer_channels<std::int64_t>(group, b, mine);
      else if (widest_ <= 120) integer_channels<Int128>(group, b, mine);
      else integer_channels<Wide>(group, b, mine);
      return 0;
    }
    std::int64_t nonfinite = 0;
    for (std::int64_t row = 0; row < lowering_.m; row += rows_at_once()) {
      const std::int64_t rows = std::min(rows_at_once(), lowering_.m - row);
      const PackedRows a = rows_of(true, group, row, rows);
      for (std::int64_t c = 0; c < count; ++c) {
        for (std::int64_t r = 0; r < rows; ++r) {
          const auto element = static_cast<std::uint64_t>(lowering_.output_element(group, row + r, first + c));
          const Maker maker{element,
                            datapath_.array ? static_cast<std::uint64_t>(pe_index(*datapath_.array, row + r, first + c)) : element};
          nonfinite += !exponents_of_output(a, r, b, c, maker, mine[static_cast<std::size_t>(c)]);
        }
      }
    }
    return nonfinite;
  }

  [[nodiscard]] std::int64_t rows_at_once() const {
    return std::clamp<std::int64_t>(packed_elements / std::max<std::int64_t>(1, lowering_.k), 1, 64);
  }

  template <class T>
  [[nodiscard]] IntegerRows<T> integers(const PackedRows& rows, int spacing_exponent) const {
    IntegerRows<T> result;
    result.k = order_.size();
    const auto all = static_cast<std::size_t>(lowering_.k);
    for (std::size_t r = 0; r < rows.dataset_scale.size(); ++r) {
      for (const std::int64_t from : order_) {
        const std::size_t at = r * all + static_cast<std::size_t>(from);
        if constexpr (std::is_same_v<T, Wide>) {
          result.values.push_back(units(exact_ ? rows.seen_exact[at] : formats::from_double<Wide>(rows.seen[at]), spacing_exponent));
        } else {
          const double value = exact_ ? to_double(rows.seen_exact[at]) : rows.seen[at];  // of at most 62 bits: see below
          result.values.push_back(static_cast<T>(std::ldexp(value, -spacing_exponent)));
        }
      }
    }
    return result;
  }

  template <class T>
  void integer_channels(std::int64_t group, const PackedRows& packed_b, std::span<ChannelNeeds> needs) const {
    const IntegerRows<T> b = integers<T>(packed_b, range_b_.spacing_exponent);
    std::vector<Extremes<T>> partial(needs.size()), final_sum(needs.size());
    for (std::int64_t row = 0; row < lowering_.m; row += rows_at_once()) {
      const std::int64_t rows = std::min(rows_at_once(), lowering_.m - row);
      const IntegerRows<T> a = integers<T>(rows_of(true, group, row, rows), range_a_.spacing_exponent);
      for (std::size_t c = 0; c < needs.size(); ++c) {
        for (std::int64_t r = 0; r < rows; ++r) {
          std::vector<T> products(b.k);
          const T* x = a.row(r);
          const T* y = b.row(static_cast<std::int64_t>(c));
          for (std::size_t i = 0; i < b.k; ++i) products[i] = x[i] * y[i];
          final_sum[c].see(ExactWalk<T, Extremes<T>>(partial[c]).walk(datapath_, std::move(products), T{0}));
        }
      }
    }
    std::vector<Wide> weights(b.k);
    for (std::size_t c = 0; c < needs.size(); ++c) {
      for (std::size_t i = 0; i < b.k; ++i) weights[i] = widened_signed(b.row(static_cast<std::int64_t>(c))[i]);
      needs[c].guaranteed = guaranteed_widths(range_a_, range_b_, weights);
      needs[c].observed_partial = twos_complement_width(widened_signed(partial[c].low()), widened_signed(partial[c].high()));
      needs[c].observed_final = twos_complement_width(widened_signed(final_sum[c].low()), widened_signed(final_sum[c].high()));
    }
  }

  /// An output's row-major index, and the index that seeds its element's generators.
  struct Maker {
    std::uint64_t output, pe;
  };

  bool exponents_of_output(const PackedRows& a, std::int64_t r, const PackedRows& b, std::int64_t c, const Maker& maker,
                           ChannelNeeds& needs) const {
    if (!exact_) {
      try {
        return exponents_of_products(products<UInt128>(a, r, b, c, maker), needs);
      } catch (const formats::DoesNotFit&) {
        // a rounded product of more bits
      }
    }
    return exponents_of_products(products<Wide>(a, r, b, c, maker), needs);
  }

  template <class U>
  [[nodiscard]] std::vector<BasicExact<U>> products(const PackedRows& a, std::int64_t r, const PackedRows& b, std::int64_t c,
                                                    const Maker& maker) const {
    const std::size_t at_a = static_cast<std::size_t>(r * lowering_.k);
    const std::size_t at_b = static_cast<std::size_t>(c * lowering_.k);
    const auto value = [&](const PackedRows& rows, std::size_t at) {
      if constexpr (std::is_same_v<U, Wide>) {
        if (exact_) return rows.seen_exact[at];
      }
      return formats::from_double<U>(rows.seen[at]);
    };
    RandomSite random(datapath_.product.rounding, options_.seed,
                      {.output = maker.output, .layer = problem_.layer, .pass = static_cast<std::uint32_t>(problem_.pass), .site = 0},
                      nullptr, maker.pe);
    std::vector<BasicExact<U>> all;
    all.reserve(order_.size());
    for (const std::int64_t from : order_) {
      BasicExact<U> p = product(value(a, at_a + static_cast<std::size_t>(from)), value(b, at_b + static_cast<std::size_t>(from)));
      if (product_) p = (*product_)(p, random.next()).value;
      all.push_back(std::move(p));
    }
    return all;
  }

  /// False where one of them is infinite or NaN.
  template <class U>
  bool exponents_of_products(const std::vector<BasicExact<U>>& products, ChannelNeeds& needs) const {
    std::optional<int> lsb, top;
    for (const BasicExact<U>& p : products) {
      if (!p.is_finite()) return false;
      if (p.is_zero()) continue;
      lsb = std::min(lsb.value_or(p.exponent), p.exponent);
      top = std::max(top.value_or(p.exponent), log2_floor(p));
    }
    if (!lsb) return true;
    for (const BasicExact<U>& p : products) {
      if (!p.is_zero()) needs.products.see(log2_floor(p));
    }
    if (*top - *lsb + formats::bit_length(static_cast<UInt128>(products.size())) + 3 <= 127) walk_exponents<Int128>(products, *lsb, needs);
    else walk_exponents<Wide>(products, *lsb, needs);
    return true;
  }

  template <class T, class U>
  void walk_exponents(const std::vector<BasicExact<U>>& products, int lsb, ChannelNeeds& needs) const {
    std::vector<T> terms;
    terms.reserve(products.size());
    for (const BasicExact<U>& p : products) {
      T magnitude = 0;
      if constexpr (std::is_same_v<T, Wide>)
        magnitude = p.is_zero() ? Wide(0) : Wide(formats::widened(p.significand) << (p.exponent - lsb));
      else magnitude = p.is_zero() ? 0 : static_cast<T>(formats::narrowed(p.significand) << (p.exponent - lsb));
      terms.push_back(p.negative ? T(-magnitude) : magnitude);
    }
    ExponentSink<T> sink(needs, lsb);
    ExactWalk<T, ExponentSink<T>>(sink).walk(datapath_, std::move(terms), T{0});
  }

  const Datapath& datapath_;
  const LayerProblem& problem_;
  const SimulateOptions& options_;
  const Lowering& lowering_;
  QuantizedOperand quantized_a_, quantized_b_;
  std::optional<BlockOperand> blocks_a_, blocks_b_;
  PassOperand a_, b_;
  bool exact_ = false, is_integer_ = false;
  IntegerRange range_a_, range_b_;
  int widest_ = 0;  ///< bits that any partial sum may take, with some to spare
  std::vector<std::int64_t> order_;
  std::optional<formats::Rounder> product_;
};

}  // namespace

void Swamping::merge(const Swamping& other) {
  additions_ += other.additions_;
  counts_.resize(std::max(counts_.size(), other.counts_.size()));
  for (std::size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
}

int Swamping::precision(double share) const {
  const auto allowed = static_cast<std::int64_t>(share * static_cast<double>(additions_));
  std::int64_t swamped = 0;
  for (std::size_t p = counts_.size(); p-- > 1;) {
    swamped += counts_[p];
    if (swamped > allowed) return static_cast<int>(p);
  }
  return 0;
}

void ChannelNeeds::merge(const ChannelNeeds& other) {
  guaranteed.merge(other.guaranteed);
  observed_partial = std::max(observed_partial, other.observed_partial);
  observed_final = std::max(observed_final, other.observed_final);
  products.merge(other.products);
  sums.merge(other.sums);
  swamping.merge(other.swamping);
}

ChannelNeeds WidthSurvey::layer() const {
  ChannelNeeds all;
  for (const ChannelNeeds& channel : channels) all.merge(channel);
  return all;
}

WidthSurvey survey_widths(const Datapath& datapath, const LayerProblem& problem, const SimulateOptions& options) {
  return Survey(datapath, problem, options).run();
}

}  // namespace accsim::sim
