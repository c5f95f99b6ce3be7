// The level kind `online`: what it makes of the operands of one output.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "formats/exact.h"
#include "sim/datapath.h"
#include "sim/online/inner_product.h"

namespace accsim::sim::online {

/// An operand as a unit takes it: integers of so many bits, in units of 2^-fraction_bits.
struct OperandShape {
  int bits = 0;
  bool is_signed = true;
  int fraction_bits = 0;
};
/// The shape that a fixed-point operand has; `bits` other than 0 are those of the operands minus their zero points, which may need more
/// than their format's and are signed.
OperandShape operand_shape(const Operand& operand, int bits);

/// The unit of an online level for so many terms.
Unit unit_for(const Level& level, const OperandShape& a, const OperandShape& b, std::int64_t terms);
/// The digits of its stream that are kept.
int kept_digits(const Level& level, const Unit& unit);
/// Cycles of one output of k terms, until its last digit is registered: a vector after the other through the unit, at its interval, where
/// the level is not the last and hands up sums of `terms`. Nothing where the datapath has no online level. `a_bits`, `b_bits` as in Tile.
std::optional<std::int64_t> cycles_of_output(const Datapath& datapath, int a_bits, int b_bits, std::int64_t k);
/// True where a negative stream means a negative output: the level's sum is the result.
bool early_detection_is_exact(const Datapath& datapath);
/// What early detection saved, where it is exact.
std::optional<std::int64_t> saved_cycles(const Datapath& datapath, std::int64_t saved);

/// The level over one output after another. Digits decide its value; it is not rounded here.
class OnlineLevel {
 public:
  OnlineLevel(const Datapath& datapath, int a_bits, int b_bits);

  /// Forgets the output before.
  void start_output();
  /// The next pair of operands, in term order.
  template <class U>
  void add_operands(const formats::BasicExact<U>& a, const formats::BasicExact<U>& b) {
    a_.push_back(units_of(a, a_shape_.fraction_bits));
    b_.push_back(units_of(b, b_shape_.fraction_bits));
  }
  /// The sum of the products first .. first + count - 1, as its digits have it.
  template <class U>
  formats::BasicExact<U> sum(std::size_t first, std::size_t count) {
    const Scaled s = run(first, count);
    if (s.value == 0) return formats::BasicExact<U>::zero();
    return {
        .negative = s.value < 0, .exponent = s.exponent, .significand = U(static_cast<formats::UInt128>(s.value < 0 ? -s.value : s.value))};
  }
  /// Cycles that early detection saved, added over all outputs.
  [[nodiscard]] std::int64_t saved_cycles() const { return saved_cycles_; }

 private:
  struct Scaled {
    Int128 value;
    int exponent;
  };
  template <class U>
  static Int128 units_of(const formats::BasicExact<U>& x, int fraction_bits) {
    if (x.is_zero()) return 0;
    const int shift = x.exponent + fraction_bits;
    const auto magnitude = static_cast<Int128>(shift >= 0 ? U(x.significand << shift) : U(x.significand >> -shift));
    return x.negative ? -magnitude : magnitude;
  }
  Scaled run(std::size_t first, std::size_t count);
  InnerProduct& unit(std::int64_t terms);

  const Level& level_;
  bool detects_;
  OperandShape a_shape_, b_shape_;
  std::deque<InnerProduct> units_;  ///< by terms: full vectors and a shorter last one
  std::vector<Int128> a_, b_;
  std::int64_t saved_cycles_ = 0;
};

}  // namespace accsim::sim::online
