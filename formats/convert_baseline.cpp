// The conversions for any machine.
#include "formats/convert_isa.h"

namespace accsim::formats::baseline {
namespace {

/// Word 0 of Philox4x32-10 with counter (0, o, o >> 32, c3), for 64 values of o from `first` on.
inline void random_words(std::uint64_t first, std::uint32_t c3, std::uint32_t key0, std::uint32_t key1, std::uint32_t* words) {
  std::uint32_t c[4][64];
  for (int i = 0; i < 64; ++i) {
    const std::uint64_t o = first + static_cast<std::uint64_t>(i);
    c[0][i] = 0;
    c[1][i] = static_cast<std::uint32_t>(o);
    c[2][i] = static_cast<std::uint32_t>(o >> 32);
    c[3][i] = c3;
  }
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 64; ++i) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c[0][i];
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * c[2][i];
      c[0][i] = static_cast<std::uint32_t>(p1 >> 32) ^ c[1][i] ^ key0;
      c[1][i] = static_cast<std::uint32_t>(p1);
      c[2][i] = static_cast<std::uint32_t>(p0 >> 32) ^ c[3][i] ^ key1;
      c[3][i] = static_cast<std::uint32_t>(p0);
    }
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  for (int i = 0; i < 64; ++i) words[i] = c[0][i];
}

#include "formats/convert_loops.h"
#include "formats/number_loops.h"

}  // namespace

void convert(const float* values, std::uint16_t* codes, std::size_t size, const ConversionPlan& p, const ConversionRandom& random) {
  convert_with_plan(values, codes, size, p, random);
}

void round_numbers(double* numbers, std::size_t size, const NumberPlan& p) { round_with_plan(numbers, size, p); }

}  // namespace accsim::formats::baseline
