// The float kernels as executors: sequential, tree and interleaved levels of binary floats on lanes of binary32 or binary64.
#include "sim/kernels/kernel_float.h"

#include "sim/kernels/kernel_float_proof.h"
#include "sim/kernels/kernel_float_run.h"

namespace accsim::sim::kernels {
namespace {

class FloatKernel final : public Executor {
 public:
  FloatKernel(Isa isa, std::string_view name, std::string_view meaning, const FloatLanes& lanes32, const FloatLanes& lanes64)
      : name_(name),
        meaning_(meaning),
        set_{lanes32, lanes64, {.fma = isa != Isa::baseline, .flush = isa != Isa::baseline, .native = isa != Isa::baseline}} {}

  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] std::string_view meaning() const override { return meaning_; }
  [[nodiscard]] std::string refusal(const Datapath& datapath, const LayerFacts& facts) const override {
    if (prove_float(datapath, facts, binary32_lanes, set_.means).refusal.empty()) return {};
    return prove_float(datapath, facts, binary64_lanes, set_.means).refusal;
  }
  void run(const Datapath& datapath, const Tile& tile, TileResult& result) const override { run_float_tile(set_, datapath, tile, result); }

 private:
  std::string_view name_, meaning_;
  FloatLaneSet set_;
};

}  // namespace

const Executor& float_kernel(Isa isa) {
  static const FloatKernel baseline(Isa::baseline, "float_baseline", "floats in sequence, trees and interleaved; any machine",
                                    float_baseline_32, float_baseline_64);
#if defined(__x86_64__)
  static const FloatKernel avx2(Isa::avx2, "float_avx2", "the same on AVX2 and FMA (x86-64-v3)", float_avx2_32, float_avx2_64);
  static const FloatKernel avx512(Isa::avx512, "float_avx512", "the same on AVX-512 (x86-64-v4)", float_avx512_32, float_avx512_64);
  switch (isa) {
    case Isa::baseline: return baseline;
    case Isa::avx2: return avx2;
    case Isa::avx512: return avx512;
  }
#else
  (void)isa;
#endif
  return baseline;
}

}  // namespace accsim::sim::kernels
