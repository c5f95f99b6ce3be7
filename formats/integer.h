// Unsigned integers behind exact values: a narrow one of 128 bits that says so when something does not fit,
// and Boost's unbounded one. The same algorithms run on both; where the narrow one does not suffice, the caller
// repeats the work with the wide one.
#pragma once

#include <bit>
#include <boost/multiprecision/cpp_int.hpp>
#include <cstdint>
#include <exception>
#include <string>

namespace accsim::formats {

__extension__ typedef unsigned __int128 UInt128;
__extension__ typedef __int128 Int128;
using Wide = boost::multiprecision::cpp_int;  ///< never negative here

/// The bit pattern of a number, right-aligned: up to 128 bits.
using Code = UInt128;

/// Thrown by the operations on UInt128 when the exact result has more than 128 bits.
struct DoesNotFit : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return "needs more than 128 bits"; }
};

/// Number of bits up to the leading one; 0 for zero.
inline int bit_length(UInt128 v) {
  const auto high = static_cast<std::uint64_t>(v >> 64);
  if (high != 0) return 128 - std::countl_zero(high);
  return 64 - std::countl_zero(static_cast<std::uint64_t>(v));
}
inline int bit_length(const Wide& v) { return v.is_zero() ? 0 : static_cast<int>(boost::multiprecision::msb(v)) + 1; }

/// v * 2^n, n >= 0.
inline UInt128 shifted_left(UInt128 v, int n) {
  if (v == 0) return 0;
  if (bit_length(v) + n > 128) throw DoesNotFit{};
  return v << n;
}
inline Wide shifted_left(const Wide& v, int n) { return v << n; }

/// floor(v / 2^n), n >= 0.
inline UInt128 shifted_right(UInt128 v, int n) { return n >= 128 ? UInt128{0} : v >> n; }
inline Wide shifted_right(const Wide& v, int n) { return v >> n; }

/// v mod 2^n, n >= 0.
inline UInt128 low_bits(UInt128 v, int n) { return n >= 128 ? v : v & ((UInt128{1} << n) - 1); }
inline Wide low_bits(const Wide& v, int n) { return v & ((Wide{1} << n) - 1); }

inline bool is_odd(UInt128 v) { return (v & 1U) != 0; }
inline bool is_odd(const Wide& v) { return boost::multiprecision::bit_test(v, 0); }

inline UInt128 added(UInt128 a, UInt128 b) {
  UInt128 sum = a + b;
  if (sum < a) throw DoesNotFit{};
  return sum;
}
inline Wide added(const Wide& a, const Wide& b) { return a + b; }

inline UInt128 multiplied(UInt128 a, UInt128 b) {
  if (bit_length(a) + bit_length(b) > 128) throw DoesNotFit{};
  return a * b;
}
inline Wide multiplied(const Wide& a, const Wide& b) { return a * b; }

inline Wide widened(UInt128 v) { return (Wide{static_cast<std::uint64_t>(v >> 64)} << 64) | Wide{static_cast<std::uint64_t>(v)}; }
inline Wide widened(const Wide& v) { return v; }
inline UInt128 narrowed(UInt128 v) { return v; }
/// Throws DoesNotFit for more than 128 bits.
UInt128 narrowed(const Wide& v);

/// Decimal digits of a code or count.
std::string to_string(UInt128 v);
/// Lower-case hexadecimal, no prefix, zero-padded to what `bits` need.
std::string to_hex(Code code, int bits);

}  // namespace accsim::formats
