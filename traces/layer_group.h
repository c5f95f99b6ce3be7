// A layer's group in the file, as the lowering of an op asks about it: shapes of datasets, integer attributes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "traces/dataset.h"

namespace accsim::traces {

/// An open layer. Questions that the file has no proper answer to are InputErrors that name dataset or attribute.
class LayerGroup {
 public:
  /// `path` as find_layers gives it. InputError where the group cannot be opened.
  LayerGroup(hid_t file, const std::string& path);

  [[nodiscard]] hid_t id() const { return group_.get(); }
  [[nodiscard]] const std::string& path() const { return path_; }

  /// The `op` attribute. InputError unless it is one string.
  [[nodiscard]] std::string op() const;
  [[nodiscard]] bool has(const std::string& dataset) const;
  /// Names of everything in the group that opens as a dataset, by name.
  [[nodiscard]] std::vector<std::string> datasets() const;

  /// Shape of a dataset that has to be there. InputError: missing, no dataset, no element, fewer than `least_rank` or more
  /// than `most_rank` dimensions; `axes` says what is accepted, e.g. "[N, K]".
  [[nodiscard]] Shape shape(const std::string& dataset, std::size_t least_rank, std::size_t most_rank, std::string_view axes) const;
  /// Where the dataset exists, it has to have this shape; `axes` names the axes and `because` where they come from.
  void expect_shape(const std::string& dataset, const Shape& expected, std::string_view axes) const;

  /// One integer, or as many as `lengths` allows, each at least `least` and at most 2^31-1; `fallback` where absent.
  [[nodiscard]] std::vector<std::int64_t> integers(const char* attribute, std::int64_t fallback, std::initializer_list<std::size_t> lengths,
                                                   std::int64_t least) const;
  /// A boolean, or 0 or 1; false where absent.
  [[nodiscard]] bool flag(const char* attribute) const;
  /// The `loss_scale` attribute. InputError unless it is one finite number other than zero.
  [[nodiscard]] std::optional<double> loss_scale() const;

 private:
  std::string path_;
  h5::Handle group_;
};

/// a * b, both positive. InputError naming `what` where that exceeds 2^62.
std::int64_t checked_product(std::int64_t a, std::int64_t b, std::string_view what);

}  // namespace accsim::traces
