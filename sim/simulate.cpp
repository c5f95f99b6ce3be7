// The loop over tiles: pack, execute, compare with the exact result, fold.
#include "sim/simulate.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <mutex>
#include <optional>

#include "formats/round.h"
#include "sim/error_sums.h"
#include "sim/integer_bounds.h"
#include "sim/operand_facts.h"
#include "sim/output_conversion.h"
#include "sim/quantize.h"
#include "sim/tile_pack.h"

namespace accsim::sim {

using formats::Exact;
using formats::NarrowExact;
using formats::Wide;

formats::Exact exact_dot(std::span<const double> a, std::span<const double> b) {
  ExactSum sum;
  for (std::size_t i = 0; i < a.size(); ++i) sum.add_product(a[i], b[i]);
  return sum.value();
}

formats::Exact exact_dot(std::span<const Exact> a, std::span<const Exact> b) {
  Exact total = Exact::zero();
  for (std::size_t i = 0; i < a.size(); ++i) total = sum(total, product(a[i], b[i]));
  return total;
}

namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct TilePlace {
  std::int64_t group, row, rows, column, columns;
};

/// What one thread gathers.
struct Part {
  EventCounts events;
  ErrorSums errors;
  double max_abs_product = 0, max_abs_partial = 0, max_abs_output = 0;
  GuaranteedWidths guaranteed;
  int observed = 0;
  double simulate_seconds = 0, reference_seconds = 0;
};

class LayerRun {
 public:
  LayerRun(const Datapath& datapath, const LayerProblem& problem, const SimulateOptions& options)
      : datapath_(datapath),
        problem_(problem),
        options_(options),
        lowering_(*problem.lowering),
        last_level_(datapath.last_level().rounded_format(), datapath.last_level().rounding) {
    const auto pass = static_cast<std::uint32_t>(problem.pass);
    const formats::RandomPosition site_a{.output = 0, .layer = problem.layer, .pass = pass, .site = 14};
    const formats::RandomPosition site_b{.output = 0, .layer = problem.layer, .pass = pass, .site = 15};
    quantized_a_ = problem.quantized_a != nullptr ? *problem.quantized_a : quantize_operand(*problem.a, datapath.a, options.seed, site_a);
    quantized_b_ = problem.quantized_b != nullptr ? *problem.quantized_b : quantize_operand(*problem.b, datapath.b, options.seed, site_b);
    if (datapath.a.block) blocks_a_.emplace(*problem.a, datapath.a, options.seed, site_a);
    if (datapath.b.block) blocks_b_.emplace(*problem.b, datapath.b, options.seed, site_b);
    a_ = operand(*problem.a, quantized_a_, blocks_a_);
    b_ = operand(*problem.b, quantized_b_, blocks_b_);
    exact_ = !(a_.seen->fits_double() && b_.seen->fits_double() && problem.a->values.fits_double() && problem.b->values.fits_double());
    is_integer_ = is_integer_datapath(datapath, *problem.a, *problem.b);
    if (is_integer_) {
      range_a_ = *integer_range(*problem.a, datapath.a);
      range_b_ = *integer_range(*problem.b, datapath.b);
    }
    order_ = term_order(datapath, lowering_.k);
    if (datapath.output.format && datapath.output.rounding.mode != formats::Rounding::sr)
      output_.emplace(*datapath.output.format, datapath.output.rounding);
    const LayerFacts facts{.a = blocks_a_ ? blocks_a_->facts() : operand_facts(*a_.seen),
                           .b = blocks_b_ ? blocks_b_->facts() : operand_facts(*b_.seen),
                           .k = lowering_.k,
                           .a_emin = emin_of(*problem.a, datapath.a),
                           .b_emin = emin_of(*problem.b, datapath.b),
                           .has_accumulator = problem.bias != nullptr};
    chosen_ = choose_executor(datapath, facts, options.executor);
  }

  LayerResult run() {
    LayerResult result;
    prepare(result);
    const std::vector<TilePlace> tiles = needs_output_order(datapath_) ? tiles_in_output_order() : plain_tiles();
    const int threads = needs_output_order(datapath_) ? 1 : options_.threads;
    std::vector<Part> parts(static_cast<std::size_t>(threads));
    std::exception_ptr failure;
    std::mutex mutex;
    ArrayGenerators arrays;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (std::size_t i = 0; i < tiles.size(); ++i) {
      try {
        one_tile(tiles[i], parts[static_cast<std::size_t>(omp_get_thread_num())], needs_output_order(datapath_) ? &arrays : nullptr,
                 result);
        if (options_.progress) {
          const std::lock_guard lock(mutex);
          options_.progress(tiles[i].rows * tiles[i].columns * lowering_.k);
        }
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    }
    if (failure) std::rethrow_exception(failure);
    Part& whole = parts.front();
    for (std::size_t i = 1; i < parts.size(); ++i) merge(whole, parts[i]);
    fold(whole, threads, result);
    return result;
  }

 private:
  static PassOperand operand(const Tensor& tensor, const QuantizedOperand& quantized, const std::optional<BlockOperand>& blocks) {
    if (blocks) return {&tensor, &tensor.values, blocks->tensor_scale(), true, &*blocks};
    return {&tensor, quantized.changed ? &quantized.values : &tensor.values, quantized.scale, quantized.changed};
  }
  static BlockScales block_scales(const PassOperand& operand, const PackedRows& packed) {
    if (operand.blocks == nullptr) return {};
    return {operand.blocks->block(), operand.blocks->scale_emin(), packed.block_elements, packed.block_scales};
  }

  void prepare(LayerResult& result) const {
    result.executor = chosen_.executor->name();
    result.refusals = chosen_.refusals;
    result.outputs = lowering_.m * lowering_.n * lowering_.batch;
    result.macs = result.outputs * lowering_.k;
    const bool no_codes = formats::underflow_of(datapath_.result_rounding(), datapath_.result_format()) == formats::Underflow::none;
    result.code_words = no_codes ? 0 : code_bits(datapath_.result_format()) > 64 ? 2 : 1;
    const auto outputs = static_cast<std::size_t>(result.outputs);
    if (options_.keep_output) {
      result.output.resize(outputs);
      result.output_code.resize(outputs * static_cast<std::size_t>(result.code_words));
    }
    if (options_.keep_reference) result.reference.resize(outputs);
  }

  /// Tiles of at most 64 x 64 outputs whose operands take at most 2 MB a thread, and at least eight for every thread where
  /// the layer has that many outputs.
  [[nodiscard]] std::vector<TilePlace> plain_tiles() const {
    constexpr std::int64_t packed_elements = std::int64_t{1} << 17;
    const std::int64_t per_row = std::max<std::int64_t>(1, packed_elements / std::max<std::int64_t>(1, lowering_.k) / 2);
    std::int64_t rows = std::min<std::int64_t>(lowering_.m, std::clamp<std::int64_t>(per_row, 1, 64));
    std::int64_t columns = std::min<std::int64_t>(lowering_.n, std::clamp<std::int64_t>(per_row, 1, 64));
    const auto tiles_of = [&] { return ((lowering_.m + rows - 1) / rows) * ((lowering_.n + columns - 1) / columns) * lowering_.batch; };
    while (options_.threads > 1 && tiles_of() < 8 * options_.threads && rows * columns > 1) {
      if (rows >= columns) rows = (rows + 1) / 2;
      else columns = (columns + 1) / 2;
    }
    std::vector<TilePlace> tiles;
    for (std::int64_t g = 0; g < lowering_.batch; ++g) {
      for (std::int64_t r = 0; r < lowering_.m; r += rows) {
        for (std::int64_t c = 0; c < lowering_.n; c += columns) {
          tiles.push_back({g, r, std::min(rows, lowering_.m - r), c, std::min(columns, lowering_.n - c)});
        }
      }
    }
    return tiles;
  }

  /// One output a tile, in the result's row-major order.
  [[nodiscard]] std::vector<TilePlace> tiles_in_output_order() const {
    std::vector<TilePlace> tiles(static_cast<std::size_t>(lowering_.m * lowering_.n * lowering_.batch));
    for (std::int64_t g = 0; g < lowering_.batch; ++g) {
      for (std::int64_t r = 0; r < lowering_.m; ++r) {
        for (std::int64_t c = 0; c < lowering_.n; ++c) tiles[static_cast<std::size_t>(lowering_.output_element(g, r, c))] = {g, r, 1, c, 1};
      }
    }
    return tiles;
  }

  void one_tile(const TilePlace& place, Part& part, ArrayGenerators* arrays, LayerResult& result) const {
    const auto start = Clock::now();
    PackedRows a;
    PackedRows b;
    pack_rows(
        a_, lowering_.k, place.group, place.row, place.rows, exact_, [&](auto... x) { lowering_.a_row(x...); }, a);
    pack_rows(
        b_, lowering_.k, place.group, place.column, place.columns, exact_, [&](auto... x) { lowering_.b_row(x...); }, b);
    std::vector<std::int64_t> output_index;
    for (std::int64_t r = 0; r < place.rows; ++r) {
      for (std::int64_t c = 0; c < place.columns; ++c)
        output_index.push_back(lowering_.output_element(place.group, place.row + r, place.column + c));
    }
    const std::vector<Exact> scales = real_scales(a, b);
    const std::vector<NarrowExact> accumulator =
        problem_.bias == nullptr ? std::vector<NarrowExact>{} : initial_accumulators(place, scales, output_index, arrays);

    Tile tile{.rows = place.rows,
              .columns = place.columns,
              .k = lowering_.k,
              .a = a.seen,
              .b = b.seen,
              .a_exact = a.seen_exact,
              .b_exact = b.seen_exact,
              .a_blocks = block_scales(a_, a),
              .b_blocks = block_scales(b_, b),
              .output_index = output_index,
              .accumulator = accumulator,
              .a_emin = emin_of(*problem_.a, datapath_.a),
              .b_emin = emin_of(*problem_.b, datapath_.b),
              .seed = options_.seed,
              .layer = problem_.layer,
              .pass = static_cast<std::uint32_t>(problem_.pass),
              .arrays = arrays};
    TileResult tile_result;
    chosen_.executor->run(datapath_, tile, tile_result);
    part.events.merge(tile_result.events);
    part.max_abs_product = std::max(part.max_abs_product, tile_result.max_abs_product);
    part.max_abs_partial = std::max(part.max_abs_partial, tile_result.max_abs_partial);
    part.simulate_seconds += seconds_since(start);

    const auto reference_start = Clock::now();
    for (std::int64_t r = 0; r < place.rows; ++r) {
      for (std::int64_t c = 0; c < place.columns; ++c) {
        const auto i = static_cast<std::size_t>(r * place.columns + c);
        one_output(place, r, c, a, b, scales[i], tile_result, i, accumulator.empty() ? Exact::zero() : widened(accumulator[i]), part,
                   result, output_index[i]);
      }
    }
    if (is_integer_) observe_widths(place, a, b, accumulator, part);
    part.reference_seconds += seconds_since(reference_start);
  }

  /// What an output before scales is multiplied by: dataset scales and those of the quantization, exactly.
  [[nodiscard]] std::vector<Exact> real_scales(const PackedRows& a, const PackedRows& b) const {
    const Exact quantization = product(formats::from_double<Wide>(a_.scale), formats::from_double<Wide>(b_.scale));
    std::vector<Exact> scales;
    scales.reserve(a.dataset_scale.size() * b.dataset_scale.size());
    for (const double scale_a : a.dataset_scale) {
      for (const double scale_b : b.dataset_scale) scales.push_back(product(quantization, dataset_scale(scale_a, scale_b)));
    }
    return scales;
  }

  /// Exponent of the smallest normal of what the datapath takes; fixed point has none.
  static int emin_of(const Tensor& tensor, const Operand& operand) {
    const formats::Format* format = operand.block    ? &operand.block->element
                                    : operand.format ? &*operand.format
                                    : tensor.format  ? &*tensor.format
                                                     : nullptr;
    if (format == nullptr) return tensor.emin;
    return format->as_float() != nullptr ? formats::limits(*format).emin : -(1 << 24);
  }

  static Exact dataset_scale(double a, double b) { return product(formats::from_double<Wide>(a), formats::from_double<Wide>(b)); }

  /// The bias of an output in real units, exactly.
  [[nodiscard]] Exact real_bias(const TilePlace& place, std::int64_t column) const {
    const std::int64_t element = lowering_.bias_element(place.group, place.column + column);
    return product(problem_.bias->values.exact(element), formats::from_double<Wide>(problem_.bias->scale_of(element)));
  }

  /// The biases, divided by the scales and rounded to the accumulator's format.
  [[nodiscard]] std::vector<NarrowExact> initial_accumulators(const TilePlace& place, const std::vector<Exact>& scales,
                                                              const std::vector<std::int64_t>& output_index,
                                                              ArrayGenerators* arrays) const {
    const formats::Format& format = datapath_.accumulator_format();
    const formats::Rounder rounder(format, datapath_.accumulator_rounding());
    std::vector<NarrowExact> accumulators;
    accumulators.reserve(scales.size());
    for (std::size_t i = 0; i < scales.size(); ++i) {
      Exact c = real_bias(place, static_cast<std::int64_t>(i) % place.columns);
      if (c.is_nonzero_finite()) {
        const int above_lsb = std::max(0, log2_floor(c) - log2_floor(scales[i]) - rounder.format_limits().lsb_exponent);
        c = quotient_with_sticky(c, scales[i], above_lsb + 192);
      }
      RandomSite random(datapath_.accumulator_rounding(), options_.seed,
                        {.output = static_cast<std::uint64_t>(output_index[i]),
                         .layer = problem_.layer,
                         .pass = static_cast<std::uint32_t>(problem_.pass),
                         .site = 12},
                        arrays);
      accumulators.push_back(narrowed(rounder(c, random.next()).value));
    }
    return accumulators;
  }

  void one_output(const TilePlace& place, std::int64_t r, std::int64_t c, const PackedRows& a, const PackedRows& b, const Exact& scale,
                  const TileResult& tile_result, std::size_t i, const Exact& accumulator, Part& part, LayerResult& result,
                  std::int64_t index) const {
    const NarrowExact y = tile_result.output(i);
    OutputValues values;
    values.y = widened(y);
    values.sum = dot(a.seen, b.seen, a.seen_exact, b.seen_exact, r, c);
    values.scale = scale;
    values.bias = problem_.bias != nullptr ? real_bias(place, c) : Exact::zero();
    values.shift = datapath_.output.shift;
    if (a_.quantized || b_.quantized) {
      const Exact traced = dot(a_.quantized ? a.traced : a.seen, b_.quantized ? b.traced : b.seen,
                               a_.quantized ? a.traced_exact : a.seen_exact, b_.quantized ? b.traced_exact : b.seen_exact, r, c);
      values.signal =
          product(traced, dataset_scale(a.dataset_scale[static_cast<std::size_t>(r)], b.dataset_scale[static_cast<std::size_t>(c)]));
    } else {
      values.signal = product(values.sum, scale);
    }
    values.signal = formats::sum(values.signal, values.bias);
    // What the register would hold without any rounding: the sum and C as it entered.
    const Exact register_sum = formats::sum(values.sum, accumulator);
    values.spacing_exponent = spacing_exponent(datapath_.result_format(), scaled(register_sum, -values.shift)) + values.shift;

    const RealOutput real = part.errors.add(values);
    part.events[Event::nonfinite_outputs] += !y.is_finite();
    part.events[Event::outputs_inexact] +=
        !same_value(values.y, output_ ? converted(datapath_.output, *output_, register_sum, 0) : register_sum);
    if (tile_result.overflowed[i] != 0) {
      ++part.events[Event::outputs_overflowed];
      ++part.events[last_level_.outside_range(register_sum) ? Event::outputs_persistent_overflow : Event::outputs_transient_overflow];
    }
    if (y.is_finite()) part.max_abs_output = std::max(part.max_abs_output, to_double(magnitude(y)));
    keep(result, static_cast<std::size_t>(index), y, real);
  }

  void keep(LayerResult& result, std::size_t index, const NarrowExact& y, const RealOutput& real) const {
    if (!result.reference.empty()) result.reference[index] = real.reference;
    if (result.output.empty()) return;
    result.output[index] = real.y;
    if (result.code_words == 0) return;
    const formats::Code code = encode(y, datapath_.result_format());
    const auto words = static_cast<std::size_t>(result.code_words);
    result.output_code[index * words] = static_cast<std::uint64_t>(code);
    if (words == 2) result.output_code[index * words + 1] = static_cast<std::uint64_t>(code >> 64);
  }

  [[nodiscard]] Exact dot(const std::vector<double>& a, const std::vector<double>& b, const std::vector<Exact>& a_exact,
                          const std::vector<Exact>& b_exact, std::int64_t r, std::int64_t c) const {
    const auto k = static_cast<std::size_t>(lowering_.k);
    const std::size_t at_a = static_cast<std::size_t>(r) * k;
    const std::size_t at_b = static_cast<std::size_t>(c) * k;
    if (exact_) return exact_dot(std::span(a_exact).subspan(at_a, k), std::span(b_exact).subspan(at_b, k));
    return exact_dot(std::span(a).subspan(at_a, k), std::span(b).subspan(at_b, k));
  }

  void observe_widths(const TilePlace& place, const PackedRows& a, const PackedRows& b, const std::vector<NarrowExact>& accumulator,
                      Part& part) const {
    const auto k = static_cast<std::size_t>(lowering_.k);
    const auto exact_operand = [&](const std::vector<double>& doubles, const std::vector<Exact>& exacts, std::size_t at) {
      return exact_ ? exacts[at] : formats::from_double<Wide>(doubles[at]);
    };
    if (place.row == 0) {
      std::vector<Wide> weights(k);
      for (std::int64_t c = 0; c < place.columns; ++c) {
        for (std::size_t i = 0; i < k; ++i)
          weights[i] = units(exact_operand(b.seen, b.seen_exact, static_cast<std::size_t>(c) * k + i), range_b_.spacing_exponent);
        part.guaranteed.merge(guaranteed_widths(range_a_, range_b_, weights));
      }
    }
    const int unit = range_a_.spacing_exponent + range_b_.spacing_exponent;
    const int widest =
        formats::bit_length(range_a_.magnitude) + formats::bit_length(range_b_.magnitude) + formats::bit_length(Wide(lowering_.k)) + 2;
    const bool in_machine_integers = !exact_ && widest <= 120 && accumulator.empty();
    std::vector<formats::Int128> machine(k);
    std::vector<Exact> products(k);
    for (std::int64_t r = 0; r < place.rows; ++r) {
      for (std::int64_t c = 0; c < place.columns; ++c) {
        const std::size_t at_a = static_cast<std::size_t>(r) * k;
        const std::size_t at_b = static_cast<std::size_t>(c) * k;
        for (std::size_t i = 0; i < k; ++i) {
          const auto from = static_cast<std::size_t>(order_[i]);
          if (in_machine_integers) {
            machine[i] = static_cast<formats::Int128>(std::ldexp(a.seen[at_a + from], -range_a_.spacing_exponent)) *
                         static_cast<formats::Int128>(std::ldexp(b.seen[at_b + from], -range_b_.spacing_exponent));
          } else {
            products[i] = product(exact_operand(a.seen, a.seen_exact, at_a + from), exact_operand(b.seen, b.seen_exact, at_b + from));
          }
        }
        const Exact initial = accumulator.empty() ? Exact::zero() : widened(accumulator[static_cast<std::size_t>(r * place.columns + c)]);
        part.observed = std::max(part.observed, in_machine_integers ? observed_width(datapath_, machine, 0)
                                                                    : observed_width(datapath_, products, initial, unit));
      }
    }
  }

  static void merge(Part& whole, const Part& part) {
    whole.events.merge(part.events);
    whole.errors.merge(part.errors);
    whole.max_abs_product = std::max(whole.max_abs_product, part.max_abs_product);
    whole.max_abs_partial = std::max(whole.max_abs_partial, part.max_abs_partial);
    whole.max_abs_output = std::max(whole.max_abs_output, part.max_abs_output);
    whole.guaranteed.merge(part.guaranteed);
    whole.observed = std::max(whole.observed, part.observed);
    whole.simulate_seconds += part.simulate_seconds;
    whole.reference_seconds += part.reference_seconds;
  }

  void fold(const Part& whole, int threads, LayerResult& result) const {
    result.events = whole.events;
    result.has_bits = is_integer_;
    result.simulate_seconds = whole.simulate_seconds / threads;
    result.reference_seconds = whole.reference_seconds / threads;
    std::size_t event = 0;
    for (const StatisticRow& row : statistic_rows()) result.statistics.push_back(statistic(whole, row, event));
  }

  [[nodiscard]] StatisticValue statistic(const Part& whole, const StatisticRow& row, std::size_t& event) const {
    switch (row.group) {
      case StatisticGroup::events: return whole.events.counts[event++];
      case StatisticGroup::error: return whole.errors.error_statistic(row.name);
      case StatisticGroup::quantization: return whole.errors.sqnr_db();
      case StatisticGroup::total: return whole.errors.total_sndr_db();
      case StatisticGroup::range:
        if (row.name == "max_abs_product") return whole.max_abs_product;
        return row.name == "max_abs_partial" ? whole.max_abs_partial : whole.max_abs_output;
      case StatisticGroup::bits: break;
    }
    if (!is_integer_) return std::monostate{};
    if (row.name == "datatype_bound") return std::int64_t{whole.guaranteed.datatype};
    if (row.name == "l1_bound") return std::int64_t{whole.guaranteed.l1};
    if (row.name == "range_bound") return std::int64_t{whole.guaranteed.range};
    return std::int64_t{whole.observed};
  }

  const Datapath& datapath_;
  const LayerProblem& problem_;
  const SimulateOptions& options_;
  const Lowering& lowering_;
  ChosenExecutor chosen_;
  formats::Rounder last_level_;
  std::optional<formats::Rounder> output_;  ///< the last conversion, where it does not depend on random bits
  QuantizedOperand quantized_a_, quantized_b_;
  std::optional<BlockOperand> blocks_a_, blocks_b_;
  PassOperand a_, b_;
  bool exact_ = false, is_integer_ = false;
  IntegerRange range_a_, range_b_;
  std::vector<std::int64_t> order_;
};

}  // namespace

LayerResult simulate(const Datapath& datapath, const LayerProblem& problem, const SimulateOptions& options) {
  return LayerRun(datapath, problem, options).run();
}

}  // namespace accsim::sim
