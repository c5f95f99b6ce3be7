// An online inner product, clock by clock: multipliers before an adder tree, or one merged recurrence.
#pragma once

#include <span>
#include <vector>

#include "sim/online/adder.h"
#include "sim/online/adder_tree.h"
#include "sim/online/multiplier.h"

namespace accsim::sim::online {

class InnerProduct {
 public:
  explicit InnerProduct(const Unit& unit);

  /// All registers to digit zero.
  void reset();
  /// The next clock brings the first digits of a new vector: the multipliers start anew, the tree goes on. `parallel`: Y of each term,
  /// serial-parallel only.
  void start(std::span<const Int128> parallel);
  /// One clock with the next digits of every term (0 behind the last; `y` is not looked at where it is parallel): the output digit as
  /// registered behind the edge. The digit at first_position() comes from step number first_cycle() after start().
  int step(std::span<const int> x, std::span<const int> y);

  [[nodiscard]] const Unit& unit() const { return unit_; }
  /// The wires of the digit that step() gave, radix 2.
  [[nodiscard]] Wires wires() const { return wires_; }
  /// Product registers behind the last edge; empty in a merged unit.
  [[nodiscard]] std::span<const int> products() const { return products_; }

 private:
  Unit unit_;
  std::vector<SerialParallel> parallel_multipliers_;
  std::vector<SerialSerial> serial_multipliers_;  ///< one of them where integrated
  std::vector<int> products_;
  std::vector<Wires> product_wires_;
  Wires wires_;
  AdderTree<Radix2Adder, Wires> binary_tree_;
  AdderTree<RadixAdder, int> tree_;
};

struct Stream {
  std::vector<int> digits;  ///< from unit.first_position() on
  Int128 value = 0;         ///< in units of the last digit
  int cycles = 0;           ///< until the last digit is registered
  int end_cycle = 0;        ///< early detection knows the sum to be negative at this cycle's end; 0: it does not
};
/// One vector through a freshly reset unit: its first `digits` digits. `a` and `b` are integers of unit.a_digits and b_digits digits.
Stream run_inner_product(InnerProduct& unit, std::span<const Int128> a, std::span<const Int128> b, bool a_signed, bool b_signed,
                         int digits);

}  // namespace accsim::sim::online
