// Executors: the interpreter, which defines every bit, and kernels, which claim only what they can prove they do the same.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "formats/exact.h"
#include "sim/datapath.h"
#include "sim/random_site.h"
#include "sim/statistics.h"

namespace accsim::sim {

/// rows x columns dot products of k terms, operands packed row by row.
struct Tile {
  std::int64_t rows = 0, columns = 0, k = 0;
  std::span<const double> a;                ///< rows x k, where every operand of the tensor is a binary64
  std::span<const double> b;                ///< columns x k
  std::span<const formats::Exact> a_exact;  ///< used instead of both where one of the tensors needs it
  std::span<const formats::Exact> b_exact;
  std::span<const std::int64_t> output_index;         ///< rows x columns: row-major index in the layer's result
  std::span<const formats::NarrowExact> accumulator;  ///< C of each output, rounded to its format; empty: none
  int a_emin = 0, b_emin = 0;                         ///< exponent of the operands' smallest normal, below which exponents do not go
  std::uint64_t seed = 0;
  std::uint32_t layer = 0, pass = 0;
  bool watch_tiny = false;            ///< fill TileResult::tiny; the interpreter only
  ArrayGenerators* arrays = nullptr;  ///< where a generator is shared by all outputs
};

/// What executing a tile gives. The per-output vectors are rows x columns.
struct TileResult {
  std::vector<formats::NarrowExact> outputs;  ///< the datapath's results, before scales
  std::vector<char> overflowed;               ///< at least one product or sum overflow
  std::vector<char> tiny;                     ///< some inexact result was tiny after rounding (IEEE 754 7.5), where watched
  EventCounts events;                         ///< the counts of roundings; those of outputs are left to the caller
  double max_abs_product = 0;                 ///< finite ones, rounded to binary64
  double max_abs_partial = 0;
};

class Executor {
 public:
  virtual ~Executor() = default;
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual std::string_view meaning() const = 0;
  /// True only where every bit and every count equals the interpreter's, whatever the operands.
  [[nodiscard]] virtual bool supports(const Datapath& datapath) const = 0;
  virtual void run(const Datapath& datapath, const Tile& tile, TileResult& result) const = 0;
};

/// All executors, in order of preference from the last; [0] is the interpreter, which supports every datapath.
std::span<const Executor* const> executors();

}  // namespace accsim::sim
