// Exact sums of products of integers, many at once: the carriers of the exact reference.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "formats/integer.h"

namespace accsim::sim::kernels {

constexpr std::int64_t product_rows = 8;     ///< rows of a that are packed together
constexpr std::int64_t product_columns = 8;  ///< rows of b (columns of the result)

/// How lanes take the integers n of both operands, in words of 64 bits. Every sum is exact:
/// - `narrow`: binary64; |n_a| <= 2^i and |n_b| <= 2^j with i + j <= narrow_bits, so 256 products stay within 2^53.
/// - `split`: n = h 2^22 + l, |l| <= 2^21, as two binary64; |n| < 2^44, so |h| <= 2^22, and 256 of h h', l l', h l' + l h' stay within
/// 2^53.
/// - `words`: n + 2^51 as an unsigned integer of 52 bits (AVX-512 IFMA); |n| < 2^51; 2048 low and high halves stay within 2^63.
enum class ProductCarrier { narrow, split, words };
constexpr int narrow_bits = 45;
constexpr int split_bits = 44;
constexpr int word_bits = 51;

/// Words that a term of one row takes.
constexpr std::int64_t words_of(ProductCarrier carrier) { return carrier == ProductCarrier::split ? 2 : 1; }

/// One instruction set's loops. `a` is [k][8] words and `b` [k][8] (`split`: [k][2][8] and [k][2][8], h before l), aligned to 64 bytes;
/// 8 x 8 sums of k products are added to `sums`,
/// those of `words` still with their offsets and modulo 2^128.
using ProductFunction = void (*)(const std::uint64_t* a, const std::uint64_t* b, std::int64_t k, formats::Int128* sums);
struct ProductLanes {
  std::string_view name;
  ProductFunction narrow, wide;
  ProductCarrier wide_carrier;
};

/// Those that this machine runs, the fastest last.
std::span<const ProductLanes> product_lanes();

extern const ProductLanes exact_product_baseline, exact_product_avx2, exact_product_avx512, exact_product_ifma;

}  // namespace accsim::sim::kernels
