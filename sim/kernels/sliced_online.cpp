#include "sim/kernels/sliced_online.h"

#include <algorithm>

namespace accsim::sim::kernels {

OnlineShape online_shape(const online::Unit& unit) {
  OnlineShape shape;
  const int bits = online::bits_per_digit(unit.radix);
  shape.radix = unit.radix;
  shape.digit_wires = unit.radix == 2 ? 2 : 3;
  shape.terms = static_cast<int>(unit.terms);
  shape.residuals = shape.terms;
  shape.delay = unit.recurrence_delay();
  shape.estimate_bits = unit.estimate_bits();
  shape.operand_bits = bits * std::max({unit.a_digits, unit.b_digits, 1});
  shape.levels = unit.levels();
  switch (unit.multiplier) {
    case OnlineMultiplier::serial_parallel:
      shape.kind = OnlineShape::Kind::serial_parallel;
      shape.operand_bits = bits * unit.b_digits;
      break;
    case OnlineMultiplier::serial_serial: shape.kind = OnlineShape::Kind::serial_serial; break;
    case OnlineMultiplier::integrated:
      shape.kind = OnlineShape::Kind::integrated;
      shape.residuals = 1;
      break;
  }
  shape.width = shape.operand_bits + bits * shape.delay + bits + 1;
  const bool is_parallel = shape.kind == OnlineShape::Kind::serial_parallel;
  const int copies = unit.radix == 2 ? 2 : 1;  // of a number: its negative, or Q and QM
  shape.operand_wires = (is_parallel ? 1 : 2) * copies * (shape.operand_bits + 1);
  shape.products_at = shape.residuals * 2 * shape.width + shape.terms * shape.operand_wires;
  shape.tree_at = shape.products_at + shape.digit_wires * shape.residuals;
  shape.wires = shape.tree_at;
  for (int n = shape.levels > 0 ? shape.terms : 1; n > 1; n = (n + 1) / 2)
    shape.wires += 3 * (n / 2) + shape.digit_wires * ((n + 1) / 2 + (n % 2 != 0 ? online::adder_delay(unit.radix) + 1 : 0));
  return shape;
}

SlicedInnerProduct::SlicedInnerProduct(const online::Unit& unit, Isa isa)
    : lanes_(lanes_for(isa, online_lanes_baseline, online_lanes_avx2, online_lanes_avx512)),
      shape_(online_shape(unit)),
      state_(std::int64_t{shape_.wires} * lanes_.words),
      x_(shape_.digit_wires * unit.terms * lanes_.words),
      y_(unit.terms * std::max(shape_.digit_wires, shape_.operand_bits + 1) * lanes_.words),
      out_(std::int64_t{shape_.digit_wires} * lanes_.words) {
  std::fill_n(x_.data(), shape_.digit_wires * unit.terms * lanes_.words, 0);
  std::fill_n(y_.data(), unit.terms * std::max(shape_.digit_wires, shape_.operand_bits + 1) * lanes_.words, 0);
  reset();
}

}  // namespace accsim::sim::kernels
