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

/// An operand's lines in panels of `lanes`, zeros beyond the last: significands in units of 2^(exponent - unit_bits), exponents, and of
/// each issue the least exponent and whether a value is not finite.
struct PackedProducts {
  PackedProducts(const FusedOperand& operand, int unit_bits, const FusedJob& job, std::span<const std::int64_t> order,
                 std::int64_t padded_lines, std::int64_t lanes)
      : words(padded_lines * job.k), exponents(padded_lines * job.k), least(padded_lines * job.issues), odd(padded_lines * job.issues) {
    for (std::int64_t line = 0; line < padded_lines; ++line) pack(operand, unit_bits, job, order, line, lanes);
  }
  LaneMemory<std::int32_t> words, exponents, least, odd;

 private:
  void pack(const FusedOperand& operand, int unit_bits, const FusedJob& job, std::span<const std::int64_t> order, std::int64_t line,
            std::int64_t lanes) {
    const bool is_padding = line >= operand.lines();
    const std::int64_t first_term = line / lanes * job.k * lanes + line % lanes;
    const std::int64_t first_issue = line / lanes * job.issues * lanes + line % lanes;
    for (std::int64_t issue = 0; issue < job.issues; ++issue) {
      std::int32_t least_exponent = 1 << 20;
      std::int32_t any_odd = 0;
      for (std::int64_t t = issue * job.issue; t < std::min((issue + 1) * job.issue, job.k); ++t) {
        const Factor f = is_padding ? Factor{} : operand.factor(line, order[static_cast<std::size_t>(t)], unit_bits);
        if (!f.is_finite) any_odd = -1;
        if (f.significand != 0) least_exponent = std::min(least_exponent, f.exponent);
        words.data()[first_term + t * lanes] = f.significand & 0xFFFF;
        exponents.data()[first_term + t * lanes] = f.significand != 0 ? f.exponent : job.zero_operand_exponent;
      }
      least.data()[first_issue + issue * lanes] = least_exponent;
      odd.data()[first_issue + issue * lanes] = any_odd;
    }
  }
};

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
    const Scan& a = around_.a_cache().made<Scan>(0, [&] { return a_.scan(); });
    const Scan& b = around_.b_cache().made<Scan>(0, [&] { return b_.scan(); });
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

    const PackedProducts& packed_a = packed(around_.a_cache(), a_, a.bits.fraction + shifts->a, tile_.rows, 1);
    const PackedProducts& packed_b = packed(around_.b_cache(), b_, b.bits.fraction + shifts->b, width(), lanes_.lanes);
    job_.a = packed_a.words.data();
    job_.a_exponents = packed_a.exponents.data();
    job_.a_least = packed_a.least.data();
    job_.a_odd = packed_a.odd.data();
    job_.b = packed_b.words.data();
    job_.b_exponents = packed_b.exponents.data();
    job_.b_least = packed_b.least.data();
    job_.b_odd = packed_b.odd.data();
    run_lanes(is_staged ? lanes_.run_staged : lanes_.run);
    return true;
  }

  bool run_groups() {
    const GroupBits& a = around_.a_cache().made<GroupBits>(0, [&] { return group_bits(a_); });
    const GroupBits& b = around_.b_cache().made<GroupBits>(0, [&] { return group_bits(b_); });
    if (!too_wide_for_groups(level_, a, b).empty()) return false;
    const std::int64_t group = std::min(level_.group, tile_.k);
    job_.groups = (tile_.k + group - 1) / group;
    job_.groups_in_issue = (job_.issue + group - 1) / group;
    job_.words = (group + 1) / 2;
    job_.zero_operand_exponent = level_.zero_exponent.value_or(zero_operand);
    const PackedGroups& a_groups =
        around_.a_cache().made<PackedGroups>(a.unit, [&] { return PackedGroups(a_, a.unit, job_, group, tile_.rows, 1); });
    const PackedGroups& b_groups =
        around_.b_cache().made<PackedGroups>(b.unit, [&] { return PackedGroups(b_, b.unit, job_, group, width(), lanes_.lanes); });
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

  [[nodiscard]] const PackedProducts& packed(PackCache& cache, const FusedOperand& operand, int unit_bits, std::int64_t padded_lines,
                                             std::int64_t lanes) const {
    return cache.made<PackedProducts>(unit_bits,
                                      [&] { return PackedProducts(operand, unit_bits, job_, around_.order(), padded_lines, lanes); });
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
