// Reading the next layer while one is simulated.
#pragma once

#include <chrono>
#include <cstdint>
#include <future>
#include <optional>

#include "cli/layer_selection.h"

namespace accsim::cli {

struct LoadedPass {
  traces::LayerPass pass;
  double seconds = 0;  ///< that reading took
};

/// Reads a job's tensors, one job ahead where that is asked for. HDF5 is used by one thread at a time: what else reads or writes such files
/// waits first. Mistakes in the file appear when the layer is taken.
class ReadAhead {
 public:
  explicit ReadAhead(const traces::TraceFile& trace) : trace_(trace) {}

  /// The job's tensors; those read ahead, where they are this job's.
  LoadedPass take(const Job& job) {
    if (!next_.valid() || next_job_ != &job) {
      wait();
      return load(job);
    }
    next_job_ = nullptr;
    return next_.get();
  }
  /// Begins to read a job, which outlives the object. Large ones wait until they are taken, so that two are not in memory at a time.
  void start(const Job& job) {
    if (elements(*job.layer) > most_elements) return;
    wait();
    next_job_ = &job;
    next_ = std::async(std::launch::async, [this, &job] { return load(job); });
  }
  /// Until nothing is being read.
  void wait() const {
    if (next_.valid()) next_.wait();
  }

 private:
  static constexpr std::int64_t most_elements = std::int64_t{8} << 20;  // 32 MB as binary32

  static std::int64_t elements(const traces::LayerInfo& layer) {
    std::int64_t all = 0;
    for (const traces::DatasetInfo& d : layer.datasets) {
      std::int64_t of_one = 1;
      for (const std::int64_t extent : d.shape) of_one *= extent;
      all += of_one;
    }
    return all;
  }
  [[nodiscard]] LoadedPass load(const Job& job) const {
    const auto start = std::chrono::steady_clock::now();
    traces::LayerPass pass = trace_.load(*job.layer, job.pass);
    return {std::move(pass), std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()};
  }

  const traces::TraceFile& trace_;
  const Job* next_job_ = nullptr;
  std::future<LoadedPass> next_;
};

}  // namespace accsim::cli
