// A tile's operands in lane units, and blocks of its outputs.
#pragma once

#include <memory>
#include <mutex>
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

/// An operand's lines as binary64, and which of them hold infinities or NaN (`bad`): these are zeros on lanes.
struct LaneSource {
  std::span<const double> values;  ///< lines x k
  std::int64_t lines = 0, k = 0;
  const std::vector<char>* bad = nullptr;
  std::span<const std::int64_t> order = {};  ///< of the terms; empty: as they come
};

/// What is seen of an operand's lines when they are looked at, once.
struct ScannedLines {
  std::vector<char> bad;  ///< as in LaneSource
  FloatScan all;
};
const ScannedLines& scanned(const FloatLanes& lanes, const LaneSource& source, PackCache& cache);

/// Rows in lane units, each packed when it is first asked for.
class LaneRows final : public PackCache::Entry {
 public:
  LaneRows(const FloatProof& proof, const FloatLanes& lanes, const LaneSource& source);
  [[nodiscard]] bool serves(const FloatProof& proof, const FloatLanes& lanes) const;
  /// Rows row..row+rows, those beyond the last zeros.
  void pack(const LaneSource& source, std::int64_t row, int rows);
  [[nodiscard]] const void* values(std::int64_t row) const { return values_.at(place(row)); }
  /// Of FloatBlock::a_least.
  [[nodiscard]] const void* least(std::int64_t row) const { return least_.at(packed_ ? place(row) : 0); }

 private:
  [[nodiscard]] std::size_t place(std::int64_t row) const { return static_cast<std::size_t>(row * k_) * word_bytes_; }

  const FloatLanes& lanes_;
  int scale_;
  bool packed_;
  std::uint64_t min_normal_;
  std::int64_t k_;
  std::size_t word_bytes_;
  std::vector<char> is_packed_;
  LaneBuffer values_, least_;
};

/// Columns in lane units, a group packed when it is first asked for, by whoever asks first.
class LaneColumns final : public PackCache::Entry {
 public:
  LaneColumns(const FloatProof& proof, const FloatLanes& lanes, const LaneSource& source);
  [[nodiscard]] bool serves(const FloatProof& proof, const FloatLanes& lanes) const;
  [[nodiscard]] const std::vector<ColumnGroup>& groups() const { return groups_; }
  const void* group(const LaneSource& source, std::size_t group);

 private:
  struct Packed {
    std::once_flag once;
    std::unique_ptr<LaneBuffer> words;
  };
  void pack(const LaneSource& source, std::size_t group);

  const FloatLanes& lanes_;
  int scale_;
  std::size_t word_bytes_;
  std::vector<ColumnGroup> groups_;
  std::vector<Packed> packed_;
};

/// A tile on lanes of one type.
class LaneTile {
 public:
  LaneTile(FloatProof proof, const FloatLanes& lanes, const Datapath& datapath, const Tile& tile, const LaneSource& rows,
           const LaneSource& columns, PackCache& a_cache, PackCache& b_cache);

  [[nodiscard]] const FloatProof& proof() const { return proof_; }
  [[nodiscard]] const FloatLanes& lanes() const { return lanes_; }
  [[nodiscard]] const std::vector<ColumnGroup>& groups() const { return columns_.groups(); }

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

  FloatProof proof_;
  const FloatLanes& lanes_;
  const Tile& tile_;
  const LaneSource a_, b_;
  LaneRows& rows_;
  LaneColumns& columns_;
  std::size_t word_bytes_;
  bool random_ = false;
  double unscale_;
  LaneBuffer scratch_, initial_, results_;
  std::vector<std::uint32_t> low_, high_, element_;
  std::vector<unsigned char> overflowed_;
};

}  // namespace accsim::sim::kernels
