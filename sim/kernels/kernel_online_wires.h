// A wire of every unit, and gates. Included by kernel_online's lanes alone, in whose namespace (ACCSIM_ISA) all stands.
#pragma once

#include "sim/kernels/kernel_online.h"
#include "sim/kernels/vector.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

using Wire = U64;

inline Wire parity(Wire a, Wire b, Wire c) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Wire>(
      _mm512_ternarylogic_epi64(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b), reinterpret_cast<__m512i>(c), 0x96));
#else
  return a ^ b ^ c;
#endif
}
inline Wire majority(Wire a, Wire b, Wire c) {
#if defined(__AVX512BW__)
  return reinterpret_cast<Wire>(
      _mm512_ternarylogic_epi64(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b), reinterpret_cast<__m512i>(c), 0xE8));
#else
  return (a & b) | (c & (a ^ b));
#endif
}

/// a where p, b where m, else 0; p and m are never both set.
inline Wire chosen(Wire a, Wire p, Wire b, Wire m) {
#if defined(__AVX512BW__)
  const Wire first = a & p;
  return reinterpret_cast<Wire>(
      _mm512_ternarylogic_epi64(reinterpret_cast<__m512i>(first), reinterpret_cast<__m512i>(b), reinterpret_cast<__m512i>(m), 0xF8));
#else
  return (a & p) | (b & m);
#endif
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
