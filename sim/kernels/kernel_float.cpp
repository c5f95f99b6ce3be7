// The float kernels as executors: sequential, tree and interleaved levels of binary floats on lanes of binary32 or binary64.
#include "sim/kernels/kernel_float.h"

#include "sim/kernels/flushed_tile.h"
#include "sim/kernels/kernel_float_binary64.h"
#include "sim/kernels/kernel_float_proof.h"
#include "sim/kernels/kernel_float_run.h"

namespace accsim::sim::kernels {
namespace {

FloatLaneSet float_lanes_for(Isa isa) {
#if defined(__x86_64__)
  constexpr LaneMeans all = {.fma = true};
  if (isa == Isa::avx2) return {float_avx2_32, float_avx2_64, all};
  if (isa == Isa::avx512) return {float_avx512_32, float_avx512_64, all};
#endif
  (void)isa;
  return {float_baseline_32, float_baseline_64, {}};
}

class FloatKernel final : public Executor {
 public:
  explicit FloatKernel(Isa isa) : name_("float_" + std::string(name_of(isa))), set_(float_lanes_for(isa)) {}

  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] std::string_view meaning() const override { return "floats in sequence, trees and interleaved, in lanes of outputs"; }
  [[nodiscard]] std::string refusal(const Datapath& datapath, const LayerFacts& facts) const override {
    if (flushes(datapath)) return refusal(without_flushing(datapath), facts);
    if (prove_float(datapath, facts, binary32_lanes, set_.means).refusal.empty()) return {};
    const std::string why = prove_float(datapath, facts, binary64_lanes, set_.means).refusal;
    return prove_binary64(datapath, facts, set_.means).refusal.empty() ? std::string() : why;
  }
  void run(const Datapath& datapath, const Tile& tile, TileResult& result) const override { run_float_tile(set_, datapath, tile, result); }

 private:
  std::string name_;
  FloatLaneSet set_;
};

}  // namespace

const Executor& float_kernel(Isa isa) { return made_for<FloatKernel>(isa); }

void scan_values(std::span<const double> values, FloatScan& found) {
  static const FloatLanes& lanes = float_lanes_for(host_has(Isa::avx512) ? Isa::avx512
                                                   : host_has(Isa::avx2) ? Isa::avx2
                                                                         : Isa::baseline)
                                       .lanes64;
  lanes.scan(values.data(), static_cast<std::int64_t>(values.size()), found);
}

}  // namespace accsim::sim::kernels
