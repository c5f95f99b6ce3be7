// Owning HDF5 identifiers, and HDF5's failures as exceptions that carry its own words.
#pragma once

#include <hdf5.h>

#include <string>
#include <string_view>
#include <utility>

#include "formats/error.h"

namespace accsim::traces::h5 {

/// Owns an HDF5 identifier and closes it with the function that fits its kind.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }

  [[nodiscard]] hid_t get() const { return id_; }
  [[nodiscard]] explicit operator bool() const { return id_ >= 0; }
  /// Closes now. False where HDF5 could not, for files that means that not all was written.
  [[nodiscard]] bool close() { return id_ < 0 || close_(std::exchange(id_, H5I_INVALID_HID)) >= 0; }

 private:
  hid_t id_ = H5I_INVALID_HID;
  Close close_ = nullptr;
};

/// Stops HDF5 from printing its errors; they come out of last_error() instead. Cheap, to be called by whoever opens a file.
void silence();

/// What the innermost function of HDF5 said about the last failure; "no reason given" where nothing is recorded.
std::string last_error();

/// Throws InputError "HDF5 cannot WHAT: REASON".
[[noreturn]] void fail(std::string_view what);

/// The result of an HDF5 call, or InputError where it is negative.
template <class T>
T checked(T result, std::string_view what) {
  if (result < 0) fail(what);
  return result;
}

/// The identifier that an HDF5 call returned, owned; InputError where the call failed.
inline Handle owned(hid_t id, Handle::Close close, std::string_view what) { return {checked(id, what), close}; }

/// Runs f; a mistake found in there is seen from `where`.
template <class F>
decltype(auto) within(std::string_view where, F&& f) {
  try {
    return std::forward<F>(f)();
  } catch (const InputError& error) {
    throw error.inside(where);
  }
}

/// "input" in quotes after what it is: dataset "input".
inline std::string quoted(std::string_view kind, std::string_view name) { return std::string(kind) + " \"" + std::string(name) + "\""; }

}  // namespace accsim::traces::h5
