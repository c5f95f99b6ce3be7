#include "sim/online/unit.h"

#include <algorithm>

namespace accsim::sim::online {

int ceil_log2(std::int64_t n) {
  int bits = 0;
  while ((std::int64_t{1} << bits) < n) ++bits;
  return bits;
}

int Unit::recurrence_delay() const {
  switch (multiplier) {
    case OnlineMultiplier::serial_parallel: return radix == 2 ? 2 : 1;
    case OnlineMultiplier::serial_serial: return radix == 2 ? 3 : 2;
    case OnlineMultiplier::integrated: break;
  }
  int delay = 0;
  if (radix == 2) {
    while ((std::int64_t{3} << delay) < 2 * terms + 1) ++delay;
    return delay + 3;
  }
  while ((std::int64_t{1} << (2 * delay)) < 6 * terms) ++delay;
  return delay;
}

int Unit::estimate_bits() const {
  switch (multiplier) {
    case OnlineMultiplier::serial_parallel: return radix == 2 ? 2 : 3;
    case OnlineMultiplier::serial_serial: return 2;
    case OnlineMultiplier::integrated: return 3;
  }
  return 0;
}

int Unit::first_position() const { return multiplier == OnlineMultiplier::integrated ? 1 - recurrence_delay() : 1 - levels(); }

int Unit::first_cycle() const {
  if (multiplier == OnlineMultiplier::integrated) return 1;
  return recurrence_delay() + adder_delay(radix) * levels() + 1;
}

int Unit::interval(int digits) const {
  const int complete = product_digits() + std::max(levels(), recurrence_delay());
  return std::min(complete, cycles(digits));
}

}  // namespace accsim::sim::online
