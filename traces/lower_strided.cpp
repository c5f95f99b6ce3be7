// Evenly spaced rows, columns and terms.
#include "traces/lower_strided.h"

#include <utility>

namespace accsim::traces {

StridedLowering::StridedLowering(std::int64_t rows, std::int64_t columns, std::int64_t terms, std::int64_t matrices, OperandStrides a,
                                 OperandStrides b, OutputStrides output, std::vector<std::int64_t> shape)
    : terms_(terms), matrices_(matrices), a_(std::move(a)), b_(std::move(b)), output_(output) {
  m = rows;
  n = columns;
  k = terms * matrices;
  batch = static_cast<std::int64_t>(a_.offsets.size()) / matrices;
  output_shape = std::move(shape);
}

void StridedLowering::fill(const OperandStrides& operand, std::int64_t group, std::int64_t line, std::span<std::int64_t> elements) const {
  std::size_t at = 0;
  for (std::int64_t matrix = 0; matrix < matrices_; ++matrix) {
    std::int64_t element = operand.offsets[static_cast<std::size_t>(group * matrices_ + matrix)] + line * operand.line;
    for (std::int64_t term = 0; term < terms_; ++term, element += operand.term) elements[at++] = element;
  }
}

void StridedLowering::a_row(std::int64_t group, std::int64_t row, std::span<std::int64_t> elements) const {
  fill(a_, group, row, elements);
}

void StridedLowering::b_row(std::int64_t group, std::int64_t column, std::span<std::int64_t> elements) const {
  fill(b_, group, column, elements);
}

std::int64_t StridedLowering::output_element(std::int64_t group, std::int64_t row, std::int64_t column) const {
  return group * output_.group + row * output_.row + column * output_.column;
}

}  // namespace accsim::traces
