// Accumulator widths of fixed-point datapaths: what the types, the weights and the order of the sums ask for.
#pragma once

#include <optional>

#include "sim/executor.h"
#include "sim/lowering.h"
#include "sim/tensor.h"

namespace accsim::sim {

/// The integers that an operand can be, in units of its format's spacing: codes minus zero point.
struct IntegerRange {
  formats::Wide low, high;  ///< signed
  formats::Wide magnitude;  ///< 2^(N-s) without a zero point (A2Q's bound for unsigned types too), else the largest magnitude
  int spacing_exponent = 0;
};

/// The range of an operand in fixed point; nothing where the operand is a float.
std::optional<IntegerRange> integer_range(const Tensor& tensor, const Operand& operand);

/// True where operands, products and sums are all fixed point, so that widths mean something.
bool is_integer_datapath(const Datapath& datapath, const Tensor& a, const Tensor& b);

/// Least two's complement width P with low >= -2^(P-1) and high <= 2^(P-1)-1.
int twos_complement_width(const formats::Wide& low, const formats::Wide& high);

/// Guaranteed widths, in units of the products' spacing (A2Q, ICCV 2023; FINN's range in integers).
struct GuaranteedWidths {
  int datatype = 0;  ///< K 2^(N-s) 2^(M-1) <= 2^(P-1)-1
  int l1 = 0;        ///< |q|_1 2^(N-s) <= 2^(P-1)-1
  int range = 0;     ///< [S+ x_min - S- x_max, S+ x_max - S- x_min]
};

/// The widths for one output column, whose k integer weights are `weights` (operand b, holes zero).
GuaranteedWidths guaranteed_widths(const IntegerRange& a, const IntegerRange& b, std::span<const formats::Exact> weights);

/// The width that holds every exact prefix of one output in the datapath's order; `products` in term order.
int observed_width(const Datapath& datapath, std::span<const formats::Exact> products, const formats::Exact& initial, int spacing_exponent);
/// The same on machine integers, in units of the spacing; every partial sum must fit 127 bits.
int observed_width(const Datapath& datapath, std::span<const formats::Int128> products, formats::Int128 initial);

}  // namespace accsim::sim
