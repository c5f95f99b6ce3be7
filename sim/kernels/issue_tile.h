// What stands around lanes of binary64 that make the innermost level's sums, issue after issue with an accumulator: the tile's operands and
// C, one issue by the interpreter's level, the levels above, the results.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "formats/round.h"
#include "sim/executor.h"
#include "sim/interpreter_levels.h"
#include "sim/kernels/fused_sum_operand.h"
#include "sim/kernels/issue_outcome.h"

namespace accsim::sim::kernels {

class IssueTile {
 public:
  /// The datapath's innermost level has `terms` and takes an accumulator; products are exact, no rounding is stochastic.
  IssueTile(const Datapath& datapath, const Tile& tile, TileResult& result);

  /// Takes the operands, and C where it enters the innermost level; `width`: columns with their padding. False where C is not a binary64
  /// or beyond 2^+/-`exponent_limit`.
  bool take_initial(std::int64_t width, int exponent_limit);

  [[nodiscard]] std::span<const double> a() const { return a_.values(); }
  [[nodiscard]] std::span<const double> b() const { return b_.values(); }
  /// The same as the fused-sum lanes take them.
  [[nodiscard]] const FusedOperand& a_operand() const { return a_; }
  [[nodiscard]] const FusedOperand& b_operand() const { return b_; }
  /// What is made of the rows, and of the columns, for other tiles too.
  [[nodiscard]] PackCache& a_cache() { return tile_.a_cache != nullptr ? *tile_.a_cache : own_a_cache_; }
  [[nodiscard]] PackCache& b_cache() { return tile_.b_cache != nullptr ? *tile_.b_cache : own_b_cache_; }
  [[nodiscard]] std::span<const std::int64_t> order() const { return order_; }
  /// rows x width; null: sums start at zero.
  [[nodiscard]] const double* initial() const { return initial_.empty() ? nullptr : initial_.data(); }
  [[nodiscard]] const formats::Rounder& rounder() const { return rounder_; }

  std::int64_t issue = 0;          ///< terms of one issue
  std::int64_t issues_in_sum = 0;  ///< issues before the sum is handed up
  std::int64_t issues = 0;         ///< of an output, the last one perhaps shorter
  std::int64_t sums = 0;           ///< of an output

  /// One issue by the interpreter's level.
  void one_issue(std::int64_t row, std::int64_t column, std::int64_t number, double accumulator, IssueOutcome& outcome) const;

  /// The result from the innermost level's sums on. `values`: sums x rows x width; `overflowed`: rows x width.
  void fill(const std::vector<double>& values, const std::vector<char>& overflowed, std::int64_t width, const IssueCounts& counts);

 private:
  template <class U>
  void one_issue_in(std::int64_t row, std::int64_t column, std::int64_t number, double accumulator, IssueOutcome& outcome) const;
  template <class U>
  formats::BasicExact<U> upper_levels(std::span<const double> sums, std::size_t i, OutputCounts<U>& counts,
                                      const std::vector<formats::Rounder>& rounders) const;
  bool add_in_binary32(std::span<const double> sums, std::size_t i, OutputCounts<formats::UInt128>& counts, double& partial,
                       double& value) const;
  [[nodiscard]] int exponent(const FusedOperand& operand, std::int64_t line, std::int64_t term) const;
  [[nodiscard]] bool enters_at(std::size_t level) const;
  [[nodiscard]] bool is_binary32_above() const;
  formats::NarrowExact above(std::span<const double> sums, std::size_t i, const std::vector<formats::Rounder>& rounders, bool binary32);
  template <class U>
  void merge(const OutputCounts<U>& counts, std::size_t i);
  void see_products();

  const Datapath& datapath_;
  const Tile& tile_;
  TileResult& result_;
  const Level& level_;
  formats::Rounder rounder_;
  std::optional<formats::Rounder> range_;  ///< of products
  std::vector<std::int64_t> order_;
  FusedOperand a_, b_;
  PackCache own_a_cache_, own_b_cache_;
  std::vector<double> initial_;
};

}  // namespace accsim::sim::kernels
