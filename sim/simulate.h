// Simulating one pass of one layer: tiles to an executor, exact reference beside it, statistics from both.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "sim/executor.h"
#include "sim/lowering.h"
#include "sim/quantize.h"
#include "sim/tensor.h"

namespace accsim::sim {

struct LayerResult;

/// One pass of one layer, lowered.
struct LayerProblem {
  const Tensor* a = nullptr;
  const Tensor* b = nullptr;
  const Tensor* bias = nullptr;  ///< starts the accumulator; null: none
  /// What the datapath sees of a and b where a recipe has quantized them; null: as the datapath's operands say.
  const QuantizedOperand* quantized_a = nullptr;
  const QuantizedOperand* quantized_b = nullptr;
  const Lowering* lowering = nullptr;
  std::uint32_t layer = 0;  ///< rank in the whole file
  Pass pass = Pass::fprop;
  /// A result of this problem with a datapath that makes the same exact sums in the same order: its widths hold. Null: they are found.
  const LayerResult* same_sums = nullptr;
};

struct SimulateOptions {
  int threads = 1;
  const Executor* executor = nullptr;  ///< null: the preferred one that does not refuse
  std::uint64_t seed = 0;
  bool keep_output = false, keep_reference = false;
  std::function<void(std::int64_t macs)> progress;  ///< called from one thread at a time with the MACs done since the last call
};

struct LayerResult {
  std::vector<StatisticValue> statistics;  ///< one for each of statistic_rows()
  bool has_bits = false;                   ///< the bits group applies
  bool has_cycles = false;                 ///< the cycles group applies
  EventCounts events;
  std::int64_t outputs = 0, macs = 0;
  std::string_view executor;
  std::string refusals;                                ///< why the executors preferred to it did not run, "NAME: REASON; ..."
  double simulate_seconds = 0, reference_seconds = 0;  ///< added over the threads, divided by their number
  std::vector<double> output, reference;               ///< real units, natural shape, where kept
  std::vector<std::uint64_t> output_code;
  int code_words = 1;  ///< 64-bit words a code; 0 where the result has no codes (underflow none)

  [[nodiscard]] const StatisticValue& statistic(StatisticGroup group, std::string_view name) const {
    return statistics[statistic_index(group, name)];
  }
  /// A statistic in real numbers; unset where it is undefined.
  [[nodiscard]] std::optional<double> real(StatisticGroup group, std::string_view name) const {
    const double* x = std::get_if<double>(&statistic(group, name));
    return x != nullptr ? std::optional(*x) : std::nullopt;
  }
};

/// The same result, to the last bit, for every number of threads and every executor.
LayerResult simulate(const Datapath& datapath, const LayerProblem& problem, const SimulateOptions& options);

}  // namespace accsim::sim
