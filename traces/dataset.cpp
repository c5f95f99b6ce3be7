// Checking a dataset's shape, type and attributes (contracts 2).
#include "traces/dataset.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "formats/error.h"
#include "traces/hdf5_attribute.h"

namespace accsim::traces {
namespace {

using formats::Exact;
using h5::checked;
using h5::Handle;
using h5::quoted;

constexpr std::int64_t most_elements = std::int64_t{1} << 40;
constexpr std::size_t default_cache_bytes = std::size_t{1} << 20;  // HDF5's own, H5Pset_chunk_cache

std::string number_text(double value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  return {digits, end};
}

Exact exact_integer(formats::Int128 value) {
  Exact x;
  x.negative = value < 0;
  x.significand = formats::widened(static_cast<formats::UInt128>(value < 0 ? -value : value));
  return x;
}

/// The numbers of an attribute, exactly; nothing where it is absent. InputError: strings, NaN, infinities.
std::vector<Exact> exact_numbers(hid_t dataset, const char* name) {
  using Value = h5::AttributeValue;
  const auto value = h5::read_attribute(dataset, name);
  std::vector<Exact> numbers;
  if (!value) return numbers;
  if (std::holds_alternative<Value::Texts>(value->elements)) throw InputError(quoted("attribute", name), value->description(), "numbers");
  if (const auto* integers = std::get_if<Value::Integers>(&value->elements)) {
    for (const formats::Int128 x : *integers) numbers.push_back(exact_integer(x));
    return numbers;
  }
  for (const double x : std::get<Value::Floats>(value->elements)) {
    if (!std::isfinite(x)) throw InputError(quoted("attribute", name), number_text(x), "finite numbers");
    numbers.push_back(formats::from_double<formats::Wide>(x));
  }
  return numbers;
}

std::vector<double> read_scale(hid_t dataset) {
  std::vector<double> scale;
  for (const Exact& x : exact_numbers(dataset, "scale")) {
    const double number = formats::to_double(x);
    if (x.is_zero()) throw InputError(quoted("attribute", "scale"), "0", "finite numbers other than zero");
    if (!formats::same_value(formats::from_double<formats::Wide>(number), x)) {
      throw InputError(quoted("attribute", "scale"), "an integer that binary64 does not hold", "numbers of binary64");
    }
    scale.push_back(number);
  }
  return scale.empty() ? std::vector<double>{1.0} : scale;
}

/// The axis that `scale` or `zero_point` of several elements follow; from the end where negative.
int read_axis(hid_t dataset, const Shape& shape, bool is_needed) {
  const auto axis = h5::single_integer_attribute(dataset, "axis");
  const auto rank = static_cast<std::int64_t>(shape.size());
  const std::string range = std::to_string(-rank) + " to " + std::to_string(rank - 1) + " for shape " + shape_text(shape);
  if (axis && (*axis < -rank || *axis >= rank)) throw InputError(quoted("attribute", "axis"), std::to_string(*axis), range);
  if (!is_needed) return -1;
  if (!axis) throw InputError(quoted("attribute", "axis"), "missing beside a scale or zero_point of several elements", range);
  return static_cast<int>(*axis < 0 ? *axis + rank : *axis);
}

void check_length(const char* attribute, std::size_t length, const Dataset& d) {
  if (length <= 1) return;
  const std::int64_t extent = d.shape[static_cast<std::size_t>(d.axis)];
  if (static_cast<std::int64_t>(length) == extent) return;
  throw InputError(quoted("attribute", attribute), std::to_string(length) + " elements",
                   "1, or " + std::to_string(extent) + " along axis " + std::to_string(d.axis) + " of " + shape_text(d.shape));
}

std::optional<formats::Format> read_format(hid_t dataset, const h5::StoredType& stored, const std::string& type) {
  const auto text = h5::text_attribute(dataset, "format");
  const bool is_integer = stored.kind == h5::StoredType::Kind::integer;
  if (!text && is_integer) {
    throw InputError("", type + " without attribute \"format\"",
                     "with \"format\" raw codes in integers, without it floats of 2, 4 or 8 bytes");
  }
  if (!text) return std::nullopt;
  return h5::within(quoted("attribute", "format"), [&] {
    if (!is_integer) throw InputError("", "\"" + *text + "\" on " + type + " data", "integers, which hold the raw codes");
    return formats::parse_format(*text);
  });
}

Handle type_of(hid_t dataset) { return h5::owned(H5Dget_type(dataset), H5Tclose, "read its type"); }

Shape raw_shape(hid_t dataset) {
  const Handle space = h5::owned(H5Dget_space(dataset), H5Sclose, "read its shape");
  if (H5Sget_simple_extent_type(space.get()) == H5S_NULL) return {0};
  const int rank = checked(H5Sget_simple_extent_ndims(space.get()), "read its shape");
  std::vector<hsize_t> extents(static_cast<std::size_t>(rank));
  checked(H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr), "read its shape");
  return {extents.begin(), extents.end()};
}

/// The chunk's shape, empty for data without chunks.
Shape chunk_of(hid_t dataset, std::size_t rank) {
  const Handle creation = h5::owned(H5Dget_create_plist(dataset), H5Pclose, "read how it is stored");
  if (H5Pget_layout(creation.get()) != H5D_CHUNKED) return {};
  std::vector<hsize_t> extents(rank);
  checked(H5Pget_chunk(creation.get(), static_cast<int>(rank), extents.data()), "read its chunk size");
  return {extents.begin(), extents.end()};
}

/// Opens the dataset anew with a cache that holds one of its chunks, so that parts of a large one decompress it once.
void enlarge_cache(Dataset& d, hid_t group, const std::string& name) {
  std::size_t chunk_bytes = H5Tget_size(type_of(d.id.get()).get());
  for (const std::int64_t extent : d.chunk) chunk_bytes *= static_cast<std::size_t>(extent);
  if (chunk_bytes <= default_cache_bytes) return;
  const Handle access = h5::owned(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose, "make a property list");
  checked(H5Pset_chunk_cache(access.get(), H5D_CHUNK_CACHE_NSLOTS_DEFAULT, chunk_bytes, 1.0), "set its cache");
  (void)d.id.close();
  d.id = h5::owned(H5Dopen2(group, name.c_str(), access.get()), H5Dclose, "open it");
}

std::string scale_text(hid_t dataset) {
  const auto value = h5::read_attribute(dataset, "scale");
  if (!value) return "";
  if (value->size() > 1) {
    const auto axis = h5::single_integer_attribute(dataset, "axis");
    return "[" + std::to_string(value->size()) + "]" + (axis ? " along axis " + std::to_string(*axis) : "");
  }
  const std::vector<Exact> numbers = exact_numbers(dataset, "scale");
  return number_text(formats::to_double(numbers.front()));
}

/// f(), or a default where that finds a mistake: for descriptions, which do not judge.
template <class F>
auto or_default(F&& f) -> decltype(f()) {
  try {
    return f();
  } catch (const InputError&) {
    return {};
  }
}

}  // namespace

std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (const std::int64_t extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

std::optional<std::int64_t> element_count(const Shape& shape) {
  std::int64_t count = 1;
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  for (const std::int64_t extent : shape) {
    if (extent < 0 || extent > most_elements / count) return std::nullopt;
    count *= extent;
  }
  return count;
}

Handle open_dataset(hid_t group, const std::string& name) {
  if (checked(H5Lexists(group, name.c_str(), H5P_DEFAULT), "look for a dataset") == 0) throw InputError("", "missing", "a dataset");
  Handle object{H5Oopen(group, name.c_str(), H5P_DEFAULT), H5Oclose};
  if (!object) throw InputError("", "cannot be opened: " + h5::last_error(), "a dataset, or a link that leads to one");
  if (H5Iget_type(object.get()) != H5I_DATASET) throw InputError("", "a group or named type", "a dataset");
  return object;
}

Shape dataset_shape(hid_t dataset) {
  Shape shape = raw_shape(dataset);
  const auto count = element_count(shape);
  if (!count) throw InputError("", "shape " + shape_text(shape), "at most 2^40 elements");
  if (*count == 0) throw InputError("", "shape " + shape_text(shape) + ", no element", "at least one element");
  return shape;
}

DatasetInfo describe_dataset(hid_t group, const std::string& name) {
  const Handle dataset = open_dataset(group, name);
  DatasetInfo info;
  info.name = name;
  info.shape = or_default([&] { return raw_shape(dataset.get()); });
  info.stored_type = or_default([&] { return h5::type_name(type_of(dataset.get()).get()); });
  info.format = or_default([&] { return h5::text_attribute(dataset.get(), "format"); });
  info.scale = or_default([&] { return scale_text(dataset.get()); });
  return info;
}

std::int64_t Dataset::size() const { return element_count(shape).value_or(0); }

std::int64_t Dataset::axis_stride() const {
  std::int64_t stride = 1;
  for (std::size_t d = axis < 0 ? shape.size() : static_cast<std::size_t>(axis) + 1; d < shape.size(); ++d) stride *= shape[d];
  return stride;
}

Dataset read_dataset_facts(hid_t group, const std::string& name) {
  return h5::within(quoted("dataset", name), [&] {
    Dataset d;
    d.id = open_dataset(group, name);
    d.shape = dataset_shape(d.id.get());
    const Handle type = type_of(d.id.get());
    d.stored = h5::stored_type(type.get());
    d.chunk = chunk_of(d.id.get(), d.shape.size());
    if (!d.chunk.empty()) enlarge_cache(d, group, name);
    d.format = read_format(d.id.get(), d.stored, h5::type_name(type.get()));
    d.scale = read_scale(d.id.get());
    d.zero_point = exact_numbers(d.id.get(), "zero_point");
    d.axis = read_axis(d.id.get(), d.shape, d.scale.size() > 1 || d.zero_point.size() > 1);
    check_length("scale", d.scale.size(), d);
    check_length("zero_point", d.zero_point.size(), d);
    return d;
  });
}

}  // namespace accsim::traces
