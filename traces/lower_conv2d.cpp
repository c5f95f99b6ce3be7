// conv2d: output[b, o, p, q] = sum over c, r, s of input[b, g*C' + c, p*stride + r*dilation - padding, ...] * weight[o, c, r, s],
// o in group g of K' filters, C' = C/groups channels a group. Padding and what lies between strides are holes.
#include <algorithm>

#include "formats/error.h"
#include "traces/lower.h"

namespace accsim::traces {
namespace {

constexpr std::int64_t hole = sim::Lowering::hole;

/// One spatial axis: input position = output position * stride + tap * dilation - padding.
struct Axis {
  std::int64_t input = 0, output = 0, taps = 0, stride = 1, dilation = 1, padding = 0;

  /// The input position under an output position and a tap, or hole.
  [[nodiscard]] std::int64_t input_position(std::int64_t out, std::int64_t tap) const {
    const std::int64_t position = out * stride + tap * dilation - padding;
    return position >= 0 && position < input ? position : hole;
  }
  /// The output position that meets an input position at a tap, or hole.
  [[nodiscard]] std::int64_t output_position(std::int64_t in, std::int64_t tap) const {
    const std::int64_t scaled = in + padding - tap * dilation;
    if (scaled < 0 || scaled % stride != 0) return hole;
    return scaled / stride < output ? scaled / stride : hole;
  }
};

struct ConvLayer {
  std::int64_t images = 0, channels = 0, filters = 0, groups = 1;
  std::int64_t group_channels = 0, group_filters = 0;
  Axis y, x;

  [[nodiscard]] std::int64_t input_plane() const { return y.input * x.input; }
  [[nodiscard]] std::int64_t output_plane() const { return y.output * x.output; }
  [[nodiscard]] std::int64_t taps() const { return y.taps * x.taps; }
  [[nodiscard]] Shape input_shape() const { return {images, channels, y.input, x.input}; }
  [[nodiscard]] Shape weight_shape() const { return {filters, group_channels, y.taps, x.taps}; }
  [[nodiscard]] Shape output_shape() const { return {images, filters, y.output, x.output}; }
};

/// Continues a pattern: every element is the one `period` before it plus `step`; holes stay holes.
void repeat(std::span<std::int64_t> elements, std::int64_t period, std::int64_t step) {
  const auto distance = static_cast<std::size_t>(period);
  for (std::size_t i = distance; i < elements.size(); ++i) {
    elements[i] = elements[i - distance] == hole ? hole : elements[i - distance] + step;
  }
}

/// One plane's elements under a row of the lowered operand: (rows x columns), row `i` at y(i), column `j` at x(j), each a position or hole.
template <class Y, class X>
void window(std::span<std::int64_t> elements, std::int64_t first, std::int64_t width, std::int64_t rows, std::int64_t columns, Y y, X x) {
  std::size_t at = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t line = y(i);
    for (std::int64_t j = 0; j < columns; ++j) {
      const std::int64_t column = x(j);
      elements[at++] = line == hole || column == hole ? hole : first + line * width + column;
    }
  }
}

class Fprop : public sim::Lowering {
 public:
  explicit Fprop(const ConvLayer& conv) : c_(conv) {
    m = c_.images * c_.output_plane();
    n = c_.group_filters;
    k = c_.group_channels * c_.taps();
    batch = c_.groups;
    output_shape = c_.output_shape();
  }

  /// k = (c*R + r)*S + s.
  void a_row(std::int64_t group, std::int64_t row, std::span<std::int64_t> elements) const override {
    const std::int64_t image = row / c_.output_plane();
    const std::int64_t p = row % c_.output_plane() / c_.x.output;
    const std::int64_t q = row % c_.x.output;
    const std::int64_t first = (image * c_.channels + group * c_.group_channels) * c_.input_plane();
    window(
        elements, first, c_.x.input, c_.y.taps, c_.x.taps, [&](std::int64_t r) { return c_.y.input_position(p, r); },
        [&](std::int64_t s) { return c_.x.input_position(q, s); });
    repeat(elements, c_.taps(), c_.input_plane());
  }

  void b_row(std::int64_t group, std::int64_t column, std::span<std::int64_t> elements) const override {
    const std::int64_t first = bias_element(group, column) * k;
    for (std::size_t i = 0; i < elements.size(); ++i) elements[i] = first + static_cast<std::int64_t>(i);
  }

  [[nodiscard]] std::int64_t output_element(std::int64_t group, std::int64_t row, std::int64_t column) const override {
    const std::int64_t image = row / c_.output_plane();
    return (image * c_.filters + bias_element(group, column)) * c_.output_plane() + row % c_.output_plane();
  }

  [[nodiscard]] std::int64_t bias_element(std::int64_t group, std::int64_t column) const override {
    return group * c_.group_filters + column;
  }

 private:
  ConvLayer c_;
};

/// grad_input from (grad_output, weight).
class Dgrad : public sim::Lowering {
 public:
  explicit Dgrad(const ConvLayer& conv) : c_(conv) {
    m = c_.images * c_.input_plane();
    n = c_.group_channels;
    k = c_.group_filters * c_.taps();
    batch = c_.groups;
    output_shape = c_.input_shape();
  }

  /// k = (o*R + r)*S + s.
  void a_row(std::int64_t group, std::int64_t row, std::span<std::int64_t> elements) const override {
    const std::int64_t image = row / c_.input_plane();
    const std::int64_t y = row % c_.input_plane() / c_.x.input;
    const std::int64_t x = row % c_.x.input;
    const std::int64_t first = (image * c_.filters + group * c_.group_filters) * c_.output_plane();
    window(
        elements, first, c_.x.output, c_.y.taps, c_.x.taps, [&](std::int64_t r) { return c_.y.output_position(y, r); },
        [&](std::int64_t s) { return c_.x.output_position(x, s); });
    repeat(elements, c_.taps(), c_.output_plane());
  }

  void b_row(std::int64_t group, std::int64_t column, std::span<std::int64_t> elements) const override {
    const std::int64_t first = (group * c_.group_filters * c_.group_channels + column) * c_.taps();
    for (std::int64_t tap = 0; tap < c_.taps(); ++tap) elements[static_cast<std::size_t>(tap)] = first + tap;
    repeat(elements, c_.taps(), c_.group_channels * c_.taps());
  }

  [[nodiscard]] std::int64_t output_element(std::int64_t group, std::int64_t row, std::int64_t column) const override {
    const std::int64_t image = row / c_.input_plane();
    return (image * c_.channels + group * c_.group_channels + column) * c_.input_plane() + row % c_.input_plane();
  }

 private:
  ConvLayer c_;
};

/// grad_weight from (grad_output, input): rows are filters, columns (c*R + r)*S + s.
class Wgrad : public sim::Lowering {
 public:
  explicit Wgrad(const ConvLayer& conv) : c_(conv) {
    m = c_.group_filters;
    n = c_.group_channels * c_.taps();
    k = c_.images * c_.output_plane();
    batch = c_.groups;
    output_shape = c_.weight_shape();
  }

  /// k = (b*P + p)*Q + q.
  void a_row(std::int64_t group, std::int64_t row, std::span<std::int64_t> elements) const override {
    const std::int64_t first = (group * c_.group_filters + row) * c_.output_plane();
    for (std::int64_t i = 0; i < c_.output_plane(); ++i) elements[static_cast<std::size_t>(i)] = first + i;
    repeat(elements, c_.output_plane(), c_.filters * c_.output_plane());
  }

  void b_row(std::int64_t group, std::int64_t column, std::span<std::int64_t> elements) const override {
    const std::int64_t channel = group * c_.group_channels + column / c_.taps();
    const std::int64_t r = column % c_.taps() / c_.x.taps;
    const std::int64_t s = column % c_.x.taps;
    const std::int64_t first = channel * c_.input_plane();
    window(
        elements, first, c_.x.input, c_.y.output, c_.x.output, [&](std::int64_t p) { return c_.y.input_position(p, r); },
        [&](std::int64_t q) { return c_.x.input_position(q, s); });
    repeat(elements, c_.output_plane(), c_.channels * c_.input_plane());
  }

  [[nodiscard]] std::int64_t output_element(std::int64_t group, std::int64_t row, std::int64_t column) const override {
    return (group * c_.group_filters + row) * n + column;
  }

 private:
  ConvLayer c_;
};

/// One spatial axis of the layer; `before` and `after` are its paddings.
Axis make_axis(const char* name, std::int64_t input, std::int64_t taps, std::int64_t stride, std::int64_t dilation, std::int64_t before,
               std::int64_t after) {
  Axis axis{.input = input, .taps = taps, .stride = stride, .dilation = dilation, .padding = before};
  const std::int64_t padded = input + before + after;
  const std::int64_t span = dilation * (taps - 1) + 1;
  if (span > padded) {
    throw InputError(
        "", "the filter spans " + std::to_string(span) + " of the " + std::to_string(padded) + " positions of the padded input's " + name,
        "a filter no larger than the padded input");
  }
  axis.output = (padded - span) / stride + 1;
  return axis;
}

void set_spatial_axes(const LayerGroup& layer, const Shape& input, const Shape& weight, ConvLayer& c) {
  const auto stride = layer.integers("stride", 1, {2}, 1);
  const auto dilation = layer.integers("dilation", 1, {2}, 1);
  const auto padding = layer.integers("padding", 0, {2, 4}, 0);  // one; height, width; top, left, bottom, right
  const auto before = [&](std::size_t axis) { return padding[padding.size() == 1 ? 0 : axis]; };
  const auto after = [&](std::size_t axis) { return padding.size() == 4 ? padding[2 + axis] : before(axis); };
  c.y = make_axis("height", input[2], weight[2], stride.front(), dilation.front(), before(0), after(0));
  c.x = make_axis("width", input[3], weight[3], stride.back(), dilation.back(), before(1), after(1));
}

void set_channels(const LayerGroup& layer, const Shape& input, const Shape& weight, ConvLayer& c) {
  c.images = input[0];
  c.channels = input[1];
  c.filters = weight[0];
  c.groups = layer.integers("groups", 1, {}, 1).front();
  const std::string groups = std::to_string(c.groups);
  if (c.channels % c.groups != 0) {
    throw InputError("", "groups=" + groups + " does not divide the input's C=" + std::to_string(c.channels), "a divisor of C and K");
  }
  if (c.filters % c.groups != 0) {
    throw InputError("", "groups=" + groups + " does not divide the weight's K=" + std::to_string(c.filters), "a divisor of C and K");
  }
  c.group_channels = c.channels / c.groups;
  c.group_filters = c.filters / c.groups;
  if (weight[1] == c.group_channels) return;
  const std::int64_t taps = weight[2] * weight[3];
  throw InputError(
      "",
      "weight has K=" + std::to_string(weight[1] * taps) + ", input gives " + std::to_string(c.group_channels * taps) + " (C/groups*R*S)",
      "weight [K, C/groups, R, S] with C/groups=" + std::to_string(c.group_channels) + "; found " + shape_text(weight) + " for input " +
          shape_text(input) + " and groups=" + groups);
}

ConvLayer read_conv2d(const LayerGroup& layer) {
  const Shape input = layer.shape("input", 4, 4, "[B, C, H, W]");
  const Shape weight = layer.shape("weight", 4, 4, "[K, C/groups, R, S]");
  ConvLayer c;
  set_channels(layer, input, weight, c);
  set_spatial_axes(layer, input, weight, c);
  const std::int64_t positions = checked_product(c.y.output, c.x.output, "outputs");
  const std::int64_t outputs = checked_product(checked_product(positions, c.images, "outputs"), c.filters, "outputs");
  (void)checked_product(outputs, c.group_channels * c.taps(), "MACs");
  (void)checked_product(checked_product(c.images * c.channels, c.input_plane(), "inputs"), c.group_filters * c.taps(), "MACs");
  layer.expect_shape("bias", {c.filters}, "[K]");
  layer.expect_shape("output", c.output_shape(), "[B, K, P, Q]");
  return c;
}

/// A dataset [B, C, H, W] or the like where a pass sums over channels (by group) and positions.
std::vector<SummedAxis> channels_and_positions(const Shape& shape, std::int64_t of_group) {
  return {{1, of_group}, {2, shape[2]}, {3, shape[3]}};
}
std::vector<SummedAxis> images_and_positions(const Shape& shape) { return {{0, shape[0]}, {2, shape[2]}, {3, shape[3]}}; }

}  // namespace

Plan plan_conv2d(const LayerGroup& layer, sim::Pass pass) {
  const ConvLayer c = read_conv2d(layer);
  const Shape input = c.input_shape();
  const Shape weight = c.weight_shape();
  const Shape output = c.output_shape();
  if (pass != sim::Pass::fprop) expect_grad_output(layer, output, "the shape of output");
  Plan plan;
  switch (pass) {
    case sim::Pass::fprop:
      plan.a = {"input", channels_and_positions(input, c.group_channels)};
      plan.b = {"weight", channels_and_positions(weight, c.group_channels)};
      if (layer.has("bias")) plan.bias = "bias";
      plan.lowering = std::make_unique<Fprop>(c);
      break;
    case sim::Pass::dgrad:
      layer.expect_shape("grad_input", input, "the shape of input");
      plan.a = {"grad_output", channels_and_positions(output, c.group_filters)};
      plan.b = {"weight", {{0, c.group_filters}, {2, weight[2]}, {3, weight[3]}}};
      plan.lowering = std::make_unique<Dgrad>(c);
      break;
    case sim::Pass::wgrad:
      layer.expect_shape("grad_weight", weight, "the shape of weight");
      plan.a = {"grad_output", images_and_positions(output)};
      plan.b = {"input", images_and_positions(input)};
      plan.lowering = std::make_unique<Wgrad>(c);
      break;
  }
  return plan;
}

}  // namespace accsim::traces
