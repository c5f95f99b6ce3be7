// A text document that appears complete or not at all.
#pragma once

#include <filesystem>
#include <functional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace accsim::cli {

/// `path` from the root, symbolic links resolved as far as it exists; two names of one file resolve to the same.
std::filesystem::path resolved(const std::string& path);

/// `path` empty: no document; "-": standard output; a regular file (behind symbolic links) is replaced at the end by a rename;
/// anything else that exists (a device, a pipe) is written to directly.
class Document {
 public:
  /// InputError, before any work, where the place cannot be written.
  explicit Document(std::string path);
  [[nodiscard]] bool to_standard_output() const { return path_ == "-"; }
  /// Where it will stand, symbolic links resolved; empty without a file.
  [[nodiscard]] std::filesystem::path target() const { return target_; }
  void write(const std::function<void(std::ostream&)>& writer) const;

 private:
  std::string path_;
  std::filesystem::path target_;
  bool replaces_ = true;
};

/// No two outputs, and no output and the trace, may be one file; each output is its option and its target (empty: none).
void check_distinct(const std::string& trace, const std::vector<std::pair<std::string, std::filesystem::path>>& outputs);

}  // namespace accsim::cli
