// Names, spellings and their refusals; expected facts from contracts 1.1 and reference/formats.md.
#include <doctest/doctest.h>

#include "formats/error.h"
#include "formats/facts.h"
#include "formats/format.h"
#include "formats/rounding.h"
#include "formats/value_text.h"

using namespace accsim;
using namespace accsim::formats;

namespace {

/// Largest, smallest normal, smallest subnormal ("-" where there is none).
void check_range(const char* name, const char* largest, const char* normal, const char* subnormal) {
  CAPTURE(name);
  const FormatFacts facts = facts_of(parse_format(name));
  CHECK(same_value(widened(facts.max), parse_value(largest)));
  CHECK(same_value(widened(*facts.min_normal), parse_value(normal)));
  if (std::string_view(subnormal) == "-") CHECK_FALSE(facts.min_subnormal);
  else CHECK(same_value(widened(facts.min_subnormal.value()), parse_value(subnormal)));
}

void check_refused(const char* name, const char* rule) {
  CAPTURE(name);
  CHECK_THROWS_WITH_AS(parse_format(name), doctest::Contains(rule), InputError);
}

}  // namespace

TEST_CASE("the ranges of the catalogue are those of the standards") {
  check_range("fp16", "65504", "0x1p-14", "0x1p-24");
  check_range("bf16", "0x1.fep127", "0x1p-126", "0x1p-133");
  check_range("tf32", "0x1.ffcp127", "0x1p-126", "0x1p-136");
  check_range("fp32", "0x1.fffffep127", "0x1p-126", "0x1p-149");
  check_range("fp64", "0x1.fffffffffffffp1023", "0x1p-1022", "0x1p-1074");
  check_range("dlfloat16", "8573157376", "0x1.008p-31", "-");
  check_range("e4m3", "448", "0x1p-6", "0x1p-9");
  check_range("e5m2", "57344", "0x1p-14", "0x1p-16");
  check_range("e4m3fnuz", "240", "0x1p-7", "0x1p-10");
  check_range("e5m2fnuz", "57344", "0x1p-15", "0x1p-17");
  check_range("e4m3b11fnuz", "30", "0x1p-10", "0x1p-13");
  check_range("e4m3:specials=ieee", "240", "0x1p-6", "0x1p-9");
  check_range("e3m4", "15.5", "0.25", "0x1p-6");
  check_range("e3m2", "28", "0.25", "0x1p-4");
  check_range("e2m3", "7.5", "1", "0.125");
  check_range("e2m1", "6", "1", "0.5");
  check_range("e8m0", "0x1p127", "0x1p-127", "-");
  check_range("luq_e3m0", "16", "0.25", "-");
  check_range("sr_fp12", "4227858432", "0x1p-30", "0x1p-35");
  check_range("lba_fp12", "63.75", "0x1.02p-10", "-");
  check_range("e4m7:bias=12,specials=none,subnormals=off", "15.9375", "0x1.02p-12", "-");
  check_range("hif8", "32768", "0x1p-15", "0x1p-22");
  check_range("posit8", "0x1p24", "0x1p-24", "-");
  check_range("posit16", "0x1p56", "0x1p-56", "-");
  check_range("binary8p1se", "0x1p62", "0x1p-63", "-");
  check_range("binary8p2se", "0x1p31", "0x1p-31", "0x1p-32");
  check_range("binary8p3se", "49152", "0x1p-15", "0x1p-17");
  check_range("binary8p4se", "224", "0x1p-7", "0x1p-10");
  check_range("binary8p5se", "15", "0x1p-3", "0x1p-7");
  check_range("binary8p6se", "3.875", "0.5", "0x1p-6");
  check_range("binary8p7se", "1.96875", "1", "0x1p-6");
  check_range("binary8p3sf", "57344", "0x1p-15", "0x1p-17");
  check_range("binary6p3sf", "14", "0x1p-3", "0x1p-5");
  check_range("binary4p2sf", "3", "0.5", "0.25");
  check_range("binary8p1uf", "0x1p126", "0x1p-127", "-");
}

TEST_CASE("P3109 has 504 formats of 3 to 16 bits, with the codes that its clause 4 fixes") {
  std::size_t count = 0;
  for (int k = 3; k <= 16; ++k) {
    for (const Format& f : p3109_formats(k)) {
      CAPTURE(f.name);
      ++count;
      const bool is_signed = f.name.find('s') != std::string::npos;
      const Code one = Code{1} << (is_signed ? k - 2 : k - 1);
      const Code nan = is_signed ? Code{1} << (k - 1) : (Code{1} << k) - 1;
      CHECK(decode(nan, f).nan);
      CHECK(encode(NarrowExact::not_a_number(), f) == nan);
      // 1.0, but where the format is so small that infinity or NaN takes its code.
      const NarrowExact value = decode(one, f);
      if (value.is_finite()) CHECK(same_value(value, NarrowExact{.significand = 1}));
      CHECK(code_bits(f) == k);
      CHECK(parse_format(spelling(f)) == f);
    }
  }
  CHECK(count == 504);
}

TEST_CASE("aliases, case and blanks do not matter") {
  CHECK(parse_format(" FP16 ") == parse_format("binary16"));
  CHECK(parse_format("E5M10") == parse_format("fp16"));
  CHECK(parse_format("E4M3") == parse_format("ocp_e4m3"));
  CHECK(parse_format("int8") == parse_format("s8.0"));
  CHECK(parse_format("uint8") == parse_format("u8.0"));
  CHECK(parse_format("e4m3:bias=8,specials=fnuz") == parse_format("e4m3fnuz"));
  CHECK(parse_format("lba_fp12") == parse_format("e4m7:bias=10,specials=none,subnormals=off"));
  CHECK(parse_format("lba_fp12") == parse_format("e4m7:bias=10,specials=none,subnormals=binade"));
  CHECK(parse_format("sr_fp12") == parse_format("e6m5"));
  CHECK(parse_format("Binary8P3SE") == parse_format("binary8p3se"));
  CHECK(parse_format("posit8:es=2") == parse_format("posit8"));
  CHECK_FALSE(parse_format("posit8:es=0") == parse_format("posit8"));
  CHECK(parse_format("lns8") == parse_format("lns8.3"));
}

TEST_CASE("an impossible format is refused with the rule that it breaks") {
  check_refused("e0m0", "1 to 16 exponent bits");
  check_refused("e17m3", "1 to 16 exponent bits");
  check_refused("e8m120", "at most 128 bits");
  check_refused("e4m0", "at least 1 fraction bit");
  check_refused("s0.0", "1 to 128 bits");
  check_refused("s129.0", "1 to 128 bits");
  check_refused("u0.3", "1 to 128 bits");
  check_refused("int0", "1 to 128 bits");
  check_refused("sd0", "1 to 64 digits");
  check_refused("e4m3:bias=9999999", "between -131072 and 131072");
  check_refused("e4m3:bias=x", "not an integer");
  check_refused("e4m3:specials=foo", "none of ieee");
  check_refused("e4m3:subnormals=maybe", "none of on, off, binade");
  check_refused("e4m3:bias=3,Bias=4", "given twice");
  check_refused("e4m3:colour=red", "unknown key");
  check_refused("e4m3:bias", "not key=value");
  check_refused("e4m3:", "not key=value");
  check_refused("s8.4:bias=3", "only floats");
  check_refused("e5m2:specials=fnuz,signed=off", "code of -0");
  check_refused("e5m2:zero=off", "zero=off needs");
  check_refused("e1m1:specials=ieee,subnormals=off", "no finite nonzero value");
  check_refused("binary2p1se", "3 to 16 bits");
  check_refused("binary17p3se", "3 to 16 bits");
  check_refused("binary8p8se", "between 1 and 7");
  check_refused("binary8p9ue", "between 1 and 8");
  check_refused("binary8p0se", "between 1 and 7");
  check_refused("posit2", "3 to 64 bits");
  check_refused("posit65", "3 to 64 bits");
  check_refused("posit8:es=5", "0 to 4");
  check_refused("lns40.3", "3 to 32 bits");
  check_refused("lns8.7", "fraction bits");
  check_refused("lns8.3:table=0", "table=1..24");
  check_refused("fp17", "unknown format");
  check_refused("", "unknown format");
  CHECK_THROWS_WITH_AS(parse_format("e4m3fnu"), doctest::Contains("did you mean e4m3fnuz"), InputError);
}

TEST_CASE("a rounding that a format cannot have is refused with the rule") {
  const auto check = [](RoundingSpec spec, const char* format, const char* rule) {
    CHECK_THROWS_WITH_AS(check_combination(spec, parse_format(format)), doctest::Contains(rule), InputError);
  };
  check({.overflow = Overflow::wrap}, "fp16", "wrap with the float format");
  check({.overflow = Overflow::saturate_symmetric}, "u8.0", "unsigned");
  check({.overflow = Overflow::saturate_symmetric}, "uint8", "unsigned");
  check({.overflow = Overflow::saturate_zero}, "posit8", "float format");
  check({.overflow = Overflow::propagate}, "s8.0", "fixed-point format");
  check({.overflow = Overflow::infinity}, "s8.0", "fixed-point format");
  check({.overflow = Overflow::ieee}, "s8.0", "fixed-point format");
  check({.overflow = Overflow::ones_tail}, "s8.0", "fixed-point format");
  check({.overflow = Overflow::ones_tail}, "posit8", "ones_tail with posit8");
  check({.underflow = Underflow::gradual}, "lba_fp12", "no subnormals");
  check({.underflow = Underflow::flush}, "s8.0", "fixed-point format");
  check({.underflow = Underflow::flush}, "posit8", "posit8");
  check({.underflow = Underflow::none}, "hif8", "hif8");
  check({}, "sd8", "rounding's target");
  const RoundingSpec eager{.mode = Rounding::sr, .stochastic = {.bits = 4, .kind = StochasticKind::eager}};
  check(eager, "s8.0", "kind=eager");
  check(eager, "posit8", "kind=eager");
  CHECK_NOTHROW(check_combination(eager, parse_format("e6m5")));
  CHECK_THROWS_WITH_AS(check_single_operand(eager, "product.rounding"), doctest::Contains("no two operands"), InputError);
  CHECK_NOTHROW(check_single_operand({}, "product.rounding"));
}

TEST_CASE("roundings and overflows parse from their spellings and print back") {
  for (const char* text : {"rne", "rna", "rz", "ru", "rd", "ro", "sr:bits=13,kind=a,rng=philox", "sr:bits=4,kind=eager,rng=philox:7",
                           "sr:bits=8,kind=c,rng=lfsr:width=13,mask=0x100d,seed=0x0001,form=galois,step=right,share=pe"}) {
    RoundingSpec spec;
    parse_rounding(text, spec);
    CHECK(rounding_spelling(spec) == text);
  }
  CHECK(parse_overflow("satfinite") == Overflow::saturate);
  CHECK(parse_overflow("SatPropagate") == Overflow::propagate);
  CHECK(parse_overflow("SatNone") == Overflow::ieee);
  CHECK(name_of(Overflow::propagate) == "propagate");
  CHECK(name_of(parse_overflow("Infinity")) == "infinity");
  RoundingSpec spec;
  for (const char* text : {"", "rn", "sr", "sr:", "sr:bits=0", "sr:bits=33", "sr:bits=4,kind=z", "sr:bits=4,rng=foo",
                           "sr:bits=4,rng=lfsr:width=3,mask=3", "sr:bits=2,rng=lfsr:width=0,mask=1", "sr:bits=2,rng=lfsr:width=4"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_rounding(text, spec), InputError);
  }
}
