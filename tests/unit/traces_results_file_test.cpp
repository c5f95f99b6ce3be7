// Results files: contents, determinism to the byte, and that they appear complete or not at all.
#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "traces/digest.h"
#include "traces/results_file.h"
#include "traces_fixture.h"

namespace accsim::test {
namespace {

using traces::Attribute;
using traces::LayerArrays;
using traces::ResultsFile;

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> files_in(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

void write_results(ResultsFile& file) {
  const std::vector<double> output{1.5, -2.0, 3.25, 0.0, 5.0, 6.0};
  const std::vector<std::uint64_t> codes{1, 2, 3, 4, 5, ~std::uint64_t{0}};
  const std::vector<std::uint64_t> wide_codes{1, 0, 2, 0};
  const std::vector<Attribute> root{{"accsim", std::string("0.1.0")}, {"seed", std::int64_t{7}}};
  const std::vector<Attribute> layer{{"op", std::string("linear")}, {"m", std::int64_t{2}}, {"sndr_db", 12.5}, {"note", std::string("")}};
  file.write_root(root);
  file.write_layer("step_1/net/fc", layer, {.shape = {2, 3}, .output = output, .output_code = codes, .reference = output});
  file.write_layer("step_1/net/fc/dgrad", layer, {.shape = {2, 3}, .output = output, .output_code = {}, .reference = {}});
  file.write_layer("wide", {}, {.shape = {2}, .output = {}, .output_code = wide_codes, .code_words = 2, .reference = {}});
  file.finish();
}

Shape shape_of(hid_t dataset) {
  const Id space(H5Dget_space(dataset));
  std::vector<hsize_t> extents(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space)));
  H5Sget_simple_extent_dims(space, extents.data(), nullptr);
  return {extents.begin(), extents.end()};
}

template <class T>
T attribute_of(hid_t file, const char* object, const char* name) {
  const Id attribute(H5Aopen_by_name(file, object, name, H5P_DEFAULT, H5P_DEFAULT));
  T value{};
  worked(H5Aread(attribute, native_type<T>(), &value));
  return value;
}

std::string text_of(hid_t file, const char* object, const char* name) {
  const Id attribute(H5Aopen_by_name(file, object, name, H5P_DEFAULT, H5P_DEFAULT));
  const Id type(H5Aget_type(attribute));
  CHECK(H5Tis_variable_str(type) > 0);
  CHECK(H5Tget_cset(type) == H5T_CSET_UTF8);
  char* text = nullptr;
  worked(H5Aread(attribute, type, &text));
  std::string copy = text == nullptr ? "" : text;
  H5free_memory(text);
  return copy;
}

}  // namespace

TEST_CASE("a results file holds arrays of the contract's types and shapes, and attributes at root and layers") {
  const TempDir dir;
  {
    ResultsFile file(dir / "r.h5");
    write_results(file);
  }
  const Id file(H5Fopen((dir / "r.h5").c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  CHECK(text_of(file, "/", "schema") == "accsim-results/1");
  CHECK(text_of(file, "/", "accsim") == "0.1.0");
  CHECK(attribute_of<std::int64_t>(file, "/", "seed") == 7);
  CHECK(text_of(file, "step_1/net/fc", "op") == "linear");
  CHECK(text_of(file, "step_1/net/fc", "note").empty());
  CHECK(attribute_of<std::int64_t>(file, "step_1/net/fc/dgrad", "m") == 2);
  CHECK(attribute_of<double>(file, "step_1/net/fc", "sndr_db") == 12.5);

  const Id output(H5Dopen2(file, "step_1/net/fc/output", H5P_DEFAULT));
  const Id output_type(H5Dget_type(output));
  CHECK(H5Tequal(output_type, H5T_IEEE_F64LE) > 0);
  CHECK(shape_of(output) == Shape{2, 3});
  std::vector<double> values(6);
  worked(H5Dread(output, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()));
  CHECK(values == std::vector<double>{1.5, -2.0, 3.25, 0.0, 5.0, 6.0});

  const Id codes(H5Dopen2(file, "step_1/net/fc/output_code", H5P_DEFAULT));
  const Id code_type(H5Dget_type(codes));
  CHECK(H5Tequal(code_type, H5T_STD_U64LE) > 0);
  CHECK(shape_of(codes) == Shape{2, 3});
  CHECK(H5Lexists(file, "step_1/net/fc/reference", H5P_DEFAULT) > 0);
  CHECK(H5Lexists(file, "step_1/net/fc/dgrad/output_code", H5P_DEFAULT) == 0);
  CHECK(H5Lexists(file, "step_1/net/fc/dgrad/reference", H5P_DEFAULT) == 0);

  const Id wide(H5Dopen2(file, "wide/output_code", H5P_DEFAULT));
  CHECK(shape_of(wide) == Shape{2, 2});
  std::vector<std::uint64_t> words(4);
  worked(H5Dread(wide, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, words.data()));
  CHECK(words == std::vector<std::uint64_t>{1, 0, 2, 0});
}

TEST_CASE("the same results are the same bytes, whenever they are written") {
  const TempDir dir;
  {
    ResultsFile first(dir / "first.h5");
    write_results(first);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // HDF5's time stamps have seconds
  {
    ResultsFile second(dir / "second.h5");
    write_results(second);
  }
  CHECK(bytes_of(dir / "first.h5") == bytes_of(dir / "second.h5"));
}

TEST_CASE("a results file appears when it is finished, and replaces an older one only then") {
  const TempDir dir;
  std::ofstream(dir / "r.h5") << "older";
  {
    ResultsFile file(dir / "r.h5");
    CHECK(bytes_of(dir / "r.h5") == "older");
    CHECK(files_in(dir.path()).size() == 2);
    write_results(file);
    CHECK(files_in(dir.path()) == std::vector<std::string>{"r.h5"});
    CHECK(bytes_of(dir / "r.h5").starts_with("\x89HDF"));
  }
  CHECK(files_in(dir.path()) == std::vector<std::string>{"r.h5"});
}

TEST_CASE("the temporary file goes away with an exception") {
  const TempDir dir;
  try {
    ResultsFile file(dir / "r.h5");
    file.write_root({});
    throw std::runtime_error("something else failed");
  } catch (const std::runtime_error&) {}
  CHECK(files_in(dir.path()).empty());
}

TEST_CASE("two unfinished results files with one target do not disturb each other") {
  const TempDir dir;
  ResultsFile first(dir / "r.h5");
  {
    ResultsFile second(dir / "r.h5");
    write_results(second);
  }
  write_results(first);
  CHECK(files_in(dir.path()) == std::vector<std::string>{"r.h5"});
}

TEST_CASE("a target that cannot be written is refused before any work") {
  const TempDir dir;
  const std::string accepted = "; accepted: a file in a directory that can be written to";
  const auto opening = [](const std::filesystem::path& path) { return message_of([&] { const ResultsFile file(path); }); };
  CHECK(opening(dir / "none/r.h5") == (dir / "none/r.h5").string() + ": cannot be written: No such file or directory" + accepted);
  CHECK(opening(dir.path()) == dir.path().string() + ": a directory" + accepted);
  CHECK(opening("/dev/null") == "/dev/null: not a regular file" + accepted);
  std::ofstream(dir / "plain").close();
  CHECK(opening(dir / "plain/r.h5") == (dir / "plain/r.h5").string() + ": cannot be written: Not a directory" + accepted);
}

TEST_CASE("a symbolic link as target stays one, and what it points to is replaced") {
  const TempDir dir;
  std::filesystem::create_directory(dir / "real");
  std::ofstream(dir / "real/r.h5") << "older";
  std::filesystem::create_symlink("real/r.h5", dir / "link.h5");
  {
    ResultsFile file(dir / "link.h5");
    write_results(file);
  }
  CHECK(std::filesystem::is_symlink(dir / "link.h5"));
  CHECK(bytes_of(dir / "real/r.h5").starts_with("\x89HDF"));
}

TEST_CASE("an attribute written twice has its last value, and a layer written twice is refused") {
  const TempDir dir;
  ResultsFile file(dir / "r.h5");
  const std::vector<Attribute> one{{"seed", std::int64_t{1}}};
  const std::vector<Attribute> two{{"seed", std::int64_t{2}}};
  file.write_root(one);
  file.write_root(two);
  const std::vector<double> output{1.0};
  const LayerArrays arrays{.shape = {1}, .output = output, .output_code = {}, .reference = {}};
  file.write_layer("fc", {}, arrays);
  CHECK_THROWS_AS(file.write_layer("fc", {}, arrays), InputError);
  file.finish();
  const Id written_file(H5Fopen((dir / "r.h5").c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  CHECK(attribute_of<std::int64_t>(written_file, "/", "seed") == 2);
}

TEST_CASE("a file's digest is SHA-256 in lower-case hexadecimal") {
  const TempDir dir;
  std::ofstream(dir / "abc", std::ios::binary) << "abc";
  std::ofstream(dir / "empty").close();
  // FIPS 180-4 examples: the message "abc", and the empty one.
  CHECK(traces::sha256_of_file(dir / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(traces::sha256_of_file(dir / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  // FIPS 180-2, B.3: one million times "a", which is read in one block less than 1 MiB; twice with a rest is covered by any trace.
  std::ofstream(dir / "million", std::ios::binary) << std::string(1000000, 'a');
  CHECK(traces::sha256_of_file(dir / "million") == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  CHECK_THROWS_AS((void)traces::sha256_of_file(dir / "none"), InputError);
  CHECK_THROWS_AS((void)traces::sha256_of_file(dir.path()), InputError);
}

}  // namespace accsim::test
