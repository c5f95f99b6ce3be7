// Outputs rounded on lanes against the same numbers from exact values.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "formats/exact.h"
#include "sim/kernels/isa.h"
#include "sim/row_rounder.h"
#include "sim/wide_round.h"

namespace {

using namespace accsim;
using namespace accsim::sim;
using formats::Exact;
using formats::Int128;
using formats::Wide;

Exact exact(Int128 n, int exponent) {
  if (n == 0) return Exact::zero();
  return {n < 0, false, false, exponent, formats::widened(static_cast<formats::UInt128>(n < 0 ? -n : n))};
}
Exact exact(double x) { return formats::from_double<Wide>(x); }

std::vector<const kernels::BatchLanes*> all_lanes() {
  std::vector<const kernels::BatchLanes*> lanes;
#if defined(__x86_64__)
  if (kernels::host_has(kernels::Isa::avx2)) lanes.push_back(&kernels::batch_sums_avx2);
  if (kernels::host_has(kernels::Isa::avx512)) lanes.push_back(&kernels::batch_sums_avx512);
#endif
  return lanes;
}

ProductRows::Row row_of(int unit) {
  ProductRows::Row row;
  row.is_packed = true;
  row.unit = unit;
  return row;
}

}  // namespace

TEST_CASE("what lanes decide of an output is its exact numbers rounded once, whatever the sums, scales and results") {
  std::mt19937_64 random(21);
  const auto integer = [&](int bits) {
    const auto n = static_cast<Int128>(((static_cast<formats::UInt128>(random()) << 64) | random()) >> (128 - bits));
    return random() % 2 == 0 ? n : -n;
  };
  enum class Scales { one, powers, products };
  constexpr std::int64_t columns = 27;  // the last three are not the lanes'
  constexpr int spacing = -9;           // of the result's format, everywhere
  for (const kernels::BatchLanes* lanes : all_lanes()) {
    for (const Scales kind : {Scales::one, Scales::powers, Scales::products}) {
      for (const bool traced : {false, true}) {
        std::int64_t done = 0;
        std::int64_t tried = 0;
        for (int bits = 1; bits <= 126; ++bits) {
          RowRounder rounder(lanes, columns, traced);
          std::vector<Exact> real(columns);
          std::vector<Exact> dataset(columns);
          std::vector<ProductRows::Row> seen(columns);
          std::vector<ProductRows::Row> as_traced(columns);
          const auto factor = [&] {
            if (kind == Scales::one) return exact(1.0);
            if (kind == Scales::powers) return exact(std::ldexp(1.0, static_cast<int>(random() % 40) - 20));
            return product(exact(static_cast<double>(random() >> 11 | 1)),
                           exact(std::ldexp(static_cast<double>(random() >> 11 | 1), -110)));
          };
          std::vector<Int128> sums(columns);
          std::vector<Int128> traced_sums(columns);
          std::vector<double> y(columns);
          const ProductRows::Row row = row_of(static_cast<int>(random() % 30) - 20);
          const ProductRows::Row traced_row = row_of(row.unit - 3);
          for (std::size_t c = 0; c < columns; ++c) {
            seen[c] = row_of(static_cast<int>(random() % 30) - 20);
            as_traced[c] = row_of(seen[c].unit + 1);
            real[c] = factor();
            dataset[c] = kind == Scales::products ? factor() : real[c];
            rounder.set_integers(static_cast<std::int64_t>(c), seen[c], traced ? &as_traced[c] : nullptr);
            rounder.set_scales(static_cast<std::int64_t>(c), real[c], dataset[c]);
            sums[c] = integer(bits);
            if (random() % 4 == 0) sums[c] = (Int128{1} << (bits - 1)) - static_cast<Int128>(random() % 3);  // beside a power of two
            traced_sums[c] = sums[c] + integer(1 + static_cast<int>(random() % static_cast<unsigned>(bits)));
            const double near = to_double(exact(sums[c], row.unit + seen[c].unit));
            const int cut = static_cast<int>(random() % 50);
            switch (random() % 6) {
              case 0: y[c] = near; break;
              case 1: y[c] = -near; break;
              case 2: y[c] = random() % 2 == 0 ? 0.0 : -0.0; break;
              case 3: y[c] = random() % 8 == 0 ? std::numeric_limits<double>::infinity() : near * 0x1p-60; break;
              default:  // with fewer bits
                y[c] = std::bit_cast<double>(std::bit_cast<std::uint64_t>(near) >> cut << cut);
            }
          }
          std::vector<double> inverse_spacings(2048, power_of_two(-spacing));
          const kernels::RoundedRow& found = rounder.round(y.data(), sums.data(), row, traced ? traced_sums.data() : nullptr,
                                                           traced ? &traced_row : nullptr, inverse_spacings);
          std::int64_t inexact = 0;
          double max_ulp = 0;
          double max_abs_output = 0;
          for (std::size_t c = 0; c < columns; ++c) {
            if (c >= 24) REQUIRE(found.done[c] == 0);
            tried += c < 24 && std::isfinite(y[c]) ? 1 : 0;
            if (found.done[c] == 0) continue;
            ++done;
            const Exact sum = exact(sums[c], row.unit + seen[c].unit);
            const Exact error = formats::sum(exact(y[c]), negated(sum));
            const Exact real_y = product(exact(y[c]), real[c]);
            REQUIRE(found.error[c] == to_double(product(error, real[c])));
            REQUIRE(found.reference[c] == to_double(product(sum, real[c])));
            REQUIRE(found.y[c] == to_double(real_y));
            REQUIRE(std::signbit(found.y[c]) == std::signbit(y[c]));
            if (traced) {
              const Exact signal = product(exact(traced_sums[c], traced_row.unit + as_traced[c].unit), dataset[c]);
              REQUIRE(found.signal[c] == to_double(signal));
              REQUIRE(found.quantization_noise[c] == to_double(formats::sum(product(sum, real[c]), negated(signal))));
              REQUIRE(found.total_noise[c] == to_double(formats::sum(real_y, negated(signal))));
            }
            inexact += error.is_zero() ? 0 : 1;
            max_ulp = std::max(max_ulp, std::ldexp(std::fabs(to_double(error)), -spacing));
            max_abs_output = std::max(max_abs_output, std::fabs(y[c]));
          }
          REQUIRE(found.inexact == inexact);
          REQUIRE(found.max_ulp == max_ulp);
          REQUIRE(found.max_abs_output == max_abs_output);
        }
        CHECK(done > tried / 2);
      }
    }
  }
}

TEST_CASE("an output's spacing is that of its exact sum's binade, also where the sum rounds up to a power of two") {
  for (const kernels::BatchLanes* lanes : all_lanes()) {
    constexpr std::int64_t columns = 8;
    RowRounder rounder(lanes, columns, false);
    for (std::int64_t c = 0; c < columns; ++c) {
      rounder.set_integers(c, row_of(0), nullptr);
      rounder.set_scales(c, exact(1.0), exact(1.0));
    }
    std::vector<double> inverse_spacings(2048, 0.0);
    inverse_spacings[1023 + 79] = 1.0;  // 2^79 <= |sum| < 2^80
    const std::vector<double> y(columns, 0.0);
    for (const Int128 sign : {Int128{1}, Int128{-1}}) {
      const std::vector<Int128> below(columns, sign * ((Int128{1} << 80) - 1));
      CHECK(rounder.round(y.data(), below.data(), row_of(0), nullptr, nullptr, inverse_spacings).max_ulp == 0x1p80);
      const std::vector<Int128> at(columns, sign * (Int128{1} << 80));
      CHECK(rounder.round(y.data(), at.data(), row_of(0), nullptr, nullptr, inverse_spacings).max_ulp == 0);
    }
    inverse_spacings[1023 + 79] = std::numeric_limits<double>::quiet_NaN();  // not known yet
    const std::vector<Int128> below(columns, (Int128{1} << 80) - 1);
    CHECK(rounder.round(y.data(), below.data(), row_of(0), nullptr, nullptr, inverse_spacings).done[0] == 0);
  }
}
