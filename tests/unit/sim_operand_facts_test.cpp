// What a tensor's nonzero values span.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "sim/operand_facts.h"

using namespace accsim;
using sim::operand_facts;
using sim::OperandFacts;
using sim::Values;

namespace {

OperandFacts of(std::vector<float> values) { return operand_facts(Values(std::move(values))); }

void same(const OperandFacts& x, const OperandFacts& y) {
  CHECK(x.lowest == y.lowest);
  CHECK(x.highest == y.highest);
  CHECK(x.precision == y.precision);
  CHECK(x.nonfinite == y.nonfinite);
}

}  // namespace

TEST_CASE("binary32 values span from their last significant bit to their first") {
  // 1.5 = 2^0 + 2^-1; -10 = -(2^3 + 2^1); 2^-20 one bit: last bits -1, 1, -20; first bits 0, 3, -20; at most 3 bits (1010 without its
  // zero).
  const OperandFacts f = of({1.5F, 0.0F, -10.0F, std::ldexp(1.0F, -20), -0.0F});
  CHECK(f.lowest == -20);
  CHECK(f.highest == 3);
  CHECK(f.precision == 3);
  CHECK_FALSE(f.nonfinite);
  CHECK(of({0.0F, -0.0F}).precision == 0);
  CHECK(of({-std::numeric_limits<float>::infinity(), 1.0F}).nonfinite);
  CHECK(of({std::numeric_limits<float>::quiet_NaN()}).nonfinite);
  // The least subnormal 2^-149, and 1 + 2^-23 with all 24 bits.
  same(of({std::ldexp(1.0F, -149)}), {.precision = 1, .lowest = -149, .highest = -149, .nonfinite = false});
  same(of({1.0F + std::ldexp(1.0F, -23)}), {.precision = 24, .lowest = -23, .highest = 0, .nonfinite = false});
}

TEST_CASE("binary32 values have the facts of the same values in binary64") {
  std::mt19937 random(1);
  for (int i = 0; i < 400; ++i) {
    CAPTURE(i);
    std::vector<float> values(random() % 70);
    const int middle = static_cast<int>(random() % 260) - 140;
    const int binades = 1 + static_cast<int>(random() % 40);
    for (float& x : values) {
      const auto bits = static_cast<float>(static_cast<std::int32_t>(random()) >> (random() % 32));
      x = random() % 8 == 0 ? 0.0F : std::ldexp(bits, middle - 31 + static_cast<int>(random()) % binades);
    }
    if (random() % 20 == 0 && !values.empty()) values.front() = std::numeric_limits<float>::infinity();
    same(of(values), operand_facts(Values(std::vector<double>(values.begin(), values.end()))));
  }
}

TEST_CASE("facts of large tensors are the same for any number of threads") {
  std::vector<float> values(100'003, 0.0F);
  CHECK(operand_facts(Values(values), 7).precision == 0);
  values[70'000] = 0x1.8p5F;
  values[99'999] = -0x1.01p-20F;
  const OperandFacts facts = operand_facts(Values(values), 7);
  CHECK(facts.precision == 9);
  CHECK(facts.lowest == -28);
  CHECK(facts.highest == 5);
  same(facts, operand_facts(Values(values), 1));
  same(facts, operand_facts(Values(std::vector<double>(values.begin(), values.end())), 2));
}
