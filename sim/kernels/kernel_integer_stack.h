// Levels of the integer kernel in lanes: rounding into fixed point, and the stack of levels that addends are fed to.
#pragma once

#include "sim/kernels/kernel_integer.h"
#include "sim/kernels/vector.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

/// What the lanes have counted of the outputs at hand.
template <class T>
struct Counts {
  Vector<T> product_overflow{}, product_underflow{}, product_inexact{};
  Vector<T> overflow{}, underflow{}, inexact{}, swamped{};
};

/// s = the exact sum in its finer unit, rounded; `q` is what it rounds to before the range is looked at.
template <class T>
inline Vector<T> rounded(Vector<T> s, const FixedStep& step, Vector<T>& lost) {
  const Vector<T> down = s >> step.drop;
  lost = (s & static_cast<T>((std::uint64_t{1} << step.drop) - 1)) != 0;
  const Vector<T> sign = s < 0;
  const Vector<T> q =
      (s + static_cast<T>(step.nearest) + (down & static_cast<T>(step.odd)) + (sign & static_cast<T>(step.negative))) >> step.drop;
  return q | (lost & static_cast<T>(step.jam));
}

template <class T>
inline Vector<T> into_range(Vector<T> q, const FixedStep& step) {
  switch (step.fit) {
    case Fit::none: return q;
    case Fit::clamp: return smaller(larger(q, Vector<T>{} + static_cast<T>(step.low)), Vector<T>{} + static_cast<T>(step.high));
    case Fit::wrap: return ((q - static_cast<T>(step.low)) & static_cast<T>(step.mask)) + static_cast<T>(step.low);
    case Fit::zero: return (q < static_cast<T>(step.low)) | (q > static_cast<T>(step.high)) ? Vector<T>{} : q;
  }
  return q;
}

/// The levels above a loop (or all of them): addends come in, sums are handed up.
template <class T>
class Stack {
 public:
  using V = Vector<T>;

  Stack(const IntegerJob& job, int first, std::int64_t at, Counts<T>& counts) : job_(job), first_(first), counts_(counts) {
    scratch_ = static_cast<V*>(job.scratch);
    for (int i = first; i < job.level_count; ++i) {
      start(i);
      if (job.initial == nullptr || i != job.initial_level) continue;
      V c;
      for (int lane = 0; lane < lanes_of<T>; ++lane) c[lane] = static_cast<T>(job.initial[at + lane]);
      if (job.levels[i].kind == SumKind::sequential) states_[i].accumulator = c;
      else scratch_[job.levels[i].buffer] = c;
    }
  }

  void feed(int i, V addend) {
    for (;;) {
      const IntegerLevel& level = job_.levels[i];
      State& state = states_[i];
      V* buffer = scratch_ + level.buffer;
      switch (level.kind) {
        case SumKind::sequential: state.accumulator = add(i, state.accumulator, addend, true); break;
        case SumKind::tree: buffer[state.count] = addend << level.step.addend_shift; break;
        case SumKind::interleaved_sequential:
        case SumKind::interleaved_tree: {
          V& way = buffer[state.count % level.ways];
          way = add(i, way, addend, true);
          break;
        }
      }
      if (++state.count < level.group || i + 1 == job_.level_count) return;
      addend = take(i);
      ++i;
    }
  }

  /// Hands up what is left, and gives the last level's sum.
  V finish() {
    V sum{};
    for (int i = first_; i < job_.level_count; ++i) {
      const bool last = i + 1 == job_.level_count;
      if (states_[i].count == 0 && !last) continue;
      sum = take(i);
      if (!last) feed(i + 1, sum);
    }
    return sum;
  }

  /// The largest magnitudes of the levels' sums.
  void fold(IntegerTotals& totals) const {
    for (int i = first_; i < job_.level_count; ++i) {
      for (int lane = 0; lane < lanes_of<T>; ++lane) {
        const std::int64_t high = states_[i].top[lane];
        const std::int64_t low = -static_cast<std::int64_t>(states_[i].bottom[lane]);
        if (high > totals.largest[i]) totals.largest[i] = high;
        if (low > totals.largest[i]) totals.largest[i] = low;
      }
    }
  }

 private:
  struct State {
    V accumulator{}, top{}, bottom{};
    std::int64_t count = 0;
  };

  void start(int i) {
    const IntegerLevel& level = job_.levels[i];
    states_[i].accumulator = V{};
    states_[i].count = 0;
    if (level.kind == SumKind::sequential || level.kind == SumKind::tree) return;
    for (std::int64_t w = 0; w < level.ways; ++w) scratch_[level.buffer + w] = V{};
  }

  /// accumulator + addend, rounded once; both in their own units.
  V add(int i, V accumulator, V addend, bool count_swamped) {
    const FixedStep& step = job_.levels[i].step;
    const V result = round_sum(i, (accumulator << step.accumulator_shift) + (addend << step.addend_shift));
    if (count_swamped) counts_.swamped -= (result == accumulator) & (addend != 0) & (accumulator != 0);
    return result;
  }

  V round_sum(int i, V s) {
    const FixedStep& step = job_.levels[i].step;
    State& state = states_[i];
    state.top = larger(state.top, s);
    state.bottom = smaller(state.bottom, s);
    V lost;
    const V q = rounded<T>(s, step, lost);
    const V result = into_range<T>(q, step);
    const V overflow = (q < static_cast<T>(step.low)) | (q > static_cast<T>(step.high));
    counts_.overflow -= overflow;
    counts_.inexact -= overflow | lost;
    counts_.underflow -= lost & (q == 0);
    return result;
  }

  /// Nodes of `fan_in` over count values in the finer unit, level by level; an odd one out passes up unrounded.
  V tree(int i, V* values, std::int64_t count, std::int64_t fan_in) {
    const int shift = job_.levels[i].step.accumulator_shift;
    if (count == 1) return round_sum(i, values[0]);
    while (count > 1) {
      std::int64_t nodes = 0;
      for (std::int64_t first = 0; first < count; first += fan_in, ++nodes) {
        const std::int64_t last = first + fan_in < count ? first + fan_in : count;
        V s = values[first];
        for (std::int64_t j = first + 1; j < last; ++j) s += values[j];
        values[nodes] = last - first == 1 ? s : round_sum(i, s) << shift;
      }
      count = nodes;
    }
    return values[0] >> shift;
  }

  /// The sum of the addends so far; the level starts anew.
  V take(int i) {
    const IntegerLevel& level = job_.levels[i];
    V* buffer = scratch_ + level.buffer;
    V sum{};
    switch (level.kind) {
      case SumKind::sequential: sum = states_[i].accumulator; break;
      case SumKind::tree: sum = tree(i, buffer, states_[i].count, level.fan_in); break;
      case SumKind::interleaved_sequential:
        // Partial sums have the accumulator's unit, as the total has: no shift of an addend.
        for (std::int64_t w = 0; w < level.ways; ++w) {
          const V total = round_sum(i, (sum + buffer[w]) << level.step.accumulator_shift);
          counts_.swamped -= (total == sum) & (buffer[w] != 0) & (sum != 0);
          sum = total;
        }
        break;
      case SumKind::interleaved_tree:
        for (std::int64_t w = 0; w < level.ways; ++w) buffer[w] = buffer[w] << level.step.accumulator_shift;
        sum = tree(i, buffer, level.ways, 2);
        break;
    }
    start(i);
    return sum;
  }

  const IntegerJob& job_;
  int first_;
  Counts<T>& counts_;
  V* scratch_;
  State states_[max_integer_levels];
};

}  // namespace accsim::sim::kernels::ACCSIM_ISA
