// Random float datapaths with operands that look for trouble in lanes.
#pragma once

#include <random>

#include "agreement.h"

namespace accsim::agreement {

/// Up to four levels, sequential, tree and interleaved, any formats and modes, generators, permutations, C; operands of one precision and
/// spread of exponents, with zeros, pairs that cancel, infinities and NaN. Everything follows from the generator's state.
Case random_float_case(std::mt19937_64& random);

}  // namespace accsim::agreement
