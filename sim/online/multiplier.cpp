#include "sim/online/multiplier.h"

#include <algorithm>

namespace accsim::sim::online {

using formats::UInt128;

Residual::Residual(int radix, int fraction_bits, int estimate_bits)
    : radix_(radix),
      fraction_bits_(std::max(fraction_bits, estimate_bits)),
      estimate_bits_(estimate_bits),
      width_(fraction_bits_ + bits_per_digit(radix) + 1),
      mask_((UInt128{1} << width_) - 1) {}

Int128 Residual::sign_extended(UInt128 word) const {
  const auto value = static_cast<Int128>(word & mask_);
  return value >> (width_ - 1) != 0 ? value - (Int128{1} << width_) : value;
}

int Residual::step(std::span<const Int128> rows, bool selecting) {
  UInt128 s = sum_ * static_cast<unsigned>(radix_);
  UInt128 c = carry_ * static_cast<unsigned>(radix_);
  for (const Int128 signed_row : rows) {
    const auto row = static_cast<UInt128>(signed_row);
    const UInt128 majority = (s & c) | (s & row) | (c & row);
    s = s ^ c ^ row;
    c = majority << 1;
  }
  s &= mask_;
  c &= mask_;
  const int low = fraction_bits_ - estimate_bits_;
  const int top_bits = width_ - low;
  const int top_mask = (1 << top_bits) - 1;
  const int top = static_cast<int>((s >> low) + (c >> low)) & top_mask;
  estimate_ = top >> (top_bits - 1) != 0 ? top - (1 << top_bits) : top;
  int z = 0;
  if (selecting) {
    const int largest = largest_digit(radix_);
    z = std::clamp((estimate_ + (1 << (estimate_bits_ - 1))) >> estimate_bits_, -largest, largest);
    const UInt128 below = (UInt128{1} << low) - 1;
    s = (s & below) | static_cast<UInt128>((estimate_ - z * (1 << estimate_bits_)) & top_mask) << low;
    c &= below;
  }
  sum_ = s;
  carry_ = c;
  return z;
}

Int128 Residual::value() const { return sign_extended(sum_ + carry_); }

SerialParallel::SerialParallel(const Unit& unit)
    : delay_(unit.recurrence_delay()),
      shift_(0),
      residual_(unit.radix, bits_per_digit(unit.radix) * (unit.b_digits + delay_), unit.estimate_bits()) {
  shift_ = residual_.fraction_bits() - bits_per_digit(unit.radix) * (unit.b_digits + delay_);
}

void SerialParallel::start(Int128 parallel) {
  parallel_ = parallel;
  residual_.reset();
  cycle_ = 0;
}

int SerialParallel::step(int x) {
  ++cycle_;
  const Int128 row = parallel_ * x * (Int128{1} << shift_);
  return residual_.step({&row, 1}, cycle_ > delay_);
}

SerialSerial::SerialSerial(const Unit& unit)
    : radix_(unit.radix),
      delay_(unit.recurrence_delay()),
      bits_(bits_per_digit(unit.radix)),
      operand_digits_(std::max({unit.a_digits, unit.b_digits, 1})),
      selects_always_(unit.multiplier == OnlineMultiplier::integrated),
      residual_(unit.radix, bits_ * (operand_digits_ + delay_), unit.estimate_bits()) {
  const auto terms = static_cast<std::size_t>(unit.multiplier == OnlineMultiplier::integrated ? unit.terms : 1);
  x_.resize(terms);
  y_.resize(terms);
  rows_.resize(2 * terms);
}

void SerialSerial::start() {
  std::fill(x_.begin(), x_.end(), 0);
  std::fill(y_.begin(), y_.end(), 0);
  residual_.reset();
  cycle_ = 0;
}

int SerialSerial::step(std::span<const int> x, std::span<const int> y) {
  ++cycle_;
  // A unit of radix^-operand_digits times radix^-delay is the residual's last bit, or lies above it.
  const int shift = residual_.fraction_bits() - bits_ * (operand_digits_ + delay_);
  const bool has_digits = cycle_ <= operand_digits_;
  const Int128 weight = has_digits ? Int128{1} << (bits_ * (operand_digits_ - cycle_)) : 0;
  for (std::size_t t = 0; t < x_.size(); ++t) {
    const int x_digit = has_digits ? x[t] : 0;
    const int y_digit = has_digits ? y[t] : 0;
    y_[t] += y_digit * weight;
    rows_[2 * t] = x_[t] * y_digit * (Int128{1} << shift);
    rows_[2 * t + 1] = y_[t] * x_digit * (Int128{1} << shift);
    x_[t] += x_digit * weight;
  }
  return residual_.step(rows_, selects_always_ || cycle_ > delay_);
}

}  // namespace accsim::sim::online
