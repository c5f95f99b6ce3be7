// When a rounding raises the underflow flag that checks compare.
#pragma once

#include "formats/round.h"
#include "sim/datapath.h"

namespace accsim::sim {

/// Whether an inexact rounding of `exact` raises the underflow flag.
template <class U>
bool is_tiny(Tininess tininess, const formats::Rounder& rounder, const formats::BasicExact<U>& exact, std::uint32_t random,
             const formats::Events& events) {
  switch (tininess) {
    case Tininess::after: return rounder.is_tiny(exact, random);
    case Tininess::before: return rounder.is_below_normal(exact);
    case Tininess::delivered: return rounder.is_float() && events.underflow;
  }
  return false;
}

}  // namespace accsim::sim
