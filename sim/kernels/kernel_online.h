// What the lanes of online arithmetic are told: plain data. A wire is one vector, a bit of it one unit.
#pragma once

namespace accsim::sim::online {
struct Unit;
}

namespace accsim::sim::kernels {

/// A unit as the lanes hold it. A digit is plus and minus (radix 2), or bits 1, 2 and -4 of two's complement (radix 4).
struct OnlineShape {
  enum class Kind { serial_parallel, serial_serial, integrated };
  Kind kind = Kind::serial_parallel;
  int radix = 2;
  int digit_wires = 2;
  int terms = 1;
  int delay = 0;
  int estimate_bits = 0;
  int operand_bits = 0;  ///< of the parallel operand; serial-serial: of the longer operand
  int width = 0;         ///< of the residual words: the operand's bits, those of `delay` digits, 2 integer bits (radix 4: 3)
  int residuals = 1;     ///< multipliers, or one
  int levels = 0;

  // The state in wires: residuals, operands, product registers, the tree.
  int operand_wires = 0;  ///< of a term
  int products_at = 0, tree_at = 0, wires = 0;
};
OnlineShape online_shape(const online::Unit& unit);

/// Pointers to wires are aligned to vectors.
struct OnlineLanes {
  int words;  ///< 64-bit words a wire
  /// All registers to digit zero.
  void (*reset)(const OnlineShape& shape, void* state);
  /// The next step is the first of a vector. `parallel`: operand_bits + 1 wires a term, two's complement, last bit first (serial-parallel).
  void (*start)(const OnlineShape& shape, void* state, const void* parallel);
  /// One clock, the cycle-th of the vector: the digits of every term in, that of the result's register out.
  void (*step)(const OnlineShape& shape, void* state, int cycle, const void* x, const void* y, void* out);
};
const OnlineLanes& online_lanes_baseline();
const OnlineLanes& online_lanes_avx2();
const OnlineLanes& online_lanes_avx512();

}  // namespace accsim::sim::kernels
