// A datapath's sums without any rounding, in the datapath's order, shown one by one to whoever wants to know what they need.
#pragma once

#include <algorithm>
#include <vector>

#include "sim/datapath.h"

namespace accsim::sim {

/// Walks the levels of a datapath on exact numbers of type T: signed integers in some unit. The sink is shown
/// `sink.added(accumulator, addend, sum)` for every addition to an accumulator and `sink.see(sum)` for every other partial sum.
template <class T, class Sink>
class ExactWalk {
 public:
  explicit ExactWalk(Sink& sink) : sink_(sink) {}

  /// The exact total of the products, which are in the order in which the datapath takes them, and C.
  T walk(const Datapath& datapath, std::vector<T> sums, const T& initial) {
    const T none{0};
    for (std::size_t i = 0; i < datapath.levels.size(); ++i) {
      const bool c_enters = !datapath.accumulator.last && i == datapath.accumulator_level_index();
      if (c_enters) sink_.see(initial);
      sums = level(datapath.levels[i], i + 1 == datapath.levels.size(), std::move(sums), c_enters ? initial : none);
    }
    return datapath.accumulator.last ? add(sums.front(), initial) : sums.front();
  }

 private:
  /// One level; `initial` starts its first accumulator.
  std::vector<T> level(const Level& l, bool is_last, std::vector<T> addends, const T& initial) {
    const std::size_t all = addends.size();
    const std::size_t terms = l.terms ? static_cast<std::size_t>(*l.terms) : all;
    std::size_t group = is_last ? all : terms;
    if (takes_accumulator(l) && has_issues(l.kind) && !is_last)
      group = l.issues && static_cast<std::size_t>(*l.issues) < all / terms + 1 ? terms * static_cast<std::size_t>(*l.issues) : all;
    std::vector<T> sums;
    if (group >= all) {
      sums.push_back(one_sum(l, std::move(addends), terms, initial));
      return sums;
    }
    for (std::size_t first = 0; first < all; first += group) {
      std::vector<T> part(addends.begin() + static_cast<std::ptrdiff_t>(first),
                          addends.begin() + static_cast<std::ptrdiff_t>(std::min(first + group, all)));
      sums.push_back(one_sum(l, std::move(part), terms, first == 0 ? initial : T{0}));
    }
    return sums;
  }

  T see(T value) {
    sink_.see(value);
    return value;
  }
  T add(const T& accumulator, const T& addend) {
    T sum = accumulator + addend;
    sink_.added(accumulator, addend, sum);
    return sum;
  }

  T one_sum(const Level& l, std::vector<T> part, std::size_t terms, T accumulator) {
    switch (l.kind) {
      case LevelKind::sequential:
        for (const T& x : part) accumulator = add(accumulator, x);
        return accumulator;
      case LevelKind::interleaved: {
        std::vector<T> partial(static_cast<std::size_t>(l.ways), T{0});
        partial[0] = accumulator;
        for (std::size_t i = 0; i < part.size(); ++i) partial[i % partial.size()] = add(partial[i % partial.size()], part[i]);
        if (l.combine == Combine::tree) return tree(std::move(partial), 2);
        T total{0};
        for (const T& x : partial) total = add(total, x);
        return total;
      }
      case LevelKind::tree: return tree(std::move(part), static_cast<std::size_t>(l.fan_in));
      case LevelKind::sorted: return sorted(std::move(part));
      case LevelKind::fused_sum:
      case LevelKind::staged_sum:
      case LevelKind::scaled_sum:
      case LevelKind::ordered_sum:
      case LevelKind::exact:
      case LevelKind::exponent_bins:
      case LevelKind::online: {
        const std::size_t issue = takes_accumulator(l) ? terms : part.size();
        for (std::size_t first = 0; first < part.size(); first += issue) {
          for (std::size_t i = first; i < std::min(first + issue, part.size()); ++i) accumulator += part[i];
          sink_.see(accumulator);
        }
        return accumulator;
      }
    }
    return accumulator;
  }

  T tree(std::vector<T> values, std::size_t fan_in) {
    sink_.see(values.front());
    while (values.size() > 1) {
      std::vector<T> next;
      for (std::size_t i = 0; i < values.size(); i += fan_in) {
        T node{0};
        for (std::size_t j = i; j < std::min(i + fan_in, values.size()); ++j) node += values[j];
        next.push_back(see(node));
      }
      values = std::move(next);
    }
    return values.front();
  }

  /// Two heaps, one for each sign, the largest magnitude on top; then one sign by increasing magnitude.
  T sorted(std::vector<T> values) {
    std::vector<T> positive, negative;
    const auto smaller = [](const T& x, const T& y) { return x < y; };
    const auto larger = [](const T& x, const T& y) { return x > y; };
    for (T& x : values) {
      if (x > 0) positive.push_back(std::move(x));
      else if (x < 0) negative.push_back(std::move(x));
    }
    std::make_heap(positive.begin(), positive.end(), smaller);
    std::make_heap(negative.begin(), negative.end(), larger);
    while (!positive.empty() && !negative.empty()) {
      std::pop_heap(positive.begin(), positive.end(), smaller);
      std::pop_heap(negative.begin(), negative.end(), larger);
      const T sum = add(positive.back(), negative.back());
      positive.pop_back();
      negative.pop_back();
      if (sum > 0) {
        positive.push_back(sum);
        std::push_heap(positive.begin(), positive.end(), smaller);
      } else if (sum < 0) {
        negative.push_back(sum);
        std::push_heap(negative.begin(), negative.end(), larger);
      }
    }
    std::sort_heap(positive.begin(), positive.end(), smaller);
    std::sort_heap(negative.begin(), negative.end(), larger);
    T total{0};
    for (const T& x : positive) total = add(total, x);
    for (const T& x : negative) total = add(total, x);
    return total;
  }

  Sink& sink_;
};

}  // namespace accsim::sim
