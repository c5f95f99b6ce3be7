// Special values and events: one table a mode, then the conversion vectors of OCP, P3109 and the other standards (reference/formats.md).
#include <doctest/doctest.h>

#include "formats/format.h"
#include "formats/round.h"
#include "formats/value_text.h"

using namespace accsim::formats;

namespace {

/// "CODE" or "CODE events", events as letters: o overflow, u underflow, i inexact, v invalid.
std::string into(const char* text, const char* format_name, RoundingSpec spec = {}) {
  const Format format = parse_format(format_name);
  check_combination(spec, format);
  const auto r = round(parse_value(text), format, spec);
  std::string out = code_text(encode(narrowed(r.value), format), format);
  const Events& e = r.events;
  if (e != Events{})
    out += std::string(" ") + (e.overflow ? "o" : "") + (e.underflow ? "u" : "") + (e.inexact ? "i" : "") + (e.invalid ? "v" : "");
  return out;
}

constexpr RoundingSpec saturating{.overflow = Overflow::saturate};
constexpr RoundingSpec propagating{.overflow = Overflow::propagate};
constexpr RoundingSpec to_nan{.overflow = Overflow::nan};
constexpr RoundingSpec away{.mode = Rounding::rna};

}  // namespace

TEST_CASE("infinities, NaN and zeros in floats with infinities") {
  CHECK(into("inf", "fp16") == "7c00");
  CHECK(into("-inf", "fp16") == "fc00");
  CHECK(into("nan", "fp16") == "7e00");
  CHECK(into("-0", "fp16") == "8000");
  CHECK(into("inf", "fp16", saturating) == "7bff oi");
  CHECK(into("-inf", "fp16", saturating) == "fbff oi");
  CHECK(into("inf", "fp16", propagating) == "7c00");
  CHECK(into("inf", "fp16", to_nan) == "7c00");  // an infinity delivered is no overflow
  CHECK(into("65520", "fp16") == "7c00 oi");
  CHECK(into("65519", "fp16") == "7bff i");
  CHECK(into("65520", "fp16", saturating) == "7bff oi");
  CHECK(into("65520", "fp16", propagating) == "7bff oi");
  CHECK(into("65520", "fp16", to_nan) == "7e00 oiv");
  CHECK(into("1e9", "fp16", {.mode = Rounding::rz}) == "7bff oi");
  CHECK(into("1e9", "fp16", {.mode = Rounding::ro}) == "7bff oi");
  CHECK(into("1e9", "fp16", {.mode = Rounding::ru}) == "7c00 oi");
  CHECK(into("1e9", "fp16", {.mode = Rounding::rd}) == "7bff oi");
  CHECK(into("-1e9", "fp16", {.mode = Rounding::ru}) == "fbff oi");
  CHECK(into("-1e9", "fp16", {.mode = Rounding::rd}) == "fc00 oi");
  CHECK(into("inf", "fp16", {.mode = Rounding::rz}) == "7c00");
}

TEST_CASE("a discarded part of ones decides where random bits leave a value beyond the range") {
  const Format fp16 = parse_format("fp16");
  const auto rounded = [&](const char* text, StochasticKind kind, std::uint32_t random) {
    const RoundingSpec spec{
        .mode = Rounding::sr, .stochastic = {.bits = 4, .kind = kind}, .overflow = Overflow::ones_tail, .underflow = {}};
    const auto r = round(parse_value(text), fp16, spec, random);
    CHECK(r.events.inexact);
    return code_text(encode(narrowed(r.value), fp16), fp16);
  };
  // t = 1111 (2): below rounds up where r < 15, a where 15 + r >= 16, b where 31 + 2 r + 1 >= 32, c where rne(15.99) + r >= 16.
  CHECK(rounded("131072", StochasticKind::below, 14) == "7c00");
  CHECK(rounded("131072", StochasticKind::below, 15) == "7bff");
  CHECK(rounded("-1e9", StochasticKind::below, 15) == "fbff");
  CHECK(rounded("1e9", StochasticKind::a, 0) == "7bff");
  CHECK(rounded("1e9", StochasticKind::a, 1) == "7c00");
  CHECK(rounded("1e9", StochasticKind::b, 0) == "7c00");
  CHECK(rounded("1e9", StochasticKind::c, 0) == "7c00");
  CHECK(rounded("65520", StochasticKind::below, 7) == "7c00");  // within the last binade its own tail decides: t = 1000
  CHECK(rounded("65520", StochasticKind::below, 8) == "7bff");
  CHECK(into("1e9", "fp16", {.mode = Rounding::rz, .overflow = Overflow::ones_tail}) == "7bff oi");
  CHECK(into("1e9", "fp16", {.mode = Rounding::rne, .overflow = Overflow::ones_tail}) == "7c00 oi");
}

TEST_CASE("overflow to infinity does not ask for the rounding mode, which still decides where the range ends") {
  constexpr RoundingSpec cut{.mode = Rounding::rz, .overflow = Overflow::infinity};
  CHECK(into("65535", "fp16", cut) == "7bff i");  // cut to the largest value: no overflow
  CHECK(into("65536", "fp16", cut) == "7c00 oi");
  CHECK(into("-65536", "fp16", cut) == "fc00 oi");
  CHECK(into("1e9", "fp16", {.mode = Rounding::ro, .overflow = Overflow::infinity}) == "7c00 oi");
  CHECK(into("-1e9", "fp16", {.mode = Rounding::ru, .overflow = Overflow::infinity}) == "fc00 oi");
  CHECK(into("1e9", "ocp_e4m3", cut) == "7f oiv");  // no infinity: its NaN
  CHECK(into("1e9", "e2m1", cut) == "7 oi");        // neither
}

TEST_CASE("overflow to NaN in a format without NaN gives zero and counts overflow, inexact and invalid") {
  CHECK(into("6.5", "e2m1", to_nan) == "7 i");
  CHECK(into("100", "e2m1", to_nan) == "0 oiv");
  CHECK(into("-100", "e2m1", to_nan) == "0 oiv");
  CHECK(into("inf", "e2m1", to_nan) == "0 oiv");
  CHECK(into("-1e9", "lba_fp12", to_nan) == "000 oiv");
  CHECK(into("nan", "lba_fp12", to_nan) == "000 v");
}

TEST_CASE("P3109's table and the general rule of contracts 1.2 are both there by name") {
  // P3109 v4.0 4.7.5: ToOdd in a signed extended format takes the infinity, a finite format under SatNone its extreme value.
  CHECK(parse_overflow("SatNone") == Overflow::ieee);
  CHECK(into("1e9", "binary8p4se", {.mode = Rounding::ro}) == "7f oi");
  CHECK(into("1e9", "binary8p4sf") == "7f oi");
  // Contracts 1.2: ro overflows to the largest finite value, and a format without infinities has its NaN.
  CHECK(into("1e9", "binary8p4se", {.mode = Rounding::ro, .overflow = Overflow::propagate}) == "7e oi");
  CHECK(into("inf", "binary8p4se", {.mode = Rounding::ro, .overflow = Overflow::propagate}) == "7f");
  CHECK(into("1e9", "binary8p4sf", to_nan) == "80 oiv");
}

TEST_CASE("infinities, NaN and zeros in floats without infinities, without -0, without NaN") {
  CHECK(into("inf", "e4m3") == "7f oiv");
  CHECK(into("-inf", "e4m3") == "7f oiv");
  CHECK(into("inf", "e4m3", saturating) == "7e oi");
  CHECK(into("-inf", "e4m3", propagating) == "fe oi");
  CHECK(into("nan", "e4m3", saturating) == "7f");
  CHECK(into("-0", "e4m3") == "80");
  CHECK(into("inf", "e4m3fnuz") == "80 oiv");
  CHECK(into("-0", "e4m3fnuz") == "00");
  CHECK(into("-1e-9", "e4m3fnuz") == "00 ui");  // never 80
  CHECK(into("inf", "e2m1") == "7 oi");
  CHECK(into("-inf", "e2m1") == "f oi");
  CHECK(into("nan", "e2m1") == "0 v");
  CHECK(into("-0", "e2m1") == "8");
  CHECK(into("nan", "hif8") == "80");
  CHECK(into("inf", "hif8") == "6f");
  CHECK(into("-0", "hif8") == "00");
}

TEST_CASE("infinities, NaN and -0 in fixed point") {
  CHECK(into("inf", "int8", saturating) == "7f oi");
  CHECK(into("-inf", "int8", saturating) == "80 oi");
  CHECK(into("-inf", "int8", {.overflow = Overflow::saturate_symmetric}) == "81 oi");
  CHECK(into("inf", "int8", {.overflow = Overflow::saturate_zero}) == "00 oi");
  CHECK(into("inf", "int8") == "00 oi");  // wrap
  CHECK(into("-inf", "uint8", saturating) == "00 oi");
  CHECK(into("nan", "int8") == "00 v");
  CHECK(into("-0", "int8") == "00");
  CHECK(into("128", "int8") == "80 oi");
  CHECK(into("-128", "int8") == "80");
  CHECK(into("-128", "int8", {.overflow = Overflow::saturate_symmetric}) == "81 oi");
  CHECK(into("-129", "int8") == "7f oi");
  CHECK(into("256", "int8") == "00 oi");
  CHECK(into("0.25", "int8") == "00 ui");
  CHECK(into("-1", "uint8") == "ff oi");
  CHECK(into("-1", "uint8", saturating) == "00 oi");
  CHECK(into("0x1p127", "s128.0") == "80000000000000000000000000000000 oi");
  CHECK(into("0x1p100000", "s128.0") == "00000000000000000000000000000000 oi");
}

TEST_CASE("subnormals, flushing and keeping small values count as the table of events says") {
  CHECK(into("0x1p-24", "fp16") == "0001");       // exact: no event
  CHECK(into("0x1.8p-24", "fp16") == "0002 ui");  // inexact and subnormal
  CHECK(into("0x1p-25", "fp16") == "0000 ui");
  CHECK(into("-0x1p-25", "fp16") == "8000 ui");
  CHECK(into("0x0.fffp-14", "fp16") == "0400 i");  // rounded up to the smallest normal: tiny before, not after
  CHECK(into("0x0.ffep-14", "fp16") == "0400 i");  // a tie
  CHECK(into("0x0.ffdp-14", "fp16") == "03ff ui");
  const RoundingSpec flush{.underflow = Underflow::flush};
  CHECK(into("0x1p-15", "fp16", flush) == "0000 ui");  // flushed although a value of the format
  CHECK(into("-0x1p-15", "fp16", flush) == "8000 ui");
  CHECK(into("0x1p-14", "fp16", flush) == "0400");
  CHECK(into("0x0.ffep-14", "fp16", flush) == "0000 ui");  // 12 significant bits are kept below 2^-14 too: 0.ffe is a value there
  CHECK(into("0x0.fffp-14", "fp16", flush) == "0400 i");   // a tie of the unbounded grid
  const auto kept = round(parse_value("0x1.003p-20"), parse_format("fp16"), {.underflow = Underflow::none});
  CHECK(value_text(kept.value) == value_text(parse_value("0x1.004p-20")));
  CHECK(kept.events == Events{.underflow = true, .inexact = true});
}

TEST_CASE("the LBA float keeps field 0 as a binade and gives zero the code of 2^-b") {
  const RoundingSpec cut{.mode = Rounding::rz, .overflow = Overflow::saturate};
  CHECK(into("0x1p-10", "lba_fp12", cut) == "000 ui");
  CHECK(into("-0x1p-10", "lba_fp12", cut) == "800 ui");
  CHECK(into("0x1.02p-10", "lba_fp12", cut) == "001");
  CHECK(into("0x1.01p-10", "lba_fp12", cut) == "000 ui");
  CHECK(into("64", "lba_fp12", cut) == "7ff oi");
  CHECK(into("1.50390625", "lba_fp12", cut) == "540 i");     // 1.5 + 2^-8: swamped (accumulators.md 1.2)
  CHECK(into("0.99951171875", "lba_fp12", cut) == "4ff i");  // 1 - 2^-11 -> 0.99609375
}

TEST_CASE("OFP8 conversions, saturating and not: the vectors of the reference") {
  CHECK(into("61439", "e5m2") == "7b i");
  CHECK(into("61440", "e5m2") == "7c oi");
  CHECK(into("61440", "e5m2", saturating) == "7b oi");
  CHECK(into("inf", "e5m2") == "7c");
  CHECK(into("inf", "e5m2", saturating) == "7b oi");
  CHECK(into("0x1p-17", "e5m2") == "00 ui");
  CHECK(into("0x3p-17", "e5m2") == "02 ui");
  CHECK(into("464", "e4m3") == "7e i");
  CHECK(into("464.1", "e4m3") == "7f oiv");
  CHECK(into("464.1", "e4m3", saturating) == "7e oi");
  CHECK(into("1e9", "e4m3") == "7f oiv");
  CHECK(into("0x1p-10", "e4m3") == "00 ui");
  CHECK(into("0x1.028f5cp-10", "e4m3") == "01 ui");
  CHECK(into("0x3p-10", "e4m3") == "02 ui");
  for (const char* x : {"29", "30", "31"}) CHECK(into(x, "e3m2", saturating).substr(0, 2) == "1f");
  CHECK(into("0x1p-5", "e3m2") == "00 ui");
  CHECK(into("0x3p-5", "e3m2") == "02 ui");
  for (const char* x : {"7.75", "8"}) CHECK(into(x, "e2m3", saturating).substr(0, 2) == "1f");
  CHECK(into("0x1p-4", "e2m3") == "00 ui");
  CHECK(into("0x3p-4", "e2m3") == "02 ui");
  // E2M1 under rne (formats.md 6).
  const std::pair<const char*, const char*> e2m1[] = {{"0.25", "0 ui"}, {"0.26", "1 ui"}, {"0.74", "1 ui"},  {"0.75", "2 i"},
                                                      {"1.25", "2 i"},  {"1.26", "3 i"},  {"1.74", "3 i"},   {"1.75", "4 i"},
                                                      {"2.5", "4 i"},   {"2.51", "5 i"},  {"3.49", "5 i"},   {"3.5", "6 i"},
                                                      {"5", "6 i"},     {"5.01", "7 i"},  {"-0.25", "8 ui"}, {"-0.01", "8 ui"}};
  for (const auto& [x, expected] : e2m1) CHECK(into(x, "e2m1") == expected);
  // FNUZ: the tie above the largest value overflows.
  CHECK(into("248", "e4m3fnuz") == "80 oiv");
  CHECK(into("61440", "e5m2fnuz") == "80 oiv");
  CHECK(into("31", "e4m3b11fnuz") == "80 oiv");
  CHECK(into("247", "e4m3fnuz") == "7f i");
}

TEST_CASE("P3109's saturation table, row by row") {
  // SatNone = ieee, SatFinite = saturate, SatPropagate = propagate. 8p3se: M_hi 7e, +Inf 7f, -Inf ff; 8p3sf: M_hi 7f; unsigned: NaN ff.
  CHECK(into("inf", "binary8p3se") == "7f");
  CHECK(into("inf", "binary8p3se", saturating) == "7e oi");
  CHECK(into("inf", "binary8p3se", propagating) == "7f");
  CHECK(into("-inf", "binary8p3se") == "ff");
  CHECK(into("-inf", "binary8p3se", saturating) == "fe oi");
  CHECK(into("inf", "binary8p3sf") == "7f oi");  // the extreme value, not NaN
  CHECK(into("-inf", "binary8p3sf") == "ff oi");
  CHECK(into("inf", "binary8p3sf", propagating) == "7f oi");
  CHECK(into("inf", "binary8p3ue") == "fe");
  CHECK(into("-inf", "binary8p3ue") == "ff oiv");
  CHECK(into("-inf", "binary8p3ue", saturating) == "00 oi");
  CHECK(into("-inf", "binary8p3ue", propagating) == "00 oi");
  CHECK(into("-inf", "binary8p3uf") == "ff oiv");
  CHECK(into("53248", "binary8p3se") == "7e i");
  CHECK(into("53249", "binary8p3se") == "7f oi");
  CHECK(into("53249", "binary8p3se", propagating) == "7e oi");
  CHECK(into("61440", "binary8p3sf") == "7f oi");
  CHECK(into("1e9", "binary8p3se", {.mode = Rounding::rz}) == "7e oi");
  CHECK(into("1e9", "binary8p3se", {.mode = Rounding::rd}) == "7e oi");
  CHECK(into("1e9", "binary8p3se", {.mode = Rounding::ro}) == "7f oi");   // to odd: infinity's code is odd
  CHECK(into("1e30", "binary8p3ue", {.mode = Rounding::ro}) == "fd oi");  // and even when unsigned
  CHECK(into("-1", "binary8p3ue") == "ff oiv");
  CHECK(into("-1", "binary8p3ue", {.mode = Rounding::rz}) == "00 oi");
  CHECK(into("-1", "binary8p3ue", {.mode = Rounding::ru}) == "00 oi");
  CHECK(into("-1", "binary8p3ue", {.mode = Rounding::rd}) == "ff oiv");
  CHECK(into("-1", "binary8p3ue", saturating) == "00 oi");
  CHECK(into("-1e-30", "binary8p3ue") == "00 ui");  // rounds to zero, which is there
  CHECK(into("-0", "binary8p3se") == "00");
  CHECK(into("nan", "binary8p3se", saturating) == "80");
  // One significand bit: ties go by the exponent's parity.
  CHECK(into("1.5", "binary8p1se") == "40 i");
  CHECK(into("3", "binary8p1se") == "42 i");
  CHECK(into("0x3p61", "binary8p1se") == "7e i");
}

TEST_CASE("E8M0 has neither zero nor sign") {
  CHECK(into("1", "e8m0") == "7f");
  CHECK(into("0", "e8m0") == "00 ui");
  CHECK(into("1e-60", "e8m0") == "00 ui");
  CHECK(into("0x1p-127", "e8m0") == "00");
  CHECK(into("0x1p127", "e8m0") == "fe");
  CHECK(into("0x1.8p127", "e8m0") == "fe i");
  CHECK(into("0x1.9p127", "e8m0") == "ff oiv");
  CHECK(into("-1", "e8m0") == "ff oiv");
  CHECK(into("-1", "e8m0", saturating) == "00 oi");
  CHECK(into("nan", "e8m0") == "ff");
  CHECK(into("3", "e8m0") == "80 i");    // tie between 2 (80) and 4 (81): even code
  CHECK(into("1.5", "e8m0") == "80 i");  // between 1 (7f) and 2 (80)
}

TEST_CASE("DLFloat16: an ordinary binade at the bottom, one merged code at the top") {
  CHECK(into("1", "dlfloat16") == "3e00");
  CHECK(into("0x1p-31", "dlfloat16") == "0000 ui");
  CHECK(into("0x1.008p-31", "dlfloat16") == "0001");
  CHECK(into("8573157376", "dlfloat16") == "7ffe");
  CHECK(into("inf", "dlfloat16") == "7fff oiv");
  CHECK(into("-0", "dlfloat16") == "8000");
  CHECK(into("1.0009765625", "dlfloat16") == "3e00 i");
  CHECK(into("1.0009765625", "dlfloat16", away) == "3e01 i");  // its hardware rounds ties up
}

TEST_CASE("HiFloat8 conversions with ties away, as its emulator states them") {
  CHECK(into("40960", "hif8", away) == "6f oi");
  CHECK(into("40959", "hif8", away) == "6e i");
  CHECK(into("40960", "hif8") == "6e i");  // ties to even stay
  CHECK(into("0x1p-23", "hif8", away) == "01 ui");
  CHECK(into("0x1.fp-24", "hif8", away) == "00 ui");
  CHECK(into("0x1.8p-22", "hif8", away) == "02 ui");
  CHECK(into("1", "hif8") == "08");
  CHECK(into("-1.125", "hif8") == "89");
  CHECK(into("2", "hif8") == "10");
  CHECK(into("0.5", "hif8") == "18");
  CHECK(into("16.5", "hif8", away) == "40 i");
  CHECK(into("17", "hif8") == "40 i");
}
