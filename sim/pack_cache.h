// What executors make of an operand's lines, kept for the other tiles that have the same lines.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
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

  /// The T that `make` gives for this key, made once; who else asks meanwhile waits.
  template <class T, class Key, class Make>
  const T& made(const Key& key, Make&& make) {
    Made<T, Key>& entry = find<Made<T, Key>>([&](const Made<T, Key>& before) { return before.key == key; },
                                             [&] { return std::make_unique<Made<T, Key>>(key); });
    std::call_once(entry.once, [&] { entry.value.emplace(make()); });
    return *entry.value;
  }

 private:
  template <class T, class Key>
  struct Made : Entry {
    explicit Made(const Key& k) : key(k) {}
    const Key key;
    std::once_flag once;
    std::optional<T> value;
  };

  std::mutex mutex_;
  std::vector<std::unique_ptr<Entry>> entries_;
};

}  // namespace accsim::sim
