// Loops whose turns do not depend on each other, on some threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>

namespace accsim::sim {

/// Runs `body(i)` for i in 0..count on some threads; the first exception is thrown again.
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

/// Runs `body(first, end)` on blocks of 0..size of a size that is worth a turn.
template <class Body>
void parallel_blocks(int threads, std::int64_t size, Body&& body) {
  constexpr std::int64_t block = std::int64_t{1} << 16;
  parallel(threads, static_cast<std::size_t>((size + block - 1) / block), [&](std::size_t i) {
    const std::int64_t first = static_cast<std::int64_t>(i) * block;
    body(first, first + block < size ? first + block : size);
  });
}

}  // namespace accsim::sim
