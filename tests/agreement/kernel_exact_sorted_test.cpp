// The kernels of exact and of sorted sums against the interpreter.
#include <doctest/doctest.h>

#include <cmath>

#include "agree.h"

namespace {

using namespace accsim;
using namespace accsim::agreement;
using formats::Overflow;
using formats::Rounding;
using sim::LevelKind;

formats::RoundingSpec rounding(Generator& g, bool fixed) {
  formats::RoundingSpec spec;
  spec.mode = one_of(g, {Rounding::rne, Rounding::rna, Rounding::rz, Rounding::ru, Rounding::rd, Rounding::ro});
  if (fixed) spec.overflow = one_of(g, {Overflow::wrap, Overflow::saturate, Overflow::saturate_symmetric, Overflow::saturate_zero});
  else spec.overflow = one_of(g, {Overflow::ieee, Overflow::saturate});
  return spec;
}

/// Multiples of 2^-fraction of so many bits; many equal ones, zeros of both signs, pairs that cancel.
std::vector<double> operands(Generator& g, std::int64_t count, int bits, int fraction) {
  std::vector<double> values(static_cast<std::size_t>(count));
  const std::int64_t top = (std::int64_t{1} << (bits - 1)) - 1;
  const std::int64_t style = between(g, 0, 4);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::int64_t x = between(g, -top - 1, top);
    if (style == 1) x = between(g, 0, 1) != 0 ? top : -top - 1;
    if (style == 2) x = between(g, -2, 2);
    values[i] = std::ldexp(static_cast<double>(x), -fraction);
    if (style == 3 && i % 2 == 1) values[i] = -values[i - 1];
    if (style == 4 && between(g, 0, 9) != 0) values[i] = between(g, 0, 1) != 0 ? 0.0 : -0.0;
  }
  return values;
}

void size(Case& c, Generator& g) {
  c.rows = between(g, 1, 5);
  c.columns = between(g, 1, 9);
  c.k = one_of<std::int64_t>(g, {1, 2, 3, 5, 16, 33, 100, 257});
}

Case sorted_case(Generator& g) {
  Case c;
  size(c, g);
  const int fraction = static_cast<int>(between(g, 0, 1) * between(g, 0, 4));
  sim::Level l;
  l.kind = LevelKind::sorted;
  const int width = static_cast<int>(between(g, 4, 18));
  l.format = {"",
              formats::FixedFormat{
                  .width = width, .fraction_bits = fraction - static_cast<int>(between(g, 0, 2)), .is_signed = between(g, 0, 5) != 0},
              ""};
  l.format.name = formats::spelling(l.format);
  l.rounding = rounding(g, true);
  c.datapath.name = "random";
  c.datapath.levels.push_back(l);
  c.a = operands(g, c.rows * c.k, static_cast<int>(between(g, 2, 8)), fraction);
  c.b = operands(g, c.columns * c.k, static_cast<int>(between(g, 2, 8)), 0);
  return c;
}

Case exact_case(Generator& g) {
  Case c;
  size(c, g);
  sim::Datapath& d = c.datapath;
  d.name = "random";
  sim::Level l;
  l.kind = between(g, 0, 2) != 0 ? LevelKind::exact : LevelKind::exponent_bins;
  l.bin_width = 5;
  if (l.kind == LevelKind::exact && between(g, 0, 1) != 0) {
    l.with_accumulator = true;
    l.terms = between(g, 1, 20);
  }
  const bool fixed = between(g, 0, 2) == 0;
  l.format = formats::parse_format(fixed ? one_of(g, {"int16", "s12.3", "int32"}) : one_of(g, {"fp32", "fp16", "e4m3", "fp64", "bf16"}));
  l.rounding = rounding(g, fixed);
  if (between(g, 0, 2) == 0) {
    d.product.format = formats::parse_format(one_of(g, {"e4m3", "e5m2", "fp16", "int9"}));
    d.product.rounding = rounding(g, d.product.format->as_fixed() != nullptr);
  }
  d.levels.push_back(l);
  const int bits = static_cast<int>(d.product.format ? between(g, 2, 7) : between(g, 2, 45));
  c.a = operands(g, c.rows * c.k, bits, static_cast<int>(between(g, -3, 30)));
  c.b = operands(g, c.columns * c.k, bits, static_cast<int>(between(g, -3, 10)));
  if (between(g, 0, 3) == 0) start_from(c, operands(g, c.rows * c.columns, 20, 9));
  return c;
}

}  // namespace

TEST_CASE("the sorted kernel gives the interpreter's bits and counts") { agree(sorted_case, "sorted_", 200, 1.0 / 3); }
TEST_CASE("the exact kernel gives the interpreter's bits and counts") { agree(exact_case, "exact_", 200, 1.0 / 3); }
