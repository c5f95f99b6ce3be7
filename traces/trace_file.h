// Reading accsim-trace/1 files (contracts 2): the layers without their data, then one layer's pass at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/lowering.h"
#include "sim/tensor.h"

namespace accsim::traces {

/// A dataset as the file describes it, without its data.
struct DatasetInfo {
  std::string name;  ///< "input", "weight", ...
  std::vector<std::int64_t> shape;
  std::string stored_type;            ///< "float32", "uint8", ...
  std::optional<std::string> format;  ///< the `format` attribute: the data are raw codes
  std::string scale;                  ///< for a reader: "", "0.5", "[64] along axis 0"
};

/// A layer as the file describes it.
struct LayerInfo {
  std::string name;                  ///< the group's path without the leading slash
  std::string op;                    ///< linear, matmul, conv2d (or what stood there)
  std::uint32_t rank = 0;            ///< rank in execution order over the whole file
  std::optional<std::int64_t> step;  ///< N of a path prefix step_N/
  std::vector<DatasetInfo> datasets;
  std::optional<double> loss_scale;
  std::vector<std::string> problems;  ///< why it cannot be replayed, empty when it can
  [[nodiscard]] const DatasetInfo* dataset(std::string_view name) const;
};

/// The tensors of one pass, ready to be simulated.
struct LayerPass {
  sim::Tensor a, b;
  std::optional<sim::Tensor> bias;  ///< fprop of a layer that has one
  std::unique_ptr<sim::Lowering> lowering;
};

class TraceFile {
 public:
  /// Opens the file and reads its structure. InputError: missing, empty, truncated, not HDF5, no layer in it.
  explicit TraceFile(const std::filesystem::path& path);
  ~TraceFile();
  TraceFile(TraceFile&&) noexcept;

  [[nodiscard]] std::span<const LayerInfo> layers() const;
  [[nodiscard]] const std::filesystem::path& path() const;
  /// Whether the layer has what the pass takes (gradients for dgrad and wgrad).
  [[nodiscard]] static bool has_pass(const LayerInfo& layer, sim::Pass pass);
  /// Checks everything about a pass that can be wrong, codes included, without keeping any data; returns its number of
  /// multiply-accumulates. Throws InputError that names file, layer, field, what was found and what is accepted.
  std::int64_t check(const LayerInfo& layer, sim::Pass pass) const;
  /// Reads one pass. The same errors as check.
  [[nodiscard]] LayerPass load(const LayerInfo& layer, sim::Pass pass) const;
  /// Reads one dataset of a layer, whether a pass takes it or not. InputError as those of load.
  [[nodiscard]] sim::Tensor load_dataset(const LayerInfo& layer, const std::string& name) const;
  /// The layer's loss scale, 1 where it has none. InputError unless it is one finite number other than zero.
  [[nodiscard]] double loss_scale(const LayerInfo& layer) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace accsim::traces
