// Random bits: Philox against Random123's known answers, LFSR sequences, and which random numbers round up.
#include <doctest/doctest.h>

#include <set>

#include "formats/random.h"
#include "formats/round.h"

using namespace accsim::formats;

TEST_CASE("Philox4x32-10 gives the known answers of Random123") {
  // kat_vectors of Random123 1.14: counter, key, result.
  using Four = std::array<std::uint32_t, 4>;
  CHECK(philox4x32_10({0, 0, 0, 0}, {0, 0}) == Four{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32_10({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        Four{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Four{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a stream hands out word n mod 4 of counter n div 4, with the position in the other counter words") {
  const std::uint64_t seed = 0x1122334455667788ULL;
  const RandomPosition position{.output = 0xABCDEF0123ULL, .layer = 5, .pass = 2, .site = 14};
  PhiloxStream stream(seed, position);
  for (std::uint32_t n = 0; n < 10; ++n) {
    const auto words = philox4x32_10({n / 4, 0xCDEF0123U, 0xABU, 64 * 5 + 16 * 2 + 14}, {0x55667788U, 0x11223344U});
    CHECK(stream.next() == words[n % 4]);
  }
}

namespace {
std::size_t period(const LfsrSpec& spec) {
  Lfsr lfsr(spec, 0);
  const std::uint64_t start = lfsr.state();
  std::size_t steps = 0;
  do {
    (void)lfsr.next();
    ++steps;
  } while (lfsr.state() != start && steps < 1000000);
  return steps;
}
}  // namespace

TEST_CASE("LFSRs of primitive polynomials run through every state but zero") {
  CHECK(period({.width = 13, .mask = 0x100D, .seed = 1}) == 8191);  // accumulators.md 2: x^13 + x^4 + x^3 + x + 1
  // x^16 + x^15 + x^13 + x^4 + 1 (Galois right 0xD008 is its textbook mask) and x^8 + x^6 + x^5 + x^4 + 1 (0xB8).
  CHECK(period({.width = 16, .mask = 0xD008, .seed = 0xACE1}) == 65535);
  CHECK(period({.width = 8, .mask = 0xB8, .seed = 1}) == 255);
  CHECK(period({.width = 8, .mask = 0x1D, .seed = 1, .step = LfsrStep::left}) == 255);
  CHECK(period({.width = 8, .mask = 0xB8, .seed = 1, .form = LfsrForm::fibonacci, .step = LfsrStep::left}) == 255);
  CHECK(period({.width = 8, .mask = 0x1D, .seed = 1, .form = LfsrForm::fibonacci, .step = LfsrStep::right}) == 255);
}

TEST_CASE("LFSRs step as contracts 1.3 spell it out, the state before the step being used") {
  const auto states = [](LfsrSpec spec, int count) {
    Lfsr lfsr(spec, 0);
    std::vector<std::uint32_t> all;
    for (int i = 0; i < count; ++i) all.push_back(lfsr.next());
    return all;
  };
  using All = std::vector<std::uint32_t>;
  // By hand, width 4. Galois right, M = 1001: 0001 -> 0000^1001; 1001 -> 0100^1001; 1101 -> 0110^1001; 1111 -> 0111^1001; 1110 -> 0111; ...
  CHECK(states({.width = 4, .mask = 9, .seed = 1}, 6) == All{1, 9, 13, 15, 14, 7});
  // Galois left, M = 0011: 0001 -> 0010 -> 0100 -> 1000 -> 0000^0011 -> 0110 -> 1100 -> 1000^0011
  CHECK(states({.width = 4, .mask = 3, .seed = 1, .step = LfsrStep::left}, 8) == All{1, 2, 4, 8, 3, 6, 12, 11});
  // Fibonacci left, M = 1100: parity of the top two bits enters at the bottom.
  CHECK(states({.width = 4, .mask = 12, .seed = 1, .form = LfsrForm::fibonacci, .step = LfsrStep::left}, 8) ==
        All{1, 2, 4, 9, 3, 6, 13, 10});
  // Fibonacci right, M = 0011: parity of the low two bits enters at the top.
  CHECK(states({.width = 4, .mask = 3, .seed = 1, .form = LfsrForm::fibonacci}, 6) == All{1, 8, 4, 2, 9, 12});
  // KSIP's start: 13 bits, Galois right 0x100D from 1.
  CHECK(states({.width = 13, .mask = 0x100D, .seed = 1}, 3) == All{1, 0x100D, 0x180B});
}

TEST_CASE("share=pe XORs the PE into the seed modulo 2^W, and a state of zero becomes one") {
  CHECK(Lfsr({.width = 8, .mask = 0xB8, .seed = 0x5A}, 0x1F3).state() == (0x5A ^ 0xF3));
  CHECK(Lfsr({.width = 8, .mask = 0xB8, .seed = 0x5A}, 0x5A).state() == 1);
  CHECK(Lfsr({.width = 8, .mask = 0xB8, .seed = 0x5A, .share = LfsrShare::array}, 7).state() == 0x5A);
  CHECK(Lfsr({.width = 8, .mask = 0xB8, .seed = 0}, 0).state() == 1);
}

TEST_CASE("for every tail of 10 bits exactly as many random numbers round up as each kind says") {
  // 1 + tail/1024 ulp into fixed point with spacing 1.
  for (const int bits : {1, 4, 8}) {
    const int count = 1 << bits;
    for (int tail = 0; tail < 1024; ++tail) {
      const NarrowExact x{.exponent = -10, .significand = static_cast<UInt128>(1024 + tail)};
      const auto ups = [&](StochasticKind kind) {
        const Rounder rounder(parse_format("s8.0"), {.mode = Rounding::sr, .stochastic = {.bits = bits, .kind = kind}});
        int up = 0;
        for (int r = 0; r < count; ++r) up += to_double(rounder(x, static_cast<std::uint32_t>(r)).value) == 2 ? 1 : 0;
        return up;
      };
      const int floor_bits = tail * count / 1024;      // floor(nu 2^R)
      const int floor_more = tail * 2 * count / 1024;  // floor(nu 2^(R+1))
      const int rest = tail * count % 1024;            // of nu 2^R
      const bool to_next = rest > 512 || (rest == 512 && floor_bits % 2 == 1);
      REQUIRE(ups(StochasticKind::a) == floor_bits);
      REQUIRE(ups(StochasticKind::below) == floor_bits);
      // floor_more + 2 r + 1 >= 2^(R+1): r from ceil((2^(R+1) - 1 - floor_more) / 2) on.
      REQUIRE(ups(StochasticKind::b) == count - (2 * count - floor_more) / 2);
      REQUIRE(ups(StochasticKind::c) == floor_bits + (to_next ? 1 : 0));
    }
  }
}

TEST_CASE("R = 2, sixteenths: the counts of the table in the reference") {
  const int table[3][16] = {{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3},
                            {0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4},
                            {0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 4, 4}};
  for (int kind = 0; kind < 3; ++kind) {
    const Rounder rounder(parse_format("s8.0"),
                          {.mode = Rounding::sr, .stochastic = {.bits = 2, .kind = static_cast<StochasticKind>(kind)}});
    for (int k = 0; k < 16; ++k) {
      int up = 0;
      // An odd and an even integer part: kind c rounds the tail, not the kept part, to even.
      for (const int whole : {1, 2}) {
        up = 0;
        const NarrowExact x{.exponent = -4, .significand = static_cast<UInt128>(16 * whole + k)};
        for (std::uint32_t r = 0; r < 4; ++r) up += to_double(rounder(x, r).value) > whole ? 1 : 0;
        CHECK(up == table[kind][k]);
      }
    }
  }
}

TEST_CASE("kind below takes the low random numbers, kind a the high ones, and bits above R are ignored") {
  const NarrowExact x{.exponent = -3, .significand = 8 + 3};  // 1 + 3/8
  const Format format = parse_format("s8.0");
  for (std::uint32_t r = 0; r < 8; ++r) {
    const auto value = [&](StochasticKind kind) {
      return to_double(round(x, format, {.mode = Rounding::sr, .stochastic = {.bits = 3, .kind = kind}}, r | 0xFFFFFFF8U).value);
    };
    CHECK(value(StochasticKind::below) == (r < 3 ? 2 : 1));
    CHECK(value(StochasticKind::a) == (r >= 5 ? 2 : 1));
  }
}

TEST_CASE("32 random bits are 32 random bits") {
  const NarrowExact x{.exponent = -32, .significand = (UInt128{1} << 32) + 1};
  const Rounder rounder(parse_format("s8.0"), {.mode = Rounding::sr, .stochastic = {.bits = 32}});
  CHECK(to_double(rounder(x, 0xFFFFFFFFU).value) == 2);
  CHECK(to_double(rounder(x, 0xFFFFFFFEU).value) == 1);
}
