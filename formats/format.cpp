// The layouts behind one interface.
#include "formats/format.h"

#include "formats/layouts.h"

namespace accsim::formats {

Limits limits(const Format& format) {
  return std::visit([](const auto& f) { return limits_of(f); }, format.layout);
}

int code_bits(const Format& format) {
  return std::visit([](const auto& f) { return code_bits_of(f); }, format.layout);
}

int spacing_exponent(const Format& format, const Exact& x) {
  if (x.significand == 0) return limits(format).lsb_exponent;
  const int binade = log2_floor(x);
  return std::visit([binade](const auto& f) { return spacing_exponent_of(f, binade); }, format.layout);
}

NarrowExact decode(Code code, const Format& format) {
  return std::visit([code](const auto& f) { return decode(code, f); }, format.layout);
}

Code encode(const NarrowExact& value, const Format& format) {
  return std::visit([&value](const auto& f) { return encode(value, f); }, format.layout);
}

bool represents(const Format& format, const NarrowExact& value) {
  const Limits l = limits(format);
  if (value.nan) return l.has_nan;
  if (value.infinite) return l.has_infinity && (l.is_signed || !value.negative);
  if (value.significand == 0) return l.has_zero;
  return std::visit([&value](const auto& f) { return represents(f, value); }, format.layout);
}

}  // namespace accsim::formats
