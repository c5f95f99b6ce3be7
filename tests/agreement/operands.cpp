#include "operands.h"

#include <algorithm>
#include <limits>

namespace accsim::agreement {
namespace {

using formats::Format;
using sim::Datapath;

/// The exponents of the largest finite value and of the smallest normal that products and sums meet in a datapath.
struct Range {
  int high = 127, low = -126;
};
Range range_of(const Datapath& d) {
  Range range{1000, -1000};
  const auto see = [&](const Format& format) {
    const formats::Limits l = formats::limits(format);
    range.high = std::min(range.high, log2_floor(l.max_finite));
    range.low = std::max(range.low, format.as_fixed() != nullptr ? l.lsb_exponent : l.emin);
  };
  if (d.product.format) see(*d.product.format);
  for (const sim::Level& level : d.levels) see(level.rounded_format());
  return range;
}

Format traced_format(Traced traced) {
  switch (traced) {
    case Traced::binary32: return formats::parse_format("fp32");
    case Traced::binary16: return formats::parse_format("fp16");
    case Traced::int8: return formats::parse_format("int8");
    case Traced::binary64: return formats::parse_format("fp64");
  }
  return {};
}

/// One operand's numbers: a real is rounded into its format, saturating.
class Source {
 public:
  Source(const Format& format, Distribution distribution, const Range& range, Draw& draw)
      : rounder_(format, {.mode = formats::Rounding::rne, .stochastic = {}, .overflow = formats::Overflow::saturate, .underflow = {}}),
        limits_(formats::limits(format)),
        is_fixed_(format.as_fixed() != nullptr),
        distribution_(distribution),
        range_(range),
        draw_(draw) {}

  double next() { return in_format(real()); }
  double in_format(double x) const { return to_double(rounder_(formats::from_double<formats::UInt128>(x)).value); }
  [[nodiscard]] double unit() const { return std::ldexp(1.0, std::clamp(limits_.lsb_exponent, -300, 300)); }

 private:
  double real() {
    switch (distribution_) {
      case Distribution::normal:
      case Distribution::cancelling:
        return is_fixed_ ? draw_.normal() * std::ldexp(1.0, log2_floor(limits_.max_finite) - 1) : draw_.normal();
      case Distribution::heavy_tailed:
        return draw_.normal() * std::ldexp(1.0, draw_.integer(-24, 12) + (is_fixed_ ? limits_.lsb_exponent + 6 : 0));
      case Distribution::near_overflow: return draw_.normal() * std::ldexp(1.0, range_.high / 2 - draw_.integer(0, 3));
      case Distribution::subnormal_rich: return draw_.normal() * std::ldexp(1.0, (range_.low + draw_.integer(-9, 6)) / 2);
      case Distribution::special_values: return special();
      case Distribution::small_integers: return draw_.integer(-4, 4) * (is_fixed_ ? unit() : 1.0);
    }
    return 0;
  }
  double special() {
    switch (draw_.between(0, 11)) {
      case 0: return limits_.has_infinity ? std::numeric_limits<double>::infinity() : to_double(limits_.max_finite);
      case 1: return limits_.has_infinity ? -std::numeric_limits<double>::infinity() : to_double(limits_.min_finite);
      case 2: return limits_.has_nan ? std::nan("") : 0.0;
      case 3: return 0.0;
      case 4: return -0.0;
      case 5: return to_double(limits_.max_finite);
      case 6: return to_double(limits_.min_finite);
      case 7: return unit();
      default: return is_fixed_ ? draw_.normal() * std::ldexp(1.0, log2_floor(limits_.max_finite)) : draw_.normal();
    }
  }

  formats::Rounder rounder_;
  formats::Limits limits_;
  bool is_fixed_;
  Distribution distribution_;
  Range range_;
  Draw& draw_;
};

/// Makes every second term the negative of the one before.
void cancel(Case& c, const Source& a, const Source& b, Draw& draw) {
  const auto k = static_cast<std::size_t>(c.k);
  for (std::size_t i = 0; i + 1 < c.a.size(); ++i) {
    if (i % k % 2 == 0 && i % k + 1 < k) c.a[i + 1] = a.in_format(draw.chance(10) ? c.a[i] + a.unit() : c.a[i]);
  }
  for (std::size_t i = 0; i + 1 < c.b.size(); ++i) {
    if (i % k % 2 == 0 && i % k + 1 < k) c.b[i + 1] = b.in_format(-c.b[i]);
  }
}

/// Scales of blocks: any values that the scales' format has, about one, or where products reach the range's ends.
class ScaleSource {
 public:
  ScaleSource(const formats::BlockFormat& format, Distribution distribution, const Range& range, Draw& draw)
      : limits_(formats::limits(format.scale)),
        rounder_(format.scale,
                 {.mode = formats::Rounding::rne, .stochastic = {}, .overflow = formats::Overflow::saturate, .underflow = {}}),
        distribution_(distribution),
        range_(range),
        draw_(draw),
        is_narrow_(draw.chance(50)) {}

  double next() {
    if (distribution_ == Distribution::special_values && draw_.chance(10)) return std::nan("");
    if (draw_.chance(4)) return to_double(limits_.max_finite);
    if (draw_.chance(4)) return limits_.has_zero ? 0.0 : std::ldexp(1.0, limits_.lsb_exponent);
    const double significand = 1.0 + std::ldexp(static_cast<double>(draw_.between(0, 7)), -3);
    return to_double(rounder_(formats::from_double<formats::UInt128>(std::ldexp(significand, centre() + spread()))).value);
  }

 private:
  [[nodiscard]] int centre() const {
    if (distribution_ == Distribution::near_overflow) return range_.high / 2 - 3;
    if (distribution_ == Distribution::subnormal_rich) return range_.low / 2;
    return 0;
  }
  int spread() {
    if (distribution_ == Distribution::small_integers) return 0;
    if (distribution_ == Distribution::heavy_tailed && !is_narrow_) return draw_.integer(-127, 127);
    return draw_.integer(-3, 3);
  }

  formats::Limits limits_;
  formats::Rounder rounder_;
  Distribution distribution_;
  Range range_;
  Draw& draw_;
  bool is_narrow_;
};

/// Gives blocks their scales: the values so far are the elements.
void scale_blocks(const sim::Operand& operand, Distribution distribution, const Range& range, std::int64_t k, std::vector<double>& values,
                  BlockParts& parts, Draw& draw) {
  parts = {};
  if (!operand.block) return;
  ScaleSource source(*operand.block, distribution, range, draw);
  const std::size_t terms = static_cast<std::size_t>(k);
  const auto block = static_cast<std::size_t>(operand.block->block);
  for (std::size_t first = 0; first < values.size(); first += terms) {
    for (std::size_t t = 0; t < terms; t += block) {
      const double scale = source.next();
      const bool is_zero = draw.chance(5);
      parts.scales.push_back(scale);
      for (std::size_t i = first + t; i < first + std::min(t + block, terms); ++i) {
        if (is_zero) values[i] = std::copysign(0.0, values[i]);
        if (std::isnan(scale)) values[i] = scale;
      }
    }
  }
  parts.elements = values;
  const std::size_t blocks = (terms + block - 1) / block;
  for (std::size_t i = 0; i < values.size(); ++i) values[i] *= parts.scales[i / terms * blocks + i % terms / block];
}

}  // namespace

std::string_view name_of(Distribution distribution) {
  switch (distribution) {
    case Distribution::normal: return "normal";
    case Distribution::heavy_tailed: return "heavy-tailed";
    case Distribution::near_overflow: return "near overflow";
    case Distribution::subnormal_rich: return "subnormal-rich";
    case Distribution::special_values: return "special values";
    case Distribution::cancelling: return "cancelling";
    case Distribution::small_integers: return "small integers";
  }
  return "";
}

void fill_operands(Case& c, Distribution distribution, Traced traced, Draw& draw) {
  const auto format = [&](const sim::Operand& operand) {
    if (operand.block) return operand.block->element;
    return operand.format ? *operand.format : traced_format(traced);
  };
  const auto emin = [](const Format& f) { return f.as_float() != nullptr ? formats::limits(f).emin : -(1 << 24); };
  const Format format_a = format(c.datapath.a);
  const Format format_b = format(c.datapath.b);
  c.a_emin = emin(format_a);
  c.b_emin = emin(format_b);
  const Range range = range_of(c.datapath);
  // Special values in every term would make every sum NaN: they stand in one operand of some rows.
  Source a(format_a, distribution, range, draw);
  Source b(format_b, distribution == Distribution::special_values && draw.chance(50) ? Distribution::normal : distribution, range, draw);
  Source plain(format_a, Distribution::normal, range, draw);
  c.a.resize(static_cast<std::size_t>(c.rows * c.k));
  c.b.resize(static_cast<std::size_t>(c.columns * c.k));
  for (std::size_t i = 0; i < c.a.size(); ++i) {
    const bool special_row = distribution != Distribution::special_values || i / static_cast<std::size_t>(c.k) % 2 == 1;
    c.a[i] = special_row ? a.next() : plain.next();
  }
  for (double& x : c.b) x = b.next();
  if (distribution == Distribution::cancelling) cancel(c, a, b, draw);
  scale_blocks(c.datapath.a, distribution, range, c.k, c.a, c.a_blocks, draw);
  scale_blocks(c.datapath.b, distribution, range, c.k, c.b, c.b_blocks, draw);
}

void fill_accumulator(Case& c, Draw& draw) {
  const formats::Rounder rounder(c.datapath.accumulator_format(), c.datapath.accumulator_rounding());
  const Range range = range_of(c.datapath);
  c.accumulator.clear();
  for (std::int64_t i = 0; i < c.rows * c.columns; ++i) {
    const int low = std::max(range.low - 3, -900);
    const int exponent = draw.chance(60) ? 0 : draw.integer(low, std::max(low, std::min(range.high + 1, 900)));
    const double x = draw.chance(10) ? 0.0 : draw.normal() * std::ldexp(1.0, exponent);
    c.accumulator.push_back(rounder(formats::from_double<formats::UInt128>(x), static_cast<std::uint32_t>(draw.bits(4))).value);
  }
}

void draw_size(Case& c, std::int64_t macs, Draw& draw) {
  if (draw.chance(4)) {  // many blocks of rows, the last one short
    c.rows = draw.of<std::int64_t>({200, 257, 333, 700});
    c.columns = draw.of<std::int64_t>({1, 3, 9, 17, 33});
    c.k = draw.of<std::int64_t>({1, 2, 3, 5});
    while (c.rows * c.columns * c.k > macs && c.columns > 1) c.columns /= 2;
    while (c.rows * c.columns * c.k > macs && c.k > 1) c.k /= 2;
    return;
  }
  c.columns = draw.of<std::int64_t>({1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 100});
  c.rows = draw.of<std::int64_t>({1, 2, 3, 4, 5, 6, 7, 8, 9, 13});
  c.k = draw.of<std::int64_t>({1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 127, 129, 200});
  while (c.rows * c.columns * c.k > macs) {
    if (c.rows > 1) c.rows = (c.rows + 1) / 2;
    else if (c.columns > 17) c.columns -= 16;
    else c.k = (c.k + 1) / 2;
  }
}

}  // namespace accsim::agreement
