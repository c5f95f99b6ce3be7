// HDF5's error stack as text.
#include "traces/hdf5_handle.h"

namespace accsim::traces::h5 {
namespace {

herr_t keep_first(unsigned /*n*/, const H5E_error2_t* error, void* text) {
  auto& kept = *static_cast<std::string*>(text);
  if (kept.empty() && error->desc != nullptr) kept = error->desc;
  return 0;
}

}  // namespace

void silence() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

std::string last_error() {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &text);
  H5Eclear2(H5E_DEFAULT);
  return text.empty() ? "no reason given" : text;
}

void fail(std::string_view what) { throw InputError("", "HDF5 cannot " + std::string(what) + ": " + last_error(), "an intact HDF5 file"); }

}  // namespace accsim::traces::h5
