// A lowering in which rows, columns and terms are evenly spaced elements: matrix products of any orientation.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/lowering.h"

namespace accsim::traces {

/// How the elements of one operand are spaced.
struct OperandStrides {
  std::int64_t line = 0;                 ///< between rows of a (columns of the result, for b)
  std::int64_t term = 0;                 ///< between terms
  std::vector<std::int64_t> offsets{0};  ///< first element of each matrix: `group` outer, the matrices summed for it inner
};

/// Where results go: offset by group, distance between rows and between columns.
struct OutputStrides {
  std::int64_t group = 0, row = 0, column = 0;
};

/// k = matrices summed for one group, outermost, times the terms of each.
class StridedLowering : public sim::Lowering {
 public:
  /// `terms`: of one matrix; `matrices`: summed for each group.
  StridedLowering(std::int64_t rows, std::int64_t columns, std::int64_t terms, std::int64_t matrices, OperandStrides a, OperandStrides b,
                  OutputStrides output, std::vector<std::int64_t> shape);

  void a_row(std::int64_t group, std::int64_t row, std::span<std::int64_t> elements) const override;
  void b_row(std::int64_t group, std::int64_t column, std::span<std::int64_t> elements) const override;
  [[nodiscard]] std::int64_t output_element(std::int64_t group, std::int64_t row, std::int64_t column) const override;

 private:
  void fill(const OperandStrides& operand, std::int64_t group, std::int64_t line, std::span<std::int64_t> elements) const;

  std::int64_t terms_, matrices_;
  OperandStrides a_, b_;
  OutputStrides output_;
};

}  // namespace accsim::traces
