// An operand of the fused-sum lanes: its values, those of block formats too, taken apart.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sim/executor.h"
#include "sim/kernels/kernel_fused_sum.h"

namespace accsim::sim::kernels {

/// Exponents of operands stay inside +/- this.
constexpr int operand_exponent_limit = exponent_limit / 2;

/// The least e with 2^e >= n, for n of at least 1.
int log2_ceil(std::int64_t n);

/// A binary64 number as significand * 2^unit, the significand odd or zero, and the exponent of its binade, not below emin.
struct Parts {
  bool is_finite = true;
  std::uint64_t significand = 0;
  int exponent = 0;
  int unit = 0;
};
inline Parts parts_of(double value, int emin) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const int field = static_cast<int>((bits >> 52) & 0x7FF);
  Parts p;
  p.is_finite = field != 0x7FF;
  p.significand = bits & 0xFFFFFFFFFFFFFULL;
  if (field != 0) p.significand |= 1ULL << 52;
  if (p.significand == 0) return p;
  const int zeros = std::countr_zero(p.significand);
  p.significand >>= zeros;
  p.unit = std::max(field, 1) - 1075 + zeros;
  p.exponent = std::max(p.unit + static_cast<int>(std::bit_width(p.significand)) - 1, emin);
  return p;
}

/// The bits of significands below and above the exponents that they are aligned by. A block's scale that is no power of two brings one
/// above.
struct SignificandBits {
  int fraction = 0, above = 0;
};
/// Bits that hold those of all operands with such facts.
SignificandBits significand_bits(const Operand& operand, const OperandFacts& facts, int emin);

/// Left shifts of the significands of a and b that make products of `fraction_bits`, and what is left for the distances.
struct Shifts {
  int a = 0, b = 0, base = 0;
};
/// Nothing where 16 bits do not suffice for significands of so many bits.
std::optional<Shifts> shifts_for(int fraction_bits, SignificandBits a, SignificandBits b);
/// Products, cut, are at most this.
std::int64_t largest_product(const Shifts& shifts, SignificandBits a, SignificandBits b);

/// What a tile's values are.
struct Scan {
  SignificandBits bits;
  int least = 1 << 20;  ///< exponent of the smallest nonzero one
  bool in_range = true;
};

/// An operand as the lanes take it: significand * 2^(exponent - unit_bits). It is aligned by `exponent`: that of its binade or of the
/// smallest normal; in a block format the sum of its element's and its scale's.
struct Factor {
  bool is_finite = true;
  std::int32_t significand = 0;
  std::int32_t exponent = 0;
};

class FusedOperand {
 public:
  /// `exact`: used instead of `values` where it is not empty.
  FusedOperand(const Operand& format, std::span<const double> values, std::span<const formats::Exact> exact, const BlockScales& blocks,
               int emin, std::int64_t k);
  FusedOperand(const FusedOperand&) = delete;
  FusedOperand& operator=(const FusedOperand&) = delete;

  [[nodiscard]] const Operand& format() const { return format_; }
  [[nodiscard]] std::int64_t lines() const { return static_cast<std::int64_t>(values_.size()) / k_; }
  [[nodiscard]] std::int64_t terms() const { return k_; }
  /// Elements times scales.
  [[nodiscard]] std::span<const double> values() const { return values_; }
  [[nodiscard]] double value(std::int64_t line, std::int64_t term) const { return values_[at(line, term)]; }
  /// That of a format without blocks is the value, and its scale 1.
  [[nodiscard]] double element(std::int64_t line, std::int64_t term) const {
    return blocks_.block == 0 ? value(line, term) : blocks_.elements[at(line, term)];
  }
  [[nodiscard]] double scale(std::int64_t line, std::int64_t term) const {
    return blocks_.block == 0 ? 1.0 : blocks_.scale_at(line, term, k_);
  }
  /// That of the binade or of the smallest normal; 0 where there is no scale, or it is zero or NaN.
  [[nodiscard]] int scale_exponent(std::int64_t line, std::int64_t term) const {
    return blocks_.block == 0 ? 0 : scale_of(line, term).exponent;
  }
  /// The exponent that the interpreter aligns a finite value by; that of a zero is given.
  [[nodiscard]] int exponent(std::int64_t line, std::int64_t term, int of_zero) const {
    return value(line, term) == 0 ? of_zero : parts_of(element(line, term), emin_).exponent + scale_exponent(line, term);
  }
  /// Of values in range, in units that hold them in 16 bits.
  [[nodiscard]] Factor factor(std::int64_t line, std::int64_t term, int unit_bits) const {
    const double x = element(line, term);
    const int field = static_cast<int>((std::bit_cast<std::uint64_t>(x) >> 52) & 0x7FF);
    const int exponent = std::clamp(field - 1023, std::max(emin_, -operand_exponent_limit), operand_exponent_limit);
    double significand = x * std::bit_cast<double>(static_cast<std::uint64_t>(1023 + unit_bits - exponent) << 52);
    Factor f{.is_finite = field != 0x7FF, .exponent = exponent};
    if (blocks_.block != 0) {
      const Scale& scale = scale_of(line, term);
      significand *= scale.significand;
      f.exponent += scale.exponent;
      f.is_finite &= scale.is_finite;
    }
    if (f.is_finite) f.significand = static_cast<std::int32_t>(significand);
    return f;
  }
  /// Of block formats what all of their values are, but for the smallest exponent, which no value lies below.
  [[nodiscard]] Scan scan() const;

 private:
  /// significand * 2^exponent
  struct Scale {
    double significand = 0;
    int exponent = 0;
    bool is_finite = true;
  };

  [[nodiscard]] std::size_t at(std::int64_t line, std::int64_t term) const { return static_cast<std::size_t>(line * k_ + term); }
  [[nodiscard]] const Scale& scale_of(std::int64_t line, std::int64_t term) const {
    const auto block = static_cast<std::uint32_t>(term) / static_cast<std::uint32_t>(blocks_.block);
    return scales_[static_cast<std::size_t>(line * blocks_in_line_ + block)];
  }
  [[nodiscard]] Scan scan_blocks() const;

  const Operand& format_;
  std::vector<double> copies_;
  std::span<const double> values_;
  BlockScales blocks_;
  int emin_;
  std::int64_t k_;
  std::int64_t blocks_in_line_ = 0;
  std::vector<Scale> scales_;
};

}  // namespace accsim::sim::kernels
