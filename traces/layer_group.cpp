// Questions about a layer's group, answered or refused by name.
#include "traces/layer_group.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "formats/error.h"
#include "traces/hdf5_attribute.h"
#include "traces/scan.h"

namespace accsim::traces {
namespace {

using h5::quoted;

constexpr std::int64_t largest_attribute = std::numeric_limits<std::int32_t>::max();

std::string lengths_text(std::initializer_list<std::size_t> lengths) {
  std::string text = "one integer";
  for (const std::size_t length : lengths) text += " or " + std::to_string(length);
  return text;
}

}  // namespace

LayerGroup::LayerGroup(hid_t file, const std::string& path)
    : path_(path), group_(h5::owned(H5Gopen2(file, path.c_str(), H5P_DEFAULT), H5Gclose, "open the group")) {}

std::string LayerGroup::op() const {
  const auto text = h5::text_attribute(group_.get(), "op");
  if (!text) throw InputError("", "no attribute \"op\"", "one string");
  return *text;
}

bool LayerGroup::has(const std::string& dataset) const {
  return h5::checked(H5Lexists(group_.get(), dataset.c_str(), H5P_DEFAULT), "look for a dataset") > 0;
}

std::vector<std::string> LayerGroup::datasets() const {
  std::vector<std::string> names;
  for (const Link& link : links_of(group_.get())) {
    const h5::Handle object{H5Oopen(group_.get(), link.name.c_str(), H5P_DEFAULT), H5Oclose};
    if (object && H5Iget_type(object.get()) == H5I_DATASET) names.push_back(link.name);
    if (!object) H5Eclear2(H5E_DEFAULT);
  }
  return names;
}

Shape LayerGroup::shape(const std::string& dataset, std::size_t least_rank, std::size_t most_rank, std::string_view axes) const {
  return h5::within(quoted("dataset", dataset), [&] {
    if (!has(dataset)) throw InputError("", "missing", "a dataset " + std::string(axes));
    const h5::Handle opened = open_dataset(group_.get(), dataset);
    Shape found = dataset_shape(opened.get());
    if (found.size() >= least_rank && found.size() <= most_rank) return found;
    const std::string rank = found.empty() ? "a scalar" : std::to_string(found.size()) + " dimensions " + shape_text(found);
    throw InputError("", rank, std::string(axes));
  });
}

void LayerGroup::expect_shape(const std::string& dataset, const Shape& expected, std::string_view axes) const {
  if (!has(dataset)) return;
  h5::within(quoted("dataset", dataset), [&] {
    const h5::Handle opened = open_dataset(group_.get(), dataset);
    const Shape found = dataset_shape(opened.get());
    if (found == expected) return;
    throw InputError("", "shape " + shape_text(found), shape_text(expected) + ", " + std::string(axes));
  });
}

std::vector<std::int64_t> LayerGroup::integers(const char* attribute, std::int64_t fallback, std::initializer_list<std::size_t> lengths,
                                               std::int64_t least) const {
  const auto values = h5::integer_attribute(group_.get(), attribute);
  if (!values) return {fallback};
  const std::string where = quoted("attribute", attribute);
  if (values->size() != 1 && std::find(lengths.begin(), lengths.end(), values->size()) == lengths.end()) {
    throw InputError(where, std::to_string(values->size()) + " integers", lengths_text(lengths));
  }
  for (const std::int64_t value : *values) {
    if (value >= least && value <= largest_attribute) continue;
    throw InputError(where, std::to_string(value), std::to_string(least) + " to " + std::to_string(largest_attribute));
  }
  return *values;
}

bool LayerGroup::flag(const char* attribute) const {
  const auto value = h5::single_integer_attribute(group_.get(), attribute);
  if (value.value_or(0) != 0 && value != 1) throw InputError(quoted("attribute", attribute), std::to_string(*value), "a boolean, 0 or 1");
  return value == 1;
}

std::optional<double> LayerGroup::loss_scale() const {
  using Value = h5::AttributeValue;
  const auto value = h5::read_attribute(group_.get(), "loss_scale");
  if (!value) return std::nullopt;
  const std::string where = quoted("attribute", "loss_scale");
  const std::string accepted = "one finite number other than zero";
  if (value->size() != 1 || std::holds_alternative<Value::Texts>(value->elements)) throw InputError(where, value->description(), accepted);
  const auto* floats = std::get_if<Value::Floats>(&value->elements);
  const double scale = floats != nullptr ? floats->front() : static_cast<double>(std::get<Value::Integers>(value->elements).front());
  if (std::isnan(scale)) throw InputError(where, "nan", accepted);
  if (std::isinf(scale)) throw InputError(where, scale < 0 ? "-inf" : "inf", accepted);
  if (scale == 0.0) throw InputError(where, "0", accepted);
  return scale;
}

std::int64_t checked_product(std::int64_t a, std::int64_t b, std::string_view what) {
  constexpr std::int64_t most = std::int64_t{1} << 62;
  if (a > most / b) throw InputError("", "more than 2^62 " + std::string(what), "a smaller layer");
  return a * b;
}

}  // namespace accsim::traces
