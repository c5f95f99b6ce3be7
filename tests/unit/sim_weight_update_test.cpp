// Weight updates: swamping to nearest, and what stochastic rounding saves.
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "formats/rounding.h"
#include "sim/weight_update.h"

using namespace accsim::sim;

namespace {

UpdateReport updated(const char* format, const char* rounding, std::vector<double> weights, std::vector<double> gradients, int updates = 1,
                     std::uint64_t seed = 0) {
  WeightUpdate u;
  u.format = accsim::formats::parse_format(format);
  accsim::formats::parse_rounding(rounding, u.rounding);
  u.learning_rate = 0.5;
  u.updates = updates;
  u.seed = seed;
  return replay_update(weights, gradients, u, 3);
}

}  // namespace

TEST_CASE("to nearest, an update below half a spacing never arrives, however often it comes") {
  // fp16 spacing below 1 is 2^-11: 1 - 2^-13 rounds back to 1; 1 - 2^-12 is a tie that goes back to the even 1; 1 - 2^-11 arrives
  const UpdateReport r = updated("fp16", "rne", {1, 1, 1, 1}, {0x1p-12, 0x1p-11, 0x1p-10, 0}, 4);
  CHECK(r.weights_after == std::vector<double>{1, 1, 1 - 4 * 0x1p-11, 1});
  CHECK(r.weights == 4);
  CHECK(r.nonzero == 12);
  CHECK(r.swamped == 8);
  // ideal: -4 (2^-13, 2^-12, 2^-11); delivered: 0, 0, all. survived = 16 / (1 + 4 + 16)
  CHECK(r.survived == doctest::Approx(16.0 / 21).epsilon(1e-15));
  CHECK(r.bias == doctest::Approx(3.0 / 7).epsilon(1e-15));  // (1 + 2) of (1 + 2 + 4)
}

TEST_CASE("stochastically, the same updates arrive on average") {
  const std::vector<double> weights(4096, 1.0);
  const std::vector<double> gradients(4096, 0x1p-12);  // updates of a quarter of a spacing
  const UpdateReport r = updated("fp16", "sr:bits=13", weights, gradients);
  const double share = static_cast<double>(r.nonzero - r.swamped) / 4096;
  CHECK(std::fabs(share - 0.25) <= 4 * std::sqrt(0.25 * 0.75 / 4096));
  CHECK(r.survived == doctest::Approx(share / 0.25).epsilon(1e-12));
}

TEST_CASE("the emulator's binary16 master weights: 13 random bits, below 2^-14 to nearest, above the largest value infinite") {
  // IntelLabs/FP8-Emulation-Toolkit: subnormals (spacing 2^-24) are never stochastic: a quarter of a spacing never arrives.
  const auto arrived = [](double weight, double gradient, bool nearest_subnormals) {
    WeightUpdate u;
    u.format = accsim::formats::parse_format("fp16");
    accsim::formats::parse_rounding("sr:bits=13", u.rounding);
    u.rounding.overflow = accsim::formats::Overflow::ieee;
    u.nearest_subnormals = nearest_subnormals;
    u.learning_rate = 1;
    const std::vector<double> weights(1000, weight), gradients(1000, gradient);
    const UpdateReport r = replay_update(weights, gradients, u, 0);
    return r.nonzero - r.swamped;
  };
  CHECK(arrived(0x1p-16, -0x1p-26, true) == 0);
  CHECK(arrived(0x1p-16, -0x1p-26, false) > 150);
  CHECK(arrived(0x1p-14, -0x1p-26, true) > 150);  // a normal: the same quarter of a spacing
  // 13 bits resolve a share of 2^-13 of the spacing 2^-10, no less: all ones and nothing carry
  CHECK(arrived(1, -0x1p-24, true) == 0);
  const UpdateReport r = updated("fp16", "sr:bits=13", {65504}, {-64}, 1);
  CHECK(std::isinf(r.weights_after[0]));
}

TEST_CASE("the weight starts from its value in the format") {
  const UpdateReport r = updated("bf16", "rne", {1.001}, {0});
  CHECK(r.weights_after == std::vector<double>{1});
  CHECK(r.nonzero == 0);
}
