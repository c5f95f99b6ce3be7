// Packing operands: the elements that some rows of a layer take, gathered into dense rows.
#pragma once

#include <memory>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "sim/block_operand.h"
#include "sim/lowering.h"
#include "sim/product_rows.h"
#include "sim/tensor.h"

namespace accsim::sim {

/// Memory whose elements are left as they come, to be written by the threads that fill it.
template <class T>
struct LeftUninitialized : std::allocator<T> {
  template <class U>
  struct rebind {
    using other = LeftUninitialized<U>;
  };
  template <class U>
  void construct(U* at) noexcept {
    ::new (static_cast<void*>(at)) U;
  }
  template <class U, class... Args>
  void construct(U* at, Args&&... args) {
    ::new (static_cast<void*>(at)) U(std::forward<Args>(args)...);
  }
};
using PackedNumbers = std::vector<double, LeftUninitialized<double>>;

/// One operand of a pass: the tensor as traced, and what the datapath sees of it.
struct PassOperand {
  const Tensor* tensor = nullptr;
  const Values* seen = nullptr;  ///< the tensor's own values, or the quantized ones; with `blocks` they are made row by row
  double scale = 1.0;            ///< of the quantization
  bool quantized = false;
  const BlockOperand* blocks = nullptr;  ///< set where the operand has a block format
};

/// What packing makes of an operand, beside dense rows.
struct PackPlan {
  ProductRows::Side side = ProductRows::Side::a;
  std::int64_t k = 0;
  bool exact = false;         ///< exact values instead of binary64
  ProductPlan seen, traced;   ///< of the products with the other operand; `traced` is used where one of the two is quantized
  bool needs_traced = false;  ///< one of the two operands is quantized, so that the traced values are summed apart
};

/// Dense rows of one operand: what the datapath sees, the unquantized values where they differ, and both as integers.
class PackedRows {
 public:
  /// Makes room for rows first..first+count of a group.
  void resize(const PassOperand& operand, const PackPlan& plan, std::int64_t group, std::int64_t first, std::int64_t count);
  /// Gathers rows i..i+n of them with `lowering`; different rows may be packed at the same time.
  void pack(const PassOperand& operand, const PackPlan& plan, const Lowering& lowering, std::int64_t i, std::int64_t n);
  /// Makes the integers of rows i..i+n, after pack().
  void pack_integers(const PassOperand& operand, const PackPlan& plan, std::int64_t i, std::int64_t n);
  /// Bytes of one term of one row.
  static std::int64_t bytes(const PassOperand& operand, const PackPlan& plan);

  std::int64_t group = 0, first = 0, count = 0;
  PackedNumbers seen, traced;                            ///< rows x k; `traced` where it differs
  std::vector<formats::Exact> seen_exact, traced_exact;  ///< instead of both, where binary64 does not hold them
  std::vector<double> dataset_scale;                     ///< of each row
  std::vector<double> block_elements, block_scales;      ///< of a block format: see BlockScales
  ProductRows seen_integers, traced_integers;            ///< without carriers: empty

 private:
  void pack_row(const PassOperand& operand, const PackPlan& plan, std::int64_t i, std::span<const std::int64_t> elements);
};

}  // namespace accsim::sim
