// Online inner products side by side, a bit of a wire each: 512 units a register with AVX-512.
#pragma once

#include <cstdint>

#include "sim/kernels/isa.h"
#include "sim/kernels/kernel_online.h"
#include "sim/kernels/lane_memory.h"
#include "sim/online/unit.h"

namespace accsim::sim::kernels {

/// units() copies of an online::InnerProduct, equal to it digit by digit, register by register at the output. Wires are words() 64-bit
/// words, bit u of word w being unit 64 w + u. A digit has digit_wires() of them: plus and minus (radix 2), or bits 1, 2 and -4 of its
/// two's complement, from -3 to 3 (radix 4).
class SlicedInnerProduct {
 public:
  /// host_has(isa) must hold.
  SlicedInnerProduct(const online::Unit& unit, Isa isa);

  [[nodiscard]] int words() const { return lanes_.words; }
  [[nodiscard]] int units() const { return 64 * lanes_.words; }
  [[nodiscard]] int digit_wires() const { return shape_.digit_wires; }
  /// Where the bits of digits go before a step: those of every term (x; serial operands also y), or the bits of the parallel operands
  /// before start(), last bit first, the sign repeated behind the bits of b_digits digits.
  [[nodiscard]] std::uint64_t* x(std::int64_t term, int of_digit) { return wire(x_, shape_.digit_wires * term + of_digit); }
  [[nodiscard]] std::uint64_t* y(std::int64_t term, int of_digit) { return wire(y_, shape_.digit_wires * term + of_digit); }
  [[nodiscard]] std::uint64_t* parallel(std::int64_t term, int bit) { return wire(y_, term * (shape_.operand_bits + 1) + bit); }

  void reset() { lanes_.reset(shape_, state_.data()); }
  /// The next step is the first of a vector.
  void start() {
    cycle_ = 0;
    lanes_.start(shape_, state_.data(), y_.data());
  }
  /// One clock with the digits in x (and y): the output's wires behind the edge.
  void step() { lanes_.step(shape_, state_.data(), ++cycle_, x_.data(), y_.data(), out_.data()); }
  [[nodiscard]] const std::uint64_t* out(int of_digit) const { return wire(out_, of_digit); }

 private:
  [[nodiscard]] std::uint64_t* wire(const LaneMemory<std::uint64_t>& memory, std::int64_t index) const {
    return memory.data() + index * lanes_.words;
  }

  const OnlineLanes& lanes_;
  OnlineShape shape_;
  LaneMemory<std::uint64_t> state_, x_, y_, out_;
  int cycle_ = 0;
};

}  // namespace accsim::sim::kernels
