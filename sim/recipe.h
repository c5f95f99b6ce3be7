// A training recipe as plain data: a quantizer for every tensor role, a datapath for every pass, how the loss is scaled.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "sim/datapath.h"
#include "sim/loss_scaling.h"
#include "sim/lowering.h"

namespace accsim::sim {

/// What a tensor is in training. A matmul's a, b and their gradients have the roles of input, weight, grad_input, grad_weight.
enum class Role { input, weight, output, grad_output, grad_input, grad_weight, master_weight };
inline constexpr std::array<std::string_view, 7> role_names = {"input",      "weight",      "output",       "grad_output",
                                                               "grad_input", "grad_weight", "master_weight"};
inline constexpr std::array<std::string_view, 3> pass_names = {"fprop", "dgrad", "wgrad"};

/// Scale rules of training recipes; x / scale (in binary64) is quantized, and the result counts scale times.
enum class RecipeScale {
  one,        ///< no scale
  number,     ///< a given number
  amax,       ///< max|x| / the format's largest value
  amax_pow2,  ///< the smallest power of two not below that
  range,      ///< fixed point of a fixed range [-range, range) (predefined dynamic range): range / the power of two above the format's
              ///< largest value
  delayed,    ///< amax, of the largest max|x| of the same tensor in the last `history` steps before this one; one where there is none
  sawb,       ///< 2 clip / steps, clip = c1 rms(x) + c2 mean|x|: statistics-aware weight binning
  luq,        ///< alpha / the format's smallest value, alpha = m / 2^span: logarithmic unbiased quantization
};
inline constexpr std::array<std::string_view, 8> recipe_scale_names = {"one",   "number",  "amax", "amax_pow2",
                                                                       "range", "delayed", "sawb", "luq"};

/// The largest value that LUQ takes for m.
enum class LuqMaximum {
  magnitude,  ///< max|x|
  signed_,    ///< max(x), as the official code does: large negative values then leave the range
};

/// The quantizer of one role. Without a format the tensor passes as it is.
struct RoleQuantizer {
  Operand operand;  ///< format (or block format), rounding, overflow; its own scale rule is not used
  RecipeScale scale = RecipeScale::one;
  double number = 1.0;                          ///< number, range
  int history = 16;                             ///< delayed: steps
  double c1 = 0, c2 = 0;                        ///< sawb
  std::optional<double> steps;                  ///< sawb: levels less one; unset: the format's codes less one
  std::optional<double> steps_signed;           ///< sawb: instead of `steps` where a value is negative
  int span = 6;                                 ///< luq: log2(m / alpha)
  LuqMaximum maximum = LuqMaximum::magnitude;   ///< luq
  int samples = 1;                              ///< mean of so many independent stochastic roundings (LUQ's SMP); a power of two
  std::optional<formats::Format> through;       ///< rounded to this format first, to nearest even
  bool nearest_subnormals = false;              ///< below the smallest normal rounding is to nearest even, whatever `rounding` says
  std::optional<double> clamp_low, clamp_high;  ///< limits of x / scale before it is rounded

  /// True where datapath operands (contracts 3) describe it whole.
  [[nodiscard]] bool has_format() const { return operand.format.has_value(); }
};

struct Recipe {
  std::string name, source;
  std::array<std::optional<RoleQuantizer>, role_names.size()> roles;
  std::array<std::optional<std::string>, pass_names.size()> passes;  ///< a datapath: built-in name, TOML file, or format
  LossScaling loss_scaling;

  [[nodiscard]] const std::optional<RoleQuantizer>& role(Role r) const { return roles[static_cast<std::size_t>(r)]; }
  [[nodiscard]] const std::optional<std::string>& pass(Pass p) const { return passes[static_cast<std::size_t>(p)]; }
};

/// The role of the result of a pass.
Role result_role(Pass pass);
/// The roles of operands a and b of a pass.
std::array<Role, 2> operand_roles(Pass pass);

}  // namespace accsim::sim
