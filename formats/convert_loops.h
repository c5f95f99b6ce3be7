// The inner loops of convert.h, compiled once per instruction set (each includes this file in a namespace of its own,
// after its random_words). No library code in
// here: what the linker shares between translation units must not depend on their instruction sets.

/// One binary32 pattern to a code. Branches below are selections; everything is 32 bits wide.
template <bool flushes, bool below_binary32, bool stochastic>
inline std::uint32_t convert_one(std::uint32_t bits, std::uint32_t random, const ConversionPlan& p) {
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  const bool negative = bits > 0x7FFFFFFFU;
  std::int32_t field = static_cast<std::int32_t>(magnitude >> 23);
  std::uint32_t significand = (magnitude & 0x7FFFFFU) | 0x800000U;
  if constexpr (below_binary32) {
    // A subnormal is an integer times 2^-149; as a float of its own it is normalized, exactly.
    const auto whole = static_cast<float>(static_cast<std::int32_t>(magnitude & 0x7FFFFFU));
    const auto normalized = __builtin_bit_cast(std::uint32_t, whole);
    const std::uint32_t subnormal = field == 0 ? ~0U : 0U;  // a mask: with a branch the loop is not vectorized
    significand = (((normalized & 0x7FFFFFU) | 0x800000U) & subnormal) | (significand & ~subnormal);
    field += static_cast<std::int32_t>(((normalized >> 23) - 149U) & subnormal);
  } else {
    significand = field == 0 ? magnitude : significand;
    field = field == 0 ? 1 : field;
  }
  const std::int32_t above = field - p.lowest_field;
  std::int32_t drop = 23 - p.fraction_bits;
  if constexpr (!flushes) drop += above < 0 ? -above : 0;
  const std::int32_t binade = flushes ? above : above > 0 ? above : 0;
  const std::int32_t shift = drop > 31 ? 31 : drop;
  const auto kept = static_cast<std::int32_t>(significand >> shift);
  const std::int32_t code = kept + (binade * (1 << p.fraction_bits));
  const std::uint32_t tail = significand & ((1U << shift) - 1U);
  std::int32_t rounded = 0;
  if constexpr (stochastic) {
    const std::int32_t right = drop - p.random_bits;  // floor(tail 2^R / 2^drop)
    const std::int32_t left = right < 0 ? -right : 0;
    const std::uint32_t leading = right > 31 ? 0U : (tail << left) >> (right < 0 ? 0 : right);
    const std::uint32_t mask = 0xFFFFFFFFU >> (32 - p.random_bits);
    rounded = code + (leading > mask - (random & mask) ? 1 : 0);
  } else {
    rounded = code + (tail + (static_cast<std::uint32_t>(code) & 1U) > 1U << (shift - 1) ? 1 : 0);
  }
  const std::uint32_t over = negative ? p.over[1] : p.over[0];
  const std::uint32_t zero = negative ? p.zero[1] : p.zero[0];
  const std::uint32_t infinity = negative ? p.infinity[1] : p.infinity[0];
  const bool too_large = (rounded > p.largest_code) | (negative & !p.is_signed);
  const bool too_small = (rounded < p.least_code) | (magnitude == 0);
  std::uint32_t result = static_cast<std::uint32_t>(rounded) | (negative ? p.sign_bit : 0U);
  result = too_large ? over : result;
  result = too_small ? zero : result;
  result = magnitude == 0x7F800000U ? infinity : result;
  return magnitude > 0x7F800000U ? p.nan : result;
}

template <bool flushes, bool below_binary32>
inline void convert_span(const float* values, std::uint16_t* codes, std::size_t size, const ConversionPlan& plan) {
  const ConversionPlan p = plan;  // a copy that nothing written to can alias
  for (std::size_t i = 0; i < size; ++i) {
    codes[i] = static_cast<std::uint16_t>(convert_one<flushes, below_binary32, false>(__builtin_bit_cast(std::uint32_t, values[i]), 0, p));
  }
}

template <bool flushes, bool below_binary32>
inline void convert_span_randomly(const float* values, std::uint16_t* codes, std::size_t size, const ConversionPlan& plan,
                                  const ConversionRandom& random) {
  const ConversionPlan p = plan;
  std::uint32_t words[64];
  for (std::size_t first = 0; first < size; first += 64) {
    random_words(random.first + first, random.c3, random.key0, random.key1, words);
    const std::size_t count = size - first < 64 ? size - first : 64;  // a loop of constant length would be unrolled before it is vectorized
    for (std::size_t i = 0; i < count; ++i) {
      codes[first + i] = static_cast<std::uint16_t>(
          convert_one<flushes, below_binary32, true>(__builtin_bit_cast(std::uint32_t, values[first + i]), words[i], p));
    }
  }
}

inline void convert_with_plan(const float* values, std::uint16_t* codes, std::size_t size, const ConversionPlan& p,
                              const ConversionRandom& random) {
  if (p.random_bits == 0) {
    if (p.flushes)
      return p.below_binary32 ? convert_span<true, true>(values, codes, size, p) : convert_span<true, false>(values, codes, size, p);
    return p.below_binary32 ? convert_span<false, true>(values, codes, size, p) : convert_span<false, false>(values, codes, size, p);
  }
  if (p.flushes) {
    return p.below_binary32 ? convert_span_randomly<true, true>(values, codes, size, p, random)
                            : convert_span_randomly<true, false>(values, codes, size, p, random);
  }
  return p.below_binary32 ? convert_span_randomly<false, true>(values, codes, size, p, random)
                          : convert_span_randomly<false, false>(values, codes, size, p, random);
}
