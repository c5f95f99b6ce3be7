// Unit clocks a second of clocked multiply-accumulate units through the C interface: alone (accsim_clock), and in step
// (accsim_clock_batch).
#include <benchmark/benchmark.h>

#include <random>
#include <string>
#include <vector>

#include "sim/dpi/accsim_dpi.h"

namespace {

constexpr int clocks = 4096;         // of different operands
constexpr int clocks_of_a_sum = 64;  // `first` comes as often

std::vector<std::uint32_t> codes(int count, int bits, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::uint32_t> all(static_cast<std::size_t>(count));
  for (std::uint32_t& code : all) code = static_cast<std::uint32_t>(random()) & static_cast<std::uint32_t>((1ULL << bits) - 1);
  return all;
}

void clocked(benchmark::State& state, const char* datapath, const std::string& options) {
  const auto units = static_cast<int>(state.range(0));
  void* unit = accsim_create(ACCSIM_DPI_VERSION, datapath, (options + " --units " + std::to_string(units)).c_str());
  if (unit == nullptr) return state.SkipWithError(accsim_last_error(nullptr));
  const int different = units == 1 ? clocks : 16;
  const std::vector<std::uint32_t> a = codes(different * units, accsim_bits(unit, "a"), 1);
  const std::vector<std::uint32_t> b = codes(different * units, accsim_bits(unit, "b"), 2);
  std::vector<std::uint32_t> results(static_cast<std::size_t>(units) * 4);
  std::uint64_t sum = 0;
  for (auto _ : state) {
    for (int i = 0; i < clocks; ++i) {
      const int at = i % different;
      const bool first = i % clocks_of_a_sum == 0;
      if (units == 1) {
        std::uint64_t acc = 0;
        accsim_clock(unit, 0, 1, first ? 1 : 0, a[static_cast<std::size_t>(at)], b[static_cast<std::size_t>(at)]);
        accsim_peek(unit, "acc", &acc);
        sum += acc;
      } else {
        accsim_clock_batch(unit, ACCSIM_VALID | (first ? ACCSIM_FIRST : 0), 1, a.data() + at * units, b.data() + at * units, nullptr);
        accsim_batch_results(unit, results.data(), nullptr);
        sum += results[0];
      }
    }
  }
  benchmark::DoNotOptimize(sum);
  state.counters["clocks/s"] = benchmark::Counter(static_cast<double>(state.iterations()) * clocks * units, benchmark::Counter::kIsRate);
  accsim_destroy(unit);
}

BENCHMARK_CAPTURE(clocked, fp12, "fp12", "--in lba_fp12 --set timing.multiplier=2")->Arg(1)->Arg(64)->Arg(256)->Arg(512);
BENCHMARK_CAPTURE(clocked, fp16_fma, "fp16", "--in fp16 --set timing.multiplier=1")->Arg(1)->Arg(256);
BENCHMARK_CAPTURE(clocked, fp32_fma, "fp32", "--in fp32 --set timing.multiplier=1")->Arg(1)->Arg(256);
BENCHMARK_CAPTURE(clocked, int16_saturate, "int16_saturate", "--set timing.multiplier=1")->Arg(1)->Arg(256);

}  // namespace

BENCHMARK_MAIN();
