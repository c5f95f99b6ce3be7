// The interpreter against hand-made cases: special values first, then swamping, events and levels.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "interpreter_fixture.h"
#include "tensor_fixture.h"

using namespace accsim::sim;
using accsim::formats::NarrowExact;

namespace {

bool is_plus_zero(double x) { return x == 0 && !std::signbit(x); }
bool is_minus_zero(double x) { return x == 0 && std::signbit(x); }

/// All counts zero but these.
bool only(const Outcome& outcome, std::initializer_list<std::pair<Event, std::int64_t>> wanted) {
  EventCounts counts;
  for (const auto& [event, count] : wanted) counts[event] = count;
  for (std::size_t i = 0; i < event_count; ++i) {
    const auto event = static_cast<Event>(i);
    if (counts[event] != outcome.events[event]) MESSAGE("event " << i << ": " << outcome.events[event] << ", expected " << counts[event]);
  }
  return counts == outcome.events;
}

const std::string fp16_product = "[product]\nformat = \"fp16\"\n";

}  // namespace

// --- Special values. ---

TEST_CASE("infinity times zero is NaN and invalid, of either sign and on either side") {
  for (const auto& [a, b] : {std::pair{inf, 0.0}, std::pair{0.0, inf}, std::pair{-inf, 0.0}, std::pair{-0.0, inf}}) {
    const Outcome outcome = dot(one_level("fp16"), {a}, {b});
    CHECK(std::isnan(outcome.value));
    CHECK(only(outcome, {{Event::invalid, 1}}));
  }
}

TEST_CASE("infinity minus infinity is NaN and invalid, infinity plus infinity is not") {
  const Outcome minus = sum(one_level("fp16"), {inf, -inf});
  CHECK(std::isnan(minus.value));
  CHECK(only(minus, {{Event::invalid, 1}}));
  const Outcome plus = sum(one_level("fp16"), {-inf, -inf, 5});
  CHECK(plus.value == -inf);
  CHECK(only(plus, {}));
}

TEST_CASE("a NaN operand makes NaN, which is not invalid and swallows what follows") {
  const Outcome outcome = dot(one_level("fp16"), {1, not_a_number, 3, inf}, {1, 0, 3, 1});
  CHECK(std::isnan(outcome.value));
  CHECK(only(outcome, {}));
  CHECK(only(dot(one_level("fp16"), {not_a_number, inf}, {inf, 0}), {{Event::invalid, 1}}));  // the second product is a new NaN
}

TEST_CASE("NaN lost in a format without NaN is invalid and leaves zero") {
  const Outcome integer = sum(one_level("int16"), {7, not_a_number, 5});
  CHECK(integer.value == 5);  // 7, then 0 for the NaN, then 5
  CHECK(only(integer, {{Event::invalid, 1}, {Event::sum_inexact, integer[Event::sum_inexact]}}));
  const Outcome product = dot(one_level("fp16", "", "[product]\nformat = \"ocp_e2m1\"\n"), {inf, 2}, {0, 2});
  CHECK(product.value == 4);  // the lost product counts as 0
  CHECK(product[Event::invalid] == 1);
}

TEST_CASE("sums of zeros: all zero is +0, in rd -0 where the signs differ") {
  // The first add is +0 + x. +0 + -0 is +0, but -0 when rounding down; zeros of one sign keep it.
  CHECK(is_plus_zero(sum(one_level("fp16"), {0, 0}).value));
  CHECK(is_plus_zero(sum(one_level("fp16"), {-0.0, -0.0}).value));
  CHECK(is_plus_zero(sum(one_level("fp16", "rounding = \"rd\"\n"), {0, 0}).value));
  CHECK(is_minus_zero(sum(one_level("fp16", "rounding = \"rd\"\n"), {-0.0}).value));
  CHECK(only(sum(one_level("fp16"), {0, -0.0, 0}), {}));
}

TEST_CASE("exact cancellation is +0, in rd -0, without events") {
  for (const char* mode : {"rne", "rna", "rz", "ru", "ro", "sr:bits=4"}) {
    const Outcome outcome = sum(one_level("fp16", std::string("rounding = \"") + mode + "\"\n"), {1.5, -1.5});
    CHECK(is_plus_zero(outcome.value));
    CHECK(only(outcome, {}));
  }
  CHECK(is_minus_zero(sum(one_level("fp16", "rounding = \"rd\"\n"), {1.5, -1.5}).value));
  CHECK(is_plus_zero(sum(one_level("e4m3fnuz", "rounding = \"rd\"\n"), {1.5, -1.5}).value));  // no -0 there
}

TEST_CASE("a nonzero sum rounded to zero keeps its sign where the format has -0") {
  CHECK(is_minus_zero(sum(one_level("fp16"), {-0x1p-30}).value));
  CHECK(is_plus_zero(sum(one_level("fp16"), {0x1p-30}).value));
  CHECK(is_plus_zero(sum(one_level("e5m2fnuz"), {-0x1p-30}).value));
}

TEST_CASE("the largest times the largest overflows as the mode says") {
  const double most = 65504;
  const Outcome ieee = dot(one_level("fp16"), {most}, {most});
  CHECK(ieee.value == inf);
  CHECK(only(ieee, {{Event::sum_overflow, 1}, {Event::sum_inexact, 1}}));
  CHECK(ieee.overflowed);
  CHECK(dot(one_level("fp16"), {most}, {-most}).value == -inf);
  CHECK(dot(one_level("fp16", "rounding = \"rz\"\n"), {most}, {most}).value == most);
  CHECK(dot(one_level("fp16", "rounding = \"ru\"\n"), {most}, {-most}).value == -most);
  CHECK(dot(one_level("fp16", "overflow = \"saturate\"\n"), {most}, {most}).value == most);
  CHECK(std::isnan(dot(one_level("fp16", "overflow = \"nan\"\n"), {most}, {most}).value));
  CHECK(std::isnan(dot(one_level("ocp_e4m3"), {448}, {448}).value));  // no infinity: its NaN
  CHECK(dot(one_level("ocp_e2m1"), {6}, {6}).value == 6);             // neither: the largest finite
  const double largest = std::numeric_limits<double>::max();
  CHECK(dot(one_level("fp64"), {largest}, {largest}).value == inf);
  CHECK(dot(one_level("fp64"), {largest, largest}, {largest, -largest}).value == inf);  // the first sum is already infinite
}

TEST_CASE("infinities reaching fixed point saturate, or under wrap give 0, and count as overflow") {
  for (const auto& [mode, plus, minus] :
       {std::tuple{"wrap", 0.0, 0.0}, std::tuple{"saturate", 32767.0, -32768.0}, std::tuple{"saturate_symmetric", 32767.0, -32767.0}}) {
    const Datapath datapath = one_level("int16", std::string("overflow = \"") + mode + "\"\n");
    CHECK(sum(datapath, {inf}).value == plus);
    CHECK(sum(datapath, {-inf}).value == minus);
    CHECK(sum(datapath, {inf})[Event::sum_overflow] == 1);
  }
}

// --- Swamping, accumulators.md 1.2. ---

TEST_CASE("truncation in lba_fp12 swallows small addends and takes a full ulp off for small negative ones") {
  const Datapath fp12 = find_datapath("fp12");
  CHECK(sum(fp12, {1.5, 0x1p-8}).value == 1.5);
  CHECK(sum(fp12, {1.5, -0x1p-11}).value == 1.4921875);
  CHECK(sum(fp12, {1, -0x1p-11}).value == 0.99609375);
  CHECK(only(sum(fp12, {1.5, 0x1p-8}), {{Event::swamped, 1}, {Event::sum_inexact, 1}}));
  CHECK(only(sum(fp12, {1.5, -0x1p-11}), {{Event::sum_inexact, 1}}));
}

// --- Events, each in a case of its own. ---

TEST_CASE("a product overflow is counted where products are rounded, and its infinity is no sum overflow") {
  const Outcome outcome = dot(one_level("fp32", "", fp16_product), {65504}, {2});
  CHECK(outcome.value == inf);
  CHECK(only(outcome, {{Event::product_overflow, 1}, {Event::product_inexact, 1}}));
  CHECK(outcome.overflowed);
}

TEST_CASE("rounding up to the overflow threshold is overflow, below it is not") {
  // fp16: 65520 is the tie above 65504 and goes to 65536; 65519 goes back to 65504.
  CHECK(only(sum(one_level("fp16"), {65520}), {{Event::sum_overflow, 1}, {Event::sum_inexact, 1}}));
  CHECK(only(sum(one_level("fp16"), {65519}), {{Event::sum_inexact, 1}}));
  // Toward zero 65520 is 65504, and even 65535; the rounded value left the range only from 65536 on.
  CHECK(only(sum(one_level("fp16", "rounding = \"rz\"\n"), {65535}), {{Event::sum_inexact, 1}}));
  CHECK(only(sum(one_level("fp16", "rounding = \"rz\"\n"), {65536}), {{Event::sum_overflow, 1}, {Event::sum_inexact, 1}}));
}

TEST_CASE("an underflow is inexact and zero or below the smallest normal; exact subnormals are none") {
  const Datapath products = one_level("fp32", "", fp16_product);
  CHECK(only(dot(products, {0x1p-24}, {0.5}), {{Event::product_underflow, 1}, {Event::product_inexact, 1}}));   // tie to zero
  CHECK(only(dot(products, {0x1p-24}, {1.25}), {{Event::product_underflow, 1}, {Event::product_inexact, 1}}));  // to 2^-24
  CHECK(only(dot(products, {0x1p-14}, {0.5}), {}));  // 2^-15 is subnormal and exact
  // 2^-14 (1 - 2^-12) rounds to 2^-14, the smallest normal: inexact, but no underflow.
  CHECK(only(dot(products, {0x1p-14 * (1 - 0x1p-12)}, {1}), {{Event::product_inexact, 1}}));
  CHECK(only(sum(one_level("fp16"), {0x1p-26}), {{Event::sum_underflow, 1}, {Event::sum_inexact, 1}}));
  CHECK(only(sum(one_level("fp16", "underflow = \"flush\"\n"), {0x1p-15}), {{Event::sum_underflow, 1}, {Event::sum_inexact, 1}}));
}

TEST_CASE("fixed point underflows to zero only, before wrapping") {
  // s8.4: 2^-5 is a tie between 0 and 2^-4, to even: 0. 0.1 -> 0.125 is inexact only. 16 wraps to 0: overflow, no underflow.
  CHECK(only(sum(one_level("s8.4"), {0x1p-5}), {{Event::sum_underflow, 1}, {Event::sum_inexact, 1}}));
  CHECK(only(sum(one_level("s8.4"), {0.1}), {{Event::sum_inexact, 1}}));
  CHECK(only(sum(one_level("s8.4"), {16}), {{Event::sum_overflow, 1}, {Event::sum_inexact, 1}}));
  CHECK(only(sum(one_level("s8.4", "overflow = \"saturate_zero\"\n"), {9}), {{Event::sum_overflow, 1}, {Event::sum_inexact, 1}}));
}

TEST_CASE("a rounded product or sum is inexact, an exact one is not") {
  CHECK(only(dot(one_level("fp32", "", fp16_product), {1 + 0x1p-10}, {1 + 0x1p-10}), {{Event::product_inexact, 1}}));
  CHECK(only(sum(one_level("fp16"), {1 + 0x1p-12}), {{Event::sum_inexact, 1}}));
  CHECK(only(dot(one_level("fp32", "", fp16_product), {3}, {5}), {}));
}

TEST_CASE("exact products have no product events") {
  const Outcome outcome = dot(one_level("fp16"), {0x1p-300, 0x1p500}, {0x1p-300, 0x1p500});
  CHECK(outcome[Event::product_overflow] + outcome[Event::product_underflow] + outcome[Event::product_inexact] == 0);
}

TEST_CASE("a nonzero addend that leaves a nonzero accumulator unchanged is swamped") {
  CHECK(only(sum(one_level("fp16"), {2048, 1}), {{Event::swamped, 1}, {Event::sum_inexact, 1}}));
  CHECK(only(sum(one_level("fp16"), {2048, 0}), {}));                                                    // a zero addend
  CHECK(only(sum(one_level("fp16"), {0x1p-30}), {{Event::sum_underflow, 1}, {Event::sum_inexact, 1}}));  // a zero accumulator
  CHECK(sum(one_level("fp16"), {inf, 1})[Event::swamped] == 0);
  // Saturated at 65504, adding 32 leaves it there; in int8, adding 256 wraps back to where it was.
  CHECK(only(sum(one_level("fp16", "overflow = \"saturate\"\n"), {65504, 32}),
             {{Event::swamped, 1}, {Event::sum_inexact, 1}, {Event::sum_overflow, 1}}));
  CHECK(only(sum(one_level("int8"), {5, 256}), {{Event::swamped, 1}, {Event::sum_inexact, 1}, {Event::sum_overflow, 1}}));
}

TEST_CASE("every level counts its roundings") {
  // fp16 in chunks of two: 2048 + 1 is swamped, 1 + 1 = 2 fits, then 2048 + 2 = 2050.
  const Datapath chunked =
      find_datapath("fp16", {.in_a = {}, .in_b = {}, .product = {}, .rounding = {}, .overflow = {}, .chunk = 2, .set = {}});
  const Outcome outcome = sum(chunked, {2048, 1, 1, 1});
  CHECK(outcome.value == 2050);
  CHECK(only(outcome, {{Event::swamped, 1}, {Event::sum_inexact, 1}}));
  // The upper level can overflow alone: 65504 + 65504.
  CHECK(only(sum(chunked, {65504, 0, 65504, 0}), {{Event::sum_overflow, 1}, {Event::sum_inexact, 1}}));
}

TEST_CASE("the range is that of exact products and of sums before their rounding") {
  const Outcome outcome = dot(one_level("fp16", "", fp16_product), {3, 1 + 0x1p-10, -300}, {2, 1 + 0x1p-10, 300});
  CHECK(outcome.max_abs_product == 90000);  // 300 * 300, although it overflows
  const Outcome sums = sum(one_level("fp16", "overflow = \"saturate\"\n"), {65504, 40000, -5});
  CHECK(sums.max_abs_partial == 105504);  // before saturation
}

// --- Order of terms, levels. ---

TEST_CASE("a permutation reorders terms within its period, and skips entries beyond the end") {
  // fp16 sums in order: 2048 first swallows each 1; last, 1 + 1 + 2048 = 2050.
  const Datapath plain = one_level("fp16");
  const Datapath permuted = one_level("fp16", "", "[product]\npermute = [1, 2, 0]\n");
  CHECK(sum(plain, {2048, 1, 1}).value == 2048);
  CHECK(sum(permuted, {2048, 1, 1}).value == 2050);
  CHECK(term_order(permuted, 5) == std::vector<std::int64_t>{1, 2, 0, 4, 3});
  CHECK(term_order(permuted, 4) == std::vector<std::int64_t>{1, 2, 0, 3});
  CHECK(term_order(plain, 3) == std::vector<std::int64_t>{0, 1, 2});
}

TEST_CASE("round_to rounds the sum to fewer bits and holds it in the format, from the sum of all its bits") {
  // e5m2 held in fp16: 1 + 0.25 = 1.25 (exact), + 0.125 = 1.375, a tie of e5m2 between 1.25 and 1.5, to even: 1.5.
  const Datapath datapath = one_level("fp16", "round_to = \"e5m2\"\n");
  CHECK(sum(datapath, {1, 0.25, 0.125}).value == 1.5);
}

TEST_CASE("the output is divided by 2^shift and rounded last") {
  // 11 / 4 = 2.75, in int8 rne 3, rz 2.
  CHECK(sum(one_level("int16", "[output]\nformat = \"int8\"\nshift = 2\n"), {5, 6}).value == 3);
  CHECK(sum(one_level("int16", "[output]\nformat = \"int8\"\nshift = 2\nrounding = \"rz\"\n"), {5, 6}).value == 2);
  CHECK(sum(one_level("int16", "[output]\nformat = \"int8\"\nshift = -1\noverflow = \"saturate\"\n"), {5, 6}).value == 22);
  CHECK(only(sum(one_level("int16", "[output]\nformat = \"int8\"\n"), {500}), {}));  // an output's rounding is no event
}

TEST_CASE("an ordered sum counts inexact what is not the exact sum, whatever its sticky bit says") {
  // The first issue makes 2^15. Then 2^-10, below the first register's last bit 2^(15-24), leaves a sticky bit only, and -2^-10 stands in
  // the second: 2^15 - 2^-10 with a sticky bit. To nearest that is 2^15, the exact sum; toward zero it is 2^15 less one ulp of the binade
  // below, 2^4.
  const std::string level = "[[reduction]]\nkind = \"ordered_sum\"\nterms = 2\nformat = \"fp16\"\nfraction_bits = [24, 28]\nrounding = ";
  const std::vector<double> a = {128, 0, 0x1p-5, 0x1p-5}, b = {256, 0, 0x1p-5, -0x1p-5};
  const Outcome nearest = dot(parse_datapath(level + "\"rne\"", "test"), a, b);
  CHECK(nearest.value == 32768);
  CHECK(nearest[Event::sum_inexact] == 0);
  const Outcome cut = dot(parse_datapath(level + "\"rz\"", "test"), a, b);
  CHECK(cut.value == 32752);
  CHECK(cut[Event::sum_inexact] == 1);
}
