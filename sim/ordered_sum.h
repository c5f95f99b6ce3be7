// Sums of addends taken one after the other by falling exponent, in registers that end somewhere below the largest: adders of three and
// more terms with one normalization and one rounding at the end.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "formats/exact.h"
#include "formats/format.h"
#include "sim/cut.h"
#include "sim/datapath.h"

namespace accsim::sim {

/// A finite value with the exponent of its register's first bit, by which it is ordered and aligned. Zero products come last.
template <class U>
struct Placed {
  formats::BasicExact<U> value;
  int exponent = 0;
};

/// What an ordered sum leaves for the rounding.
template <class U>
struct OrderedTotal {
  formats::BasicExact<U> value;
  bool sticky = false;  ///< something nonzero was cut below it, so that its magnitude counts as larger than it is
};

namespace ordered {

/// Cut below 2^lsb against a sum's sign: toward minus infinity where that is plus, as an adder cuts that subtracts magnitudes.
template <class U>
formats::BasicExact<U> cut_against(const formats::BasicExact<U>& x, int lsb, bool sum_is_negative) {
  return sum_is_negative ? negated(cut_below(negated(x), lsb, Align::rd)) : cut_below(x, lsb, Align::rd);
}

/// True where x has a bit below 2^lsb.
template <class U>
bool has_bits_below(const formats::BasicExact<U>& x, int lsb) {
  return lsb > x.exponent && formats::low_bits(x.significand, lsb - x.exponent) != 0;
}

/// The sign that an adder foresees for a result too small to have a bit, from the addends behind a zero that comes first: that of the first
/// by exponent, then by magnitude; the zero's where two equal ones differ.
template <class U>
bool foreseen_sign(std::span<const Placed<U>> by_exponent) {
  const Placed<U>* first = nullptr;
  bool is_tie = false;
  for (const Placed<U>& x : by_exponent) {
    if (x.value.is_zero()) continue;
    if (first != nullptr && x.exponent < first->exponent) break;
    const auto order = first == nullptr ? std::strong_ordering::greater : compare_magnitude(x.value, first->value);
    is_tie = order == 0 ? is_tie || x.value.negative != first->value.negative : order < 0 && is_tie;
    if (order > 0) first = &x;
  }
  return is_tie || first == nullptr ? by_exponent.front().value.negative : first->value.negative;
}

/// The sum, with the sticky bit as one more bit, deeper than any rounding to at most `precision` bits and 32 random ones looks.
template <class U>
formats::BasicExact<U> with_sticky(const OrderedTotal<U>& total, const formats::Limits& limits) {
  constexpr int beyond = 40;
  if (!total.sticky) return total.value;
  formats::BasicExact<U> x = total.value;
  if (x.significand == 0) {
    x.significand = U{1};
    x.exponent = limits.lsb_exponent - beyond;
    return x;
  }
  const int deep = std::min(x.exponent, log2_floor(x) - limits.precision - beyond) - 1;
  x.significand = formats::added(formats::shifted_left(x.significand, x.exponent - deep), U{1});
  x.exponent = deep;
  return x;
}

}  // namespace ordered

/// All addends, accumulator last, added by falling exponent, those of one exponent in the order given. Every addend after the first is cut
/// its `addition_fraction_bits` below the largest exponent, against the sum's sign, with a sticky bit unless the level has none. Where the
/// sum before has cancelled to zero the next addend takes its place instead, and ends that many bits and one below `emin`, without a
/// sticky bit. `zero_is_negative`: the sign of such a zero. `smallest`: exponent of the smallest value of the format.
template <class U>
OrderedTotal<U> ordered_sum(const Level& level, std::vector<Placed<U>> addends, int emin, int smallest, bool zero_is_negative) {
  std::stable_sort(addends.begin(), addends.end(), [](const Placed<U>& x, const Placed<U>& y) { return x.exponent > y.exponent; });
  const Placed<U>& first = addends.front();
  OrderedTotal<U> total{first.value};
  bool cancelled = false, opposed = false, was_opposed = false, was_cut = false;
  for (std::size_t i = 1; i < addends.size(); ++i) {
    const formats::BasicExact<U>& x = addends[i].value;
    const std::vector<int>& bits = level.addition_fraction_bits;
    const int fraction_bits = bits[std::min(i, bits.size()) - 1];
    const int lsb = first.exponent - fraction_bits;
    const bool is_cut = ordered::has_bits_below(x, lsb);
    was_opposed = opposed;
    opposed = x.negative != total.value.negative;
    was_cut = is_cut;
    if (cancelled && !total.sticky && is_cut) {
      total.value = cut_below(x, emin - fraction_bits - 1, Align::rz);
      cancelled = false;
      continue;
    }
    const bool had_value = !total.value.is_zero();
    if (!is_cut) total.value = formats::sum(total.value, x, zero_is_negative);
    else if (!level.sticky) total.value = formats::sum(total.value, cut_below(x, lsb, level.align), zero_is_negative);
    else total.value = formats::sum(total.value, ordered::cut_against(x, lsb, total.value.negative), zero_is_negative);
    total.sticky |= is_cut && level.sticky;
    cancelled = had_value && total.value.is_zero();
  }
  if (level.forget_sticky_below && total.sticky && !was_cut && was_opposed != opposed && !addends.back().value.is_zero()) {
    const int top = total.value.is_zero() ? emin : std::max(log2_floor(total.value), emin);
    if (!ordered::has_bits_below(total.value, top - *level.forget_sticky_below)) total.sticky = false;
  }
  if (total.value.is_zero() && total.sticky) {
    formats::BasicExact<U> exact = formats::BasicExact<U>::zero();
    for (const Placed<U>& x : addends) exact = formats::sum(exact, x.value);
    total.value.negative = exact.is_zero() ? first.value.negative : exact.negative;
  }
  const bool has_no_bit = total.value.is_zero() ? total.sticky : log2_floor(total.value) < smallest;
  if (level.foresees_sign && first.value.is_zero() && has_no_bit) total.value.negative = ordered::foreseen_sign<U>(addends);
  return total;
}

}  // namespace accsim::sim
