// The keys of datapath files, and which of them each level kind has.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "sim/datapath.h"

namespace accsim::sim {

inline constexpr std::array<std::string_view, 11> level_kind_names = {"sequential",    "tree",       "interleaved", "fused_sum",
                                                                      "staged_sum",    "scaled_sum", "ordered_sum", "exact",
                                                                      "exponent_bins", "sorted",     "online"};
inline constexpr std::array<std::string_view, 3> combine_names = {"sequential", "tree", "coalesce"};
inline constexpr std::array<std::string_view, 2> align_names = {"rz", "rd"};
inline constexpr std::array<std::string_view, 3> online_multiplier_names = {"serial_parallel", "serial_serial", "integrated"};
inline constexpr std::array<std::string_view, 3> scale_names = {"one", "amax", "amax_pow2"};

inline constexpr std::array<std::string_view, 10> top_keys = {"accsim",    "name",        "source", "operands", "product",
                                                              "reduction", "accumulator", "output", "timing",   "array"};
inline constexpr std::array<std::string_view, 11> operand_keys = {"flush_subnormals", "a",           "b",       "a_rounding",
                                                                  "a_overflow",       "a_underflow", "a_scale", "b_rounding",
                                                                  "b_overflow",       "b_underflow", "b_scale"};
inline constexpr std::array<std::string_view, 6> product_keys = {"format", "range", "rounding", "overflow", "underflow", "permute"};
inline constexpr std::array<std::string_view, 9> accumulator_keys = {
    "initial", "level", "flush_subnormals", "format", "rounding", "overflow", "underflow", "nan", "tininess"};
inline constexpr std::array<std::string_view, 3> tininess_names = {"after", "before", "delivered"};
inline constexpr std::array<std::string_view, 6> output_keys = {"format", "rounding", "overflow", "underflow", "shift", "sticky_bits"};

inline constexpr std::array<std::string_view, 7> timing_keys = {"input",    "multiplier", "adder",  "output",
                                                                "feedback", "interval",   "elastic"};
inline constexpr std::array<std::string_view, 3> array_keys = {"rows", "cols", "dataflow"};
inline constexpr std::array<std::string_view, 3> feedback_names = {"stall", "interleave", "single_cycle"};
inline constexpr std::array<std::string_view, 3> dataflow_names = {"os", "ws", "tree"};

/// The keys that every level takes.
inline constexpr std::array<std::string_view, 7> common_level_keys = {"kind",     "terms",    "format",   "round_to",
                                                                      "rounding", "overflow", "underflow"};
/// The further keys that a level of this kind takes.
std::span<const std::string_view> level_keys(LevelKind kind);

}  // namespace accsim::sim
