// Block formats: elements of a small format that share a scale (OCP MX, NVFP4). Operand formats only.
#pragma once

#include <optional>
#include <span>

#include "formats/format.h"
#include "formats/number_rounder.h"
#include "formats/round.h"

namespace accsim::formats {

/// How the power of two that a block shares follows from amax, its largest magnitude; emax is the exponent of the element's largest value.
/// All are exact: nothing passes through a floating-point logarithm.
enum class ScaleRule {
  floor,  ///< 2^(floor(log2 amax) - emax): OCP MX 1.0, 6.3; the largest elements may clamp
  ceil,   ///< 2^(ceil(log2 amax) - emax)
  even,   ///< floor's, of amax rounded (rne) to the element's precision first
  rceil,  ///< the smallest power of two X with amax / X <= the element's largest value: nothing clamps
  nvfp4,  ///< no power of two but an E4M3 number, below a binary32 scale of the whole tensor: see quantize_blocks
};

struct BlockFormat {
  std::string name;  ///< as spelled, lower case
  Format element;
  Format scale;   ///< e8m0, or e4m3 for nvfp4
  int block = 0;  ///< elements that share a scale
  ScaleRule rule = ScaleRule::floor;
  RoundingSpec rounding;  ///< of the elements: rne, saturating, unless told otherwise; not part of the spelling
  std::string source;
  bool operator==(const BlockFormat& o) const {
    return element == o.element && scale == o.scale && block == o.block && rule == o.rule && rounding == o.rounding;
  }
};

/// mxfp8_e4m3, mxfp8_e5m2, mxfp6_e3m2, mxfp6_e2m3, mxfp4, mxint8, nvfp4.
std::span<const BlockFormat> block_catalogue();

/// True where the name before any colon is that of a block format.
bool is_block_format(std::string_view text);
/// A name of the catalogue, case-insensitively, and `:scale=floor|ceil|even|rceil`, `block=N` (1 to 65536) for all but nvfp4.
/// Throws InputError.
BlockFormat parse_block_format(std::string_view text);
std::string spelling(const BlockFormat& format);
/// Throws InputError where the elements cannot be rounded so: what check_combination refuses, and underflow none, whose values have no
/// codes.
void check_combination(const BlockFormat& format);

/// One block: what its elements and its scale are. A block with a NaN scale has NaN elements, whatever their codes.
struct Block {
  Code scale_code = 0;
  NarrowExact scale;                  ///< a value of the scale's format; the elements count this much
  std::vector<Code> codes;            ///< of the elements
  std::vector<NarrowExact> elements;  ///< their values, exact, before the scale
  std::int64_t clipped = 0;           ///< finite values, not zero, that left the elements' range; all of a NaN block
};

/// What a block has besides its elements, as numbers.
struct NumberBlock {
  double scale = 0;
  std::int64_t clipped = 0;
};

/// The largest magnitude among the finite values; 0 where there is none.
double largest_magnitude(std::span<const double> values);

/// Quantizes blocks of one tensor, whose largest finite magnitude is `tensor_amax` (used by nvfp4 only). The value of an element is
/// element * scale (* tensor_scale). Safe to share between threads.
///
/// MX. X = 2^e by the rule; element i = value i / X, an exact quotient, rounded by `format.rounding`, mxint8 symmetrically unless told
/// otherwise (-128 is not used). e below -127 becomes -127; e above 127 makes the block NaN. A block of zeros has X = 2^-127 (the
/// specification is silent) and zeros of their signs. An infinity or NaN in a block makes the block NaN: scale code ff, element codes 0.
///
/// nvfp4, in the order of NVIDIA's TransformerEngine (quantization_nvfp4.py 99d67c1), every step rounded to binary32, rne:
///   the values, first;  S_enc = 2688 / tensor_amax, at most the largest binary32, 1 where tensor_amax or S_enc is 0;  S_dec = 1 / S_enc;
///   scale = e4m3(min((amax / 6) * S_enc, 448));  enc = min(1 / (scale * S_dec), largest binary32);
///   element = e2m1(value * enc), saturating.
/// A block of zeros has scale 0. An infinity or NaN makes the block NaN (scale code 7f), as in MX.
class BlockQuantizer {
 public:
  explicit BlockQuantizer(const BlockFormat& format, double tensor_amax = 0);

  [[nodiscard]] const BlockFormat& format() const { return format_; }
  /// nvfp4: the tensor's decoding scale, a binary32 number; 1 otherwise. It belongs to results, not to operands.
  [[nodiscard]] const NarrowExact& tensor_scale() const { return decode_; }
  /// One block of at most format().block values; `random` has a number for each where the rounding is stochastic.
  [[nodiscard]] Block operator()(std::span<const double> values, std::span<const std::uint32_t> random = {}) const;
  /// The same block as binary64 numbers: values become elements. Faster where NumberRounder supports the elements' rounding.
  [[nodiscard]] NumberBlock numbers(std::span<double> values, std::span<const std::uint32_t> random = {}) const;

 private:
  [[nodiscard]] Block mx_block(std::span<const double> values, std::span<const std::uint32_t> random) const;
  [[nodiscard]] Block nvfp4_block(std::span<const double> values, std::span<const std::uint32_t> random) const;
  [[nodiscard]] Block nan_block(std::span<const double> values) const;
  void add_element(Block& block, const NarrowExact& quotient, std::span<const std::uint32_t> random) const;

  BlockFormat format_;
  [[nodiscard]] NumberBlock nvfp4_numbers(std::span<double> values) const;
  [[nodiscard]] NumberBlock slow_numbers(std::span<double> values, std::span<const std::uint32_t> random) const;
  [[nodiscard]] NumberBlock rounded(std::span<double> quotients, double scale) const;
  [[nodiscard]] double least_overflow(bool negative) const;

  Rounder to_element_, to_scale_;
  NarrowExact encode_, decode_;  ///< nvfp4's scales of the tensor
  std::optional<NumberRounder> numbers_, scale_numbers_;
  double overflow_[2] = {};  ///< numbers_: the smallest magnitudes that leave the elements' range, by sign
};

/// Blocks that a row of `terms` operands has; 0 where they are in none.
std::size_t blocks_of(const std::optional<BlockFormat>& format, std::size_t terms);

/// The code of the scale 1.
Code scale_one(const BlockFormat& format);

}  // namespace accsim::formats
