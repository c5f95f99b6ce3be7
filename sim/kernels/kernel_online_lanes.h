// Online arithmetic on wires: every bit of a vector is a unit of its own. Compiled once per instruction set. The gates are those of
// sim/online, whose comments say what they compute.
#pragma once

#include "sim/kernels/kernel_online_radix4.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

struct Digit {
  Wire plus, minus;
};
/// Zero as (0,0).
inline Digit plain(Digit d) { return {d.plus & ~d.minus, d.minus & ~d.plus}; }

/// The registers of an adder without its output; g and y- complemented, so that reset sets those.
struct Adder {
  Wire not_g, not_y_minus, w;
  void reset() {
    w = Wire{};
    not_g = not_y_minus = ~Wire{};
  }
};
inline Digit clock(Adder& adder, Digit x, Digit y) {
  const Wire not_x_minus = ~x.minus;
  const Wire h = majority(x.plus, not_x_minus, y.plus);
  const Digit z = {adder.w, ~majority(h, adder.not_g, adder.not_y_minus)};
  adder.w = parity(h, adder.not_g, adder.not_y_minus);
  adder.not_g = parity(x.plus, not_x_minus, y.plus);
  adder.not_y_minus = ~y.minus;
  return z;
}

/// Adds a row to the residual, from bit 0 upwards; `doubles`: the residual counts twice. row(i) gives a wire.
template <bool doubles, class Row>
inline void add_row(Wire* sum, Wire* carry, int width, const Row& row) {
  for (int i = width - 1; i >= 0; --i) {
    const int from = doubles ? i - 1 : i;
    const Wire s = from < 0 ? Wire{} : sum[from];
    const Wire c = from < 0 ? Wire{} : carry[from];
    const Wire r = row(i);
    sum[i] = parity(s, c, r);
    if (i + 1 < width) carry[i + 1] = majority(s, c, r);
  }
  carry[0] = Wire{};
}

/// The top bits of the estimate less the digit that it selects.
inline Digit take_digit(Wire* top) {
  const Wire sign = top[0], one = top[-1], half = top[-2];
  const Digit z = {~sign & (one | half), sign & ~(one & half)};
  top[-1] = one ^ (z.plus | z.minus);
  top[0] = sign ^ ((z.plus & ~one) | (z.minus & one));
  return z;
}

/// The digit that the estimate selects; the words' top bits become the estimate less the digit, and zero.
inline Digit select(Wire* sum, Wire* carry, int width, int estimate_bits) {
  const int low = width - 2 - estimate_bits;
  Wire ripple{};
  for (int i = low; i < width; ++i) {
    const Wire s = sum[i], c = carry[i];
    sum[i] = parity(s, c, ripple);
    ripple = majority(s, c, ripple);
    carry[i] = Wire{};
  }
  return take_digit(sum + width - 1);
}

/// The same as add_row<true> and select of a parallel operand times a digit, in one way up; the residual's top carries are zero. `bits`: of
/// the operand, where the compiler is to know them, else 0.
template <int bits>
inline Digit add_and_select(const OnlineShape& shape, Wire* residual, const Wire* positive, const Wire* negative, Digit d) {
  const int sign = bits > 0 ? bits : shape.operand_bits;
  const int width = sign + 4;  // delay 2, estimate of 2 integer and 2 fraction bits
  Wire* const sum = residual;
  Wire* const carry = residual + width;
  Wire s{}, c{}, carried{};
  for (int i = 0; i < sign; ++i) {
    const Wire row = chosen(positive[i], d.plus, negative[i], d.minus);
    const Wire next_s = sum[i], next_c = carry[i];
    sum[i] = parity(s, c, row);
    carry[i] = carried;
    carried = majority(s, c, row);
    s = next_s;
    c = next_c;
  }
  const Wire row = chosen(positive[sign], d.plus, negative[sign], d.minus);
  Wire ripple{};
  for (int i = sign; i < width; ++i) {
    const Wire next_s = sum[i];
    const Wire total = parity(s, c, row);
    sum[i] = parity(total, carried, ripple);
    ripple = majority(total, carried, ripple);
    carried = majority(s, c, row);
    s = next_s;
    c = Wire{};
  }
  return take_digit(sum + width - 1);
}

/// An operand read digit by digit: Q and QM = Q - ulp, bit `bits` the sign. Digit k stands at bit bits - k.
struct Operand {
  Wire *q, *qm;
  int bits;

  void append(Digit d, int k) {
    const int at = bits - k;
    for (int i = at + 1; i <= bits; ++i) {
      const Wire old = q[i];
      q[i] = (old & ~d.minus) | (qm[i] & d.minus);
      qm[i] = (old & d.plus) | (qm[i] & ~d.plus);
    }
    q[at] = d.plus | d.minus;
    qm[at] = ~(d.plus | d.minus);
  }
  /// Bit i of the operand's first k digits times a digit: Q, its complement's successor ~QM, or zero.
  [[nodiscard]] Wire times(Digit d, int k, int i) const {
    if (i < bits - k) return Wire{};
    const int at = i < bits ? i : bits;
    return chosen(q[at], d.plus, ~qm[at], d.minus);
  }
};

/// The rows of one term of a serial-serial recurrence in its cycle.
template <bool doubles>
inline void add_term(const OnlineShape& shape, Wire* residual, Wire* operands, int cycle, Digit x_digit, Digit y_digit) {
  const int n = shape.operand_bits + 1;
  Operand x{operands, operands + n, shape.operand_bits};
  Operand y{operands + 2 * n, operands + 3 * n, shape.operand_bits};
  const bool has_digits = cycle <= shape.operand_bits;
  const int read = has_digits ? cycle : shape.operand_bits;
  const Digit xd = has_digits ? plain(x_digit) : Digit{};
  const Digit yd = has_digits ? plain(y_digit) : Digit{};
  if (has_digits) y.append(yd, cycle);
  const int before = has_digits ? cycle - 1 : read;
  add_row<doubles>(residual, residual + shape.width, shape.width, [&](int i) { return x.times(yd, before, i); });
  add_row<false>(residual, residual + shape.width, shape.width, [&](int i) { return y.times(xd, read, i); });
  if (has_digits) x.append(xd, cycle);
}

inline Digit selected(const OnlineShape& shape, Wire* residual, bool selects) {
  return selects ? select(residual, residual + shape.width, shape.width, shape.estimate_bits) : Digit{};
}

inline void clock_multipliers(const OnlineShape& shape, Wire* state, int cycle, const Digit* x, const Digit* y) {
  Wire* const operands = state + shape.residuals * 2 * shape.width;
  auto* const products = reinterpret_cast<Digit*>(state + shape.products_at);
  const int per_term = shape.operand_wires;
  switch (shape.kind) {
    case OnlineShape::Kind::serial_parallel:
      for (int t = 0; t < shape.terms; ++t) {
        Wire* const residual = state + t * 2 * shape.width;
        const Wire* const positive = operands + t * per_term;
        const Wire* const negative = positive + shape.operand_bits + 1;
        const Digit d = plain(x[t]);
        if (cycle > shape.delay + 1) {
          products[t] = shape.operand_bits == 8 ? add_and_select<8>(shape, residual, positive, negative, d)
                                                : add_and_select<0>(shape, residual, positive, negative, d);
          continue;
        }
        add_row<true>(residual, residual + shape.width, shape.width, [&](int i) {
          const int at = i < shape.operand_bits ? i : shape.operand_bits;
          return chosen(positive[at], d.plus, negative[at], d.minus);
        });
        products[t] = selected(shape, residual, cycle > shape.delay);
      }
      return;
    case OnlineShape::Kind::serial_serial:
      for (int t = 0; t < shape.terms; ++t) {
        Wire* const residual = state + t * 2 * shape.width;
        add_term<true>(shape, residual, operands + t * per_term, cycle, x[t], y[t]);
        products[t] = selected(shape, residual, cycle > shape.delay);
      }
      return;
    case OnlineShape::Kind::integrated:
      add_term<true>(shape, state, operands, cycle, x[0], y[0]);
      for (int t = 1; t < shape.terms; ++t) add_term<false>(shape, state, operands + t * per_term, cycle, x[t], y[t]);
      products[0] = selected(shape, state, true);
      return;
  }
}

inline void start_operands(const OnlineShape& shape, Wire* operands, const Wire* parallel) {
  const int n = shape.operand_bits + 1;
  for (int t = 0; t < shape.terms; ++t, operands += shape.operand_wires) {
    if (shape.kind == OnlineShape::Kind::serial_parallel) {
      const Wire* const y = parallel + t * n;
      Wire ripple = ~Wire{};
      for (int i = 0; i < n; ++i) {
        operands[i] = y[i];
        operands[n + i] = ~y[i] ^ ripple;
        ripple &= ~y[i];
      }
    } else {
      for (int i = 0; i < n; ++i) {
        operands[i] = operands[2 * n + i] = Wire{};
        operands[n + i] = operands[3 * n + i] = ~Wire{};
      }
    }
  }
}

struct Radix2 {
  using Digit = ACCSIM_ISA::Digit;
  using Adder = ACCSIM_ISA::Adder;
  static constexpr int waits = 3;
  static Digit clock(Adder& adder, Digit x, Digit y) { return ACCSIM_ISA::clock(adder, x, y); }
  static void clock_multipliers(const OnlineShape& shape, Wire* state, int cycle, const Digit* x, const Digit* y) {
    ACCSIM_ISA::clock_multipliers(shape, state, cycle, x, y);
  }
  static void start(const OnlineShape& shape, Wire* operands, const Wire* parallel) { start_operands(shape, operands, parallel); }
};

/// Of one level of the tree: adders, outputs, and the registers of an odd operand.
template <class Radix>
struct TreeLevel {
  typename Radix::Adder* adders;
  typename Radix::Digit *outputs, *waiting;
  int pairs;
  bool odd;
};
constexpr int most_levels = 40;

template <class Radix>
inline int tree_levels(const OnlineShape& shape, Wire* state, TreeLevel<Radix>* levels) {
  using Digit = typename Radix::Digit;
  constexpr int digit_wires = sizeof(Digit) / sizeof(Wire);
  static_assert(sizeof(typename Radix::Adder) == 3 * sizeof(Wire));
  Wire* at = state + shape.tree_at;
  int count = 0;
  for (int n = shape.terms; n > 1 && shape.levels > 0; n = (n + 1) / 2) {
    TreeLevel<Radix>& level = levels[count++];
    level.pairs = n / 2;
    level.odd = n % 2 != 0;
    level.adders = reinterpret_cast<typename Radix::Adder*>(at);
    at += 3 * level.pairs;
    level.outputs = reinterpret_cast<Digit*>(at);
    at += digit_wires * ((n + 1) / 2);
    level.waiting = reinterpret_cast<Digit*>(at);
    if (level.odd) at += digit_wires * Radix::waits;
  }
  return count;
}

template <class Radix>
inline void step_of(const OnlineShape& shape, Wire* state, int cycle, const void* x, const void* y, void* out) {
  using Digit = typename Radix::Digit;
  const auto* const products = reinterpret_cast<const Digit*>(state + shape.products_at);
  TreeLevel<Radix> levels[most_levels];
  const int count = tree_levels<Radix>(shape, state, levels);
  for (int l = count - 1; l >= 0; --l) {
    const TreeLevel<Radix>& level = levels[l];
    const Digit* const inputs = l == 0 ? products : levels[l - 1].outputs;
    for (int i = 0; i < level.pairs; ++i) level.outputs[i] = Radix::clock(level.adders[i], inputs[2 * i], inputs[2 * i + 1]);
    if (!level.odd) continue;
    for (int i = Radix::waits - 1; i > 0; --i) level.waiting[i] = level.waiting[i - 1];
    level.waiting[0] = inputs[2 * level.pairs];
    level.outputs[level.pairs] = level.waiting[Radix::waits - 1];
  }
  Radix::clock_multipliers(shape, state, cycle, static_cast<const Digit*>(x), static_cast<const Digit*>(y));
  *static_cast<Digit*>(out) = count > 0 ? levels[count - 1].outputs[0] : products[0];
}

inline void step(const OnlineShape& shape, void* memory, int cycle, const void* x, const void* y, void* out) {
  if (shape.radix == 4) step_of<Radix4>(shape, static_cast<Wire*>(memory), cycle, x, y, out);
  else step_of<Radix2>(shape, static_cast<Wire*>(memory), cycle, x, y, out);
}

inline void start(const OnlineShape& shape, void* memory, const void* parallel) {
  Wire* const state = static_cast<Wire*>(memory);
  const int words = shape.residuals * 2 * shape.width;
  for (int i = 0; i < words; ++i) state[i] = Wire{};
  if (shape.radix == 4) Radix4::start(shape, state + words, static_cast<const Wire*>(parallel));
  else Radix2::start(shape, state + words, static_cast<const Wire*>(parallel));
}

template <class Radix>
inline void reset_tree(const OnlineShape& shape, Wire* state) {
  TreeLevel<Radix> levels[most_levels];
  const int count = tree_levels<Radix>(shape, state, levels);
  for (int l = 0; l < count; ++l) {
    for (int i = 0; i < levels[l].pairs; ++i) levels[l].adders[i].reset();
  }
}

inline void reset(const OnlineShape& shape, void* memory) {
  Wire* const state = static_cast<Wire*>(memory);
  for (int i = 0; i < shape.wires; ++i) state[i] = Wire{};
  if (shape.radix == 4) reset_tree<Radix4>(shape, state);
  else reset_tree<Radix2>(shape, state);
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
