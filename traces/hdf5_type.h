// What HDF5's datatypes are called, and which of them a trace's datasets may have.
#pragma once

#include <string>

#include "formats/format.h"
#include "traces/hdf5_handle.h"

namespace accsim::traces::h5 {

/// A short name for people: "float32", "uint8", "bfloat16", "complex", "string", ...; byte order is left out.
std::string type_name(hid_t type);

/// How a dataset's elements are stored, and the type to read them as.
struct StoredType {
  enum class Kind {
    binary32,     ///< read as the host's float
    binary64,     ///< read as the host's double
    small_float,  ///< a float of 2 bytes (binary16, bfloat16, ...): its bits are read, and decoded by `small_float`
    integer,      ///< an integer of `bytes` bytes in memory
  };
  Kind kind = Kind::binary32;
  formats::FloatFormat small_float;
  int stored_bits = 0;     ///< bits of the stored integer
  int bytes = 0;           ///< of an element in memory: 1, 2, 4, 8 or 16
  bool is_signed = false;  ///< integers
  Handle memory_type;
};

/// InputError, naming the type, for all but floats of 2, 4 or 8 bytes and integers of up to 16 bytes.
StoredType stored_type(hid_t type);

}  // namespace accsim::traces::h5
