// Writing results so that the same results are the same bytes, and a file is complete or absent.
#include "traces/results_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "formats/error.h"
#include "traces/dataset.h"
#include "traces/hdf5_handle.h"

namespace accsim::traces {
namespace {

using h5::checked;
using h5::Handle;
using h5::quoted;

constexpr const char* results_schema = "accsim-results/1";
constexpr const char* accepted_target = "a file in a directory that can be written to";

/// What is written, symbolic links followed, after the mistakes that would else show only at the end.
std::filesystem::path checked_target(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (std::filesystem::is_directory(status)) throw InputError("", "a directory", accepted_target);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    throw InputError("", "not a regular file", accepted_target);
  if (path.filename().empty()) throw InputError("", "no file name", accepted_target);
  if (!std::filesystem::is_symlink(std::filesystem::symlink_status(path, error))) return path;
  const std::filesystem::path target = std::filesystem::weakly_canonical(path, error);
  return error ? path : target;
}

/// A file of a new name beside the target. Claimed through the system first, for its own words where that fails.
std::filesystem::path claim_temporary(const std::filesystem::path& target) {
  for (int attempt = 0;; ++attempt) {
    std::filesystem::path name = target;
    name += ".part-" + std::to_string(::getpid()) + "-" + std::to_string(attempt);
    const int descriptor = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0) {
      ::close(descriptor);
      return name;
    }
    if (errno != EEXIST) throw InputError("", "cannot be written: " + std::system_category().message(errno), accepted_target);
  }
}

/// A creation property list that keeps time stamps out of the file.
Handle without_times(hid_t kind) {
  Handle list = h5::owned(H5Pcreate(kind), H5Pclose, "make a property list");
  checked(H5Pset_obj_track_times(list.get(), false), "leave time stamps out");
  return list;
}

Handle space_of(const std::vector<std::int64_t>& shape) {
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  return h5::owned(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), H5Sclose, "describe an array");
}

void write_array(hid_t group, const char* name, hid_t file_type, hid_t memory_type, const std::vector<std::int64_t>& shape,
                 const void* data) {
  h5::within(quoted("dataset", name), [&] {
    const Handle space = space_of(shape);
    const Handle creation = without_times(H5P_DATASET_CREATE);
    const Handle dataset =
        h5::owned(H5Dcreate2(group, name, file_type, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT), H5Dclose, "create it");
    checked(H5Dwrite(dataset.get(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), "write it");
  });
}

void write_scalar(hid_t object, const std::string& name, hid_t file_type, hid_t memory_type, const void* value) {
  h5::within(quoted("attribute", name), [&] {
    if (checked(H5Aexists(object, name.c_str()), "look for it") > 0) checked(H5Adelete(object, name.c_str()), "replace it");
    const Handle space = h5::owned(H5Screate(H5S_SCALAR), H5Sclose, "describe a scalar");
    const Handle attribute =
        h5::owned(H5Acreate2(object, name.c_str(), file_type, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose, "create it");
    checked(H5Awrite(attribute.get(), memory_type, value), "write it");
  });
}

/// Variable-length UTF-8, which h5py reads as str.
void write_text(hid_t object, const std::string& name, const std::string& text) {
  const Handle type = h5::owned(H5Tcopy(H5T_C_S1), H5Tclose, "make a string type");
  checked(H5Tset_size(type.get(), H5T_VARIABLE), "make a string type");
  checked(H5Tset_cset(type.get(), H5T_CSET_UTF8), "make a string type");
  const char* pointer = text.c_str();
  write_scalar(object, name, type.get(), type.get(), &pointer);
}

void write_attribute(hid_t object, const Attribute& attribute) {
  const auto& [name, value] = attribute;
  if (const auto* integer = std::get_if<std::int64_t>(&value)) write_scalar(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, integer);
  else if (const auto* number = std::get_if<double>(&value)) write_scalar(object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, number);
  else write_text(object, name, std::get<std::string>(value));
}

void check_size(const char* name, std::size_t found, std::int64_t elements, int words) {
  if (found == 0 || found == static_cast<std::size_t>(elements * words)) return;
  throw std::logic_error(std::string("results array ") + name + " does not have the size of its shape");
}

}  // namespace

struct ResultsFile::Impl {
  std::filesystem::path path, target, temporary;
  Handle file;

  Impl(const std::filesystem::path& wanted) : path(wanted), target(checked_target(wanted)), temporary(claim_temporary(target)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    (void)file.close();
    std::error_code error;
    if (!temporary.empty()) std::filesystem::remove(temporary, error);
  }

  void create() {
    h5::silence();
    const Handle creation = without_times(H5P_FILE_CREATE);
    file = h5::owned(H5Fcreate(temporary.c_str(), H5F_ACC_TRUNC, creation.get(), H5P_DEFAULT), H5Fclose, "create the file");
    const Handle root = open_group("/");
    write_text(root.get(), "schema", results_schema);
  }

  [[nodiscard]] Handle open_group(const std::string& name) const {
    return h5::owned(H5Gopen2(file.get(), name.c_str(), H5P_DEFAULT), H5Gclose, "open a group");
  }

  /// The group of this path, made with its parents where they are missing.
  [[nodiscard]] Handle make_group(const std::string& name) const {
    Handle group = open_group("/");
    const Handle creation = without_times(H5P_GROUP_CREATE);
    for (std::size_t begin = 0; begin < name.size();) {
      const std::size_t end = std::min(name.find('/', begin), name.size());
      const std::string part = name.substr(begin, end - begin);
      begin = end + 1;
      if (part.empty()) continue;
      if (checked(H5Lexists(group.get(), part.c_str(), H5P_DEFAULT), "look for a group") > 0) {
        group = h5::owned(H5Gopen2(group.get(), part.c_str(), H5P_DEFAULT), H5Gclose, "open a group");
      } else {
        group = h5::owned(H5Gcreate2(group.get(), part.c_str(), H5P_DEFAULT, creation.get(), H5P_DEFAULT), H5Gclose, "create a group");
      }
    }
    return group;
  }

  void finish() {
    checked(H5Fflush(file.get(), H5F_SCOPE_GLOBAL), "write the file");
    if (!file.close()) h5::fail("close the file");
    std::error_code error;
    std::filesystem::rename(temporary, target, error);
    if (error) throw InputError("", "cannot be written: " + error.message(), accepted_target);
    temporary.clear();
  }
};

ResultsFile::ResultsFile(const std::filesystem::path& path) {
  h5::within(path.string(), [&] {
    impl_ = std::make_unique<Impl>(path);
    impl_->create();
  });
}

ResultsFile::~ResultsFile() = default;

void ResultsFile::write_root(std::span<const Attribute> attributes) {
  h5::within(impl_->path.string(), [&] {
    const Handle root = impl_->open_group("/");
    for (const Attribute& attribute : attributes) write_attribute(root.get(), attribute);
  });
}

void ResultsFile::write_layer(const std::string& name, std::span<const Attribute> attributes, const LayerArrays& arrays) {
  const std::int64_t elements = element_count(arrays.shape).value_or(0);
  check_size("output", arrays.output.size(), elements, 1);
  check_size("output_code", arrays.output_code.size(), elements, arrays.code_words);
  check_size("reference", arrays.reference.size(), elements, 1);
  std::vector<std::int64_t> code_shape = arrays.shape;
  if (arrays.code_words > 1) code_shape.push_back(arrays.code_words);
  h5::within(impl_->path.string(), [&] {
    h5::within(quoted("group", name), [&] {
      const Handle group = impl_->make_group(name);
      for (const Attribute& attribute : attributes) write_attribute(group.get(), attribute);
      if (!arrays.output.empty()) write_array(group.get(), "output", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, arrays.shape, arrays.output.data());
      if (!arrays.output_code.empty()) {
        write_array(group.get(), "output_code", H5T_STD_U64LE, H5T_NATIVE_UINT64, code_shape, arrays.output_code.data());
      }
      if (!arrays.reference.empty()) {
        write_array(group.get(), "reference", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, arrays.shape, arrays.reference.data());
      }
    });
  });
}

void ResultsFile::finish() {
  h5::within(impl_->path.string(), [&] { impl_->finish(); });
}

}  // namespace accsim::traces
