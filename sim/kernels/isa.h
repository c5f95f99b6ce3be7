// Instruction sets that kernels are compiled for, and which of them this machine has.
#pragma once

#include <string_view>

namespace accsim::sim::kernels {

/// Each kernel's one source is compiled once per instruction set, in a translation unit of its own, and chosen at run time.
enum class Isa {
  baseline,  ///< what the compiler takes without flags (x86-64: SSE2)
  avx2,      ///< x86-64-v3
  avx512,    ///< x86-64-v4
};

constexpr std::string_view name_of(Isa isa) {
  switch (isa) {
    case Isa::baseline: return "baseline";
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
  }
  return "";
}

/// One of three objects that differ in their instruction set, made of it when first asked for.
template <class Made>
const Made& made_for(Isa isa) {
  static const Made baseline(Isa::baseline);
  static const Made avx2(Isa::avx2);
  static const Made avx512(Isa::avx512);
  switch (isa) {
    case Isa::baseline: return baseline;
    case Isa::avx2: return avx2;
    case Isa::avx512: return avx512;
  }
  return baseline;
}

/// The lanes of a unit that was compiled three times; each function has its own.
template <class Lanes>
Lanes lanes_for(Isa isa, Lanes (*baseline)(), Lanes (*avx2)(), Lanes (*avx512)()) {
  switch (isa) {
    case Isa::baseline: return baseline();
    case Isa::avx2: return avx2();
    case Isa::avx512: return avx512();
  }
  return baseline();
}

/// True where this machine runs code compiled for it. AVX2 and AVX-512 are there only in x86-64 builds.
bool host_has(Isa isa);

}  // namespace accsim::sim::kernels
