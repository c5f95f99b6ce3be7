// Steps (clocks times units) a second of online inner products: 9 terms of 8 bits, radix 2, serial-parallel multipliers and the tree.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>
#include <vector>

#include "sim/kernels/sliced_online.h"
#include "sim/online/inner_product.h"

using namespace accsim::sim;

namespace {

constexpr online::Unit nine_terms{.radix = 2, .multiplier = OnlineMultiplier::serial_parallel, .terms = 9, .a_digits = 8, .b_digits = 8};

void sliced(benchmark::State& state, kernels::Isa isa) {
  if (!kernels::host_has(isa)) return state.SkipWithError("this machine lacks the instructions");
  kernels::SlicedInnerProduct units(nine_terms, isa);
  std::mt19937_64 random(1);
  for (std::int64_t t = 0; t < nine_terms.terms; ++t) {
    for (int b = 0; b <= nine_terms.b_digits; ++b) std::generate_n(units.parallel(t, b), units.words(), random);
    std::generate_n(units.x(t, false), units.words(), random);
    std::generate_n(units.x(t, true), units.words(), random);
  }
  const int interval = nine_terms.interval(nine_terms.result_digits());
  for (auto _ : state) {
    units.start();
    for (int cycle = 0; cycle < interval; ++cycle) units.step();
    benchmark::DoNotOptimize(units.plus()[0]);
    benchmark::ClobberMemory();
  }
  state.counters["steps/s"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * interval * units.units(), benchmark::Counter::kIsRate);
}

void plain(benchmark::State& state) {
  online::InnerProduct unit(nine_terms);
  unit.reset();
  std::mt19937 random(1);
  std::vector<online::Int128> y;
  std::vector<int> x;
  for (std::int64_t t = 0; t < nine_terms.terms; ++t) {
    y.push_back(static_cast<int>(random() % 256) - 128);
    x.push_back(static_cast<int>(random() % 3) - 1);
  }
  const int interval = nine_terms.interval(nine_terms.result_digits());
  for (auto _ : state) {
    unit.start(y);
    int digits = 0;
    for (int cycle = 0; cycle < interval; ++cycle) digits += unit.step(x, x);
    benchmark::DoNotOptimize(digits);
  }
  state.counters["steps/s"] = benchmark::Counter(static_cast<double>(state.iterations()) * interval, benchmark::Counter::kIsRate);
}

BENCHMARK_CAPTURE(sliced, avx512, kernels::Isa::avx512);
BENCHMARK_CAPTURE(sliced, avx2, kernels::Isa::avx2);
BENCHMARK_CAPTURE(sliced, baseline, kernels::Isa::baseline);
BENCHMARK(plain);

}  // namespace

BENCHMARK_MAIN();
