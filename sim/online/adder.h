// Online adders, one digit of each operand a clock.
#pragma once

#include "sim/online/digits.h"

namespace accsim::sim::online {

/// The registers of the radix-2 adder; reset is all zero, which is digit zero.
struct Radix2AdderState {
  bool g = false, y_minus = false, w = false;
  Wires z;  ///< the output register
  bool operator==(const Radix2AdderState&) const = default;
};

/// Radix 2, online delay 2: two full adders and five flip-flops. FA1: 2h - g = x+ - x- + y+. FA2: -2t + w = h - g - y- with the g and y- of
/// the previous clock. z = (w of the previous clock, t). n digits in, n + 1 out, z_0 first; z_i leaves with digit i + 2. The value is
/// exact; operands are not interchangeable digit by digit.
class Radix2Adder {
 public:
  void reset() { state_ = {}; }
  /// One clock with the wires of digit j+3 of both operands: the output register behind the edge, z_{j+1}.
  Wires step(Wires x, Wires y) {
    const int first = int{x.plus} + int{!x.minus} + int{y.plus};
    const bool h = first >= 2;
    const bool g = (first & 1) == 0;
    const int second = int{h} + int{!state_.g} + int{!state_.y_minus};
    const bool t = second < 2;
    state_.z = {state_.w, t};
    state_.g = g;
    state_.y_minus = y.minus;
    state_.w = (second & 1) != 0;
    return state_.z;
  }
  [[nodiscard]] const Radix2AdderState& state() const { return state_; }

 private:
  Radix2AdderState state_;
};

/// Radix r > 2, digits -a..a with a > r/2, online delay 1: t_i = 1 if u >= a, -1 if u <= -a, else 0, of u = x_{i+1} + y_{i+1};
/// w_{i+1} = u - r t_i; z_i = t_i + w_i. z_i leaves with digit i + 1.
class RadixAdder {
 public:
  RadixAdder(int radix, int largest) : radix_(radix), largest_(largest) {}
  void reset() { w_ = z_ = 0; }
  /// One clock: the output register behind the edge.
  int step(int x, int y) {
    const int u = x + y;
    const int t = u >= largest_ ? 1 : u <= -largest_ ? -1 : 0;
    z_ = t + w_;
    w_ = u - radix_ * t;
    return z_;
  }
  [[nodiscard]] int w() const { return w_; }

 private:
  int radix_, largest_;
  int w_ = 0, z_ = 0;
};

}  // namespace accsim::sim::online
