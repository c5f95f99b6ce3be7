// Signed digits: of integers, to integers on the fly, and the sign that they give early.
#pragma once

#include <cstdint>
#include <vector>

#include "formats/integer.h"

namespace accsim::sim::online {

using formats::Int128;

/// The two wires of a radix-2 digit: plus - minus. (0,0) and (1,1) both mean zero.
struct Wires {
  bool plus = false, minus = false;
  [[nodiscard]] int digit() const { return int{plus} - int{minus}; }
  bool operator==(const Wires&) const = default;
};
/// Zero as (0,0).
constexpr Wires wires_of(int digit) { return {digit > 0, digit < 0}; }

/// The digits of an integer X as the fraction X / radix^digits, most significant first: of its two's complement form, in which the first
/// digit takes the sign bit with weight -1 (radix 4: -2), the others are plain. No recoding. X must lie in
/// -2^(bits-1) .. 2^(bits-1)-1 where it is signed (bits: digits times bits a digit), else in 0 .. 2^bits-1.
std::vector<int> digits_of(Int128 x, int digits, int radix, bool is_signed);

/// On-the-fly conversion (Ercegovac and Lang 1987): Q is the number read so far in units of its last digit, QM = Q - 1; appending a digit
/// propagates no carry.
class OnTheFly {
 public:
  explicit OnTheFly(int radix) : radix_(radix) {}
  void append(int digit) {
    const Int128 q = digit >= 0 ? q_ * radix_ + digit : qm_ * radix_ + (radix_ + digit);
    qm_ = digit > 0 ? q_ * radix_ + (digit - 1) : qm_ * radix_ + (radix_ - 1 + digit);
    q_ = q;
  }
  [[nodiscard]] Int128 q() const { return q_; }
  [[nodiscard]] Int128 qm() const { return qm_; }

 private:
  int radix_;
  Int128 q_ = 0, qm_ = -1;
};

/// Early negative detection: the first nonzero digit of a complete stream is its sign, so a ReLU behind it needs no more digits once that
/// is negative (ComPreEND, IEEE TC 71(7); DSLOT-NN, arXiv 2309.06019). Not safe where the stream's terms were cut before they were added.
class EarlyNegative {
 public:
  /// True from the digit on that shows the sum to be negative.
  bool see(int digit) {
    if (sign_ == 0) sign_ = digit;
    return sign_ < 0;
  }

 private:
  int sign_ = 0;
};

}  // namespace accsim::sim::online
