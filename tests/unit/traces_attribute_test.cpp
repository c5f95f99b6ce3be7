// Attributes in all the types in which writers of HDF5 store them.
#include <doctest/doctest.h>

#include "traces_fixture.h"

namespace accsim::test {
namespace {

using sim::Pass;
using traces::TraceFile;

/// The output shape of a convolution [2, 4, 5, 6] by [6, 4, 3, 2] after `annotate` gave it attributes.
Shape output_with(const std::function<void(TestFile&)>& annotate) {
  const TempDir dir;
  const auto path = written(dir, [&](TestFile& file) {
    write_conv(file);
    annotate(file);
  });
  const TraceFile trace(path);
  return trace.load(trace.layers()[0], Pass::fprop).lowering->output_shape;
}

void fixed_string(TestFile& file, const std::string& object, const char* name, const std::string& field, H5T_str_t padding,
                  hsize_t length = 0) {
  const Id type(H5Tcopy(H5T_C_S1));
  worked(H5Tset_size(type, field.size()));
  worked(H5Tset_strpad(type, padding));
  const Id space(length == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &length, nullptr));
  file.raw_attribute(object, name, type, space, field.data());
}

/// The enumeration that h5py stores booleans as.
hid_t boolean_type() {
  const hid_t type = worked(H5Tenum_create(H5T_STD_I8LE));
  std::int8_t value = 0;
  worked(H5Tenum_insert(type, "FALSE", &value));
  value = 1;
  worked(H5Tenum_insert(type, "TRUE", &value));
  return type;
}

const Shape stride_two{2, 6, 2, 3};  // (5-3)/2+1 = 2, (6-2)/2+1 = 3

template <class T>
void check_integer_type() {
  CHECK(output_with([](TestFile& f) { f.attribute("conv", "stride", T{2}); }) == stride_two);
  CHECK(output_with([](TestFile& f) { f.attribute("conv", "stride", std::vector<T>{2}); }) == stride_two);
  CHECK(output_with([](TestFile& f) { f.attribute("conv", "stride", std::vector<T>{2, 2}); }) == stride_two);
}

}  // namespace

TEST_CASE("integer attributes may have any width and sign, as scalars, one element or several") {
  check_integer_type<std::int8_t>();
  check_integer_type<std::uint8_t>();
  check_integer_type<std::int16_t>();
  check_integer_type<std::uint16_t>();
  check_integer_type<std::int32_t>();
  check_integer_type<std::uint32_t>();
  check_integer_type<std::int64_t>();
  check_integer_type<std::uint64_t>();
}

TEST_CASE("big-endian attributes and arrays of one element with several dimensions are read") {
  CHECK(output_with([](TestFile& f) {
          const hsize_t extents[] = {1, 1};
          const Id space(H5Screate_simple(2, extents, nullptr));
          const std::uint8_t bytes[] = {0, 2};
          f.raw_attribute("conv", "stride", H5T_STD_I16BE, space, bytes);
        }) == stride_two);
}

TEST_CASE("a matmul's transposes may be HDF5 booleans or integers") {
  const TempDir dir;
  const auto path = written(dir, [](TestFile& file) {
    for (const char* name : {"boolean", "integer", "element"}) {
      file.dataset(std::string(name) + "/a", {3, 2}, ramp({3, 2})).dataset(std::string(name) + "/b", {4, 3}, ramp({4, 3}));
      file.attribute(name, "op", "matmul");
    }
    const Id type(boolean_type());
    const Id space(H5Screate(H5S_SCALAR));
    const std::int8_t yes = 1;
    file.raw_attribute("boolean", "transpose_a", type, space, &yes).raw_attribute("boolean", "transpose_b", type, space, &yes);
    file.attribute("integer", "transpose_a", std::uint8_t{1}).attribute("integer", "transpose_b", 1);
    file.attribute("element", "transpose_a", std::vector<std::int32_t>{1})
        .attribute("element", "transpose_b", std::vector<std::int32_t>{1});
  });
  const TraceFile trace(path);
  REQUIRE(trace.layers().size() == 3);
  for (const traces::LayerInfo& layer : trace.layers()) CHECK(trace.load(layer, Pass::fprop).lowering->output_shape == Shape{2, 4});
}

TEST_CASE("strings may be variable, fixed with any padding, or an array of one") {
  const TempDir dir;
  const auto path = written(dir, [](TestFile& file) {
    for (const char* name : {"a_variable", "b_null_terminated", "c_null_padded", "d_space_padded", "e_array", "f_variable_array"}) {
      write_linear(file, name);
    }
    fixed_string(file, "b_null_terminated", "op", std::string("linear\0?", 8), H5T_STR_NULLTERM);
    fixed_string(file, "c_null_padded", "op", "linear", H5T_STR_NULLPAD);
    fixed_string(file, "d_space_padded", "op", "linear  ", H5T_STR_SPACEPAD);
    fixed_string(file, "e_array", "op", "linear", H5T_STR_NULLPAD, 1);
    const Id type(H5Tcopy(H5T_C_S1));
    worked(H5Tset_size(type, H5T_VARIABLE));
    worked(H5Tset_cset(type, H5T_CSET_UTF8));
    const hsize_t one = 1;
    const Id space(H5Screate_simple(1, &one, nullptr));
    const char* text = "linear";
    file.raw_attribute("f_variable_array", "op", type, space, &text);
  });
  const TraceFile trace(path);
  REQUIRE(trace.layers().size() == 6);
  for (const traces::LayerInfo& layer : trace.layers()) {
    CHECK(layer.op == "linear");
    CHECK(layer.problems.empty());
  }
}

TEST_CASE("scale and zero_point may be floats of any width or integers, and loss_scale too") {
  const TempDir dir;
  const auto path = written(dir, [](TestFile& file) {
    write_linear(file);
    file.attribute("fc/input", "scale", 0.5F)
        .attribute("fc/weight", "scale", std::uint8_t{4})
        .attribute("fc", "loss_scale", std::int32_t{1024});
    const Id space(H5Screate(H5S_SCALAR));
    const Id half(H5Tcopy(H5T_IEEE_F32LE));
    worked(H5Tset_fields(half, 15, 10, 5, 0, 10));
    worked(H5Tset_precision(half, 16));
    worked(H5Tset_size(half, 2));
    worked(H5Tset_ebias(half, 15));
    const std::uint16_t bits = 0x3E00;  // binary16 1.5
    file.raw_attribute("fc/weight", "zero_point", half, space, &bits);
  });
  const TraceFile trace(path);
  const traces::LayerPass pass = trace.load(trace.layers()[0], Pass::fprop);
  CHECK(pass.a.scale == std::vector<double>{0.5});
  CHECK(pass.b.scale == std::vector<double>{4.0});
  CHECK(pass.b.values.number(0) == static_cast<double>(ramp({4, 3}, 5)[0]) - 1.5);
  CHECK(trace.layers()[0].loss_scale == 1024.0);
}

TEST_CASE("a layer is described with its datasets in the op's order, their types, formats and scales") {
  const TempDir dir;
  const auto path = written(dir, [](TestFile& file) {
    file.dataset("step_000042/fc/weight", {2, 3}, std::vector<std::int8_t>(6, 1))
        .dataset("step_000042/fc/note", {1}, std::vector<double>{1});
    file.dataset("step_000042/fc/grad_output", {1, 2}, std::vector<double>{1, 2}).dataset("step_000042/fc/input", {1, 3}, ramp({3}));
    file.attribute("step_000042/fc", "op", "linear").attribute("step_000042/fc", "loss_scale", 256.0);
    file.attribute("step_000042/fc/weight", "format", "INT8").attribute("step_000042/fc/weight", "axis", 0);
    file.attribute("step_000042/fc/weight", "scale", std::vector<float>{0.5F, 0.25F}).attribute("step_000042/fc/input", "scale", 0.1);
  });
  const TraceFile trace(path);
  REQUIRE(trace.layers().size() == 1);
  const traces::LayerInfo& layer = trace.layers()[0];
  CHECK(layer.name == "step_000042/fc");
  CHECK(layer.step == 42);
  CHECK(layer.loss_scale == 256.0);
  CHECK(layer.problems.empty());
  REQUIRE(layer.datasets.size() == 4);
  CHECK(layer.datasets[0].name == "input");
  CHECK(layer.datasets[1].name == "weight");
  CHECK(layer.datasets[2].name == "grad_output");
  CHECK(layer.datasets[3].name == "note");
  CHECK(layer.datasets[0].stored_type == "float32");
  CHECK(layer.datasets[0].scale == "0.1");
  CHECK(!layer.datasets[0].format.has_value());
  CHECK(layer.datasets[1].shape == Shape{2, 3});
  CHECK(layer.datasets[1].stored_type == "int8");
  CHECK(layer.datasets[1].format == "INT8");
  CHECK(layer.datasets[1].scale == "[2] along axis 0");
  CHECK(layer.dataset("note")->stored_type == "float64");
  CHECK(layer.dataset("bias") == nullptr);
  CHECK(TraceFile::has_pass(layer, Pass::dgrad));
}

}  // namespace accsim::test
