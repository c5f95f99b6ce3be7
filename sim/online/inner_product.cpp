#include "sim/online/inner_product.h"

#include <algorithm>

namespace accsim::sim::online {
namespace {

std::size_t leaves(const Unit& unit, int radix) {
  return unit.radix == radix && unit.multiplier != OnlineMultiplier::integrated ? static_cast<std::size_t>(unit.terms) : 0;
}

}  // namespace

InnerProduct::InnerProduct(const Unit& unit)
    : unit_(unit),
      binary_tree_(leaves(unit, 2), Radix2Adder(), adder_delay(2) + 1),
      tree_(unit.radix == 2 ? 0 : leaves(unit, unit.radix), RadixAdder(unit.radix, largest_digit(unit.radix)),
            adder_delay(unit.radix) + 1) {
  const auto terms = static_cast<std::size_t>(unit.terms);
  switch (unit.multiplier) {
    case OnlineMultiplier::serial_parallel: parallel_multipliers_.assign(terms, SerialParallel(unit)); break;
    case OnlineMultiplier::serial_serial: serial_multipliers_.assign(terms, SerialSerial(unit)); break;
    case OnlineMultiplier::integrated: serial_multipliers_.assign(1, SerialSerial(unit)); return;
  }
  products_.resize(terms);
  product_wires_.resize(terms);
}

void InnerProduct::reset() {
  for (SerialParallel& multiplier : parallel_multipliers_) multiplier.start(0);
  for (SerialSerial& multiplier : serial_multipliers_) multiplier.start();
  std::fill(products_.begin(), products_.end(), 0);
  wires_ = {};
  binary_tree_.reset();
  tree_.reset();
}

void InnerProduct::start(std::span<const Int128> parallel) {
  for (std::size_t t = 0; t < parallel_multipliers_.size(); ++t) parallel_multipliers_[t].start(parallel[t]);
  for (SerialSerial& multiplier : serial_multipliers_) multiplier.start();
}

int InnerProduct::step(std::span<const int> x, std::span<const int> y) {
  if (unit_.multiplier == OnlineMultiplier::integrated) {
    const int digit = serial_multipliers_.front().step(x, y);
    wires_ = wires_of(digit);
    return digit;
  }
  // Without a tree the product's register is the last one.
  const bool has_tree = products_.size() > 1;
  int result = 0;
  if (has_tree && unit_.radix == 2) {
    std::transform(products_.begin(), products_.end(), product_wires_.begin(), wires_of);
    wires_ = binary_tree_.step(product_wires_);
    result = wires_.digit();
  } else if (has_tree) {
    result = tree_.step(products_);
  }
  for (std::size_t t = 0; t < products_.size(); ++t) {
    products_[t] =
        parallel_multipliers_.empty() ? serial_multipliers_[t].step(x.subspan(t, 1), y.subspan(t, 1)) : parallel_multipliers_[t].step(x[t]);
  }
  if (has_tree) return result;
  wires_ = wires_of(products_.front());
  return products_.front();
}

Stream run_inner_product(InnerProduct& inner_product, std::span<const Int128> a, std::span<const Int128> b, bool a_signed, bool b_signed,
                         int digits) {
  const Unit& unit = inner_product.unit();
  const std::size_t terms = a.size();
  const int length = std::max(unit.a_digits, unit.b_digits);
  // digits_in[i * terms + t]: digit i of term t; the shorter operand ends in zeros.
  const auto streams = [&](std::span<const Int128> values, int value_digits, bool is_signed) {
    std::vector<int> in(static_cast<std::size_t>(length) * terms);
    for (std::size_t t = 0; t < terms; ++t) {
      const std::vector<int> of_term = digits_of(values[t], value_digits, unit.radix, is_signed);
      for (std::size_t i = 0; i < of_term.size(); ++i) in[i * terms + t] = of_term[i];
    }
    return in;
  };
  const std::vector<int> x = streams(a, unit.a_digits, a_signed);
  const std::vector<int> y = streams(b, unit.b_digits, b_signed);
  const std::vector<int> zeros(terms);
  inner_product.reset();
  inner_product.start(b);
  Stream stream;
  stream.cycles = unit.cycles(digits);
  OnTheFly number(unit.radix);
  EarlyNegative end;
  for (int cycle = 1; cycle <= stream.cycles; ++cycle) {
    const auto at = static_cast<std::size_t>(cycle - 1) * terms;
    const bool has_digits = cycle <= length;
    const int digit = inner_product.step(has_digits ? std::span(x).subspan(at, terms) : std::span<const int>(zeros),
                                         has_digits ? std::span(y).subspan(at, terms) : std::span<const int>(zeros));
    if (cycle < unit.first_cycle()) continue;
    stream.digits.push_back(digit);
    number.append(digit);
    if (end.see(digit) && stream.end_cycle == 0) stream.end_cycle = cycle;
  }
  stream.value = number.q();
  return stream;
}

}  // namespace accsim::sim::online
