// Reading attributes through HDF5's own conversions, which are exact for the types accepted here.
#include "traces/hdf5_attribute.h"

#include <cstring>
#include <limits>

#include "traces/hdf5_type.h"

namespace accsim::traces::h5 {
namespace {

constexpr const char* accepted_types = "integers of up to 64 bits, booleans, floats of 2, 4 or 8 bytes, strings";
constexpr hssize_t most_elements = hssize_t{1} << 24;

/// Releases what HDF5 allocated for variable-length strings.
class VariableStrings {
 public:
  VariableStrings(hid_t type, hid_t space, std::size_t count) : type_(type), space_(space), pointers_(count, nullptr) {}
  ~VariableStrings() { H5Dvlen_reclaim(type_, space_, H5P_DEFAULT, pointers_.data()); }
  VariableStrings(const VariableStrings&) = delete;
  VariableStrings& operator=(const VariableStrings&) = delete;
  std::vector<char*>& pointers() { return pointers_; }

 private:
  hid_t type_, space_;
  std::vector<char*> pointers_;
};

AttributeValue::Texts read_variable_strings(hid_t attribute, hid_t type, hid_t space, std::size_t count) {
  VariableStrings strings(type, space, count);
  checked(H5Aread(attribute, type, strings.pointers().data()), "read it");
  AttributeValue::Texts texts;
  for (const char* pointer : strings.pointers()) texts.emplace_back(pointer == nullptr ? "" : pointer);
  return texts;
}

/// The string in a field of fixed size: up to the first NUL; space-padded ones without the spaces at the end.
std::string unpadded(std::string_view field, H5T_str_t padding) {
  field = field.substr(0, field.find('\0'));
  if (padding == H5T_STR_SPACEPAD) field = field.substr(0, field.find_last_not_of(' ') + 1);
  return std::string(field);
}

AttributeValue::Texts read_fixed_strings(hid_t attribute, hid_t type, std::size_t count) {
  const std::size_t size = H5Tget_size(type);
  std::vector<char> bytes(size * count);
  checked(H5Aread(attribute, type, bytes.data()), "read it");
  AttributeValue::Texts texts;
  for (std::size_t i = 0; i < count; ++i) texts.push_back(unpadded({bytes.data() + i * size, size}, H5Tget_strpad(type)));
  return texts;
}

AttributeValue::Texts read_texts(hid_t attribute, hid_t type, hid_t space, std::size_t count) {
  if (checked(H5Tis_variable_str(type), "read its type") > 0) return read_variable_strings(attribute, type, space, count);
  return read_fixed_strings(attribute, type, count);
}

AttributeValue::Integers read_integers(hid_t attribute, hid_t stored, hid_t number, std::size_t count) {
  const bool is_signed = H5Tget_sign(number) == H5T_SGN_2;
  const std::size_t size = H5Tget_size(stored);
  const hid_t wanted = is_signed ? H5T_NATIVE_INT64 : H5T_NATIVE_UINT64;
  // Read as stored, then converted: this works for enumerations (booleans) too, by their underlying integers.
  std::vector<std::uint64_t> words(count * std::max<std::size_t>(1, (size + 7) / 8));
  checked(H5Aread(attribute, stored, words.data()), "read it");
  checked(H5Tconvert(number, wanted, count, words.data(), nullptr, H5P_DEFAULT), "convert it");
  AttributeValue::Integers values;
  for (std::size_t i = 0; i < count; ++i) {
    values.push_back(is_signed ? formats::Int128{static_cast<std::int64_t>(words[i])} : formats::Int128{words[i]});
  }
  return values;
}

AttributeValue::Floats read_floats(hid_t attribute, std::size_t count) {
  AttributeValue::Floats values(count);
  checked(H5Aread(attribute, H5T_NATIVE_DOUBLE, values.data()), "read it");
  return values;
}

std::size_t element_count(hid_t space) {
  const hssize_t count = checked(H5Sget_simple_extent_npoints(space), "read its shape");
  if (count == 0) throw InputError("", "no element", "a scalar or a one-dimensional array");
  if (count > most_elements) throw InputError("", std::to_string(count) + " elements", "at most 16777216");
  const int rank = checked(H5Sget_simple_extent_ndims(space), "read its shape");
  if (count > 1 && rank > 1)
    throw InputError("", "an array of " + std::to_string(rank) + " dimensions", "a scalar or a one-dimensional array");
  return static_cast<std::size_t>(count);
}

AttributeValue read_open_attribute(hid_t attribute) {
  const Handle space = owned(H5Aget_space(attribute), H5Sclose, "read its shape");
  const Handle type = owned(H5Aget_type(attribute), H5Tclose, "read its type");
  const std::size_t count = element_count(space.get());
  const H5T_class_t type_class = H5Tget_class(type.get());
  const std::size_t size = H5Tget_size(type.get());
  if (type_class == H5T_STRING) return {read_texts(attribute, type.get(), space.get(), count)};
  if (type_class == H5T_INTEGER && size <= 8) return {read_integers(attribute, type.get(), type.get(), count)};
  if (type_class == H5T_ENUM && size <= 8) {
    const Handle number = owned(H5Tget_super(type.get()), H5Tclose, "read its type");
    return {read_integers(attribute, type.get(), number.get(), count)};
  }
  if (type_class == H5T_FLOAT && (size == 2 || size == 4 || size == 8)) return {read_floats(attribute, count)};
  throw InputError("", type_name(type.get()), accepted_types);
}

std::int64_t as_int64(formats::Int128 value) {
  using Bounds = std::numeric_limits<std::int64_t>;
  if (value < Bounds::min() || value > Bounds::max()) {
    throw InputError("", formats::to_string(static_cast<formats::UInt128>(value)), "an integer of 64 bits with sign");
  }
  return static_cast<std::int64_t>(value);
}

}  // namespace

std::size_t AttributeValue::size() const {
  return std::visit([](const auto& v) { return v.size(); }, elements);
}

std::string AttributeValue::description() const {
  constexpr const char* names[] = {"integer", "float", "string"};
  return std::to_string(size()) + " " + names[elements.index()] + (size() == 1 ? "" : "s");
}

bool has_attribute(hid_t object, const char* name) { return checked(H5Aexists(object, name), "look for an attribute") > 0; }

bool has_string_attribute(hid_t object, const char* name) {
  if (!has_attribute(object, name)) return false;
  return within(quoted("attribute", name), [&] {
    const Handle attribute = owned(H5Aopen(object, name, H5P_DEFAULT), H5Aclose, "open it");
    const Handle type = owned(H5Aget_type(attribute.get()), H5Tclose, "read its type");
    return H5Tget_class(type.get()) == H5T_STRING;
  });
}

std::optional<AttributeValue> read_attribute(hid_t object, const char* name) {
  if (!has_attribute(object, name)) return std::nullopt;
  return within(quoted("attribute", name), [&] {
    const Handle attribute = owned(H5Aopen(object, name, H5P_DEFAULT), H5Aclose, "open it");
    return read_open_attribute(attribute.get());
  });
}

std::optional<std::string> text_attribute(hid_t object, const char* name) {
  const auto value = read_attribute(object, name);
  if (!value) return std::nullopt;
  const auto* texts = std::get_if<AttributeValue::Texts>(&value->elements);
  if (texts == nullptr || texts->size() != 1) throw InputError(quoted("attribute", name), value->description(), "one string");
  return texts->front();
}

std::optional<std::vector<std::int64_t>> integer_attribute(hid_t object, const char* name) {
  const auto value = read_attribute(object, name);
  if (!value) return std::nullopt;
  const auto* integers = std::get_if<AttributeValue::Integers>(&value->elements);
  if (integers == nullptr) throw InputError(quoted("attribute", name), value->description(), "integers");
  return within(quoted("attribute", name), [&] {
    std::vector<std::int64_t> narrow;
    for (const formats::Int128 element : *integers) narrow.push_back(as_int64(element));
    return narrow;
  });
}

std::optional<std::int64_t> single_integer_attribute(hid_t object, const char* name) {
  const auto integers = integer_attribute(object, name);
  if (!integers) return std::nullopt;
  if (integers->size() != 1) throw InputError(quoted("attribute", name), std::to_string(integers->size()) + " integers", "one integer");
  return integers->front();
}

}  // namespace accsim::traces::h5
