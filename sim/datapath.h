// A datapath as plain data: operands, product, reduction levels from the inside out (contracts 3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/block.h"
#include "formats/rounding.h"

namespace accsim::sim {

enum class ScaleRule {
  one,        ///< no scale
  amax,       ///< max|x| over the tensor / the format's largest value, in binary64
  amax_pow2,  ///< the smallest power of two not below that
  number,     ///< a given number
};

/// One operand: as traced, or quantized to a format or a block format first; at most one of the two is set.
struct Operand {
  std::optional<formats::Format> format;
  std::optional<formats::BlockFormat> block;  ///< its own `rounding` is that of a new operand; `rounding` below holds
  formats::RoundingSpec rounding{
      .mode = formats::Rounding::rne, .stochastic = {}, .overflow = formats::Overflow::saturate, .underflow = {}};
  ScaleRule scale = ScaleRule::one;
  double scale_number = 1.0;  ///< for ScaleRule::number

  [[nodiscard]] bool is_as_traced() const { return !format && !block; }
  /// The block format with this operand's rounding.
  [[nodiscard]] formats::BlockFormat block_format() const {
    formats::BlockFormat f = *block;
    f.rounding = rounding;
    return f;
  }
};

struct Product {
  std::optional<formats::Format> format;  ///< unset: exact
  formats::RoundingSpec rounding;
  std::optional<formats::Format> range;  ///< exact products beyond the finite range of this format are infinities; unset: no limit
  std::vector<std::int64_t> permute;     ///< within each permute.size() terms, term i is operand pair permute[i]
  bool operator==(const Product&) const = default;
};

enum class LevelKind {
  sequential,
  tree,
  interleaved,
  fused_sum,
  staged_sum,
  scaled_sum,
  ordered_sum,
  exact,
  exponent_bins,
  sorted,
  online
};
enum class Combine { sequential, tree, coalesce };
enum class Align { rz, rd };
enum class OnlineMultiplier {
  serial_parallel,  ///< operand a digit by digit, b in parallel
  serial_serial,    ///< both digit by digit
  integrated,       ///< both digit by digit, all terms in one recurrence instead of multipliers and a tree
};

/// One reduction level. Which of the optional keys a kind has is checked when the datapath is read.
struct Level {
  LevelKind kind = LevelKind::sequential;
  std::optional<std::int64_t> terms;   ///< size of one issue; for sequential and interleaved issues before handing up
  std::optional<std::int64_t> issues;  ///< issues before handing up; unset: all there are
  formats::Format format;
  std::optional<formats::Format> round_to;  ///< unset: format
  formats::RoundingSpec rounding;
  int fan_in = 2;                                                   // tree
  std::int64_t ways = 0;                                            // interleaved
  Combine combine = Combine::sequential;                            // interleaved
  int fraction_bits = 0;                                            // fused_sum, staged_sum
  Align align = Align::rz;                                          // fused_sum, staged_sum; ordered_sum without sticky
  bool with_accumulator = false;                                    // fused_sum, exact
  std::optional<int> zero_exponent;                                 // fused_sum: of a zero addend
  std::optional<int> zero_operand_exponent;                         // fused_sum, staged_sum: of a zero operand, and of a zero accumulator
  std::int64_t group = 0;                                           // scaled_sum
  int subsets = 1;                                                  // staged_sum
  int sum_fraction_bits = 0;                                        // staged_sum
  std::optional<int> result_fraction_bits;                          // staged_sum
  Align join_align = Align::rd;                                     // staged_sum
  bool drop_far_accumulator = false;                                // staged_sum
  bool normalize_products = false;                                  // fused_sum
  std::vector<int> addition_fraction_bits;                          // ordered_sum: of the first addition, the second, ...
  int product_integer_bits = 2;                                     // ordered_sum
  bool sticky = true;                                               // ordered_sum
  std::optional<int> forget_sticky_below;                           // ordered_sum
  bool foresees_sign = false;                                       // ordered_sum
  std::optional<int> width, lsb;                                    // exact
  int bin_width = 0;                                                // exponent_bins
  int radix = 2;                                                    // online
  OnlineMultiplier multiplier = OnlineMultiplier::serial_parallel;  // online
  std::optional<int> digits;                                        // online: of the result, that are kept; unset: all

  /// The format that sums are rounded to.
  [[nodiscard]] const formats::Format& rounded_format() const { return round_to ? *round_to : format; }
  bool operator==(const Level&) const = default;
};

/// Kinds that take their addends in issues of `terms`.
bool has_issues(LevelKind kind);
/// True where the level feeds its result back, so that C can enter.
bool takes_accumulator(const Level& level);

/// Where C (a bias, or acc_in) enters: it starts the first accumulator of the innermost level that has one, or is added once at
/// the end (+0 where there is none). It is rounded to `format` on entry, and so is the sum at the end.
struct InitialAccumulator {
  bool last = false;
  std::optional<std::size_t> level;               ///< the level whose first accumulator C starts; unset: the innermost that has one
  bool flush_subnormals = false;                  ///< below the smallest normal of its format C is +0
  std::optional<formats::Format> format;          ///< unset: that of the level whose accumulator it enters (last: the last level)
  std::optional<formats::RoundingSpec> rounding;  ///< unset: that level's
  bool nan_is_all_ones = false;  ///< the unit's own NaN has every bit but the sign set; checks take it for the canonical one
  bool operator==(const InitialAccumulator&) const = default;
};

/// A last conversion of the result, after dividing by 2^shift.
struct OutputConversion {
  std::optional<formats::Format> format;  ///< unset: none
  formats::RoundingSpec rounding;
  int shift = 0;
  std::optional<int> sticky_bits;  ///< bits that the rounding sees below the first one dropped; unset: all
  bool operator==(const OutputConversion&) const = default;
};

/// How an accumulator's adder, whose latency may be several cycles, gets its own last sum back (contracts 6).
enum class Feedback {
  stall,         ///< the next term waits until the sum is there
  interleave,    ///< as many partial sums as an `interleaved` level has ways; a term a cycle
  single_cycle,  ///< all but the last cycle of the adder lie before the loop, which takes one cycle
};

/// Latencies in cycles, and the schedule.
struct Timing {
  int input = 0;                         ///< registers before the multiplier
  int multiplier = 0;                    ///< 0: operands reach the adder in the cycle in which they are applied
  std::vector<int> adder{1};             ///< of one addition, the same for all levels or one each; a tree takes it once a stage
  int output = 0;                        ///< registers behind the last level
  Feedback feedback = Feedback::stall;   ///< of every level that has an accumulator; `interleaved` levels interleave
  bool elastic = false;                  ///< registers move on into empty ones while a result waits; else all stand still
  std::optional<std::int64_t> interval;  ///< cycles from one issue to the next; unset: as many as the feedback asks for

  [[nodiscard]] int adder_of(std::size_t level) const { return adder.size() == 1 ? adder.front() : adder[level]; }
};

enum class Dataflow {
  os,    ///< systolic: an element keeps an output, results leave down the columns
  ws,    ///< systolic: an element keeps a weight, sums flow down the columns
  tree,  ///< a column is `rows` multipliers before one adder tree
};

/// An array of such units.
struct Array {
  std::int64_t rows = 1, cols = 1;
  Dataflow dataflow = Dataflow::os;
};

/// Which inexact results raise the underflow flag of a check; no bit of a result depends on it. IEEE 754-2019, 7.5 leaves the first two
/// open.
enum class Tininess {
  after,      ///< rounded as if exponents had no lower bound, below the smallest normal (RISC-V, x86)
  before,     ///< the exact value is below the smallest normal (Arm)
  delivered,  ///< the result itself is zero or subnormal (CVFPU)
};

struct Datapath {
  std::string name, source;
  Operand a, b;
  bool flush_subnormals = false;  ///< operands below the smallest normal of their format are +0
  Product product;
  std::vector<Level> levels;  ///< innermost first, at least one
  InitialAccumulator accumulator;
  Tininess tininess = Tininess::after;
  OutputConversion output;
  std::optional<Timing> timing;
  std::optional<Array> array;

  [[nodiscard]] bool has_cycles() const { return timing || array; }
  [[nodiscard]] const Level& last_level() const { return levels.back(); }
  /// The format of the datapath's result.
  [[nodiscard]] const formats::Format& result_format() const {
    if (output.format) return *output.format;
    return accumulator.last ? accumulator_format() : levels.back().format;
  }
  /// How the result was rounded to it.
  [[nodiscard]] const formats::RoundingSpec& result_rounding() const {
    if (output.format) return output.rounding;
    return accumulator.last ? accumulator_rounding() : levels.back().rounding;
  }
  /// The level whose accumulator C enters.
  [[nodiscard]] const Level& accumulator_level() const { return levels[accumulator_level_index()]; }
  [[nodiscard]] std::size_t accumulator_level_index() const {
    if (accumulator.last) return levels.size() - 1;
    if (accumulator.level) return *accumulator.level;
    std::size_t i = 0;
    while (i + 1 < levels.size() && !takes_accumulator(levels[i])) ++i;
    return i;
  }
  [[nodiscard]] const formats::Format& accumulator_format() const {
    return accumulator.format ? *accumulator.format : accumulator_level().format;
  }
  [[nodiscard]] const formats::RoundingSpec& accumulator_rounding() const {
    return accumulator.rounding ? *accumulator.rounding : accumulator_level().rounding;
  }
};

constexpr std::size_t max_levels = 11;

/// Throws InputError naming the level and key of what cannot combine.
void check_datapath(const Datapath& datapath);

/// Throws InputError where a given C would have to start an online level, which has no accumulator.
void check_takes_initial(const Datapath& datapath);

/// The first of the keys of matrix units (README.md) that changes bits and is given, level kinds aside; empty: none. An executor that does
/// not know all of them refuses a datapath that has one.
std::string_view matrix_unit_key(const Datapath& datapath);

/// The operand pairs of a dot product of k terms in the order in which the datapath takes them.
std::vector<std::int64_t> term_order(const Datapath& datapath, std::int64_t k);

/// True where some rounding uses one generator for all outputs, so that they must be made in row-major order.
bool needs_output_order(const Datapath& datapath);

}  // namespace accsim::sim
