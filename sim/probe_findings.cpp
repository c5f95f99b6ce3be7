// What the results of probes say.
#include <algorithm>
#include <map>

#include "formats/round.h"
#include "sim/probe.h"

namespace accsim::sim {
namespace {

using formats::NarrowExact;

bool is_power(const NarrowExact& x, int exponent, bool negative) {
  return same_value(x, NarrowExact{.negative = negative, .exponent = exponent, .significand = 1});
}

class Findings {
 public:
  Findings(const ProbedUnit& unit, std::span<const Probe> all, std::span<const NarrowExact> results)
      : unit_(unit), all_(all), results_(results) {}

  ProbeFindings find() {
    order();
    found_.product_below_products = kept(ProbeKind::product_below_products);
    found_.product_below_accumulator = kept(ProbeKind::product_below_accumulator);
    found_.accumulator_below_products = kept(ProbeKind::accumulator_below_products);
    output_fraction();
    found_.accumulator_rounding = rounding(ProbeKind::accumulator_rounding);
    // A tie takes four products in one sum; where fewer meet, their results are rounded more than once.
    if (!found_.group || *found_.group >= 4) found_.product_rounding = rounding(ProbeKind::product_rounding);
    zero_exponent();
    return std::move(found_);
  }

 private:
  template <class F>
  void each(ProbeKind kind, F&& see) const {
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (all_[i].kind == kind) see(all_[i], results_[i]);
    }
  }

  /// The exponent of a product of a probe.
  [[nodiscard]] int exponent_of_product(const Probe& probe, std::size_t term) const {
    return log2_floor(formats::product(decode(probe.a[term], unit_.a), decode(probe.b[term], unit_.b)));
  }

  void order() {
    const auto leaves = static_cast<std::size_t>(unit_.terms + (unit_.has_accumulator ? 1 : 0));
    std::vector<std::vector<int>> sizes(leaves, std::vector<int>(leaves, 0));
    bool readable = true;
    bool lossless = true;
    each(ProbeKind::order, [&](const Probe& probe, const NarrowExact& result) {
      found_.order_binades = probe.depth;
      std::size_t small = 0;
      while (static_cast<int>(small) == probe.first || static_cast<int>(small) == probe.second) ++small;
      const int exponent = exponent_of_product(probe, small);
      int lost = static_cast<int>(leaves);
      if (!result.is_zero()) {
        const NarrowExact survivors = scaled(result, -exponent);
        const bool whole = result.is_finite() && !result.negative && log2_floor(survivors) >= 0 && log2_floor(survivors) < 30;
        const double count = whole ? to_double(survivors) : -1;
        if (count < 0 || count != static_cast<int>(count)) {
          readable = false;
          return;
        }
        lost -= static_cast<int>(count);
      }
      lossless &= lost == 2;
      sizes[static_cast<std::size_t>(probe.first)][static_cast<std::size_t>(probe.second)] = lost;
      sizes[static_cast<std::size_t>(probe.second)][static_cast<std::size_t>(probe.first)] = lost;
    });
    if (!readable) {
      found_.order = "not a tree";
      return;
    }
    if (lossless) {
      found_.order = "none: nothing is lost";
      return;
    }
    std::vector<std::string> names;
    for (int i = 0; i < unit_.terms; ++i) names.push_back(std::to_string(i));
    if (unit_.has_accumulator) names.emplace_back("C");
    const OrderTree tree = order_tree(sizes, names);
    found_.order = tree.text;
    std::vector<int> group = tree.group;
    if (tree.text.empty()) {  // addends that lose nothing when they are summed together have no order among them
      group = {0};
      std::string text = names.front();
      for (std::size_t leaf = 1; leaf < leaves; ++leaf) {
        if (sizes[0][leaf] != 2) continue;
        group.push_back(static_cast<int>(leaf));
        text += " " + names[leaf];
      }
      found_.order = group.size() > 2 ? "exact sums of (" + text + ")" : "not a tree";
      if (group.size() <= 2) return;
    }
    found_.group_has_accumulator = std::find(group.begin(), group.end(), unit_.terms) != group.end();
    found_.group = static_cast<int>(group.size()) - (found_.group_has_accumulator ? 1 : 0);
  }

  [[nodiscard]] std::optional<KeptBits> kept(ProbeKind kind) const {
    std::map<int, std::pair<NarrowExact, NarrowExact>> by_depth;  // results of the positive and the negative one
    int top = 0;
    each(kind, [&](const Probe& probe, const NarrowExact& result) {
      top = exponent_of_product(probe, 0);
      (probe.negative ? by_depth[probe.depth].second : by_depth[probe.depth].first) = result;
    });
    if (by_depth.empty()) return std::nullopt;
    KeptBits bits;
    bits.probed = by_depth.rbegin()->first;
    int last = 0;
    while (by_depth.contains(last + 1) && is_power(by_depth[last + 1].first, top - last - 1, false) &&
           is_power(by_depth[last + 1].second, top - last - 1, true)) {
      ++last;
    }
    if (last == bits.probed) return bits;
    bits.fraction_bits = last;
    const auto& [plus, minus] = by_depth[last + 1];
    const bool minus_down = is_power(minus, top - last, true);
    const bool plus_up = is_power(plus, top - last, false);
    if (plus.is_zero() && minus.is_zero()) bits.cut = "toward zero";
    else if (plus.is_zero() && minus_down) bits.cut = "down";
    else if (plus_up && minus.is_zero()) bits.cut = "up";
    else bits.cut = "other";
    return bits;
  }

  void output_fraction() {
    int bits = 0;
    bool any = false;
    each(ProbeKind::output_fraction, [&](const Probe& probe, const NarrowExact& result) {
      any = true;
      const int top = exponent_of_product(probe, 0);
      const NarrowExact exact =
          sum(NarrowExact{.exponent = top, .significand = 1}, NarrowExact{.exponent = top - probe.depth, .significand = 1});
      if (probe.depth == bits + 1 && same_value(result, exact)) bits = probe.depth;
    });
    if (any) found_.output_fraction_bits = bits;
  }

  /// The mode from which of four ties went away from zero: even and odd below, positive and negative.
  [[nodiscard]] std::string rounding(ProbeKind kind) const {
    if (!found_.output_fraction_bits) return {};
    std::string away;
    each(kind, [&](const Probe& probe, const NarrowExact& result) {
      if (probe.depth != *found_.output_fraction_bits) return;
      const NarrowExact below{.negative = probe.negative,
                              .exponent = exponent_of_product(probe, 0) + 1 - probe.depth,
                              .significand = (formats::UInt128{1} << probe.depth) + (probe.odd ? 1U : 0U)};
      const NarrowExact above{
          .negative = probe.negative, .exponent = exponent_of_product(probe, 0) + 1 - probe.depth, .significand = below.significand + 1};
      away += same_value(result, below) ? '0' : same_value(result, above) ? '1' : '?';
    });
    if (away.empty()) return {};
    const std::map<std::string, std::string> modes = {{"0000", "rz"}, {"0101", "rne"}, {"1111", "rna"},
                                                      {"1100", "ru"}, {"0011", "rd"},  {"1010", "ro"}};
    const auto mode = modes.find(away);
    return mode == modes.end() ? "other" : mode->second;
  }

  /// A zero addend's exponent cuts what lies alignment bits below it, which shows where that decides the last bit of the smallest numbers.
  void zero_exponent() {
    const std::optional<KeptBits>& bits = found_.product_below_products;
    const std::string& mode = found_.product_rounding.empty() ? found_.accumulator_rounding : found_.product_rounding;
    if (!found_.group || !bits || !bits->fraction_bits || (mode != "rz" && mode != "rne")) return;
    const int least = formats::limits(unit_.out).lsb_exponent;
    int seen = 0;
    int probed = 0;
    each(mode == "rz" ? ProbeKind::zero_exponent : ProbeKind::zero_exponent_tie, [&](const Probe& probe, const NarrowExact& result) {
      probed = probe.depth;
      const bool is_seen = mode == "rz" ? result.is_zero() : is_power(result, least, false);
      if (is_seen && (seen == 0 || probe.depth == seen + 1)) seen = probe.depth;
    });
    if (seen == 0) return;
    const int exponent = least - seen + *bits->fraction_bits;
    if (seen == probed || exponent <= least) found_.zero_exponent_at_most = std::max(exponent, least);
    else found_.zero_exponent = exponent;
  }

  const ProbedUnit& unit_;
  std::span<const Probe> all_;
  std::span<const NarrowExact> results_;
  ProbeFindings found_;
};

}  // namespace

ProbeFindings interpret(const ProbedUnit& unit, std::span<const Probe> all, std::span<const NarrowExact> results) {
  return Findings(unit, all, results).find();
}

}  // namespace accsim::sim
