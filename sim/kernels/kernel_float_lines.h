// What the runs of a float tile share: its lines, and outputs left to the interpreter.
#pragma once

#include <optional>
#include <vector>

#include "sim/kernels/kernel_float_tile.h"

namespace accsim::sim::kernels {

/// A tile's rows and columns, looked at once.
class FloatLines {
 public:
  /// `lanes`: of binary64.
  FloatLines(const FloatLanes& lanes, const Datapath& datapath, const Tile& tile);
  FloatLines(const FloatLines&) = delete;
  FloatLines& operator=(const FloatLines&) = delete;

  /// Which lines hold infinities or NaN.
  [[nodiscard]] const std::vector<char>& bad_rows() const { return a_.bad; }
  [[nodiscard]] const std::vector<char>& bad_columns() const { return b_.bad; }
  /// What is known of all finite values.
  [[nodiscard]] const LayerFacts& facts() const { return facts_; }
  [[nodiscard]] PackCache& a_cache() const { return a_cache_; }
  [[nodiscard]] PackCache& b_cache() const { return b_cache_; }

  /// The tile on such lanes, in `on`; this object has to outlive it.
  void place(std::optional<LaneTile>& on, FloatProof proof, const FloatLanes& lanes, const Datapath& datapath) const;

 private:
  const Tile& tile_;
  PackCache own_a_cache_, own_b_cache_;  ///< where the tile brings none
  PackCache &a_cache_, &b_cache_;
  const ScannedLines &a_, &b_;
  std::vector<std::int64_t> order_;  ///< of the terms; empty: as they come
  LayerFacts facts_;
};

/// One output by the interpreter: its number in place of what stands there, its counts added.
void interpret_output(const Datapath& datapath, const Tile& tile, std::int64_t row, std::int64_t column, TileResult& result);

/// All outputs of bad lines by the interpreter.
void interpret_bad_lines(const Datapath& datapath, const Tile& tile, const FloatLines& lines, TileResult& result);

}  // namespace accsim::sim::kernels
