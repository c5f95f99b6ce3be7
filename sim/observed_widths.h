// The accumulator width that held every exact prefix of a layer's outputs, many outputs at once.
#pragma once

#include <memory>

#include "sim/integer_bounds.h"
#include "sim/kernels/prefix_extremes.h"

namespace accsim::sim {

/// Prefixes in the order of a datapath whose levels are all sequential, of integers whose sums fit int32 or binary64's integers.
class PrefixObserver {
 public:
  /// `spacing_a`, `spacing_b`: exponents of the operands' spacings.
  PrefixObserver(const Datapath& datapath, const LayerFacts& facts, int spacing_a, int spacing_b, const kernels::PrefixLanes& lanes);
  /// False where the datapath or its operands are others; `width` must then not be called.
  [[nodiscard]] bool supported() const { return carrier_ != Carrier::none; }
  /// The width for rows x columns outputs without C, operands row by row, in units of the products' spacing.
  [[nodiscard]] int width(std::span<const double> a, std::span<const double> b, std::int64_t rows, std::int64_t columns) const;

 private:
  enum class Carrier { none, integers, numbers };
  /// After this many terms the sums of the first `levels` levels are handed up.
  struct Run {
    std::int64_t terms = 0;
    std::size_t levels = 0;
  };
  template <class T>
  int width(kernels::PrefixFunction<T> add, std::span<const double> a, std::span<const double> b, std::int64_t rows,
            std::int64_t columns) const;

  const kernels::PrefixLanes& lanes_;
  Carrier carrier_ = Carrier::none;
  std::vector<std::int64_t> order_;
  std::vector<Run> runs_;
  std::size_t levels_ = 1;
  double units_a_ = 1, units_b_ = 1;  ///< 1 / spacing
};

}  // namespace accsim::sim
