// The eager stochastic adder: against a bit-level model of it, and against exact rationals.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>

#include "formats/format.h"
#include "formats/round.h"

using namespace accsim::formats;

namespace {

/// The fields of a code of an IEEE-like format as an adder sees them.
struct Fields {
  bool negative;
  int exponent;          ///< field, 1 for subnormals
  unsigned significand;  ///< with the implicit bit
};
Fields fields(unsigned code, int x, int y) {
  const unsigned field = (code >> y) & ((1U << x) - 1U);
  const unsigned fraction = code & ((1U << y) - 1U);
  return {((code >> (x + y)) & 1U) != 0, field == 0 ? 1 : static_cast<int>(field), field == 0 ? fraction : fraction | (1U << y)};
}

/// A gate-level view: swap, align (bits that leave the register are lost), add or add the complement, then normalize, with one carry
/// of the random bits prepared for each shift. Finite operands; returns the code, without overflow handling (the top field is returned).
unsigned adder_model(unsigned a, unsigned b, int x, int y, int r_bits, unsigned r) {
  Fields large = fields(a, x, y);
  Fields small = fields(b, x, y);
  if (small.exponent > large.exponent || (small.exponent == large.exponent && small.significand > large.significand))
    std::swap(large, small);
  const int tail = r_bits + 1;  // one guard bit and the places of the random bits
  const int width = y + 1 + tail;
  const std::uint64_t window = (1ULL << width) - 1;
  const std::uint64_t top = static_cast<std::uint64_t>(large.significand) << tail;
  const int distance = large.exponent - small.exponent;
  std::uint64_t aligned = distance > width ? 0 : (static_cast<std::uint64_t>(small.significand) << tail) >> distance;
  const bool subtract = large.negative != small.negative;
  if (subtract) aligned = (~aligned + 1) & window;
  std::uint64_t sum = top + aligned;
  // The complement's carry out of the window means that nothing was borrowed; it is no part of the result.
  if (subtract) sum &= window;
  if (subtract && aligned == 0) sum = top;
  const std::uint64_t mask = (1ULL << r_bits) - 1;
  if (sum == 0) return 0;

  const bool carry_out = ((sum >> width) & 1U) != 0;
  const std::uint64_t carry_right = (((sum >> 2) & mask) + r) >> r_bits;  // prepared for a shift to the right,
  const std::uint64_t carry_none = (((sum >> 1) & mask) + r) >> r_bits;   // for none,
  const std::uint64_t carry_left = ((sum & mask) + r) >> r_bits;          // and for one to the left
  int exponent = large.exponent;
  std::uint64_t kept = 0;
  if (carry_out) {
    kept = (sum >> (tail + 1)) + carry_right;
    ++exponent;
  } else if (((sum >> (width - 1)) & 1U) != 0 || exponent == 1) {
    kept = (sum >> tail) + carry_none;
  } else if (((sum >> (width - 2)) & 1U) != 0 || exponent == 2) {
    kept = (sum >> (tail - 1)) + carry_left;
    --exponent;
  } else {  // near path: the operands were one place apart at most, nothing but their own bits is in the register
    while (((sum >> (width - 1)) & 1U) == 0 && exponent > 1) {
      sum = (sum << 1) & window;
      --exponent;
    }
    kept = sum >> tail;
  }
  if ((kept >> (y + 1)) != 0) {
    kept >>= 1;
    ++exponent;
  }
  const unsigned sign = large.negative ? 1U << (x + y) : 0U;
  if ((kept >> y) == 0) return sign | static_cast<unsigned>(kept);  // subnormal
  return sign | (static_cast<unsigned>(exponent) << y) | (static_cast<unsigned>(kept) & ((1U << y) - 1U));
}

RoundingSpec eager(int bits) { return {.mode = Rounding::sr, .stochastic = {.bits = bits, .kind = StochasticKind::eager}}; }
RoundingSpec lazy(int bits) { return {.mode = Rounding::sr, .stochastic = {.bits = bits}}; }

}  // namespace

TEST_CASE("eager sums are those of the adder, bit for bit, for all pairs of e4m3 and of e3m2 codes and all random numbers") {
  std::size_t cases = 0;
  std::size_t unlike_lazy = 0;
  for (const auto& [name, x, y] : {std::tuple{"e4m3:specials=ieee", 4, 3}, std::tuple{"e3m2:specials=ieee", 3, 2}}) {
    const Format f = parse_format(name);
    const unsigned codes = 1U << (1 + x + y);
    for (const int bits : {1, 2, 4}) {
      const Rounder rounder(f, eager(bits));
      const Rounder normalizing_first(f, lazy(bits));
      for (unsigned a = 0; a < codes; ++a) {
        for (unsigned b = 0; b < codes; ++b) {
          const NarrowExact left = decode(a, f);
          const NarrowExact right = decode(b, f);
          if (!left.is_finite() || !right.is_finite()) continue;
          for (std::uint32_t r = 0; r < 1U << bits; ++r) {
            const auto found = rounder.rounded_sum(left, right, r);
            ++cases;
            unlike_lazy += same_value(found.value, normalizing_first.rounded_sum(left, right, r).value) ? 0 : 1;
            if (found.events.overflow) continue;
            const unsigned expected = adder_model(a, b, x, y, bits, r);
            const auto code = static_cast<unsigned>(encode(found.value, f));
            CAPTURE(a);
            CAPTURE(b);
            CAPTURE(r);
            if (found.value.is_zero()) REQUIRE((expected & (codes / 2 - 1)) == 0);  // the sign of zero is the formats' matter
            else REQUIRE(code == expected);
            REQUIRE(same_value(found.value, rounder.rounded_sum(right, left, r).value));
          }
        }
      }
    }
  }
  std::printf("eager sums: %zu, 0 mismatches; %zu differ from normalizing first\n", cases, unlike_lazy);
  CHECK(unlike_lazy > 0);
}

TEST_CASE("random sums in the 12-bit accumulator are those of the adder") {
  const Format f = parse_format("e6m5");
  std::uint64_t state = 88172645463325252ULL;
  for (const int bits : {4, 9, 13}) {
    const Rounder rounder(f, eager(bits));
    for (int n = 0; n < 300000; ++n) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      const auto a = static_cast<unsigned>(state & 0xFFFU);
      // The other exponent near the first, so that most operands overlap.
      const unsigned b = (a & 0x7E0U) + (static_cast<unsigned>(state >> 20) % 40 << 5) + (static_cast<unsigned>(state >> 12) & 0x1FU);
      const unsigned b_code = (b & 0x7FFU) | ((state >> 50 & 1U) != 0 ? 0x800U : 0U);
      const NarrowExact left = decode(a, f);
      const NarrowExact right = decode(b_code, f);
      if (!left.is_finite() || !right.is_finite()) continue;
      const auto r = static_cast<std::uint32_t>(state >> 32) & ((1U << bits) - 1U);
      const auto found = rounder.rounded_sum(left, right, r);
      if (found.events.overflow || found.value.is_zero()) continue;
      REQUIRE(encode(found.value, f) == adder_model(a, b_code, 6, 5, bits, r));
    }
  }
}

TEST_CASE("as many random numbers round up as the exact sum says, but for what the register loses of a subtrahend") {
  const Format f = parse_format("e4m3:specials=ieee");
  for (const int bits : {1, 3, 4}) {
    const Rounder rounder(f, eager(bits));
    const int count = 1 << bits;
    for (unsigned a = 0; a < 256; ++a) {
      for (unsigned b = 0; b < 256; ++b) {
        const NarrowExact left = decode(a, f);
        const NarrowExact right = decode(b, f);
        if (!left.is_finite() || !right.is_finite()) continue;
        const double exact = std::fabs(to_double(left) + to_double(right));  // exact: few bits
        if (exact == 0 || exact > 240) continue;
        // What is lost: the smaller operand's bits below 2^-(R+1) of the larger one's last place.
        const double large = std::max(std::fabs(to_double(left)), std::fabs(to_double(right)));
        const double small = std::min(std::fabs(to_double(left)), std::fabs(to_double(right)));
        const double register_end = std::ldexp(1, std::max(std::ilogb(large), -6) - 3 - bits - 1);
        const double cut = std::floor(small / register_end) * register_end;
        const bool subtract = left.negative != right.negative;
        const double in_register = subtract ? large - cut : large + cut;
        const double spacing = std::ldexp(1, std::max(std::ilogb(in_register), -6) - 3);
        const double low = std::floor(in_register / spacing) * spacing;
        const int expected = static_cast<int>(std::floor((in_register - low) / spacing * count));
        int up = 0;
        for (int r = 0; r < count; ++r) {
          const auto found = rounder.rounded_sum(left, right, static_cast<std::uint32_t>(r));
          const double value = found.events.overflow ? low + spacing : std::fabs(to_double(found.value));
          REQUIRE((value == low || value == low + spacing));
          up += value > low ? 1 : 0;
          REQUIRE(found.events.inexact == (found.events.overflow || value != exact));
        }
        REQUIRE(up == expected);
        if (in_register == exact) {  // nothing lost: exactly the share of the exact sum, so its neighbours
          const double ulp = std::ldexp(1, std::max(std::ilogb(exact), -6) - 3);
          REQUIRE(up == static_cast<int>(std::floor(std::fmod(exact, ulp) / ulp * count)));
        }
      }
    }
  }
}

TEST_CASE("the worked examples of formats/README.md") {
  const Format f = parse_format("e6m5");
  const Rounder rounder(f, eager(4));
  const auto sum_of = [&](double a, double b, std::uint32_t r) {
    return to_double(rounder.rounded_sum(from_double<UInt128>(a), from_double<UInt128>(b), r).value);
  };
  for (std::uint32_t r = 0; r < 16; ++r) {
    CHECK(sum_of(1.5, -0.328125, r) == (r >= 8 ? 1.1875 : 1.15625));        // 1.00101|1000
    CHECK(sum_of(1.875, 0.578125, r) == (r >= 12 ? 2.5 : 2.4375));          // carry out: 10.0111|0100
    CHECK(sum_of(1.0, -0.0205078125, r) == (r >= 5 ? 0.984375 : 0.96875));  // one place to the left: 0.111110|1011
    CHECK(sum_of(1.0, -0.000244140625, r) == 1.0);                          // 2^-12 is out of the register
    CHECK(sum_of(1.0, -0.25, r) == 0.75);
    CHECK(sum_of(4.0, -0.625, r) == 3.375);
    CHECK(sum_of(-0.25, 1.0, r) == 0.75);
  }
}

TEST_CASE("infinities, NaN and zeros in an eager sum are those of any sum") {
  const Rounder rounder(parse_format("e6m5"), eager(4));
  const auto inf = NarrowExact::infinity();
  CHECK(rounder.rounded_sum(inf, NarrowExact{.significand = 1}, 3).value.infinite);
  const auto nan = rounder.rounded_sum(inf, NarrowExact::infinity(true), 3);
  CHECK(nan.value.nan);
  CHECK(nan.events == Events{.invalid = true});
  CHECK(rounder.rounded_sum(NarrowExact::not_a_number(), inf, 3).events == Events{});
  const auto zero = rounder.rounded_sum(NarrowExact{.significand = 3}, NarrowExact{.negative = true, .significand = 3}, 9);
  CHECK(zero.value.is_zero());
  CHECK_FALSE(zero.value.negative);
  CHECK(rounder.rounded_sum(NarrowExact::zero(true), NarrowExact::zero(true), 9).value.negative);
  CHECK_FALSE(rounder.rounded_sum(NarrowExact::zero(true), NarrowExact::zero(), 9).value.negative);
}
