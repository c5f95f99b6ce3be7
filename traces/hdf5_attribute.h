// Attributes of any integer width, HDF5 booleans, floats and strings, scalar or one-dimensional.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "formats/integer.h"
#include "traces/hdf5_handle.h"

namespace accsim::traces::h5 {

/// An attribute's elements. An array of any rank with one element counts as that element.
struct AttributeValue {
  using Integers = std::vector<formats::Int128>;
  using Floats = std::vector<double>;
  using Texts = std::vector<std::string>;
  std::variant<Integers, Floats, Texts> elements;

  [[nodiscard]] std::size_t size() const;
  /// "3 integers", "1 float", "2 strings"
  [[nodiscard]] std::string description() const;
};

/// True where the object has an attribute of this name.
bool has_attribute(hid_t object, const char* name);

/// True where it has one, and that is a string or an array of strings.
bool has_string_attribute(hid_t object, const char* name);

/// The attribute, or nothing where the object has none. InputError, naming the attribute: a type that is none of
/// integer (up to 64 bits), boolean, float (2, 4 or 8 bytes) or string; no element; more than one dimension; unreadable.
std::optional<AttributeValue> read_attribute(hid_t object, const char* name);

/// The one string, or nothing where there is no such attribute. InputError for anything but one string.
std::optional<std::string> text_attribute(hid_t object, const char* name);

/// The integers (booleans count), or nothing where there is no such attribute. InputError for other types and for
/// integers outside int64.
std::optional<std::vector<std::int64_t>> integer_attribute(hid_t object, const char* name);

/// The one integer, or nothing. InputError for anything but one integer.
std::optional<std::int64_t> single_integer_attribute(hid_t object, const char* name);

}  // namespace accsim::traces::h5
