// Loss scaling: spellings, and the state machine of OpenSeq2Seq's back-off scaler with and without a rising minimum.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "formats/error.h"
#include "sim/loss_scaling.h"

using namespace accsim::sim;

namespace {

/// The scales of the iterations, one for each character of `overflows`: 'x' overflows, '.' does not.
std::vector<double> scales(const char* policy, const std::string& overflows) {
  LossScaler scaler(parse_loss_scaling(policy));
  std::vector<double> found;
  for (const char c : overflows) {
    found.push_back(scaler.scale());
    scaler.finish_iteration(c == 'x');
  }
  return found;
}

std::string refusal(const char* policy) {
  try {
    (void)parse_loss_scaling(policy);
  } catch (const accsim::InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("back-off halves on overflow and doubles where the distance to the last overflow is a multiple of the window") {
  // window 3, last overflow -1 before the start: (0+1), (1+1) are no multiples of 3, (2+1) is: 16 -> 32 after iteration 2.
  // Overflow at 3: 16, last = 3. 4-3 is none; overflow at 5: 8, last = 5. 6, 7 none, 8-5 = 3: 16 after iteration 8.
  CHECK(scales("backoff:init=16,factor=2,window=3,max=32", "...x.x....") == std::vector<double>{16, 16, 16, 32, 16, 16, 8, 8, 8, 16});
}

TEST_CASE("the scale stays between its minimum and its maximum") {
  CHECK(scales("backoff:init=4,window=1,max=8", "....xxxxx") == std::vector<double>{4, 8, 8, 8, 8, 4, 2, 1, 1});
  CHECK(scales("backoff:init=10,factor=4,window=1,max=100", "...x") == std::vector<double>{10, 40, 100, 100});
}

TEST_CASE("a minimum that rises lifts the scale when it does, and rare overflows do not pull the scale below it") {
  // Minimum 1, from iteration 3 on 8, from iteration 5 on 16. 16 -> 8 -> 4 by overflows; at 3 lifted to 8; an overflow there leaves 8;
  // at 5 lifted to 16; an overflow there leaves 16.
  CHECK(scales("backoff:init=16,window=100,max=1024,min=0:1/3:8/5:16", "xx.x.xx.") == std::vector<double>{16, 8, 4, 8, 8, 16, 16, 16});
}

TEST_CASE("the schedule of the enhanced loss scaling of 2019: 8K after 40K iterations, 32K after 150K") {
  LossScaler scaler(parse_loss_scaling("backoff:init=1024,window=2000000,min=0:1/40000:8192/150000:32768"));
  while (scaler.iteration() < 39999) scaler.finish_iteration(false);
  CHECK(scaler.scale() == 1024);
  scaler.finish_iteration(true);
  CHECK(scaler.scale() == 8192);
  while (scaler.iteration() < 150000) scaler.finish_iteration(scaler.iteration() % 10000 == 0);
  CHECK(scaler.scale() == 32768);
  scaler.finish_iteration(true);
  CHECK(scaler.scale() == 32768);
}

TEST_CASE("back-off starts at the maximum of 2^24 unless it is told where") {
  CHECK(scales("backoff", "xx.") == std::vector<double>{16777216, 8388608, 4194304});
  const LossScaling published = parse_loss_scaling("backoff");  // OpenSeq2Seq: scale_min 1, scale_max 2^24, step_factor 2, step_window 2000
  CHECK(published.minimum == std::vector<ScaleMinimum>{{0, 1}});
  CHECK(published.max == 0x1p24);
  CHECK(published.factor == 2);
  CHECK(published.window == 2000);
  // an overflow at iteration 0; (2000 - 0) mod 2000 = 0: doubled after iteration 2000, not before
  LossScaler scaler(published);
  scaler.finish_iteration(true);
  while (scaler.iteration() < 2000) scaler.finish_iteration(false);
  CHECK(scaler.scale() == 0x1p23);
  scaler.finish_iteration(false);
  CHECK(scaler.scale() == 0x1p24);
  CHECK(scales("constant:1000", "x.x") == std::vector<double>{1000, 1000, 1000});
}

TEST_CASE("a policy's spelling parses back to it") {
  for (const char* policy :
       {"stored", "constant:1024", "constant:0.3", "backoff:init=65536,factor=2,window=500,max=65536,min=0:1/40:8192"}) {
    CHECK(spelling(parse_loss_scaling(policy)) == policy);
  }
  CHECK(parse_loss_scaling("constant:2^15") == parse_loss_scaling("constant:32768"));
}

TEST_CASE("scales that are none and schedules that go down are refused by name") {
  for (const char* policy : {"constant:0", "constant:-4", "constant:inf", "constant:nan", "constant:", "constant:x", "constant:2^3000"})
    CHECK(refusal(policy).find("a finite number above zero") != std::string::npos);
  CHECK(refusal("backoff:min=0:8/10:4").find("goes down") != std::string::npos);
  CHECK(refusal("backoff:min=10:8/10:9").find("increase") != std::string::npos);
  CHECK(refusal("backoff:min=0:nan").find("nan") != std::string::npos);
  CHECK(refusal("backoff:factor=1").find("above one") != std::string::npos);
  CHECK(refusal("backoff:window=0").find("window") != std::string::npos);
  CHECK(refusal("backoff:init=64,max=32").find("init") != std::string::npos);
  CHECK(refusal("backoff:speed=3").find("speed") != std::string::npos);
  CHECK(refusal("dynamic").find("backoff") != std::string::npos);
}
