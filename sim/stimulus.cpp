#include "sim/stimulus.h"

#include <algorithm>

#include "formats/random.h"
#include "formats/round.h"

namespace accsim::sim {
namespace {

using formats::Code;
using formats::Exact;
using formats::Format;
using formats::NarrowExact;
using formats::Rounder;

constexpr formats::RoundingSpec nearest_rule{
    .mode = formats::Rounding::rne, .stochastic = {}, .overflow = formats::Overflow::saturate, .underflow = {}};

Exact binade(int exponent, bool negative = false) {
  return {.negative = negative, .nan = false, .infinite = false, .exponent = exponent, .significand = 1};
}

/// The nearest code, from a sum of any width.
Code nearest(const Exact& x, const Format& format) { return encode(narrowed(Rounder(format, nearest_rule)(x).value), format); }

int top_of(const Format& format) { return log2_floor(formats::limits(format).max_finite); }

/// Exponent of one: where the format's values are neither small nor large.
int middle_of(const Format& format) {
  const formats::Limits l = formats::limits(format);
  const int top = log2_floor(l.max_finite);
  return std::clamp(0, l.lsb_exponent, top);
}

void add_unique(std::vector<Code>& codes, Code code) {
  if (std::find(codes.begin(), codes.end(), code) == codes.end()) codes.push_back(code);
}

/// Zeros, the ends of the binades that matter, one and its neighbours, with both signs where there are.
std::vector<Code> corners_of(const Format& format) {
  const formats::Limits l = formats::limits(format);
  const Exact max = widened(l.max_finite);
  const Exact least = binade(l.lsb_exponent);
  const Exact one = binade(middle_of(format));
  const Exact ulp = binade(formats::spacing_exponent(format, one));
  std::vector<Exact> values{Exact::zero(), least, scaled(least, 1), one, sum(one, ulp), sum(one, negated(scaled(ulp, -1))), max};
  values.push_back(sum(max, negated(binade(formats::spacing_exponent(format, max)))));
  values.push_back(scaled(max, -1));
  values.push_back(binade(top_of(format)));
  if (format.as_fixed() == nullptr) {
    const Exact normal = widened(l.min_normal);
    values.push_back(normal);
    values.push_back(sum(normal, negated(least)));
    values.push_back(sum(normal, least));
  }
  std::vector<Code> codes;
  for (const Exact& x : values) {
    add_unique(codes, nearest(x, format));
    if (l.is_signed) add_unique(codes, nearest(negated(x), format));
  }
  add_unique(codes, encode(l.min_finite, format));
  return codes;
}

/// Infinities, NaN (in IEEE-style formats with every payload end and signalling), zeros; the extremes where a format has none of these.
std::vector<Code> specials_of(const Format& format) {
  const formats::Limits l = formats::limits(format);
  std::vector<Code> codes{encode(NarrowExact::zero(), format)};
  if (l.has_negative_zero) add_unique(codes, encode(NarrowExact::zero(true), format));
  if (l.has_infinity) {
    add_unique(codes, encode(NarrowExact::infinity(), format));
    if (l.is_signed) add_unique(codes, encode(NarrowExact::infinity(true), format));
  }
  if (l.has_nan) {
    const Code quiet = encode(NarrowExact::not_a_number(), format);
    add_unique(codes, quiet);
    const formats::FloatFormat* f = format.as_float();
    if (f != nullptr && f->specials == formats::Specials::ieee && f->fraction_bits > 0) {
      const Code sign = f->is_signed ? Code{1} << (f->exponent_bits + f->fraction_bits) : Code{0};
      const Code fraction = (Code{1} << f->fraction_bits) - 1;
      const Code field = ((Code{1} << f->exponent_bits) - 1) << f->fraction_bits;
      add_unique(codes, quiet | fraction);
      add_unique(codes, quiet | sign);
      if (f->fraction_bits > 1) {
        add_unique(codes, field | 1);
        add_unique(codes, sign | field | (fraction >> 1));
      }
    }
  }
  add_unique(codes, encode(l.max_finite, format));
  add_unique(codes, encode(l.min_finite, format));
  return codes;
}

}  // namespace

std::string_view name_of(StimulusClass kind) {
  switch (kind) {
    case StimulusClass::random: return "random";
    case StimulusClass::corners: return "corners";
    case StimulusClass::limits: return "limits";
    case StimulusClass::ties: return "ties";
    case StimulusClass::cancellation: return "cancellation";
    case StimulusClass::subnormals: return "subnormals";
    case StimulusClass::specials: return "specials";
    case StimulusClass::overflow: return "overflow";
  }
  return "";
}

/// The random choices of one row.
class Stimulus::Draw {
 public:
  Draw(const Stimulus& s, StimulusClass kind, std::uint64_t number)
      : s_(s),
        u_(s.unit_),
        kind_(kind),
        words_(s.seed_, {.output = number, .layer = 0x2000000, .pass = 3, .site = static_cast<std::uint32_t>(kind)}) {}

  StimulusRow row(std::optional<Code> given) {
    StimulusRow r;
    r.accumulator = given ? *given : u_.has_accumulator ? accumulator() : Code{0};
    if (u_.a_blocks) scales(*u_.a_blocks, r.a_scales, r.accumulator);
    if (u_.b_blocks) scales(*u_.b_blocks, r.b_scales, r.accumulator);
    const bool sparse = one_in(2);  // all products but the last are zero, so that its aim is exact
    for (int i = 0; i < u_.terms; ++i) {
      const bool is_last = i + 1 == u_.terms;
      if (is_last && aims()) {
        aim(r);
      } else if (!is_last && aims() && sparse) {
        r.a.push_back(nearest(Exact::zero(), u_.a));
        r.b.push_back(operand(u_.b, s_.corners_b_, s_.specials_b_));
      } else {
        r.a.push_back(operand(u_.a, s_.corners_a_, s_.specials_a_));
        r.b.push_back(operand(u_.b, s_.corners_b_, s_.specials_b_));
      }
    }
    if (kind_ == StimulusClass::specials) {  // at least one
      const std::size_t i = below(static_cast<std::uint32_t>(u_.terms));
      if (one_in(2)) r.a[i] = from(s_.specials_a_);
      else r.b[i] = from(s_.specials_b_);
    }
    return r;
  }

 private:
  std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>((std::uint64_t{words_.next()} * n) >> 32); }
  std::uint32_t below(std::size_t n) { return below(static_cast<std::uint32_t>(n)); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }
  int between(int low, int high) { return low >= high ? low : low + static_cast<int>(below(static_cast<std::uint32_t>(high - low + 1))); }
  Code from(const std::vector<Code>& codes) { return codes[below(codes.size())]; }

  [[nodiscard]] bool aims() const {
    return kind_ == StimulusClass::ties || kind_ == StimulusClass::cancellation || kind_ == StimulusClass::overflow ||
           kind_ == StimulusClass::subnormals;
  }

  /// A finite code, all alike.
  Code uniform(const Format& format) {
    const int bits = code_bits(format);
    for (;;) {
      Code code = 0;
      for (int i = 0; i < bits; i += 32) code = (code << 32) | words_.next();
      if (bits < 128) code &= (Code{1} << bits) - 1;
      if (decode(code, format).is_finite()) return code;
    }
  }

  /// A value whose leading bit is at `exponent`, with a random significand of some length.
  Exact of_binade(const Format& format, int exponent) {
    const int bits = between(1, std::min(formats::limits(format).precision, 31));
    const std::uint32_t significand = (1U << (bits - 1)) | (words_.next() & ((1U << (bits - 1)) - 1));
    Exact x = binade(exponent - bits + 1, one_in(2));
    x.significand = significand;
    return x;
  }

  Code any(const Format& format) {
    if (one_in(2)) return uniform(format);
    const int spread = format.as_fixed() != nullptr ? top_of(format) - formats::limits(format).lsb_exponent : 6;
    const int middle = format.as_fixed() != nullptr ? formats::limits(format).lsb_exponent + spread / 2 : middle_of(format);
    return nearest(of_binade(format, between(middle - (spread + 1) / 2, middle + (spread + 1) / 2)), format);
  }

  Code low(const Format& format) {
    const formats::Limits l = formats::limits(format);
    if (format.as_fixed() != nullptr) return nearest(of_binade(format, between(l.lsb_exponent - 1, l.lsb_exponent + 2)), format);
    return nearest(of_binade(format, between(l.lsb_exponent - 1, log2_floor(l.min_normal) + 1)), format);
  }

  Code operand(const Format& format, const std::vector<Code>& corners, const std::vector<Code>& specials) {
    switch (kind_) {
      case StimulusClass::corners: return one_in(2) ? from(corners) : any(format);
      case StimulusClass::limits: return from(corners);
      case StimulusClass::subnormals: return one_in(2) ? low(format) : any(format);
      case StimulusClass::specials: return one_in(4) ? from(specials) : any(format);
      case StimulusClass::random:
      case StimulusClass::ties:
      case StimulusClass::cancellation:
      case StimulusClass::overflow: break;
    }
    return any(format);
  }

  Code accumulator() {
    switch (kind_) {
      case StimulusClass::corners: return one_in(2) ? from(s_.corners_c_) : any(u_.in);
      case StimulusClass::limits: return from(s_.corners_c_);
      case StimulusClass::specials: return one_in(3) ? from(s_.specials_c_) : any(u_.in);
      case StimulusClass::subnormals: return one_in(4) ? nearest(Exact::zero(), u_.in) : low(u_.in);
      case StimulusClass::overflow: {
        const formats::Limits l = formats::limits(u_.in);
        const Exact end = widened(one_in(2) && l.is_signed ? l.min_finite : l.max_finite);
        if (end.is_zero()) return any(u_.in);
        return nearest(one_in(3) ? end : product(end, sum(binade(0), of_binade(u_.in, between(-l.precision, -1)))), u_.in);
      }
      case StimulusClass::ties:
      case StimulusClass::cancellation: return one_in(4) ? any(u_.in) : within_reach();
      case StimulusClass::random: break;
    }
    return any(u_.in);
  }

  /// Scales, each a code of its format that is not negative.
  void scales(const formats::BlockFormat& blocks, std::vector<Code>& codes, Code accumulator) {
    const formats::Limits l = formats::limits(blocks.scale);
    const int top = log2_floor(l.max_finite);
    const std::vector<NarrowExact> ends{l.max_finite, decode(1, blocks.scale), NarrowExact{.exponent = 0, .significand = 1}, l.min_normal};
    for (int first = 0; first < u_.terms; first += blocks.block) {
      if (aims()) {
        codes.push_back(nearest(binade(std::clamp(aimed_scale(accumulator) + between(-1, 1), l.lsb_exponent, top)), blocks.scale));
      } else if (kind_ == StimulusClass::limits || (kind_ == StimulusClass::corners && one_in(2))) {
        codes.push_back(one_in(5) ? Code{0} : encode(ends[below(ends.size())], blocks.scale));
      } else if (kind_ == StimulusClass::specials && one_in(8)) {
        codes.push_back(one_in(2) ? encode(NarrowExact::not_a_number(), blocks.scale) : Code{0});
      } else if (one_in(3)) {
        codes.push_back(nearest(magnitude(widened(decode(uniform(blocks.scale), blocks.scale))), blocks.scale));
      } else {
        codes.push_back(nearest(binade(std::clamp(between(-4, 4), l.lsb_exponent, top)), blocks.scale));
      }
    }
  }

  /// The exponent of a scale that takes products of ordinary elements, half of the way where both operands have scales, to the class's aim.
  [[nodiscard]] int aimed_scale(Code accumulator) const {
    const formats::Limits out = formats::limits(u_.out);
    const int ordinary = middle_of(u_.a) + middle_of(u_.b);
    int aim = ordinary;
    if (kind_ == StimulusClass::overflow) aim = log2_floor(out.max_finite);
    else if (kind_ == StimulusClass::subnormals) aim = out.lsb_exponent;
    else if (u_.has_accumulator && decode(accumulator, u_.in).is_nonzero_finite())
      aim = std::min(log2_floor(decode(accumulator, u_.in)), ordinary + out.precision);
    const int other = u_.a_blocks && u_.b_blocks ? 2 : 1;
    return (aim - ordinary) / other;
  }

  /// The values of operands, with their scales.
  static Exact scaled_value(const std::vector<Code>& codes, const std::vector<Code>& scales, const Format& format,
                            const std::optional<formats::BlockFormat>& blocks, std::size_t i) {
    const Exact element = widened(decode(codes[i], format));
    return blocks ? product(element, scale_of(scales, *blocks, i)) : element;
  }
  static Exact scale_of(const std::vector<Code>& scales, const formats::BlockFormat& blocks, std::size_t i) {
    return widened(decode(scales[i / static_cast<std::size_t>(blocks.block)], blocks.scale));
  }

  /// An accumulator of the magnitude of products near the middle of their range.
  Code within_reach() {
    const int middle = middle_of(u_.a) + middle_of(u_.b);
    const int reach = std::min(formats::limits(u_.in).precision, top_of(u_.a) + top_of(u_.b) - middle);
    return nearest(of_binade(u_.in, between(middle - 2, middle + reach)), u_.in);
  }

  /// The last product, so that the row's sum becomes what the class is after.
  void aim(StimulusRow& r) {
    Exact before = widened(decode(r.accumulator, u_.in));
    for (std::size_t i = 0; i < r.a.size(); ++i) {
      before =
          sum(before, product(scaled_value(r.a, r.a_scales, u_.a, u_.a_blocks, i), scaled_value(r.b, r.b_scales, u_.b, u_.b_blocks, i)));
    }
    if (!before.is_finite()) before = Exact::zero();
    Exact wanted = target(before);
    if (u_.a_blocks) wanted = scaled(wanted, -log2_floor(scale_of(r.a_scales, *u_.a_blocks, r.a.size())));
    if (u_.b_blocks) wanted = scaled(wanted, -log2_floor(scale_of(r.b_scales, *u_.b_blocks, r.a.size())));
    factor(wanted, r);
  }

  Exact target(const Exact& before) {
    const formats::Limits l = formats::limits(u_.out);
    const Exact kept = widened(Rounder(u_.out, nearest_rule)(before).value);
    const Exact ulp = binade(formats::spacing_exponent(u_.out, kept), one_in(2) && l.is_signed);
    switch (kind_) {
      case StimulusClass::ties: {
        Exact t = sum(sum(kept, negated(before)), sum(scaled(ulp, -1), multiple(ulp, between(0, 3))));
        if (one_in(2)) t = sum(t, scaled(ulp, -between(2, l.precision + 4)));
        return t;
      }
      case StimulusClass::cancellation: return sum(negated(one_in(2) ? before : kept), multiple(ulp, between(0, 2)));
      case StimulusClass::overflow: {
        const Exact end = widened(before.negative && l.is_signed ? l.min_finite : l.max_finite);
        Exact step = binade(formats::spacing_exponent(u_.out, end), before.negative);
        if (one_in(3)) step.negative = !step.negative;
        return sum(sum(end, negated(before)), one_in(3) ? Exact::zero() : scaled(step, -between(-1, 2)));
      }
      case StimulusClass::subnormals: {
        const int least = u_.out.as_fixed() != nullptr ? l.lsb_exponent : log2_floor(l.min_normal);
        return of_binade(u_.out, between(least - l.precision - 2, least + 1));
      }
      case StimulusClass::random:
      case StimulusClass::corners:
      case StimulusClass::limits:
      case StimulusClass::specials: break;
    }
    return before;
  }

  static Exact multiple(const Exact& x, int n) { return n == 0 ? Exact::zero(x.negative) : product(x, whole(n)); }
  static Exact whole(int n) {
    Exact x = binade(0);
    x.significand = n;
    return x;
  }

  /// target = a * b with a a power of two where the formats reach that far.
  void factor(const Exact& target, StimulusRow& r) {
    if (!target.is_nonzero_finite()) {
      r.a.push_back(nearest(Exact::zero(), u_.a));
      r.b.push_back(any(u_.b));
      return;
    }
    const formats::Limits la = formats::limits(u_.a);
    const formats::Limits lb = formats::limits(u_.b);
    const int at = log2_floor(target);
    const int b_low = lb.lsb_exponent + (u_.b.as_fixed() != nullptr ? 0 : lb.precision - 1);
    const int low = std::max(la.lsb_exponent, at - top_of(u_.b));
    const int high = std::min(top_of(u_.a), at - b_low);
    const int exponent = low <= high ? between(low, high) : std::clamp((low + high) / 2, la.lsb_exponent, top_of(u_.a));
    const bool negative = la.is_signed && (!lb.is_signed ? target.negative : one_in(2));
    Exact b = scaled(target, -exponent);
    if (negative) b = negated(b);
    r.a.push_back(nearest(binade(exponent, negative), u_.a));
    r.b.push_back(nearest(b, u_.b));
  }

  const Stimulus& s_;
  const StimulusUnit& u_;
  StimulusClass kind_;
  formats::PhiloxStream words_;
};

Stimulus::Stimulus(StimulusUnit unit, std::uint64_t seed)
    : unit_(std::move(unit)),
      seed_(seed),
      corners_a_(corners_of(unit_.a)),
      corners_b_(corners_of(unit_.b)),
      corners_c_(corners_of(unit_.in)),
      specials_a_(specials_of(unit_.a)),
      specials_b_(specials_of(unit_.b)),
      specials_c_(specials_of(unit_.in)) {}

StimulusRow Stimulus::row(StimulusClass kind, std::uint64_t number, std::optional<Code> accumulator) const {
  return Draw(*this, kind, number).row(accumulator);
}

}  // namespace accsim::sim
