// Sums of addends that are cut at a common place below the largest exponent: what matrix units do instead of rounding.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <vector>

#include "formats/exact.h"
#include "sim/cut.h"
#include "sim/datapath.h"

namespace accsim::sim {

/// A finite value with the exponent that it is aligned by; without one it does not take part in the search for the largest.
template <class U>
struct Aligned {
  formats::BasicExact<U> value;
  std::optional<int> exponent;
};

/// The largest exponent of those that take part.
template <class U>
std::optional<int> largest_exponent(std::span<const Aligned<U>> addends) {
  std::optional<int> largest;
  for (const Aligned<U>& x : addends) {
    if (x.exponent) largest = std::max(largest.value_or(*x.exponent), *x.exponent);
  }
  return largest;
}

/// The exact sum of addends, each cut `fraction_bits` below the largest exponent, with that exponent. A sum of zero is +0.
/// Where no addend has an exponent all are zeros.
template <class U>
Aligned<U> aligned_sum(std::span<const Aligned<U>> addends, int fraction_bits, Align align) {
  Aligned<U> total{formats::BasicExact<U>::zero(), largest_exponent(addends)};
  if (!total.exponent) return total;
  for (const Aligned<U>& x : addends) {
    const formats::BasicExact<U> kept = cut_below(x.value, *total.exponent - fraction_bits, align);
    if (!kept.is_zero()) total.value = formats::sum(total.value, kept);
  }
  return total;
}

/// The products of an issue of `staged_sum` summed alone: in `subsets` sums round robin, each aligned to its own largest exponent and cut
/// as in fused_sum; the sums, aligned to the largest of their exponents, are cut again and added. Zeros do not take part.
template <class U>
Aligned<U> staged_product_sum(const Level& level, std::span<const Aligned<U>> products) {
  if (level.subsets == 1) return aligned_sum(products, level.fraction_bits, level.align);
  std::vector<Aligned<U>> sums;
  for (std::size_t first = 0; first < static_cast<std::size_t>(level.subsets); ++first) {
    std::vector<Aligned<U>> subset;
    for (std::size_t i = first; i < products.size(); i += static_cast<std::size_t>(level.subsets)) subset.push_back(products[i]);
    sums.push_back(aligned_sum<U>(subset, level.fraction_bits, level.align));
  }
  return aligned_sum<U>(sums, level.fraction_bits, level.join_align);
}

/// Then the accumulator joins: the products' sum is cut `sum_fraction_bits` below the larger of both exponents, the accumulator
/// `fraction_bits` below, and their sum `result_fraction_bits` below its own exponent, which does not go below `emin`.
template <class U>
formats::BasicExact<U> staged_sum(const Level& level, std::span<const Aligned<U>> products, Aligned<U> accumulator, int emin) {
  const Aligned<U> dot = staged_product_sum(level, products);
  const std::vector<Aligned<U>> both{dot, accumulator};
  const std::optional<int> largest = largest_exponent<U>(both);
  if (!largest) return formats::BasicExact<U>::zero();
  const bool is_far = accumulator.exponent && *accumulator.exponent < *largest - level.fraction_bits - 1;
  if (level.drop_far_accumulator && is_far) accumulator.value = formats::BasicExact<U>::zero();
  formats::BasicExact<U> total = formats::sum(cut_below(dot.value, *largest - level.sum_fraction_bits, level.join_align),
                                              cut_below(accumulator.value, *largest - level.fraction_bits, level.join_align));
  if (total.is_zero()) return formats::BasicExact<U>::zero();
  if (level.result_fraction_bits)
    total = cut_below(total, std::max(log2_floor(total), emin) - *level.result_fraction_bits, level.join_align);
  return total;
}

}  // namespace accsim::sim
