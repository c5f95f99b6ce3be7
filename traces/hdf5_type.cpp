// Naming and classifying HDF5 datatypes by their facts.
#include "traces/hdf5_type.h"

#include <algorithm>

namespace accsim::traces::h5 {
namespace {

constexpr const char* accepted_types = "floats of 2, 4 or 8 bytes; with attribute \"format\": integers of up to 16 bytes";

/// Where sign, exponent and fraction of a float lie.
struct FloatFields {
  std::size_t sign = 0, exponent = 0, exponent_bits = 0, fraction = 0, fraction_bits = 0;
  std::size_t bias = 0, precision = 0, offset = 0;
  bool implicit_one = false;
};

FloatFields float_fields(hid_t type) {
  FloatFields f;
  checked(H5Tget_fields(type, &f.sign, &f.exponent, &f.exponent_bits, &f.fraction, &f.fraction_bits), "read a float type");
  f.bias = H5Tget_ebias(type);
  f.precision = H5Tget_precision(type);
  f.offset = static_cast<std::size_t>(std::max(0, H5Tget_offset(type)));
  f.implicit_one = H5Tget_norm(type) == H5T_NORM_IMPLIED;
  return f;
}

bool has_plain_order(hid_t type) {
  const H5T_order_t order = H5Tget_order(type);
  return order == H5T_ORDER_LE || order == H5T_ORDER_BE;
}

/// Sign, exponent, fraction from the top, nothing else, with these numbers of bits.
bool is_float_of(const FloatFields& f, std::size_t exponent_bits, std::size_t fraction_bits) {
  return f.implicit_one && f.offset == 0 && f.fraction == 0 && f.fraction_bits == fraction_bits && f.exponent == fraction_bits &&
         f.exponent_bits == exponent_bits && f.sign == fraction_bits + exponent_bits && f.precision == f.sign + 1;
}

bool is_binary32(const FloatFields& f) { return is_float_of(f, 8, 23) && f.bias == 127; }
bool is_binary64(const FloatFields& f) { return is_float_of(f, 11, 52) && f.bias == 1023; }
/// Any division of 2 bytes that is IEEE-style and whose values binary64 holds.
bool is_small_float(const FloatFields& f) {
  return f.exponent_bits >= 1 && f.exponent_bits <= 11 && f.fraction_bits >= 1 && f.exponent_bits + f.fraction_bits == 15 &&
         is_float_of(f, f.exponent_bits, f.fraction_bits) && f.bias <= 1023;
}

std::string float_name(hid_t type) {
  const std::size_t size = H5Tget_size(type);
  const FloatFields f = float_fields(type);
  if (size == 4 && is_binary32(f)) return "float32";
  if (size == 8 && is_binary64(f)) return "float64";
  if (size == 2 && is_float_of(f, 5, 10) && f.bias == 15) return "float16";
  if (size == 2 && is_float_of(f, 8, 7) && f.bias == 127) return "bfloat16";
  return "float of " + std::to_string(size) + " bytes (" + std::to_string(f.exponent_bits) + " exponent bits, " +
         std::to_string(f.fraction_bits) + " fraction bits, bias " + std::to_string(f.bias) + ")";
}

std::string integer_name(hid_t type) {
  const std::string sign = H5Tget_sign(type) == H5T_SGN_2 ? "int" : "uint";
  return sign + std::to_string(H5Tget_precision(type));
}

/// h5py writes complex numbers as a compound of r and i, booleans as an enumeration of FALSE and TRUE.
bool has_members(hid_t type, const char* first, const char* second) {
  if (H5Tget_nmembers(type) != 2) return false;
  for (unsigned i = 0; i < 2; ++i) {
    char* name = H5Tget_member_name(type, i);
    if (name == nullptr) return false;
    const bool same = std::string_view(name) == (i == 0 ? first : second);
    H5free_memory(name);
    if (!same) return false;
  }
  return true;
}

Handle in_host_order(hid_t type) {
  Handle copy = owned(H5Tcopy(type), H5Tclose, "copy a type");
  checked(H5Tset_order(copy.get(), H5Tget_order(H5T_NATIVE_INT)), "set a type's byte order");
  return copy;
}

Handle copy_of(hid_t type) { return owned(H5Tcopy(type), H5Tclose, "copy a type"); }

/// An integer of 16 bytes in the host's order, which HDF5 has no predefined type for.
Handle wide_integer(bool is_signed) {
  Handle type = copy_of(is_signed ? H5T_NATIVE_INT64 : H5T_NATIVE_UINT64);
  checked(H5Tset_size(type.get(), 16), "make a type of 16 bytes");
  checked(H5Tset_precision(type.get(), 128), "make a type of 16 bytes");
  return type;
}

StoredType stored_integer(hid_t type) {
  StoredType t;
  t.kind = StoredType::Kind::integer;
  t.is_signed = H5Tget_sign(type) == H5T_SGN_2;
  t.stored_bits = static_cast<int>(H5Tget_precision(type));
  const int size = static_cast<int>(H5Tget_size(type));
  const bool fills_its_bytes = t.stored_bits == 8 * size;
  if (fills_its_bytes && (size == 1 || size == 2 || size == 4 || size == 8)) {
    t.bytes = size;
    t.memory_type = in_host_order(type);
  } else {
    t.bytes = t.stored_bits <= 64 ? 8 : 16;
    t.memory_type = t.bytes == 16 ? wide_integer(t.is_signed) : copy_of(t.is_signed ? H5T_NATIVE_INT64 : H5T_NATIVE_UINT64);
  }
  return t;
}

StoredType stored_float(hid_t type) {
  const std::size_t size = H5Tget_size(type);
  const FloatFields f = float_fields(type);
  StoredType t;
  t.bytes = static_cast<int>(size);
  if (size == 4 && is_binary32(f)) {
    t.memory_type = copy_of(H5T_NATIVE_FLOAT);
    return t;
  }
  if (size == 8 && is_binary64(f)) {
    t.kind = StoredType::Kind::binary64;
    t.memory_type = copy_of(H5T_NATIVE_DOUBLE);
    return t;
  }
  if (size == 2 && is_small_float(f)) {
    t.kind = StoredType::Kind::small_float;
    t.small_float = {.exponent_bits = static_cast<int>(f.exponent_bits),
                     .fraction_bits = static_cast<int>(f.fraction_bits),
                     .bias = static_cast<int>(f.bias)};
    t.memory_type = in_host_order(type);
    return t;
  }
  throw InputError("", float_name(type), "binary16, bfloat16, binary32 or binary64");
}

}  // namespace

std::string type_name(hid_t type) {
  const std::string bytes = " of " + std::to_string(H5Tget_size(type)) + " bytes";
  switch (H5Tget_class(type)) {
    case H5T_INTEGER: return integer_name(type);
    case H5T_FLOAT: return float_name(type);
    case H5T_STRING: return "string";
    case H5T_COMPOUND: return has_members(type, "r", "i") ? "complex" : "compound";
    case H5T_ENUM: return has_members(type, "FALSE", "TRUE") ? "boolean" : "enumeration";
    case H5T_TIME: return "time";
    case H5T_BITFIELD: return "bitfield" + bytes;
    case H5T_OPAQUE: return "opaque" + bytes;
    case H5T_REFERENCE: return "reference";
    case H5T_VLEN: return "variable-length sequence";
    case H5T_ARRAY: return "array type";
    case H5T_NO_CLASS:
    case H5T_NCLASSES: break;
  }
  return "unknown type";
}

StoredType stored_type(hid_t type) {
  const H5T_class_t type_class = H5Tget_class(type);
  const std::size_t size = H5Tget_size(type);
  if (!(type_class == H5T_INTEGER && size <= 16) && !(type_class == H5T_FLOAT && size <= 8)) {
    throw InputError("", type_name(type), accepted_types);
  }
  if (size > 1 && !has_plain_order(type)) {
    throw InputError("", type_name(type) + " in an unusual byte order", "little-endian or big-endian");
  }
  return type_class == H5T_INTEGER ? stored_integer(type) : stored_float(type);
}

}  // namespace accsim::traces::h5
