// What a format holds and how values round to it, written from the standards and independent of formats/: sorted lists of all values,
// neighbours by search, decisions on exact numbers.
#pragma once

#include <string>
#include <vector>

#include "formats/rounding.h"
#include "number.h"

namespace oracle {

using accsim::formats::Overflow;
using accsim::formats::Rounding;
using accsim::formats::StochasticKind;

enum class Nan { none, ieee, all_ones, negative_zero };

/// One nonnegative finite value and its code.
struct Entry {
  Number value;
  unsigned code;
};

struct Format {
  std::string name;
  int bits = 0;
  bool is_signed = true, has_negative_zero = true, has_infinity = false;
  bool p3109 = false;  ///< overflow as in the tables of P3109 v4.0
  bool posit = false;  ///< negative codes are two's complements
  Nan nan = Nan::none;
  unsigned nan_code = 0, infinity_code = 0;
  bool flushes = false;  ///< nothing between zero (or nothing) and `values[first]`
  bool has_zero = true;
  std::vector<Entry> values;  ///< ascending
  Number next{64};            ///< where the value after the largest would be
  Number below{64};           ///< flushing formats: where the value before the smallest nonzero one would be
  Number min_normal{64};
  int precision = 0;  ///< as MPFR counts, for rounded_by_mpfr
  long emin = 0;      ///< the least exponent of a nonzero value with its leading bit at 2^(emin - 1)
  [[nodiscard]] unsigned with_sign(unsigned code, bool negative) const {
    if (!negative) return code;
    return posit ? (0U - code) & ((1U << bits) - 1U) : code | (1U << (bits - 1));
  }
};

/// Formats of contracts 1.1 of at most 16 bits, by the facts of the tables in the standards: X, Y, bias, NaN, infinity, subnormals.
Format float_format(std::string name, int x, int y, int bias, Nan nan, bool infinity, bool subnormals);
/// IEEE P3109 v4.0, by its decoder: T = x mod 2^(P-1), E = x div 2^(P-1).
Format p3109(int k, int p, bool is_signed, bool extended);
Format e8m0();
Format dlfloat16();
Format lba(std::string name, int x, int y, int bias);
Format hif8();

struct Mode {
  Rounding rounding = Rounding::rne;
  StochasticKind kind = StochasticKind::a;
  int bits = 0;
  Overflow overflow = Overflow::ieee;
};

struct Result {
  unsigned code = 0;
  bool overflow = false, underflow = false, inexact = false, invalid = false;
  bool operator==(const Result&) const = default;
};

/// A sum a b + c (or a b, or a + b, by what is given) rounded by MPFR itself: in the format's precision and exponent range, through
/// mpfr_subnormalize. For rne, rz, ru, rd and formats with at least one fraction bit. `a`, `b`, `c` null: not there.
Result rounded_by_mpfr(const Number& a, const Number* b, const Number* c, const Format& format, const Mode& mode);

/// x rounded by search among the format's values. x may be any number, infinity or NaN.
Result rounded(const Number& x, const Format& format, const Mode& mode, unsigned random);

/// The values of all codes, NaN and infinities among them.
std::vector<Number> decode_all(const Format& format);

/// Whether the magnitude goes up, from the exact share `nu` of the way between two neighbours; `odd` is the lower one's last bit.
bool goes_up(const Number& nu, bool odd, bool negative, const Mode& mode, unsigned random);

}  // namespace oracle
