// How many multiply-accumulates a second the interpreter does on one core, for built-in datapaths.
#include <benchmark/benchmark.h>

#include <cmath>
#include <random>

#include "sim/datapath_toml.h"
#include "sim/executor.h"

namespace {

using namespace accsim::sim;

void interpreter(benchmark::State& state, const std::string& name, bool integers) {
  constexpr std::int64_t rows = 8;
  constexpr std::int64_t k = 576;
  std::mt19937 generator(1);
  std::normal_distribution<double> normal(0, 1);
  const auto draw = [&] {
    return integers ? std::round(40 * normal(generator)) : static_cast<double>(static_cast<float>(normal(generator)));
  };
  std::vector<double> a(rows * k);
  std::vector<double> b(rows * k);
  for (double& x : a) x = draw();
  for (double& x : b) x = draw() * (integers ? 1 : 0.0625);
  std::vector<std::int64_t> output_index(rows * rows);
  for (std::size_t i = 0; i < output_index.size(); ++i) output_index[i] = static_cast<std::int64_t>(i);
  const Datapath datapath = find_datapath(name);
  Tile tile;
  tile.rows = tile.columns = rows;
  tile.k = k;
  tile.a = a;
  tile.b = b;
  tile.output_index = output_index;
  for (auto _ : state) {
    TileResult result;
    executors()[0]->run(datapath, tile, result);
    benchmark::DoNotOptimize(result.outputs.data());
  }
  state.counters["MAC/s"] = benchmark::Counter(static_cast<double>(rows * rows * k), benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

BENCHMARK_CAPTURE(interpreter, fp12, "fp12", false);
BENCHMARK_CAPTURE(interpreter, fp16, "fp16", false);
BENCHMARK_CAPTURE(interpreter, fp32, "fp32", false);
BENCHMARK_CAPTURE(interpreter, sr_fp12, "sr_fp12", false);
BENCHMARK_CAPTURE(interpreter, int16_saturate, "int16_saturate", true);
BENCHMARK_MAIN();
