// One tile through the fused-sum lanes: operands taken apart and packed, lanes, back.
#include "sim/kernels/fused_sum_run.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "sim/kernels/issue_tile.h"
#include "sim/kernels/lane_memory.h"

namespace accsim::sim::kernels {
namespace {

using formats::Rounding;

/// An operand's values taken apart.
struct Scan {
  int fraction_bits = 0;
  int least = 1 << 20;  ///< exponent of the smallest nonzero one
  bool in_range = true;
};
struct Parts {
  bool odd = false;  ///< not finite
  bool negative = false;
  std::uint64_t significand = 0;
  int exponent = 0;  ///< that it is aligned by
  int unit = 0;      ///< exponent of the significand's last bit
};
Parts parts_of(double value, int emin) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const int field = static_cast<int>((bits >> 52) & 0x7FF);
  Parts p;
  p.negative = (bits >> 63) != 0;
  p.odd = field == 0x7FF;
  p.significand = bits & 0xFFFFFFFFFFFFFULL;
  if (field != 0) p.significand |= 1ULL << 52;
  p.unit = std::max(field, 1) - 1075;
  p.exponent = std::max(field - 1023, emin);
  return p;
}
Scan scan(std::span<const double> values, int emin) {
  Scan s;
  for (const double value : values) {
    const Parts p = parts_of(value, emin);
    if (p.odd || p.significand == 0) continue;
    s.fraction_bits = std::max(s.fraction_bits, p.exponent - p.unit - std::countr_zero(p.significand));
    s.least = std::min(s.least, p.exponent);
    s.in_range &= std::abs(p.exponent) <= operand_exponent_limit;
  }
  return s;
}

class FusedRun {
 public:
  FusedRun(const FusedLanes& lanes, const Datapath& datapath, const Tile& tile, TileResult& result)
      : lanes_(lanes), tile_(tile), level_(datapath.levels.front()), around_(datapath, tile, result) {}

  /// False where the tile turns out not to be covered.
  bool run() {
    const Scan a = scan(around_.a(), tile_.a_emin);
    const Scan b = scan(around_.b(), tile_.b_emin);
    const std::optional<Shifts> shifts = shifts_for(level_.fraction_bits, a.fraction_bits, b.fraction_bits);
    if (!shifts || !a.in_range || !b.in_range) return false;
    describe(*shifts, a, b);
    const std::int64_t lanes = lanes_.lanes;
    const std::int64_t width = job_.panels * lanes;
    if (!around_.take_initial(width, exponent_limit)) return false;

    const LaneMemory<std::int32_t> a_words(tile_.rows * tile_.k), a_exponents(tile_.rows * tile_.k);
    const LaneMemory<std::int32_t> a_least(tile_.rows * job_.issues), a_odd(tile_.rows * job_.issues);
    const LaneMemory<std::int32_t> b_words(width * tile_.k), b_exponents(width * tile_.k);
    const LaneMemory<std::int32_t> b_least(width * job_.issues), b_odd(width * job_.issues);
    for (std::int64_t row = 0; row < tile_.rows; ++row) {
      pack(around_.a().subspan(at(row * tile_.k), at(tile_.k)), tile_.a_emin, a.fraction_bits, shifts->a, 1,
           {a_words.data() + row * tile_.k, a_exponents.data() + row * tile_.k, a_least.data() + row * job_.issues,
            a_odd.data() + row * job_.issues});
    }
    const std::vector<double> zeros(at(tile_.k));
    for (std::int64_t column = 0; column < width; ++column) {
      const std::int64_t panel = column / lanes;
      const std::int64_t lane = column % lanes;
      pack(column < tile_.columns ? around_.b().subspan(at(column * tile_.k), at(tile_.k)) : std::span<const double>(zeros), tile_.b_emin,
           b.fraction_bits, shifts->b, lanes,
           {b_words.data() + panel * tile_.k * lanes + lane, b_exponents.data() + panel * tile_.k * lanes + lane,
            b_least.data() + panel * job_.issues * lanes + lane, b_odd.data() + panel * job_.issues * lanes + lane});
    }
    std::vector<double> values(at(job_.sums * tile_.rows * width));
    std::vector<char> overflowed(at(tile_.rows * width));
    job_.a = a_words.data();
    job_.a_exponents = a_exponents.data();
    job_.a_least = a_least.data();
    job_.a_odd = a_odd.data();
    job_.b = b_words.data();
    job_.b_exponents = b_exponents.data();
    job_.b_least = b_least.data();
    job_.b_odd = b_odd.data();
    job_.initial = around_.initial();
    job_.values = values.data();
    job_.overflowed = overflowed.data();
    job_.slow = [](void* context, std::int64_t row, std::int64_t column, std::int64_t issue, double accumulator, IssueOutcome& outcome) {
      static_cast<const IssueTile*>(context)->one_issue(row, column, issue, accumulator, outcome);
    };
    job_.context = &around_;
    lanes_.run(job_);
    around_.fill(values, overflowed, width, job_.counts);
    return true;
  }

 private:
  static std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

  void describe(const Shifts& shifts, const Scan& a, const Scan& b) {
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
    job_.base = shifts.base;
    job_.floors = level_.align == Align::rd;
    const auto largest = [](const Scan& s, int shift) { return ((std::int64_t{1} << (s.fraction_bits + 1)) - 1) << shift; };
    const std::int64_t product = ((largest(a, shifts.a) * largest(b, shifts.b)) >> std::min(shifts.base, 31)) + 1;
    job_.flush = 16;
    while (job_.flush > ((std::int64_t{1} << 31) - 1) / product || job_.flush >= 2 * job_.issue) job_.flush /= 2;
    job_.window = std::min(29, 31 - std::countr_zero(static_cast<std::uint64_t>(job_.flush)));
    job_.accumulator_emin = formats::limits(level_.format).emin;
    job_.zeros_count = level_.zero_exponent && (*level_.zero_exponent > a.least + b.least || *level_.zero_exponent > job_.accumulator_emin);
    job_.zero_exponent = level_.zero_exponent.value_or(0);
    job_.precision = rounded.precision;
    job_.to_nearest = level_.rounding.mode == Rounding::rne;
    job_.min_normal = std::bit_cast<std::int64_t>(to_double(rounded.min_normal));
    job_.max_finite = std::bit_cast<std::int64_t>(to_double(rounded.max_finite));
  }

  struct Places {
    std::int32_t *words, *exponents, *least, *odd;
  };
  void pack(std::span<const double> line, int emin, int fraction_bits, int shift, std::int64_t stride, Places to) const {
    for (std::int64_t issue = 0; issue < job_.issues; ++issue) {
      std::int32_t least = 1 << 20;
      std::int32_t odd = 0;
      for (std::int64_t t = issue * job_.issue; t < std::min((issue + 1) * job_.issue, tile_.k); ++t) {
        const Parts p = parts_of(line[at(around_.order()[at(t)])], emin);
        std::int32_t word = 0;
        std::int32_t exponent = zero_operand;
        if (p.odd) {
          odd = -1;
        } else if (p.significand != 0) {
          const auto magnitude = static_cast<std::int32_t>(p.significand >> (p.exponent - fraction_bits - p.unit) << shift);
          word = (p.negative ? -magnitude : magnitude) & 0xFFFF;
          exponent = p.exponent;
          least = std::min(least, exponent);
        }
        to.words[t * stride] = word;
        to.exponents[t * stride] = exponent;
      }
      to.least[issue * stride] = least;
      to.odd[issue * stride] = odd;
    }
  }

  const FusedLanes& lanes_;
  const Tile& tile_;
  const Level& level_;
  IssueTile around_;
  FusedJob job_;
};

}  // namespace

std::optional<Shifts> shifts_for(int fraction_bits, int fraction_a, int fraction_b) {
  if (fraction_a > 14 || fraction_b > 14) return std::nullopt;
  const int left = fraction_bits - fraction_a - fraction_b;
  if (left <= 0) return Shifts{.base = -left};
  const int a = std::min(left, 14 - fraction_a);
  if (left - a > 14 - fraction_b) return std::nullopt;
  return Shifts{.a = a, .b = left - a};
}

bool run_fused_sum(const FusedLanes& lanes, const Datapath& datapath, const Tile& tile, TileResult& result) {
  if (tile.k < 1 || tile.a_blocks.block != 0 || tile.b_blocks.block != 0) return false;
  return FusedRun(lanes, datapath, tile, result).run();
}

}  // namespace accsim::sim::kernels
