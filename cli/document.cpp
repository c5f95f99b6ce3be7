#include "cli/document.h"

#include <unistd.h>

#include <fstream>
#include <iostream>

#include "cli/command.h"
#include "formats/error.h"

namespace accsim::cli {

namespace fs = std::filesystem;

fs::path resolved(const std::string& path) {
  // weakly_canonical alone leaves a name without a folder as it is where nothing of that name exists.
  std::error_code error;
  fs::path target = fs::weakly_canonical(fs::absolute(path), error);
  return error ? fs::absolute(path) : target;
}

Document::Document(std::string path) : path_(std::move(path)) {
  if (path_.empty() || to_standard_output()) return;
  std::error_code error;
  target_ = resolved(path_);
  const fs::file_status status = fs::status(target_, error);
  replaces_ = !fs::exists(status) || fs::is_regular_file(status);
  const fs::path folder = target_.parent_path();
  const bool works = replaces_ ? fs::is_directory(folder, error) && access(folder.c_str(), W_OK) == 0
                               : !fs::is_directory(status) && access(target_.c_str(), W_OK) == 0;
  if (!works) throw InputError(path_, "cannot be written", "a file name in an existing, writable folder");
}

void Document::write(const std::function<void(std::ostream&)>& writer) const {
  if (path_.empty()) return;
  if (to_standard_output()) {
    writer(std::cout);
    std::cout.flush();
    return;
  }
  const fs::path file_path = replaces_ ? fs::path(target_.string() + "." + std::to_string(getpid()) + ".part") : target_;
  {
    std::ofstream file(file_path, std::ios::binary);
    writer(file);
    file.flush();
    if (!file) {
      if (replaces_) fs::remove(file_path);
      throw InputError(path_, "cannot be written", "a writable place with room");
    }
  }
  if (replaces_) fs::rename(file_path, target_);
}

void check_distinct(const std::string& trace, const std::vector<std::pair<std::string, std::filesystem::path>>& outputs) {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto& [option, path] = outputs[i];
    if (path.empty()) continue;
    if (path == resolved(trace)) throw InputError(option + " " + path.string(), "the trace itself", "another file");
    for (std::size_t j = 0; j < i; ++j) {
      if (path == outputs[j].second) throw UsageError(option + " and " + outputs[j].first + " name the same file, " + path.string());
    }
  }
}

}  // namespace accsim::cli
