// What outputs are worth in binary64, each number rounded once: the loop of batch_sums.h in GNU vector types, compiled once per instruction
// set, in the namespace ACCSIM_ISA.
//
// Numbers are pairs (vector_pairs.h). A sum of integers and its difference from y are pairs without
// error, or the lane is left undecided. A pair times a scale (a pair too) is off by less than 2^-102 of it: the product of the lows is left
// out (2^-106) and two sums are rounded (2^-105 and 2^-104.4). A difference of such products is off by the errors of both and two roundings
// of lows, less than 2^-101 of the two magnitudes. `decided` (Ziv 1991, doi 10.1145/114697.116813) takes 2^-100, which leaves room for the
// rounding of the bounds themselves: where both ends of the interval round to the same number, so does everything in it.
#pragma once

#include "sim/kernels/batch_sums.h"
#include "sim/kernels/vector_pairs.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

inline F64 multiply_add(F64 x, F64 y, F64 z) {
#if defined(__AVX512BW__)
  return _mm512_fmadd_pd(x, y, z);
#else
  return _mm256_fmadd_pd(x, y, z);
#endif
}

inline F64 magnitude(F64 x) { return reinterpret_cast<F64>(reinterpret_cast<I64>(x) & 0x7FFFFFFFFFFFFFFF); }

inline Pair product(Pair x, F64 high, F64 low) {
  const F64 leading = x.high * high;
  const F64 rest = multiply_add(x.high, low, multiply_add(x.low, high, multiply_add(x.high, high, -leading)));
  const F64 sum = leading + rest;
  return {sum, rest - (sum - leading)};
}

/// An integer below 2^52 in magnitude, given with 2^51 added.
inline F64 number(I64 n_and_offset) { return reinterpret_cast<F64>(n_and_offset | 0x4330000000000000) - 0x1.8p52; }

/// The integers at `sums`, in units; `exact` is cleared where a pair does not hold one.
inline Pair pair_of(const formats::Int128* sums, F64 unit, I64& exact) {
  constexpr int lanes = lanes_of<double>;
  I64 halves[2];
  __builtin_memcpy(halves, sums, sizeof halves);
  I64 low_lanes;
  I64 high_lanes;
  for (int i = 0; i < lanes; ++i) {
    low_lanes[i] = 2 * i;
    high_lanes[i] = 2 * i + 1;
  }
  const I64 low = __builtin_shuffle(halves[0], halves[1], low_lanes);
  const I64 high = __builtin_shuffle(halves[0], halves[1], high_lanes);
  constexpr std::int64_t offset = std::int64_t{1} << 51;
  const F64 first = number((high >> 32) + offset) * 0x1p96;
  const F64 second = number(((high & 0xFFFFFFFF) << 16 | ((low >> 48) & 0xFFFF)) + offset) * 0x1p48;
  const F64 third = number((low & 0xFFFFFFFFFFFF) + offset);
  const F64 leading = first + second;  // |first| is zero or above second
  const Pair rest = two_sum(second - (leading - first), third);
  const Pair sum = two_sum(leading, rest.high);
  exact &= rest.low == 0.0;
  return {sum.high * unit, sum.low * unit};
}

inline F64 decided(Pair x, F64 error, I64& decided) {
  const F64 above = x.high + (x.low + error);
  const F64 below = x.high + (x.low - error);
  decided &= above == below;
  return above;
}

/// x - y with products' errors of `factor` (0 or product_error); rounded.
inline F64 difference(Pair x, Pair y, F64 factor, I64& is_decided) {
  const Pair highs = two_sum(x.high, -y.high);
  const Pair lows = two_sum(x.low, -y.low);
  const Pair rest = two_sum(highs.low, lows.high);
  const F64 zero = {};
  const I64 is_exact = (lows.low == 0.0) & (rest.low == 0.0);
  const F64 error = (is_exact ? factor : zero + product_error) * (magnitude(x.high) + magnitude(y.high));
  return decided(two_sum(highs.high, rest.high), error, is_decided);
}

template <bool traced>
inline void round_outputs(const OutputsToRound& in, std::int64_t n, RoundedRow& out) {
  constexpr int lanes = lanes_of<double>;
  const F64 zero = {};
  const F64 factor = zero + (in.powers_of_two ? 0.0 : product_error);
  I64 inexact = {};
  F64 most = zero + out.max_abs_output;
  F64 most_ulps = zero + out.max_ulp;
  const auto load = [](const double* from) {
    F64 x;
    __builtin_memcpy(&x, from, sizeof x);
    return x;
  };
  const auto store = [](double* to, F64 x) { __builtin_memcpy(to, &x, sizeof x); };
  for (std::int64_t i = 0; i < n; i += lanes) {
    const F64 y = load(in.y + i);
    const F64 y_size = magnitude(y);
    I64 good = (y_size == 0.0) | ((y_size > 0x1p-300) & (y_size < 0x1p300));
    const Pair sum = pair_of(in.sums + i, load(in.units + i) * in.row_unit, good);
    const F64 scale = load(in.scale_high + i);
    const F64 scale_low = load(in.scale_low + i);
    // y - sum: what is left out must be nothing.
    const Pair highs = two_sum(y, -sum.high);
    const Pair rest = two_sum(highs.low, -sum.low);
    good &= rest.low == 0.0;
    const Pair error = two_sum(highs.high, rest.high);

    const Pair real_error = product(error, scale, scale_low);
    const Pair real_sum = product(sum, scale, scale_low);
    const Pair real_y = product({y, zero}, scale, scale_low);
    store(out.error + i, decided(real_error, magnitude(real_error.high) * factor, good));
    store(out.reference + i, decided(real_sum, magnitude(real_sum.high) * factor, good));
    // A zero keeps its sign.
    const F64 rounded_y = decided(real_y, magnitude(real_y.high) * factor, good);
    store(out.y + i, y == 0.0 ? y : rounded_y);
    if constexpr (traced) {
      const Pair signal = product(pair_of(in.traced_sums + i, load(in.traced_units + i) * in.traced_row_unit, good),
                                  load(in.dataset_high + i), load(in.dataset_low + i));
      store(out.signal + i, decided(signal, magnitude(signal.high) * factor, good));
      store(out.quantization_noise + i, difference(real_sum, signal, factor, good));
      store(out.total_noise + i, difference(real_y, signal, factor, good));
    }
    // The binade of the sum, which is one lower where it was rounded up to a power of two.
    const I64 bits = reinterpret_cast<I64>(sum.high);
    const I64 rounded_up = ((bits & 0xFFFFFFFFFFFFF) == 0) & ((sum.low < 0.0) ^ (sum.high < 0.0)) & (sum.low != 0.0);
    const I64 field = ((bits >> 52) & 0x7FF) + rounded_up;
    F64 inverse_spacing;
    for (int j = 0; j < lanes; ++j) inverse_spacing[j] = in.inverse_spacings[field[j]];
    const F64 ulps = magnitude(error.high) * inverse_spacing;
    good &= ulps == ulps;
    most_ulps = (good & (ulps > most_ulps)) ? ulps : most_ulps;
    most = (good & (y_size > most)) ? y_size : most;
    inexact -= good & (error.high != 0.0);
    for (int j = 0; j < lanes; ++j) out.done[i + j] = static_cast<char>(good[j] != 0);
  }
  for (int j = 0; j < lanes; ++j) {
    out.max_abs_output = most[j] > out.max_abs_output ? most[j] : out.max_abs_output;
    out.max_ulp = most_ulps[j] > out.max_ulp ? most_ulps[j] : out.max_ulp;
    out.inexact += inexact[j];
  }
}

inline void round_row(const OutputsToRound& in, std::int64_t n, RoundedRow& out) {
  if (in.traced_sums != nullptr) round_outputs<true>(in, n, out);
  else round_outputs<false>(in, n, out);
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
