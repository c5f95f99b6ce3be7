// Writing accsim-results/1 files (contracts 4): to a temporary name, renamed when complete.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace accsim::traces {

/// A named scalar that becomes an HDF5 attribute: int64, float64 or a UTF-8 string.
using Attribute = std::pair<std::string, std::variant<std::int64_t, double, std::string>>;

/// The arrays of one layer's pass; empty spans are not written.
struct LayerArrays {
  std::vector<std::int64_t> shape;
  std::span<const double> output;
  std::span<const std::uint64_t> output_code;  ///< one word an element, or two (low first) where code_words is 2
  int code_words = 1;
  std::span<const double> reference;
};

class ResultsFile {
 public:
  /// Creates the temporary file beside `path`. InputError where that cannot be written.
  explicit ResultsFile(const std::filesystem::path& path);
  /// Removes the temporary file unless finish() was reached.
  ~ResultsFile();
  ResultsFile(const ResultsFile&) = delete;
  ResultsFile& operator=(const ResultsFile&) = delete;

  void write_root(std::span<const Attribute> attributes);
  /// `group` is the layer's path (with /dgrad, /wgrad); parents are created.
  void write_layer(const std::string& group, std::span<const Attribute> attributes, const LayerArrays& arrays);
  /// Closes the file and renames it to its final name.
  void finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace accsim::traces
