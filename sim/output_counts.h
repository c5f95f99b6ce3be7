// What the interpreter counts of one output: events, the largest product and partial sum, tiny results.
#pragma once

#include <cstdint>

#include "formats/round.h"
#include "sim/statistics.h"
#include "sim/tininess.h"

namespace accsim::sim {

/// The largest finite magnitude seen.
template <class U>
class Largest {
 public:
  void see(const formats::BasicExact<U>& x) {
    if (x.is_nonzero_finite() && (largest_.significand == 0 || compare_magnitude(x, largest_) > 0)) largest_ = magnitude(x);
  }
  [[nodiscard]] double value() const { return to_double(largest_); }

 private:
  formats::BasicExact<U> largest_;
};

/// What one output gives besides its value.
template <class U>
struct OutputCounts {
  EventCounts events;
  bool overflowed = false;
  bool watch_tiny = false;  ///< IEEE 754's underflow flag is wanted beside the events
  Tininess tininess = Tininess::after;
  bool tiny = false;  ///< some inexact result was tiny
  Largest<U> product, partial;

  void see_tiny(const formats::Rounder& rounder, const formats::BasicExact<U>& exact, std::uint32_t random, const formats::Events& e) {
    if (watch_tiny && e.inexact) tiny |= is_tiny(tininess, rounder, exact, random, e);
  }
  void count(const formats::Events& e, Event overflow, Event underflow, Event inexact) {
    events[overflow] += e.overflow;
    events[underflow] += e.underflow;
    events[inexact] += e.inexact;
    overflowed |= e.overflow;
  }
};

}  // namespace accsim::sim
