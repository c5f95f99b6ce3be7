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

/// A fixed-point value as a signed integer in units of 2^spacing_exponent.
formats::Wide units(const formats::Exact& x, int spacing_exponent);

/// The range of an operand in fixed point; nothing where the operand is a float.
std::optional<IntegerRange> integer_range(const Tensor& tensor, const Operand& operand);

/// Two's complement width of operands in fixed point minus their zero points; 0 where there is no zero point, or no fixed point.
int zero_point_width(const Tensor& tensor, const Operand& operand);

/// True where operands, products and sums are all fixed point, so that widths mean something.
bool is_integer_datapath(const Datapath& datapath, const Tensor& a, const Tensor& b);

/// Least two's complement width P with low >= -2^(P-1) and high <= 2^(P-1)-1.
int twos_complement_width(const formats::Wide& low, const formats::Wide& high);

/// The least and the greatest sum, zero among them: what a register must hold that starts at zero.
template <class T>
class Extremes {
 public:
  void see(const T& value) {
    if (value < low_) low_ = value;
    if (value > high_) high_ = value;
  }
  void added(const T& /*accumulator*/, const T& /*addend*/, const T& sum) { see(sum); }
  [[nodiscard]] const T& low() const { return low_; }
  [[nodiscard]] const T& high() const { return high_; }

 private:
  T low_{0}, high_{0};
};

/// Guaranteed widths, in units of the products' spacing (A2Q, ICCV 2023; FINN's range in integers).
struct GuaranteedWidths {
  int datatype = 0;                  ///< K 2^(N-s) 2^(M-1) <= 2^(P-1)-1
  int l1 = 0;                        ///< |q|_1 2^(N-s) <= 2^(P-1)-1
  int zero_centred = 0;              ///< |q|_1 (2^N-1) <= 2^P-2 (A2Q+); a guarantee only where S+ and S- balance: range <= zero_centred
  int range = 0;                     ///< [S+ x_min - S- x_max, S+ x_max - S- x_min], the inputs' range taken to have zero in it
  formats::Wide positive, negative;  ///< S+, S-: sums of the positive weights and of the magnitudes of the negative ones

  void merge(const GuaranteedWidths& other);  ///< the larger of all widths and sums
};

/// The widths for one output column, whose k integer weights are `weights` (operand b in units of its spacing, holes zero).
GuaranteedWidths guaranteed_widths(const IntegerRange& a, const IntegerRange& b, std::span<const formats::Wide> weights);

/// The same from S+ and S- of k weights.
GuaranteedWidths guaranteed_widths(const IntegerRange& a, const IntegerRange& b, std::int64_t k, const formats::Wide& positive,
                                   const formats::Wide& negative);

/// The width that holds every exact prefix of one output in the datapath's order; `products` in term order.
int observed_width(const Datapath& datapath, std::span<const formats::Exact> products, const formats::Exact& initial, int spacing_exponent);
/// The same on machine integers, in units of the spacing; every partial sum must fit 127 bits.
int observed_width(const Datapath& datapath, std::span<const formats::Int128> products, formats::Int128 initial);

}  // namespace accsim::sim
