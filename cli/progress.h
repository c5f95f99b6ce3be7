// A progress bar with an ETA on standard error.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace accsim::cli {

enum class ProgressMode { automatic, always, never };

/// Draws at most ten times a second; erases itself at the end. Drawn by `automatic` only where standard error is a
/// terminal and the work takes longer than half a second.
class Progress {
 public:
  Progress(ProgressMode mode, std::int64_t total_macs);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void start_layer(const std::string& name);
  void advance(std::int64_t macs);
  /// Removes the bar, so that other output can be written.
  void clear();

 private:
  void draw();

  bool enabled_, always_;
  std::int64_t total_, done_ = 0;
  std::string layer_;
  std::chrono::steady_clock::time_point start_, last_drawn_;
  bool drawn_ = false;
};

}  // namespace accsim::cli
