// Memory for vectors, aligned as they are.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace accsim::sim::kernels {

template <class T>
class LaneMemory {
 public:
  explicit LaneMemory(std::int64_t count)
      : data_(static_cast<T*>(
            std::aligned_alloc(64, (static_cast<std::size_t>(std::max<std::int64_t>(count, 1)) * sizeof(T) + 63) / 64 * 64))) {
    if (data_ == nullptr) throw std::bad_alloc();
  }
  [[nodiscard]] T* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  std::unique_ptr<T, Free> data_;
};

}  // namespace accsim::sim::kernels
