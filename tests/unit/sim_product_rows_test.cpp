// The carriers of the exact reference against the fixed-point register that holds everything.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "sim/operand_facts.h"
#include "sim/product_rows.h"
#include "sim/tile_statistics.h"
#include "sim/wide_round.h"

namespace {

using namespace accsim;
using namespace accsim::sim;
using formats::Exact;
using formats::Int128;
using formats::UInt128;
using formats::Wide;

struct Operands {
  std::int64_t rows, columns, k;
  std::vector<double> a, b;
};

/// Significands of `bits` bits over `spread` binades; some zeros.
std::vector<double> numbers(std::mt19937_64& random, std::int64_t size, int bits, int spread) {
  std::vector<double> all(static_cast<std::size_t>(size));
  for (double& x : all) {
    const double significand = static_cast<double>(random() >> (64 - bits)) - std::ldexp(1.0, bits - 1);
    x = random() % 8 == 0 ? 0.0 : std::ldexp(significand, -static_cast<int>(random() % static_cast<unsigned>(spread + 1)));
  }
  return all;
}

OperandFacts facts_of(const std::vector<double>& values) { return operand_facts(Values(values)); }

std::span<const double> row_of(const std::vector<double>& values, std::int64_t row, std::int64_t k) {
  return std::span(values).subspan(static_cast<std::size_t>(row * k), static_cast<std::size_t>(k));
}

/// How many outputs differ from the register's sum; `unpacked` counts those without integers.
int wrong_sums(const Operands& o, const kernels::ProductLanes& lanes, kernels::ProductCarrier expected, int& unpacked, int& with_rests) {
  const ProductPlan plan = plan_products(facts_of(o.a), facts_of(o.b), o.k, lanes);
  CHECK(plan.carrier == expected);
  ProductRows a;
  ProductRows b;
  a.resize(plan, ProductRows::Side::a, o.rows, o.k);
  b.resize(plan, ProductRows::Side::b, o.columns, o.k);
  for (std::int64_t r = 0; r < o.rows; ++r) a.pack(r, row_of(o.a, r, o.k));
  for (std::int64_t c = 0; c < o.columns; ++c) b.pack(c, row_of(o.b, c, o.k));
  std::vector<Int128> sums;
  integer_products(plan, a, 0, o.rows, b, 0, o.columns, o.k, sums);
  int wrong = 0;
  for (std::int64_t r = 0; r < o.rows; ++r) {
    for (std::int64_t c = 0; c < o.columns; ++c) {
      if (!a.row(r).is_packed || !b.row(c).is_packed) {
        ++unpacked;
        continue;
      }
      with_rests += !a.row(r).rests.empty() || !b.row(c).rests.empty();
      ExactSum sum;
      sum.add_integer(sums[static_cast<std::size_t>(r * o.columns + c)], a.row(r).unit + b.row(c).unit);
      const auto row_a = row_of(o.a, r, o.k);
      const auto row_b = row_of(o.b, c, o.k);
      for (const Rest& rest : a.row(r).rests) sum.add_product(rest.rest, row_b[static_cast<std::size_t>(rest.term)]);
      for (const Rest& rest : b.row(c).rests)
        sum.add_product(ProductRows::held(row_a[static_cast<std::size_t>(rest.term)], a.row(r).unit), rest.rest);
      wrong += !same_value(sum.value(), exact_dot(row_a, row_b));
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("integer products and what they leave out are the exact sums, in every carrier of this machine") {
  std::mt19937_64 random(11);
  for (const kernels::ProductLanes& lanes : kernels::product_lanes()) {
    CAPTURE(lanes.name);
    for (const std::int64_t k :
         {std::int64_t{1}, std::int64_t{5}, std::int64_t{256}, std::int64_t{257}, std::int64_t{2100}, std::int64_t{9001}}) {
      CAPTURE(k);
      const std::int64_t rows = k > 1000 ? 3 : 7;
      const std::int64_t columns = k > 1000 ? 9 : 17;
      const auto operands = [&](int bits, int spread) {
        return Operands{rows, columns, k, numbers(random, rows * k, bits, spread), numbers(random, columns * k, bits, spread)};
      };
      int unpacked = 0;
      int with_rests = 0;
      CHECK(wrong_sums(operands(8, 3), lanes, kernels::ProductCarrier::narrow, unpacked, with_rests) == 0);
      CHECK(with_rests == 0);
      CHECK(wrong_sums(operands(24, 18), lanes, lanes.wide_carrier(), unpacked, with_rests) == 0);
      CHECK(with_rests == 0);
      CHECK(wrong_sums(operands(24, 120), lanes, lanes.wide_carrier(), unpacked, with_rests) == 0);
      CHECK(wrong_sums(operands(53, 30), lanes, lanes.wide_carrier(), unpacked, with_rests) == 0);
      CHECK(with_rests > 0);
      CHECK(unpacked == 0);
    }
  }
}

TEST_CASE("the largest integers of every carrier do not overflow it, whatever their signs") {
  for (const kernels::ProductLanes& lanes : kernels::product_lanes()) {
    CAPTURE(lanes.name);
    const int bits = lanes.wide_carrier() == kernels::ProductCarrier::words ? kernels::word_bits : kernels::split_bits;
    for (const double sign : {1.0, -1.0}) {
      const double largest = std::ldexp(1.0, bits) - 1;
      Operands o{1, 1, 5000, std::vector<double>(5000, sign * largest), std::vector<double>(5000, largest)};
      o.a[0] = 1;  // the unit of the row
      o.b[0] = 1;
      int unpacked = 0;
      int with_rests = 0;
      CHECK(wrong_sums(o, lanes, lanes.wide_carrier(), unpacked, with_rests) == 0);
      CHECK(unpacked + with_rests == 0);
      Operands narrow{1, 1, 5000, std::vector<double>(5000, sign * 0x7FFFFF), std::vector<double>(5000, 0x3FFFFF)};
      narrow.a[0] = narrow.b[0] = 1;
      CHECK(wrong_sums(narrow, lanes, kernels::ProductCarrier::narrow, unpacked, with_rests) == 0);
    }
  }
}

TEST_CASE("rows with infinities, NaN or exponents out of reach have no integers") {
  const kernels::ProductLanes& lanes = kernels::product_lanes().back();
  Operands o{3, 1, 2, {1, std::numeric_limits<double>::infinity(), 0x1p-1060, 1, 1, 0x1p-30}, {1, 0x1p-40}};
  int unpacked = 0;
  int with_rests = 0;
  CHECK(wrong_sums(o, lanes, lanes.wide_carrier(), unpacked, with_rests) == 0);
  CHECK(unpacked == 1);  // 2^-1060 is left out as a rest beside 1
  CHECK(with_rests == 1);
}

TEST_CASE("integers of 128 bits round to the nearest binary64, ties to even") {
  const Int128 one = 1;
  CHECK(rounded(Int128{0}) == 0.0);
  CHECK(rounded((one << 53) + 1) == 0x1p53);              // a tie, down to even
  CHECK(rounded((one << 53) + 3) == 0x1p53 + 4);          // a tie, up to even
  CHECK(rounded((one << 100) + (one << 47)) == 0x1p100);  // a tie
  CHECK(rounded((one << 100) + (one << 47) + 1) == 0x1.0000000000001p100);
  CHECK(rounded(-((one << 100) + (one << 47) + 1)) == -0x1.0000000000001p100);
  CHECK(rounded((one << 126) - 1) == 0x1p126);
}

TEST_CASE("differences of 256-bit numbers are rounded as the exact ones") {
  std::mt19937_64 random(5);
  const auto integer = [&](int bits) {
    UInt128 n = (static_cast<UInt128>(random()) << 64) | random();
    return bits == 0 ? UInt128{0} : n >> (128 - bits);
  };
  for (int i = 0; i < 20000; ++i) {
    const auto draw = [&](Exact& exact) {
      const auto n = static_cast<Int128>(integer(static_cast<int>(random() % 128)));
      const Int128 with_sign = random() % 2 == 0 ? n : -n;
      const UInt128 significand = integer(static_cast<int>(1 + random() % 128));
      const int exponent = static_cast<int>(random() % 400) - 300;
      exact = Exact::zero();
      if (n != 0 && significand != 0)
        exact = {with_sign < 0, false, false, exponent, Wide(formats::widened(static_cast<UInt128>(n)) * formats::widened(significand))};
      return product256(with_sign, significand, exponent);
    };
    Exact x;
    Exact y;
    const Number256 p = draw(x);
    Number256 q = draw(y);
    if (i % 4 == 0) {  // close to each other
      q = p;
      y = x;
      if (q.limbs[0] != ~std::uint64_t{0} && !x.is_zero()) {
        ++q.limbs[0];
        y.significand = x.significand + 1;
      }
    }
    REQUIRE(rounded(p) == to_double(x));
    const double expected = to_double(formats::sum(x, negated(y)));
    const double found = rounded_difference(p, q);
    REQUIRE(found == expected);
  }
}
