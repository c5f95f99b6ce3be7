#include "cli/accumulator_search.h"

#include <algorithm>
#include <cmath>

#include "formats/error.h"
#include "sim/datapath_toml.h"
#include "sim/exact_sum.h"
#include "sim/precision_rules.h"
#include "sim/sampled_lowering.h"
#include "sim/simulate.h"

namespace accsim::cli {
namespace {

constexpr int most_fraction_bits = 23, most_exponent_bits = 8, least_exponent_bits = 2;

/// Fraction bits of an exact product of the two operands; 0 bits for what has none.
int product_fraction_bits(const sim::Datapath& datapath) {
  const auto of = [](const sim::Operand& operand) {
    constexpr int of_binary32 = 23;
    if (operand.block) return operand.block->element.as_float() != nullptr ? operand.block->element.as_float()->fraction_bits : 6;
    if (!operand.format) return of_binary32;
    if (operand.format->as_float() != nullptr) return operand.format->as_float()->fraction_bits;
    return operand.format->as_fixed() != nullptr ? operand.format->as_fixed()->width - 2 : of_binary32;
  };
  return std::max(1, of(datapath.a) + of(datapath.b) + 1);
}

/// One pass of a layer, its operands quantized once, its outputs sampled.
class PassSearch {
 public:
  PassSearch(const traces::LayerPass& pass, const Job& job, const AccumulatorOptions& options)
      : options_(options), pass_(pass), sample_(*pass.lowering, options.outputs) {
    problem_ = {.a = &pass_.a, .b = &pass_.b, .lowering = &sample_, .layer = job.layer->rank, .pass = job.pass};
    const sim::Datapath wide = datapath(most_exponent_bits, most_fraction_bits, 1);
    const auto position = [&](std::uint32_t site) {
      return formats::RandomPosition{.output = 0, .layer = job.layer->rank, .pass = static_cast<std::uint32_t>(job.pass), .site = site};
    };
    if (!wide.a.block) quantized_a_ = sim::quantize_operand(pass_.a, wide.a, options.seed, position(14));
    if (!wide.b.block) quantized_b_ = sim::quantize_operand(pass_.b, wide.b, options.seed, position(15));
    if (quantized_a_.changed) problem_.quantized_a = &quantized_a_;
    if (quantized_b_.changed) problem_.quantized_b = &quantized_b_;
    product_bits_ = product_fraction_bits(wide);
    simulate_.threads = options.threads;
    simulate_.seed = options.seed;
  }

  AccumulatorRow operator()(const Job& job) {
    AccumulatorRow row;
    row.name = job.layer->name;
    row.pass = std::string(name_of(job.pass));
    row.k = sample_.k;
    row.outputs = pass_.lowering->m * pass_.lowering->n * pass_.lowering->batch;
    row.sampled = sample_.m * sample_.n * sample_.batch;
    const sim::LayerResult widest = run(datapath(most_exponent_bits, most_fraction_bits, 1));
    row.max_abs_partial = widest.real(sim::StatisticGroup::range, "max_abs_partial").value_or(0);
    if (options_.floor_db) {
      row.target_db = options_.floor_db;
    } else {
      const auto exact_db = widest.real(sim::StatisticGroup::quantization, "sqnr_db");
      if (exact_db && std::isinf(*exact_db))
        throw InputError("layer \"" + row.name + "\", pass " + row.pass,
                         "operands that lose nothing as " + options_.in_a + " and " + options_.in_b + ": an exact sum has an infinite SNDR",
                         "--floor DB, or --in with a narrower format");
      if (exact_db) row.target_db = *exact_db - options_.within_db;
    }
    if (!row.target_db) return row;  // nothing but zeros, or not finite
    target_db_ = *row.target_db;
    for (const std::int64_t chunk : options_.chunks) {
      if (chunk == 1 || chunk < sample_.k) row.widths.push_back(search(chunk));
    }
    return row;
  }

 private:
  [[nodiscard]] sim::Datapath datapath(int exponent_bits, int fraction_bits, std::int64_t chunk) const {
    sim::DatapathOverrides overrides;
    overrides.in_a = options_.in_a;
    overrides.in_b = options_.in_b;
    overrides.rounding = options_.rounding;
    if (chunk > 1) overrides.chunk = chunk;
    return sim::find_datapath("e" + std::to_string(exponent_bits) + "m" + std::to_string(fraction_bits) + ":specials=ieee", overrides);
  }
  [[nodiscard]] sim::LayerResult run(const sim::Datapath& datapath, bool keep = false) const {
    sim::SimulateOptions options = simulate_;
    options.keep_output = options.keep_reference = keep;
    return sim::simulate(datapath, problem_, options);
  }

  struct Trial {
    std::optional<double> db;
    bool passes = false;
  };
  /// It passes if the SNDR is kept and no output is infinite or NaN that a wide accumulator would not have.
  [[nodiscard]] Trial trial(int exponent_bits, int fraction_bits, std::int64_t chunk) const {
    const sim::LayerResult result = run(datapath(exponent_bits, fraction_bits, chunk));
    Trial t{.db = result.real(options_.floor_db ? sim::StatisticGroup::error : sim::StatisticGroup::total, "sndr_db")};
    t.passes = t.db && *t.db >= target_db_ && result.events[sim::Event::sum_overflow] == 0;
    return t;
  }

  /// Fraction bits by bisection with all exponent bits: below the answer one trial failed, at the answer one passed. Then exponent bits up
  /// from the least.
  [[nodiscard]] AccumulatorWidth search(std::int64_t chunk) const {
    AccumulatorWidth width;
    width.chunk = chunk;
    width.closed_form_fraction_bits =
        sim::retained_fraction_bits(product_bits_, static_cast<double>(sample_.k), static_cast<double>(chunk));
    int fails = 0, passes = most_fraction_bits;
    Trial best = trial(most_exponent_bits, passes, chunk);
    if (!best.passes) {
      width.less_fraction_db = best.db;
      return width;
    }
    while (passes - fails > 1) {
      const int middle = (fails + passes) / 2;
      const Trial t = trial(most_exponent_bits, middle, chunk);
      if (t.passes) {
        passes = middle;
        best = t;
      } else {
        fails = middle;
        width.less_fraction_db = t.db;
      }
    }
    width.fraction_bits = passes;
    width.sndr_db = best.db;
    for (int e = least_exponent_bits; e <= most_exponent_bits; ++e) {
      const Trial t = e == most_exponent_bits ? best : trial(e, passes, chunk);
      if (t.passes) {
        width.exponent_bits = e;
        width.sndr_db = t.db;
        break;
      }
      width.less_exponent_db = t.db;
    }
    width.variance_retention = retention(run(datapath(*width.exponent_bits, passes, chunk), true));
    return width;
  }

  static std::optional<double> retention(const sim::LayerResult& result) {
    sim::Moments y, reference;
    for (std::size_t i = 0; i < result.output.size(); ++i) {
      if (!std::isfinite(result.output[i]) || !std::isfinite(result.reference[i])) continue;
      y.add(result.output[i]);
      reference.add(result.reference[i]);
    }
    if (y.count == 0) return std::nullopt;
    const double of_reference = to_double(reference.variance());
    if (of_reference == 0) return std::nullopt;
    return to_double(y.variance()) / of_reference;
  }

  const AccumulatorOptions& options_;
  const traces::LayerPass& pass_;
  sim::SampledLowering sample_;
  sim::QuantizedOperand quantized_a_, quantized_b_;
  sim::LayerProblem problem_;
  sim::SimulateOptions simulate_;
  int product_bits_ = 5;
  double target_db_ = 0;
};

}  // namespace

std::vector<AccumulatorRow> search_accumulators(const traces::TraceFile& trace, const std::vector<Job>& jobs,
                                                const AccumulatorOptions& options) {
  formats::RoundingSpec rounding;
  formats::parse_rounding(options.rounding, rounding);
  if (rounding.stochastic.lfsr && rounding.stochastic.lfsr->share == formats::LfsrShare::array)
    throw InputError("--rounding", "share=array, whose random bits depend on every output before",
                     "share=pe or rng=philox: a sample of the outputs is computed");
  for (const Job& job : jobs) trace.check(*job.layer, job.pass);
  std::vector<AccumulatorRow> rows;
  for (const Job& job : jobs) {
    const traces::LayerPass pass = trace.load(*job.layer, job.pass);
    rows.push_back(PassSearch(pass, job, options)(job));
  }
  return rows;
}

}  // namespace accsim::cli
