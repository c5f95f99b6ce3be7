// Fixed point against SystemC's sc_fix and sc_ufix: every 12-bit value into 6 bits, in every mode that both have.
// SystemC has no counterpart of ru, ro and sr (those: exact integers below); accsim has none of SC_RND, SC_RND_ZERO, SC_RND_MIN_INF
// (nearest with other ties) and SC_WRAP_SM.
#define SC_INCLUDE_FX
#include <doctest/doctest.h>

#include <sysc/datatypes/fx/fx.h>
#include <cstdio>

#include "formats/format.h"
#include "formats/round.h"

using namespace accsim::formats;

extern "C" int sc_main(int, char**) { return 0; }  // the library asks for one; doctest's main runs

namespace {

struct Quantization {
  Rounding ours;
  sc_dt::sc_q_mode theirs;
};
constexpr Quantization quantizations[] = {{Rounding::rne, sc_dt::SC_RND_CONV},
                                          {Rounding::rna, sc_dt::SC_RND_INF},
                                          {Rounding::rz, sc_dt::SC_TRN_ZERO},
                                          {Rounding::rd, sc_dt::SC_TRN}};

struct OverflowPair {
  Overflow ours;
  sc_dt::sc_o_mode theirs;
};
constexpr OverflowPair overflows[] = {{Overflow::wrap, sc_dt::SC_WRAP},
                                      {Overflow::saturate, sc_dt::SC_SAT},
                                      {Overflow::saturate_symmetric, sc_dt::SC_SAT_SYM},
                                      {Overflow::saturate_zero, sc_dt::SC_SAT_ZERO}};

/// 12 bits, 6 of them fraction.
NarrowExact input(int i) {
  return i == 0 ? NarrowExact::zero() : NarrowExact{.negative = i < 0, .exponent = -6, .significand = static_cast<UInt128>(std::abs(i))};
}

Format six_bits(int fraction_bits, bool is_signed) { return parse_format((is_signed ? "s6." : "u6.") + std::to_string(fraction_bits)); }

}  // namespace

TEST_CASE("every 12-bit value into 6 bits is what sc_fix makes of it, in every quantization and overflow mode that both have") {
  std::size_t cases = 0;
  std::size_t mismatches = 0;
  for (const bool is_signed : {true, false}) {
    for (int fraction = -2; fraction <= 8; ++fraction) {
      const Format format = six_bits(fraction, is_signed);
      for (const Quantization& q : quantizations) {
        for (const OverflowPair& o : overflows) {
          if (!is_signed && o.ours == Overflow::saturate_symmetric) continue;  // refused
          const RoundingSpec spec{.mode = q.ours, .overflow = o.ours};
          check_combination(spec, format);
          const Rounder rounder(format, spec);
          for (int i = -2048; i < 2048; ++i) {
            const double x = i / 64.0;
            double expected = 0;
            if (is_signed) {
              sc_dt::sc_fix y(6, 6 - fraction, q.theirs, o.theirs);
              y = x;
              expected = y.to_double();
            } else {
              sc_dt::sc_ufix y(6, 6 - fraction, q.theirs, o.theirs);
              y = x;
              expected = y.to_double();
            }
            const auto found = rounder(input(i));
            ++cases;
            const double value = to_double(found.value);
            const bool inexact = value != x;
            if (value == expected && found.events.inexact == inexact) continue;
            if (++mismatches <= 20) {
              std::printf("%s %d/%d x %g: sc_fix %g, found %g\n", format.name.c_str(), static_cast<int>(q.ours), static_cast<int>(o.ours),
                          x, expected, value);
            }
          }
        }
      }
    }
  }
  std::printf("12-bit values into 6 bits against SystemC: %zu, %zu mismatches\n", cases, mismatches);
  CHECK(mismatches == 0);
}

TEST_CASE("ru and ro, which SystemC lacks, are what integers say, with their events") {
  for (int fraction = -2; fraction <= 6; ++fraction) {
    const Format format = six_bits(fraction, true);
    const int step = 1 << (6 - fraction);  // in units of the input
    for (const Overflow o : {Overflow::wrap, Overflow::saturate, Overflow::saturate_symmetric, Overflow::saturate_zero}) {
      for (const Rounding r : {Rounding::ru, Rounding::ro}) {
        const Rounder rounder(format, {.mode = r, .overflow = o});
        for (int i = -2048; i < 2048; ++i) {
          const int low = (i >= 0 ? i : i - step + 1) / step;  // floor
          const bool cut = low * step != i;
          int kept = low;
          if (r == Rounding::ru && cut) kept = low + 1;
          if (r == Rounding::ro && cut && low % 2 == 0) kept = low + 1;
          const int least = o == Overflow::saturate_symmetric ? -31 : -32;
          const bool over = kept > 31 || kept < least;
          int expected = kept;
          if (over) {
            switch (o) {
              case Overflow::wrap: expected = ((kept + 32) & 63) - 32; break;
              case Overflow::saturate:
              case Overflow::saturate_symmetric: expected = kept > 0 ? 31 : least; break;
              case Overflow::saturate_zero:
              case Overflow::ieee:
              case Overflow::nan:
              case Overflow::infinity:
              case Overflow::ones_tail:
              case Overflow::propagate: expected = 0; break;
            }
          }
          const auto found = rounder(input(i));
          REQUIRE(to_double(found.value) * 64 == static_cast<double>(expected) * step);
          REQUIRE(found.events.overflow == over);
          REQUIRE(found.events.inexact == (expected * step != i));
          REQUIRE(found.events.underflow == (kept == 0 && i != 0));
          REQUIRE_FALSE(found.events.invalid);
        }
      }
    }
  }
}
