// Everything that can be wrong with a trace file: found by check and by load, named by file, layer and dataset or attribute.
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

/// The message that check gives for the first layer of a file; load has to give the same, and both have to name the file.
std::string checking(const std::function<void(TestFile&)>& write, Pass pass = Pass::fprop) {
  const TempDir dir;
  const auto path = written(dir, write);
  const TraceFile trace(path);
  const std::string checked = message_of([&] { trace.check(trace.layers()[0], pass); });
  const std::string loaded = message_of([&] { (void)trace.load(trace.layers()[0], pass); });
  CHECK(checked == loaded);
  if (checked == "no error") return checked;
  const std::string file = path.string() + ": ";
  CHECK(checked.starts_with(file));
  return checked.substr(file.size());
}

std::string linear_with(const std::function<void(TestFile&)>& spoil, Pass pass = Pass::fprop) {
  return checking(
      [&](TestFile& file) {
        write_linear(file);
        spoil(file);
      },
      pass);
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

/// A linear layer whose input [2, 3] is stored as `type`, without data written.
std::string input_of_type(hid_t type) {
  return linear_with([&](TestFile& f) {
    worked(H5Ldelete(f.id(), "fc/input", H5P_DEFAULT));
    f.raw_dataset("fc/input", {2, 3}, type, type, nullptr);
  });
}

/// The message for raw codes of `format` in fc/input [2, 3], the first element being `value`.
template <class T>
std::string code_message(T value, const char* format) {
  return linear_with([&](TestFile& f) {
    worked(H5Ldelete(f.id(), "fc/input", H5P_DEFAULT));
    f.dataset("fc/input", {2, 3}, std::vector<T>{1, 1, 1, 1, value, 1}).attribute("fc/input", "format", format);
  });
}

const std::string input = "layer \"fc\": dataset \"input\": ";
const std::string weight = "layer \"fc\": dataset \"weight\": ";
constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

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

TEST_CASE("stored types that are no numbers of the contract are refused by name") {
  const std::string accepted = "; accepted: floats of 2, 4 or 8 bytes; with attribute \"format\": integers of up to 16 bytes";
  const Id complex(H5Tcreate(H5T_COMPOUND, 16));
  worked(H5Tinsert(complex, "r", 0, H5T_IEEE_F64LE));
  worked(H5Tinsert(complex, "i", 8, H5T_IEEE_F64LE));
  CHECK(input_of_type(complex) == input + "complex" + accepted);
  const Id compound(H5Tcreate(H5T_COMPOUND, 8));
  worked(H5Tinsert(compound, "x", 0, H5T_IEEE_F64LE));
  CHECK(input_of_type(compound) == input + "compound" + accepted);
  const Id text(H5Tcopy(H5T_C_S1));
  CHECK(input_of_type(text) == input + "string" + accepted);
  const Id boolean(H5Tenum_create(H5T_STD_I8LE));
  std::int8_t value = 0;
  worked(H5Tenum_insert(boolean, "FALSE", &value));
  value = 1;
  worked(H5Tenum_insert(boolean, "TRUE", &value));
  CHECK(input_of_type(boolean) == input + "boolean" + accepted);
  CHECK(input_of_type(H5T_STD_B16LE) == input + "bitfield of 2 bytes" + accepted);
  const Id opaque(H5Tcreate(H5T_OPAQUE, 4));
  CHECK(input_of_type(opaque) == input + "opaque of 4 bytes" + accepted);
  const Id long_double(H5Tcopy(H5T_NATIVE_LDOUBLE));
  CHECK(contains(input_of_type(long_double), "float of 16 bytes"));
  const Id tf32(H5Tcopy(H5T_IEEE_F32LE));
  worked(H5Tset_fields(tf32, 31, 23, 8, 13, 10));
  CHECK(contains(input_of_type(tf32), "float of 4 bytes (8 exponent bits, 10 fraction bits, bias 127); accepted: binary16, bfloat16"));
  const Id one_byte(H5Tcopy(H5T_IEEE_F32LE));
  worked(H5Tset_fields(one_byte, 7, 2, 5, 0, 2));
  worked(H5Tset_precision(one_byte, 8));
  worked(H5Tset_size(one_byte, 1));
  worked(H5Tset_ebias(one_byte, 15));
  CHECK(contains(input_of_type(one_byte), "float of 1 bytes"));
}

TEST_CASE("format and stored type have to fit each other") {
  CHECK(linear_with([](TestFile& f) {
          worked(H5Ldelete(f.id(), "fc/input", H5P_DEFAULT));
          f.dataset("fc/input", {2, 3}, std::vector<std::uint8_t>(6, 1));
        }) ==
        input +
            "uint8 without attribute \"format\"; accepted: with \"format\" raw codes in integers, without it floats of 2, 4 or 8 bytes");
  CHECK(linear_with([](TestFile& f) { f.attribute("fc/input", "format", "e4m3"); }) ==
        input + "attribute \"format\": \"e4m3\" on float32 data; accepted: integers, which hold the raw codes");
  CHECK(contains(code_message<std::uint8_t>(1, "e4n3"), input + "attribute \"format\": format \"e4n3\": unknown format; accepted: "));
  for (const char* block : {"mxfp8_e4m3", "MXINT8", "nvfp4"}) {
    CHECK(contains(code_message<std::uint8_t>(1, block), input + "attribute \"format\": format \"" + block + "\": a block format"));
  }
  CHECK(linear_with([](TestFile& f) { f.attribute("fc/input", "format", 8); }) ==
        input + "attribute \"format\": 1 integer; accepted: one string");
}

TEST_CASE("codes beyond the format's width are refused with their place") {
  CHECK(code_message<std::uint16_t>(256, "e4m3") ==
        input + "code 256 at element 4 is out of range; accepted: the 8 bits of e4m3, hexadecimal 0 to ff");
  CHECK(code_message<std::uint8_t>(16, "e2m1") ==
        input + "code 16 at element 4 is out of range; accepted: the 4 bits of e2m1, hexadecimal 0 to f");
  // Nine bits with sign do not extend the sign of eight.
  CHECK(code_message<std::int16_t>(-129, "int8") ==
        input + "code -129 at element 4 is out of range; accepted: the 8 bits of int8, hexadecimal 0 to ff or the same with sign extended");
  // A code wider than its integers cannot have lost its sign: 8 stored bits of 12 are not a two's complement number.
  CHECK(code_message<std::int8_t>(-5, "int12") ==
        input + "code -5 at element 4 is out of range; accepted: the 12 bits of int12, hexadecimal 0 to fff");
  CHECK(code_message<std::int8_t>(5, "int12") == "no error");
  CHECK(code_message<std::uint64_t>(~std::uint64_t{0}, "int32") ==
        input + "code 18446744073709551615 at element 4 is out of range; accepted: the 32 bits of int32, hexadecimal 0 to ffffffff");
  CHECK(code_message<std::uint8_t>(255, "uint8") == "no error");
}

TEST_CASE("codes are checked in gradients and bias too, only where the pass reads them") {
  const auto bad_bias = [](TestFile& f) {
    f.dataset("fc/bias", {4}, std::vector<std::uint8_t>{0, 1, 2, 99}).attribute("fc/bias", "format", "uint4");
    f.dataset("fc/grad_output", {2, 4}, std::vector<std::uint8_t>(8, 99)).attribute("fc/grad_output", "format", "uint4");
  };
  CHECK(linear_with(bad_bias) ==
        "layer \"fc\": dataset \"bias\": code 99 at element 3 is out of range; accepted: the 4 bits of uint4, hexadecimal 0 to f");
  CHECK(contains(linear_with(bad_bias, Pass::wgrad), "dataset \"grad_output\": code 99 at element 0"));
}

TEST_CASE("scales that are zero, not finite, no numbers or of the wrong length are refused") {
  const auto scaled = [](const auto& scale) { return linear_with([&](TestFile& f) { f.attribute("fc/weight", "scale", scale); }); };
  const std::string where = weight + "attribute \"scale\": ";
  CHECK(scaled(0.0) == where + "0; accepted: finite numbers other than zero");
  CHECK(scaled(0) == where + "0; accepted: finite numbers other than zero");
  CHECK(scaled(nan) == where + "nan; accepted: finite numbers");
  CHECK(scaled(-inf) == where + "-inf; accepted: finite numbers");
  CHECK(scaled("1.0") == where + "1 string; accepted: numbers");
  CHECK(scaled((std::int64_t{1} << 53) + 1) == where + "an integer that binary64 does not hold; accepted: numbers of binary64");
  CHECK(scaled(-2.0) == "no error");
  CHECK(scaled(std::vector<double>{1, 2, 3, 4}) ==
        weight + "attribute \"axis\": missing beside a scale or zero_point of several elements; accepted: -2 to 1 for shape [4, 3]");
  const auto along = [](const std::vector<double>& scale, int axis) {
    return linear_with([&](TestFile& f) { f.attribute("fc/weight", "scale", scale).attribute("fc/weight", "axis", axis); });
  };
  CHECK(along({1, 2, 3}, 0) == where + "3 elements; accepted: 1, or 4 along axis 0 of [4, 3]");
  CHECK(along({1, 2, 3}, 1) == "no error");
  CHECK(along({1, 2, 3}, -1) == "no error");
  CHECK(along({1, 2, 3}, 2) == weight + "attribute \"axis\": 2; accepted: -2 to 1 for shape [4, 3]");
  CHECK(along({1}, -3) == weight + "attribute \"axis\": -3; accepted: -2 to 1 for shape [4, 3]");
  CHECK(along({1, 2, 3, 0}, 0) == where + "0; accepted: finite numbers other than zero");
  CHECK(scaled(std::vector<double>{}) == where + "no element; accepted: a scalar or a one-dimensional array");
}

TEST_CASE("zero points that are not finite or of the wrong length are refused") {
  const auto with = [](const auto& zero_point) {
    return linear_with([&](TestFile& f) {
      f.attribute("fc/weight", "zero_point", zero_point)
          .attribute("fc/weight", "axis", 0)
          .attribute("fc/weight", "scale", std::vector<float>{1, 2, 3, 4});
    });
  };
  const std::string where = weight + "attribute \"zero_point\": ";
  CHECK(with(nan) == where + "nan; accepted: finite numbers");
  CHECK(with(std::vector<double>{1, 2, 3, inf}) == where + "inf; accepted: finite numbers");
  CHECK(with(std::vector<std::int64_t>{1, 2}) == where + "2 elements; accepted: 1, or 4 along axis 0 of [4, 3]");
  CHECK(with("0") == where + "1 string; accepted: numbers");
  CHECK(with(std::vector<std::int64_t>{1, 2, 3, 4}) == "no error");
  CHECK(with(std::uint64_t{1} << 63) == "no error");
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

TEST_CASE("a damaged chunk is found by check and by load, with layer and dataset") {
  for (const bool deflate : {false, true}) {
    const TempDir dir;
    const auto path = written(dir, [&](TestFile& f) {
      f.dataset("fc/input", {64, 64}, ramp({64, 64}), {.chunk = {32, 64}, .deflate = deflate, .fletcher32 = !deflate});
      f.dataset("fc/weight", {4, 64}, ramp({4, 64})).attribute("fc", "op", "linear");
    });
    haddr_t address = 0;
    {
      const Id file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
      const Id dataset(H5Dopen2(file, "fc/input", H5P_DEFAULT));
      const hsize_t second[] = {32, 0};
      hsize_t bytes = 0;
      worked(H5Dget_chunk_info_by_coord(dataset, second, nullptr, &address, &bytes));
    }
    std::fstream stream(path, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(address) + 20);
    stream << "damage";
    stream.close();

    const TraceFile trace(path);  // the structure is sound
    CHECK(trace.layers()[0].problems.empty());
    const std::string start = path.string() + ": " + input + "HDF5 cannot read its data: ";
    CHECK(message_of([&] { trace.check(trace.layers()[0], Pass::fprop); }).starts_with(start));
    CHECK(message_of([&] { (void)trace.load(trace.layers()[0], Pass::fprop); }).starts_with(start));
  }
}

TEST_CASE("NaN and infinities in tensors are data") {
  CHECK(linear_with([](TestFile& f) {
          worked(H5Ldelete(f.id(), "fc/input", H5P_DEFAULT));
          f.dataset("fc/input", {2, 3}, std::vector<double>{nan, inf, -inf, 0, 1, 2});
        }) == "no error");
}

}  // namespace accsim::test
