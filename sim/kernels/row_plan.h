// What the lanes of rows are told: plain data. A row is one multiply-add of a unit, a lane a unit. No function may stand here: lane units
// include it.
#pragma once

#include <cstdint>

namespace accsim::sim::kernels {

/// Codes of a float format to lane values. Magnitudes are codes without their sign.
struct RowFormat {
  std::uint32_t magnitude_mask = 0, sign_bit = 0;
  int sign_shift = 0;              ///< from the code's sign to the lane's
  int shift = 0;                   ///< from the code's fraction to the lane's
  std::int64_t offset = 0;         ///< what is then added, for the biases
  bool gradual = false;            ///< magnitudes below `normal_from` are subnormals, else zeros
  std::uint32_t normal_from = 0;   ///< the smallest magnitude with an implicit bit
  double subnormal_unit = 0;       ///< value of the smallest subnormal
  bool has_specials = false;       ///< magnitudes from `special_from` on are `infinity`, else NaN
  std::uint32_t special_from = 0;  ///< no larger than 2^31 - 1
  std::uint32_t infinity = 0;      ///< magnitude_mask + 1 where there is none
  std::uint32_t quiet_bit = 0;     ///< a NaN without it is signalling; 0: none is
};

enum class RowMode { rne, rna, rz, ru, rd, ro, sr, sr_below };

/// One rounding of a lane value to a code. A code is its kept significand plus its binade times 2^fraction_bits.
struct RowRounding {
  RowMode mode = RowMode::rne;
  int fraction_bits = 0, drop = 0;  ///< the format's, and the lane's below them
  int lowest_field = 0;             ///< the lane's exponent field of the lowest binade with an implicit bit
  bool gradual = false;
  std::int64_t least_code = 0, largest_code = 0;  ///< of positive results; below: zero
  std::int64_t min_normal = 0;                    ///< code
  std::uint32_t sign_bit = 0;
  int sign_shift = 0;
  std::uint32_t zero[2] = {}, over[2] = {}, infinity[2] = {}, nan = 0;
  std::uint32_t infinity_flags[2] = {};
  int random_bits = 0;
  // Where there are no subnormals, and results of both signs are alike but for it: in the lane's own bits.
  bool simple = false;
  std::int64_t code_offset = 0;  ///< a code is the lane's magnitude without its `drop` last bits and this
  std::int64_t least_bits = 0, largest_bits = 0, over_bits = 0;
};

/// acc + a * b in float formats. Products are exact in the lane; sums are rounded to odd there, then to the format.
struct RowPlan {
  bool is_integer = false;
  bool binary64 = false;  ///< lanes
  RowFormat a, b, accumulator, rounded_product;
  bool rounds_product = false;
  RowRounding product, sum;
  bool has_specials = false;
  bool plain = false;      ///< binary32, one mode, no subnormals, infinities, NaN or random numbers; RowRounding::simple
  bool zero_down = false;  ///< an exact zero sum of two signs is -0
  // Fixed point, exact products with the accumulator's last place.
  int a_bits = 0, b_bits = 0, out_bits = 0;
  bool a_signed = false, b_signed = false, out_signed = false;
  std::int64_t least = 0, largest = 0;            ///< sums that are no overflow
  std::int64_t over_least = 0, over_largest = 0;  ///< what overflows become
  bool wraps = false;
};

/// So many units in step; arrays have room for whole vectors, the results behind `count` mean nothing. Flags are those of issue_model.h.
struct RowBlock {
  std::int64_t count = 0;
  const std::uint32_t *a = nullptr, *b = nullptr, *accumulator = nullptr;
  const std::uint32_t *product_random = nullptr, *random = nullptr;  ///< null: none are needed
  bool subtract = false;
  std::uint32_t* result = nullptr;
  std::uint32_t* flags = nullptr;
};

/// One instruction set's lanes.
struct RowLanes {
  void (*multiply)(const RowPlan& plan, const RowBlock& block);                         ///< the code of the rounded product alone
  void (*add)(const RowPlan& plan, const RowBlock& block);                              ///< accumulator + a * b, products rounded or exact
  bool (*has_any)(const std::uint32_t* words, std::int64_t count, std::uint32_t bits);  ///< any of the bits set in a word
};
RowLanes row_lanes_baseline();
RowLanes row_lanes_avx2();
RowLanes row_lanes_avx512();
constexpr std::int64_t row_padding = 16;  ///< lanes of the longest vector

}  // namespace accsim::sim::kernels
