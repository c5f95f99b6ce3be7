// Online arithmetic of radix 4 on wires, as kernel_online_lanes.h has that of radix 2. Included by it alone.
#pragma once

#include "sim/kernels/kernel_online_wires.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

struct Radix4 {
  /// In two's complement: b0 + 2 b1 - 4 sign, -3..3.
  struct Digit {
    Wire b0, b1, sign;
  };
  static constexpr int waits = 2;  ///< registers of an odd operand a level of the tree

  /// The register w of an adder, -2..2.
  struct Adder {
    Digit w;
    void reset() { w = Digit{}; }
  };
  /// u = x + y; t = 1 where u >= 3, -1 where u <= -3; z = t + w; w = u - 4t, which in three bits turns the highest one.
  static Digit clock(Adder& adder, Digit x, Digit y) {
    const Wire c0 = x.b0 & y.b0, c1 = majority(x.b1, y.b1, c0), c2 = majority(x.sign, y.sign, c1);
    const Wire u0 = x.b0 ^ y.b0, u1 = parity(x.b1, y.b1, c0), u2 = parity(x.sign, y.sign, c1), u3 = parity(x.sign, y.sign, c2);
    const Wire plus = ~u3 & (u2 | (u1 & u0)), minus = u3 & ~(u2 & u1);
    const Digit w = adder.w;
    adder.w = {u0, u1, u2 ^ (plus | minus)};
    return {w.b0 ^ (plus | minus), w.b1 ^ ((w.b0 & plus) | (~w.b0 & minus)), w.sign ^ ((w.b0 & w.b1 & plus) | (~w.b0 & ~w.b1 & minus))};
  }

  /// A number times a digit, bit after bit from the lowest one; bit number `top` of it is its sign.
  class Multiple {
   public:
    Multiple(const Wire* number, int top, Digit d)
        : number_(number), top_(top), once_(d.b0), twice_(d.b1 ^ (d.sign & d.b0)), negative_(d.sign), one_(d.sign) {}
    Wire bit(int i) {
      const Wire a = number_[i < top_ ? i : top_] & once_;
      const Wire b = i == 0 ? Wire{} : number_[i <= top_ ? i - 1 : top_] & twice_;
      const Wire m = parity(a, b, carry_) ^ negative_;
      carry_ = majority(a, b, carry_);
      const Wire r = m ^ one_;
      one_ &= m;
      return r;
    }

   private:
    const Wire* number_;
    int top_;
    Wire once_, twice_, negative_, carry_{}, one_;
  };

  /// Adds a row to the residual; `quadruples`: the residual counts four times.
  template <bool quadruples>
  static void add_row(Wire* sum, Wire* carry, int width, Multiple row) {
    Wire s1{}, s2{}, c1{}, c2{}, carried{};
    for (int i = 0; i < width; ++i) {
      const Wire s0 = sum[i], c0 = carry[i], r = row.bit(i);
      const Wire s = quadruples ? s2 : s0, c = quadruples ? c2 : c0;
      sum[i] = parity(s, c, r);
      carry[i] = carried;
      carried = majority(s, c, r);
      s2 = s1;
      c2 = c1;
      s1 = s0;
      c1 = c0;
    }
  }

  /// The digit is the estimate's integer, one more from a half on, within -3..3; what is left has -1 there, or 0.
  static Digit select(Wire* sum, Wire* carry, int width, int estimate_bits) {
    Wire ripple{};
    for (int i = width - 3 - estimate_bits; i < width; ++i) {
      const Wire s = sum[i], c = carry[i];
      sum[i] = parity(s, c, ripple);
      ripple = majority(s, c, ripple);
      carry[i] = Wire{};
    }
    Wire* const top = sum + width - 1;
    const Wire i0 = top[-2], i1 = top[-1], i2 = top[0];
    const Wire is_3 = ~i2 & i1 & i0, is_minus_4 = i2 & ~i1 & ~i0;
    const Wire up = (top[-3] & ~is_3) | is_minus_4;
    top[0] = top[-1] = top[-2] = up;
    return {i0 ^ up, i1 ^ (i0 & up), i2 ^ (i1 & i0 & up)};
  }

  /// Digit number k, from 1, below those that `number` has; bit number `top` of it is its sign.
  static void append(Wire* number, int top, Digit d, int k) {
    const int at = top - 2 * k;
    number[at] = d.b0;
    number[at + 1] = d.b1;
    Wire less = d.sign;
    for (int i = at + 2; i <= top; ++i) {
      const Wire old = number[i];
      number[i] = old ^ less;
      less &= ~old;
    }
  }

  template <bool quadruples>
  static void add_term(const OnlineShape& shape, Wire* residual, Wire* operands, int cycle, Digit x_digit, Digit y_digit) {
    const int top = shape.operand_bits;
    Wire* const x = operands;
    Wire* const y = operands + top + 1;
    const bool has_digits = 2 * cycle <= top;
    const Digit xd = has_digits ? x_digit : Digit{};
    const Digit yd = has_digits ? y_digit : Digit{};
    if (has_digits) append(y, top, yd, cycle);
    add_row<quadruples>(residual, residual + shape.width, shape.width, Multiple(x, top, yd));
    add_row<false>(residual, residual + shape.width, shape.width, Multiple(y, top, xd));
    if (has_digits) append(x, top, xd, cycle);
  }

  static void clock_multipliers(const OnlineShape& shape, Wire* state, int cycle, const Digit* x, const Digit* y) {
    Wire* const operands = state + shape.residuals * 2 * shape.width;
    auto* const products = reinterpret_cast<Digit*>(state + shape.products_at);
    const bool is_parallel = shape.kind == OnlineShape::Kind::serial_parallel;
    const bool selects = cycle > shape.delay || shape.kind == OnlineShape::Kind::integrated;
    for (int r = 0; r < shape.residuals; ++r) {
      Wire* const residual = state + r * 2 * shape.width;
      Wire* const of_term = operands + r * shape.operand_wires;
      if (is_parallel) add_row<true>(residual, residual + shape.width, shape.width, Multiple(of_term, shape.operand_bits, x[r]));
      else add_term<true>(shape, residual, of_term, cycle, x[r], y[r]);
      for (int t = 1; t < shape.terms && shape.kind == OnlineShape::Kind::integrated; ++t)
        add_term<false>(shape, residual, operands + t * shape.operand_wires, cycle, x[t], y[t]);
      products[r] = selects ? select(residual, residual + shape.width, shape.width, shape.estimate_bits) : Digit{};
    }
  }

  /// A vector's operands: the parallel one, or none of the digits yet.
  static void start(const OnlineShape& shape, Wire* operands, const Wire* parallel) {
    const int count = shape.terms * shape.operand_wires;
    for (int i = 0; i < count; ++i) operands[i] = shape.kind == OnlineShape::Kind::serial_parallel ? parallel[i] : Wire{};
  }
};

}  // namespace accsim::sim::kernels::ACCSIM_ISA
