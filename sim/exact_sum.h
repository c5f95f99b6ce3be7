// Exact sums of binary64 numbers and of their products, in any order with the same result.
#pragma once

#include <array>
#include <cstdint>

#include "formats/exact.h"

namespace accsim::sim {

/// A fixed-point register that holds every sum of binary64 products (Kulisch): limbs of 32 bits of weight in 128-bit
/// integers, carried rarely. Infinities and NaN are counted and decide the result as IEEE 754 addition would.
class ExactSum {
 public:
  void add(double x);
  /// Adds x * y, exactly.
  void add_product(double x, double y);
  /// Adds n * 2^exponent; its last bit weighs at least 2^-2148, its first at most 2^2048.
  void add_integer(formats::Int128 n, int exponent);
  void merge(const ExactSum& other);
  void clear();
  /// The exact total; +0 for an empty sum and for exact cancellation.
  [[nodiscard]] formats::Exact value() const;

 private:
  static constexpr int base = -2176;  ///< weight of the first limb's last bit, a multiple of 32 below 2 * -1074
  static constexpr int limbs = 138;
  static constexpr std::int64_t carry_every = std::int64_t{1} << 30;

  void add_bits(bool negative, std::uint64_t significand, int exponent);
  void add_special(double x);
  void carry();

  std::array<formats::Int128, limbs> limbs_{};
  int lowest_ = limbs, highest_ = -1;  ///< the limbs in use
  std::int64_t additions_ = 0;
  bool nan_ = false, plus_infinity_ = false, minus_infinity_ = false;
};

/// Sum and sum of squares of a series of binary64 numbers, exact.
struct Moments {
  std::int64_t count = 0;
  ExactSum sum, squares;

  void add(double x) {
    ++count;
    sum.add(x);
    squares.add_product(x, x);
  }
  void merge(const Moments& other);
  /// Mean, mean of squares and variance (divided by the count), exact but for a quotient of 128 bits. The count must not be zero.
  [[nodiscard]] formats::Exact mean() const;
  [[nodiscard]] formats::Exact mean_square() const;
  [[nodiscard]] formats::Exact variance() const;
};

}  // namespace accsim::sim
