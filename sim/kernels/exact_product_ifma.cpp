// The exact product on AVX-512 IFMA: halves of 104-bit products, added to 64-bit lanes.
#if defined(__x86_64__)
#include <immintrin.h>

#include <utility>

#define ACCSIM_ISA product_ifma
#define ACCSIM_ROWS 4
#include "sim/kernels/exact_product_lanes.h"

namespace accsim::sim::kernels {
namespace {

constexpr int half_rows = product_rows / 2;

/// Half of the rows against `groups` groups of columns: two share what is broadcast of a row.
template <int groups>
void rows_by_groups(const std::uint64_t* a, const std::uint64_t* b, std::int64_t b_stride, std::int64_t k, std::uint64_t* halves,
                    std::int64_t halves_stride) {
  __m512i low[groups][half_rows];
  __m512i high[groups][half_rows];
#pragma GCC unroll 2
  for (int g = 0; g < groups; ++g) {
#pragma GCC unroll 4
    for (int r = 0; r < half_rows; ++r) {
      low[g][r] = _mm512_load_si512(halves + g * halves_stride + r * product_columns);
      high[g][r] = _mm512_load_si512(halves + g * halves_stride + (product_rows + r) * product_columns);
    }
  }
  for (std::int64_t i = 0; i < k; i += 2) {
    __m512i even[groups];
    __m512i odd[groups];
#pragma GCC unroll 2
    for (int g = 0; g < groups; ++g) {
      even[g] = _mm512_load_si512(b + g * b_stride + product_columns * i);
      odd[g] = _mm512_load_si512(b + g * b_stride + product_columns * (i + 1));
    }
#pragma GCC unroll 4
    for (int r = 0; r < half_rows; ++r) {
      __m512i a_even = _mm512_set1_epi64(static_cast<std::int64_t>(a[product_rows * i + r]));
      __m512i a_odd = _mm512_set1_epi64(static_cast<std::int64_t>(a[product_rows * (i + 1) + r]));
      asm("" : "+v"(a_even), "+v"(a_odd));  // in registers for both groups, not read again by each addition
#pragma GCC unroll 2
      for (int g = 0; g < groups; ++g) {
        const __m512i left = _mm512_add_epi64(odd[g], a_even);
        const __m512i right = _mm512_add_epi64(even[g], a_odd);
        low[g][r] = _mm512_madd52lo_epu64(low[g][r], left, right);
        high[g][r] = _mm512_madd52hi_epu64(high[g][r], left, right);
      }
    }
  }
#pragma GCC unroll 2
  for (int g = 0; g < groups; ++g) {
#pragma GCC unroll 4
    for (int r = 0; r < half_rows; ++r) {
      _mm512_store_si512(halves + g * halves_stride + r * product_columns, low[g][r]);
      _mm512_store_si512(halves + g * halves_stride + (product_rows + r) * product_columns, high[g][r]);
    }
  }
}

void words(const std::uint64_t* a, const std::uint64_t* b, std::int64_t b_stride, std::int64_t groups, std::int64_t k,
           std::uint64_t* halves, std::int64_t halves_stride) {
  for (int row = 0; row < product_rows; row += half_rows) {
    std::uint64_t* rows = halves + row * product_columns;
    if (groups == 2) rows_by_groups<2>(a + row, b, b_stride, k, rows, halves_stride);
    else rows_by_groups<1>(a + row, b, b_stride, k, rows, halves_stride);
  }
}

typedef std::uint64_t Words __attribute__((vector_size(64)));

/// Numbers of 128 bits in two registers of their halves.
struct Wide {
  Words low, high;
};
inline Wide sum(const Wide& a, const Wide& b) {
  const Words low = a.low + b.low;
  return {low, a.high + b.high - reinterpret_cast<Words>(low < a.low)};
}
inline Wide difference(const Wide& a, const Wide& b) { return {a.low - b.low, a.high - b.high + reinterpret_cast<Words>(a.low < b.low)}; }

void word_sums(std::uint64_t* low, std::uint64_t* high, formats::UInt128 row, const formats::UInt128* column, std::int64_t columns,
               formats::Int128* to) {
  const auto* of_columns = reinterpret_cast<const std::uint64_t*>(column);
  Words first;
  Words second;
  std::memcpy(&first, of_columns, sizeof first);
  std::memcpy(&second, of_columns + 8, sizeof second);
  const Wide of_column = {__builtin_shuffle(first, second, Words{0, 2, 4, 6, 8, 10, 12, 14}),
                          __builtin_shuffle(first, second, Words{1, 3, 5, 7, 9, 11, 13, 15})};
  const Wide of_row = {Words{} + static_cast<std::uint64_t>(row), Words{} + static_cast<std::uint64_t>(row >> 64)};
  const Words lower = std::exchange(*reinterpret_cast<Words*>(low), Words{});
  const Words upper = std::exchange(*reinterpret_cast<Words*>(high), Words{});
  const Wide all = difference(sum(sum({lower, Words{}}, {upper << 52, upper >> 12}), of_row), of_column);
  first = __builtin_shuffle(all.low, all.high, Words{0, 8, 1, 9, 2, 10, 3, 11});
  second = __builtin_shuffle(all.low, all.high, Words{4, 12, 5, 13, 6, 14, 7, 15});
  if (columns == product_columns) {
    std::memcpy(to, &first, sizeof first);
    std::memcpy(to + 4, &second, sizeof second);
    return;
  }
  const Words both[2] = {first, second};
  std::memcpy(to, both, static_cast<std::size_t>(columns) * sizeof *to);
}

}  // namespace

const ProductLanes exact_product_ifma = {"avx512ifma", ACCSIM_ISA::narrow, ACCSIM_ISA::split, words, word_sums};

}  // namespace accsim::sim::kernels
#endif
