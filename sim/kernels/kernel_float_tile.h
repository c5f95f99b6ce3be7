// A tile's operands in lane units, and blocks of its outputs.
#pragma once

#include <memory>
#include <new>
#include <vector>

#include "sim/kernels/kernel_float_proof.h"

namespace accsim::sim::kernels {

/// Memory for lanes, aligned to their widest register.
class LaneBuffer {
 public:
  LaneBuffer(std::size_t bytes, bool zeroed);
  [[nodiscard]] void* at(std::size_t byte) const { return memory_.get() + byte; }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Free {
    void operator()(std::byte* p) const { ::operator delete(p, alignment); }
  };
  std::unique_ptr<std::byte, Free> memory_;
};

/// Columns that run together: the first, how many are real, and registers.
struct ColumnGroup {
  std::int64_t first = 0, columns = 0;
  int vectors = 0;
};

/// A tile on lanes of one type. Operands are packed when a block first asks for them; lines marked bad are zeros.
class LaneTile {
 public:
  LaneTile(FloatProof proof, const FloatLanes& lanes, const Datapath& datapath, const Tile& tile, const std::vector<char>& bad_rows,
           const std::vector<char>& bad_columns);

  [[nodiscard]] const FloatProof& proof() const { return proof_; }
  [[nodiscard]] const FloatLanes& lanes() const { return lanes_; }
  [[nodiscard]] const std::vector<ColumnGroup>& groups() const { return groups_; }

  /// Outputs from `row` on, `rows` of them, in a group's columns; valid until the next block. Rows beyond the tile are zeros.
  FloatBlock block(std::size_t group, std::int64_t row, int rows);
  /// One row of the results of the block last made, in real units.
  void results(std::int64_t row_in_block, const ColumnGroup& group, double* out) const;
  [[nodiscard]] const unsigned char* overflowed(std::int64_t row_in_block, const ColumnGroup& group) const {
    return overflowed_.data() + place(row_in_block, 0, group.vectors);
  }

 private:
  [[nodiscard]] std::size_t place(std::int64_t row, std::int64_t column, int vectors) const {
    return static_cast<std::size_t>(row * vectors * lanes_.lanes + column);
  }
  void pack_row(std::int64_t row);
  void pack_group(std::size_t group);

  FloatProof proof_;
  const FloatLanes& lanes_;
  const Tile& tile_;
  const std::vector<char>&bad_rows_, &bad_columns_;
  std::vector<std::int64_t> order_;  ///< of the terms; empty: as they come
  std::size_t word_bytes_;
  bool random_ = false;
  double unscale_;
  std::vector<ColumnGroup> groups_;
  std::vector<char> row_packed_;
  LaneBuffer a_, a_least_;
  std::vector<std::unique_ptr<LaneBuffer>> b_;
  LaneBuffer scratch_, initial_, results_;
  std::vector<std::uint32_t> low_, high_, element_;
  std::vector<unsigned char> overflowed_;
};

}  // namespace accsim::sim::kernels
