// The named formats: one row each, with its source.
#include <array>

#include "formats/format.h"

namespace accsim::formats {
namespace {

constexpr const char* ieee754 = "IEEE 754-2019, 3.6";
constexpr const char* ofp8 = "OCP OFP8 1.0, table 1";
constexpr const char* mx = "OCP MX 1.0, 5.3";
constexpr const char* ml_dtypes = "jax-ml/ml_dtypes b793a6e";
constexpr const char* posits = "Standard for Posit Arithmetic, 2022";
constexpr const char* integer = "two's complement";

Format float_format(std::string name, FloatFormat facts, std::string source) { return {std::move(name), facts, std::move(source)}; }
Format fixed_format(std::string name, FixedFormat facts, std::string source) { return {std::move(name), facts, std::move(source)}; }

}  // namespace

std::span<const CatalogueRow> catalogue() {
  using F = FloatFormat;
  using enum Specials;
  static const std::vector<CatalogueRow> rows = {
      {float_format("binary16", F{.exponent_bits = 5, .fraction_bits = 10, .bias = 15}, ieee754), {"fp16"}},
      {float_format("binary32", F{.exponent_bits = 8, .fraction_bits = 23, .bias = 127}, ieee754), {"fp32"}},
      {float_format("binary64", F{.exponent_bits = 11, .fraction_bits = 52, .bias = 1023}, ieee754), {"fp64"}},
      {float_format("bf16", F{.exponent_bits = 8, .fraction_bits = 7, .bias = 127}, "industry practice, top half of binary32"),
       {"bfloat16"}},
      {float_format("tf32", F{.exponent_bits = 8, .fraction_bits = 10, .bias = 127}, "NVIDIA A100 white paper, 2020"), {}},
      {float_format("ocp_e4m3", F{.exponent_bits = 4, .fraction_bits = 3, .bias = 7, .specials = fn}, ofp8), {"e4m3"}},
      {float_format("ocp_e5m2", F{.exponent_bits = 5, .fraction_bits = 2, .bias = 15}, ofp8), {"e5m2"}},
      {float_format("e4m3fnuz", F{.exponent_bits = 4, .fraction_bits = 3, .bias = 8, .specials = fnuz}, ml_dtypes), {}},
      {float_format("e5m2fnuz", F{.exponent_bits = 5, .fraction_bits = 2, .bias = 16, .specials = fnuz}, ml_dtypes), {}},
      {float_format("e4m3b11fnuz", F{.exponent_bits = 4, .fraction_bits = 3, .bias = 11, .specials = fnuz}, ml_dtypes), {}},
      {float_format("e3m4", F{.exponent_bits = 3, .fraction_bits = 4, .bias = 3}, ml_dtypes), {}},
      {float_format("ocp_e3m2", F{.exponent_bits = 3, .fraction_bits = 2, .bias = 3, .specials = none}, mx), {"e3m2"}},
      {float_format("ocp_e2m3", F{.exponent_bits = 2, .fraction_bits = 3, .bias = 1, .specials = none}, mx), {"e2m3"}},
      {float_format("ocp_e2m1", F{.exponent_bits = 2, .fraction_bits = 1, .bias = 1, .specials = none}, mx), {"e2m1"}},
      {float_format("e8m0",
                    F{.exponent_bits = 8,
                      .bias = 127,
                      .specials = fn,
                      .subnormals = false,
                      .lowest_binade = true,
                      .is_signed = false,
                      .has_zero = false},
                    "OCP MX 1.0, 5.4"),
       {}},
      {float_format("dlfloat16",
                    F{.exponent_bits = 6, .fraction_bits = 9, .bias = 31, .specials = fn, .subnormals = false, .lowest_binade = true},
                    "Agrawal et al., ARITH 2019; onnx-mlir NNPA; the merged NaN-or-infinity reads as NaN"),
       {}},
      {float_format("luq_e3m0", F{.exponent_bits = 3, .bias = 3, .specials = none},
                    "Chmiel et al. 2022, arXiv 2112.10769: 7 magnitudes and zero; the bias is a choice"),
       {}},
      {{"hif8", Hif8Format{}, "arXiv 2409.16626; ddddwee1/HiFloat8 913c071; assignment of codes unverified"}, {"hifloat8"}},
      {{"posit8", PositFormat{.width = 8}, posits}, {}},
      {{"posit16", PositFormat{.width = 16}, posits}, {}},
      {{"lns8.3", LogFormat{.width = 8, .fraction_bits = 3}, "no standard; formats/lns.h"}, {"lns8"}},
      {{"lns16.10", LogFormat{.width = 16, .fraction_bits = 10}, "no standard; formats/lns.h"}, {"lns16"}},
      {float_format("lba_fp12", F{.exponent_bits = 4, .fraction_bits = 7, .bias = 10, .specials = none, .subnormals = false},
                    "Blumenfeld, Hubara, Soudry 2024, arXiv 2401.14110"),
       {}},
      {float_format("sr_fp12", F{.exponent_bits = 6, .fraction_bits = 5, .bias = 31}, "Ben Ali, Filip, Sentieys 2024, arXiv 2404.14010"),
       {}},
      {fixed_format("int4", {.width = 4}, integer), {}},
      {fixed_format("int8", {.width = 8}, integer), {}},
      {fixed_format("int16", {.width = 16}, integer), {}},
      {fixed_format("int32", {.width = 32}, integer), {}},
      {fixed_format("int64", {.width = 64}, integer), {}},
      {fixed_format("uint4", {.width = 4, .is_signed = false}, "unsigned binary"), {}},
      {fixed_format("uint8", {.width = 8, .is_signed = false}, "unsigned binary"), {}},
      {fixed_format("uint16", {.width = 16, .is_signed = false}, "unsigned binary"), {}},
      {fixed_format("uint32", {.width = 32, .is_signed = false}, "unsigned binary"), {}},
  };
  return rows;
}

}  // namespace accsim::formats
