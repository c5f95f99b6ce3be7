// Online multipliers and the merged inner product: one recurrence with a carry-save residual, one digit a clock.
#pragma once

#include <span>
#include <vector>

#include "sim/online/digits.h"
#include "sim/online/unit.h"

namespace accsim::sim::online {

/// The residual w as two words, sum and carry, whose total counts modulo 2^integer_bits.
class Residual {
 public:
  /// Fraction bits must hold every addend; 2 integer bits for radix 2, 3 for radix 4, the sign included.
  Residual(int radix, int fraction_bits, int estimate_bits);
  void reset() { sum_ = carry_ = 0; }
  /// v = radix w + rows, the rows added in order by one row of full adders each. The estimate takes both words cut to estimate_bits. Where
  /// selecting, the digit z is the estimate rounded (+1/2 up), within -a..a, and w = v - z: the words' top bits become estimate - z and
  /// 0; else z = 0, w = v. Rows are in units of 2^-fraction_bits.
  int step(std::span<const Int128> rows, bool selecting);
  /// The last estimate of v, in units of 2^-estimate_bits.
  [[nodiscard]] int estimate() const { return estimate_; }
  /// w in units of 2^-fraction_bits.
  [[nodiscard]] Int128 value() const;
  [[nodiscard]] int fraction_bits() const { return fraction_bits_; }

 private:
  [[nodiscard]] Int128 sign_extended(formats::UInt128 word) const;

  int radix_, fraction_bits_, estimate_bits_, width_;
  formats::UInt128 mask_, sum_ = 0, carry_ = 0;
  int estimate_ = 0;
};

/// x digit by digit times a parallel Y, |Y| <= 1: v[j] = r w[j] + x_{j+1+d} Y r^-d. After a_digits + b_digits digits the product is exact.
class SerialParallel {
 public:
  /// `unit` gives radix and operands; Y = `parallel` / radix^b_digits.
  explicit SerialParallel(const Unit& unit);
  /// Takes Y and forgets the vector before.
  void start(Int128 parallel);
  /// One clock with the next digit of x (0 behind its last): the output register behind the edge, z_{i-d} with digit i, 0 before z_1.
  int step(int x);
  [[nodiscard]] const Residual& residual() const { return residual_; }

 private:
  int delay_, shift_;
  Residual residual_;
  Int128 parallel_ = 0;
  int cycle_ = 0;
};

/// Sum of x y over the terms, all digit by digit, in one recurrence (one term: the serial-serial multiplier):
/// v[j] = r w[j] + r^-d sum of (x[j] y_{j+1+d} + y[j+1] x_{j+1+d}); rows term after term, in this order. A multiplier selects from z_1 on,
/// the merged inner product from z_{1-d}.
class SerialSerial {
 public:
  explicit SerialSerial(const Unit& unit);
  void start();
  /// One clock with the next digits of all terms: the output register behind the edge, z_{i-d} with digit i.
  int step(std::span<const int> x, std::span<const int> y);
  [[nodiscard]] const Residual& residual() const { return residual_; }

 private:
  int radix_, delay_, bits_, operand_digits_;
  bool selects_always_;
  Residual residual_;
  std::vector<Int128> x_, y_, rows_;  ///< the operands read so far, in units of radix^-operand_digits
  int cycle_ = 0;
};

}  // namespace accsim::sim::online
