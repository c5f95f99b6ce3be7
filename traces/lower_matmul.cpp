// matmul: output[..., m, n] = sum over k of a[..., m, k] * b[..., k, n], batch dimensions broadcast, a and b possibly
// stored with their last two axes swapped.
#include <algorithm>
#include <utility>

#include "formats/error.h"
#include "traces/lower.h"
#include "traces/lower_strided.h"

namespace accsim::traces {
namespace {

/// A stored stack of matrices: its batch dimensions, and how far apart neighbours in a row and in a column are.
struct Stack {
  Shape shape, batch;
  std::int64_t rows = 0, columns = 0;  ///< of the matrix as the product takes it
  std::int64_t row_stride = 0, column_stride = 0;
  [[nodiscard]] std::int64_t matrix() const { return rows * columns; }
};

Stack stack_of(const Shape& shape, bool is_transposed) {
  Stack s;
  s.shape = shape;
  s.batch.assign(shape.begin(), shape.end() - 2);
  s.rows = shape[shape.size() - 2];
  s.columns = shape.back();
  s.row_stride = s.columns;
  s.column_stride = 1;
  if (is_transposed) {
    std::swap(s.rows, s.columns);
    std::swap(s.row_stride, s.column_stride);
  }
  return s;
}

struct MatmulLayer {
  Stack a, b, output;
};

/// The extent of a batch dimension, counted so that all stacks have `rank` of them: 1 where the stack has fewer.
std::int64_t batch_extent(const Stack& s, std::size_t rank, std::size_t dimension) {
  const std::size_t missing = rank - s.batch.size();
  return dimension < missing ? 1 : s.batch[dimension - missing];
}

Shape broadcast(const Stack& a, const Stack& b) {
  const std::size_t rank = std::max(a.batch.size(), b.batch.size());
  Shape batch;
  for (std::size_t d = 0; d < rank; ++d) {
    const std::int64_t of_a = batch_extent(a, rank, d);
    const std::int64_t of_b = batch_extent(b, rank, d);
    if (of_a != of_b && of_a != 1 && of_b != 1) {
      throw InputError("", "batch dimensions " + shape_text(a.batch) + " of a and " + shape_text(b.batch) + " of b do not broadcast",
                       "equal extents, or 1, counted from the last");
    }
    batch.push_back(std::max(of_a, of_b));
  }
  return batch;
}

MatmulLayer read_matmul(const LayerGroup& layer) {
  const bool transpose_a = layer.flag("transpose_a");
  const bool transpose_b = layer.flag("transpose_b");
  MatmulLayer l;
  l.a = stack_of(layer.shape("a", 2, most_rank, transpose_a ? "[..., K, M]" : "[..., M, K]"), transpose_a);
  l.b = stack_of(layer.shape("b", 2, most_rank, transpose_b ? "[..., N, K]" : "[..., K, N]"), transpose_b);
  if (l.a.columns != l.b.rows) {
    throw InputError("", "b has K=" + std::to_string(l.b.rows) + ", a gives " + std::to_string(l.a.columns),
                     std::string("a ") + (transpose_a ? "[..., K, M]" : "[..., M, K]") + " and b " +
                         (transpose_b ? "[..., N, K]" : "[..., K, N]") + " of one K; found " + shape_text(l.a.shape) + " and " +
                         shape_text(l.b.shape));
  }
  Shape output = broadcast(l.a, l.b);
  output.push_back(l.a.rows);
  output.push_back(l.b.columns);
  std::int64_t macs = l.a.columns;
  for (const std::int64_t extent : output) macs = checked_product(macs, extent, "MACs");
  l.output = stack_of(output, false);
  layer.expect_shape("output", output, "[batch..., M, N]");
  return l;
}

/// How the matrices of a stack are visited: for each output group, the matrices summed for it, row-major.
struct BatchOrder {
  std::vector<std::vector<std::int64_t>> groups;  ///< indices into the broadcast batch
  std::int64_t matrices = 1;
};

/// The index into a stack's own batch that a broadcast index stands for.
std::int64_t own_index(const Stack& s, const Shape& batch, std::int64_t index) {
  std::int64_t own = 0;
  std::int64_t stride = 1;
  for (std::size_t d = batch.size(); d > 0; --d) {
    const std::int64_t extent = batch_extent(s, batch.size(), d - 1);
    if (extent > 1) own += index % batch[d - 1] * stride;
    stride *= extent;
    index /= batch[d - 1];
  }
  return own;
}

std::int64_t batch_size(const Shape& batch) { return element_count(batch).value_or(0); }

/// Groups the broadcast batch by the matrix of `result` that each index belongs to; inside a group they stay row-major.
BatchOrder grouped_by(const Stack& result, const Shape& batch) {
  BatchOrder order;
  order.groups.resize(static_cast<std::size_t>(batch_size(result.batch)));
  for (std::int64_t i = 0; i < batch_size(batch); ++i) order.groups[static_cast<std::size_t>(own_index(result, batch, i))].push_back(i);
  order.matrices = static_cast<std::int64_t>(order.groups.front().size());
  return order;
}

std::vector<std::int64_t> offsets(const Stack& s, const Shape& batch, const BatchOrder& order) {
  std::vector<std::int64_t> first;
  for (const auto& group : order.groups) {
    for (const std::int64_t index : group) first.push_back(own_index(s, batch, index) * s.matrix());
  }
  return first;
}

/// Batch dimensions of `s` along which the matrices of `result` are sums.
std::vector<SummedAxis> summed_batch(const Stack& s, const Stack& result, const Shape& batch) {
  std::vector<SummedAxis> axes;
  const std::size_t rank = batch.size();
  for (std::size_t d = rank - s.batch.size(); d < rank; ++d) {
    if (batch_extent(result, rank, d) == 1) axes.push_back({static_cast<int>(d - (rank - s.batch.size())), batch_extent(s, rank, d)});
  }
  return axes;
}

/// The axes of an operand that are summed: `along_columns`, those of its matrices' columns (terms run along a row).
Operand operand(std::string dataset, const Stack& s, bool along_columns, const Stack& result, const Shape& batch) {
  Operand o{std::move(dataset), summed_batch(s, result, batch)};
  const bool last = along_columns == (s.column_stride == 1);
  const std::size_t axis = s.shape.size() - (last ? 1 : 2);
  o.summed.push_back({static_cast<int>(axis), s.shape[axis]});
  return o;
}

/// Lines of an operand are its rows where terms run along columns, else its columns.
OperandStrides strides(const Stack& s, bool along_columns, const Shape& batch, const BatchOrder& order) {
  const auto [line, term] = along_columns ? std::pair(s.row_stride, s.column_stride) : std::pair(s.column_stride, s.row_stride);
  return {.line = line, .term = term, .offsets = offsets(s, batch, order)};
}

struct Side {
  const char* dataset;
  const Stack& stack;
  bool along_columns;
};

/// One product of matrices; `rows_first` says whether its rows are those of `result`, else they are its columns.
Plan product_plan(const Side& a, const Side& b, const Stack& result, const Shape& batch, bool rows_first) {
  const BatchOrder order = grouped_by(result, batch);
  Plan plan;
  plan.a = operand(a.dataset, a.stack, a.along_columns, result, batch);
  plan.b = operand(b.dataset, b.stack, b.along_columns, result, batch);
  const std::int64_t terms = a.along_columns ? a.stack.columns : a.stack.rows;
  const OutputStrides out{.group = result.matrix(),
                          .row = rows_first ? result.row_stride : result.column_stride,
                          .column = rows_first ? result.column_stride : result.row_stride};
  plan.lowering = std::make_unique<StridedLowering>(rows_first ? result.rows : result.columns, rows_first ? result.columns : result.rows,
                                                    terms, order.matrices, strides(a.stack, a.along_columns, batch, order),
                                                    strides(b.stack, b.along_columns, batch, order), out, result.shape);
  return plan;
}

}  // namespace

Plan plan_matmul(const LayerGroup& layer, sim::Pass pass) {
  const MatmulLayer l = read_matmul(layer);
  const Shape& batch = l.output.batch;
  if (pass != sim::Pass::fprop) expect_grad_output(layer, l.output.shape, "the shape of output");
  switch (pass) {
    case sim::Pass::fprop: return product_plan({"a", l.a, true}, {"b", l.b, false}, l.output, batch, true);
    case sim::Pass::dgrad:  // grad_a[m, k] = sum over n of grad_output[m, n] * b[k, n]
      layer.expect_shape("grad_a", l.a.shape, "the shape of a");
      return product_plan({"grad_output", l.output, true}, {"b", l.b, true}, l.a, batch, true);
    case sim::Pass::wgrad:  // grad_b[k, n] = sum over m of grad_output[m, n] * a[m, k]; rows are n, columns are k
      layer.expect_shape("grad_b", l.b.shape, "the shape of b");
      return product_plan({"grad_output", l.output, false}, {"a", l.a, false}, l.b, batch, false);
  }
  return {};
}

}  // namespace accsim::traces
