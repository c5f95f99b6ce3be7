// Exact sums and moments, against integers and fractions worked out by hand.
#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>
#include <limits>

#include "sim/exact_sum.h"
#include "tensor_fixture.h"

using accsim::formats::Exact;
using accsim::formats::Wide;
using accsim::sim::ExactSum;
using accsim::sim::Moments;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double largest = std::numeric_limits<double>::max();          // (2^53 - 1) 2^971
constexpr double smallest = std::numeric_limits<double>::denorm_min();  // 2^-1074

ExactSum sum_of(std::initializer_list<double> terms) {
  ExactSum sum;
  for (const double x : terms) sum.add(x);
  return sum;
}

Moments moments_of(std::initializer_list<double> values) {
  Moments moments;
  for (const double x : values) moments.add(x);
  return moments;
}

/// +/- significand * 2^exponent.
Exact exactly(const Wide& significand, int exponent, bool negative = false) {
  return {.negative = negative, .nan = false, .infinite = false, .exponent = exponent, .significand = significand};
}

bool holds(const ExactSum& sum, const Exact& wanted) {
  const Exact value = sum.value();
  return same_value(value, wanted) && value.negative == wanted.negative;
}

}  // namespace

TEST_CASE("an empty sum, a sum of zeros and an exact cancellation are +0") {
  for (const ExactSum& sum :
       {ExactSum{}, sum_of({0.0}), sum_of({-0.0, -0.0}), sum_of({1.5, -1.5}), sum_of({largest, smallest, -largest, -smallest})}) {
    CHECK(sum.value().is_zero());
    CHECK_FALSE(sum.value().negative);
  }
}

TEST_CASE("one number is itself, with its sign, from the smallest subnormal to the largest finite") {
  CHECK(holds(sum_of({1.5}), exactly(3, -1)));
  CHECK(holds(sum_of({-1.5}), exactly(3, -1, true)));
  CHECK(holds(sum_of({smallest}), exactly(1, -1074)));
  CHECK(holds(sum_of({-smallest}), exactly(1, -1074, true)));
  CHECK(holds(sum_of({largest}), exactly((Wide{1} << 53) - 1, 971)));
}

TEST_CASE("nothing is lost between the smallest subnormal and the largest finite number") {
  // largest + smallest = ((2^53 - 1) 2^2045 + 1) 2^-1074
  CHECK(holds(sum_of({largest, smallest}), exactly((((Wide{1} << 53) - 1) << 2045) + 1, -1074)));
  CHECK(holds(sum_of({largest, smallest, -largest}), exactly(1, -1074)));
  // 1e308 + 1e-300 - 1e308 leaves the binary64 next to 1e-300, not 0
  CHECK(to_double(sum_of({1e308, 1e-300, -1e308}).value()) == 1e-300);
}

TEST_CASE("a sum beyond the range of binary64 is kept") {
  // twice the largest: (2^53 - 1) 2^972, and back
  CHECK(holds(sum_of({largest, largest}), exactly((Wide{1} << 53) - 1, 972)));
  CHECK(holds(sum_of({largest, largest, -largest}), exactly((Wide{1} << 53) - 1, 971)));
}

TEST_CASE("borrows run through all limbs below") {
  // 2^1000 - 2^-1000 = (2^2000 - 1) 2^-1000, and its negative
  CHECK(holds(sum_of({std::ldexp(1, 1000), -std::ldexp(1, -1000)}), exactly((Wide{1} << 2000) - 1, -1000)));
  CHECK(holds(sum_of({-std::ldexp(1, 1000), std::ldexp(1, -1000)}), exactly((Wide{1} << 2000) - 1, -1000, true)));
}

TEST_CASE("products are exact where binary64 would underflow or overflow") {
  ExactSum tiny;
  tiny.add_product(smallest, smallest);  // 2^-2148
  CHECK(holds(tiny, exactly(1, -2148)));
  tiny.add_product(-smallest, 3 * smallest);  // 2^-2148 - 3 2^-2148
  CHECK(holds(tiny, exactly(2, -2148, true)));
  ExactSum huge;
  const Wide m = (Wide{1} << 53) - 1;
  huge.add_product(largest, -largest);
  CHECK(holds(huge, exactly(m * m, 1942, true)));
  huge.add_product(largest, -largest);
  CHECK(holds(huge, exactly(m * m, 1943, true)));
  huge.add_product(smallest, smallest);
  CHECK(holds(huge, exactly((m * m << (1943 + 2148)) - 1, -2148, true)));
}

TEST_CASE("a product of two 53-bit significands keeps all 106 bits") {
  ExactSum sum;
  const double x = 1 + std::ldexp(1, -52);  // x^2 = 1 + 2^-51 + 2^-104
  sum.add_product(x, x);
  sum.add(-1);
  sum.add(-std::ldexp(1, -51));
  CHECK(holds(sum, exactly(1, -104)));
}

TEST_CASE("sums merge in any order to the same value") {
  const ExactSum a = sum_of({1e300, 1e-300, 3});
  const ExactSum b = sum_of({-1e300, smallest});
  const ExactSum c = sum_of({-3, 0.1});
  const Exact wanted = sum_of({1e-300, smallest, 0.1}).value();
  for (const auto& order : {std::array{&a, &b, &c}, std::array{&c, &b, &a}, std::array{&b, &a, &c}, std::array{&c, &a, &b}}) {
    ExactSum whole;
    for (const ExactSum* part : order) whole.merge(*part);
    CHECK(same_value(whole.value(), wanted));
  }
  ExactSum with_empty = a;
  with_empty.merge(ExactSum{});
  CHECK(same_value(with_empty.value(), a.value()));
}

TEST_CASE("a sum of 2^100 equal terms, made by merging a sum with itself, carries right") {
  // s, 2 s, 4 s, ...: far more additions than the limbs hold without carrying. x y = (2^53-1)^2 2^1942, and -smallest^2.
  ExactSum sum;
  ExactSum minus;
  sum.add_product(largest, largest);
  minus.add_product(-smallest, smallest);
  for (int i = 0; i < 100; ++i) {
    const ExactSum same = sum;
    sum.merge(same);
    const ExactSum same_minus = minus;
    minus.merge(same_minus);
    if (i == 31 || i == 32 || i == 62 || i == 99) {
      const Wide m = (Wide{1} << 53) - 1;
      CHECK(holds(minus, exactly(Wide{1} << (i + 1), -2148, true)));
      if (i < 63) CHECK(holds(sum, exactly(m * m << (i + 1), 1942)));
    }
  }
}

TEST_CASE("a million mixed terms leave what is not cancelled") {
  ExactSum sum;
  for (int i = 0; i < 1000000; ++i) {
    const int exponent = i % 1500 - 500;
    sum.add(std::ldexp(1.0, exponent));
    sum.add_product(-std::ldexp(1.0, exponent - 500), std::ldexp(1.0, 500));
    sum.add(0x1p-1074);
  }
  CHECK(holds(sum, exactly(1000000, -1074)));
}

TEST_CASE("infinities and NaN decide a sum as addition would, whatever the order") {
  CHECK(sum_of({infinity, 1, -largest}).value().infinite);
  CHECK_FALSE(sum_of({infinity, 1}).value().negative);
  CHECK(sum_of({1, -infinity}).value().infinite);
  CHECK(sum_of({1, -infinity}).value().negative);
  CHECK(sum_of({infinity, -infinity}).value().nan);
  CHECK(sum_of({1, not_a_number, infinity}).value().nan);
  ExactSum zero_times_infinity;
  zero_times_infinity.add_product(0, infinity);
  CHECK(zero_times_infinity.value().nan);
  ExactSum minus;
  minus.add_product(-2, infinity);
  CHECK(minus.value().infinite);
  CHECK(minus.value().negative);
  ExactSum merged = minus;
  merged.merge(sum_of({infinity}));
  CHECK(merged.value().nan);
}

TEST_CASE("a cleared sum is a new one") {
  for (ExactSum sum : {sum_of({largest, largest}), sum_of({not_a_number}), sum_of({infinity})}) {
    sum.clear();
    CHECK(sum.value().is_zero());
    sum.add(-2.5);
    CHECK(holds(sum, exactly(5, -1, true)));
  }
}

TEST_CASE("mean, mean of squares and variance are the fractions rounded once") {
  // 1, 2, 4: mean 7/3, mean square 21/3 = 7, variance 63/9 - 49/9 = 14/9
  const Moments m = moments_of({1, 2, 4});
  CHECK(m.count == 3);
  CHECK(to_double(m.mean()) == 7.0 / 3.0);
  CHECK(to_double(m.mean_square()) == 7.0);
  CHECK(to_double(m.variance()) == 14.0 / 9.0);
}

TEST_CASE("the variance survives values that are large beside it") {
  // 2^53 and 2^53 + 2: both 1 away from their mean. In binary64 the squares alone would lose it.
  CHECK(to_double(moments_of({0x1p53, 0x1p53 + 2}).variance()) == 1.0);
  // largest and its neighbour below: half a spacing of 2^971 away, variance 2^1940, beyond binary64.
  CHECK(std::isinf(to_double(moments_of({largest, std::nextafter(largest, 0.0)}).variance())));
  // 2^500 and 2^500 + 2^448: variance (2^447)^2 = 2^894.
  CHECK(to_double(moments_of({0x1p500, 0x1p500 + 0x1p448}).variance()) == 0x1p894);
  CHECK(to_double(moments_of({0.1, 0.1, 0.1}).variance()) == 0.0);
}

TEST_CASE("a mean next to a tie is rounded once, from the exact fraction") {
  // (1 + 2^-53)/2 is a tie between 0.5 and 0.5 + 2^-53: to even, 0.5.
  CHECK(to_double(moments_of({1, 0x1p-53}).mean()) == 0.5);
  // With 2^-1000 more it lies above the tie: (1 + 2^-53 + 2^-1000)/4 -> 0.25 + 2^-54.
  CHECK(to_double(moments_of({1, 0x1p-53, 0x1p-1000, 0}).mean()) == 0.25 + 0x1p-54);
  CHECK(to_double(moments_of({-1, -0x1p-53, -0x1p-1000, 0}).mean()) == -0.25 - 0x1p-54);
}

TEST_CASE("moments merge to what all values together give") {
  Moments parts = moments_of({1, 2});
  parts.merge(moments_of({4}));
  parts.merge(Moments{});
  CHECK(parts.count == 3);
  CHECK(to_double(parts.mean()) == 7.0 / 3.0);
  CHECK(to_double(parts.variance()) == 14.0 / 9.0);
}
