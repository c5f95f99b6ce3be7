// What can be wrong with a trace file as a whole and with a layer: named by file, layer and dataset or attribute.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "traces_fixture.h"

namespace accsim::test {
namespace {

using sim::Pass;
using traces::TraceFile;

/// The message that opening a file gives.
std::string opening(const std::filesystem::path& path) {
  return message_of([&] { const TraceFile trace(path); });
}

std::string conv_with(const std::function<void(TestFile&)>& spoil, Pass pass = Pass::fprop) {
  return checking(
      [&](TestFile& file) {
        write_conv(file);
        spoil(file);
      },
      pass);
}

std::string matmul(const Shape& a, const Shape& b, const std::function<void(TestFile&)>& spoil = {}, Pass pass = Pass::fprop) {
  return checking(
      [&](TestFile& file) {
        file.dataset("mm/a", a, ramp(a)).dataset("mm/b", b, ramp(b)).attribute("mm", "op", "matmul");
        if (spoil) spoil(file);
      },
      pass);
}

/// Replaces a dataset.
void replace(TestFile& file, const char* name, const Shape& shape) {
  worked(H5Ldelete(file.id(), name, H5P_DEFAULT));
  file.dataset(name, shape, ramp(shape));
}

}  // namespace

TEST_CASE("a path that is missing, a directory, a pipe, empty or not HDF5 is refused by name") {
  const TempDir dir;
  const std::string accepted = "; accepted: an HDF5 file of schema accsim-trace/1";
  CHECK(opening(dir / "none.h5") == (dir / "none.h5").string() + ": no such file" + accepted);
  CHECK(opening(dir.path()) == dir.path().string() + ": a directory" + accepted);
  CHECK(opening("/dev/null") == "/dev/null: not a regular file" + accepted);
  std::ofstream(dir / "empty.h5").close();
  CHECK(opening(dir / "empty.h5") == (dir / "empty.h5").string() + ": an empty file" + accepted);
  std::ofstream(dir / "text.h5") << std::string(5000, 'x');
  CHECK(opening(dir / "text.h5") == (dir / "text.h5").string() + ": not an HDF5 file" + accepted);
}

TEST_CASE("a truncated file is refused with HDF5's reason") {
  const TempDir dir;
  const auto path = written(dir, [](TestFile& f) { write_linear(f); });
  const auto size = std::filesystem::file_size(path);
  for (const auto rest : {size - 1, size / 2, std::uintmax_t{100}, std::uintmax_t{9}}) {
    CAPTURE(rest);
    std::filesystem::resize_file(path, rest);
    const std::string message = opening(path);
    CHECK(message.starts_with(path.string() + ": "));
    CHECK((contains(message, "truncated") || contains(message, "cannot be opened") || contains(message, "not an HDF5 file")));
  }
}

TEST_CASE("a file without layers, of another schema, or with an index that is no integer is refused") {
  const TempDir dir;
  const auto opened = [&](const std::function<void(TestFile&)>& write) {
    const auto path = written(dir, write);
    const std::string message = opening(path);
    CHECK(message.starts_with(path.string() + ": "));
    return message.substr(path.string().size() + 2);
  };
  CHECK(opened([](TestFile& f) { f.group("fc"); }) == "no layer; accepted: at least one group with a string attribute \"op\"");
  CHECK(opened([](TestFile& f) {
          write_linear(f);
          f.attribute("/", "schema", "accsim-results/1");
        }) == "attribute \"schema\": \"accsim-results/1\"; accepted: \"accsim-trace/1\", or none");
  CHECK(opened([](TestFile& f) {
          write_linear(f);
          f.attribute("/", "schema", 1);
        }) == "attribute \"schema\": 1 integer; accepted: one string");
  CHECK(opened([](TestFile& f) {
          write_linear(f);
          f.attribute("fc", "index", 1.5);
        }) == "group \"fc\": attribute \"index\": 1 float; accepted: integers");
  CHECK(opened([](TestFile& f) {
          write_linear(f);
          f.attribute("fc", "index", std::vector<std::int64_t>{1, 2});
        }) == "group \"fc\": attribute \"index\": 2 integers; accepted: one integer");
  CHECK(opened([](TestFile& f) {
          write_linear(f);
          f.attribute("fc", "index", ~std::uint64_t{0});
        }) == "group \"fc\": attribute \"index\": 18446744073709551615; accepted: an integer of 64 bits with sign");
}

TEST_CASE("one training step under two spellings is refused") {
  const TempDir dir;
  const auto path = written(dir, [](TestFile& f) {
    write_linear(f, "step_1/fc");
    write_linear(f, "step_000001/fc");
  });
  CHECK(opening(path) ==
        path.string() + ": groups \"step_000001\" and \"step_1\" are both training step 1; accepted: one group for each training step");
}

TEST_CASE("an unknown op is listed by the scan and refused by check with the nearest names") {
  const TempDir dir;
  const auto path = written(dir, [](TestFile& f) {
    write_conv(f, "a");
    f.attribute("a", "op", "conv3d");
    write_linear(f, "b");
  });
  const TraceFile trace(path);
  const std::string problem = "attribute \"op\": \"conv3d\"; accepted: linear, matmul, conv2d; did you mean conv2d?";
  CHECK(trace.layers()[0].op == "conv3d");
  CHECK(trace.layers()[0].problems == std::vector<std::string>{problem});
  CHECK(trace.layers()[1].problems.empty());
  CHECK(message_of([&] { trace.check(trace.layers()[0], Pass::fprop); }) == path.string() + ": layer \"a\": " + problem);
}

TEST_CASE("problems of the passes that a layer has are listed by the scan, each once") {
  const TempDir dir;
  const auto path = written(dir, [](TestFile& f) {
    write_linear(f, "a");
    f.dataset("a/grad_output", {2, 4}, ramp({8})).dataset("a/grad_input", {2, 4}, ramp({8}));
    write_linear(f, "b");
    f.dataset("b/grad_output", {2, 4}, ramp({8})).dataset("b/output", {2, 5}, ramp({10}));
  });
  const TraceFile trace(path);
  CHECK(trace.layers()[0].problems ==
        std::vector<std::string>{"dataset \"grad_input\": shape [2, 4]; accepted: [2, 3], the shape of input"});
  CHECK(trace.layers()[1].problems == std::vector<std::string>{"dataset \"output\": shape [2, 5]; accepted: [2, 4], [..., N]"});
  trace.check(trace.layers()[0], Pass::fprop);  // nothing wrong with this one
  CHECK_THROWS_AS(trace.check(trace.layers()[0], Pass::dgrad), InputError);
}

TEST_CASE("an op that is not one string is refused") {
  const auto two_strings = [](TestFile& f) {
    const Id type(H5Tcopy(H5T_C_S1));
    worked(H5Tset_size(type, 6));
    const hsize_t two = 2;
    const Id space(H5Screate_simple(1, &two, nullptr));
    f.raw_attribute("fc", "op", type, space, "linearmatmul");
  };
  CHECK(linear_with(two_strings) == "layer \"fc\": attribute \"op\": 2 strings; accepted: one string");
}

TEST_CASE("a dataset that is missing, dangling or a group is refused") {
  CHECK(linear_with([](TestFile& f) { worked(H5Ldelete(f.id(), "fc/weight", H5P_DEFAULT)); }) ==
        weight + "missing; accepted: a dataset [N, K]");
  const std::string dangling = linear_with([](TestFile& f) {
    worked(H5Ldelete(f.id(), "fc/weight", H5P_DEFAULT));
    worked(H5Lcreate_soft("/nowhere", f.id(), "fc/weight", H5P_DEFAULT, H5P_DEFAULT));
  });
  CHECK(dangling.starts_with(weight + "cannot be opened: "));
  CHECK(dangling.ends_with("; accepted: a dataset, or a link that leads to one"));
  CHECK(linear_with([](TestFile& f) {
          worked(H5Ldelete(f.id(), "fc/weight", H5P_DEFAULT));
          f.group("fc/weight");
        }) == weight + "a group or named type; accepted: a dataset");
  CHECK(linear_with([](TestFile&) {}, Pass::dgrad) ==
        "layer \"fc\": dataset \"grad_output\": missing; accepted: a dataset [2, 4], the shape of output");
  CHECK(matmul({3, 2}, {2, 3}, [](TestFile& f) { worked(H5Ldelete(f.id(), "mm/b", H5P_DEFAULT)); }) ==
        "layer \"mm\": dataset \"b\": missing; accepted: a dataset [..., K, N]");
}

TEST_CASE("a layer whose K does not fit says what each side has") {
  CHECK(linear_with([](TestFile& f) {
          replace(f, "fc/weight", {4, 5});
        }) ==
        "layer \"fc\": weight has K=5, input gives 3 (its last axis); accepted: input [..., K] and weight [N, K] of one K; found [2, 3] "
        "and [4, 5]");
  CHECK(conv_with([](TestFile& f) {
          replace(f, "conv/weight", {6, 3, 3, 3});
        }) ==
        "layer \"conv\": weight has K=27, input gives 36 (C/groups*R*S); accepted: weight [K, C/groups, R, S] with C/groups=4; "
        "found [6, 3, 3, 3] for input [2, 4, 5, 6] and groups=1");
  CHECK(matmul({2, 3, 4}, {2, 5, 6}) ==
        "layer \"mm\": b has K=5, a gives 4; accepted: a [..., M, K] and b [..., K, N] of one K; found [2, 3, 4] and [2, 5, 6]");
  CHECK(matmul({3, 4}, {4, 6}, [](TestFile& f) { f.attribute("mm", "transpose_a", 1); }) ==
        "layer \"mm\": b has K=4, a gives 3; accepted: a [..., K, M] and b [..., K, N] of one K; found [3, 4] and [4, 6]");
}

TEST_CASE("groups have to divide channels and filters") {
  CHECK(conv_with([](TestFile& f) { f.attribute("conv", "groups", 3); }) ==
        "layer \"conv\": groups=3 does not divide the input's C=4; accepted: a divisor of C and K");
  CHECK(conv_with([](TestFile& f) { f.attribute("conv", "groups", 4); }) ==
        "layer \"conv\": groups=4 does not divide the weight's K=6; accepted: a divisor of C and K");
}

TEST_CASE("a filter larger than the padded input is refused") {
  CHECK(conv_with([](TestFile& f) {
          f.attribute("conv", "dilation", std::vector<std::int64_t>{3, 1});
        }) ==
        "layer \"conv\": the filter spans 7 of the 5 positions of the padded input's height; accepted: a filter no larger than the padded "
        "input");
  CHECK(conv_with([](TestFile& f) {
          f.attribute("conv", "dilation", std::vector<std::int64_t>{1, 6});
        }) ==
        "layer \"conv\": the filter spans 7 of the 6 positions of the padded input's width; accepted: a filter no larger than the padded "
        "input");
}

TEST_CASE("batch dimensions that do not broadcast are refused") {
  CHECK(matmul({2, 3, 4}, {3, 4, 5}) ==
        "layer \"mm\": batch dimensions [2] of a and [3] of b do not broadcast; accepted: equal extents, or 1, counted from the last");
}

TEST_CASE("wrong ranks are refused") {
  CHECK(linear_with([](TestFile& f) { replace(f, "fc/weight", {4}); }) == weight + "1 dimensions [4]; accepted: [N, K]");
  CHECK(linear_with([](TestFile& f) { replace(f, "fc/input", {}); }) == input + "a scalar; accepted: [..., K]");
  CHECK(conv_with([](TestFile& f) {
          replace(f, "conv/input", {4, 5, 6});
        }) == "layer \"conv\": dataset \"input\": 3 dimensions [4, 5, 6]; accepted: [B, C, H, W]");
  CHECK(matmul({4}, {4, 5}) == "layer \"mm\": dataset \"a\": 1 dimensions [4]; accepted: [..., M, K]");
}

TEST_CASE("bias, output and gradients of another shape are refused in the passes that have to do with them") {
  const auto with = [](const char* name, const Shape& shape) { return [=](TestFile& f) { f.dataset(name, shape, ramp(shape)); }; };
  CHECK(linear_with(with("fc/bias", {3})) == "layer \"fc\": dataset \"bias\": shape [3]; accepted: [4], [N]");
  CHECK(linear_with(with("fc/output", {4, 2})) == "layer \"fc\": dataset \"output\": shape [4, 2]; accepted: [2, 4], [..., N]");
  CHECK(conv_with(with("conv/output", {2, 6, 5, 6})) ==
        "layer \"conv\": dataset \"output\": shape [2, 6, 5, 6]; accepted: [2, 6, 3, 5], [B, K, P, Q]");
  CHECK(matmul({2, 3, 4}, {4, 5}, with("mm/output", {3, 5})) ==
        "layer \"mm\": dataset \"output\": shape [3, 5]; accepted: [2, 3, 5], [batch..., M, N]");
  CHECK(linear_with(with("fc/grad_output", {2, 3}), Pass::wgrad) ==
        "layer \"fc\": dataset \"grad_output\": shape [2, 3]; accepted: [2, 4], the shape of output");
  const auto gradients = [&](const char* name, const Shape& shape) {
    return [=](TestFile& f) { f.dataset("fc/grad_output", {2, 4}, ramp({8})).dataset(name, shape, ramp(shape)); };
  };
  CHECK(linear_with(gradients("fc/grad_input", {2, 4}), Pass::dgrad) ==
        "layer \"fc\": dataset \"grad_input\": shape [2, 4]; accepted: [2, 3], the shape of input");
  CHECK(linear_with(gradients("fc/grad_weight", {3, 4}), Pass::wgrad) ==
        "layer \"fc\": dataset \"grad_weight\": shape [3, 4]; accepted: [4, 3], the shape of weight");
  const auto of_matmul = [&](const char* name) {
    return [=](TestFile& f) { f.dataset("mm/grad_output", {2, 3, 5}, ramp({30})).dataset(name, {1}, ramp({1})); };
  };
  CHECK(matmul({2, 3, 4}, {4, 5}, of_matmul("mm/grad_a"), Pass::dgrad) ==
        "layer \"mm\": dataset \"grad_a\": shape [1]; accepted: [2, 3, 4], the shape of a");
  CHECK(matmul({2, 3, 4}, {4, 5}, of_matmul("mm/grad_b"), Pass::wgrad) ==
        "layer \"mm\": dataset \"grad_b\": shape [1]; accepted: [4, 5], the shape of b");
}

TEST_CASE("datasets without elements and empty dataspaces are refused") {
  const auto zero_sized = [](TestFile& f) {
    worked(H5Ldelete(f.id(), "fc/input", H5P_DEFAULT));
    f.raw_dataset("fc/input", {0, 3}, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, nullptr);
  };
  CHECK(linear_with(zero_sized) == input + "shape [0, 3], no element; accepted: at least one element");
  CHECK(linear_with([](TestFile& f) {
          worked(H5Ldelete(f.id(), "fc/input", H5P_DEFAULT));
          const Id space(H5Screate(H5S_NULL));
          const Id made(H5Dcreate2(f.id(), "fc/input", H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
        }) == input + "shape [0], no element; accepted: at least one element");
}

TEST_CASE("arrays and layers too large to count are refused") {
  const auto huge = [](TestFile& f) {
    worked(H5Ldelete(f.id(), "fc/input", H5P_DEFAULT));
    f.raw_dataset("fc/input", {std::int64_t{1} << 40, 3}, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, nullptr, {.chunk = {1, 3}});
  };
  CHECK(linear_with(huge) == input + "shape [1099511627776, 3]; accepted: at most 2^40 elements");
  CHECK(conv_with([](TestFile& f) { f.attribute("conv", "padding", 2147483647); }) ==
        "layer \"conv\": more than 2^62 outputs; accepted: a smaller layer");
}

TEST_CASE("a convolution's attributes of the wrong type, length or range are refused") {
  const auto with = [](const char* name, const auto& value) { return conv_with([&](TestFile& f) { f.attribute("conv", name, value); }); };
  using Integers = std::vector<std::int64_t>;
  CHECK(with("stride", 0) == "layer \"conv\": attribute \"stride\": 0; accepted: 1 to 2147483647");
  CHECK(with("stride", Integers{1, -1}) == "layer \"conv\": attribute \"stride\": -1; accepted: 1 to 2147483647");
  CHECK(with("stride", std::int64_t{1} << 31) == "layer \"conv\": attribute \"stride\": 2147483648; accepted: 1 to 2147483647");
  CHECK(with("dilation", 0) == "layer \"conv\": attribute \"dilation\": 0; accepted: 1 to 2147483647");
  CHECK(with("padding", Integers{0, 0, 0, -1}) == "layer \"conv\": attribute \"padding\": -1; accepted: 0 to 2147483647");
  CHECK(with("groups", 0) == "layer \"conv\": attribute \"groups\": 0; accepted: 1 to 2147483647");
  CHECK(with("stride", Integers{1, 1, 1}) == "layer \"conv\": attribute \"stride\": 3 integers; accepted: one integer or 2");
  CHECK(with("padding", Integers{1, 1, 1}) == "layer \"conv\": attribute \"padding\": 3 integers; accepted: one integer or 2 or 4");
  CHECK(with("groups", Integers{1, 1}) == "layer \"conv\": attribute \"groups\": 2 integers; accepted: one integer");
  CHECK(with("stride", 2.0) == "layer \"conv\": attribute \"stride\": 1 float; accepted: integers");
  CHECK(with("padding", "same") == "layer \"conv\": attribute \"padding\": 1 string; accepted: integers");
  CHECK(conv_with([](TestFile& f) {
          const hsize_t extents[] = {2, 2};
          const Id space(H5Screate_simple(2, extents, nullptr));
          const std::int64_t values[] = {1, 1, 1, 1};
          f.raw_attribute("conv", "padding", H5T_NATIVE_INT64, space, values);
        }) == "layer \"conv\": attribute \"padding\": an array of 2 dimensions; accepted: a scalar or a one-dimensional array");
  CHECK(
      conv_with([](TestFile& f) {
        const Id type(H5Tcreate(H5T_COMPOUND, 8));
        worked(H5Tinsert(type, "x", 0, H5T_STD_I64LE));
        const Id space(H5Screate(H5S_SCALAR));
        const std::int64_t one = 1;
        f.raw_attribute("conv", "stride", type, space, &one);
      }) ==
      "layer \"conv\": attribute \"stride\": compound; accepted: integers of up to 64 bits, booleans, floats of 2, 4 or 8 bytes, strings");
}

TEST_CASE("transposes that are neither booleans nor 0 or 1 are refused") {
  const auto with = [](const auto& value) { return matmul({3, 2}, {2, 3}, [&](TestFile& f) { f.attribute("mm", "transpose_b", value); }); };
  CHECK(with(2) == "layer \"mm\": attribute \"transpose_b\": 2; accepted: a boolean, 0 or 1");
  CHECK(with("yes") == "layer \"mm\": attribute \"transpose_b\": 1 string; accepted: integers");
  CHECK(with(1.0) == "layer \"mm\": attribute \"transpose_b\": 1 float; accepted: integers");
  CHECK(with(0) == "no error");
}

TEST_CASE("a loss scale that is zero, not finite or no number is refused") {
  const auto with = [](const auto& value) { return linear_with([&](TestFile& f) { f.attribute("fc", "loss_scale", value); }); };
  const std::string where = "layer \"fc\": attribute \"loss_scale\": ";
  const std::string accepted = "; accepted: one finite number other than zero";
  CHECK(with(0.0) == where + "0" + accepted);
  CHECK(with(0) == where + "0" + accepted);
  CHECK(with(nan) == where + "nan" + accepted);
  CHECK(with(-inf) == where + "-inf" + accepted);
  CHECK(with("256") == where + "1 string" + accepted);
  CHECK(with(std::vector<double>{1, 2}) == where + "2 floats" + accepted);
  CHECK(with(std::vector<double>{256}) == "no error");
}

}  // namespace accsim::test
