// The conversions of convert.cpp and number_rounder.cpp in each instruction set. Inside formats/ only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "formats/convert.h"
#include "formats/number_rounder.h"

namespace accsim::formats {

/// Philox's key and counter, but for the element.
struct ConversionRandom {
  std::uint64_t first = 0;
  std::uint32_t c3 = 0, key0 = 0, key1 = 0;
};

bool has_avx2();

namespace baseline {
void convert(const float* values, std::uint16_t* codes, std::size_t size, const ConversionPlan& p, const ConversionRandom& random);
void round_numbers(double* numbers, std::size_t size, const NumberPlan& p);
}  // namespace baseline
namespace avx2 {
void convert(const float* values, std::uint16_t* codes, std::size_t size, const ConversionPlan& p, const ConversionRandom& random);
void round_numbers(double* numbers, std::size_t size, const NumberPlan& p);
}  // namespace avx2

}  // namespace accsim::formats
