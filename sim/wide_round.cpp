#include "sim/wide_round.h"

#include <algorithm>
#include <compare>

namespace accsim::sim {

using formats::Int128;
using formats::UInt128;

namespace {

/// 384 bits: a normalized Number256 above 128 zeros, so that a shifted one loses nothing before their first bits differ by 129.
using Limbs = std::array<std::uint64_t, 6>;

bool is_zero(const Number256& x) { return (x.limbs[0] | x.limbs[1] | x.limbs[2] | x.limbs[3]) == 0; }

/// The exponent of the first bit; x is not zero.
int top_of(const Number256& x) {
  int i = 3;
  while (x.limbs[static_cast<std::size_t>(i)] == 0) --i;
  return x.exponent + 64 * i + 63 - std::countl_zero(x.limbs[static_cast<std::size_t>(i)]);
}

/// x with its first bit at bit 382 - `down`; bits that fall off are jammed into the last.
Limbs placed(const Number256& x, int down) {
  const int left = 382 - down - (top_of(x) - x.exponent);  // the shift of bit 0
  Limbs limbs{};
  bool lost = false;
  for (int i = 0; i < 4; ++i) {
    const std::uint64_t limb = x.limbs[static_cast<std::size_t>(i)];
    if (limb == 0) continue;
    const int position = 64 * i + left;
    const int index = position >> 6;  // floor
    const int bit = position & 63;
    const UInt128 wide = static_cast<UInt128>(limb) << bit;
    const auto put = [&](int at, std::uint64_t bits) {
      if (at >= 0) limbs[static_cast<std::size_t>(at)] |= bits;
      else lost |= bits != 0;
    };
    put(index, static_cast<std::uint64_t>(wide));
    if (static_cast<std::uint64_t>(wide >> 64) != 0) put(index + 1, static_cast<std::uint64_t>(wide >> 64));
  }
  limbs[0] |= static_cast<std::uint64_t>(lost);
  return limbs;
}

/// limbs * 2^exponent, rounded.
template <std::size_t size>
double rounded(bool negative, const std::array<std::uint64_t, size>& limbs, int exponent) {
  int i = size - 1;
  while (i >= 0 && limbs[static_cast<std::size_t>(i)] == 0) --i;
  if (i < 0) return 0;
  const int shift = std::countl_zero(limbs[static_cast<std::size_t>(i)]);
  std::uint64_t top = limbs[static_cast<std::size_t>(i)] << shift;
  bool sticky = false;
  int below = i - 1;
  if (below >= 0 && shift > 0) {
    top |= limbs[static_cast<std::size_t>(below)] >> (64 - shift);
    sticky = limbs[static_cast<std::size_t>(below)] << shift != 0;
    --below;
  }
  for (; below >= 0; --below) sticky |= limbs[static_cast<std::size_t>(below)] != 0;
  const double value = static_cast<double>(top | static_cast<std::uint64_t>(sticky)) * power_of_two(exponent + 64 * i - shift);
  return negative ? -value : value;
}

}  // namespace

Number256 product256(Int128 n, UInt128 significand, int exponent) {
  Number256 x;
  x.negative = n < 0;
  x.exponent = exponent;
  const UInt128 magnitude = x.negative ? -static_cast<UInt128>(n) : static_cast<UInt128>(n);
  const std::array<std::uint64_t, 2> a = {static_cast<std::uint64_t>(magnitude), static_cast<std::uint64_t>(magnitude >> 64)};
  const std::array<std::uint64_t, 2> b = {static_cast<std::uint64_t>(significand), static_cast<std::uint64_t>(significand >> 64)};
  for (std::size_t i = 0; i < 2; ++i) {
    std::uint64_t carry = 0;
    for (std::size_t j = 0; j < 2; ++j) {
      const UInt128 sum = static_cast<UInt128>(a[i]) * b[j] + x.limbs[i + j] + carry;
      x.limbs[i + j] = static_cast<std::uint64_t>(sum);
      carry = static_cast<std::uint64_t>(sum >> 64);
    }
    x.limbs[i + 2] = carry;
  }
  return x;
}

double rounded(const Number256& x) { return rounded(x.negative, x.limbs, x.exponent); }

double rounded_difference(const Number256& x, const Number256& y) {
  const bool x_zero = is_zero(x);
  const bool y_zero = is_zero(y);
  if (x_zero && y_zero) return 0;
  const int top_x = x_zero ? top_of(y) : top_of(x);
  const int top_y = y_zero ? top_x : top_of(y);
  const int top = std::max(top_x, top_y);
  const Limbs p = x_zero ? Limbs{} : placed(x, std::min(top - top_x, 700));
  const Limbs q = y_zero ? Limbs{} : placed(y, std::min(top - top_y, 700));
  const int exponent = top - 382;
  if (x_zero || y_zero || x.negative != y.negative) {  // magnitudes add
    Limbs sum{};
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i < sum.size(); ++i) {
      const UInt128 s = static_cast<UInt128>(p[i]) + q[i] + carry;
      sum[i] = static_cast<std::uint64_t>(s);
      carry = static_cast<std::uint64_t>(s >> 64);
    }
    return rounded(x_zero ? !y.negative : x.negative, sum, exponent);
  }
  const bool p_larger = !std::lexicographical_compare(p.rbegin(), p.rend(), q.rbegin(), q.rend());
  const Limbs& larger = p_larger ? p : q;
  const Limbs& smaller = p_larger ? q : p;
  Limbs rest{};
  std::uint64_t borrow = 0;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const UInt128 d = static_cast<UInt128>(larger[i]) - smaller[i] - borrow;
    rest[i] = static_cast<std::uint64_t>(d);
    borrow = static_cast<std::uint64_t>(d >> 64) != 0 ? 1 : 0;
  }
  return rounded(p_larger ? x.negative : !y.negative, rest, exponent);
}

}  // namespace accsim::sim
