#include "random_datapath.h"

#include "formats/error.h"

namespace accsim::agreement {
namespace {

using formats::FloatFormat;
using formats::Format;
using formats::RoundingSpec;
using formats::Specials;
using sim::Datapath;
using sim::Level;
using sim::LevelKind;

Format named(const Format& shape) {
  Format format = shape;
  format.name = formats::spelling(format);
  return format;
}

Format random_float(Draw& draw, int most_exponent, int most_fraction) {
  if (draw.chance(35)) {
    return formats::parse_format(
        draw.of<const char*>({"fp32", "fp16", "bf16", "tf32", "lba_fp12", "sr_fp12", "e4m3", "e5m2", "e3m2", "fp64"}));
  }
  FloatFormat f;
  f.exponent_bits = draw.integer(2, most_exponent);
  f.fraction_bits = draw.integer(0, most_fraction);
  f.bias = draw.chance(70) ? (1 << (f.exponent_bits - 1)) - 1 : draw.integer(0, (1 << f.exponent_bits) - 1);
  f.specials = draw.of({Specials::ieee, Specials::ieee, Specials::none, Specials::fn, Specials::fnuz});
  if (f.specials != Specials::none && f.fraction_bits == 0) f.fraction_bits = 1;
  f.subnormals = draw.chance(70);
  f.lowest_binade = !f.subnormals && f.specials == Specials::none;
  return named({"", f, ""});
}

Format random_fixed(Draw& draw, int most_width, bool is_integer) {
  formats::FixedFormat f;
  f.width = draw.integer(2, most_width);
  f.fraction_bits = is_integer ? 0 : draw.integer(-4, f.width);
  f.is_signed = draw.chance(90);
  return named({"", f, ""});
}

RoundingSpec random_rounding(Draw& draw, const Format& format) {
  using formats::Overflow;
  using formats::Rounding;
  RoundingSpec spec;
  spec.mode = draw.of(
      {Rounding::rne, Rounding::rne, Rounding::rz, Rounding::rz, Rounding::rna, Rounding::ru, Rounding::rd, Rounding::ro, Rounding::sr});
  if (spec.mode == Rounding::sr) {
    using formats::StochasticKind;
    spec.stochastic.bits = draw.integer(1, draw.chance(80) ? 14 : 32);
    spec.stochastic.kind = draw.of({StochasticKind::a, StochasticKind::a, StochasticKind::b, StochasticKind::c, StochasticKind::below});
    if (draw.chance(50)) spec.stochastic.philox_seed = draw.bits(8);
    if (draw.chance(25)) {
      const int width = draw.integer(2, 24);
      spec.stochastic.lfsr = formats::LfsrSpec{.width = width,
                                               .mask = (draw.bits(3) | 1) & ((1ULL << width) - 1),
                                               .seed = draw.bits(3) & ((1ULL << width) - 1),
                                               .form = draw.of({formats::LfsrForm::galois, formats::LfsrForm::fibonacci}),
                                               .step = draw.of({formats::LfsrStep::right, formats::LfsrStep::left}),
                                               .share = formats::LfsrShare::pe};
      spec.stochastic.bits = std::min(spec.stochastic.bits, width);
    }
  }
  if (format.as_fixed() != nullptr) {
    if (draw.chance(80))
      spec.overflow = draw.of({Overflow::wrap, Overflow::saturate, Overflow::saturate_symmetric, Overflow::saturate_zero});
  } else {
    if (draw.chance(50))
      spec.overflow = draw.of({Overflow::ieee, Overflow::saturate, Overflow::nan, Overflow::infinity, Overflow::ones_tail});
    if (draw.chance(25)) spec.underflow = draw.of({formats::Underflow::gradual, formats::Underflow::flush, formats::Underflow::none});
  }
  return spec;
}

/// The keys of a staged sum, those that the lanes take more often.
void stage(Level& level, Draw& draw) {
  level.terms = draw.integer(1, draw.chance(80) ? 16 : 40);
  level.fraction_bits = draw.chance(80) ? draw.integer(10, 26) : draw.integer(0, 40);
  level.align = draw.of({sim::Align::rz, sim::Align::rz, sim::Align::rd});
  if (draw.chance(30)) level.zero_operand_exponent = draw.chance(50) ? -126 : draw.integer(-150, 20);
  level.subsets = draw.of({1, 1, 2, 2, 3, draw.integer(1, 10)});
  level.sum_fraction_bits = draw.chance(80) ? level.fraction_bits + draw.integer(0, 12) : draw.integer(0, 50);
  if (draw.chance(60)) level.result_fraction_bits = draw.chance(80) ? draw.integer(8, 34) : draw.integer(0, 60);
  level.join_align = draw.of({sim::Align::rd, sim::Align::rd, sim::Align::rz});
  level.drop_far_accumulator = draw.chance(40);
  if (draw.chance(30)) level.issues = draw.integer(1, 8);
}

Level random_level(Draw& draw, bool is_fixed, bool is_integer) {
  Level level;
  level.kind = draw.of({LevelKind::sequential, LevelKind::sequential, LevelKind::sequential, LevelKind::tree, LevelKind::interleaved,
                        LevelKind::fused_sum, LevelKind::fused_sum, LevelKind::ordered_sum, LevelKind::staged_sum, LevelKind::exact,
                        LevelKind::sorted});
  level.format = is_fixed ? random_fixed(draw, draw.chance(80) ? 32 : 70, is_integer) : random_float(draw, 8, 23);
  level.rounding = random_rounding(draw, level.format);
  if (level.rounding.mode == formats::Rounding::sr && level.kind != LevelKind::fused_sum && draw.chance(20))
    level.rounding.stochastic.kind = formats::StochasticKind::eager;
  if (draw.chance(60)) level.terms = draw.integer(1, draw.chance(70) ? 16 : 70);
  if (level.kind == LevelKind::interleaved) {
    level.ways = draw.integer(1, 8);
    level.combine = draw.of({sim::Combine::sequential, sim::Combine::tree, sim::Combine::coalesce});
  }
  if (level.kind == LevelKind::tree) level.fan_in = draw.of({2, 2, 3, 4, 8});
  if (level.kind == LevelKind::fused_sum) {
    level.fraction_bits = draw.integer(0, draw.chance(80) ? 30 : 70);
    level.align = draw.of({sim::Align::rz, sim::Align::rd});
    if (draw.chance(30)) level.zero_exponent = draw.integer(-150, 20);
    else if (draw.chance(20)) level.zero_operand_exponent = draw.chance(50) ? -126 : draw.integer(-150, 20);
    level.normalize_products = draw.chance(20);
  }
  if (level.kind == LevelKind::ordered_sum) {
    level.terms = draw.integer(1, 5);
    const int additions = draw.chance(50) ? static_cast<int>(*level.terms) : 1;
    for (int i = 0; i < additions; ++i) level.addition_fraction_bits.push_back(draw.integer(0, draw.chance(50) ? 61 : 24));
    level.product_integer_bits = draw.integer(1, 2);
    level.sticky = draw.chance(70);
    level.align = draw.of({sim::Align::rz, sim::Align::rd});
    if (level.sticky && draw.chance(50)) level.forget_sticky_below = draw.integer(1, 24);
    level.foresees_sign = draw.chance(50);
    if (draw.chance(30)) level.issues = draw.integer(1, 8);
  }
  if (level.kind == LevelKind::staged_sum) stage(level, draw);
  if (level.kind == LevelKind::exact && draw.chance(50)) {
    level.width = draw.integer(2, 128);
    level.lsb = draw.integer(-80, 4);
  }
  if (level.kind == LevelKind::fused_sum || level.kind == LevelKind::exact) {
    level.with_accumulator = draw.chance(60);
    if (level.with_accumulator && !level.terms) level.terms = draw.integer(1, 32);
    if (level.with_accumulator && draw.chance(30)) level.issues = draw.integer(1, 8);
  }
  return level;
}

/// MX and NVFP4, blocks of any length.
formats::BlockFormat random_block(Draw& draw) {
  std::string text = draw.of<const char*>({"mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e3m2", "mxfp6_e2m3", "mxfp4", "mxint8", "nvfp4", "nvfp4"});
  if (text != "nvfp4" && draw.chance(60)) text += ":block=" + std::to_string(draw.of({1, 2, 4, 8, 16, 16, 64}));
  return formats::parse_block_format(text);
}

sim::Operand random_operand(Draw& draw, bool is_fixed) {
  sim::Operand operand;
  if (!is_fixed && draw.chance(20)) {
    operand.block = random_block(draw);
    return operand;
  }
  if (is_fixed) operand.format = draw.chance(60) ? formats::parse_format("int8") : random_fixed(draw, 17, true);
  else if (draw.chance(60)) operand.format = random_float(draw, 5, 10);
  return operand;
}

/// Makes the innermost level a scaled sum, whose groups have to divide the operands' blocks.
void sum_in_groups(Datapath& d, Draw& draw) {
  Level& level = d.levels.front();
  level = {};
  level.kind = LevelKind::scaled_sum;
  level.group = draw.of<std::int64_t>({1, 2, 3, 8, 16, 16, 32});
  level.terms = level.group * draw.integer(1, 6);
  level.fraction_bits = draw.chance(80) ? draw.integer(20, 40) : draw.integer(0, 60);
  level.align = draw.of({sim::Align::rz, sim::Align::rz, sim::Align::rd});
  level.with_accumulator = draw.chance(80);
  if (draw.chance(50)) level.zero_exponent = draw.chance(50) ? -139 : draw.integer(-150, 20);
  level.format = random_float(draw, 8, 23);
  level.rounding.mode = draw.of({formats::Rounding::rz, formats::Rounding::rz, formats::Rounding::rne, formats::Rounding::rd});
  if (level.with_accumulator && draw.chance(30)) level.issues = draw.integer(1, 4);
  d.product = {};
  for (sim::Operand* const operand : {&d.a, &d.b}) {
    if (draw.chance(70) || (operand->block && operand->block->rule == formats::ScaleRule::nvfp4)) {
      *operand = {};
      operand->block = random_block(draw);
    }
    if (operand->block && operand->block->rule != formats::ScaleRule::nvfp4)
      operand->block->block = static_cast<int>(level.group) * draw.integer(1, 3);
  }
}

Datapath attempt(Draw& draw) {
  Datapath d;
  d.name = "random";
  const bool is_fixed = draw.chance(35);
  const bool is_integer = is_fixed && draw.chance(80);
  d.a = random_operand(draw, is_fixed);
  d.b = draw.chance(60) ? d.a : random_operand(draw, is_fixed);
  if (!is_integer && draw.chance(40)) {
    d.product.format = is_fixed ? random_fixed(draw, 24, false) : random_float(draw, 8, 23);
    d.product.rounding = random_rounding(draw, *d.product.format);
  }
  if (draw.chance(5)) d.product.permute = draw.chance(50) ? std::vector<std::int64_t>{1, 0} : std::vector<std::int64_t>{0, 2, 4, 1, 3};
  const int levels = draw.of({1, 1, 1, 2, 2, 3});
  for (int i = 0; i < levels; ++i) {
    if (i > 0 && draw.chance(50)) {
      Level again = d.levels.back();
      again.terms.reset();
      if (!takes_accumulator(again) || !has_issues(again.kind)) {
        d.levels.push_back(again);
        continue;
      }
    }
    d.levels.push_back(random_level(draw, is_fixed, is_integer));
  }
  if (d.levels.front().kind == LevelKind::staged_sum && !d.product.format && draw.chance(50)) d.product.range = random_float(draw, 8, 23);
  if (!is_fixed && draw.chance(10)) sum_in_groups(d, draw);
  if (draw.chance(10)) d.accumulator.last = true;
  if (!is_fixed && draw.chance(10)) d.flush_subnormals = d.accumulator.flush_subnormals = true;
  if (draw.chance(15)) {
    d.output.format = is_fixed ? random_fixed(draw, 32, false) : random_float(draw, 8, 23);
    d.output.rounding = random_rounding(draw, *d.output.format);
    if (draw.chance(50)) d.output.shift = draw.integer(-4, 12);
  }
  check_datapath(d);
  return d;
}

}  // namespace

Datapath random_datapath(Draw& draw) {
  for (int tries = 0; tries < 20; ++tries) {
    try {
      return attempt(draw);
    } catch (const InputError&) {
      // A combination that is refused; the next draws make another.
    }
  }
  Datapath plain;
  plain.name = "plain";
  plain.levels.emplace_back().format = formats::parse_format("fp16");
  return plain;
}

}  // namespace accsim::agreement
