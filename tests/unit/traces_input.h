// One tensor written to a file and read back as a layer's input.
#pragma once

#include <variant>

#include "traces_fixture.h"

namespace accsim::test {

/// Reads `fc/input` [1, N] of a linear layer whose weight is all ones; `write` makes the input.
inline sim::Tensor input_of(const std::function<void(TestFile&)>& write) {
  const TempDir dir;
  const auto path = written(dir, [&](TestFile& file) {
    write(file);
    const Id input(H5Dopen2(file.id(), "fc/input", H5P_DEFAULT));
    const Id space(H5Dget_space(input));
    const std::int64_t n = H5Sget_simple_extent_npoints(space);
    file.dataset("fc/weight", {1, n}, std::vector<float>(static_cast<std::size_t>(n), 1.0F)).attribute("fc", "op", "linear");
  });
  const traces::TraceFile trace(path);
  trace.check(trace.layers()[0], sim::Pass::fprop);
  return trace.load(trace.layers()[0], sim::Pass::fprop).a;
}

/// The same for a vector of stored elements.
template <class T>
sim::Tensor input_of(const std::vector<T>& values, const std::function<void(TestFile&)>& annotate = {}, const Storage& storage = {}) {
  return input_of([&](TestFile& file) {
    file.dataset("fc/input", {1, static_cast<std::int64_t>(values.size())}, values, storage);
    if (annotate) annotate(file);
  });
}

template <class T>
bool carried_as(const sim::Tensor& tensor) {
  return std::holds_alternative<std::vector<T>>(tensor.values.storage());
}

}  // namespace accsim::test
