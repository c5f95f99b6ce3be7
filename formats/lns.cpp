// Logarithms and powers in integers.
#include "formats/lns.h"

#include <algorithm>
#include <array>

#include "formats/layouts.h"

namespace accsim::formats {
namespace {

constexpr int value_bits = 120;
constexpr int working_bits = 240;  // of powers: 24 factors, each correct to within 2 units here
constexpr int log_bits = 320;      // of logarithms: each squaring doubles the error, 2^-320 becomes 2^-180 after 140 of them
/// Holds the square of a number below 2 with log_bits fraction bits; without allocation.
using Working = boost::multiprecision::number<boost::multiprecision::cpp_int_backend<
    2 * log_bits + 64, 2 * log_bits + 64, boost::multiprecision::unsigned_magnitude, boost::multiprecision::unchecked, void>>;
constexpr int snap_bits = 108;
constexpr int computed_bits = snap_bits + 8;

/// 2^(1/2^(i+1)) for i = 0.., with `working_bits` fraction bits, rounded down.
const std::array<Wide, 24>& roots_of_two() {
  static const std::array<Wide, 24> roots = [] {
    std::array<Wide, 24> all;
    Wide power = Wide{2} << working_bits;
    for (Wide& root : all) {
      root = boost::multiprecision::sqrt(Wide(power << working_bits));
      power = root;
    }
    return all;
  }();
  return roots;
}

}  // namespace

NarrowExact power_of_two(long long units, int fraction_bits) {
  const long long whole = units >> fraction_bits;
  const long long fraction = units & ((1LL << fraction_bits) - 1);
  if (fraction == 0) return value_of(1, static_cast<int>(whole));
  Wide power = Wide{1} << working_bits;
  for (int i = 0; i < fraction_bits; ++i) {
    if (((fraction >> (fraction_bits - 1 - i)) & 1) != 0) power = (power * roots_of_two()[static_cast<std::size_t>(i)]) >> working_bits;
  }
  const int drop = working_bits + 1 - value_bits;
  const UInt128 significand = narrowed(Wide((power + (Wide{1} << (drop - 1))) >> drop));
  return value_of(significand, static_cast<int>(whole) - (value_bits - 1));
}

Logarithm logarithm_of(const Exact& x, int fraction_bits) {
  const int top = log2_floor(x);
  // m in [1, 2): square, and the bit that spills over is the next of the logarithm.
  const int length = bit_length(x.significand);
  Working m(length - 1 <= log_bits ? Wide(x.significand << (log_bits - (length - 1))) : Wide(x.significand >> (length - 1 - log_bits)));
  Wide fraction = 0;
  for (int i = 0; i < computed_bits; ++i) {
    m = (m * m) >> log_bits;
    fraction <<= 1;
    if (static_cast<int>(boost::multiprecision::msb(m)) > log_bits) {
      fraction |= 1;
      m >>= 1;
    }
  }
  // Within 2^-snap_bits of a value of the grid: on it.
  const int below = computed_bits - fraction_bits;
  Wide snapped = fraction + (Wide{1} << (computed_bits - snap_bits));
  const bool on_grid = low_bits(snapped, below) <= (Wide{1} << (computed_bits - snap_bits + 1));
  const Wide& kept = on_grid ? snapped : fraction;
  Logarithm result;
  result.units = (static_cast<long long>(top) << fraction_bits) + Wide(kept >> below).convert_to<long long>();
  if (on_grid) return result;
  const Wide tail = low_bits(fraction, below);
  result.tail = Wide(tail >> (below - 64)).convert_to<std::uint64_t>() | 1U;
  return result;
}

namespace {

/// round(log2(1 +/- 2^-(d / 2^fraction_bits)) * 2^fraction_bits), d in units, > 0 for the minus.
long long table_entry(long long d, bool minus, int fraction_bits) {
  const NarrowExact one = value_of(1, 0);
  Exact other = widened(power_of_two(-d, fraction_bits));
  other.negative = minus;
  const Logarithm l = logarithm_of(sum(widened(one), other), fraction_bits);
  return l.units + static_cast<long long>(l.tail >> 63);
}

/// log2 of the d, a power of two in units, from which all entries are zero: 2^f |log2(1 - 2^-D)| < 1/2 for D > f + 1.53, and powers of two
/// above that are f + 2 at least.
int log2_of_reach(const LogFormat& f) {
  return std::min(f.fraction_bits + bit_length(UInt128{static_cast<unsigned>(f.fraction_bits + 1)}), f.width - 1);
}

}  // namespace

NarrowExact table_sum(const NarrowExact& x, const NarrowExact& y, const LogFormat& f) {
  if (x.significand == 0) return y.significand == 0 ? NarrowExact::zero() : y;
  if (y.significand == 0) return x;
  const bool minus = x.negative != y.negative;
  const auto order = compare_magnitude(x, y);
  if (order == std::strong_ordering::equal && minus) return NarrowExact::zero();
  const NarrowExact& large = order == std::strong_ordering::less ? y : x;
  const NarrowExact& small = order == std::strong_ordering::less ? x : y;
  const long long l = logarithm_of(widened(large), f.fraction_bits).units;
  const long long d = l - logarithm_of(widened(small), f.fraction_bits).units;
  const int step = std::max(0, log2_of_reach(f) - f.table_bits);
  const long long address = d >> step;
  long long units = l;
  if (address < 1LL << f.table_bits) units += table_entry(std::max(address << step, minus ? 1LL : 0LL), minus, f.fraction_bits);
  NarrowExact result = power_of_two(units, f.fraction_bits);
  result.negative = large.negative;
  return result;
}

}  // namespace accsim::formats
