// Rows of binary64 numbers as integers, packed for exact sums of products; and the sums of a tile.
#pragma once

#include <memory>
#include <vector>

#include "sim/executor.h"
#include "sim/kernels/exact_product.h"

namespace accsim::sim {

/// How the products of two operands of a layer are summed exactly.
struct ProductPlan {
  const kernels::ProductLanes* lanes = nullptr;  ///< null: no carrier, ExactSum alone
  kernels::ProductCarrier carrier = kernels::ProductCarrier::narrow;
  int bits = 0;                ///< rows become integers below 2^bits in magnitude
  int unit_a = 0, unit_b = 0;  ///< narrow: of every row
};

/// The cheapest carrier in which such operands can be exact. k beyond 2^24 terms has none.
ProductPlan plan_products(const OperandFacts& a, const OperandFacts& b, std::int64_t k, const kernels::ProductLanes& lanes);

/// What a row's integers leave out: term `term` is n * 2^unit + rest.
struct Rest {
  std::int64_t term;
  double rest;
};

/// Rows x = n * 2^unit + rest of one operand. A row's unit is its own; rests are there only where its exponents spread too far.
class ProductRows {
 public:
  enum class Side { a, b };

  /// Makes room for `rows` rows of k terms.
  void resize(const ProductPlan& plan, Side side, std::int64_t rows, std::int64_t k);
  /// Packs one row; different rows may be packed at the same time.
  void pack(std::int64_t row, std::span<const double> values);

  struct Row {
    bool is_packed = false;  ///< false: infinities, NaN or exponents out of reach among its values; products need ExactSum
    int unit = 0;
    formats::UInt128 correction = 0;  ///< words, see correction()
    std::vector<Rest> rests;
  };
  [[nodiscard]] const Row& row(std::int64_t i) const { return rows_[static_cast<std::size_t>(i)]; }
  /// Words: what row i adds to each of its sums, see integer_products; zero beyond the last row.
  [[nodiscard]] formats::UInt128 correction(std::int64_t i) const {
    return i < static_cast<std::int64_t>(rows_.size()) ? rows_[static_cast<std::size_t>(i)].correction : 0;
  }
  /// The words of the group of rows (8 of either) that holds row i.
  [[nodiscard]] const std::uint64_t* group(std::int64_t i) const {
    return words_.get() + i / lines_ * lines_ * terms_ * kernels::words_of(plan_.carrier);
  }
  /// Terms of a row in memory: of `words` an even number.
  [[nodiscard]] std::int64_t terms() const { return terms_; }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  /// The part of a value that the integers hold.
  [[nodiscard]] static double held(double value, int unit);
  /// Bytes of a term of one row.
  static std::int64_t bytes(const ProductPlan& plan) { return plan.lanes == nullptr ? 0 : 8 * kernels::words_of(plan.carrier); }

 private:
  struct Free {
    void operator()(std::uint64_t* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  template <kernels::ProductCarrier carrier>
  void put_all(std::int64_t row, std::span<const double> values);

  ProductPlan plan_;
  Side side_ = Side::a;
  std::int64_t lines_ = 0, terms_ = 0;
  std::size_t capacity_ = 0;
  std::unique_ptr<std::uint64_t, Free> words_;
  std::vector<Row> rows_;
};

/// Exact sums of the integers' products of rows [first_a, +rows) and columns [first_b, +columns), row by row; both firsts begin a group.
/// The sum of row r and column c is in units of 2^(unit of r + unit of c), and means nothing where one of the two is not packed.
void integer_products(const ProductPlan& plan, const ProductRows& a, std::int64_t first_a, std::int64_t rows, const ProductRows& b,
                      std::int64_t first_b, std::int64_t columns, std::int64_t k, std::vector<formats::Int128>& sums);

}  // namespace accsim::sim
