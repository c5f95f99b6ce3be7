// The integer kernel's proof: which fixed-point datapaths run in 64-bit or 32-bit lanes without losing a bit, and how.
#pragma once

#include <string>

#include "formats/integer.h"
#include "sim/executor.h"
#include "sim/kernels/kernel_integer.h"

namespace accsim::sim::kernels {

/// Bounds that a plan rests on, all magnitudes. The exact products are integers of the unit 2^product_unit.
struct IntegerBounds {
  int product_unit = 0;
  formats::Int128 product = 0;  ///< of every product
  formats::Int128 chain = 0;    ///< of the sum of the magnitudes of all products of an output
  std::int64_t terms = 0;
  bool has_initial = false;
  formats::Int128 initial = -1;  ///< of C, in units of the level that it enters; -1: anything in that level's range
};

/// A datapath in integers. `reason` says in a few words why there is no plan, and is empty where there is one.
struct IntegerPlan {
  std::string reason;
  IntegerLevel levels[max_integer_levels];
  int sum_unit[max_integer_levels] = {};    ///< exponents of the units of each level's exact sums
  int level_unit[max_integer_levels] = {};  ///< and of what it hands up
  int level_count = 0;
  bool rounded_product = false;
  FixedStep product;
  formats::Int128 addend = 0;                 ///< bound of what the innermost level adds
  formats::Int128 widest = 0;                 ///< bound of every integer that a lane has to hold
  std::int64_t scratch = 0;                   ///< vectors of memory that the levels need
  int initial_level = -1;                     ///< whose accumulator C starts; -1: none
  formats::Int128 initial_range[2] = {0, 0};  ///< that level's finite range
};

/// Looks at the datapath alone: kinds, formats and modes that the kernel knows. Empty where it knows them all.
std::string unknown_to_integers(const Datapath& datapath);

/// The plan for operands within the bounds; `reason` where 63 bits do not hold every sum.
IntegerPlan plan_integers(const Datapath& datapath, const IntegerBounds& bounds);

}  // namespace accsim::sim::kernels
