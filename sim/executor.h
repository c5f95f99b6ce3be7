// Executors: the interpreter, which defines every bit, and kernels, which claim only what they can prove they do the same.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/exact.h"
#include "sim/datapath.h"
#include "sim/pack_cache.h"
#include "sim/random_site.h"
#include "sim/statistics.h"

namespace accsim::sim {

/// What operands of a block format are made of: `a` or `b` of the tile holds element * scale, exactly.
struct BlockScales {
  int block = 0;                     ///< terms that share a scale, counted from the start of a row; 0: not a block format
  int scale_emin = 0;                ///< exponent of the smallest normal of the scales
  std::span<const double> elements;  ///< rows x k: the values before their scales; NaN in a block whose scale is NaN
  std::span<const double> scales;    ///< rows x ceil(k / block): powers of two, or E4M3 numbers (nvfp4), or NaN

  [[nodiscard]] double scale_at(std::int64_t row, std::int64_t term, std::int64_t k) const {
    return scales[static_cast<std::size_t>(row * ((k + block - 1) / block) + term / block)];
  }
};

/// rows x columns dot products of k terms, operands packed row by row.
struct Tile {
  std::int64_t rows = 0, columns = 0, k = 0;
  std::span<const double> a;                ///< rows x k, where every operand of the tensor is a binary64
  std::span<const double> b;                ///< columns x k
  std::span<const formats::Exact> a_exact;  ///< used instead of both where one of the tensors needs it
  std::span<const formats::Exact> b_exact;
  BlockScales a_blocks = {}, b_blocks = {};           ///< where the operand has a block format
  std::span<const std::int64_t> output_index;         ///< rows x columns: row-major index in the layer's result
  std::span<const std::int64_t> pe_index = {};        ///< the array's element that makes each output; empty: output_index
  std::span<const formats::NarrowExact> accumulator;  ///< C of each output, rounded to its format; empty: none
  int a_emin = 0, b_emin = 0;  ///< exponent of the operands' (a block format's elements') smallest normal, below which exponents do not go
  std::uint64_t seed = 0;
  std::uint32_t layer = 0, pass = 0;
  bool watch_tiny = false;     ///< for IEEE 754's flags: fill TileResult::tiny, count where C is added last too; the interpreter only
  bool subtract = false;       ///< every product is negated, after its own rounding; the interpreter only
  int a_bits = 0, b_bits = 0;  ///< two's complement width of fixed-point operands that a zero point makes wider; 0: as their format
  ArrayGenerators* arrays = nullptr;  ///< where a generator is shared by all outputs
  PackCache* a_cache = nullptr;       ///< of these rows, used by one thread at a time; null: this is the only tile with them
  PackCache* b_cache = nullptr;       ///< of these columns
};

/// What executing a tile gives. The per-output vectors are rows x columns.
struct TileResult {
  std::vector<formats::NarrowExact> outputs;  ///< the datapath's results, before scales; empty where `numbers` is filled
  std::vector<double> numbers;                ///< instead, where every result is a binary64 (infinities, NaN and -0 included)
  std::vector<char> overflowed;               ///< at least one product or sum overflow
  std::vector<char> tiny;                     ///< some inexact result was tiny after rounding (IEEE 754 7.5), where watched
  EventCounts events;                         ///< the counts of roundings; those of outputs are left to the caller
  double max_abs_product = 0;                 ///< finite ones, rounded to binary64
  double max_abs_partial = 0;
  std::int64_t saved_cycles = 0;  ///< that early detection of negative sums saved (kind `online`), added over the outputs

  [[nodiscard]] formats::NarrowExact output(std::size_t i) const {
    return numbers.empty() ? outputs[i] : formats::from_double<formats::UInt128>(numbers[i]);
  }
};

/// What is known of the values that one operand takes in a layer, zeros aside; proofs of exactness rest on it.
struct OperandFacts {
  int precision = 0;       ///< significand bits that hold each of them; 0: all are zero
  int lowest = 0;          ///< the smallest exponent of a last significant bit: every one is a multiple of 2^lowest
  int highest = 0;         ///< floor(log2) of the largest magnitude
  bool nonfinite = false;  ///< infinities or NaN among them
};

/// The operands as the datapath sees them in a layer: quantized where it quantizes, before scales.
struct LayerFacts {
  OperandFacts a, b;
  std::int64_t k = 0;
  int a_emin = 0, b_emin = 0;    ///< as in Tile
  bool has_accumulator = false;  ///< a C enters
};

class Executor {
 public:
  virtual ~Executor() = default;
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual std::string_view meaning() const = 0;
  /// Why it cannot be proved that every bit and every count equals the interpreter's for such operands, in a few words; empty where it is
  /// proved.
  [[nodiscard]] virtual std::string refusal(const Datapath& datapath, const LayerFacts& facts) const = 0;
  virtual void run(const Datapath& datapath, const Tile& tile, TileResult& result) const = 0;
};

/// All executors, in order of preference from the last; [0] is the interpreter, which supports every datapath.
std::span<const Executor* const> executors();

}  // namespace accsim::sim
