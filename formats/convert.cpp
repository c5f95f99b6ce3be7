// Plans of conversions, from what Rounder makes of the special cases.
#include "formats/convert.h"

#include <cassert>
#include <cmath>

#include "formats/convert_isa.h"
#include "formats/error.h"
#include "formats/round.h"

namespace accsim::formats {
bool has_avx2() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") != 0;
#else
  return false;
#endif
}

namespace {

std::uint32_t code_of(const Rounder& rounder, const NarrowExact& x, const Format& format) {
  return static_cast<std::uint32_t>(encode(rounder(x).value, format));
}

}  // namespace

bool TensorQuantizer::supports(const Format& format, const RoundingSpec& spec) {
  if (format.as_float() == nullptr || code_bits(format) > 16) return false;
  if (underflow_of(spec, format) != underflow_of({}, format) || overflow_of(spec, format) == Overflow::ones_tail) return false;
  const bool random = spec.mode == Rounding::sr && spec.stochastic.kind == StochasticKind::a && !spec.stochastic.lfsr;
  return spec.mode == Rounding::rne || random;
}

TensorQuantizer::TensorQuantizer(const Format& format, const RoundingSpec& spec) {
  assert(supports(format, spec));
  const FloatFormat& f = *format.as_float();
  const Limits l = limits(format);
  const Rounder rounder(format, spec);
  ConversionPlan& p = plan_;
  p.fraction_bits = f.fraction_bits;
  p.flushes = !f.subnormals;
  p.is_signed = f.is_signed;
  // A code is its significand, implicit bit included, plus 2^fraction_bits times its binade counted from where field 1 would be.
  p.lowest_field = 1 - f.bias + 127;
  p.below_binary32 = p.lowest_field < 1 || (p.flushes && l.emin <= -126);
  p.least_code = p.flushes ? static_cast<std::int32_t>(encode(l.min_normal, format)) : 1;
  p.largest_code = static_cast<std::int32_t>(encode(l.max_finite, format));
  p.sign_bit = f.is_signed ? 1U << (f.exponent_bits + f.fraction_bits) : 0U;
  const NarrowExact huge{.exponent = 1 << 20, .significand = 1};
  const Rounder plain(format, {.mode = spec.mode == Rounding::sr ? Rounding::rz : spec.mode, .overflow = spec.overflow});
  for (const bool negative : {false, true}) {
    NarrowExact x = huge;
    x.negative = negative;
    p.over[negative] = code_of(rounder, x, format);
    p.infinity[negative] = code_of(rounder, NarrowExact::infinity(negative), format);
    p.zero[negative] = code_of(plain, NarrowExact::zero(negative), format);
  }
  p.nan = code_of(rounder, NarrowExact::not_a_number(), format);
  p.random_bits = spec.mode == Rounding::sr ? spec.stochastic.bits : 0;
}

void TensorQuantizer::operator()(std::span<const float> values, std::span<std::uint16_t> codes, std::uint64_t seed,
                                 const RandomPosition& position) const {
  assert(values.size() == codes.size());
  const ConversionRandom random{.first = position.output,
                                .c3 = 64 * position.layer + 16 * position.pass + position.site,
                                .key0 = static_cast<std::uint32_t>(seed),
                                .key1 = static_cast<std::uint32_t>(seed >> 32)};
#if defined(__x86_64__)
  if (has_avx2()) return avx2::convert(values.data(), codes.data(), values.size(), plan_, random);
#endif
  baseline::convert(values.data(), codes.data(), values.size(), plan_, random);
}

std::vector<float> decoding_table(const Format& format) {
  const int bits = code_bits(format);
  if (bits > 16) throw InputError("format " + format.name, "a decoding table of " + std::to_string(bits) + " bits", "at most 16 bits");
  std::vector<float> table;
  for (unsigned code = 0; code < 1U << bits; ++code) {
    const double value = to_double(decode(code, format));
    const auto narrow = static_cast<float>(value);
    if (!std::isnan(value) && static_cast<double>(narrow) != value) {
      throw InputError("format " + format.name, "values that binary32 does not hold", "a format within binary32");
    }
    table.push_back(narrow);
  }
  return table;
}

void decode(std::span<const std::uint16_t> codes, const std::vector<float>& table, std::span<float> values) {
  assert(codes.size() == values.size());
  for (std::size_t i = 0; i < codes.size(); ++i) values[i] = table[codes[i]];
}

const char* conversion_instructions() { return has_avx2() ? "avx2" : "baseline"; }

}  // namespace accsim::formats
