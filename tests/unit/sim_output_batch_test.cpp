// Batches of outputs against the same outputs added one by one.
#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "sim/output_batch.h"

namespace {

using namespace accsim::sim;

bool same(const ErrorSums& x, const ErrorSums& y) {
  for (const char* name : {"sndr_db", "snr_power_db", "csnr_db", "bias", "mse", "rmse", "max_abs", "max_ulp", "cosine"}) {
    if (x.error_statistic(name) != y.error_statistic(name)) return false;
  }
  return x.sqnr_db() == y.sqnr_db() && x.total_sndr_db() == y.total_sndr_db();
}

}  // namespace

TEST_CASE("batches give the statistics of adding every output, whatever the exponents and the count") {
  std::mt19937_64 random(9);
  const auto number = [&](int spread) {
    if (random() % 16 == 0) return 0.0;
    const double significand = static_cast<double>(random() >> 11) - 0x1p52;
    return std::ldexp(significand, -52 + static_cast<int>(random() % static_cast<unsigned>(2 * spread + 1)) - spread);
  };
  for (const bool signal_is_reference : {true, false}) {
    for (const int spread : {2, 40, 300, 700}) {  // the last leaves the reach of batches
      for (const int count : {1, 31, 32, 511, 512, 513, 1500}) {
        ErrorSums each(signal_is_reference);
        ErrorSums together(signal_is_reference);
        OutputBatch batch(signal_is_reference);
        for (int i = 0; i < count; ++i) {
          RoundedOutput output{.y = number(spread), .comparable_y = 0, .reference = number(spread), .signal = number(spread)};
          output.comparable_y = output.y;
          output.error = number(spread);
          output.ulps = number(spread);
          output.quantization_noise = number(spread);
          output.total_noise = number(spread);
          each.add(output);
          batch.add(output, together);
        }
        batch.flush(together);
        CAPTURE(spread);
        CAPTURE(count);
        CHECK(same(each, together));
      }
    }
  }
}
