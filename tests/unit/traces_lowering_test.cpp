// Lowering of every op and pass against the sums written out as loops: which elements meet, at which k, for which output.
#include <doctest/doctest.h>

#include <map>
#include <set>

#include "traces_fixture.h"

namespace accsim::test {
namespace {

using sim::Pass;
using traces::LayerPass;
using traces::TraceFile;

/// The terms of one output: k to (element of a, element of b). A k that is absent is a hole.
using Terms = std::map<std::int64_t, std::pair<std::int64_t, std::int64_t>>;
/// By row-major output element.
using Sums = std::map<std::int64_t, Terms>;

/// Row-major index.
std::int64_t at(const Shape& shape, const Shape& index) {
  std::int64_t element = 0;
  for (std::size_t d = 0; d < shape.size(); ++d) element = element * shape[d] + index[d];
  return element;
}

/// Holds a lowering to the sums: every output once, every term at its k, holes elsewhere.
void check_lowering(const LayerPass& pass, const Sums& expected, const Shape& output_shape) {
  const sim::Lowering& lowering = *pass.lowering;
  CHECK(lowering.output_shape == output_shape);
  REQUIRE(lowering.m * lowering.n * lowering.batch == size_of(output_shape));
  std::set<std::int64_t> seen;
  std::vector<std::int64_t> a(static_cast<std::size_t>(lowering.k));
  std::vector<std::int64_t> b(a.size());
  bool same = true;
  for (std::int64_t group = 0; group < lowering.batch; ++group) {
    for (std::int64_t row = 0; row < lowering.m; ++row) {
      lowering.a_row(group, row, a);
      for (std::int64_t column = 0; column < lowering.n; ++column) {
        lowering.b_row(group, column, b);
        const std::int64_t output = lowering.output_element(group, row, column);
        seen.insert(output);
        const auto sum = expected.find(output);
        const Terms terms = sum == expected.end() ? Terms{} : sum->second;
        for (std::int64_t k = 0; k < lowering.k; ++k) {
          const auto i = static_cast<std::size_t>(k);
          const auto term = terms.find(k);
          if (term == terms.end()) same = same && (a[i] == sim::Lowering::hole || b[i] == sim::Lowering::hole);
          else same = same && term->second == std::pair(a[i], b[i]);
        }
        same = same && (terms.empty() || terms.rbegin()->first < lowering.k);
      }
    }
  }
  CHECK(same);
  CHECK(static_cast<std::int64_t>(seen.size()) == size_of(output_shape));
  CHECK(*seen.begin() == 0);
  CHECK(*seen.rbegin() == size_of(output_shape) - 1);
}

void check_dimensions(const LayerPass& pass, std::int64_t m, std::int64_t n, std::int64_t k, std::int64_t batch) {
  CHECK(pass.lowering->m == m);
  CHECK(pass.lowering->n == n);
  CHECK(pass.lowering->k == k);
  CHECK(pass.lowering->batch == batch);
}

// --- conv2d ---

struct Conv {
  std::int64_t images = 2, channels = 4, height = 5, width = 6, filters = 6, rows = 3, columns = 2, groups = 1;
  std::int64_t stride_y = 1, stride_x = 1, dilation_y = 1, dilation_x = 1;
  std::int64_t top = 0, left = 0, bottom = 0, right = 0;
};

std::int64_t positions(std::int64_t input, std::int64_t taps, std::int64_t stride, std::int64_t dilation, std::int64_t padding) {
  return (input + padding - dilation * (taps - 1) - 1) / stride + 1;
}

/// All three passes of a convolution from its definition.
void check_convolution(const Conv& c) {
  const std::int64_t out_y = positions(c.height, c.rows, c.stride_y, c.dilation_y, c.top + c.bottom);
  const std::int64_t out_x = positions(c.width, c.columns, c.stride_x, c.dilation_x, c.left + c.right);
  const std::int64_t group_channels = c.channels / c.groups;
  const std::int64_t group_filters = c.filters / c.groups;
  const Shape input{c.images, c.channels, c.height, c.width};
  const Shape weight{c.filters, group_channels, c.rows, c.columns};
  const Shape output{c.images, c.filters, out_y, out_x};

  const TempDir dir;
  const auto path = written(dir, [&](TestFile& file) {
    file.dataset("conv/input", input, ramp(input)).dataset("conv/weight", weight, ramp(weight, 3));
    file.dataset("conv/grad_output", output, ramp(output, 7)).dataset("conv/bias", {c.filters}, ramp({c.filters}));
    file.attribute("conv", "op", "conv2d").attribute("conv", "groups", c.groups);
    file.attribute("conv", "stride", std::vector<std::int64_t>{c.stride_y, c.stride_x});
    file.attribute("conv", "dilation", std::vector<std::int64_t>{c.dilation_y, c.dilation_x});
    file.attribute("conv", "padding", std::vector<std::int64_t>{c.top, c.left, c.bottom, c.right});
  });

  Sums forward, to_input, to_weight;
  for (std::int64_t b = 0; b < c.images; ++b)
    for (std::int64_t o = 0; o < c.filters; ++o)
      for (std::int64_t p = 0; p < out_y; ++p)
        for (std::int64_t q = 0; q < out_x; ++q)
          for (std::int64_t i = 0; i < group_channels; ++i)
            for (std::int64_t r = 0; r < c.rows; ++r)
              for (std::int64_t s = 0; s < c.columns; ++s) {
                const std::int64_t y = p * c.stride_y + r * c.dilation_y - c.top;
                const std::int64_t x = q * c.stride_x + s * c.dilation_x - c.left;
                if (y < 0 || y >= c.height || x < 0 || x >= c.width) continue;
                const std::int64_t of_input = at(input, {b, o / group_filters * group_channels + i, y, x});
                const std::int64_t of_weight = at(weight, {o, i, r, s});
                const std::int64_t of_output = at(output, {b, o, p, q});
                forward[of_output][(i * c.rows + r) * c.columns + s] = {of_input, of_weight};
                to_input[of_input][(o % group_filters * c.rows + r) * c.columns + s] = {of_output, of_weight};
                to_weight[of_weight][(b * out_y + p) * out_x + q] = {of_output, of_input};
              }

  const TraceFile trace(path);
  const traces::LayerInfo& layer = trace.layers()[0];
  const LayerPass fprop = trace.load(layer, Pass::fprop);
  check_dimensions(fprop, c.images * out_y * out_x, group_filters, group_channels * c.rows * c.columns, c.groups);
  check_lowering(fprop, forward, output);
  for (std::int64_t o = 0; o < c.filters; ++o) CHECK(fprop.lowering->bias_element(o / group_filters, o % group_filters) == o);
  REQUIRE(fprop.bias.has_value());
  CHECK(fprop.bias->shape == Shape{c.filters});

  const LayerPass dgrad = trace.load(layer, Pass::dgrad);
  check_dimensions(dgrad, c.images * c.height * c.width, group_channels, group_filters * c.rows * c.columns, c.groups);
  check_lowering(dgrad, to_input, input);
  CHECK(!dgrad.bias.has_value());

  const LayerPass wgrad = trace.load(layer, Pass::wgrad);
  check_dimensions(wgrad, group_filters, group_channels * c.rows * c.columns, c.images * out_y * out_x, c.groups);
  check_lowering(wgrad, to_weight, weight);
}

// --- matmul ---

/// The shape of a stored stack of matrices.
Shape stack(Shape batch, std::int64_t rows, std::int64_t columns, bool is_transposed) {
  batch.push_back(is_transposed ? columns : rows);
  batch.push_back(is_transposed ? rows : columns);
  return batch;
}

/// Where element (row, column) of the matrix under a broadcast batch index is stored.
std::int64_t stored_at(const Shape& shape, const Shape& batch_index, std::int64_t row, std::int64_t column, bool is_transposed) {
  Shape index;
  const std::size_t own = shape.size() - 2;
  for (std::size_t d = 0; d < own; ++d) index.push_back(shape[d] == 1 ? 0 : batch_index[batch_index.size() - own + d]);
  index.push_back(is_transposed ? column : row);
  index.push_back(is_transposed ? row : column);
  return at(shape, index);
}

struct Matmul {
  Shape batch_a, batch_b, batch;  ///< `batch`: what the two broadcast to, by hand
  bool transpose_a = false, transpose_b = false;
};

void check_matmul(const Matmul& t) {
  constexpr std::int64_t m = 3, n = 4, k = 5;
  const Shape a = stack(t.batch_a, m, k, t.transpose_a);
  const Shape b = stack(t.batch_b, k, n, t.transpose_b);
  const Shape output = stack(t.batch, m, n, false);

  const TempDir dir;
  const auto path = written(dir, [&](TestFile& file) {
    file.dataset("mm/a", a, ramp(a)).dataset("mm/b", b, ramp(b)).dataset("mm/grad_output", output, ramp(output));
    file.attribute("mm", "op", "matmul");
    file.attribute("mm", "transpose_a", t.transpose_a ? 1 : 0).attribute("mm", "transpose_b", t.transpose_b ? 1 : 0);
  });

  Sums forward, to_a, to_b;
  std::map<std::int64_t, std::int64_t> summed_a, summed_b;  // matrices met so far by the first element of their sum's matrix
  for (std::int64_t flat = 0; flat < size_of(t.batch); ++flat) {
    Shape index(t.batch.size());
    std::int64_t rest = flat;
    for (std::size_t d = t.batch.size(); d > 0; --d) {
      index[d - 1] = rest % t.batch[d - 1];
      rest /= t.batch[d - 1];
    }
    const std::int64_t nth_a = summed_a[stored_at(a, index, 0, 0, t.transpose_a)]++;
    const std::int64_t nth_b = summed_b[stored_at(b, index, 0, 0, t.transpose_b)]++;
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < n; ++j)
        for (std::int64_t l = 0; l < k; ++l) {
          const std::int64_t of_a = stored_at(a, index, i, l, t.transpose_a);
          const std::int64_t of_b = stored_at(b, index, l, j, t.transpose_b);
          const std::int64_t of_output = stored_at(output, index, i, j, false);
          forward[of_output][l] = {of_a, of_b};
          to_a[of_a][nth_a * n + j] = {of_output, of_b};
          to_b[of_b][nth_b * m + i] = {of_output, of_a};
        }
  }

  const TraceFile trace(path);
  const traces::LayerInfo& layer = trace.layers()[0];
  const std::int64_t batch = size_of(t.batch);
  const LayerPass fprop = trace.load(layer, Pass::fprop);
  check_dimensions(fprop, m, n, k, batch);
  check_lowering(fprop, forward, output);
  const LayerPass dgrad = trace.load(layer, Pass::dgrad);
  check_dimensions(dgrad, m, k, n * (batch / size_of(t.batch_a)), size_of(t.batch_a));
  check_lowering(dgrad, to_a, a);
  const LayerPass wgrad = trace.load(layer, Pass::wgrad);
  check_dimensions(wgrad, n, k, m * (batch / size_of(t.batch_b)), size_of(t.batch_b));
  check_lowering(wgrad, to_b, b);
}

// --- linear ---

/// input [lead..., K], weight [N, K].
void check_linear(const Shape& lead) {
  constexpr std::int64_t n = 4, k = 5;
  const std::int64_t rows = size_of(lead);
  Shape input = lead;
  input.push_back(k);
  Shape output = lead;
  output.push_back(n);
  const Shape weight{n, k};

  const TempDir dir;
  const auto path = written(dir, [&](TestFile& file) {
    file.dataset("fc/input", input, ramp(input)).dataset("fc/weight", weight, ramp(weight)).dataset("fc/bias", {n}, ramp({n}));
    file.dataset("fc/grad_output", output, ramp(output)).attribute("fc", "op", "linear");
  });

  Sums forward, to_input, to_weight;
  for (std::int64_t row = 0; row < rows; ++row)
    for (std::int64_t j = 0; j < n; ++j)
      for (std::int64_t l = 0; l < k; ++l) {
        forward[row * n + j][l] = {row * k + l, j * k + l};
        to_input[row * k + l][j] = {row * n + j, j * k + l};
        to_weight[j * k + l][row] = {row * n + j, row * k + l};
      }

  const TraceFile trace(path);
  const traces::LayerInfo& layer = trace.layers()[0];
  const LayerPass fprop = trace.load(layer, Pass::fprop);
  check_dimensions(fprop, rows, n, k, 1);
  check_lowering(fprop, forward, output);
  CHECK(fprop.lowering->bias_element(0, 2) == 2);
  const LayerPass dgrad = trace.load(layer, Pass::dgrad);
  check_dimensions(dgrad, rows, k, n, 1);
  check_lowering(dgrad, to_input, input);
  const LayerPass wgrad = trace.load(layer, Pass::wgrad);
  check_dimensions(wgrad, n, k, rows, 1);
  check_lowering(wgrad, to_weight, weight);
}

}  // namespace

TEST_CASE("a plain convolution lowers to the sums of its definition in every pass") { check_convolution({}); }

TEST_CASE("padding, different on all four sides, makes holes that are terms") {
  check_convolution({.top = 1, .left = 0, .bottom = 2, .right = 3});
  check_convolution({.top = 2, .left = 2, .bottom = 0, .right = 0});
}

TEST_CASE("strides larger than one leave holes between them in dgrad and unused input at the end") {
  check_convolution({.stride_y = 2, .stride_x = 3});
  check_convolution({.height = 6, .stride_y = 2, .stride_x = 2, .top = 1, .left = 1, .bottom = 1, .right = 1});
  check_convolution({.rows = 1, .columns = 1, .stride_y = 3, .stride_x = 2});  // input rows that no filter ever meets
}

TEST_CASE("dilated convolutions step over input positions") {
  check_convolution({.dilation_y = 2, .dilation_x = 3});
  check_convolution({.stride_y = 2, .stride_x = 1, .dilation_y = 1, .dilation_x = 4, .top = 1, .left = 2, .bottom = 1, .right = 2});
}

TEST_CASE("groups are the lowering's batch, down to depthwise convolution") {
  check_convolution({.groups = 2});
  check_convolution({.filters = 8, .groups = 4, .stride_y = 2, .top = 1, .bottom = 1});
  check_convolution({.filters = 4, .groups = 4, .dilation_x = 2, .left = 1, .right = 1});
}

TEST_CASE("a filter as large as the padded input gives one output position") {
  check_convolution({.height = 3, .width = 2});
  check_convolution({.height = 1, .width = 1, .top = 1, .left = 0, .bottom = 1, .right = 1});
}

TEST_CASE("a convolution's attributes default to stride 1, no padding, dilation 1, one group, and one number stands for both axes") {
  const TempDir dir;
  const auto path = written(dir, [](TestFile& file) {
    write_conv(file, "plain");
    write_conv(file, "scalars");
    file.attribute("scalars", "stride", 2).attribute("scalars", "padding", 1).attribute("scalars", "dilation", 2);
    write_conv(file, "pairs");
    file.attribute("pairs", "padding", std::vector<std::int64_t>{1, 2});
  });
  const TraceFile trace(path);
  // Input 5 x 6, filter 3 x 2. Plain: 5-3+1 = 3, 6-2+1 = 5.
  CHECK(trace.load(trace.layers()[1], Pass::fprop).lowering->output_shape == Shape{2, 6, 3, 5});
  // Padding (1, 2): (5+2)-3+1 = 5, (6+4)-2+1 = 9.
  CHECK(trace.load(trace.layers()[0], Pass::fprop).lowering->output_shape == Shape{2, 6, 5, 9});
  // All 1, 2, 2: (5+2-2*2-1)/2+1 = 2, (6+2-2*1-1)/2+1 = 3.
  CHECK(trace.load(trace.layers()[2], Pass::fprop).lowering->output_shape == Shape{2, 6, 2, 3});
}

TEST_CASE("a matmul of two matrices lowers in every orientation") {
  for (const bool transpose_a : {false, true})
    for (const bool transpose_b : {false, true}) check_matmul({{}, {}, {}, transpose_a, transpose_b});
}

TEST_CASE("a matmul's equal batch dimensions multiply matrix by matrix") {
  check_matmul({{2, 3}, {2, 3}, {2, 3}, false, false});
  check_matmul({{2, 3}, {2, 3}, {2, 3}, false, true});
  check_matmul({{4}, {4}, {4}, true, false});
}

TEST_CASE("a matmul's broadcast batch dimensions are summed outermost, row-major, in the gradients") {
  check_matmul({{2, 3}, {}, {2, 3}, false, false});
  check_matmul({{}, {2, 3}, {2, 3}, false, true});
  check_matmul({{2, 1}, {1, 3}, {2, 3}, true, true});
  check_matmul({{3}, {2, 3}, {2, 3}, false, false});
  check_matmul({{2, 1, 3}, {4, 1}, {2, 4, 3}, true, false});
  check_matmul({{1, 1}, {1}, {1, 1}, false, false});
}

TEST_CASE("a linear layer's leading axes are its rows") {
  check_linear({3});
  check_linear({2, 3, 2});
  check_linear({1});
}

TEST_CASE("a linear layer whose input is one vector has one row and an output of one axis") { check_linear({}); }

}  // namespace accsim::test
