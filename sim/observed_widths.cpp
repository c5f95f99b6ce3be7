#include "sim/observed_widths.h"

#include <algorithm>
#include <cmath>

namespace accsim::sim {
namespace {

using formats::Wide;
using kernels::prefix_rows;
using kernels::PrefixState;

/// Memory aligned to vectors.
template <class T>
struct AlignedRows {
  explicit AlignedRows(std::int64_t size)
      : memory(static_cast<T*>(::operator new (static_cast<std::size_t>(size) * sizeof(T), std::align_val_t{64}))) {}
  struct Free {
    void operator()(T* p) const { ::operator delete (p, std::align_val_t{64}); }
  };
  std::unique_ptr<T, Free> memory;
};

int magnitude_bits(const OperandFacts& facts, int spacing) { return facts.precision == 0 ? 0 : facts.highest + 1 - spacing; }

template <class T>
Wide wide(T x) {
  return Wide(static_cast<std::int64_t>(x));
}

}  // namespace

PrefixObserver::PrefixObserver(const Datapath& datapath, const LayerFacts& facts, int spacing_a, int spacing_b,
                               const kernels::PrefixLanes& lanes)
    : lanes_(lanes), levels_(datapath.levels.size()) {
  const bool sequential =
      std::all_of(datapath.levels.begin(), datapath.levels.end(), [](const Level& l) { return l.kind == LevelKind::sequential; });
  const int a = magnitude_bits(facts.a, spacing_a);
  const int b = magnitude_bits(facts.b, spacing_b);
  const int bits = a + b + formats::bit_length(static_cast<formats::UInt128>(facts.k));  // |sums| < 2^bits
  if (!sequential || facts.has_accumulator || facts.a.nonfinite || facts.b.nonfinite || std::abs(spacing_a) > 500 ||
      std::abs(spacing_b) > 500 || facts.k < 1)
    return;
  if (bits <= 31 && a <= 31 && b <= 31) carrier_ = Carrier::integers;
  else if (bits <= 53) carrier_ = Carrier::numbers;
  units_a_ = std::ldexp(1.0, -spacing_a);
  units_b_ = std::ldexp(1.0, -spacing_b);
  order_ = term_order(datapath, facts.k);
  // A level hands up after its terms, each of which the level below handed up; all but the last do at the end.
  std::vector<std::int64_t> every(levels_, facts.k);
  std::int64_t terms = 1;
  for (std::size_t i = 0; i + 1 < levels_; ++i) {
    const std::int64_t of_level = datapath.levels[i].terms.value_or(facts.k);
    terms = of_level > facts.k / terms ? facts.k : terms * of_level;
    every[i] = terms;
  }
  for (std::int64_t at = 0; at < facts.k;) {
    Run run{.terms = std::min(levels_ > 1 ? every[0] : facts.k, facts.k - at), .levels = 0};
    at += run.terms;
    while (run.levels + 1 < levels_ && (at == facts.k || at % every[run.levels] == 0)) ++run.levels;
    runs_.push_back(run);
  }
}

int PrefixObserver::width(std::span<const double> a, std::span<const double> b, std::int64_t rows, std::int64_t columns) const {
  if (carrier_ == Carrier::integers) return width<std::int32_t>(lanes_.integers, a, b, rows, columns);
  return width<double>(lanes_.numbers, a, b, rows, columns);
}

template <class T>
int PrefixObserver::width(kernels::PrefixFunction<T> add, std::span<const double> a, std::span<const double> b, std::int64_t rows,
                          std::int64_t columns) const {
  constexpr std::int64_t lanes = PrefixState<T>::columns;
  const auto k = static_cast<std::int64_t>(order_.size());
  const auto pack = [&](std::span<const double> from, std::int64_t lines, std::int64_t group, double units, T* to) {
    for (std::int64_t line = 0; line < (lines + group - 1) / group * group; ++line) {
      T* at = to + line / group * group * k + line % group;
      const double* row = from.data() + line * k;
      for (std::int64_t i = 0; i < k; ++i)
        at[i * group] = line < lines ? static_cast<T>(row[order_[static_cast<std::size_t>(i)]] * units) : T{0};
    }
  };
  const AlignedRows<T> packed_a((rows + prefix_rows) * k);
  const AlignedRows<T> packed_b((columns + lanes) * k);
  pack(a, rows, prefix_rows, units_a_, packed_a.memory.get());
  pack(b, columns, lanes, units_b_, packed_b.memory.get());

  T low = 0;
  T high = 0;
  std::vector<PrefixState<T>> states(levels_);
  for (std::int64_t c = 0; c < columns; c += lanes) {
    for (std::int64_t r = 0; r < rows; r += prefix_rows) {
      std::fill(states.begin(), states.end(), PrefixState<T>{});
      std::int64_t at = 0;
      for (const Run& run : runs_) {
        add(packed_a.memory.get() + r * k + at * prefix_rows, packed_b.memory.get() + c * k + at * lanes, run.terms, states[0]);
        at += run.terms;
        for (std::size_t level = 0; level < run.levels; ++level) {
          PrefixState<T>& upper = states[level + 1];
          for (std::int64_t i = 0; i < prefix_rows; ++i) {
            for (std::int64_t j = 0; j < lanes; ++j) {
              upper.sum[i][j] += states[level].sum[i][j];
              states[level].sum[i][j] = 0;
              upper.low[i][j] = std::min(upper.low[i][j], upper.sum[i][j]);
              upper.high[i][j] = std::max(upper.high[i][j], upper.sum[i][j]);
            }
          }
        }
      }
      for (const PrefixState<T>& state : states) {
        for (std::int64_t i = 0; i < prefix_rows; ++i) {
          for (std::int64_t j = 0; j < lanes; ++j) {
            low = std::min(low, state.low[i][j]);
            high = std::max(high, state.high[i][j]);
          }
        }
      }
    }
  }
  return twos_complement_width(wide(low), wide(high));
}

}  // namespace accsim::sim
