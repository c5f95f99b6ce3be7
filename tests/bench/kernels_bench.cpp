// Executors against OpenBLAS: each benchmark alternates a kernel and sgemm (one thread, same shape) and reports medians of CPU time and
// their ratio, sgemm's rate over the kernel's.
#include <benchmark/benchmark.h>
#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <random>

#include "agreement.h"
#include "sim/datapath_toml.h"

extern "C" void openblas_set_num_threads(int);

namespace {

using namespace accsim::sim;

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

double median(std::vector<double> x) {
  std::nth_element(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2), x.end());
  return x[x.size() / 2];
}

/// Standard normal numbers in the operand's format; integers fill the format's range as quantization by the largest value does.
std::vector<double> operand(const Operand& o, std::int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal(0, 1);
  const bool is_fixed = o.format && o.format->as_fixed() != nullptr;
  const double scale = is_fixed ? to_double(limits(*o.format).max_finite) / 4.5 : 1.0;
  std::vector<double> values(static_cast<std::size_t>(count));
  for (double& x : values) {
    x = scale * normal(generator);
    if (!o.format) x = static_cast<double>(static_cast<float>(x));
    else x = to_double(round(accsim::formats::from_double<accsim::formats::UInt128>(x), *o.format, o.rounding).value);
  }
  return values;
}

/// Quantizes each row of k values in blocks.
void quantize_blocks(const Operand& o, std::int64_t k, std::vector<double>& values, accsim::agreement::BlockParts& parts) {
  if (!o.block) return;
  const accsim::formats::BlockQuantizer quantizer(o.block_format(), accsim::formats::largest_magnitude(values));
  const auto terms = static_cast<std::size_t>(k);
  const auto size = static_cast<std::size_t>(o.block->block);
  for (std::size_t row = 0; row < values.size(); row += terms) {
    for (std::size_t t = 0; t < terms; t += size) {
      const std::span<double> here = std::span(values).subspan(row + t, std::min(size, terms - t));
      const accsim::formats::Block block = quantizer(here);
      parts.scales.push_back(to_double(block.scale));
      for (std::size_t i = 0; i < here.size(); ++i) {
        parts.elements.push_back(to_double(block.elements[i]));
        here[i] = parts.elements.back() * parts.scales.back();
      }
    }
  }
}

void kernel(benchmark::State& state, const Datapath& datapath, const Executor* executor, std::int64_t m, std::int64_t n, std::int64_t k) {
  const auto emin = [](const Operand& o) {
    const accsim::formats::Format* const format = o.block ? &o.block->element : o.format ? &*o.format : nullptr;
    return format == nullptr ? -126 : format->as_float() != nullptr ? limits(*format).emin : -(1 << 24);
  };
  accsim::agreement::Case c;
  c.datapath = datapath;
  c.rows = m;
  c.columns = n;
  c.k = k;
  c.a = operand(datapath.a, m * k, 1);
  c.b = operand(datapath.b, n * k, 2);
  quantize_blocks(datapath.a, k, c.a, c.a_blocks);
  quantize_blocks(datapath.b, k, c.b, c.b_blocks);
  c.a_emin = emin(datapath.a);
  c.b_emin = emin(datapath.b);
  const Tile tile = c.tile();
  if (const std::string reason = executor->refusal(datapath, c.facts()); !reason.empty()) {
    state.SkipWithError(reason.c_str());
    return;
  }
  const std::vector<float> x(c.a.begin(), c.a.end());
  const std::vector<float> y(c.b.begin(), c.b.end());
  std::vector<float> z(static_cast<std::size_t>(m * n));
  std::vector<double> sgemm, simulated;
  for (auto _ : state) {
    double start = cpu_seconds();
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), 1.0F, x.data(),
                static_cast<int>(k), y.data(), static_cast<int>(k), 0.0F, z.data(), static_cast<int>(n));
    sgemm.push_back(cpu_seconds() - start);
    start = cpu_seconds();
    TileResult result;
    executor->run(datapath, tile, result);
    simulated.push_back(cpu_seconds() - start);
    state.SetIterationTime(simulated.back());
  }
  const auto macs = static_cast<double>(m * n * k);
  state.counters["GMAC/s"] = macs / median(simulated) * 1e-9;
  state.counters["sgemm"] = macs / median(sgemm) * 1e-9;
  state.counters["ratio"] = median(simulated) / median(sgemm);
}

void add(const std::string& label, const std::string& acc, const DatapathOverrides& overrides = {}) {
  const Datapath datapath = find_datapath(acc, overrides);
  for (const Executor* executor : executors()) {
    if (executor == executors().front()) continue;
    const LayerFacts any{.a = {8, 0, 7, false}, .b = {8, 0, 7, false}, .k = 1024, .a_emin = -14, .b_emin = -14};
    if (!executor->refusal(datapath, any).empty()) continue;
    benchmark::RegisterBenchmark((label + "/" + std::string(executor->name())).c_str(),
                                 [datapath, executor](benchmark::State& state) { kernel(state, datapath, executor, 256, 256, 1024); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }
}

}  // namespace

int main(int argc, char** argv) {
  openblas_set_num_threads(1);
  const auto width = [](int w, const char* overflow) {
    DatapathOverrides o;
    o.set = {"reduction.0.format=int" + std::to_string(w), std::string("reduction.0.overflow=") + overflow};
    return o;
  };
  add("int8_18bit_saturate", "int16_saturate", width(18, "saturate"));
  add("int8_18bit_wrap", "int16_wrap", width(18, "wrap"));
  add("int8_int32", "int32");
  add("axe", "axe");
  for (const char* name : {"ampere_fp16_fp32", "hopper_fp16_fp32", "hopper_fp8_fp32", "ampere_fp16_fp16", "ampere_bf16_fp32", "deepseek_v3",
                           "blackwell_mxfp8", "blackwell_mxfp6", "blackwell_mxfp4", "blackwell_mxfp4_k32", "blackwell_nvfp4",
                           "hopper_fp16_fp16_2025", "exsdotp_fp8_fp16", "exsdotp_fp16_fp32", "exsdotp_bf16_fp32", "kulisch", "mgs", "pqs"})
    add(name, name);
  for (const char* name : {"cdna3_fp16_fp32", "cdna3_bf16_fp32", "cdna3_fp8_fp32", "cdna3_xf32_fp32", "cdna3_fp16_fp32_2025",
                           "cdna3_bf16_fp32_2025", "cdna3_fp8_fp32_2025", "cdna3_xf32_fp32_2025"})
    add(name, name);
  for (const char* name : {"fp12", "e5m10", "sr_fp12", "sr_fp12_eager", "fp32", "cdna2_fp16_fp32", "cdna_fp64"}) add(name, name);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
