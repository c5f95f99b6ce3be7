// Sums, products and fused multiply-adds of 8-bit formats and of fp16 and bf16: against MPFR's own rounding, and against exact numbers.
#include <doctest/doctest.h>

#include <cstdio>
#include <random>

#include "formats/format.h"
#include "formats/round.h"
#include "oracle.h"

using namespace accsim::formats;
using oracle::Mode;
using oracle::Nan;
using oracle::Number;

namespace {

struct Both {
  Mode mode;
  Rounder rounder;
  bool by_mpfr;
};

/// One target of sums, in the library and in the oracle.
struct Target {
  const oracle::Format* facts;
  Format format;
  std::vector<Both> modes;

  explicit Target(const oracle::Format& f) : facts(&f), format(parse_format(f.name)) {
    const auto add = [this](Mode mode, bool by_mpfr) {
      const RoundingSpec spec{.mode = mode.rounding, .stochastic = {.bits = mode.bits, .kind = mode.kind}};
      check_combination(spec, format);
      modes.push_back({mode, Rounder(format, spec), by_mpfr});
    };
    const bool mpfr = f.precision > 1;
    for (const Rounding r : {Rounding::rne, Rounding::rz, Rounding::ru, Rounding::rd}) add({.rounding = r}, mpfr);
    for (const Rounding r : {Rounding::rna, Rounding::ro}) add({.rounding = r}, false);
    for (const StochasticKind kind : {StochasticKind::a, StochasticKind::b, StochasticKind::c, StochasticKind::below}) {
      add({.rounding = Rounding::sr, .kind = kind, .bits = 1 + 2 * static_cast<int>(kind)}, false);
    }
  }
};

struct Counts {
  std::size_t cases = 0, mismatches = 0;
};

/// One result in one mode. b null: a + c; c null: a b.
void check(const Target& target, const Both& both, const Number& a, const Number* b, const Number* c, const NarrowExact& left,
           const NarrowExact& right, const Number& exact, unsigned random, Counts& counts) {
  const oracle::Result expected =
      both.by_mpfr ? oracle::rounded_by_mpfr(a, b, c, *target.facts, both.mode) : oracle::rounded(exact, *target.facts, both.mode, random);
  Events events;
  NarrowExact value;
  try {
    const auto r = c == nullptr ? both.rounder(left, random) : both.rounder.rounded_sum(left, right, random);
    events = r.events;
    value = r.value;
  } catch (const DoesNotFit&) {
    const auto r = c == nullptr ? both.rounder(widened(left), random) : both.rounder.rounded_sum(widened(left), widened(right), random);
    events = r.events;
    value = narrowed(r.value);
  }
  const auto code = static_cast<unsigned>(encode(value, target.format));
  ++counts.cases;
  if (code == expected.code && events.overflow == expected.overflow && events.underflow == expected.underflow &&
      events.inexact == expected.inexact) {
    return;
  }
  if (++counts.mismatches > 20) return;
  mpfr_printf("%s mode %d/%d r %u exact %Ra: expected %x o%d u%d i%d, found %x o%d u%d i%d\n", target.format.name.c_str(),
              static_cast<int>(both.mode.rounding), static_cast<int>(both.mode.kind), random, exact.get(), expected.code, expected.overflow,
              expected.underflow, expected.inexact, code, events.overflow, events.underflow, events.inexact);
}

/// The sign of an exact zero sum goes by the mode; for the search it is handed in with the number.
void give_zero_its_sign(Number& exact, const Number& a, const Number* b, const Number& c, bool down) {
  if (!exact.is_zero()) return;
  if (b == nullptr) mpfr_add(exact.get(), a.get(), c.get(), down ? MPFR_RNDD : MPFR_RNDN);
  else mpfr_fma(exact.get(), a.get(), b->get(), c.get(), down ? MPFR_RNDD : MPFR_RNDN);
}

void check_all_modes(const Target& target, const Number& a, const Number* b, const Number* c, const NarrowExact& left,
                     const NarrowExact& right, std::mt19937& random, Counts& counts) {
  static Number exact;
  if (c == nullptr) mpfr_mul(exact.get(), a.get(), b->get(), MPFR_RNDN);
  else if (b == nullptr) mpfr_add(exact.get(), a.get(), c->get(), MPFR_RNDN);
  else mpfr_fma(exact.get(), a.get(), b->get(), c->get(), MPFR_RNDN);
  const unsigned kind = random() % 4;  // of the stochastic ones, which are slow, one a case
  for (const Both& both : target.modes) {
    if (both.mode.rounding == Rounding::sr && static_cast<unsigned>(both.mode.kind) != kind) continue;
    if (c != nullptr) give_zero_its_sign(exact, a, b, *c, both.mode.rounding == Rounding::rd);
    check(target, both, a, b, c, left, right, exact, random(), counts);
  }
}

/// All pairs: sums and products; and `addends` random third operands for each pair.
void check_pairs(const oracle::Format& f, const oracle::Format& fp16, int addends) {
  const Format format = parse_format(f.name);
  const std::vector<Number> numbers = oracle::decode_all(f);
  std::vector<NarrowExact> values;
  for (unsigned code = 0; code < numbers.size(); ++code) values.push_back(decode(code, format));
  const Target targets[] = {Target(f), Target(fp16)};
  std::mt19937 random(7);
  Counts counts;
  for (unsigned i = 0; i < numbers.size(); ++i) {
    for (unsigned j = 0; j < numbers.size(); ++j) {
      const NarrowExact p = product(values[i], values[j]);
      for (const Target& target : targets) {
        check_all_modes(target, numbers[i], nullptr, &numbers[j], values[i], values[j], random, counts);
        check_all_modes(target, numbers[i], &numbers[j], nullptr, p, p, random, counts);
        for (int n = 0; n < addends; ++n) {
          const unsigned k = random() % static_cast<unsigned>(numbers.size());
          check_all_modes(target, numbers[i], &numbers[j], &numbers[k], p, values[k], random, counts);
        }
      }
    }
  }
  std::printf("%s, sums, products, %d fma a pair, into itself and fp16: %zu, %zu mismatches\n", f.name.c_str(), addends, counts.cases,
              counts.mismatches);
  CHECK(counts.mismatches == 0);
}

oracle::Format binary16() { return oracle::float_format("fp16", 5, 10, 15, Nan::ieee, true, true); }
oracle::Format bf16() { return oracle::float_format("bf16", 8, 7, 127, Nan::ieee, true, true); }

std::vector<oracle::Format> bytes() {
  std::vector<oracle::Format> all;
  all.push_back(oracle::float_format("e4m3", 4, 3, 7, Nan::all_ones, false, true));
  all.push_back(oracle::float_format("e5m2", 5, 2, 15, Nan::ieee, true, true));
  all.push_back(oracle::float_format("e4m3fnuz", 4, 3, 8, Nan::negative_zero, false, true));
  all.push_back(oracle::float_format("e5m2fnuz", 5, 2, 16, Nan::negative_zero, false, true));
  all.push_back(oracle::float_format("e4m3b11fnuz", 4, 3, 11, Nan::negative_zero, false, true));
  all.push_back(oracle::float_format("e3m4", 3, 4, 3, Nan::ieee, true, true));
  all.push_back(oracle::hif8());
  all.push_back(oracle::p3109(8, 3, true, true));
  all.push_back(oracle::p3109(8, 4, true, true));
  return all;
}

void check_triples(const oracle::Format& f, std::size_t count, unsigned seed) {
  const Format format = parse_format(f.name);
  const std::vector<Number> numbers = oracle::decode_all(f);
  const Target target(f);
  std::mt19937 random(seed);
  Counts counts;
  for (std::size_t n = 0; n < count; ++n) {
    unsigned i = random() & 0xFFFFU;
    unsigned j = random() & 0xFFFFU;
    unsigned k = random() & 0xFFFFU;
    if (n % 4 == 1) {  // near cancellation: c is minus the rounded product, or its neighbour
      Number p(f.precision);
      mpfr_mul(p.get(), numbers[i].get(), numbers[j].get(), MPFR_RNDN);
      mpfr_neg(p.get(), p.get(), MPFR_RNDN);
      k = (oracle::rounded(p, f, {.rounding = Rounding::rz}, 0).code + random() % 3 + 0xFFFFU) & 0xFFFFU;
    } else if (n % 4 == 2) {  // sums near the bottom
      i = (i & 0x83FFU) | (random() & 0x1C00U);
      k &= 0x8FFFU;
    }
    const NarrowExact p = product(decode(i, format), decode(j, format));
    check_all_modes(target, numbers[i], &numbers[j], &numbers[k], p, decode(k, format), random, counts);
  }
  std::printf("%s fma: %zu triples, %zu results, %zu mismatches, seed %u\n", f.name.c_str(), count, counts.cases, counts.mismatches, seed);
  CHECK(counts.mismatches == 0);
}

void check_all_codes(const oracle::Format& f) {
  const Format format = parse_format(f.name);
  const std::vector<Number> numbers = oracle::decode_all(f);
  std::size_t mismatches = 0;
  for (unsigned code = 0; code < numbers.size(); ++code) {
    const NarrowExact found = decode(code, format);
    const NarrowExact expected = numbers[code].exact();
    const bool same = expected.nan ? found.nan : same_value(found, expected) && found.negative == expected.negative;
    if (!same || (!expected.nan && encode(found, format) != code && !found.is_zero())) ++mismatches;
  }
  std::printf("%s: %zu codes, %zu mismatches\n", f.name.c_str(), numbers.size(), mismatches);
  CHECK(mismatches == 0);
}

}  // namespace

TEST_CASE("sums, products and fused multiply-adds of all pairs of 8-bit codes round as MPFR rounds them, or as exact numbers say") {
  const oracle::Format fp16 = binary16();
  for (const oracle::Format& f : bytes()) check_pairs(f, fp16, 1);
}

TEST_CASE("all codes of fp16, bf16 and dlfloat16 have their values") {
  for (const oracle::Format& f : {binary16(), bf16(), oracle::dlfloat16()}) check_all_codes(f);
}

TEST_CASE("fused multiply-adds of fp16, bf16 and dlfloat16 round as MPFR rounds them") {
  for (const oracle::Format& f : {binary16(), bf16(), oracle::dlfloat16()}) check_triples(f, 100000, 11);
}

TEST_CASE("all P3109 formats of 8 bits add, multiply and fuse right, with four third operands a pair (long)") {
  const oracle::Format fp16 = binary16();
  for (const oracle::Format& f : bytes()) check_pairs(f, fp16, 4);
  for (int p = 1; p <= 8; ++p) {
    for (const bool extended : {true, false}) {
      if (p < 8) check_pairs(oracle::p3109(8, p, true, extended), fp16, 1);
      check_pairs(oracle::p3109(8, p, false, extended), fp16, 1);
    }
  }
}

TEST_CASE("ten million fused multiply-adds of fp16 and of bf16 round as MPFR rounds them in each mode (long)") {
  check_triples(binary16(), 10000000, 12);
  check_triples(bf16(), 10000000, 13);
}
