// The worked examples of reference/online.md, digit by digit, and what must hold for any operands.
#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "sim/online/inner_product.h"

using namespace accsim::sim;
using namespace accsim::sim::online;

namespace {

using Digits = std::vector<int>;

/// Residual w in units of 1/denominator.
bool is_fraction(const Residual& residual, int numerator, int denominator) {
  return residual.value() * denominator == Int128{numerator} << residual.fraction_bits();
}

Int128 integer_of(const Digits& digits, int radix) {
  Int128 value = 0;
  for (const int digit : digits) value = value * radix + digit;
  return value;
}

struct Random {
  explicit Random(unsigned seed) : engine(seed) {}
  int in(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine); }
  std::mt19937 engine;
};

Unit unit_of(int radix, OnlineMultiplier multiplier, int terms, int a_digits, int b_digits) {
  return {.radix = radix, .multiplier = multiplier, .terms = terms, .a_digits = a_digits, .b_digits = b_digits};
}

constexpr std::array multipliers = {OnlineMultiplier::serial_parallel, OnlineMultiplier::serial_serial, OnlineMultiplier::integrated};

}  // namespace

TEST_CASE("the radix-2 adder gives the worked example with every register, clock by clock (online.md 2)") {
  const Digits x = {1, 0, -1, 1, 1, 0, 1, -1, 0, 0, 0};
  const Digits y = {0, 1, 1, -1, 1, 1, -1, 1, 0, 0, 0};
  // Registers before the edge, g' y-' w', and the combinational z of the same clock, which the output register shows behind the edge.
  const std::vector<std::array<int, 3>> registers = {{0, 0, 0}, {1, 0, 1}, {1, 0, 0}, {0, 0, 1}, {1, 1, 1},
                                                     {0, 0, 1}, {1, 0, 1}, {1, 1, 0}, {0, 0, 0}, {0, 0, 0}};
  const Digits z = {0, 1, -1, 1, 0, 1, 1, -1, 0, 0};
  const Digits t = {0, 0, 1, 0, 1, 0, 0, 1, 0, 0};
  Radix2Adder adder;
  for (std::size_t cycle = 0; cycle < z.size(); ++cycle) {
    CAPTURE(cycle + 1);
    const Radix2AdderState before = adder.state();
    CHECK(int{before.g} == registers[cycle][0]);
    CHECK(int{before.y_minus} == registers[cycle][1]);
    CHECK(int{before.w} == registers[cycle][2]);
    const Wires out = adder.step(wires_of(x[cycle]), wires_of(y[cycle]));
    CHECK(out == Wires{before.w, t[cycle] == 1});
    CHECK(out.digit() == z[cycle]);
    CHECK(adder.state().z == out);
  }
}

TEST_CASE("the radix-2 adder is exact for every encoding of three digits, and needs one zero pair between streams") {
  for (int code = 0; code < 4096; ++code) {
    Radix2Adder adder;
    int sum = 0, result = 0;
    for (int i = 0; i < 5; ++i) {
      const int bits = i < 3 ? code >> (4 * i) & 15 : 0;
      const Wires x{(bits & 1) != 0, (bits & 2) != 0};
      const Wires y{(bits & 4) != 0, (bits & 8) != 0};
      if (i < 3) sum = 2 * sum + x.digit() + y.digit();
      const int z = adder.step(x, y).digit();
      if (i > 0) result = 2 * result + z;
      else CHECK(z == 0);
    }
    CHECK(result == sum);
  }
  // Streams of 8 digits at an interval of 9 clocks are sums of their own; at 8 some are not (online.md 2).
  for (const int interval : {8, 9}) {
    Random random(1);
    Digits x(30 * 9 + 6), y(x.size()), out;
    std::vector<int> sums;
    for (int k = 0; k < 30; ++k) {
      Digits xs(8), ys(8);
      for (int i = 0; i < 8; ++i) {
        xs[static_cast<std::size_t>(i)] = x[static_cast<std::size_t>(k * interval + i)] = random.in(-1, 1);
        ys[static_cast<std::size_t>(i)] = y[static_cast<std::size_t>(k * interval + i)] = random.in(-1, 1);
      }
      sums.push_back(static_cast<int>(integer_of(xs, 2) + integer_of(ys, 2)));
    }
    Radix2Adder adder;
    for (std::size_t c = 0; c < x.size(); ++c) out.push_back(adder.step(wires_of(x[c]), wires_of(y[c])).digit());
    int wrong = 0;
    for (int k = 0; k < 30; ++k) {
      const auto first = out.begin() + k * interval + 1;
      wrong += integer_of(Digits(first, first + 9), 2) != sums[static_cast<std::size_t>(k)];
    }
    CHECK((wrong == 0) == (interval == 9));
  }
}

TEST_CASE("the radix-4 adder gives the worked example and keeps to its digits (online.md 2)") {
  RadixAdder adder(4, 3);
  const Digits x = {3, -2, 1, -3, 0}, y = {1, -3, 3, -1, 0}, z = {1, -1, 0, -1, 0};
  for (std::size_t i = 0; i < z.size(); ++i) CHECK(adder.step(x[i], y[i]) == z[i]);
  Random random(2);
  for (int round = 0; round < 300; ++round) {
    adder.reset();
    Digits xs, ys, zs;
    for (int i = 0; i < 10; ++i) {
      xs.push_back(random.in(-3, 3));
      ys.push_back(random.in(-3, 3));
      zs.push_back(adder.step(xs.back(), ys.back()));
      CHECK(std::abs(zs.back()) <= 3);
    }
    zs.push_back(adder.step(0, 0));
    CHECK(integer_of(zs, 4) == integer_of(xs, 4) + integer_of(ys, 4));
  }
}

TEST_CASE("the serial-serial multiplier gives the worked example (online.md 3.1)") {
  const Digits x = {1, 1, 0, -1, 1, 0, 1, -1, 0, 0, 0}, y = {1, 0, 1, 1, -1, 1, 0, 1, 0, 0, 0};
  const Digits quarters = {0, 0, 1, 3, -1, -1, -2, -2, -4, 2, -4};
  const Digits z = {0, 0, 0, 1, 0, 0, 0, 0, -1, 1, -1};
  const std::vector<std::array<int, 2>> w = {{1, 16},    {3, 16},      {15, 32},    {-7, 128},   {-29, 256}, {-35, 256},
                                             {-97, 512}, {-763, 2048}, {261, 1024}, {-251, 512}, {5, 256}};
  SerialSerial multiplier(unit_of(2, OnlineMultiplier::serial_serial, 1, 8, 8));
  for (std::size_t c = 0; c < z.size(); ++c) {
    CAPTURE(c);
    CHECK(multiplier.step({&x[c], 1}, {&y[c], 1}) == z[c]);
    CHECK(multiplier.residual().estimate() == quarters[c]);
    CHECK(is_fraction(multiplier.residual(), w[c][0], w[c][1]));
  }
}

TEST_CASE("the serial-parallel multiplier gives the worked example (online.md 3.2)") {
  const Digits x = {1, 1, 0, -1, 1, 0, 1, -1, 0, 0};
  const Digits quarters = {0, 0, 1, 3, -2, -3, 3, -1, -1, -2};
  const Digits z = {0, 0, 0, 1, 0, -1, 1, 0, 0, 0};
  const std::vector<std::array<int, 2>> w = {{77, 1024}, {231, 1024}, {231, 512},  {-177, 1024}, {-277, 1024},
                                             {235, 512}, {-7, 1024},  {-91, 1024}, {-91, 512},   {-91, 256}};
  SerialParallel multiplier(unit_of(2, OnlineMultiplier::serial_parallel, 1, 8, 8));
  multiplier.start(77);
  for (std::size_t c = 0; c < z.size(); ++c) {
    CAPTURE(c);
    CHECK(multiplier.step(x[c]) == z[c]);
    CHECK(multiplier.residual().estimate() == quarters[c]);
    CHECK(is_fraction(multiplier.residual(), w[c][0], w[c][1]));
  }
}

TEST_CASE("delays of integrated and cascaded inner products are those of online.md 4") {
  const std::vector<std::array<int, 3>> rows = {{1, 3, 3},   {4, 5, 7},   {8, 6, 9},   {9, 6, 11},
                                                {16, 7, 11}, {25, 8, 13}, {32, 8, 13}, {64, 9, 15}};
  for (const auto& [terms, integrated, cascade] : rows) {
    CHECK(unit_of(2, OnlineMultiplier::integrated, terms, 8, 8).recurrence_delay() == integrated);
    CHECK(unit_of(2, OnlineMultiplier::serial_serial, terms, 8, 8).first_cycle() - 1 == cascade);
  }
  // 9 terms of 8 bits: 2 + 2*4 + (16 + 4) = 30; 32 streams of 8 digits through the tree alone: 2*5 + 8 + 5 = 23.
  const Unit nine = unit_of(2, OnlineMultiplier::serial_parallel, 9, 8, 8);
  CHECK(nine.cycles(nine.result_digits()) == 30);
  CHECK(nine.interval(nine.result_digits()) == 20);
  const Unit thirty_two = unit_of(2, OnlineMultiplier::serial_parallel, 32, 4, 4);
  CHECK(thirty_two.cycles(thirty_two.result_digits()) - thirty_two.recurrence_delay() == 23);
  CHECK(thirty_two.interval(thirty_two.result_digits()) == 13);
}

TEST_CASE("on-the-fly conversion is exact at every prefix, and QM is one less") {
  Random random(3);
  for (const int radix : {2, 4}) {
    for (int round = 0; round < 200; ++round) {
      OnTheFly number(radix);
      Digits seen;
      for (int i = 0; i < 20; ++i) {
        seen.push_back(random.in(1 - radix, radix - 1));
        number.append(seen.back());
        CHECK(number.q() == integer_of(seen, radix));
        CHECK(number.qm() == number.q() - 1);
      }
    }
  }
}

TEST_CASE("the digits of integers have their value") {
  for (int x = -8; x < 16; ++x) {
    if (x < 8) CHECK(integer_of(digits_of(x, 4, 2, true), 2) == x);
    if (x < 8) CHECK(integer_of(digits_of(x, 2, 4, true), 4) == x);
    if (x >= 0) CHECK(integer_of(digits_of(x, 4, 2, false), 2) == x);
    if (x >= 0) CHECK(integer_of(digits_of(x, 2, 4, false), 4) == x);
  }
  CHECK(digits_of(-8, 4, 2, true) == Digits{-1, 0, 0, 0});
  CHECK(digits_of(-1, 2, 4, true) == Digits{-1, 3});
}

TEST_CASE("random inner products are exact, prefixes are close, and early detection fires for negative sums only") {
  const char* factor = std::getenv("ACCSIM_ONLINE_CASES");
  const int cases = factor != nullptr ? std::atoi(factor) : 1500;
  Random random(4);
  for (int i = 0; i < cases; ++i) {
    const int radix = i % 4 == 3 ? 4 : 2;
    const OnlineMultiplier multiplier = multipliers[static_cast<std::size_t>(i) / 4 % 3];
    const int terms = random.in(1, 64), a_digits = random.in(4, 16) / (radix / 2), b_digits = random.in(4, 16) / (radix / 2);
    const bool a_signed = random.in(0, 1) == 0, b_signed = random.in(0, 2) != 0;
    const bool at_limits = random.in(0, 9) == 0;
    const auto draw = [&](int digits, bool is_signed) {
      const int bits = digits * bits_per_digit(radix);
      const int low = is_signed ? -(1 << (bits - 1)) : 0;
      const int high = low + (1 << bits) - 1;
      return at_limits ? (random.in(0, 3) == 0 ? low : high) : random.in(low, high);
    };
    std::vector<Int128> a, b;
    Int128 exact = 0;
    for (int t = 0; t < terms; ++t) {
      a.push_back(draw(a_digits, a_signed));
      b.push_back(draw(b_digits, b_signed));
      exact += a.back() * b.back();
    }
    CAPTURE(i);
    CAPTURE(terms);
    InnerProduct unit(unit_of(radix, multiplier, terms, a_digits, b_digits));
    const int digits = unit.unit().result_digits();
    const Stream all = run_inner_product(unit, a, b, a_signed, b_signed, digits);
    REQUIRE(all.value == exact);
    CHECK((all.end_cycle != 0) == (exact < 0));
    const auto tree_levels = multiplier == OnlineMultiplier::integrated ? 0 : ceil_log2(terms);
    if (multiplier == OnlineMultiplier::integrated) CHECK(all.cycles == unit.unit().recurrence_delay() + a_digits + b_digits);
    else CHECK(all.cycles == unit.unit().recurrence_delay() + adder_delay(radix) * tree_levels + a_digits + b_digits + tree_levels);
    const int kept = random.in(1, digits);
    const Stream some = run_inner_product(unit, a, b, a_signed, b_signed, kept);
    CHECK(some.digits == Digits(all.digits.begin(), all.digits.begin() + kept));
    CHECK((some.end_cycle == 0 || some.end_cycle == all.end_cycle));
    // What digits further on can add: less than one unit of the last one kept.
    const Int128 unit_of_last = Int128{1} << (bits_per_digit(radix) * (digits - kept));
    const Int128 error = exact - some.value * unit_of_last;
    CHECK(error < unit_of_last);
    CHECK(-error < unit_of_last);
  }
}

TEST_CASE("vectors stream through a unit at its interval, and not one clock faster") {
  for (const OnlineMultiplier multiplier : {OnlineMultiplier::serial_parallel, OnlineMultiplier::serial_serial}) {
    for (const int radix : {2, 4}) {
      for (const int terms : {4, 9, 32}) {
        const Unit shape = unit_of(radix, multiplier, terms, 4, 4);
        const int least = shape.interval(shape.result_digits());
        for (const int interval : {least, least - 1}) {
          Random random(5);
          constexpr int vectors = 30;
          InnerProduct unit(shape);
          unit.reset();
          std::vector<Int128> sums(vectors);
          Digits out;
          std::vector<std::vector<Int128>> a(vectors), b(vectors);
          for (std::size_t v = 0; v < vectors; ++v) {
            for (int t = 0; t < terms; ++t) {
              const int top = radix == 2 ? 8 : 128;
              a[v].push_back(random.in(-top, top - 1));
              b[v].push_back(random.in(-top, top - 1));
              sums[v] += a[v].back() * b[v].back();
            }
          }
          for (int c = 0; c < vectors * interval + 60; ++c) {
            const auto v = static_cast<std::size_t>(c / interval);
            const auto i = static_cast<std::size_t>(c % interval);
            Digits x(static_cast<std::size_t>(terms)), y(x.size());
            for (std::size_t t = 0; v < vectors && i < 4 && t < x.size(); ++t) {
              x[t] = digits_of(a[v][t], 4, radix, true)[i];
              y[t] = digits_of(b[v][t], 4, radix, true)[i];
            }
            if (i == 0 && v < vectors) unit.start(b[v]);
            out.push_back(unit.step(x, y));
          }
          int wrong = 0;
          for (std::size_t v = 0; v < vectors; ++v) {
            const auto first = out.begin() + static_cast<std::ptrdiff_t>(v) * interval + shape.first_cycle() - 1;
            wrong += integer_of(Digits(first, first + shape.result_digits()), radix) != sums[v];
          }
          CAPTURE(radix);
          CAPTURE(terms);
          CAPTURE(interval);
          if (interval == least) CHECK(wrong == 0);
          else CHECK(wrong > 0);
        }
      }
    }
  }
}
