// The loops of batch_sums.h in GNU vector types; compiled once per instruction set, in the namespace ACCSIM_ISA.
#pragma once

#include <bit>

#include "sim/kernels/batch_sums.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

typedef double Lanes __attribute__((vector_size(64)));
typedef std::int64_t Bits __attribute__((vector_size(64)));
constexpr int lanes = 8;
constexpr std::int64_t vectors = batch_size / lanes;

/// The largest magnitudes as bits, which are in the same order.
inline void see_largest(const Lanes& x, Bits& largest) {
  const Bits magnitude = reinterpret_cast<Bits>(x) & 0x7FFFFFFFFFFFFFFF;
  largest = magnitude > largest ? magnitude : largest;
}

/// With |x| < 2^(e+1) and s = 1.5 * 2^t, t = e + 2 + log2(batch_size), s + x stays in [2^t, 2^(t+1)): (s + x) - s is x rounded to a
/// multiple of 2^(t-52). A batch of those adds up to less than 2^(t+1), so exactly.
inline int parts(double* batch, double* parts) {
  auto* x = reinterpret_cast<Lanes*>(batch);
  constexpr int log2_size = std::bit_width(static_cast<std::uint64_t>(batch_size)) - 1;
  Bits largest = {};
  for (std::int64_t i = 0; i < vectors; ++i) see_largest(x[i], largest);
  int count = 0;
  for (;;) {
    std::int64_t most = 0;
    for (int i = 0; i < lanes; ++i) most = largest[i] > most ? largest[i] : most;
    if (most == 0) return count;
    const std::int64_t fields = ((most >> 52) + 2 + log2_size) << 52;
    const double splitter = std::bit_cast<double>(fields | (std::int64_t{1} << 51));
    Lanes sum = {};
    largest = Bits{};
    for (std::int64_t i = 0; i < vectors; ++i) {
      const Lanes leading = (x[i] + splitter) - splitter;
      sum += leading;
      x[i] -= leading;
      see_largest(x[i], largest);
    }
    double total = 0;
    for (int i = 0; i < lanes; ++i) total += sum[i];
    parts[count++] = total;
  }
}

inline bool in_reach(const double* numbers, std::int64_t n) {
  std::int64_t beyond = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double magnitude = numbers[i] < 0 ? -numbers[i] : numbers[i];
    const bool reached = magnitude == 0 || (magnitude > 0x1p-400 && magnitude < 0x1p400);
    beyond += reached ? 0 : 1;
  }
  return beyond == 0;
}

inline void products(const double* a, const double* b, double* high, double* low) {
  for (std::int64_t i = 0; i < batch_size; ++i) {
    high[i] = a[i] * b[i];
    low[i] = __builtin_fma(a[i], b[i], -high[i]);
  }
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
