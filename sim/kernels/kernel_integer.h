// What the integer kernel's proof hands to its lanes: plain data, in integers of the units that the plan has chosen.
#pragma once

#include <cstdint>

namespace accsim::sim::kernels {

/// What happens to a sum, or a product, outside the finite range.
enum class Fit {
  none,   ///< proved impossible
  clamp,  ///< the nearest end
  wrap,   ///< modulo the width
  zero,   ///< zero
};

/// One rounding into fixed point of (accumulator << accumulator_shift) + (addend << addend_shift): s becomes
/// (s + nearest + (odd & s >> drop) + (negative & sign of s)) >> drop, or-ed with jam where it was inexact, then into low..high.
struct FixedStep {
  int accumulator_shift = 0, addend_shift = 0, drop = 0;
  std::int64_t nearest = 0, odd = 0, negative = 0, jam = 0;
  std::int64_t low = 0, high = 0;
  std::int64_t mask = 0;  ///< 2^width - 1
  Fit fit = Fit::none;

  [[nodiscard]] bool is_plain() const { return accumulator_shift == 0 && addend_shift == 0 && drop == 0; }
};

enum class SumKind { sequential, tree, interleaved_sequential, interleaved_tree };

struct IntegerLevel {
  SumKind kind = SumKind::sequential;
  std::int64_t group = 0;  ///< addends of one sum that is handed up
  std::int64_t fan_in = 2, ways = 1;
  std::int64_t buffer = 0;  ///< where its vectors start in the scratch memory, in vectors
  FixedStep step;
};

constexpr int max_integer_levels = 11;

enum class IntegerLoop {
  pairs,    ///< no overflow possible, 16-bit operands, two terms an instruction, partial sums looked at where they may be the largest
  plain,    ///< the innermost level is sequential and exact up to its overflow
  general,  ///< anything else
};

struct IntegerTotals {
  std::int64_t product_overflow = 0, product_underflow = 0, product_inexact = 0;
  std::int64_t sum_overflow = 0, sum_underflow = 0, sum_inexact = 0, swamped = 0;
  std::int64_t largest[max_integer_levels] = {};  ///< magnitude of each level's exact sums, in its finer unit
};

/// A tile in lanes. Columns stand in panels of as many as the lanes of a register, the last padded with zeros.
struct IntegerJob {
  IntegerLoop loop = IntegerLoop::general;
  bool wide = false;  ///< 64-bit lanes, one term a word; else 32-bit lanes of 16-bit operands, two terms a word
  std::int64_t rows = 0, panels = 0;
  std::int64_t words = 0;        ///< of a packed row or column
  std::int64_t group_words = 0;  ///< words of the innermost level's group; the last may be shorter
  const void* a = nullptr;       ///< rows x terms lanes (pairs: rows x words)
  const void* b = nullptr;       ///< panels x words x lanes
  std::int64_t last_group_terms = 0;
  IntegerLevel levels[max_integer_levels];
  int level_count = 0;
  bool rounded_product = false;
  FixedStep product;
  const std::int64_t* initial = nullptr;  ///< rows x (panels * lanes), or none
  int initial_level = 0;
  const std::int32_t* slack =
      nullptr;  ///< pairs: of each block of block_words, how far a partial sum near its end can lie above the sum there
  void* scratch = nullptr;
  std::int64_t* values = nullptr;  ///< rows x (panels * lanes), in units of the last level
  char* overflowed = nullptr;      ///< rows x (panels * lanes)
  IntegerTotals totals;
};

constexpr std::int64_t block_words = 3;  ///< of the pairs loop: the fewer, the fewer partial sums look as if they could be the largest
constexpr std::int64_t loop_rows = 4;    ///< rows a loop takes at once
constexpr std::int64_t loop_panels = 2;  ///< panels that the pairs loop takes at once; jobs have a multiple

/// One instruction set's loops.
struct IntegerLanes {
  int vector_bytes;
  void (*run)(IntegerJob& job);
  /// values * scale as 16-bit integers; false where one is none.
  bool (*narrow)(const double* values, std::int64_t count, double scale, std::int16_t* integers);
  /// Raises largest[t] to |integers[line * k + t]|.
  void (*see_largest)(const std::int16_t* integers, std::int64_t lines, std::int64_t k, std::int16_t* largest);
};
const IntegerLanes& integer_lanes_baseline();
const IntegerLanes& integer_lanes_avx2();
const IntegerLanes& integer_lanes_avx512();

}  // namespace accsim::sim::kernels
