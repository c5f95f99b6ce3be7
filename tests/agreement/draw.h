// Choices, from a seed or from a fuzzer's bytes.
#pragma once

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <span>

namespace accsim::agreement {

/// Draws numbers from a generator with a seed, or from bytes that a fuzzer chose; bytes that have run out are zeros.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : generator_(seed), is_random_(true) {}
  explicit Draw(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  /// low..high; a fuzzer spends no more bytes than the range needs.
  std::int64_t between(std::int64_t low, std::int64_t high) {
    const auto range = static_cast<std::uint64_t>(high - low) + 1;
    int bytes = 1;
    while (bytes < 8 && (range - 1) >> (8 * bytes) != 0) ++bytes;
    return low + static_cast<std::int64_t>(bits(bytes) % range);
  }
  int integer(int low, int high) { return static_cast<int>(between(low, high)); }
  bool chance(int percent) { return between(0, 99) < percent; }
  template <class T>
  T of(std::initializer_list<T> list) {
    return list.begin()[between(0, static_cast<std::int64_t>(list.size()) - 1)];
  }
  std::uint64_t bits(int bytes) {
    if (is_random_) return generator_() >> (64 - 8 * bytes);
    std::uint64_t value = 0;
    for (int i = 0; i < bytes && at_ < bytes_.size(); ++i) value |= std::uint64_t{bytes_[at_++]} << (8 * i);
    return value;
  }
  /// Sum of uniform numbers: close to normal, mean 0, deviation 1.
  double normal() {
    double sum = -6;
    for (int i = 0; i < (is_random_ ? 12 : 2); ++i) sum += (is_random_ ? 1 : 6) * std::ldexp(static_cast<double>(bits(4)), -32);
    return sum;
  }

 private:
  std::mt19937_64 generator_;
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  bool is_random_ = false;
};

}  // namespace accsim::agreement
