// The integer kernels against the interpreter: random fixed-point datapaths, adversarial operands, sizes around lanes and tiles.
#include <doctest/doctest.h>

#include "agree.h"

namespace {

using namespace accsim;
using namespace accsim::agreement;
using formats::Overflow;
using formats::Rounding;
using sim::LevelKind;

formats::Format fixed(int width, int fraction_bits, bool is_signed) {
  return {(is_signed ? "s" : "u") + std::to_string(width) + "." + std::to_string(fraction_bits),
          formats::FixedFormat{.width = width, .fraction_bits = fraction_bits, .is_signed = is_signed}, ""};
}

formats::RoundingSpec rounding(Generator& g) {
  formats::RoundingSpec spec;
  spec.mode = one_of(g, {Rounding::rne, Rounding::rna, Rounding::rz, Rounding::ru, Rounding::rd, Rounding::ro});
  spec.overflow = one_of(g, {Overflow::wrap, Overflow::saturate, Overflow::saturate_symmetric, Overflow::saturate_zero});
  return spec;
}

sim::Level level(Generator& g, bool simple, int fraction) {
  sim::Level l;
  l.kind =
      simple ? LevelKind::sequential : one_of(g, {LevelKind::sequential, LevelKind::sequential, LevelKind::tree, LevelKind::interleaved});
  const int width = static_cast<int>(between(g, 0, 3) == 0 ? between(g, 2, 64) : between(g, 8, 24));
  l.format = fixed(width, simple ? fraction : fraction - static_cast<int>(between(g, -2, 3)), between(g, 0, 5) != 0);
  l.rounding = rounding(g);
  if (between(g, 0, 1) != 0) l.terms = between(g, 1, 20);
  if (l.kind == LevelKind::tree) l.fan_in = static_cast<int>(between(g, 2, 5));
  if (l.kind == LevelKind::interleaved) {
    l.ways = between(g, 1, 6);
    l.combine = one_of(g, {sim::Combine::sequential, sim::Combine::tree});
  }
  return l;
}

std::vector<double> operands(Generator& g, std::int64_t lines, std::int64_t k, int bits, int fraction) {
  std::vector<double> values(static_cast<std::size_t>(lines * k));
  const std::int64_t top = (std::int64_t{1} << (bits - 1)) - 1;
  const std::int64_t style = between(g, 0, 5);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::int64_t x = 0;
    switch (style) {
      case 0: x = between(g, -top - 1, top); break;
      case 1: x = between(g, 0, 1) != 0 ? top : -top - 1; break;
      case 2: x = between(g, 0, 1) != 0 ? top : top - 1; break;  // one sign: to the ends and beyond
      case 3: x = i % 2 == 0 ? between(g, -top, top) : -static_cast<std::int64_t>(values[i - 1]); break;  // cancelling pairs
      case 4: x = between(g, 0, 3) != 0 ? 0 : between(g, -top - 1, top); break;
      default: x = between(g, -2, 2); break;
    }
    values[i] = static_cast<double>(x);
  }
  for (double& x : values) x = std::ldexp(x, -fraction);
  return values;
}

Case random_integer_sum(Generator& g) {
  Case c;
  const bool simple = between(g, 0, 1) != 0;
  const int bits_a = static_cast<int>(one_of<std::int64_t>(g, {8, 9, 4, between(g, 2, 16), between(g, 16, 31)}));
  const int bits_b = static_cast<int>(one_of<std::int64_t>(g, {8, 9, 4, between(g, 2, 16), between(g, 16, 31)}));
  const int fraction_a = simple ? 0 : static_cast<int>(between(g, -3, 4));
  const int fraction_b = simple ? 0 : static_cast<int>(between(g, -3, 4));
  sim::Datapath& d = c.datapath;
  d.name = "random";
  int fraction = fraction_a + fraction_b;
  if (!simple && between(g, 0, 2) == 0) {
    d.product.format = fixed(static_cast<int>(between(g, 2, 20)), fraction - static_cast<int>(between(g, -1, 4)), between(g, 0, 3) != 0);
    d.product.rounding = rounding(g);
    fraction = d.product.format->as_fixed()->fraction_bits;
  }
  if (between(g, 0, 3) == 0) {
    const std::int64_t length = between(g, 2, 7);
    for (std::int64_t i = 0; i < length; ++i) d.product.permute.push_back((i + 1) % length);
  }
  const std::int64_t levels = between(g, 1, 3);
  for (std::int64_t i = 0; i < levels; ++i) {
    d.levels.push_back(level(g, simple, fraction));
    fraction = d.levels.back().format.as_fixed()->fraction_bits;
  }
  if (between(g, 0, 4) == 0) {
    d.output.format = between(g, 0, 1) != 0 ? fixed(8, 0, true) : formats::parse_format("fp16");
    d.output.rounding.mode = Rounding::rne;
    d.output.shift = static_cast<int>(between(g, -3, 9));
  }
  d.accumulator.last = between(g, 0, 7) == 0;
  c.rows = between(g, 1, 9);
  c.columns = one_of<std::int64_t>(g, {1, 3, 4, 5, 8, 15, 16, 17, 33});
  c.k = one_of<std::int64_t>(g, {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 40, 65, 130});
  c.a = operands(g, c.rows, c.k, bits_a, fraction_a);
  c.b = operands(g, c.columns, c.k, bits_b, fraction_b);
  if (between(g, 0, 3) == 0) {
    std::vector<double> values(static_cast<std::size_t>(c.rows * c.columns));
    for (double& x : values) x = std::ldexp(static_cast<double>(between(g, -(1 << 20), 1 << 20)), -static_cast<int>(between(g, 0, 22)));
    start_from(c, values);
  }
  return c;
}

}  // namespace

TEST_CASE("integer kernels give the interpreter's bits and counts on random fixed-point datapaths") {
  agree(random_integer_sum, "integer_", 400, 0.5);
}
