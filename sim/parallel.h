// A loop on some threads.
#pragma once

#include <cstddef>
#include <exception>
#include <mutex>

namespace accsim::sim {

/// Runs `body(i)` for i in 0..count, begun in this order, on some threads; the first exception is thrown again.
template <class Body>
void parallel(int threads, std::size_t count, Body&& body) {
  std::exception_ptr failure;
  std::mutex mutex;
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1 && count > 1)
  for (std::size_t i = 0; i < count; ++i) {
    try {
      body(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace accsim::sim
