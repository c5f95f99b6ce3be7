// Bit-sliced online units against the plain ones, digit by digit.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

#include "agreement.h"
#include "draw.h"
#include "operands.h"
#include "sim/kernels/sliced_online.h"
#include "sim/online/inner_product.h"

using namespace accsim;
using namespace accsim::sim;

namespace {

struct Random {
  explicit Random(unsigned seed) : engine(seed) {}
  int in(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine); }
  std::uint64_t word() { return std::uniform_int_distribution<std::uint64_t>()(engine); }
  std::mt19937_64 engine;
};

bool bit(const std::uint64_t* wire, int unit) { return (wire[unit / 64] >> (unit % 64) & 1U) != 0; }

int digit_at(const online::Unit& unit, const std::uint64_t* first, const std::uint64_t* second, const std::uint64_t* third, int at) {
  if (unit.radix == 2) return int{bit(first, at)} - int{bit(second, at)};
  return int{bit(first, at)} + 2 * int{bit(second, at)} - 4 * int{bit(third, at)};
}

/// One shape: random digits (zeros of radix 2 as (0,0) and (1,1)), two vectors at the unit's interval; some of the units are looked at.
void compare(const online::Unit& unit, kernels::Isa isa, Random& random) {
  kernels::SlicedInnerProduct sliced(unit, isa);
  const std::array<int, 4> looked_at = {0, 63, sliced.units() / 2, sliced.units() - 1};
  std::vector<online::InnerProduct> plain(looked_at.size(), online::InnerProduct(unit));
  for (online::InnerProduct& one : plain) one.reset();
  const auto terms = static_cast<std::size_t>(unit.terms);
  const int length = std::max(unit.a_digits, unit.b_digits);
  const int interval = unit.interval(unit.result_digits());
  const int y_bits = online::bits_per_digit(unit.radix) * unit.b_digits;
  // Bits of a random digit; radix 4 leaves -4 out.
  const auto draw = [&](auto&& wire_of, bool has_digits) {
    for (int w = 0; w < sliced.words(); ++w) {
      for (int wire = 0; wire < sliced.digit_wires(); ++wire) wire_of(wire)[w] = has_digits ? random.word() : 0;
      if (unit.radix == 4) wire_of(0)[w] |= wire_of(2)[w] & ~wire_of(1)[w];
    }
  };
  for (int cycle = 0; cycle < 2 * interval + unit.first_cycle(); ++cycle) {
    if (cycle == 0 || cycle == interval) {
      std::vector<std::vector<online::Int128>> y(looked_at.size(), std::vector<online::Int128>(terms));
      if (unit.multiplier == OnlineMultiplier::serial_parallel) {
        const bool is_signed = random.in(0, 1) == 1;
        for (std::size_t t = 0; t < terms; ++t) {
          for (int b = 0; b < y_bits; ++b)
            std::generate_n(sliced.parallel(static_cast<int>(t), b), sliced.words(), [&] { return random.word(); });
          std::uint64_t* const top = sliced.parallel(static_cast<int>(t), y_bits);
          if (is_signed) std::copy_n(sliced.parallel(static_cast<int>(t), y_bits - 1), sliced.words(), top);
          else std::fill_n(top, sliced.words(), 0);
          for (std::size_t u = 0; u < looked_at.size(); ++u) {
            for (int b = 0; b < y_bits; ++b) y[u][t] += online::Int128{bit(sliced.parallel(static_cast<int>(t), b), looked_at[u])} << b;
            y[u][t] -= online::Int128{bit(top, looked_at[u])} << y_bits;
          }
        }
      }
      sliced.start();
      for (std::size_t u = 0; u < looked_at.size(); ++u) plain[u].start(y[u]);
    }
    const bool has_digits = cycle % interval < length && cycle < 2 * interval;
    for (std::size_t t = 0; t < terms; ++t) {
      draw([&](int wire) { return sliced.x(static_cast<int>(t), wire); }, has_digits);
      if (unit.multiplier != OnlineMultiplier::serial_parallel)
        draw([&](int wire) { return sliced.y(static_cast<int>(t), wire); }, has_digits);
    }
    sliced.step();
    for (std::size_t u = 0; u < looked_at.size(); ++u) {
      std::vector<int> x(terms), y(terms);
      for (std::size_t t = 0; t < terms; ++t) {
        const int term = static_cast<int>(t);
        const int third = sliced.digit_wires() - 1;
        x[t] = digit_at(unit, sliced.x(term, 0), sliced.x(term, 1), sliced.x(term, third), looked_at[u]);
        if (unit.multiplier != OnlineMultiplier::serial_parallel)
          y[t] = digit_at(unit, sliced.y(term, 0), sliced.y(term, 1), sliced.y(term, third), looked_at[u]);
      }
      const int expected = plain[u].step(x, y);
      const int found = digit_at(unit, sliced.out(0), sliced.out(1), sliced.out(sliced.digit_wires() - 1), looked_at[u]);
      REQUIRE(found == expected);
    }
  }
}

}  // namespace

TEST_CASE("bit-sliced online units equal the plain ones digit by digit on every instruction set") {
  for (const kernels::Isa isa : {kernels::Isa::baseline, kernels::Isa::avx2, kernels::Isa::avx512}) {
    if (!kernels::host_has(isa)) continue;
    Random random(11);
    for (int i = 0; i < 120; ++i) {
      online::Unit unit;
      unit.radix = i < 60 ? 2 : 4;
      unit.multiplier = std::array{OnlineMultiplier::serial_parallel, OnlineMultiplier::serial_serial,
                                   OnlineMultiplier::integrated}[static_cast<std::size_t>(i % 3)];
      unit.terms = i % 60 < 12 ? i % 60 / 3 + 1 : random.in(1, 40);
      unit.a_digits = random.in(1, i < 60 ? 16 : 8);
      unit.b_digits = random.in(1, i < 60 ? 16 : 8);
      CAPTURE(name_of(isa));
      CAPTURE(i);
      compare(unit, isa, random);
    }
  }
}

TEST_CASE("online kernels equal the interpreter on random online datapaths, saved cycles included") {
  using namespace accsim::agreement;
  using accsim::formats::parse_format;
  int ran = 0;
  for (std::uint64_t seed = 1; seed <= 250; ++seed) {
    Draw draw(seed);
    Case c;
    sim::Datapath& d = c.datapath;
    d = sim::find_datapath("online_r2_int8");
    const auto operand = [&] {
      return parse_format((draw.chance(70) ? "s" : "u") + std::to_string(draw.integer(1, 16)) + "." + std::to_string(draw.integer(-2, 9)));
    };
    d.a.format = operand();
    d.b.format = operand();
    sim::Level& level = d.levels.front();
    level.radix = draw.of({2, 4});
    level.multiplier = draw.of({OnlineMultiplier::serial_parallel, OnlineMultiplier::serial_serial, OnlineMultiplier::integrated});
    if (draw.chance(50)) level.digits = draw.integer(1, 30);
    level.format = parse_format("s" + std::to_string(draw.integer(4, 40)) + "." + std::to_string(draw.integer(-2, 12)));
    using accsim::formats::Overflow;
    using accsim::formats::Rounding;
    level.rounding.mode = draw.of({Rounding::rne, Rounding::rz, Rounding::rna, Rounding::ru, Rounding::ro, Rounding::rd});
    level.rounding.overflow = draw.of({Overflow::wrap, Overflow::saturate, Overflow::saturate_symmetric, Overflow::saturate_zero});
    d.accumulator.last = draw.chance(20);
    if (draw.chance(20)) d.product.permute = {1, 0};
    check_datapath(d);
    draw_size(c, 1000, draw);
    if (draw.chance(30)) std::swap(c.rows, c.columns);
    fill_operands(c, distributions[seed % distributions.size()], Traced::int8, draw);
    if (d.accumulator.last) fill_accumulator(c, draw);
    const std::string what = disagreement(c, "online", ran);
    if (!what.empty()) FAIL_CHECK("seed " << seed << ": " << what);
  }
  CHECK(ran > 100);
}
