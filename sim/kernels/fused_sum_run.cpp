// One tile through the fused-sum lanes: operands taken apart and packed, lanes, the levels above, back.
#include "sim/kernels/fused_sum_run.h"

#include <algorithm>
#include <bit>

#include "sim/kernels/fused_sum_operand.h"
#include "sim/kernels/issue_tile.h"
#include "sim/kernels/lane_memory.h"
#include "sim/kernels/scaled_sum_groups.h"
#include "sim/kernels/staged_sum_plan.h"

namespace accsim::sim::kernels {
namespace {

using formats::Rounding;

class FusedRun {
 public:
  FusedRun(const FusedLanes& lanes, const Datapath& datapath, const Tile& tile, TileResult& result)
      : lanes_(lanes),
        datapath_(datapath),
        tile_(tile),
        level_(datapath.levels.front()),
        around_(datapath, tile, result),
        a_(around_.a_operand()),
        b_(around_.b_operand()) {}

  /// False where the tile turns out not to be covered.
  bool run() {
    describe();
    if (!around_.take_initial(width(), exponent_limit)) return false;
    return level_.kind == LevelKind::scaled_sum ? run_groups() : run_products();
  }

 private:
  static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

  /// What does not depend on the operands' values.
  void describe() {
    const formats::Limits& rounded = around_.rounder().format_limits();
    job_.rows = tile_.rows;
    job_.columns = tile_.columns;
    job_.panels = (tile_.columns + lanes_.lanes - 1) / lanes_.lanes;
    job_.k = tile_.k;
    job_.issue = around_.issue;
    job_.issues = around_.issues;
    job_.issues_in_sum = around_.issues_in_sum;
    job_.sums = around_.sums;
    job_.fraction_bits = level_.fraction_bits;
    job_.floors = level_.align == Align::rd;
    job_.accumulator_emin = formats::limits(level_.format).emin;
    job_.precision = rounded.precision;
    job_.to_nearest = level_.rounding.mode == Rounding::rne;
    job_.min_normal = std::bit_cast<std::int64_t>(to_double(rounded.min_normal));
    job_.max_finite = std::bit_cast<std::int64_t>(to_double(rounded.max_finite));
  }

  /// Columns with those that are padding.
  [[nodiscard]] std::int64_t width() const { return job_.panels * lanes_.lanes; }

  bool run_products() {
    const Scan a = a_.scan();
    const Scan b = b_.scan();
    const std::optional<Shifts> shifts = shifts_for(level_.fraction_bits, a.bits, b.bits);
    if (!shifts || !a.in_range || !b.in_range) return false;
    job_.base = shifts->base;
    const std::int64_t product = largest_product(*shifts, a.bits, b.bits);
    job_.flush = 16;
    while (job_.flush > ((std::int64_t{1} << 31) - 1) / product || job_.flush >= 2 * job_.issue) job_.flush /= 2;
    job_.window = std::min(29, 31 - std::countr_zero(static_cast<std::uint64_t>(job_.flush)));
    job_.zeros_count = level_.zero_exponent && (*level_.zero_exponent > a.least + b.least || *level_.zero_exponent > job_.accumulator_emin);
    job_.zero_exponent = level_.zero_exponent.value_or(0);
    job_.zero_operand_exponent = level_.zero_operand_exponent.value_or(zero_operand);
    const bool is_staged = level_.kind == LevelKind::staged_sum;
    if (is_staged) {
      if (!too_wide_for_stages(level_, job_.issue, *shifts, a.bits, b.bits).empty()) return false;
      plan_stages(datapath_, *shifts, a.bits, b.bits, job_);
    }

    const std::int64_t lanes = lanes_.lanes;
    const LaneMemory<std::int32_t> a_words(tile_.rows * tile_.k), a_exponents(tile_.rows * tile_.k);
    const LaneMemory<std::int32_t> a_least(tile_.rows * job_.issues), a_odd(tile_.rows * job_.issues);
    const LaneMemory<std::int32_t> b_words(width() * tile_.k), b_exponents(width() * tile_.k);
    const LaneMemory<std::int32_t> b_least(width() * job_.issues), b_odd(width() * job_.issues);
    for (std::int64_t row = 0; row < tile_.rows; ++row) {
      pack(a_, row, a.bits.fraction + shifts->a, 1,
           {a_words.data() + row * tile_.k, a_exponents.data() + row * tile_.k, a_least.data() + row * job_.issues,
            a_odd.data() + row * job_.issues});
    }
    for (std::int64_t column = 0; column < width(); ++column) {
      const std::int64_t panel = column / lanes;
      const std::int64_t lane = column % lanes;
      pack(b_, column, b.bits.fraction + shifts->b, lanes,
           {b_words.data() + panel * tile_.k * lanes + lane, b_exponents.data() + panel * tile_.k * lanes + lane,
            b_least.data() + panel * job_.issues * lanes + lane, b_odd.data() + panel * job_.issues * lanes + lane});
    }
    job_.a = a_words.data();
    job_.a_exponents = a_exponents.data();
    job_.a_least = a_least.data();
    job_.a_odd = a_odd.data();
    job_.b = b_words.data();
    job_.b_exponents = b_exponents.data();
    job_.b_least = b_least.data();
    job_.b_odd = b_odd.data();
    run_lanes(is_staged ? lanes_.run_staged : lanes_.run);
    return true;
  }

  bool run_groups() {
    const GroupBits a = group_bits(a_);
    const GroupBits b = group_bits(b_);
    if (!too_wide_for_groups(level_, a, b).empty()) return false;
    const std::int64_t group = std::min(level_.group, tile_.k);
    job_.groups = (tile_.k + group - 1) / group;
    job_.groups_in_issue = (job_.issue + group - 1) / group;
    job_.words = (group + 1) / 2;
    job_.zero_operand_exponent = level_.zero_exponent.value_or(zero_operand);
    const PackedGroups a_groups(a_, a.unit, job_, group, tile_.rows, 1);
    const PackedGroups b_groups(b_, b.unit, job_, group, width(), lanes_.lanes);
    job_.a = a_groups.words.data();
    job_.a_exponents = a_groups.exponents.data();
    job_.a_nonzero = a_groups.nonzero.data();
    job_.a_scales = a_groups.scales.data();
    job_.a_odd = a_groups.odd.data();
    job_.b = b_groups.words.data();
    job_.b_exponents = b_groups.exponents.data();
    job_.b_nonzero = b_groups.nonzero.data();
    job_.b_scales = b_groups.scales.data();
    job_.b_odd = b_groups.odd.data();
    run_lanes(lanes_.run_scaled);
    return true;
  }

  /// The operands are packed.
  void run_lanes(void (*run)(FusedJob&)) {
    std::vector<double> values(at(job_.sums * tile_.rows * width()));
    std::vector<char> overflowed(at(tile_.rows * width()));
    job_.initial = around_.initial();
    job_.values = values.data();
    job_.overflowed = overflowed.data();
    job_.slow = [](void* context, std::int64_t row, std::int64_t column, std::int64_t issue, double accumulator, IssueOutcome& outcome) {
      static_cast<const IssueTile*>(context)->one_issue(row, column, issue, accumulator, outcome);
    };
    job_.context = &around_;
    run(job_);
    around_.fill(values, overflowed, width(), job_.counts);
  }

  struct Places {
    std::int32_t *words, *exponents, *least, *odd;
  };
  /// One line of an operand, or zeros beyond the last; significands in units of 2^(exponent - unit_bits).
  void pack(const FusedOperand& operand, std::int64_t line, int unit_bits, std::int64_t stride, Places to) const {
    const bool is_padding = line >= operand.lines();
    for (std::int64_t issue = 0; issue < job_.issues; ++issue) {
      std::int32_t least = 1 << 20;
      std::int32_t odd = 0;
      for (std::int64_t t = issue * job_.issue; t < std::min((issue + 1) * job_.issue, tile_.k); ++t) {
        const Factor f = is_padding ? Factor{} : operand.factor(line, around_.order()[at(t)], unit_bits);
        if (!f.is_finite) odd = -1;
        if (f.significand != 0) least = std::min(least, f.exponent);
        to.words[t * stride] = f.significand & 0xFFFF;
        to.exponents[t * stride] = f.significand != 0 ? f.exponent : job_.zero_operand_exponent;
      }
      to.least[issue * stride] = least;
      to.odd[issue * stride] = odd;
    }
  }

  const FusedLanes& lanes_;
  const Datapath& datapath_;
  const Tile& tile_;
  const Level& level_;
  IssueTile around_;
  const FusedOperand &a_, &b_;
  FusedJob job_;
};

}  // namespace

bool run_fused_sum(const FusedLanes& lanes, const Datapath& datapath, const Tile& tile, TileResult& result) {
  if (tile.k < 1) return false;
  return FusedRun(lanes, datapath, tile, result).run();
}

}  // namespace accsim::sim::kernels
