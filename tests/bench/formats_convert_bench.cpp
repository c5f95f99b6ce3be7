// Elements per second of the tensor conversions, one thread, 16 million elements.
#include <benchmark/benchmark.h>

#include <random>

#include "formats/convert.h"

namespace {

using namespace accsim::formats;

constexpr std::size_t elements = 1U << 24;

const std::vector<float>& tensor() {
  static const std::vector<float> values = [] {
    std::vector<float> all(elements);
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0, 1);
    for (float& x : all) x = normal(random);
    return all;
  }();
  return values;
}

void count(benchmark::State& state) {
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * elements));
  state.SetLabel(conversion_instructions());
}

void quantize(benchmark::State& state, const char* format_name, int random_bits) {
  const Format format = parse_format(format_name);
  const RoundingSpec spec{.mode = random_bits > 0 ? Rounding::sr : Rounding::rne, .stochastic = {.bits = random_bits}};
  const TensorQuantizer quantizer(format, spec);
  std::vector<std::uint16_t> codes(elements);
  quantizer(tensor(), codes, 7, {.site = 14});  // makes the tensor, touches the pages
  for (auto _ : state) {
    quantizer(tensor(), codes, 7, {.site = 14});
    benchmark::DoNotOptimize(codes.data());
  }
  count(state);
}

void decode_codes(benchmark::State& state, const char* format_name) {
  const Format format = parse_format(format_name);
  const TensorQuantizer quantizer(format, {});
  std::vector<std::uint16_t> codes(elements);
  std::vector<float> values(elements);
  quantizer(tensor(), codes);
  const std::vector<float> table = decoding_table(format);
  for (auto _ : state) {
    decode(codes, table, values);
    benchmark::DoNotOptimize(values.data());
  }
  count(state);
}

}  // namespace

BENCHMARK_CAPTURE(quantize, e4m3_rne, "e4m3", 0)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(quantize, e5m2_rne, "e5m2", 0)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(quantize, fp16_rne, "fp16", 0)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(quantize, bf16_rne, "bf16", 0)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(quantize, lba_fp12_rne, "lba_fp12", 0)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(quantize, binary16p3se_rne, "binary16p3se", 0)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(quantize, e4m3_sr8, "e4m3", 8)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(quantize, bf16_sr16, "bf16", 16)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(decode_codes, e4m3, "e4m3")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(decode_codes, bf16, "bf16")->Unit(benchmark::kMillisecond);

BENCHMARK_MAIN();
