// The loop over a layer: panels of columns are packed, tasks of rows executed against them and compared with the exact result, parts
// folded.
#include "sim/simulate.h"

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>

#include "sim/online/level.h"
#include "sim/operand_facts.h"
#include "sim/parallel.h"
#include "sim/quantize.h"
#include "sim/tile_statistics.h"
#include "sim/tile_widths.h"
#include "sim/timing/array_cycles.h"
#include "sim/work_plan.h"

namespace accsim::sim {

using formats::Exact;
using formats::NarrowExact;

namespace {

using Clock = std::chrono::steady_clock;
double seconds_between(Clock::time_point start, Clock::time_point end) { return std::chrono::duration<double>(end - start).count(); }
double seconds_since(Clock::time_point start) { return seconds_between(start, Clock::now()); }

/// What a thread keeps from task to task.
struct Workspace {
  explicit Workspace(bool signal_is_reference) : part(signal_is_reference) {}
  LayerPart part;
  PackedRows rows;
};

/// Columns that are packed once, and what executors make of parts of them.
struct Panel {
  struct Part : PackCache::Entry {
    std::int64_t first = 0, columns = 0;
    PackCache cache;
  };
  PackedRows packed;
  std::unique_ptr<PackCache> parts;

  [[nodiscard]] PackCache& cache(std::int64_t first, std::int64_t columns) const {
    return parts
        ->find<Part>([&](const Part& part) { return part.first == first && part.columns == columns; },
                     [&] {
                       auto part = std::make_unique<Part>();
                       part->first = first;
                       part->columns = columns;
                       return part;
                     })
        .cache;
  }
};

class LayerRun {
 public:
  LayerRun(const Datapath& datapath, const LayerProblem& problem, const SimulateOptions& options)
      : datapath_(datapath), problem_(problem), options_(options), lowering_(*problem.lowering) {
    const auto start = Clock::now();
    const auto pass = static_cast<std::uint32_t>(problem.pass);
    const formats::RandomPosition site_a{.output = 0, .layer = problem.layer, .pass = pass, .site = 14};
    const formats::RandomPosition site_b{.output = 0, .layer = problem.layer, .pass = pass, .site = 15};
    quantized_a_ = problem.quantized_a != nullptr ? *problem.quantized_a
                                                  : quantize_operand(*problem.a, datapath.a, options.seed, site_a, options.threads);
    quantized_b_ = problem.quantized_b != nullptr ? *problem.quantized_b
                                                  : quantize_operand(*problem.b, datapath.b, options.seed, site_b, options.threads);
    if (datapath.a.block) blocks_a_.emplace(*problem.a, datapath.a, options.seed, site_a);
    if (datapath.b.block) blocks_b_.emplace(*problem.b, datapath.b, options.seed, site_b);
    a_ = operand(*problem.a, quantized_a_, blocks_a_);
    b_ = operand(*problem.b, quantized_b_, blocks_b_);
    is_integer_ = is_integer_datapath(datapath, *problem.a, *problem.b);
    if (problem.bias != nullptr) check_takes_initial(datapath);
    a_bits_ = zero_point_width(*problem.a, datapath.a);
    b_bits_ = zero_point_width(*problem.b, datapath.b);
    const LayerFacts facts{.a = blocks_a_ ? blocks_a_->facts() : operand_facts(*a_.seen, options.threads),
                           .b = blocks_b_ ? blocks_b_->facts() : operand_facts(*b_.seen, options.threads),
                           .k = lowering_.k,
                           .a_emin = emin_of(*problem.a, datapath.a),
                           .b_emin = emin_of(*problem.b, datapath.b),
                           .has_accumulator = problem.bias != nullptr};
    chosen_ = choose_executor(datapath, facts, options.executor);
    plan_packing(facts);
    if (is_integer_)
      widths_.emplace(datapath, facts, *integer_range(*problem.a, datapath.a), *integer_range(*problem.b, datapath.b), plan_a_.exact);
    statistics_.emplace(datapath, problem, a_, b_, plan_a_);
    prepare_seconds_ = seconds_since(start);
  }

  LayerResult run() {
    LayerResult result;
    prepare(result);
    const bool in_order = needs_output_order(datapath_);
    constexpr std::int64_t worth_threads = 1 << 13;  // multiply-accumulates; starting threads costs more than fewer of them take
    const bool is_small = lowering_.batch * lowering_.m * lowering_.n * lowering_.k < worth_threads;
    const int threads = in_order || is_small ? 1 : options_.threads;
    std::vector<Workspace> workspaces;
    workspaces.reserve(static_cast<std::size_t>(threads));
    for (int i = 0; i < threads; ++i) workspaces.emplace_back(statistics_->signal_is_reference());
    ArrayGenerators arrays;
    const WorkShape shape{.lowering = &lowering_,
                          .bytes_a = PackedRows::bytes(a_, plan_a_),
                          .bytes_b = PackedRows::bytes(b_, plan_b_),
                          .threads = threads,
                          .is_slow = chosen_.executor == executors().front()};
    std::vector<Panel> panels;
    std::mutex mutex;
    const auto do_stage = [&](const WorkStage& stage) {
      pack_panels(stage, threads, panels, workspaces);
      parallel(threads, stage.tasks.size(), [&](std::size_t i) {
        const WorkTask& task = stage.tasks[i];
        one_task(task, panels[task.panel], workspaces[static_cast<std::size_t>(omp_get_thread_num())], in_order ? &arrays : nullptr, shape,
                 result, mutex);
      });
    };
    if (in_order) in_output_order(lowering_, do_stage);
    else in_stages(shape, do_stage);
    LayerPart& whole = workspaces.front().part;
    for (std::size_t i = 1; i < workspaces.size(); ++i) whole.merge(workspaces[i].part);
    fold(whole, threads, result);
    return result;
  }

 private:
  static PassOperand operand(const Tensor& tensor, const QuantizedOperand& quantized, const std::optional<BlockOperand>& blocks) {
    if (blocks) return {&tensor, &tensor.values, blocks->tensor_scale(), true, &*blocks};
    return {&tensor, quantized.changed ? &quantized.values : &tensor.values, quantized.scale, quantized.changed};
  }
  [[nodiscard]] BlockScales block_scales(const PassOperand& operand, const PackedRows& packed, std::int64_t first,
                                         std::int64_t rows) const {
    if (operand.blocks == nullptr) return {};
    const std::int64_t blocks = (lowering_.k + operand.blocks->block() - 1) / operand.blocks->block();
    return {operand.blocks->block(), operand.blocks->scale_emin(), lines(packed.block_elements, first, rows, lowering_.k),
            lines(packed.block_scales, first, rows, blocks)};
  }
  template <class Rows>
  static std::span<const typename Rows::value_type> lines(const Rows& all, std::int64_t first, std::int64_t rows, std::int64_t k) {
    if (all.empty()) return {};
    return std::span(all).subspan(static_cast<std::size_t>(first * k), static_cast<std::size_t>(rows * k));
  }

  /// Which carriers hold the exact sums of both operands, as seen and as traced.
  void plan_packing(const LayerFacts& facts) {
    const bool exact =
        !(a_.seen->fits_double() && b_.seen->fits_double() && problem_.a->values.fits_double() && problem_.b->values.fits_double());
    plan_a_ = {.side = ProductRows::Side::a,
               .k = lowering_.k,
               .exact = exact,
               .seen = {},
               .traced = {},
               .needs_traced = a_.quantized || b_.quantized};
    if (!exact) {
      const kernels::ProductLanes& lanes = kernels::product_lanes().back();
      plan_a_.seen = plan_products(facts.a, facts.b, lowering_.k, lanes);
      if (plan_a_.needs_traced)
        plan_a_.traced = plan_products(operand_facts(problem_.a->values, options_.threads),
                                       operand_facts(problem_.b->values, options_.threads), lowering_.k, lanes);
    }
    plan_b_ = plan_a_;
    plan_b_.side = ProductRows::Side::b;
  }

  void pack_panels(const WorkStage& stage, int threads, std::vector<Panel>& panels, std::vector<Workspace>& workspaces) const {
    if (panels.size() < stage.panels.size()) panels.resize(stage.panels.size());
    std::vector<std::pair<std::size_t, std::int64_t>> blocks;
    constexpr std::int64_t columns = 32;
    for (std::size_t p = 0; p < stage.panels.size(); ++p) {
      const WorkPanel& panel = stage.panels[p];
      panels[p].parts = std::make_unique<PackCache>();
      panels[p].packed.resize(b_, plan_b_, panel.group, panel.column, panel.columns);
      for (std::int64_t c = 0; c < panel.columns; c += columns) blocks.emplace_back(p, c);
    }
    parallel(threads, blocks.size(), [&](std::size_t i) {
      PackedRows& panel = panels[blocks[i].first].packed;
      pack(b_, plan_b_, panel, blocks[i].second, std::min(columns, panel.count - blocks[i].second),
           workspaces[static_cast<std::size_t>(omp_get_thread_num())].part);
    });
  }

  /// Rows i..i+n of an operand: for executors, and for the reference.
  void pack(const PassOperand& operand, const PackPlan& plan, PackedRows& rows, std::int64_t i, std::int64_t n, LayerPart& part) const {
    const auto start = Clock::now();
    rows.pack(operand, plan, lowering_, i, n);
    const auto reference_start = Clock::now();
    rows.pack_integers(operand, plan, i, n);
    part.simulate_seconds += seconds_between(start, reference_start);
    part.reference_seconds += seconds_since(reference_start);
  }

  void one_task(const WorkTask& task, const Panel& panel, Workspace& workspace, ArrayGenerators* arrays, const WorkShape& shape,
                LayerResult& result, std::mutex& mutex) const {
    const PackedRows& b = panel.packed;
    workspace.rows.resize(a_, plan_a_, b.group, task.row, task.rows);
    pack(a_, plan_a_, workspace.rows, 0, task.rows, workspace.part);
    PackCache a_cache;
    for (std::int64_t c = 0; c < task.columns; c += shape.tile_columns()) {
      const std::int64_t columns = std::min(shape.tile_columns(), task.columns - c);
      ExecutedTile place;
      place.group = b.group;
      place.a = &workspace.rows;
      place.b = &b;
      place.rows = task.rows;
      place.first_b = task.column + c;
      place.columns = columns;
      one_tile(place, a_cache, panel.cache(place.first_b, columns), workspace.part, arrays, result);
      if (options_.progress) {
        const std::lock_guard lock(mutex);
        options_.progress(task.rows * columns * lowering_.k);
      }
    }
  }

  void one_tile(ExecutedTile place, PackCache& a_cache, PackCache& b_cache, LayerPart& part, ArrayGenerators* arrays,
                LayerResult& result) const {
    const auto start = Clock::now();
    const PackedRows& a = *place.a;
    const PackedRows& b = *place.b;
    std::vector<std::int64_t> output_index;
    std::vector<std::int64_t> pe_indices;
    output_index.reserve(static_cast<std::size_t>(place.rows * place.columns));
    for (std::int64_t r = 0; r < place.rows; ++r) {
      for (std::int64_t c = 0; c < place.columns; ++c) {
        const std::int64_t row = a.first + place.first_a + r;
        const std::int64_t column = b.first + place.first_b + c;
        output_index.push_back(lowering_.output_element(place.group, row, column));
        if (datapath_.array) pe_indices.push_back(pe_index(*datapath_.array, row, column));
      }
    }
    place.output_index = output_index;
    const std::vector<std::int64_t>& makers = datapath_.array ? pe_indices : output_index;
    std::vector<NarrowExact> accumulator;
    if (problem_.bias != nullptr) accumulator = initial_accumulators(place, makers, arrays);
    place.accumulator = accumulator;
    const std::int64_t k = lowering_.k;
    Tile tile{.rows = place.rows,
              .columns = place.columns,
              .k = k,
              .a = lines(a.seen, place.first_a, place.rows, k),
              .b = lines(b.seen, place.first_b, place.columns, k),
              .a_exact = lines(a.seen_exact, place.first_a, place.rows, k),
              .b_exact = lines(b.seen_exact, place.first_b, place.columns, k),
              .a_blocks = block_scales(a_, a, place.first_a, place.rows),
              .b_blocks = block_scales(b_, b, place.first_b, place.columns),
              .output_index = output_index,
              .pe_index = makers,
              .accumulator = accumulator,
              .a_emin = emin_of(*problem_.a, datapath_.a),
              .b_emin = emin_of(*problem_.b, datapath_.b),
              .seed = options_.seed,
              .layer = problem_.layer,
              .pass = static_cast<std::uint32_t>(problem_.pass),
              .a_bits = a_bits_,
              .b_bits = b_bits_,
              .arrays = arrays,
              .a_cache = &a_cache,
              .b_cache = &b_cache};
    TileResult tile_result;
    chosen_.executor->run(datapath_, tile, tile_result);
    part.events.merge(tile_result.events);
    part.max_abs_product = std::max(part.max_abs_product, tile_result.max_abs_product);
    part.max_abs_partial = std::max(part.max_abs_partial, tile_result.max_abs_partial);
    part.saved_cycles += tile_result.saved_cycles;
    part.simulate_seconds += seconds_since(start);

    const auto reference_start = Clock::now();
    place.executed = &tile_result;
    statistics_->add(place, part, result);
    if (is_integer_ && problem_.same_sums == nullptr) widths_->add(place, part);
    part.reference_seconds += seconds_since(reference_start);
  }

  void prepare(LayerResult& result) const {
    result.executor = chosen_.executor->name();
    result.refusals = chosen_.refusals;
    result.outputs = lowering_.m * lowering_.n * lowering_.batch;
    result.macs = result.outputs * lowering_.k;
    const bool no_codes = formats::underflow_of(datapath_.result_rounding(), datapath_.result_format()) == formats::Underflow::none;
    result.code_words = no_codes ? 0 : code_bits(datapath_.result_format()) > 64 ? 2 : 1;
    std::size_t outputs = 1;  // more than those of a sample
    for (const std::int64_t extent : lowering_.output_shape) outputs *= static_cast<std::size_t>(extent);
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    if (options_.keep_output) {
      result.output.resize(outputs, none);
      result.output_code.resize(outputs * static_cast<std::size_t>(result.code_words));
    }
    if (options_.keep_reference) result.reference.resize(outputs, none);
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

  /// The biases, divided by the scales and rounded to the accumulator's format.
  [[nodiscard]] std::vector<NarrowExact> initial_accumulators(const ExecutedTile& place, const std::vector<std::int64_t>& makers,
                                                              ArrayGenerators* arrays) const {
    const formats::Format& format = datapath_.accumulator_format();
    const formats::Rounder rounder(format, datapath_.accumulator_rounding());
    const OutputScales scales(a_, b_);
    std::vector<NarrowExact> accumulators;
    accumulators.reserve(place.output_index.size());
    for (std::size_t i = 0; i < place.output_index.size(); ++i) {
      const auto row = static_cast<std::size_t>(place.first_a) + i / static_cast<std::size_t>(place.columns);
      const auto column = static_cast<std::size_t>(place.first_b) + i % static_cast<std::size_t>(place.columns);
      Exact c = statistics_->real_bias(place.group, place.b->first + static_cast<std::int64_t>(column));
      if (c.is_nonzero_finite()) {
        const Exact scale = scales.real(place.a->dataset_scale[row], place.b->dataset_scale[column]);
        const int above_lsb = std::max(0, log2_floor(c) - log2_floor(scale) - rounder.format_limits().lsb_exponent);
        c = quotient_with_sticky(c, scale, above_lsb + 192);
      }
      RandomSite random(datapath_.accumulator_rounding(), options_.seed,
                        {.output = static_cast<std::uint64_t>(place.output_index[i]),
                         .layer = problem_.layer,
                         .pass = static_cast<std::uint32_t>(problem_.pass),
                         .site = 12},
                        arrays, static_cast<std::uint64_t>(makers[i]));
      accumulators.push_back(narrowed(rounder(c, random.next()).value));
    }
    return accumulators;
  }

  void fold(const LayerPart& whole, int threads, LayerResult& result) const {
    result.events = whole.events;
    result.has_bits = is_integer_;
    result.has_cycles = datapath_.has_cycles();
    std::optional<LayerCycles> cycles;
    if (result.has_cycles) cycles = layer_cycles(datapath_, lowering_.m, lowering_.n, lowering_.k, lowering_.batch);
    result.simulate_seconds = prepare_seconds_ + whole.simulate_seconds / threads;
    result.reference_seconds = whole.reference_seconds / threads;
    std::size_t event = 0;
    for (const StatisticRow& row : statistic_rows()) result.statistics.push_back(statistic(whole, cycles, row, event));
  }

  static StatisticValue counted(const std::optional<std::int64_t>& cycles) { return cycles ? StatisticValue(*cycles) : StatisticValue(); }

  [[nodiscard]] StatisticValue statistic(const LayerPart& whole, const std::optional<LayerCycles>& cycles, const StatisticRow& row,
                                         std::size_t& event) const {
    switch (row.group) {
      case StatisticGroup::events: return whole.events.counts[event++];
      case StatisticGroup::error: return whole.errors.error_statistic(row.name);
      case StatisticGroup::quantization: return whole.errors.sqnr_db();
      case StatisticGroup::total: return whole.errors.total_sndr_db();
      case StatisticGroup::range:
        if (row.name == "max_abs_product") return whole.max_abs_product;
        return row.name == "max_abs_partial" ? whole.max_abs_partial : whole.max_abs_output;
      case StatisticGroup::bits: break;
      case StatisticGroup::cycles:
        if (row.name == "saved") return counted(online::saved_cycles(datapath_, whole.saved_cycles));
        if (row.name == "per_output") return counted(online::cycles_of_output(datapath_, a_bits_, b_bits_, lowering_.k));
        return cycle_statistic(cycles, row.name);
    }
    if (!is_integer_) return std::monostate{};
    if (problem_.same_sums != nullptr) return problem_.same_sums->statistics[static_cast<std::size_t>(&row - statistic_rows().data())];
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
  QuantizedOperand quantized_a_, quantized_b_;
  std::optional<BlockOperand> blocks_a_, blocks_b_;
  PassOperand a_, b_;
  PackPlan plan_a_, plan_b_;
  std::optional<TileStatistics> statistics_;
  double prepare_seconds_ = 0;  ///< for quantizing and looking at operands
  bool is_integer_ = false;
  int a_bits_ = 0, b_bits_ = 0;       ///< as in Tile
  std::optional<TileWidths> widths_;  ///< of integer datapaths
};

}  // namespace

LayerResult simulate(const Datapath& datapath, const LayerProblem& problem, const SimulateOptions& options) {
  return LayerRun(datapath, problem, options).run();
}

}  // namespace accsim::sim
