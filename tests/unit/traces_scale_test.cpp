// Scales and zero points of datasets: kept apart, or multiplied in where a pass sums over them.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "traces_input.h"

namespace accsim::test {
namespace {

using sim::Pass;
using sim::Tensor;
using traces::LayerPass;
using traces::TraceFile;

}  // namespace

TEST_CASE("a zero point is subtracted exactly and the scale is kept apart") {
  const Tensor t = input_of(std::vector<std::uint8_t>{0, 128, 255}, [](TestFile& f) {
    f.attribute("fc/input", "format", "uint8").attribute("fc/input", "zero_point", std::uint8_t{128}).attribute("fc/input", "scale", 0.1);
  });
  CHECK(carried_as<float>(t));
  CHECK(numbers(t) == std::vector<double>{-128, 0, 127});
  CHECK(t.scale == std::vector<double>{0.1});
  CHECK(t.zero_point_min.significand == 128);
  CHECK(t.zero_point_max.significand == 128);
}

TEST_CASE("a zero point may be a fraction, and the difference takes the carrier that it needs") {
  const auto with_zero_point = [](const auto& zero_point) {
    return [&zero_point](TestFile& f) { f.attribute("fc/input", "format", "int8").attribute("fc/input", "zero_point", zero_point); };
  };
  const double fraction = 0.1;  // binary64 with 53 bits: 100 - 0.1 needs more, of which binary64 has not all
  const Tensor exact = input_of(std::vector<std::int8_t>{100}, with_zero_point(fraction));
  REQUIRE(carried_as<formats::Exact>(exact));
  const formats::Exact sum = formats::sum(exact.values.exact(0), formats::from_double<formats::Wide>(fraction));
  CHECK(formats::same_value(sum, formats::from_double<formats::Wide>(100.0)));
  const double fine = std::ldexp(1.0, -30);
  const Tensor wide = input_of(std::vector<std::int8_t>{100}, with_zero_point(fine));
  REQUIRE(carried_as<double>(wide));
  CHECK(wide.values.number(0) == 100.0 - std::ldexp(1.0, -30));
}

TEST_CASE("floating-point data may have a scale and a zero point too") {
  const float tiny = std::ldexp(1.0F, -100);
  const Tensor t = input_of(std::vector<float>{1.5F, 2.0F},
                            [](TestFile& f) { f.attribute("fc/input", "zero_point", 1).attribute("fc/input", "scale", -2); });
  CHECK(numbers(t) == std::vector<double>{0.5, 1.0});
  CHECK(t.scale == std::vector<double>{-2.0});
  CHECK(!t.format.has_value());
  // 2^-100 - 1 needs 101 bits.
  const Tensor exact = input_of(std::vector<float>{tiny}, [](TestFile& f) { f.attribute("fc/input", "zero_point", 1); });
  REQUIRE(carried_as<formats::Exact>(exact));
  CHECK(exact.values.exact(0).negative);
  CHECK(exact.values.exact(0).exponent == -100);
  CHECK(exact.values.exact(0).significand == (formats::Wide{1} << 100) - 1);
}

TEST_CASE("NaN and infinities less a zero point stay what they are") {
  const float inf = std::numeric_limits<float>::infinity();
  const Tensor t = input_of(std::vector<float>{inf, -inf, std::nanf("")}, [](TestFile& f) { f.attribute("fc/input", "zero_point", 3); });
  CHECK(t.values.number(0) == inf);
  CHECK(t.values.number(1) == -inf);
  CHECK(std::isnan(t.values.number(2)));
}

TEST_CASE("a scale along an axis that the pass does not sum over stays a scale") {
  const TempDir dir;
  const auto path = written(dir, [](TestFile& file) {
    write_linear(file);
    file.attribute("fc/weight", "scale", std::vector<double>{1, 2, 4, 8}).attribute("fc/weight", "axis", 0);
  });
  const TraceFile trace(path);
  const Tensor weight = trace.load(trace.layers()[0], Pass::fprop).b;
  CHECK(weight.scale == std::vector<double>{1, 2, 4, 8});
  CHECK(weight.scale_axis == 0);
  CHECK(weight.values.number(3) == static_cast<double>(ramp({4, 3}, 5)[3]));
  CHECK(weight.scale_of(3) == 2.0);
}

TEST_CASE("a scale along an axis that the pass sums over is multiplied in, in binary64") {
  const TempDir dir;
  const auto path = written(dir, [](TestFile& file) {
    file.dataset("fc/input", {1, 2}, std::vector<float>{1, 1}).attribute("fc", "op", "linear");
    file.dataset("fc/weight", {2, 2}, std::vector<std::uint8_t>{10, 20, 30, 40}).attribute("fc/weight", "format", "uint8");
    file.attribute("fc/weight", "scale", std::vector<double>{0.1, 3}).attribute("fc/weight", "axis", -1);
    file.attribute("fc/weight", "zero_point", std::vector<std::int16_t>{7, 0});
    file.dataset("fc/grad_output", {1, 2}, std::vector<float>{1, 1});
  });
  const TraceFile trace(path);
  const Tensor fprop = trace.load(trace.layers()[0], Pass::fprop).b;  // sums over axis 1, along which the scale varies
  CHECK(fprop.scale == std::vector<double>{1.0});
  CHECK(fprop.scale_axis == -1);
  CHECK(!fprop.format.has_value());
  CHECK(carried_as<double>(fprop));
  CHECK(numbers(fprop) == std::vector<double>{3 * 0.1, 60, 23 * 0.1, 120});  // (10-7)*0.1, 20*3, (30-7)*0.1, 40*3
  CHECK(fprop.zero_point_max.is_zero());
  const Tensor dgrad = trace.load(trace.layers()[0], Pass::dgrad).b;  // sums over axis 0
  CHECK(dgrad.format.has_value());
  CHECK(dgrad.scale_axis == 1);
  CHECK(numbers(dgrad) == std::vector<double>{3, 20, 23, 40});
  CHECK(dgrad.zero_point_min.is_zero());
  CHECK(dgrad.zero_point_max.significand == 7);
}

TEST_CASE("a scale array of equal elements does not vary") {
  const TempDir dir;
  const auto path = written(dir, [](TestFile& file) {
    write_linear(file);
    file.attribute("fc/weight", "scale", std::vector<double>{0.5, 0.5, 0.5}).attribute("fc/weight", "axis", 1);
  });
  const TraceFile trace(path);
  const Tensor weight = trace.load(trace.layers()[0], Pass::fprop).b;
  CHECK(weight.scale == std::vector<double>{0.5});
  CHECK(weight.scale_axis == -1);
  CHECK(weight.values.number(0) == static_cast<double>(ramp({4, 3}, 5)[0]));
}

TEST_CASE("a convolution's channel scales stay scales where every sum stays inside one channel, and are multiplied in elsewhere") {
  const auto write = [](TestFile& file, const std::string& name, std::int64_t groups) {
    const Shape input{1, 4, 3, 3};
    const Shape weight{4, 4 / groups, 3, 3};
    file.dataset(name + "/input", input, ramp(input)).dataset(name + "/weight", weight, ramp(weight));
    file.dataset(name + "/grad_output", {1, 4, 1, 1}, ramp({4}));
    file.attribute(name, "op", "conv2d").attribute(name, "groups", groups);
    for (const char* dataset : {"/input", "/weight", "/grad_output"}) {
      const std::string path = name + dataset;
      file.attribute(path, "scale", std::vector<double>{1, 1, 3, 3}).attribute(path, "axis", path == name + "/weight" ? 0 : 1);
    }
  };
  const TempDir dir;
  const auto path = written(dir, [&](TestFile& file) {
    write(file, "dense", 1);
    write(file, "depthwise", 4);
    write(file, "pairs", 2);
  });
  const TraceFile trace(path);
  const auto keeps = [&](std::size_t layer, Pass pass) {
    const LayerPass loaded = trace.load(trace.layers()[layer], pass);
    return std::pair(loaded.a.scale_axis >= 0, loaded.b.scale_axis >= 0);
  };
  // dense: fprop sums over all input channels; dgrad over all filters; wgrad over images and positions only.
  CHECK(keeps(0, Pass::fprop) == std::pair(false, true));
  CHECK(keeps(0, Pass::dgrad) == std::pair(false, false));
  CHECK(keeps(0, Pass::wgrad) == std::pair(true, true));
  // depthwise: one channel a sum. pairs: groups {0, 1} and {2, 3} have one scale each.
  for (const std::size_t layer : {std::size_t{1}, std::size_t{2}}) {
    for (const Pass pass : all_passes) CHECK(keeps(layer, pass) == std::pair(true, true));
  }
}

TEST_CASE("along every row of a lowered operand the scale is constant, whatever axis it follows") {
  const TempDir dir;
  const auto path = written(dir, [](TestFile& file) {
    const Shape a{2, 1, 3, 4}, b{3, 4, 2}, output{2, 3, 3, 2};
    for (int axis_a = 0; axis_a < 4; ++axis_a) {
      for (int axis_b = 0; axis_b < 3; ++axis_b) {
        const std::string name = "mm" + std::to_string(axis_a) + std::to_string(axis_b);
        const auto put = [&](const std::string& dataset, const Shape& shape, int axis) {
          std::vector<double> scale;
          for (std::int64_t i = 0; i < shape[static_cast<std::size_t>(axis)]; ++i) scale.push_back(static_cast<double>(i + 1));
          file.dataset(name + "/" + dataset, shape, ramp(shape));
          file.attribute(name + "/" + dataset, "scale", scale).attribute(name + "/" + dataset, "axis", axis);
        };
        put("a", a, axis_a);
        put("b", b, axis_b);
        put("grad_output", output, axis_a);
        file.attribute(name, "op", "matmul");
      }
    }
  });
  const TraceFile trace(path);
  REQUIRE(trace.layers().size() == 12);
  bool constant = true;
  bool same_values = true;
  for (const traces::LayerInfo& layer : trace.layers()) {
    for (const Pass pass : all_passes) {
      const LayerPass p = trace.load(layer, pass);
      std::vector<std::int64_t> elements(static_cast<std::size_t>(p.lowering->k));
      for (std::int64_t group = 0; group < p.lowering->batch; ++group) {
        for (std::int64_t row = 0; row < p.lowering->m; ++row) {
          p.lowering->a_row(group, row, elements);
          for (const std::int64_t e : elements) constant = constant && p.a.scale_of(e) == p.a.scale_of(elements[0]);
        }
        for (std::int64_t column = 0; column < p.lowering->n; ++column) {
          p.lowering->b_row(group, column, elements);
          for (const std::int64_t e : elements) constant = constant && p.b.scale_of(e) == p.b.scale_of(elements[0]);
        }
      }
      // Operand a is the trace's a or grad_output, both scaled along axis_a. Small integers: either way exact.
      const std::vector<float> data = ramp({p.a.size()});
      const int axis = layer.name[2] - '0';
      for (std::int64_t i = 0; i < p.a.size(); ++i) {
        std::int64_t inner = 1;
        for (std::size_t d = static_cast<std::size_t>(axis) + 1; d < p.a.shape.size(); ++d) inner *= p.a.shape[d];
        const auto scale = static_cast<double>(i / inner % p.a.shape[static_cast<std::size_t>(axis)] + 1);
        same_values =
            same_values && p.a.values.number(i) * p.a.scale_of(i) == static_cast<double>(data[static_cast<std::size_t>(i)]) * scale;
      }
    }
  }
  CHECK(constant);
  CHECK(same_values);
}

}  // namespace accsim::test
