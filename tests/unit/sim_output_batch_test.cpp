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

/// The same outputs as lanes give those of a row.
class OneRow {
 public:
  void add(const RoundedOutput& output) {
    const double of_output[] = {output.error,  output.reference,          output.comparable_y,
                                output.signal, output.quantization_noise, output.total_noise};
    for (std::size_t i = 0; i < 6; ++i) numbers_[i].push_back(of_output[i]);
    max_ulp_ = std::max(max_ulp_, std::fabs(output.ulps));
  }
  [[nodiscard]] kernels::RoundedRow row() {
    return {.error = numbers_[0].data(),
            .reference = numbers_[1].data(),
            .y = numbers_[2].data(),
            .signal = numbers_[3].data(),
            .quantization_noise = numbers_[4].data(),
            .total_noise = numbers_[5].data(),
            .max_ulp = max_ulp_};
  }

 private:
  std::vector<double> numbers_[6];
  double max_ulp_ = 0;
};

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
        OneRow row;
        for (int i = 0; i < count; ++i) {
          RoundedOutput output{.y = number(spread), .comparable_y = 0, .reference = number(spread), .signal = number(spread)};
          output.comparable_y = output.y;
          output.error = number(spread);
          output.ulps = number(spread);
          output.quantization_noise = number(spread);
          output.total_noise = number(spread);
          each.add(output);
          batch.add(output, together);
          row.add(output);
        }
        batch.flush(together);
        CAPTURE(spread);
        CAPTURE(count);
        CHECK(same(each, together));
        if (batch.lanes() == nullptr) continue;
        ErrorSums by_row(signal_is_reference);
        OutputBatch row_batch(signal_is_reference);
        row_batch.add(row.row(), 0, count / 3, by_row);
        row_batch.add(row.row(), count / 3, count - count / 3, by_row);
        row_batch.flush(by_row);
        CHECK(same(each, by_row));
      }
    }
  }
}
