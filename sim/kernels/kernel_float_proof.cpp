#include "sim/kernels/kernel_float_proof.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "formats/round.h"
#include "sim/kernels/kernel_float_products.h"
#include "sim/kernels/kernel_float_unit.h"
#include "sim/kernels/packed_integers.h"

namespace accsim::sim::kernels {
namespace {

using formats::Format;
using formats::Limits;
using formats::NarrowExact;
using formats::Rounding;
using formats::RoundingSpec;
using formats::StochasticKind;
using formats::Underflow;

/// Values whose finite ones are multiples of 2^lattice and smaller in magnitude than 2^(top + 1).
struct Range {
  int lattice = 0, top = 0;
  bool infinite = false;  ///< infinities may be among them
};

/// Exponents that the scale may have.
struct Interval {
  int low = -100000, high = 100000;
  void at_least(int x) { low = std::max(low, x); }
  void at_most(int x) { high = std::min(high, x); }
};

int top_of(const NarrowExact& x) { return log2_floor(x); }
bool is_eager(const Level& level) { return level.rounding.mode == Rounding::sr && level.rounding.stochastic.kind == StochasticKind::eager; }

class Prover {
 public:
  Prover(const Datapath& d, const LayerFacts& facts, const LaneType& lane, const LaneMeans& means, bool native)
      : datapath_(d), facts_(facts), lane_(lane), has_fma_(means.fma), native_(native) {}

  FloatProof prove() {
    proof_.lane = lane_;
    if (!shape()) return std::move(proof_);
    Range addends = products();
    for (std::size_t i = 0; i < datapath_.levels.size() && proof_.refusal.empty(); ++i) addends = level(i, addends);
    if (proof_.refusal.empty()) choose_scales();
    if (proof_.refusal.empty()) fill();
    return std::move(proof_);
  }

 private:
  bool refuse(const std::string& why) {
    if (proof_.refusal.empty()) proof_.refusal = why;
    return false;
  }

  /// What does not depend on the operands' values.
  bool shape() {
    if (const std::string_view key = matrix_unit_key(datapath_); !key.empty()) return refuse(std::string(key));
    if (const std::string what = unknown_to_finish(datapath_); !what.empty()) return refuse(what);
    if (facts_.k < 1 || facts_.k > (std::int64_t{1} << 26)) return refuse("k is not in 1..2^26");
    if (datapath_.product.format && !rounding("product", *datapath_.product.format, datapath_.product.rounding)) return false;
    for (std::size_t i = 0; i < datapath_.levels.size(); ++i) {
      const Level& l = datapath_.levels[i];
      const std::string name = "level " + std::to_string(i);
      switch (l.kind) {
        case LevelKind::sequential: break;
        case LevelKind::tree:
          if (l.fan_in != 2) return refuse(name + ": a tree of more than two addends a node");
          break;
        case LevelKind::interleaved:
          if (l.ways > 256) return refuse(name + ": more than 256 ways");
          break;
        case LevelKind::fused_sum:
        case LevelKind::staged_sum:
        case LevelKind::scaled_sum:
        case LevelKind::ordered_sum:
        case LevelKind::exact:
        case LevelKind::exponent_bins:
        case LevelKind::sorted:
        case LevelKind::online: return refuse(name + " is of another kind than sequential, tree and interleaved");
      }
      if (!rounding(name, l.rounded_format(), l.rounding)) return false;
    }
    return true;
  }

  /// The lane has room for the format's significand and what the rounding looks at below it.
  bool rounding(const std::string& name, const Format& format, const RoundingSpec& spec) {
    if (format.as_float() == nullptr) return refuse(name + ": " + format.name + " is no binary float");
    const Limits l = limits(format);
    if (!l.is_signed || !l.has_zero) return refuse(name + ": " + format.name + " has no sign or no zero");
    if (overflow_of(spec, format) == formats::Overflow::nan && !l.has_nan)
      return refuse(name + ": overflow to NaN in " + format.name + ", which has none");
    if (l.precision < 2) return refuse(name + ": " + format.name + " has no fraction bit");
    const int drop = lane_.precision - l.precision;
    if (native_) return (drop == 0 && spec.mode == Rounding::rne) || refuse("no rounding of the lane");
    int needed = 1;
    switch (spec.mode) {
      case Rounding::rz:
      case Rounding::ru:
      case Rounding::rd:
      case Rounding::ro: break;
      case Rounding::rne:
      case Rounding::rna: needed = 2; break;
      case Rounding::sr: {
        const formats::StochasticSpec& s = spec.stochastic;
        needed = s.bits + 1;
        if (overflow_of(spec, format) == formats::Overflow::ones_tail) return refuse(name + ": an overflow that random bits decide");
        if (s.kind == StochasticKind::b || s.kind == StochasticKind::c || s.kind == StochasticKind::eager) needed = s.bits + 2;
        if (s.lfsr && (s.lfsr->width > 32 || s.lfsr->share == formats::LfsrShare::array))
          return refuse(name + ": an LFSR that is shared or wider than 32 bits");
        break;
      }
    }
    if (drop < needed) return refuse(name + ": " + format.name + " leaves the lane too few bits below its last one");
    return true;
  }

  Range products() {
    const OperandFacts& a = facts_.a;
    const OperandFacts& b = facts_.b;
    Range p;
    if (a.precision > 0 && b.precision > 0) p = {.lattice = a.lowest + b.lowest, .top = a.highest + b.highest + 1};
    products_ = p;
    scale_.at_most(lane_.emax - 1 - p.top);
    // The lane has to have products as numbers, not only their sums.
    const bool apart = datapath_.levels.front().kind == LevelKind::tree || is_eager(datapath_.levels.front());
    unrounded_ = !datapath_.product.format || (native_ && has_products(*datapath_.product.format, datapath_.product.rounding, a, b));
    if (!unrounded_) {
      p = rounded(p, *datapath_.product.format, datapath_.product.rounding);
    } else if (apart || !has_fma_) {
      if (a.precision + b.precision > lane_.precision) refuse("exact products have more bits than the lane");
      if (apart) scale_.at_least(lane_.lsb - p.lattice);
    }
    return p;
  }

  /// The range after a rounding of exact values, and what it asks of the scale.
  Range rounded(const Range& in, const Format& format, const RoundingSpec& spec) {
    const Limits l = limits(format);
    const Underflow underflow = underflow_of(spec, format);
    const int max_top = top_of(l.max_finite);
    Range out = {.lattice = in.lattice, .top = std::min(std::max(in.top + 1, l.emin), max_top)};
    const formats::Rounder rounder(format, spec);
    const bool keeps = rounder(NarrowExact::infinity()).value.infinite;
    if (in.infinite && !keeps) out.top = max_top;  // an end of the range
    out.infinite = keeps && (in.infinite || in.top + 1 >= max_top);
    scale_.at_most(lane_.emax - 1 - in.top);
    switch (underflow) {
      case Underflow::gradual:
        if (in.lattice < l.lsb_exponent) {
          const int wanted = lane_.emin - l.emin;
          scale_.at_least(wanted);
          scale_.at_most(wanted);
          out.lattice = l.lsb_exponent;
        } else {
          scale_.at_least(lane_.emin - std::max(l.emin, in.lattice));
        }
        break;
      case Underflow::flush:
        scale_.at_least(lane_.emin - std::max(l.emin - 1, in.lattice));
        out.lattice = std::max(in.lattice, l.lsb_exponent);
        break;
      case Underflow::none: scale_.at_least(lane_.emin - in.lattice); break;
    }
    out.lattice = std::min(out.lattice, max_top - l.precision + 1);
    if (out.lattice < -1074 || max_top > 1023) refuse(format.name + " does not fit binary64");
    return out;
  }

  Range level(std::size_t index, const Range& addends) {
    const Level& l = datapath_.levels[index];
    const Limits limits_of_sum = limits(l.rounded_format());
    Range sums = addends;
    sums.lattice = std::min(sums.lattice, top_of(limits_of_sum.max_finite) - limits_of_sum.precision + 1);
    if (facts_.has_accumulator && !datapath_.accumulator.last && index == datapath_.accumulator_level_index()) {
      const Format& format = datapath_.accumulator_format();
      if (format.as_float() == nullptr || underflow_of(datapath_.accumulator_rounding(), format) == Underflow::none) {
        refuse("C in a format that is no binary float, or without a smallest value");
        return addends;
      }
      const Limits c = limits(format);
      if (c.precision > lane_.precision) refuse("C has more bits than the lane");
      sums.lattice = std::min(sums.lattice, c.lsb_exponent);
      sums.top = std::max(sums.top, top_of(c.max_finite));
      scale_.at_least(lane_.lsb + 1 - c.lsb_exponent);
    }
    // The binades of an eager adder's addends have to show, and that of what cuts them to be one of the lane.
    if (is_eager(l) && underflow_of(l.rounding, l.rounded_format()) != Underflow::gradual) scale_.at_least(lane_.emin - sums.lattice);
    // n roundings of sums of addends below 2^(top+1): each grows a sum by the addend, the spacing and one part in 2^(p-1).
    const double n = static_cast<double>(facts_.k) + static_cast<double>(l.ways) + 2;
    const double growth = n * 1.4427 * std::ldexp(1.0, 1 - limits_of_sum.precision);
    const double top = std::max(sums.top, limits_of_sum.emin) + 2 + std::log2(n) + growth;
    const int bound = static_cast<int>(std::min(top + 1, 100000.0));
    sums.top = std::max(sums.top, std::min(bound, top_of(limits_of_sum.max_finite)));
    if (addends.infinite) sums.top = std::max(sums.top, top_of(limits_of_sum.max_finite));  // they may become an end of the range
    ++sums.top;
    lattices_.push_back(sums.lattice);
    if (is_eager(l)) scale_.at_most(lane_.emax - std::max(sums.top, limits_of_sum.emin) - lane_.precision);
    addends_.push_back(addends);
    sums_.push_back(sums);
    const bool gradual = underflow_of(l.rounding, l.rounded_format()) == Underflow::gradual;
    tiny_inexact_ |= is_eager(l);  // numbers that cancel once they are cut
    tiny_inexact_ |= gradual ? sums.lattice < limits_of_sum.lsb_exponent : sums.lattice <= top_of(limits_of_sum.min_normal);
    return rounded(sums, l.rounded_format(), l.rounding);
  }

  /// The scale nearest zero that all agree to, and its share of each operand.
  void choose_scales() {
    if (scale_.low > scale_.high) {
      refuse("magnitudes or formats do not fit the lane together");
      return;
    }
    const int scale = std::clamp(0, scale_.low, scale_.high);
    const auto allowed = [&](const OperandFacts& f) {
      Interval i;
      if (f.precision == 0) return i;
      if (f.precision > lane_.precision) refuse("operands have more bits than the lane");
      i.at_least(lane_.lsb - f.lowest);
      i.at_most(lane_.emax - f.highest);
      i.at_least(-900);  // a power of two that is a binary64, as is every scaled operand
      i.at_most(900);
      return i;
    };
    const Interval a = allowed(facts_.a);
    const Interval b = allowed(facts_.b);
    const int low = std::max(a.low, scale - b.high);
    const int high = std::min(a.high, scale - b.low);
    if (low > high) {
      refuse("operands do not fit the lane");
      return;
    }
    // An even share, and away from the lane's subnormals.
    const int even = facts_.a.precision == 0 || facts_.b.precision == 0
                         ? scale / 2
                         : (scale + (facts_.b.highest + facts_.b.lowest) / 2 - (facts_.a.highest + facts_.a.lowest) / 2) / 2;
    proof_.scale_a = std::clamp(scale == 0 ? 0 : even, low, high);
    proof_.scale_b = scale - proof_.scale_a;
  }

  // ---- the plan, once the scale is known

  void fill() {
    FloatPlan& plan = proof_.plan;
    plan.rounded_product = !unrounded_;
    plan.fused = !plan.rounded_product;  // without a fused multiply-add the product is exact
    if (plan.rounded_product) {
      plan.product = LaneUnit(lane_, proof_.scale_a + proof_.scale_b).rounding(*datapath_.product.format, datapath_.product.rounding);
    }
    plan.levels = static_cast<int>(datapath_.levels.size());
    plan.initial_level = static_cast<int>(datapath_.accumulator_level_index());
    std::int64_t addends = facts_.k;
    for (int i = 0; i < plan.levels; ++i) addends = fill_level(i, addends);
    proof_.scratch_slots += plan.levels;
    choose_fast();
  }

  /// Products and sums, all in sequence, are truncated and flushed.
  [[nodiscard]] bool truncates_and_flushes() {
    const auto holds = [](const Format& format, const RoundingSpec& spec) {
      return spec.mode == Rounding::rz && underflow_of(spec, format) == Underflow::flush;
    };
    const auto& product = datapath_.product;
    return product.format && holds(*product.format, product.rounding) &&
           std::all_of(datapath_.levels.begin(), datapath_.levels.end(),
                       [&](const Level& l) { return l.kind == LevelKind::sequential && holds(l.rounded_format(), l.rounding); });
  }

  /// The fast loop, where all roundings are of one kind that has one.
  void choose_fast() {
    FloatPlan& plan = proof_.plan;
    const auto all = [&](auto&& holds) { return std::all_of(datapath_.levels.begin(), datapath_.levels.end(), holds); };
    const bool in_pairs = native_ && adds_in_pairs(datapath_);
    if (!in_pairs && !all([](const Level& l) { return l.kind == LevelKind::sequential; })) return;
    plan.fast_bound = ~std::uint64_t{0};
    for (int i = 0; i < plan.levels; ++i) plan.fast_bound = std::min(plan.fast_bound, plan.level[i].rounding.max_finite);
    if (native_) {
      if (unrounded_ && !tiny_inexact_) plan.fast = in_pairs ? FloatFast::native_tree : FloatFast::native;
    } else if (truncates_and_flushes()) {
      plan.fast = FloatFast::truncated;
      plan.products_fit = facts_.a.precision + facts_.b.precision <= lane_.precision && products_.lattice + proof_.scale() >= lane_.lsb;
      const int lattice = *std::min_element(lattices_.begin(), lattices_.end());
      NarrowExact inexact;  // sums below are multiples of 2^lattice of at most the lane's precision
      inexact.significand = 1;
      inexact.exponent = lattice + lane_.precision;
      plan.fast_bound = std::min(plan.fast_bound, LaneUnit(lane_, proof_.scale()).bits(inexact) - 1);
      if (lattice + proof_.scale() < lane_.lsb) plan.fast = FloatFast::none;
      plan.fast_saturating = saturating();
      const auto shorter = [&](int i) { return lane_.precision - plan.level[i].rounding.drop <= 8; };
      plan.packed = plan.fast_saturating == FloatFast::saturated && shorter(0) && !lane_.binary64 && lattice + proof_.scale() >= lane_.emin;
    } else if (rounds_twice()) {
      plan.fast = FloatFast::rounded;
      plan.fast_looks = tiny_inexact_ || !all([](const Level& l) { return l.rounding.mode != Rounding::rd; });
    }
  }

  /// Whether the loop for any rounding knows this one. The signs of zero products must be those of its lanes, and the overflow of a product
  /// must show in binary64.
  [[nodiscard]] bool rounds_twice() const {
    const auto tail_is_cut = [](const RoundingSpec& spec) {
      return spec.mode != Rounding::sr || spec.stochastic.kind != StochasticKind::c;
    };
    const auto& product = datapath_.product;
    if (product.format && is_eager(datapath_.levels.front())) return false;
    return (!product.format || (tail_is_cut(product.rounding) && limits(*product.format).has_negative_zero &&
                                facts_.a.precision + facts_.b.precision <= binary64_lanes.precision)) &&
           std::all_of(datapath_.levels.begin(), datapath_.levels.end(), [&](const Level& l) { return tail_is_cut(l.rounding); });
  }

  /// The loop that lets truncated sums saturate: all levels of one format, and overflow goes to its ends. Sums that are not
  /// exact in the lane show in the bits below the format's where (README.md) significands are short, no addend lies below what the lane
  /// keeps of a sum, and no accumulator below what it keeps of an addend.
  [[nodiscard]] FloatFast saturating() const {
    const FloatPlan& plan = proof_.plan;
    const FloatRounding& first = plan.level[0].rounding;
    const std::uint64_t sign = lane_.binary64 ? 1ULL << 63 : 1ULL << 31;
    for (int i = 0; i < plan.levels; ++i) {
      const FloatRounding& r = plan.level[i].rounding;
      if (r.max_finite != first.max_finite || r.drop != first.drop || r.min_normal != first.min_normal) return FloatFast::none;
      if (r.overflow[0] != r.max_finite || r.overflow[1] != (r.max_finite | sign)) return FloatFast::none;
    }
    if (facts_.has_accumulator) return FloatFast::saturated_odd;
    const Limits sum = limits(datapath_.levels.front().rounded_format());
    const Limits product = limits(*datapath_.product.format);
    if (product.precision + sum.precision > lane_.precision || 2 * sum.precision > lane_.precision) return FloatFast::saturated_odd;
    for (std::size_t i = 0; i < addends_.size(); ++i) {
      const int least = top_of(i == 0 ? product.min_normal : sum.min_normal);
      if (addends_[i].top + 2 - lane_.precision > sum.lsb_exponent || least < sums_[i].top + 1 - lane_.precision)
        return FloatFast::saturated_odd;
    }
    return FloatFast::saturated;
  }

  std::int64_t fill_level(int index, std::int64_t addends) {
    const Level& l = datapath_.levels[static_cast<std::size_t>(index)];
    FloatLevel& level = proof_.plan.level[index];
    const bool last = index + 1 == proof_.plan.levels;
    level.rounding = LaneUnit(lane_, proof_.scale()).rounding(l.rounded_format(), l.rounding);
    level.terms = last || !l.terms ? std::numeric_limits<std::int64_t>::max() : *l.terms;
    const std::int64_t whole = std::min(level.terms, addends);
    const std::int64_t rest = addends % whole == 0 ? whole : addends % whole;
    std::int64_t slots = 1;
    if (l.kind == LevelKind::tree) {
      level.kind = FloatLevel::Kind::tree;
      slots = std::min(level.terms, facts_.k);
    } else if (l.kind == LevelKind::interleaved) {
      level.kind = FloatLevel::Kind::interleaved;
      level.ways = l.ways;
      slots = l.ways;
      switch (l.combine) {
        case Combine::sequential: level.combine = FloatLevel::Combine::sequential; break;
        case Combine::tree: level.combine = FloatLevel::Combine::tree; break;
        case Combine::coalesce:
          level.combine = FloatLevel::Combine::coalesce;
          level.coalesce[0] = coalescing(l.ways, whole);
          level.coalesce[1] = coalescing(l.ways, rest);
          break;
      }
    }
    proof_.scratch_slots += slots;
    return (addends + whole - 1) / whole;
  }

  const std::int32_t* coalescing(std::int64_t ways, std::int64_t count) {
    proof_.programs.push_back(coalescing_order(ways, count));
    return proof_.programs.back().data();
  }

  const Datapath& datapath_;
  const LayerFacts& facts_;
  const LaneType& lane_;
  const bool has_fma_, native_;
  std::vector<Range> addends_, sums_;  ///< of each level
  std::vector<int> lattices_;          ///< of each level's exact sums
  bool unrounded_ = false;             ///< products enter sums as they are
  bool tiny_inexact_ = false;          ///< a sum below some level's smallest normal may be inexact
  FloatProof proof_;
  Interval scale_;
  Range products_;  ///< exact ones
};

}  // namespace

FloatProof prove_float(const Datapath& datapath, const LayerFacts& facts, const LaneType& lane, const LaneMeans& means) {
  return Prover(datapath, facts, lane, means, false).prove();
}

FloatProof prove_native_float(const Datapath& datapath, const LayerFacts& facts, const LaneMeans& means) {
  FloatProof proof = Prover(datapath, facts, binary32_lanes, means, true).prove();
  if (!proof.refusal.empty()) return proof;
  if (proof.plan.fast == FloatFast::none) proof.refusal = "no loop for it";
  return proof;
}

}  // namespace accsim::sim::kernels
