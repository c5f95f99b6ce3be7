// What can be wrong with a dataset: its type, format, codes, scale, zero point, and the bytes on disk.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "traces_fixture.h"

namespace accsim::test {
namespace {

using sim::Pass;
using traces::TraceFile;

/// A linear layer whose input [2, 3] is stored as `type`, without data written.
std::string input_of_type(hid_t type) {
  return linear_with([&](TestFile& f) {
    worked(H5Ldelete(f.id(), "fc/input", H5P_DEFAULT));
    f.raw_dataset("fc/input", {2, 3}, type, type, nullptr);
  });
}

/// The message for raw codes of `format` in fc/input [2, 3], element 4 being `value`.
template <class T>
std::string code_message(T value, const char* format) {
  return linear_with([&](TestFile& f) {
    worked(H5Ldelete(f.id(), "fc/input", H5P_DEFAULT));
    f.dataset("fc/input", {2, 3}, std::vector<T>{1, 1, 1, 1, value, 1}).attribute("fc/input", "format", format);
  });
}

}  // namespace

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
