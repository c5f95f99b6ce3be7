// A layer's pass as dot products: which elements of two tensors meet, in which order (contracts 2).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace accsim::sim {

enum class Pass { fprop, dgrad, wgrad };

/// m x n outputs in each of `batch` groups, each the sum over k terms of a-row times b-row. Thread-safe once built.
class Lowering {
 public:
  static constexpr std::int64_t hole = -1;  ///< a zero operand: padding, or between strides

  virtual ~Lowering() = default;
  Lowering() = default;
  Lowering(const Lowering&) = delete;
  Lowering& operator=(const Lowering&) = delete;

  std::int64_t m = 0, n = 0, k = 0, batch = 1;
  std::vector<std::int64_t> output_shape;  ///< the result's natural shape, row-major

  /// The k elements of tensor a that row `row` of group `group` takes, in term order; `hole` where there is none.
  virtual void a_row(std::int64_t group, std::int64_t row, std::span<std::int64_t> elements) const = 0;
  /// The same for tensor b and column `column` of the result.
  virtual void b_row(std::int64_t group, std::int64_t column, std::span<std::int64_t> elements) const = 0;
  /// Row-major index in output_shape.
  [[nodiscard]] virtual std::int64_t output_element(std::int64_t group, std::int64_t row, std::int64_t column) const = 0;
  /// Index of the output's bias, where the layer has one.
  [[nodiscard]] virtual std::int64_t bias_element(std::int64_t /*group*/, std::int64_t column) const { return column; }
};

}  // namespace accsim::sim
