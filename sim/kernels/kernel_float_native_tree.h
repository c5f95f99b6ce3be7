// The float kernels' loop for the same sums, of exact products added pairwise, group after group. Included by lane units only.
#pragma once

#include "sim/kernels/kernel_float_native.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

/// A tree of `terms` products, then a sequential level that takes what is left; see NativeLoop. Products are numbers of the lane, and
/// nothing tiny is inexact. The last group may be short: its first addends are the largest power of two below its length.
template <class T, int vectors, int terms>
class NativeTreeLoop : NativeLoop<T, vectors> {
  using Loop = NativeLoop<T, vectors>;
  using O = Ops<T>;
  using Real = typename O::Real;
  using Int = typename O::Int;
  using Mask = typename O::Mask;
  using Counts = typename Loop::Counts;
  static constexpr int registers = Loop::registers;
  static constexpr int stride = Loop::stride;

  template <int count, class Node>
  static ACCSIM_INLINE Real tree(const Real* x, Node&& node) {
    if constexpr (count == 1) {
      return x[0];
    } else {
      const Real left = tree<count / 2>(x, node);
      return node(left, tree<count / 2>(x + count / 2, node));
    }
  }
  template <class Node>
  static Real short_tree(const Real* x, int count, Node&& node) {
    if (count == 1) return x[0];
    int left = 1;
    while (2 * left < count) left *= 2;
    const Real first = short_tree(x, left, node);
    return node(first, short_tree(x + left, count - left, node));
  }

  /// One group: node(i, x, y) adds two of output register i's, last(i, x) takes their total.
  template <bool whole, class Node, class Last>
  static ACCSIM_INLINE void group(const T* a, std::int64_t a_stride, const T* b, int count, Node&& node, Last&& last) {
    unrolled<fast_rows>([&](auto row) ACCSIM_LAMBDA {
      unrolled<vectors>([&](auto v) ACCSIM_LAMBDA {
        constexpr int i = decltype(row)::value * vectors + decltype(v)::value;
        const auto product = [&](int j) ACCSIM_LAMBDA {
          return O::exact_product(O::set_real(a[row * a_stride + j]), O::load(b + j * stride + v * O::lanes));
        };
        const auto add = [&](Real x, Real y) ACCSIM_LAMBDA { return node(i, x, y); };
        Real x[terms];
        if constexpr (whole) {
          unrolled<terms>([&](auto j) ACCSIM_LAMBDA { x[j] = product(j); });
          last(i, tree<terms>(x, add));
        } else {
          for (int j = 0; j < count; ++j) x[j] = product(j);
          last(i, short_tree(x, count, add));
        }
      });
    });
  }
  static ACCSIM_INLINE void see(Real sum, Mask inexact, Counts& n, Int& largest) {
    largest = O::larger(largest, O::magnitude(sum));
    O::count(n.inexact, inexact);
  }

  /// `count` groups, or one short one of `count` terms.
#if defined(__AVX512F__)
  template <bool whole>
  static __attribute__((noinline)) void groups(const FloatBlock& block, std::int64_t first, std::int64_t count, Real (&sums)[registers],
                                               Counts& counts) {
    const T* a = static_cast<const T*>(block.a) + first;
    const T* b = static_cast<const T*>(block.b) + first * stride;
    Real acc[registers];
    unrolled<registers>([&](auto i) ACCSIM_LAMBDA { acc[i] = sums[i]; });
    Counts n;
    for (std::int64_t g = 0; g < (whole ? count : 1); ++g, a += terms, b += terms * stride) {
      group<whole>(
          a, block.a_stride, b, static_cast<int>(count),
          [&](int i, Real x, Real y) ACCSIM_LAMBDA {
            const Real sum = O::nearest_sum(x, y);
            see(sum, O::inexact_sum(x, y), n, n.largest[i % vectors]);
            return sum;
          },
          [&](int i, Real x) ACCSIM_LAMBDA {
            const Real before = acc[i];
            acc[i] = O::nearest_sum(before, x);
            Loop::count(acc[i], before, O::inexact_sum(before, x), n, n.largest[i % vectors]);
            if (!whole) n.largest[i % vectors] = O::larger(n.largest[i % vectors], O::magnitude(x));
          });
    }
    counts.add(n);
    unrolled<registers>([&](auto i) ACCSIM_LAMBDA { sums[i] = acc[i]; });
  }
  static void all_groups(const FloatBlock& block, std::int64_t whole, Real (&sums)[registers], Counts& n) {
    groups<true>(block, 0, whole, sums, n);
    if (block.k > whole * terms) groups<false>(block, whole * terms, block.k - whole * terms, sums, n);
  }
#else
  static constexpr int groups_at_once = 64 / terms;
  struct History {
    Real sum[groups_at_once][registers][terms];  // those of the tree, then the accumulator
    Real before[registers];                      // the accumulators before the first group
  };
  template <bool whole>
  static __attribute__((noinline)) void steps(const FloatBlock& block, std::int64_t first, std::int64_t count, History& history) {
    const T* a = static_cast<const T*>(block.a) + first;
    const T* b = static_cast<const T*>(block.b) + first * stride;
    Real acc[registers];
    unrolled<registers>([&](auto i) ACCSIM_LAMBDA { acc[i] = history.before[i]; });
    for (std::int64_t g = 0; g < (whole ? count : 1); ++g, a += terms, b += terms * stride) {
      Real* to = history.sum[g][0];
      group<whole>(
          a, block.a_stride, b, static_cast<int>(count), [&](int, Real x, Real y) ACCSIM_LAMBDA { return *to++ = x + y; },
          [&](int i, Real x) ACCSIM_LAMBDA { *to++ = acc[i] = acc[i] + x; });
    }
  }
  template <bool whole>
  static __attribute__((noinline)) void look_at_steps(const FloatBlock& block, std::int64_t first, std::int64_t count, History& history,
                                                      Counts& counts) {
    const T* a = static_cast<const T*>(block.a) + first;
    const T* b = static_cast<const T*>(block.b) + first * stride;
    Counts n;
    Real acc[registers];
    unrolled<registers>([&](auto i) ACCSIM_LAMBDA { acc[i] = history.before[i]; });
    for (std::int64_t g = 0; g < (whole ? count : 1); ++g, a += terms, b += terms * stride) {
      const Real* from = history.sum[g][0];
      group<whole>(
          a, block.a_stride, b, static_cast<int>(count),
          [&](int i, Real x, Real y) ACCSIM_LAMBDA {
            const Real sum = *from++;
            see(sum, differ(x, y), n, n.largest[i % vectors]);
            return sum;
          },
          [&](int i, Real x) ACCSIM_LAMBDA {
            const Real before = acc[i];
            acc[i] = *from++;
            Loop::count(acc[i], before, differ(before, x), n, n.largest[i % vectors]);
            if (!whole) n.largest[i % vectors] = O::larger(n.largest[i % vectors], O::magnitude(x));
          });
    }
    unrolled<registers>([&](auto i) ACCSIM_LAMBDA { history.before[i] = acc[i]; });
    counts.add(n);
  }
  /// Whether x + y, rounded down and up, differs.
  static ACCSIM_INLINE Mask differ(Real x, Real y) { return O::differ(x + y, O::negated(O::negated(x) - y)); }
  template <bool whole>
  static void groups(const FloatBlock& block, std::int64_t first, std::int64_t count, History& history, Counts& n) {
    {
      const HostRounding rounding(HostRounding::Way::nearest);
      steps<whole>(block, first, count, history);
    }
    const HostRounding rounding(HostRounding::Way::down);
    look_at_steps<whole>(block, first, count, history, n);
  }
  static void all_groups(const FloatBlock& block, std::int64_t whole, Real (&sums)[registers], Counts& n) {
    History history;
    for (int i = 0; i < registers; ++i) history.before[i] = sums[i];
    for (std::int64_t g = 0; g < whole; g += groups_at_once)
      groups<true>(block, g * terms, whole - g < groups_at_once ? whole - g : groups_at_once, history, n);
    if (block.k > whole * terms) groups<false>(block, whole * terms, block.k - whole * terms, history, n);
    for (int i = 0; i < registers; ++i) sums[i] = history.before[i];
  }
#endif

 public:
  static void run(FloatBlock& block) {
    Real acc[registers];
    for (int i = 0; i < registers; ++i) {
      acc[i] = Real{};
      if (block.initial != nullptr) acc[i] = O::load(static_cast<const T*>(block.initial) + i * O::lanes);
    }
    Counts n;
    all_groups(block, block.k / terms, acc, n);
    for (int i = 0; i < registers; ++i) O::store(static_cast<T*>(block.results) + i * O::lanes, acc[i]);
    block.events[5] += total<T>(n.inexact);
    block.events[6] += total<T>(n.swamped);
    block.largest = largest_of<T>(n.largest);
  }
};

template <class T, int terms>
void run_native_tree_of(FloatBlock& block) {
  if (block.vectors == 1) NativeTreeLoop<T, 1, terms>::run(block);
  else NativeTreeLoop<T, 2, terms>::run(block);
}
template <class T>
void run_native_tree(const FloatPlan& plan, FloatBlock& block) {
  if (plan.level[0].terms == 2) run_native_tree_of<T, 2>(block);
  else if (plan.level[0].terms == 4) run_native_tree_of<T, 4>(block);
  else run_native_tree_of<T, 8>(block);
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
