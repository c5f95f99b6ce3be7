// Executors of matrix units: an innermost level that sums aligned, cut products and its accumulator; what stands above it is the
// interpreter's own code on the sums that are handed up.
//
// The proof.
// - Operands are significand * 2^(e - f), |significand| < 2^(f + 1), e the exponent that aligns them. Shifted left together by
//   F - fa - fb (or, where that is negative, the distance of each product grows by as much: `base`), a product is an integer below 2^30 of
//   the unit 2^(ea + eb - F - base): two 16-bit factors. With E the largest exponent, the cut drops its last E + base - ea - eb
//   bits: a shift of the magnitude (rz) or of the number (rd), by 31 where it is more, which leaves the same.
// - `flush` cut products fit 32 bits; their sums are added in binary64, where integers below 2^53 are exact. The accumulator times
//   2^(F - E) is exact in binary64 (a power of two, and no exponent near the ends), and its cut is a conversion to an integer below 2^30.
// - The total times 2^(E - F) is thus exact in binary64, and rounding its bits to the format's precision is rz (a mask) or rne (half a unit
//   less one, plus the last kept bit, then the mask). That holds between the smallest normal and the largest finite value, and for zero;
//   other lanes (subnormal or overflowing sums, accumulators or operands that are not finite, an accumulator of -0) are done by the
//   interpreter's level, one issue at a time.
// - Inexact: the delivered value is a multiple of 2^(E - F), so it differs from the uncut sum wherever the parts cut off do not add up to
//   such a multiple. Their sum modulo 2^(E - F) is kept in units of 2^-32 of it, exact while no nonzero product or accumulator lies more
//   than 31 (30) bits lower. Where it is nonzero the result is inexact; where nothing was cut, inexact is that of the rounding; what is
//   left, cuts that cancel and far addends, is the interpreter's.
// - A zero addend counts with zero_exponent. Where that is not above any exponent that a nonzero addend can have, it changes nothing.
//   Zero operands, and a zero accumulator, have zero_operand_exponent where it is given.
// - In a block format e is the element's exponent and its scale's, so |significand| < 2^(f + 2) where the scale is no power of two: the
//   factors then have one bit less for the fraction. A NaN scale makes operands that are not finite.
// - scaled_sum: elements are whole numbers of one unit, so a group's sum is one below 2^31; times both scales' significands it is exact in
//   binary64, and so it is times 2^(F - E), E the largest exponent of scales and accumulator, below 2^51, where adding 2^52 and
//   taking it away cuts it. What that takes off is held where it is a multiple of 2^-48; so many add up exactly. The rest is as above.
// - staged_sum: staged_sum_plan.cpp.
#include <algorithm>

#include "sim/kernels/executors.h"
#include "sim/kernels/fused_sum_operand.h"
#include "sim/kernels/fused_sum_run.h"
#include "sim/kernels/packed_integers.h"
#include "sim/kernels/scaled_sum_groups.h"
#include "sim/kernels/staged_sum_plan.h"

namespace accsim::sim::kernels {
namespace {

using formats::Rounding;

std::string unknown_to_fused_sums(const Datapath& d) {
  const Level& level = d.levels.front();
  const bool is_staged = level.kind == LevelKind::staged_sum;
  Datapath known = d;
  Level& known_level = known.levels.front();
  known_level.group = 0;
  for (Level& l : known.levels) l.zero_operand_exponent.reset();
  if (is_staged) known.product.range.reset();
  if (const std::string_view key = matrix_unit_key(known); !key.empty()) return "the key " + std::string(key);
  if (has_unknown_keys(known.product) || has_unknown_keys(known_level)) return "a key that this kernel does not know";
  if ((level.kind != LevelKind::fused_sum && level.kind != LevelKind::scaled_sum && !is_staged) || !takes_accumulator(level) ||
      !level.terms)
    return "fused_sum, scaled_sum and staged_sum with an accumulator only";
  if (level.normalize_products) return "no normalised products";
  if (d.product.format) return "no rounded products";
  if (level.rounding.mode != Rounding::rz && level.rounding.mode != Rounding::rne) return "sums rounded by rz or rne only";
  if (level.format.as_float() == nullptr || level.rounded_format().as_float() == nullptr) return "sums in floats only";
  const formats::Limits held = formats::limits(level.format);
  const formats::Limits rounded = formats::limits(level.rounded_format());
  if (held.precision > 53 || rounded.precision < 2 || !rounded.is_signed) return "sums of 2 to 53 bits only";
  if (held.emin < -exponent_limit || log2_floor(held.max_finite) > exponent_limit) return "sums with exponents beyond +/-400";
  if (level.kind == LevelKind::fused_sum && level.fraction_bits > 29) return "at most 29 fraction bits";
  if (level.group > 32 || (level.group > 0 && *level.terms / level.group > most_groups)) return "at most 16 groups of 32 terms";
  if (level.zero_exponent && std::abs(*level.zero_exponent) > exponent_limit) return "a zero_exponent beyond +/-400";
  if (level.zero_operand_exponent && level.kind == LevelKind::scaled_sum) return "a zero_operand_exponent in fused_sum and staged_sum only";
  if (level.zero_operand_exponent && std::abs(*level.zero_operand_exponent) > operand_exponent_limit)
    return "a zero_operand_exponent beyond +/-200";
  if (is_staged) {
    if (const std::string reason = unknown_to_staged_sums(d); !reason.empty()) return reason;
  }
  for (const Level& l : d.levels) {
    if (l.rounding.mode == Rounding::sr) return "no stochastic rounding";
  }
  return unknown_to_finish(d);
}

class FusedExecutor final : public Executor {
 public:
  explicit FusedExecutor(Isa isa) : isa_(isa), name_("fused_sum_" + std::string(name_of(isa))) {}
  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] std::string_view meaning() const override {
    return "matrix units: fused, scaled and staged sums of aligned, cut products in lanes of outputs";
  }

  [[nodiscard]] std::string refusal(const Datapath& datapath, const LayerFacts& facts) const override {
    std::string reason = unknown_to_fused_sums(datapath);
    if (!reason.empty()) return reason;
    if (datapath.levels.front().kind == LevelKind::scaled_sum)
      return too_wide_for_groups(datapath.levels.front(), group_bits(datapath.a, facts.a), group_bits(datapath.b, facts.b));
    const auto in_range = [](const OperandFacts& x, int emin) {
      return x.precision == 0 ||
             (x.highest <= operand_exponent_limit && x.lowest >= -operand_exponent_limit && emin <= operand_exponent_limit);
    };
    if (!in_range(facts.a, facts.a_emin) || !in_range(facts.b, facts.b_emin)) return "operands with exponents beyond +/-200";
    const Level& level = datapath.levels.front();
    const SignificandBits a = significand_bits(datapath.a, facts.a, facts.a_emin);
    const SignificandBits b = significand_bits(datapath.b, facts.b, facts.b_emin);
    const std::optional<Shifts> shifts = shifts_for(level.fraction_bits, a, b);
    if (!shifts) return "operands of too many bits for 16-bit factors";
    if (level.kind == LevelKind::staged_sum)
      return too_wide_for_stages(level, std::clamp(facts.k, std::int64_t{1}, *level.terms), *shifts, a, b);
    return {};
  }

  void run(const Datapath& datapath, const Tile& tile, TileResult& result) const override {
    result = {};
    if (!tile.watch_tiny &&
        run_fused_sum(lanes_for(isa_, fused_lanes_baseline, fused_lanes_avx2, fused_lanes_avx512), datapath, tile, result))
      return;
    run_interpreter(datapath, tile, result);
  }

 private:
  Isa isa_;
  std::string name_;
};

}  // namespace

const Executor& fused_sum_kernel(Isa isa) { return made_for<FusedExecutor>(isa); }

}  // namespace accsim::sim::kernels
