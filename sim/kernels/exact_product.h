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
/// - `words`: n + 2^50 as an unsigned integer of 51 bits (AVX-512 IFMA); |n| < 2^50; terms go in pairs (below), an odd one with zeros.
enum class ProductCarrier { narrow, split, words };
constexpr int narrow_bits = 45;
constexpr int split_bits = 44;
constexpr int word_bits = 50;
constexpr std::int64_t word_offset = std::int64_t{1} << word_bits;

/// Words that a term of one row takes.
constexpr std::int64_t words_of(ProductCarrier carrier) { return carrier == ProductCarrier::split ? 2 : 1; }

/// One instruction set's loops. `a` is [k][8] words and `b` [k][8] (`split`: [k][2][8] and [k][2][8], h before l), aligned to 64 bytes;
/// 8 x 8 sums of k products are added to `sums`.
using ProductFunction = void (*)(const std::uint64_t* a, const std::uint64_t* b, std::int64_t k, formats::Int128* sums);
/// The same of `words`, with an even k: one product takes two terms (Winograd 1968, doi 10.1109/TC.1968.227420). Added are
/// (a[0] + b[1])(a[1] + b[0]) = a[0] b[0] + a[1] b[1] + a[0] a[1] + b[0] b[1]; what belongs to a row alone is the caller's to take off.
/// Their halves of 52 bits, the low one first, go to `halves`, [2][8][8], aligned to 64 bytes, which hold those of word_terms terms.
/// One or two groups of columns: those of the second, and their halves, stand the strides (in words) after those of the first.
using WordFunction = void (*)(const std::uint64_t* a, const std::uint64_t* b, std::int64_t b_stride, std::int64_t groups, std::int64_t k,
                              std::uint64_t* halves, std::int64_t halves_stride);
constexpr std::int64_t word_terms = 4096;  // 2048 halves below 2^52 stay below 2^63
/// One row of 8 sums: low[j] + 2^52 high[j] + row - column[j] modulo 2^128, to the first `columns` of `to`. Leaves zeros in both halves.
using WordSumsFunction = void (*)(std::uint64_t* low, std::uint64_t* high, formats::UInt128 row, const formats::UInt128* column,
                                  std::int64_t columns, formats::Int128* to);
struct ProductLanes {
  std::string_view name;
  ProductFunction narrow, split;
  WordFunction words = nullptr;  ///< null: `split` is the wide carrier
  WordSumsFunction word_sums = nullptr;
  [[nodiscard]] ProductCarrier wide_carrier() const { return words != nullptr ? ProductCarrier::words : ProductCarrier::split; }
};

/// Those that this machine runs, the fastest last.
std::span<const ProductLanes> product_lanes();

extern const ProductLanes exact_product_baseline, exact_product_avx2, exact_product_avx512, exact_product_ifma;

}  // namespace accsim::sim::kernels
