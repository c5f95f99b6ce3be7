// The products of a tile as far as operands alone tell of them: the largest, which overflow, which their format has.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/kernels/kernel_float_run.h"

namespace accsim::sim::kernels {

/// Whether a format has every product of such operands, so that rounding it to that format changes nothing.
bool has_products(const formats::Format& format, const formats::RoundingSpec& spec, const OperandFacts& a, const OperandFacts& b);

/// Looks at the tile's good lines once. Truncating loops leave products' events to it.
class TileProducts {
 public:
  /// `with_events`: overflows and inexact products are wanted too; `all_fit`: the product's format has every exact product.
  TileProducts(const FloatLaneSet& set, const Datapath& datapath, const Tile& tile, const std::vector<char>& bad_rows,
               const std::vector<char>& bad_columns, PackCache& a_cache, PackCache& b_cache, bool with_events, bool all_fit);

  /// The largest magnitude of an exact product, to binary64.
  [[nodiscard]] double largest() const { return largest_; }
  [[nodiscard]] std::int64_t nonzero() const { return nonzero_; }
  /// Nonzero products that their format has, smallest normal and above; of use where few_events() holds.
  [[nodiscard]] std::int64_t exact() const { return exact_; }
  /// True where few enough products overflow or may be exact that the rest can go without looking.
  [[nodiscard]] bool few_events() const { return few_overflows_ && few_brief_; }
  /// True where a product of an output in these rows and columns overflows.
  [[nodiscard]] bool overflows(std::int64_t first_column, std::int64_t columns, std::int64_t row, std::int64_t last_row) const;

 private:
  /// Per term, over one operand's good lines.
  struct Survey {
    std::vector<std::uint64_t> largest;
    std::vector<std::int64_t> nonzero, brief;
  };
  const Survey& survey(const FloatLaneSet& set, std::span<const double> values, const std::vector<char>& bad, std::uint64_t low,
                       PackCache& cache) const;
  void mark_overflows(const Survey& a, const Survey& b, double largest);
  void count_exact(std::size_t k, std::uint64_t low, double least);

  const Tile& tile_;
  const std::vector<char>&bad_rows_, &bad_columns_;
  double largest_ = 0;
  std::int64_t nonzero_ = 0, exact_ = 0;
  bool few_brief_ = true, few_overflows_ = true;
  std::vector<char> overflowing_;  ///< outputs with an overflowing product; empty: none
};

}  // namespace accsim::sim::kernels
