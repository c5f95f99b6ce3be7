// When lanes of binary32 or binary64 give every bit and count of a float datapath; the proof is in README.md.
#pragma once

#include <string>
#include <vector>

#include "sim/executor.h"
#include "sim/kernels/kernel_float_plan.h"

namespace accsim::sim::kernels {

/// What a lane holds: significands of `precision` bits, exponents from `emin` to `emax`, and below it multiples of 2^lsb.
struct LaneType {
  int precision, emin, emax, lsb;
  bool binary64;
};
constexpr LaneType binary32_lanes = {.precision = 24, .emin = -126, .emax = 127, .lsb = -149, .binary64 = false};
constexpr LaneType binary64_lanes = {.precision = 53, .emin = -1022, .emax = 1023, .lsb = -1074, .binary64 = true};

/// A datapath on lanes of one type, or why it is not proved.
struct FloatProof {
  std::string refusal;  ///< empty: proved
  LaneType lane = binary32_lanes;
  FloatPlan plan;  ///< points into `programs`
  std::vector<std::vector<std::int32_t>> programs;
  int scale_a = 0, scale_b = 0;    ///< operands enter as x * 2^scale
  std::int64_t scratch_slots = 0;  ///< accumulators that the general loop keeps for every register
  /// Sums are values * 2^scale() in the lanes.
  [[nodiscard]] int scale() const { return scale_a + scale_b; }
};

/// What an instruction set offers beside lanes.
struct LaneMeans {
  bool fma = false;  ///< multiplies and adds with one rounding
};

FloatProof prove_float(const Datapath& datapath, const LayerFacts& facts, const LaneType& lane, const LaneMeans& means);

/// The same for FloatFast::native and native_tree, whose general loop does not exist: what it voids is done on other lanes.
FloatProof prove_native_float(const Datapath& datapath, const LayerFacts& facts, const LaneMeans& means);

/// The order in which a one-adder pipeline of latency `ways` meets its partial sums of `count` addends, as FloatLevel::coalesce has it; see
/// LevelRun::coalesce.
std::vector<std::int32_t> coalescing_order(std::int64_t ways, std::int64_t count);

/// Whether the levels are a tree of 2, 4 or 8 products and a sequential level that adds these sums.
bool adds_in_pairs(const Datapath& datapath);

/// Fills what depends on the run and not on the proof: seeds and places of the generators.
void place_generators(FloatPlan& plan, const Datapath& datapath, const Tile& tile);

}  // namespace accsim::sim::kernels
