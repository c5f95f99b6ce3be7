// Online units behind the C interface: an inner product of radix 2, or its adder tree alone, on wires.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "sim/datapath.h"
#include "sim/online/inner_product.h"

namespace accsim::sim {

class BenchOnline {
 public:
  enum class Part { inner_product, tree };
  /// `terms`: products of the unit. InputError where the datapath has no online level of radix 2, or terms are not 1..64.
  BenchOnline(const Datapath& datapath, std::int64_t terms, Part part);

  [[nodiscard]] const online::Unit& shape() const { return shape_; }
  /// Wires of the digits of every term, bit t of term t; (1,1) is zero. Of the tree x alone.
  struct Digits {
    std::uint64_t x_plus = 0, x_minus = 0, y_plus = 0, y_minus = 0;
  };
  /// One rising edge. `start`: the first digits of a vector; `parallel`: Y of each term then, where multipliers take one.
  void clock(bool reset, bool start, const Digits& digits, const std::vector<online::Int128>& parallel);
  /// Behind the last edge.
  [[nodiscard]] online::Wires output() const { return output_; }
  [[nodiscard]] std::uint64_t products_plus() const { return products(1); }
  [[nodiscard]] std::uint64_t products_minus() const { return products(-1); }
  [[nodiscard]] std::uint64_t edges() const { return edges_; }

 private:
  [[nodiscard]] std::uint64_t products(int digit) const;

  online::Unit shape_;
  Part part_;
  online::InnerProduct inner_product_;
  online::AdderTree<online::Radix2Adder, online::Wires> tree_;
  online::Wires output_;
  std::uint64_t edges_ = 0;
};

}  // namespace accsim::sim
