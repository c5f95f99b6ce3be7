// The last conversion of a result (contracts 3, [output]): shift, look at what lies below the last bit kept, round.
#pragma once

#include "formats/round.h"
#include "sim/cut.h"
#include "sim/datapath.h"

namespace accsim::sim {

/// x / 2^shift, rounded to the output's format by `rounder`, which is that format's. With `sticky_bits` S only 1 + S bits below
/// the format's last one reach the rounding; a two's complement shifter drops what lies lower, so the value goes down to that grid.
template <class U>
formats::BasicExact<U> converted(const OutputConversion& output, const formats::Rounder& rounder, const formats::BasicExact<U>& x,
                                 std::uint32_t random) {
  formats::BasicExact<U> shifted = formats::scaled(x, -output.shift);
  if (output.sticky_bits && shifted.is_nonzero_finite())
    shifted = cut_below(shifted, rounder.format_limits().lsb_exponent - 1 - *output.sticky_bits, Align::rd);
  return rounder(shifted, random).value;
}

}  // namespace accsim::sim
