// Small HDF5 files for the tests of traces/, written with the C API.
#pragma once

#include <hdf5.h>
#include <unistd.h>

#include <complex>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "formats/error.h"
#include "traces/trace_file.h"

namespace accsim::test {

using Shape = std::vector<std::int64_t>;

/// A directory that goes away with the test.
class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "accsim-traces-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  ~TempDir() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

template <class T>
T worked(T result) {
  if (result < 0) throw std::runtime_error("HDF5 failed in a test's own file");
  return result;
}

/// Closes an identifier of any kind.
class Id {
 public:
  Id(hid_t id) : id_(worked(id)) {}  // NOLINT: converts on purpose
  ~Id() { H5Idec_ref(id_); }
  Id(const Id&) = delete;
  Id& operator=(const Id&) = delete;
  operator hid_t() const { return id_; }  // NOLINT

 private:
  hid_t id_;
};

template <class T>
hid_t native_type() {
  if constexpr (std::is_same_v<T, float>) return H5T_NATIVE_FLOAT;
  else if constexpr (std::is_same_v<T, double>) return H5T_NATIVE_DOUBLE;
  else if constexpr (std::is_same_v<T, std::int8_t>) return H5T_NATIVE_INT8;
  else if constexpr (std::is_same_v<T, std::uint8_t>) return H5T_NATIVE_UINT8;
  else if constexpr (std::is_same_v<T, std::int16_t>) return H5T_NATIVE_INT16;
  else if constexpr (std::is_same_v<T, std::uint16_t>) return H5T_NATIVE_UINT16;
  else if constexpr (std::is_same_v<T, std::int32_t>) return H5T_NATIVE_INT32;
  else if constexpr (std::is_same_v<T, std::uint32_t>) return H5T_NATIVE_UINT32;
  else if constexpr (std::is_same_v<T, std::int64_t>) return H5T_NATIVE_INT64;
  else return H5T_NATIVE_UINT64;
}

/// How a dataset is stored.
struct Storage {
  hid_t file_type = H5I_INVALID_HID;  ///< default: the type of the values
  Shape chunk{};
  bool deflate = false, shuffle = false, fletcher32 = false;
};

/// A file that is being written; groups come into being with what is put into them.
class TestFile {
 public:
  explicit TestFile(const std::filesystem::path& path) : id_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {}
  [[nodiscard]] hid_t id() const { return id_; }

  TestFile& group(const std::string& path, bool track_order = false) {
    const Id links(H5Pcreate(H5P_LINK_CREATE));
    const Id creation(H5Pcreate(H5P_GROUP_CREATE));
    worked(H5Pset_create_intermediate_group(links, 1));
    if (track_order) worked(H5Pset_link_creation_order(creation, H5P_CRT_ORDER_TRACKED));
    const Id made(H5Gcreate2(id_, path.c_str(), links, creation, H5P_DEFAULT));
    return *this;
  }

  template <class T>
  TestFile& dataset(const std::string& path, const Shape& shape, const std::vector<T>& values, const Storage& storage = {}) {
    return raw_dataset(path, shape, storage.file_type >= 0 ? storage.file_type : native_type<T>(), native_type<T>(), values.data(),
                       storage);
  }

  TestFile& raw_dataset(const std::string& path, const Shape& shape, hid_t file_type, hid_t memory_type, const void* data,
                        const Storage& storage = {}) {
    const std::vector<hsize_t> extents(shape.begin(), shape.end());
    const Id space(shape.empty() ? H5Screate(H5S_SCALAR) : H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr));
    const Id links(H5Pcreate(H5P_LINK_CREATE));
    worked(H5Pset_create_intermediate_group(links, 1));
    const Id creation(H5Pcreate(H5P_DATASET_CREATE));
    if (!storage.chunk.empty()) {
      const std::vector<hsize_t> chunk(storage.chunk.begin(), storage.chunk.end());
      worked(H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data()));
    }
    if (storage.shuffle) worked(H5Pset_shuffle(creation));
    if (storage.deflate) worked(H5Pset_deflate(creation, 4));
    if (storage.fletcher32) worked(H5Pset_fletcher32(creation));
    const Id made(H5Dcreate2(id_, path.c_str(), file_type, space, links, creation, H5P_DEFAULT));
    if (data != nullptr) worked(H5Dwrite(made, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data));
    return *this;
  }

  /// A scalar attribute.
  template <class T>
  requires std::is_arithmetic_v<T> TestFile& attribute(const std::string& object, const char* name, T value) {
    const Id space(H5Screate(H5S_SCALAR));
    return raw_attribute(object, name, native_type<T>(), space, &value);
  }
  TestFile& attribute(const std::string& object, const char* name, int value) {
    return attribute(object, name, static_cast<std::int64_t>(value));
  }
  /// A one-dimensional attribute.
  template <class T>
  TestFile& attribute(const std::string& object, const char* name, const std::vector<T>& values) {
    const hsize_t length = values.size();
    const Id space(H5Screate_simple(1, &length, nullptr));
    return raw_attribute(object, name, native_type<T>(), space, values.data());
  }
  /// A string of variable length.
  TestFile& attribute(const std::string& object, const char* name, const char* text) {
    const Id type(H5Tcopy(H5T_C_S1));
    worked(H5Tset_size(type, H5T_VARIABLE));
    const Id space(H5Screate(H5S_SCALAR));
    return raw_attribute(object, name, type, space, &text);
  }
  TestFile& raw_attribute(const std::string& object, const char* name, hid_t type, hid_t space, const void* value) {
    const Id opened(H5Oopen(id_, object.c_str(), H5P_DEFAULT));
    if (H5Aexists(opened, name) > 0) worked(H5Adelete(opened, name));
    const Id made(H5Acreate2(opened, name, type, space, H5P_DEFAULT, H5P_DEFAULT));
    if (value != nullptr) worked(H5Awrite(made, type, value));
    return *this;
  }

 private:
  Id id_;
};

inline std::int64_t size_of(const Shape& shape) {
  std::int64_t size = 1;
  for (const std::int64_t extent : shape) size *= extent;
  return size;
}

/// Different small integers, all of them exact in every float type.
inline std::vector<float> ramp(const Shape& shape, int start = 1) {
  std::vector<float> values(static_cast<std::size_t>(size_of(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(start + static_cast<int>(i) % 61 - 20);
  return values;
}

/// A linear layer `fc` with input [2, 3] and weight [4, 3], for tests that change one thing about it.
inline void write_linear(TestFile& file, const std::string& name = "fc") {
  file.dataset(name + "/input", {2, 3}, ramp({2, 3})).dataset(name + "/weight", {4, 3}, ramp({4, 3}, 5));
  file.attribute(name, "op", "linear");
}
/// A conv2d layer `conv` with input [2, 4, 5, 6] and weight [6, 4, 3, 2].
inline void write_conv(TestFile& file, const std::string& name = "conv") {
  file.dataset(name + "/input", {2, 4, 5, 6}, ramp({2, 4, 5, 6})).dataset(name + "/weight", {6, 4, 3, 2}, ramp({6, 4, 3, 2}, 5));
  file.attribute(name, "op", "conv2d");
}

/// Writes a file, and gives what TraceFile makes of it.
inline std::filesystem::path written(const TempDir& dir, const std::function<void(TestFile&)>& write, const std::string& name = "t.h5") {
  TestFile file(dir / name);
  write(file);
  return dir / name;
}

/// Every element as binary64.
inline std::vector<double> numbers(const sim::Tensor& tensor) {
  std::vector<double> all;
  for (std::int64_t i = 0; i < tensor.size(); ++i) all.push_back(tensor.values.number(i));
  return all;
}

inline constexpr sim::Pass all_passes[] = {sim::Pass::fprop, sim::Pass::dgrad, sim::Pass::wgrad};

/// The message of the InputError that f throws; "no error" where it throws none.
inline std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// The message that check gives for the first layer of a file, without the file's name, which has to be in front of it.
/// load has to give the same.
inline std::string checking(const std::function<void(TestFile&)>& write, sim::Pass pass = sim::Pass::fprop) {
  const TempDir dir;
  const auto path = written(dir, write);
  const traces::TraceFile trace(path);
  const std::string checked = message_of([&] { trace.check(trace.layers()[0], pass); });
  const std::string loaded = message_of([&] { (void)trace.load(trace.layers()[0], pass); });
  if (checked != loaded) return "check: " + checked + " but load: " + loaded;
  if (checked == "no error") return checked;
  const std::string file = path.string() + ": ";
  return checked.starts_with(file) ? checked.substr(file.size()) : "without the file's name: " + checked;
}

/// The same for write_linear spoiled in one way.
inline std::string linear_with(const std::function<void(TestFile&)>& spoil, sim::Pass pass = sim::Pass::fprop) {
  return checking(
      [&](TestFile& file) {
        write_linear(file);
        spoil(file);
      },
      pass);
}

/// How messages about linear_with's datasets start.
inline const std::string input = "layer \"fc\": dataset \"input\": ";
inline const std::string weight = "layer \"fc\": dataset \"weight\": ";
constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

}  // namespace accsim::test
