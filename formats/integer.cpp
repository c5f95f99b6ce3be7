#include "formats/integer.h"

#include <algorithm>

namespace accsim::formats {

UInt128 narrowed(const Wide& v) {
  if (bit_length(v) > 128) throw DoesNotFit{};
  const Wide low = v & 0xFFFFFFFFFFFFFFFFULL;
  const Wide high = v >> 64;
  return (UInt128{high.convert_to<std::uint64_t>()} << 64) | low.convert_to<std::uint64_t>();
}

std::string to_string(UInt128 v) {
  std::string digits;
  do {
    digits.push_back(static_cast<char>('0' + static_cast<int>(v % 10)));
    v /= 10;
  } while (v != 0);
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::string to_hex(Code code, int bits) {
  const int digits = std::max(1, (bits + 3) / 4);
  std::string text(static_cast<std::size_t>(digits), '0');
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, code >>= 4) {
    *digit = "0123456789abcdef"[static_cast<int>(code & 15U)];
  }
  return text;
}

}  // namespace accsim::formats
