// The inner loops of number_rounder.h, compiled once per instruction set (each includes this file in a namespace of its own). No library
// code in here: what the linker shares between translation units must not depend on their instruction sets.

/// A whole number next to q >= 0.
template <Rounding mode>
inline double whole(double q, bool negative) {
  constexpr double big = 0x1p52;
  const double near = (q + big) - big;
  const double below = near > q ? near - 1.0 : near;
  double result = near;
  if constexpr (mode == Rounding::rna) result = q - below >= 0.5 ? below + 1.0 : below;
  if constexpr (mode == Rounding::rz) result = below;
  if constexpr (mode == Rounding::ru) result = (below < q) & !negative ? below + 1.0 : below;
  if constexpr (mode == Rounding::rd) result = (below < q) & negative ? below + 1.0 : below;
  if constexpr (mode == Rounding::ro) {
    const double half = below * 0.5;  // a whole number where `below` is even
    result = (below < q) & ((half + big) - big == half) ? below + 1.0 : below;
  }
  return q < big ? result : q;
}

template <Rounding mode, bool is_float, bool flushes>
inline void round_span(double* numbers, std::size_t size, const NumberPlan& plan) {
  const NumberPlan p = plan;           // a copy that nothing written to can alias
  constexpr std::int64_t reach = 450;  // below 2^-450 everything that flushes is zero
  for (std::size_t i = 0; i < size; ++i) {
    const auto bits = __builtin_bit_cast(std::int64_t, numbers[i]);
    const bool negative = bits < 0;
    const std::int64_t magnitude_bits = bits & 0x7FFFFFFFFFFFFFFF;
    const auto magnitude = __builtin_bit_cast(double, magnitude_bits);
    double spacing = p.spacing;
    double per_spacing = p.per_spacing;
    if constexpr (is_float) {
      const std::int64_t field = magnitude_bits >> 52;
      const std::int64_t lowest = flushes ? 1023 - reach : p.lowest_field;
      std::int64_t at = field > lowest ? field : lowest;
      at = at < 1023 + reach ? at : 1023 + reach;
      spacing = __builtin_bit_cast(double, (at - p.fraction_bits) << 52);
      per_spacing = __builtin_bit_cast(double, (2046 - at + p.fraction_bits) << 52);
    }
    double rounded = whole<mode>(magnitude * per_spacing, negative) * spacing;
    if constexpr (flushes) rounded = rounded < p.least ? 0.0 : rounded;
    const double largest = negative ? p.largest[1] : p.largest[0];
    const double over = negative ? p.over[1] : p.over[0];
    const double zero = negative ? p.zero[1] : p.zero[0];
    const double infinity = negative ? p.infinity[1] : p.infinity[0];
    double result = __builtin_bit_cast(double, __builtin_bit_cast(std::int64_t, rounded) | (bits & (std::int64_t{1} << 63)));
    result = rounded > largest ? over : result;
    result = rounded == 0.0 ? zero : result;
    result = magnitude_bits == 0x7FF0000000000000 ? infinity : result;
    numbers[i] = magnitude_bits > 0x7FF0000000000000 ? p.nan : result;
  }
}

template <Rounding mode>
inline void round_in_mode(double* numbers, std::size_t size, const NumberPlan& p) {
  if (!p.is_float) return round_span<mode, false, false>(numbers, size, p);
  if (p.flushes) return round_span<mode, true, true>(numbers, size, p);
  return round_span<mode, true, false>(numbers, size, p);
}

inline void round_with_plan(double* numbers, std::size_t size, const NumberPlan& p) {
  switch (p.mode) {
    case Rounding::rne: return round_in_mode<Rounding::rne>(numbers, size, p);
    case Rounding::rna: return round_in_mode<Rounding::rna>(numbers, size, p);
    case Rounding::rz: return round_in_mode<Rounding::rz>(numbers, size, p);
    case Rounding::ru: return round_in_mode<Rounding::ru>(numbers, size, p);
    case Rounding::rd: return round_in_mode<Rounding::rd>(numbers, size, p);
    case Rounding::ro: return round_in_mode<Rounding::ro>(numbers, size, p);
    case Rounding::sr: return;
  }
}
