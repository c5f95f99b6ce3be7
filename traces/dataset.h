// One dataset of a layer: shape, stored type, and the attributes that say what its elements mean.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "formats/format.h"
#include "traces/hdf5_type.h"
#include "traces/trace_file.h"

namespace accsim::traces {

using Shape = std::vector<std::int64_t>;

/// "[32, 16, 28, 28]"
std::string shape_text(const Shape& shape);
/// The number of elements, or nothing where it exceeds 2^40.
std::optional<std::int64_t> element_count(const Shape& shape);

/// Opens the object of this name in a layer's group. InputError: no such link, a link that leads nowhere, not a dataset.
h5::Handle open_dataset(hid_t group, const std::string& name);
/// Its shape, [] for a scalar. InputError: no element, or more than 2^40.
Shape dataset_shape(hid_t dataset);
/// The dataset as the file describes it; what cannot be read is left out, nothing is thrown for it.
DatasetInfo describe_dataset(hid_t group, const std::string& name);

/// A dataset that can be read: value = (decode(code) - zero_point) * scale.
struct Dataset {
  h5::Handle id;
  Shape shape;
  Shape chunk;  ///< empty for data without chunks
  h5::StoredType stored;
  std::optional<formats::Format> format;   ///< elements are raw codes of it
  std::vector<double> scale{1.0};          ///< one, or one for each index along `axis`
  std::vector<formats::Exact> zero_point;  ///< none (no attribute), one, or one for each index along `axis`
  int axis = -1;                           ///< -1 where both have at most one element

  [[nodiscard]] std::int64_t size() const;
  /// Elements between neighbours along `axis`.
  [[nodiscard]] std::int64_t axis_stride() const;
};

/// Opens a dataset of a layer's group and checks everything about it but its elements. InputError names the attribute.
Dataset read_dataset_facts(hid_t group, const std::string& name);

}  // namespace accsim::traces
