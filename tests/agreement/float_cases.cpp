// Random float datapaths with operands that look for trouble.
#include <algorithm>
#include <cmath>

#include "float_cases.h"

namespace accsim::agreement {
namespace {

using formats::Format;
using formats::Overflow;
using formats::Rounding;
using formats::RoundingSpec;
using formats::Underflow;

class Maker {
 public:
  explicit Maker(std::mt19937_64& random) : random_(random) {}

  Case make() {
    Case c;
    c.seed = random_();
    c.layer = static_cast<std::uint32_t>(below(100));
    c.pass = static_cast<std::uint32_t>(below(3));
    const bool binary64 = one_in(8);
    if (binary64) make_binary64(c.datapath);
    else if (one_in(2)) make_datapath(c.datapath);
    else make_uniform(c.datapath);
    const std::int64_t edges[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65};
    c.rows = one_in(6) ? edges[below(17)] : 1 + below(9);
    c.columns = one_in(3) ? edges[below(17)] : 1 + below(40);
    c.k = one_in(2) ? 1 + below(12) : 1 + below(70);
    if (one_in(100)) {  // many blocks of rows, the last one short
      c.rows = 200 + below(500);
      c.columns = 1 + below(70);
      c.k = 1 + below(8);
    }
    c.a = binary64 ? long_operands(c.rows * c.k) : operands(c.rows * c.k);
    c.b = binary64 ? long_operands(c.columns * c.k) : operands(c.columns * c.k);
    if (one_in(5)) cancel(c);
    if (one_in(4)) c.first_output = (std::int64_t{1} << 33) + below(1000);
    if (one_in(3)) c.elements = 1 + below(20);
    if (one_in(8)) {
      c.datapath.output.format = format();
      c.datapath.output.rounding = rounding(*c.datapath.output.format);
      if (one_in(2)) c.datapath.output.shift = static_cast<int>(below(17)) - 8;
    }
    if (one_in(8)) c.datapath.accumulator.last = true;
    c.datapath.accumulator.flush_subnormals = one_in(8);
    c.datapath.flush_subnormals = one_in(8);
    if (c.datapath.flush_subnormals) {
      c.a_emin = static_cast<int>(below(24)) - 20;
      c.b_emin = static_cast<int>(below(24)) - 20;
    }
    if (one_in(4)) make_accumulator(c);
    return c;
  }

 private:
  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(n)); }
  bool one_in(std::int64_t n) { return below(n) == 0; }

  Format format() {
    static const char* names[] = {"e5m10",
                                  "e8m7",
                                  "e4m3",
                                  "e4m3:specials=ieee",
                                  "e5m2",
                                  "e3m4",
                                  "e6m5",
                                  "e8m10",
                                  "e8m23",
                                  "e4m7:bias=10,specials=none,subnormals=off",
                                  "e4m7:bias=12,specials=none,subnormals=off",
                                  "e6m9",
                                  "dlfloat16",
                                  "e4m3fnuz",
                                  "e5m2fnuz",
                                  "binary8p4se",
                                  "binary8p3sf",
                                  "e2m3",
                                  "e7m16",
                                  "e5m10:subnormals=off",
                                  "e8m23:subnormals=off",
                                  "e6m5:specials=fn",
                                  "binary12p6se",
                                  "e5m14",
                                  "e4m1",
                                  "e8m20",
                                  "e2m1"};
    if (one_in(4)) {
      const std::int64_t exponent = 2 + below(7);
      const std::int64_t fraction = 1 + below(one_in(3) ? 23 : 12);
      return formats::parse_format("e" + std::to_string(exponent) + "m" + std::to_string(fraction));
    }
    return formats::parse_format(names[below(std::size(names))]);
  }

  RoundingSpec rounding(const Format& f) {
    RoundingSpec spec;
    const Rounding modes[] = {Rounding::rne, Rounding::rna, Rounding::rz, Rounding::ru, Rounding::rd, Rounding::ro, Rounding::sr};
    spec.mode = one_in(2) ? modes[below(2) * 2] : modes[below(7)];
    if (spec.mode == Rounding::sr) {
      spec.stochastic.bits = one_in(4) ? static_cast<int>(1 + below(32)) : static_cast<int>(1 + below(14));
      const formats::StochasticKind kinds[] = {formats::StochasticKind::a, formats::StochasticKind::b, formats::StochasticKind::c,
                                               formats::StochasticKind::below};
      spec.stochastic.kind = kinds[below(4)];
      if (one_in(4)) spec.stochastic.philox_seed = random_();
      if (one_in(3)) {
        formats::LfsrSpec lfsr;
        lfsr.width = static_cast<int>(1 + below(32));
        const std::uint64_t all = (std::uint64_t{1} << lfsr.width) - 1;
        lfsr.mask = random_() & all;
        lfsr.seed = random_() & all;
        lfsr.form = one_in(2) ? formats::LfsrForm::galois : formats::LfsrForm::fibonacci;
        lfsr.step = one_in(2) ? formats::LfsrStep::right : formats::LfsrStep::left;
        spec.stochastic.lfsr = lfsr;
        spec.stochastic.philox_seed.reset();
      }
    }
    if (one_in(2)) {
      const Overflow modes_of_overflow[] = {Overflow::ieee,      Overflow::saturate, Overflow::nan,
                                            Overflow::propagate, Overflow::infinity, Overflow::ones_tail};
      spec.overflow = modes_of_overflow[below(limits(f).has_nan ? 6 : 2)];
    }
    if (one_in(3)) {
      const Underflow modes_of_underflow[] = {Underflow::flush, Underflow::none, Underflow::gradual};
      spec.underflow = modes_of_underflow[below(f.as_float()->subnormals ? 3 : 2)];
    }
    return spec;
  }

  /// Some stochastic roundings of sums become those of eager adders.
  void make_eager(RoundingSpec& spec) {
    if (spec.mode == Rounding::sr && one_in(4)) spec.stochastic.kind = formats::StochasticKind::eager;
  }

  void make_datapath(sim::Datapath& d) {
    d.name = "random";
    if (one_in(2)) {
      d.product.format = format();
      d.product.rounding = rounding(*d.product.format);
    }
    if (one_in(5)) {
      d.product.permute.resize(static_cast<std::size_t>(1 + below(9)));
      for (std::size_t i = 0; i < d.product.permute.size(); ++i) d.product.permute[i] = static_cast<std::int64_t>(i);
      std::shuffle(d.product.permute.begin(), d.product.permute.end(), random_);
    }
    const std::int64_t levels = one_in(2) ? 1 : 1 + below(4);
    const Format shared = format();
    const RoundingSpec shared_rounding = rounding(shared);
    const bool sharing = one_in(2);
    for (std::int64_t i = 0; i < levels; ++i) {
      sim::Level l;
      const std::int64_t kind = below(6);
      l.kind = kind < 4 ? sim::LevelKind::sequential : kind == 4 ? sim::LevelKind::tree : sim::LevelKind::interleaved;
      if (l.kind == sim::LevelKind::interleaved) {
        l.ways = 1 + below(6);
        l.combine = static_cast<sim::Combine>(below(3));
      }
      if (i + 1 < levels || one_in(3)) l.terms = 1 + below(one_in(2) ? 4 : 17);
      l.format = sharing ? shared : format();
      l.rounding = sharing ? shared_rounding : rounding(l.format);
      make_eager(l.rounding);
      d.levels.push_back(l);
    }
    sim::check_datapath(d);
  }

  /// Sequential levels that round alike: what the fast loops are for.
  void make_uniform(sim::Datapath& d) {
    d.name = "uniform";
    Format sum = format();
    RoundingSpec spec;
    if (one_in(3)) spec.overflow = one_in(2) ? Overflow::saturate : Overflow::ieee;
    switch (below(6)) {
      case 0: {
        spec.mode = Rounding::rz;
        spec.underflow = Underflow::flush;
        d.product.format = one_in(2) ? sum : format();
        if (one_in(2)) {  // short sums that saturate, of products that reach further down, as 12-bit accumulators have them
          spec.overflow = Overflow::saturate;
          const std::int64_t exponent_bits = 3 + below(3);
          const std::int64_t bias = (1 << (exponent_bits - 1)) + below(7);
          const auto brief = [&](std::int64_t fraction_bits, std::int64_t with_bias) {
            return formats::parse_format("e" + std::to_string(exponent_bits) + "m" + std::to_string(fraction_bits) +
                                         ":bias=" + std::to_string(with_bias) + ",specials=none,subnormals=" + (one_in(2) ? "on" : "off"));
          };
          sum = brief(1 + below(7), bias);
          d.product.format = brief(1 + below(7), bias + below(4));
        }
        d.product.rounding = spec;
        break;
      }
      case 1: break;
      case 2: {
        spec = rounding(sum);
        spec.mode = Rounding::sr;
        if (spec.stochastic.bits == 0) spec.stochastic.bits = static_cast<int>(1 + below(13));
        break;
      }
      case 3: sum = formats::parse_format(one_in(2) ? "e8m23" : "e5m10"); break;
      default:
        spec = rounding(sum);
        if (!one_in(3)) {
          d.product.format = one_in(2) ? sum : format();
          d.product.rounding = rounding(*d.product.format);
        }
    }
    if (spec.mode != Rounding::rz && one_in(6)) spec.underflow = Underflow::flush;
    const std::int64_t levels = 1 + below(3);
    for (std::int64_t i = 0; i < levels; ++i) {
      sim::Level l;
      if (i + 1 < levels) l.terms = 1 + below(one_in(2) ? 4 : 17);
      l.format = i > 0 && !spec.underflow && !spec.overflow && one_in(6) ? format() : sum;
      l.rounding = spec;
      make_eager(l.rounding);
      d.levels.push_back(l);
    }
    if (one_in(5)) {  // matrix units of multipliers and adders in pairs
      d.levels.resize(2, d.levels.back());
      d.levels[0].kind = sim::LevelKind::tree;
      d.levels[0].terms = std::int64_t{1} << (1 + below(3));
      d.levels[1].terms.reset();
    }
    sim::check_datapath(d);
  }

  /// Sums of binary64, or of nearly its precision, of exact products.
  void make_binary64(sim::Datapath& d) {
    d.name = "binary64";
    const std::int64_t levels = 1 + below(3);
    for (std::int64_t i = 0; i < levels; ++i) {
      sim::Level l;
      if (i + 1 < levels) l.terms = 1 + below(one_in(2) ? 4 : 17);
      l.format = formats::parse_format(one_in(8) ? "e11m51" : one_in(8) ? "e11m50" : "fp64");
      if (one_in(6)) l.rounding.mode = one_in(2) ? Rounding::rz : Rounding::rd;
      if (one_in(4)) l.rounding.overflow = one_in(2) ? Overflow::saturate : Overflow::infinity;
      if (one_in(6)) l.rounding.underflow = one_in(2) ? Underflow::flush : Underflow::none;
      d.levels.push_back(l);
    }
    sim::check_datapath(d);
  }

  double normal() { return std::normal_distribution<double>(0, 1)(random_); }

  /// One tensor: a precision, a spread of exponents, zeros, sometimes infinities and NaN.
  std::vector<double> operands(std::int64_t count) {
    const int bits = one_in(3) ? 24 : static_cast<int>(1 + below(14));
    const int centre = one_in(2) ? 0 : static_cast<int>(below(31)) - 20;
    const int spread = one_in(3) ? 0 : static_cast<int>(below(one_in(4) ? 60 : 12));
    const std::int64_t zeros = one_in(2) ? 0 : 1 + below(5);
    const std::int64_t specials = one_in(12) ? 1 + below(60) : 0;
    const bool constant = one_in(20);
    const bool far = one_in(40);
    std::vector<double> values(static_cast<std::size_t>(count));
    for (double& x : values) {
      x = normal();
      int exponent = 0;
      x = std::frexp(x, &exponent);
      x = std::ldexp(std::trunc(std::ldexp(x, bits)),
                     exponent - bits + centre + (spread > 0 ? static_cast<int>(below(spread)) - spread / 2 : 0));
      if (far && one_in(4)) x = std::ldexp(x, static_cast<int>(below(200)) - 100);
      if (constant) x = values.front();
      if (zeros > 0 && one_in(1 + zeros)) x = std::copysign(0.0, x);
      if (specials > 0 && one_in(specials)) x = one_in(3) ? std::nan("") : std::copysign(HUGE_VAL, x);
    }
    return values;
  }

  /// Significands of up to 53 bits about one binade, at times about the ends of the range.
  std::vector<double> long_operands(std::int64_t count) {
    const int bits = one_in(2) ? 53 : static_cast<int>(1 + below(53));
    const int centre = one_in(2) ? 0 : static_cast<int>(one_in(2) ? below(40) - 560 : one_in(2) ? below(1080) - 540 : 480 + below(40));
    const int spread = one_in(3) ? 1 : static_cast<int>(1 + below(one_in(4) ? 60 : 12));
    const std::int64_t zeros = one_in(2) ? 0 : 1 + below(5);
    const bool far = one_in(20);
    std::vector<double> values(static_cast<std::size_t>(count));
    for (double& x : values) {
      const double significand = std::ldexp(static_cast<double>((random_() >> (64 - bits)) | (std::uint64_t{1} << (bits - 1))), -bits);
      x = std::ldexp(one_in(2) ? significand : -significand, centre + static_cast<int>(below(spread)));
      if (far && one_in(4)) x = std::ldexp(x, static_cast<int>(below(1000)) - 500);
      if (zeros > 0 && one_in(1 + zeros)) x = std::copysign(0.0, x);
    }
    return values;
  }

  /// The second half of each row undoes the first.
  void cancel(Case& c) {
    for (std::int64_t r = 0; r < c.rows; ++r) {
      for (std::int64_t k = c.k / 2; k + 1 < c.k; k += 2)
        c.a[static_cast<std::size_t>(r * c.k + k + 1)] = -c.a[static_cast<std::size_t>(r * c.k + k)];
    }
    for (std::int64_t r = 0; r < c.columns; ++r) {
      for (std::int64_t k = c.k / 2; k + 1 < c.k; k += 2)
        c.b[static_cast<std::size_t>(r * c.k + k + 1)] = c.b[static_cast<std::size_t>(r * c.k + k)];
    }
  }

  void make_accumulator(Case& c) {
    const formats::Rounder rounder(c.datapath.accumulator_format(), c.datapath.accumulator_rounding());
    const std::vector<double> values = operands(c.rows * c.columns);
    for (const double x : values)
      c.accumulator.push_back(rounder(formats::from_double<formats::UInt128>(x), static_cast<std::uint32_t>(random_())).value);
  }

  std::mt19937_64& random_;
};

}  // namespace

Case random_float_case(std::mt19937_64& random) { return Maker(random).make(); }

}  // namespace accsim::agreement
