// How a value becomes one of a format's: rounding, overflow and underflow modes, and their spellings.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "formats/format.h"

namespace accsim::formats {

enum class Rounding {
  rne,  ///< nearest, ties to even
  rna,  ///< nearest, ties away from zero
  rz,   ///< toward zero
  ru,   ///< toward +infinity
  rd,   ///< toward -infinity
  ro,   ///< to odd: inexact values become the neighbour with the odd code
  sr,   ///< stochastic, see StochasticSpec
};

/// Which random numbers round up; t is the discarded part, nu its share of the spacing, r the R-bit random number.
enum class StochasticKind {
  a,      ///< floor(nu 2^R) + r >= 2^R (P3109 v4.0 StochasticA)
  b,      ///< floor(nu 2^(R+1)) + 2 r + 1 >= 2^(R+1) (P3109 v4.0 StochasticB)
  c,      ///< rne(nu 2^R) + r >= 2^R (P3109 v4.0 StochasticC)
  below,  ///< r < floor(nu 2^R)
  eager,  ///< an adder that adds r before it normalizes: as a, but of operands cut to R + 1 bits below the larger one's last place
};

enum class LfsrForm { galois, fibonacci };
enum class LfsrStep { right, left };
enum class LfsrShare {
  pe,     ///< each output its own generator, seeded S xor its PE index
  array,  ///< one generator for all outputs in row-major order
};

/// A hardware generator, contracts 1.3.
struct LfsrSpec {
  int width = 0;  ///< 1..64
  std::uint64_t mask = 0;
  std::uint64_t seed = 0;
  LfsrForm form = LfsrForm::galois;
  LfsrStep step = LfsrStep::right;
  LfsrShare share = LfsrShare::pe;
  bool operator==(const LfsrSpec&) const = default;
};

struct StochasticSpec {
  int bits = 0;  ///< R, 1..32
  StochasticKind kind = StochasticKind::a;
  std::optional<std::uint64_t> philox_seed = {};  ///< unset: the run's seed
  std::optional<LfsrSpec> lfsr = {};              ///< unset: Philox
  bool operator==(const StochasticSpec&) const = default;
};

enum class Overflow {
  ieee,      ///< infinity, or the largest finite where the rounding mode says so; NaN without infinities; the largest finite without both
  saturate,  ///< the nearest end of the finite range
  nan,       ///< NaN, which formats without lose: zero, counted invalid
  wrap,      ///< modulo 2^width (fixed point)
  saturate_symmetric,  ///< saturate to +/-(2^(W-1)-1); -2^(W-1) overflows too (fixed point)
  saturate_zero,       ///< zero (fixed point)
  propagate,           ///< finite values as saturate; infinities stay where the format has them (P3109 SatPropagate)
  infinity,            ///< as ieee to nearest, whatever the rounding mode: NVIDIA's matrix units, which cut to their result
  ones_tail,           ///< as ieee, but sr rounds the largest finite value with a discarded part of ones: CVFPU (floats)
};

enum class Underflow {
  gradual,  ///< subnormals
  flush,    ///< below the smallest normal: zero of its sign
  none,     ///< below the smallest normal: all fraction bits kept; such values have no code
};

struct RoundingSpec {
  Rounding mode = Rounding::rne;
  StochasticSpec stochastic = {};           ///< used by sr
  std::optional<Overflow> overflow = {};    ///< unset: ieee for floats, wrap for fixed point
  std::optional<Underflow> underflow = {};  ///< unset: what the format has
  bool operator==(const RoundingSpec&) const = default;
};

Overflow overflow_of(const RoundingSpec& spec, const Format& format);
Underflow underflow_of(const RoundingSpec& spec, const Format& format);

/// Overflow names also as P3109 calls them: satfinite = saturate, satpropagate = propagate, satnone = ieee.
/// Parses `rne`, `sr:bits=13,kind=a,rng=philox:7` and the like into mode and stochastic; InputError names what is wrong.
void parse_rounding(std::string_view text, RoundingSpec& spec);
Overflow parse_overflow(std::string_view text);
Underflow parse_underflow(std::string_view text);
/// The spelling that parses back to the same facts.
std::string rounding_spelling(const RoundingSpec& spec);
std::string_view name_of(Overflow overflow);
std::string_view name_of(Underflow underflow);

/// Throws InputError, naming the rule, where a format cannot be rounded to in this way (wrap into a float, infinities into fixed point,
/// ...).
void check_combination(const RoundingSpec& spec, const Format& format);

/// Throws InputError for the eager adder's mode where one value is rounded and nothing added: products, operands, outputs.
void check_single_operand(const RoundingSpec& spec, std::string_view where);

/// A name with its meaning, for lists.
struct NamedMode {
  std::string name, meaning;
};
std::span<const NamedMode> rounding_modes();
std::span<const NamedMode> overflow_modes();
std::span<const NamedMode> underflow_modes();

}  // namespace accsim::formats
