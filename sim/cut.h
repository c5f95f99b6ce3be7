// Dropping the low bits of an exact value.
#pragma once

#include "formats/exact.h"
#include "sim/datapath.h"

namespace accsim::sim {

/// The finite value without what lies below 2^lsb: toward zero, or down. A value that is gone leaves a zero of its sign.
template <class U>
formats::BasicExact<U> cut_below(const formats::BasicExact<U>& x, int lsb, Align align) {
  const int drop = lsb - x.exponent;
  if (drop <= 0) return x;
  formats::BasicExact<U> result = x;
  result.significand = formats::shifted_right(x.significand, drop);
  if (align == Align::rd && x.negative && formats::low_bits(x.significand, drop) != 0)
    result.significand = formats::added(result.significand, U{1});
  result.exponent = lsb;
  return result.significand == 0 ? formats::BasicExact<U>::zero(x.negative) : result;
}

}  // namespace accsim::sim
