// Probing a multiply-accumulate unit from outside: issues whose results reveal the order of its sums, the bits it keeps when it
// aligns, and its rounding. After FPRev's order probing and the directed tests of arXiv 2511.10909.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "formats/block.h"

namespace accsim::sim {

/// What is known of a unit beforehand: its formats, and how many products a probe has.
struct ProbedUnit {
  formats::Format a, b, in, out;  ///< operands, accumulator that comes in, result
  bool has_accumulator = true;
  int terms = 0;                                                     ///< at least 4
  std::optional<formats::BlockFormat> a_blocks = {}, b_blocks = {};  ///< where a, b are the elements of block formats
};

enum class ProbeKind {
  order,                       ///< two addends cancel, all others are small: how many of these are lost
  product_below_accumulator,   ///< C and a product cancel, another product lies `depth` binades lower
  product_below_products,      ///< two products cancel, a third lies lower
  accumulator_below_products,  ///< two products cancel, C lies lower
  output_fraction,             ///< a large power of two and one `depth` binades below
  accumulator_rounding,        ///< a sum of products and C, half way between two values of `depth` fraction bits
  product_rounding,            ///< a sum of products half way between two values
  zero_exponent,               ///< the smallest number less 2^-depth of it, zeros beside
  zero_exponent_tie,           ///< the same, for units that round to nearest
};

/// One probe: a row of vectors.
struct Probe {
  ProbeKind kind = ProbeKind::order;
  std::vector<formats::Code> a, b;
  formats::Code accumulator = 0;
  int a_scale = 0, b_scale = 0;  ///< exponents of the scales of all blocks
  int first = 0, second = 0;     ///< order: the addends that cancel; `terms` stands for C
  int depth = 0;
  bool negative = false;  ///< the sign of what is looked for
  bool odd = false;       ///< rounding: the value below the tie is odd
};

/// All probes that the formats can express. InputError where the result is no float.
std::vector<Probe> probes(const ProbedUnit& unit);

/// How far below the largest addend another one is still seen.
struct KeptBits {
  std::optional<int> fraction_bits;  ///< unset: as far as the probes go
  int probed = 0;                    ///< binades that the probes go below
  std::string cut;                   ///< "toward zero", "down", "up", "other"; empty where nothing is cut
};

struct ProbeFindings {
  std::string order;         ///< the tree of the sums, as nested parentheses; C is the accumulator
  std::optional<int> group;  ///< products that are summed together first; unset: no order, or none that is a tree
  bool group_has_accumulator = false;
  int order_binades = 0;  ///< between the addends that cancel and the small ones
  std::optional<KeptBits> product_below_accumulator, product_below_products, accumulator_below_products;
  std::optional<int> output_fraction_bits;
  std::string accumulator_rounding, product_rounding;  ///< a rounding's name, or empty where the formats cannot show it
  std::optional<int> zero_exponent;                    ///< of a zero addend; unset: not visible
  std::optional<int> zero_exponent_at_most;            ///< where it is only seen to be no larger
};

/// What the results say; `results` belong to `all` one by one.
ProbeFindings interpret(const ProbedUnit& unit, std::span<const Probe> all, std::span<const formats::NarrowExact> results);

/// The tree of sums of `leaves` addends from the sizes of the least subtrees that hold two of them, size(i, j); empty where no tree has
/// these sizes. `names` print the leaves. `group`: the leaves of the innermost sum of the first addend.
struct OrderTree {
  std::string text;
  std::vector<int> group;
};
OrderTree order_tree(const std::vector<std::vector<int>>& sizes, const std::vector<std::string>& names);

}  // namespace accsim::sim
