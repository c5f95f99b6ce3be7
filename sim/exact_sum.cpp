#include "sim/exact_sum.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace accsim::sim {

using formats::Exact;
using formats::Int128;
using formats::UInt128;
using formats::Wide;

namespace {

struct Parts {
  bool negative;
  std::uint64_t significand;
  int exponent;
};

Parts parts_of(double x) {
  const auto bits = std::bit_cast<std::uint64_t>(x);
  const auto field = static_cast<int>((bits >> 52) & 0x7FF);
  const std::uint64_t fraction = bits & 0xFFFFFFFFFFFFFULL;
  return {(bits >> 63) != 0, field != 0 ? fraction | (1ULL << 52) : fraction, std::max(field, 1) - 1075};
}

/// value / count.
Exact divided(const Exact& value, std::int64_t count) {
  if (!value.is_finite()) return value;
  return quotient_with_sticky(value, Exact{.significand = Wide{count}}, 128);
}

}  // namespace

void ExactSum::add_bits(bool negative, std::uint64_t significand, int exponent) {
  const int position = exponent - base;
  const int limb = position >> 5;
  const Int128 term = static_cast<Int128>(significand) << (position & 31);
  limbs_[static_cast<std::size_t>(limb)] += negative ? -term : term;
  lowest_ = std::min(lowest_, limb);
  highest_ = std::max(highest_, limb);
}

void ExactSum::add_special(double x) {
  if (std::isnan(x)) nan_ = true;
  else if (x > 0) plus_infinity_ = true;
  else minus_infinity_ = true;
}

void ExactSum::add(double x) {
  if (!std::isfinite(x)) return add_special(x);
  const Parts p = parts_of(x);
  add_bits(p.negative, p.significand, p.exponent);
  if (++additions_ >= carry_every) carry();
}

void ExactSum::add_product(double x, double y) {
  if (!std::isfinite(x) || !std::isfinite(y)) return add_special(x * y);
  const Parts p = parts_of(x);
  const Parts q = parts_of(y);
  const UInt128 product = static_cast<UInt128>(p.significand) * q.significand;
  if (product == 0) return;
  const bool negative = p.negative != q.negative;
  const int exponent = p.exponent + q.exponent;
  add_bits(negative, static_cast<std::uint64_t>(product), exponent);
  const auto high = static_cast<std::uint64_t>(product >> 64);
  if (high != 0) add_bits(negative, high, exponent + 64);
  additions_ += 2;
  if (additions_ >= carry_every) carry();
}

void ExactSum::add_integer(Int128 n, int exponent) {
  const bool negative = n < 0;
  const UInt128 magnitude = negative ? -static_cast<UInt128>(n) : static_cast<UInt128>(n);
  add_bits(negative, static_cast<std::uint64_t>(magnitude), exponent);
  add_bits(negative, static_cast<std::uint64_t>(magnitude >> 64), exponent + 64);
  additions_ += 2;
  if (additions_ >= carry_every) carry();
}

/// Leaves 32 bits in every limb below the highest and moves the rest up; the highest keeps its sign and up to 62 bits.
void ExactSum::carry() {
  constexpr Int128 roomy = Int128{1} << 62;
  for (int i = lowest_; i <= highest_ && i + 1 < limbs; ++i) {
    Int128& limb = limbs_[static_cast<std::size_t>(i)];
    if (i == highest_ && limb > -roomy && limb < roomy) break;
    const Int128 up = limb >> 32;  // arithmetic shift: what stays is 0..2^32-1
    limb -= up * (Int128{1} << 32);
    limbs_[static_cast<std::size_t>(i) + 1] += up;
    highest_ = std::max(highest_, i + 1);
  }
  additions_ = 0;
}

void ExactSum::merge(const ExactSum& other) {
  ExactSum carried = other;
  carried.carry();
  carry();
  for (int i = carried.lowest_; i <= carried.highest_; ++i)
    limbs_[static_cast<std::size_t>(i)] += carried.limbs_[static_cast<std::size_t>(i)];
  lowest_ = std::min(lowest_, carried.lowest_);
  highest_ = std::max(highest_, carried.highest_);
  additions_ = 2;
  nan_ |= other.nan_;
  plus_infinity_ |= other.plus_infinity_;
  minus_infinity_ |= other.minus_infinity_;
}

void ExactSum::clear() {
  for (int i = lowest_; i <= highest_; ++i) limbs_[static_cast<std::size_t>(i)] = 0;
  lowest_ = limbs;
  highest_ = -1;
  additions_ = 0;
  nan_ = plus_infinity_ = minus_infinity_ = false;
}

Exact ExactSum::value() const {
  if (nan_ || (plus_infinity_ && minus_infinity_)) return Exact::not_a_number();
  if (plus_infinity_ || minus_infinity_) return Exact::infinity(minus_infinity_);
  Wide total = 0;
  for (int i = highest_; i >= lowest_; --i) {
    const Int128 limb = limbs_[static_cast<std::size_t>(i)];
    total <<= 32;
    if (limb >= 0) total += formats::widened(static_cast<UInt128>(limb));
    else total -= formats::widened(static_cast<UInt128>(-limb));
  }
  if (total.is_zero()) return Exact::zero();
  Exact x;
  x.negative = total < 0;
  if (x.negative) total = -total;
  const auto trailing = static_cast<int>(boost::multiprecision::lsb(total));
  x.significand = total >> trailing;
  x.exponent = base + 32 * lowest_ + trailing;
  return x;
}

void Moments::merge(const Moments& other) {
  count += other.count;
  sum.merge(other.sum);
  squares.merge(other.squares);
}

Exact Moments::mean() const { return divided(sum.value(), count); }
Exact Moments::mean_square() const { return divided(squares.value(), count); }

Exact Moments::variance() const {
  // (count * squares - sum^2) / count^2
  const Exact n{.significand = Wide{count}};
  const Exact total = sum.value();
  if (!total.is_finite()) return Exact::not_a_number();
  const Exact difference = formats::sum(product(n, squares.value()), negated(product(total, total)));
  return quotient_with_sticky(difference, product(n, n), 128);
}

}  // namespace accsim::sim
