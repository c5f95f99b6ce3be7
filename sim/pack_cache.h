// What executors make of an operand's lines, kept for the other tiles that have the same lines.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

namespace accsim::sim {

/// Belongs to the lines (rows of a tile's `a`, or of its `b`) of one layer, and to the executor that runs it. May be asked from several
/// threads.
class PackCache {
 public:
  struct Entry {
    Entry() = default;
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    virtual ~Entry() = default;
  };

  /// The entry of type T that `serves`; without one, what `make` gives stays and is it. `make` should be short: what takes long, an entry
  /// does once when it is asked for.
  template <class T, class Serves, class Make>
  T& find(Serves&& serves, Make&& make) {
    const std::lock_guard lock(mutex_);
    for (const std::unique_ptr<Entry>& entry : entries_) {
      T* const found = dynamic_cast<T*>(entry.get());
      if (found != nullptr && serves(*found)) return *found;
    }
    std::unique_ptr<T> made = make();
    T& entry = *made;
    entries_.push_back(std::move(made));
    return entry;
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Entry>> entries_;
};

}  // namespace accsim::sim
