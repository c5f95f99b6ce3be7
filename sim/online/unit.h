// Shapes and cycles of online (most-significant-digit-first) inner products. Terms: reference in README.md of this folder.
#pragma once

#include <cstdint>

#include "sim/datapath.h"

namespace accsim::sim::online {

/// ceil(log2 n), n >= 1.
int ceil_log2(std::int64_t n);

/// Bits of a digit position: radix 2 and 4 are 2^1 and 2^2.
constexpr int bits_per_digit(int radix) { return radix == 4 ? 2 : 1; }

/// Online delay of an adder: 2 for radix 2, 1 for radix 4 (Ercegovac and Lang, Digital Arithmetic, ch. 9). A registered adder adds as
/// many cycles to the first digit, and its result has one digit more.
constexpr int adder_delay(int radix) { return radix == 2 ? 2 : 1; }

/// The largest digit of a stream: 1 for radix 2, 3 for radix 4, both closed under the adder.
constexpr int largest_digit(int radix) { return radix - 1; }

/// One inner product of `terms` pairs of operands. An operand of n digits stands for X / radix^n, an integer X of that many digits.
struct Unit {
  int radix = 2;
  OnlineMultiplier multiplier = OnlineMultiplier::serial_parallel;
  std::int64_t terms = 1;
  int a_digits = 0;  ///< the serial operand's
  int b_digits = 0;  ///< of the other operand, serial or parallel

  /// Digits of an exact product.
  [[nodiscard]] int product_digits() const { return a_digits + b_digits; }
  /// Levels of the adder tree; none in an integrated unit.
  [[nodiscard]] int levels() const { return multiplier == OnlineMultiplier::integrated ? 0 : ceil_log2(terms); }
  /// Online delay of the recurrence. Serial-parallel: 2, radix 4: 1 (derived). Serial-serial: 3, radix 4: 2. Integrated:
  /// ceil(log2((2N+1)/3)) + 3; radix 4: ceil(log4(6N)) (derived).
  [[nodiscard]] int recurrence_delay() const;
  /// Fraction bits of the estimate that selects a digit.
  [[nodiscard]] int estimate_bits() const;
  /// Position of the stream's first digit; position i weighs radix^-i.
  [[nodiscard]] int first_position() const;
  /// Digits of the exact result.
  [[nodiscard]] int result_digits() const { return product_digits() + 1 - first_position(); }
  /// The cycle at whose end the first digit is registered, cycle 1 being the one in which the first operand digit is applied.
  [[nodiscard]] int first_cycle() const;
  /// Cycles until the last of `digits` digits is registered.
  [[nodiscard]] int cycles(int digits) const { return first_cycle() + digits - 1; }
  /// The least number of cycles from one vector to the next, of which `digits` digits are taken: nothing is masked in the adder tree,
  /// or the unit is reset between vectors where that is shorter (derived; online.md 4).
  [[nodiscard]] int interval(int digits) const;
};

}  // namespace accsim::sim::online
