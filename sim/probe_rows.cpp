// The probes of a unit: rows of codes that its formats can express.
#include <algorithm>
#include <map>

#include "formats/error.h"
#include "sim/probe.h"

namespace accsim::sim {
namespace {

using formats::Code;
using formats::Format;
using formats::Limits;
using formats::NarrowExact;

NarrowExact power(int exponent, bool negative = false) { return {.negative = negative, .exponent = exponent, .significand = 1}; }

/// The exponents of a float format's powers of two.
struct Powers {
  explicit Powers(const Format& format) {
    const Limits l = formats::limits(format);
    lowest_normal = l.emin;
    lowest = l.gradual ? l.lsb_exponent : l.emin;
    highest = log2_floor(l.max_finite);
  }
  int lowest, lowest_normal, highest;
};

constexpr int deepest = 70;     ///< binades that alignment probes go below
constexpr int enough = 48;      ///< binades between large and small addends: more than any unit aligns over
constexpr int zero_depth = 48;  ///< and probes of a zero's exponent

class Rows {
 public:
  explicit Rows(const ProbedUnit& unit) : unit_(unit), a_(unit.a), b_(unit.b), out_(unit.out), out_limits_(formats::limits(unit.out)) {
    top_ = std::min(a_.highest + b_.highest, out_.highest - 1);
    if (unit.has_accumulator) top_ = std::min(top_, Powers(unit.in).highest - 1);
    // Subnormal operands and results are left out where the normal ones span enough: some units flush them.
    bottom_ = std::max(a_.lowest_normal + b_.lowest_normal, out_limits_.emin);
    if (top_ - bottom_ < enough) bottom_ = std::max(a_.lowest + b_.lowest, out_limits_.lsb_exponent);
  }

  std::vector<Probe> all() {
    order();
    alignment();
    output();
    zeros();
    return std::move(probes_);
  }
  [[nodiscard]] int top() const { return top_; }
  [[nodiscard]] int bottom() const { return bottom_; }

 private:
  /// A row of zeros.
  Probe& add(ProbeKind kind, int depth, bool negative = false) {
    Probe probe;
    probe.kind = kind;
    probe.depth = depth;
    probe.negative = negative;
    probe.a.assign(static_cast<std::size_t>(unit_.terms), 0);
    probe.b = probe.a;
    probes_.push_back(std::move(probe));
    return probes_.back();
  }

  /// The operands whose product is a power of two, as normal numbers of near exponents where there are such.
  [[nodiscard]] bool can(int exponent) const { return exponent >= a_.lowest + b_.lowest && exponent <= a_.highest + b_.highest; }
  void product(Probe& probe, int term, int exponent, bool negative = false) const {
    int in_a = std::clamp(exponent / 2, a_.lowest_normal, a_.highest);
    int in_b = std::clamp(exponent - in_a, b_.lowest_normal, b_.highest);
    in_a = std::clamp(exponent - in_b, a_.lowest, a_.highest);
    in_b = exponent - in_a;
    probe.a[static_cast<std::size_t>(term)] = encode(power(in_a, negative), unit_.a);
    probe.b[static_cast<std::size_t>(term)] = encode(power(in_b), unit_.b);
  }
  /// Scales of all blocks that bring a product of this exponent to the top of what the elements' products reach; false where there are
  /// none.
  bool scale(Probe& probe, int exponent) const {
    int wanted = exponent - (a_.highest + b_.highest);
    const auto take = [&](const std::optional<formats::BlockFormat>& blocks, int& part, int share) {
      if (!blocks) return;
      const Powers range(blocks->scale);
      part = std::clamp(share, range.lowest_normal, range.highest);
      wanted -= part;
    };
    take(unit_.a_blocks, probe.a_scale, unit_.b_blocks ? wanted / 2 : wanted);
    take(unit_.b_blocks, probe.b_scale, wanted);
    return wanted == 0;
  }

  void accumulator(Probe& probe, const NarrowExact& value) const { probe.accumulator = encode(value, unit_.in); }

  void addend(Probe& probe, int leaf, int exponent, bool negative = false) const {
    if (leaf == unit_.terms) accumulator(probe, power(exponent, negative));
    else product(probe, leaf, exponent, negative);
  }

  void order() {
    const int leaves = unit_.terms + (unit_.has_accumulator ? 1 : 0);
    for (int i = 0; i < leaves; ++i) {
      for (int j = i + 1; j < leaves; ++j) {
        Probe& probe = add(ProbeKind::order, top_ - bottom_);
        probe.first = i;
        probe.second = j;
        for (int leaf = 0; leaf < leaves; ++leaf) addend(probe, leaf, leaf == i || leaf == j ? top_ : bottom_, leaf == j);
      }
    }
  }

  void alignment() {
    const int last = std::min(deepest, top_ - bottom_);
    // C goes as far down as its own format and the result's do, whatever the operands reach.
    const int last_c = std::max(last, std::min(deepest, top_ - std::max(Powers(unit_.in).lowest_normal, out_limits_.emin)));
    for (int depth = 1; depth <= (unit_.has_accumulator ? last_c : last); ++depth) {
      for (const bool negative : {false, true}) {
        if (depth > last) {
          accumulator_below(depth, negative);
          continue;
        }
        Probe& three = add(ProbeKind::product_below_products, depth, negative);
        product(three, 0, top_);
        product(three, 1, top_, true);
        product(three, 2, top_ - depth, negative);
        if (!unit_.has_accumulator) continue;
        Probe& below = add(ProbeKind::product_below_accumulator, depth, negative);
        accumulator(below, power(top_));
        product(below, 0, top_, true);
        product(below, 1, top_ - depth, negative);
        accumulator_below(depth, negative);
      }
    }
  }

  void accumulator_below(int depth, bool negative) {
    Probe& probe = add(ProbeKind::accumulator_below_products, depth, negative);
    product(probe, 0, top_);
    product(probe, 1, top_, true);
    accumulator(probe, power(top_ - depth, negative));
  }

  void output() {
    const int fraction_bits = out_limits_.precision - 1;
    for (int depth = 1; depth <= fraction_bits + 1 && (can(top_ - depth) || unit_.has_accumulator); ++depth) {
      Probe& sum = add(ProbeKind::output_fraction, depth);
      product(sum, 0, top_);
      if (can(top_ - depth)) product(sum, 1, top_ - depth);
      else accumulator(sum, power(top_ - depth));
    }
    for (int bits = 2; bits <= fraction_bits; ++bits) {
      for (const bool negative : {false, true}) {
        for (const bool odd : {false, true}) {
          if (can(top_ - bits)) {
            Probe& products = add(ProbeKind::product_rounding, bits, negative);
            products.odd = odd;
            product(products, 0, top_, negative);
            product(products, 1, top_, negative);
            product(products, 2, top_ - bits, negative);
            if (odd) product(products, 3, top_ + 1 - bits, negative);
          }
          if (!unit_.has_accumulator) continue;
          Probe& with_c = add(ProbeKind::accumulator_rounding, bits, negative);
          with_c.odd = odd;
          product(with_c, 0, top_, negative);
          const NarrowExact tail{.negative = negative, .exponent = top_ - bits, .significand = odd ? 3U : 1U};
          accumulator(with_c, sum(power(top_, negative), tail));
        }
      }
    }
  }

  void zeros() {
    const int least = out_limits_.lsb_exponent;
    if (unit_.a_blocks || unit_.b_blocks) return zeros_under_scales(least);
    for (int depth = 1; depth <= zero_depth && can(least - depth); ++depth) {
      Probe& cut = add(ProbeKind::zero_exponent, depth);
      product(cut, 0, least);
      product(cut, 1, least - depth, true);
      if (depth == 1) continue;
      Probe& tie = add(ProbeKind::zero_exponent_tie, depth);
      product(tie, 0, least);
      product(tie, 1, least - 1);
      product(tie, 2, least - depth, true);
    }
  }

  /// The same where scales bring the products down to the smallest number.
  void zeros_under_scales(int least) {
    Probe scales;
    if (!scale(scales, least)) return;
    const int top = a_.highest + b_.highest;
    for (int depth = 1; depth <= zero_depth && can(top - depth); ++depth) {
      for (const ProbeKind kind : {ProbeKind::zero_exponent, ProbeKind::zero_exponent_tie}) {
        const bool is_tie = kind == ProbeKind::zero_exponent_tie;
        if (is_tie && depth == 1) continue;
        Probe& probe = add(kind, depth);
        probe.a_scale = scales.a_scale;
        probe.b_scale = scales.b_scale;
        product(probe, 0, top);
        if (is_tie) product(probe, 1, top - 1);
        product(probe, is_tie ? 2 : 1, top - depth, true);
      }
    }
  }

  const ProbedUnit& unit_;
  Powers a_, b_, out_;
  Limits out_limits_;
  int top_ = 0, bottom_ = 0;  ///< exponents of large and small addends
  std::vector<Probe> probes_;
};

}  // namespace

std::vector<Probe> probes(const ProbedUnit& unit) {
  for (const Format* format : {&unit.a, &unit.b, &unit.in, &unit.out}) {
    if (format->as_float() == nullptr)
      throw InputError("probe", "format " + format->name, "binary float formats: fixed point sums lose nothing");
  }
  if (unit.terms < 4) throw InputError("--terms", std::to_string(unit.terms), "at least 4 products a row");
  return Rows(unit).all();
}

}  // namespace accsim::sim
