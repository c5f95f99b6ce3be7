// Steps (clocks times units) a second of online inner products: 9 terms of 8 bits, serial-parallel multipliers and the tree.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>
#include <vector>

#include "sim/kernels/sliced_online.h"
#include "sim/online/inner_product.h"

using namespace accsim::sim;

namespace {

online::Unit nine_terms(int radix) {
  const int digits = 8 / online::bits_per_digit(radix);
  return {.radix = radix, .multiplier = OnlineMultiplier::serial_parallel, .terms = 9, .a_digits = digits, .b_digits = digits};
}

void sliced(benchmark::State& state, kernels::Isa isa, int radix) {
  const online::Unit shape = nine_terms(radix);
  if (!kernels::host_has(isa)) return state.SkipWithError("this machine lacks the instructions");
  kernels::SlicedInnerProduct units(shape, isa);
  std::mt19937_64 random(1);
  for (std::int64_t t = 0; t < shape.terms; ++t) {
    for (int b = 0; b <= 8; ++b) std::generate_n(units.parallel(t, b), units.words(), random);
    for (int wire = 0; wire < 2; ++wire) std::generate_n(units.x(t, wire), units.words(), random);  // radix 4: 0..3
  }
  const int interval = shape.interval(shape.result_digits());
  for (auto _ : state) {
    units.start();
    for (int cycle = 0; cycle < interval; ++cycle) units.step();
    benchmark::DoNotOptimize(units.out(0)[0]);
    benchmark::ClobberMemory();
  }
  state.counters["steps/s"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * interval * units.units(), benchmark::Counter::kIsRate);
}

void plain(benchmark::State& state) {
  const online::Unit shape = nine_terms(2);
  online::InnerProduct unit(shape);
  unit.reset();
  std::mt19937 random(1);
  std::vector<online::Int128> y;
  std::vector<int> x;
  for (std::int64_t t = 0; t < shape.terms; ++t) {
    y.push_back(static_cast<int>(random() % 256) - 128);
    x.push_back(static_cast<int>(random() % 3) - 1);
  }
  const int interval = shape.interval(shape.result_digits());
  for (auto _ : state) {
    unit.start(y);
    int digits = 0;
    for (int cycle = 0; cycle < interval; ++cycle) digits += unit.step(x, x);
    benchmark::DoNotOptimize(digits);
  }
  state.counters["steps/s"] = benchmark::Counter(static_cast<double>(state.iterations()) * interval, benchmark::Counter::kIsRate);
}

BENCHMARK_CAPTURE(sliced, avx512, kernels::Isa::avx512, 2);
BENCHMARK_CAPTURE(sliced, avx2, kernels::Isa::avx2, 2);
BENCHMARK_CAPTURE(sliced, baseline, kernels::Isa::baseline, 2);
BENCHMARK_CAPTURE(sliced, radix4_avx512, kernels::Isa::avx512, 4);
BENCHMARK(plain);

}  // namespace

BENCHMARK_MAIN();
