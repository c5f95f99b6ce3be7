#include "sim/online/digits.h"

#include "sim/online/unit.h"

namespace accsim::sim::online {

std::vector<int> digits_of(Int128 x, int digits, int radix, bool is_signed) {
  const int bits = bits_per_digit(radix);
  std::vector<int> result(static_cast<std::size_t>(digits));
  for (int i = 0; i < digits; ++i) {
    int digit = static_cast<int>((x >> (bits * (digits - 1 - i))) & (radix - 1));
    if (i == 0 && is_signed && digit >= radix / 2) digit -= radix;
    result[static_cast<std::size_t>(i)] = digit;
  }
  return result;
}

}  // namespace accsim::sim::online
