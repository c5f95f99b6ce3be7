// The integer kernel's loops: lanes are outputs, an accumulator a lane. Compiled once per instruction set.
#pragma once

#include "sim/kernels/kernel_integer_stack.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

template <class T>
inline std::int64_t total_of(Vector<T> counts) {
  std::int64_t total = 0;
  for (int lane = 0; lane < lanes_of<T>; ++lane) total += counts[lane];
  return total;
}

/// The outputs of one row of a panel are done.
template <class T>
void store(IntegerJob& job, std::int64_t at, Vector<T> values, const Counts<T>& counts) {
  for (int lane = 0; lane < lanes_of<T>; ++lane) {
    job.values[at + lane] = values[lane];
    job.overflowed[at + lane] = static_cast<char>(counts.overflow[lane] != 0 || counts.product_overflow[lane] != 0);
  }
  IntegerTotals& totals = job.totals;
  totals.product_overflow += total_of<T>(counts.product_overflow);
  totals.product_underflow += total_of<T>(counts.product_underflow);
  totals.product_inexact += total_of<T>(counts.product_inexact);
  totals.sum_overflow += total_of<T>(counts.overflow);
  totals.sum_underflow += total_of<T>(counts.underflow);
  totals.sum_inexact += total_of<T>(counts.inexact);
  totals.swamped += total_of<T>(counts.swamped);
}

inline I32 multiply(I32 x, I32 y) { return multiply_add_pairs(x, y); }  // of two terms a word, the other's operand in `y` is zero
inline I64 multiply(I64 x, I64 y) { return x * y; }
template <class T>
constexpr int terms_of_word = sizeof(T) == 4 ? 2 : 1;

template <class T>
void general_row(IntegerJob& job, std::int64_t row, std::int64_t panel) {
  using V = Vector<T>;
  constexpr int per_word = terms_of_word<T>;
  const std::int64_t at = row * job.panels * lanes_of<T> + panel * lanes_of<T>;
  const V* b = static_cast<const V*>(job.b) + panel * job.words;
  const T* a = static_cast<const T*>(job.a) + row * job.words * per_word;
  Counts<T> counts;
  Stack<T> stack(job, 0, at, counts);
  for (std::int64_t first = 0; first < job.words; first += job.group_words) {
    const bool last = first + job.group_words >= job.words;
    const std::int64_t terms = last ? job.last_group_terms : job.levels[0].group;
    for (std::int64_t t = 0; t < terms; ++t) {
      V p = multiply(b[first + t / per_word], V{} + a[first * per_word + t]);
      if (job.rounded_product) {
        const FixedStep& step = job.product;
        V lost;
        const V q = rounded<T>(p << step.addend_shift, step, lost);
        const V overflow = (q < static_cast<T>(step.low)) | (q > static_cast<T>(step.high));
        counts.product_overflow -= overflow;
        counts.product_inexact -= overflow | lost;
        counts.product_underflow -= lost & (q == 0);
        p = into_range<T>(q, step);
      }
      stack.feed(0, p);
    }
  }
  const V sum = stack.finish();
  stack.fold(job.totals);
  store<T>(job, at, sum, counts);
}

/// A sequential innermost level in registers: R rows of one panel.
template <class T, int R, Fit fit>
void plain_rows(IntegerJob& job, std::int64_t row, std::int64_t panel) {
  using V = Vector<T>;
  constexpr int per_word = terms_of_word<T>;
  const V* b = static_cast<const V*>(job.b) + panel * job.words;
  const T* a = static_cast<const T*>(job.a) + row * job.words * per_word;
  const std::int64_t stride = job.words * per_word;
  const FixedStep& step = job.levels[0].step;
  const V low = V{} + static_cast<T>(step.low);
  const V high = V{} + static_cast<T>(step.high);
  int unused = 0;
  while (unused < static_cast<int>(sizeof(T)) * 8 &&
         (static_cast<std::uint64_t>(step.mask) >> (static_cast<int>(sizeof(T)) * 8 - 1 - unused)) == 0)
    ++unused;
  V accumulator[R], top[R], bottom[R], overflow[R], swamped[R];
  std::int64_t at[R];
  Counts<T> counts[R];
  for (int r = 0; r < R; ++r) {
    at[r] = (row + r) * job.panels * lanes_of<T> + panel * lanes_of<T>;
    top[r] = bottom[r] = overflow[r] = swamped[r] = accumulator[r] = V{};
    if (job.initial != nullptr && job.initial_level == 0) {
      for (int lane = 0; lane < lanes_of<T>; ++lane) accumulator[r][lane] = static_cast<T>(job.initial[at[r] + lane]);
    }
  }
  const auto loop = [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t w = first; w < last; ++w) {
      const V word = b[w];
      for (int h = 0; h < per_word; ++h) {
        for (int r = 0; r < R; ++r) {
          const V p = multiply(word, V{} + a[r * stride + w * per_word + h]);
          const V s = accumulator[r] + p;
          top[r] = larger(top[r], s);
          bottom[r] = smaller(bottom[r], s);
          V result = s;
          if constexpr (fit == Fit::clamp) result = smaller(larger(s, low), high);
          if constexpr (fit == Fit::wrap) result = (s << unused) >> unused;
          if constexpr (fit == Fit::zero) result = (s < low) | (s > high) ? V{} : s;
          if constexpr (fit != Fit::none) {
            const V over = result != s;
            overflow[r] -= over;
            // Only a sum that stays at an end leaves the accumulator as it was: see the proof in kernel_integer.cpp.
            if constexpr (fit == Fit::clamp) swamped[r] -= over & (result == accumulator[r]);
          }
          accumulator[r] = result;
        }
      }
    }
  };
  const auto finish = [&](int r, V sum) {
    counts[r].overflow += overflow[r];
    counts[r].inexact += overflow[r];
    counts[r].swamped += swamped[r];
    store<T>(job, at[r], sum, counts[r]);
    IntegerTotals& totals = job.totals;
    for (int lane = 0; lane < lanes_of<T>; ++lane) {
      const std::int64_t most = top[r][lane];
      const std::int64_t least = -static_cast<std::int64_t>(bottom[r][lane]);
      if (most > totals.largest[0]) totals.largest[0] = most;
      if (least > totals.largest[0]) totals.largest[0] = least;
    }
  };
  if (job.level_count == 1) {
    loop(0, job.words);
    for (int r = 0; r < R; ++r) finish(r, accumulator[r]);
    return;
  }
  for (int r = 0; r < R; ++r) {
    // Rows of a datapath with more levels go one by one, as their stacks share the scratch memory; R is 1 then.
    Stack<T> stack(job, 1, at[r], counts[r]);
    for (std::int64_t first = 0; first < job.words; first += job.group_words) {
      loop(first, first + job.group_words < job.words ? first + job.group_words : job.words);
      stack.feed(1, accumulator[r]);
      accumulator[r] = V{};
    }
    const V sum = stack.finish();
    stack.fold(job.totals);
    finish(r, sum);
  }
}

/// The largest magnitude of the partial sums of one block of words, from the sum at its end backward.
inline std::int64_t largest_of_block(I32 sum, const I32* b, const std::int32_t* a, std::int64_t words) {
  I32 top{};
  I32 bottom{};
  for (std::int64_t w = words - 1; w >= 0; --w) {
    const I32 second = multiply_add_pairs(b[w], I32{} + (a[w] & ~0xFFFF));
    const I32 both = multiply_add_pairs(b[w], I32{} + a[w]);
    top = larger(top, larger(sum, sum - second));
    bottom = smaller(bottom, smaller(sum, sum - second));
    sum -= both;
  }
  std::int64_t largest = 0;
  for (int lane = 0; lane < lanes_of<std::int32_t>; ++lane) {
    const std::int64_t high = top[lane];
    const std::int64_t low = -static_cast<std::int64_t>(bottom[lane]);
    largest = high > largest ? high : largest;
    largest = low > largest ? low : largest;
  }
  return largest;
}

/// No overflow is possible, so the sums are any exact matrix product's. A block's partial sums are looked at one by one only where the
/// sums at its ends show that one of them may be the largest of the tile.
template <int R, int P>
void pair_rows(IntegerJob& job, std::int64_t row, std::int64_t panel) {
  constexpr int lanes = lanes_of<std::int32_t>;
  const I32* b[P];
  const std::int32_t* a[R];
  I32 accumulator[R][P];
  bool pending[R][P];
  for (int p = 0; p < P; ++p) b[p] = static_cast<const I32*>(job.b) + (panel + p) * job.words;
  for (int r = 0; r < R; ++r) {
    a[r] = static_cast<const std::int32_t*>(job.a) + (row + r) * job.words;
    for (int p = 0; p < P; ++p) {
      accumulator[r][p] = I32{};
      pending[r][p] = true;
      if (job.initial == nullptr) continue;
      const std::int64_t at = ((row + r) * job.panels + panel + p) * lanes;
      for (int lane = 0; lane < lanes; ++lane) accumulator[r][p][lane] = static_cast<std::int32_t>(job.initial[at + lane]);
    }
  }
  std::int64_t largest = job.totals.largest[0];
  const std::int64_t blocks = (job.words + block_words - 1) / block_words;
  bool some_pending = true;
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::int64_t first = block * block_words;
    const std::int64_t last = first + block_words < job.words ? first + block_words : job.words;
    const auto word = [&](std::int64_t w) {
      I32 column[P];
      for (int p = 0; p < P; ++p) column[p] = b[p][w];
      for (int r = 0; r < R; ++r) {
        const I32 x = I32{} + a[r][w];
        for (int p = 0; p < P; ++p) accumulator[r][p] += multiply_add_pairs(column[p], x);
      }
    };
    if (last - first == block_words) {
#pragma GCC unroll 4
      for (std::int64_t i = 0; i < block_words; ++i) word(first + i);
    } else {
      for (std::int64_t w = first; w < last; ++w) word(w);
    }
    // |s| <= bound for all that cannot matter, as one unsigned comparison.
    const std::int64_t bound = largest - job.slack[block];
    const auto centre = static_cast<std::uint32_t>(bound < 0 ? 0 : bound);
    U32 worst{};
    for (int r = 0; r < R; ++r) {
      for (int p = 0; p < P; ++p) worst = larger(worst, reinterpret_cast<U32>(accumulator[r][p]) + centre);
    }
    if (!some_pending && bound >= 0 && !any(reinterpret_cast<I32>(worst > 2 * centre))) continue;
    some_pending = false;
    for (int r = 0; r < R; ++r) {
      for (int p = 0; p < P; ++p) {
        const bool near = bound < 0 || any(reinterpret_cast<I32>(reinterpret_cast<U32>(accumulator[r][p]) + centre > 2 * centre));
        if (near || pending[r][p]) {
          const std::int64_t here = largest_of_block(accumulator[r][p], b[p] + first, a[r] + first, last - first);
          if (here > largest) largest = here;
        }
        pending[r][p] = near;
        some_pending |= near;
      }
    }
  }
  job.totals.largest[0] = largest;
  for (int r = 0; r < R; ++r) {
    for (int p = 0; p < P; ++p) {
      std::int64_t* values = job.values + ((row + r) * job.panels + panel + p) * lanes;
      for (int lane = 0; lane < lanes; ++lane) values[lane] = accumulator[r][p][lane];
    }
  }
}

template <class T, Fit fit>
void run_plain(IntegerJob& job) {
  for (std::int64_t panel = 0; panel < job.panels; ++panel) {
    std::int64_t row = 0;
    if (job.level_count == 1) {
      for (; row + loop_rows <= job.rows; row += loop_rows) plain_rows<T, loop_rows, fit>(job, row, panel);
    }
    for (; row < job.rows; ++row) plain_rows<T, 1, fit>(job, row, panel);
  }
}

template <class T>
void run_loop(IntegerJob& job) {
  switch (job.loop) {
    case IntegerLoop::general:
      for (std::int64_t panel = 0; panel < job.panels; ++panel) {
        for (std::int64_t row = 0; row < job.rows; ++row) general_row<T>(job, row, panel);
      }
      return;
    case IntegerLoop::pairs:
      for (std::int64_t panel = 0; panel < job.panels; panel += loop_panels) {
        std::int64_t row = 0;
        for (; row + loop_rows <= job.rows; row += loop_rows) pair_rows<loop_rows, loop_panels>(job, row, panel);
        for (; row < job.rows; ++row) pair_rows<1, loop_panels>(job, row, panel);
      }
      return;
    case IntegerLoop::plain: break;
  }
  switch (job.levels[0].step.fit) {
    case Fit::none: return run_plain<T, Fit::none>(job);
    case Fit::clamp: return run_plain<T, Fit::clamp>(job);
    case Fit::wrap: return run_plain<T, Fit::wrap>(job);
    case Fit::zero: return run_plain<T, Fit::zero>(job);
  }
}

bool narrow(const double* values, std::int64_t count, double scale, std::int16_t* integers) {
  std::int32_t wrong = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double x = values[i] * scale;
    const std::int32_t wide = x > -32768.0 && x < 32768.0 ? static_cast<std::int32_t>(x) : 0;
    wrong |= static_cast<double>(wide) != x;
    integers[i] = static_cast<std::int16_t>(wide);
  }
  return wrong == 0;
}

void see_largest(const std::int16_t* integers, std::int64_t lines, std::int64_t k, std::int16_t* largest) {
  for (std::int64_t line = 0; line < lines; ++line) {
    for (std::int64_t t = 0; t < k; ++t) {
      const std::int16_t x = integers[line * k + t];
      const auto magnitude = static_cast<std::int16_t>(x < 0 ? -x : x);
      largest[t] = largest[t] > magnitude ? largest[t] : magnitude;
    }
  }
}

void run(IntegerJob& job) {
  if (job.wide) run_loop<std::int64_t>(job);
  else run_loop<std::int32_t>(job);
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
