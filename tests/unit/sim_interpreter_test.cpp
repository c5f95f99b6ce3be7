// The interpreter against hand-made cases: special values first, then swamping, events, levels and random bits.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "formats/random.h"
#include "sim/datapath_toml.h"
#include "sim/executor.h"
#include "sim/simulate.h"

using namespace accsim::sim;
using accsim::formats::NarrowExact;

namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// One sequential level with exact products.
Datapath one_level(const std::string& format, const std::string& more = "", const std::string& before = "") {
  return parse_datapath(before + "[[reduction]]\nkind = \"sequential\"\nformat = \"" + format + "\"\n" + more, "test");
}

struct Outcome {
  double value;
  EventCounts events;
  bool overflowed;
  double max_abs_product, max_abs_partial;

  std::int64_t operator[](Event e) const { return events[e]; }
};

/// The dot product of two rows; output index, layer and pass only matter to random bits.
Outcome dot(const Datapath& datapath, const std::vector<double>& a, const std::vector<double>& b, std::int64_t output = 0,
            std::uint32_t layer = 0, std::uint32_t pass = 0, std::uint64_t seed = 0) {
  const std::vector<std::int64_t> index = {output};
  const Tile tile{.rows = 1,
                  .columns = 1,
                  .k = static_cast<std::int64_t>(a.size()),
                  .a = a,
                  .b = b,
                  .a_exact = {},
                  .b_exact = {},
                  .output_index = index,
                  .accumulator = {},
                  .seed = seed,
                  .layer = layer,
                  .pass = pass,
                  .arrays = nullptr};
  TileResult result;
  executors()[0]->run(datapath, tile, result);
  return {to_double(result.outputs.at(0)), result.events, result.overflowed.at(0) != 0, result.max_abs_product, result.max_abs_partial};
}

/// The sum of the addends: their products with one.
Outcome sum(const Datapath& datapath, const std::vector<double>& addends, std::int64_t output = 0) {
  return dot(datapath, addends, std::vector<double>(addends.size(), 1.0), output);
}

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

// --- Random bits, contracts 1.3. ---

namespace {

/// r of the contract: counter words (n div 4, o low, o high, 64 layer + 16 pass + site), word n mod 4, the low `bits` bits.
std::uint32_t philox(std::uint64_t seed, std::uint64_t n, std::uint64_t o, std::uint32_t layer, std::uint32_t pass, std::uint32_t site,
                     int bits) {
  const auto low = [](std::uint64_t v) { return static_cast<std::uint32_t>(v); };
  const auto words =
      accsim::formats::philox4x32_10({low(n / 4), low(o), low(o >> 32), 64 * layer + 16 * pass + site}, {low(seed), low(seed >> 32)});
  return words[n % 4] & low((std::uint64_t{1} << bits) - 1);
}

/// How many of the roundings n = 0 .. count-1 of a tail of one half round up: t + r >= 2^R with t = 2^(R-1).
int halves_up(std::uint64_t seed, int count, std::uint64_t o, std::uint32_t layer, std::uint32_t pass, std::uint32_t site, int bits = 8) {
  int up = 0;
  for (int n = 0; n < count; ++n)
    up += (1U << (bits - 1)) + philox(seed, static_cast<std::uint64_t>(n), o, layer, pass, site, bits) >= 1U << bits ? 1 : 0;
  return up;
}

const std::vector<double> halves(23, 0.5);

}  // namespace

TEST_CASE("each rounding of a level takes the next random number of its site") {
  // Adding one half to an integer leaves a tail of one half each time, so the sum is the number of roundings up.
  const Datapath datapath = one_level("int16", "rounding = \"sr:bits=8\"\n");
  for (const std::uint64_t output : {std::uint64_t{0}, std::uint64_t{5}, std::uint64_t{1} << 33}) {
    for (const std::uint32_t layer : {0U, 7U}) {
      for (const std::uint32_t pass : {0U, 2U}) {
        const Outcome outcome =
            dot(datapath, halves, std::vector<double>(halves.size(), 1.0), static_cast<std::int64_t>(output), layer, pass, 11);
        CHECK(outcome.value == halves_up(11, 23, output, layer, pass, 1));
      }
    }
  }
}

TEST_CASE("exact roundings take their number too") {
  // 1 + 1 + 1 + 0.5: only the fourth rounding, n = 3, has a tail.
  const Datapath datapath = one_level("int16", "rounding = \"sr:bits=8,rng=philox:5\"\n");
  for (std::int64_t output = 0; output < 20; ++output) {
    const bool up = 128 + philox(5, 3, static_cast<std::uint64_t>(output), 0, 0, 1, 8) >= 256;
    CHECK(sum(datapath, {1, 1, 1, 0.5}, output).value == (up ? 4 : 3));
  }
}

TEST_CASE("products draw at site 0, the second level at site 2, the output at site 13") {
  for (std::int64_t output = 0; output < 10; ++output) {
    const auto o = static_cast<std::uint64_t>(output);
    CHECK(sum(one_level("int16", "", "[product]\nformat = \"int16\"\nrounding = \"sr:bits=8\"\n"), halves, output).value ==
          halves_up(0, 23, o, 0, 0, 0));
    // The first level holds halves exactly and hands up one at a time.
    const Datapath second = parse_datapath(
        "[[reduction]]\nkind = \"sequential\"\nterms = 1\nformat = \"s16.4\"\n[[reduction]]\nkind = \"sequential\"\nformat = "
        "\"int16\"\nrounding = \"sr:bits=8\"\n",
        "test");
    CHECK(sum(second, halves, output).value == halves_up(0, 23, o, 0, 0, 2));
    CHECK(sum(one_level("s16.4", "[output]\nformat = \"int16\"\nrounding = \"sr:bits=8\"\n"), {4, 0.5}, output).value ==
          4 + halves_up(0, 1, o, 0, 0, 13));
  }
}

TEST_CASE("n runs on from chunk to chunk of a level") {
  // Chunks of 4 halves, each from zero; the upper level adds integers exactly. 23 roundings at site 1 in all.
  const Datapath datapath = parse_datapath(
      "[[reduction]]\nkind = \"sequential\"\nterms = 4\nformat = \"int16\"\nrounding = \"sr:bits=8\"\n[[reduction]]\nkind = "
      "\"sequential\"\nformat = \"int16\"\n",
      "test");
  CHECK(sum(datapath, halves, 3).value == halves_up(0, 23, 3, 0, 0, 1));
}

// --- Through simulate(): generators that outputs share, overflow that is transient or persistent. ---

namespace {

/// m x n dot products of rows of a and rows of b.
class Plain final : public Lowering {
 public:
  Plain(std::int64_t rows, std::int64_t columns, std::int64_t terms) {
    m = rows;
    n = columns;
    k = terms;
    output_shape = {rows, columns};
  }
  void a_row(std::int64_t, std::int64_t row, std::span<std::int64_t> elements) const override {
    for (std::int64_t i = 0; i < k; ++i) elements[static_cast<std::size_t>(i)] = row * k + i;
  }
  void b_row(std::int64_t, std::int64_t column, std::span<std::int64_t> elements) const override { a_row(0, column, elements); }
  [[nodiscard]] std::int64_t output_element(std::int64_t, std::int64_t row, std::int64_t column) const override { return row * n + column; }
};

Tensor tensor(std::vector<std::int64_t> shape, std::vector<double> values) {
  Tensor t;
  t.shape = std::move(shape);
  t.values = Values(Values::Storage(std::move(values)));
  return t;
}

LayerResult simulated(const Datapath& datapath, std::int64_t m, std::int64_t n, std::vector<double> a, std::vector<double> b,
                      int threads = 1, const Tensor* bias = nullptr) {
  const auto k = static_cast<std::int64_t>(a.size()) / m;
  const Tensor ta = tensor({m, k}, std::move(a));
  const Tensor tb = tensor({n, k}, std::move(b));
  const Plain lowering(m, n, k);
  const LayerProblem problem{.a = &ta, .b = &tb, .bias = bias, .lowering = &lowering, .layer = 0, .pass = Pass::fprop};
  return simulate(datapath, problem,
                  {.threads = threads, .executor = nullptr, .seed = 0, .keep_output = true, .keep_reference = true, .progress = {}});
}

const std::string lfsr = "rounding = \"sr:bits=1,rng=lfsr:width=4,mask=0x9,seed=1,form=galois,step=right,share=";

}  // namespace

TEST_CASE("an lfsr for each output starts from its seed xor the output's index, 0 becoming 1") {
  // Galois right with mask 9 from 1: 1 9 13 15 14 7 10 5 11 12 6 3 8 4 2, and again. Low bits 1 1 1 1 0 1 0 1 1 0 0 1 0 0 0.
  // Five halves: with R = 1, t = 1, up where the low bit is 1. Output 0 from 1: 4 up; output 1 from 1 xor 1 = 0, so 1: 4;
  // output 2 from 3 (3 8 4 2 1): 2; output 3 from 2 (2 1 9 13 15): 4; output 4 from 5 (5 11 12 6 3): 3; output 5 from 4 (4 2 1 9 13): 3.
  const Datapath datapath = one_level("int16", lfsr + "pe\"\n");
  const LayerResult result = simulated(datapath, 3, 2, std::vector<double>(15, 0.5), std::vector<double>(10, 1.0));
  CHECK(result.output == std::vector<double>{4, 4, 2, 4, 3, 3});
}

TEST_CASE("one lfsr for all outputs runs on from output to output, row-major, whatever the threads") {
  // The same sequence, five states an output: 1 9 13 15 14 | 7 10 5 11 12 | 6 3 8 4 2 | and again from 1.
  const Datapath datapath = one_level("int16", lfsr + "array\"\n");
  CHECK(needs_output_order(datapath));
  for (const int threads : {1, 2, 5}) {
    const LayerResult result = simulated(datapath, 3, 2, std::vector<double>(15, 0.5), std::vector<double>(10, 1.0), threads);
    CHECK(result.output == std::vector<double>{4, 3, 1, 4, 3, 1});
  }
}

TEST_CASE("an overflow is transient where the exact sum fits the last level, persistent where it does not") {
  // int16: 30000 + 30000 - 30000 = 30000 fits; 30000 + 30000 does not; 1 + 2 does not overflow. Edges: 32767 + 1 - 1 fits, 32767 + 1 does
  // not.
  const std::vector<double> rows = {30000, 30000, -30000, 30000, 30000, 0, 1, 2, 3, 32767, 1, -1, 32767, 1, 0, -32768, -1, 1};
  for (const char* mode : {"wrap", "saturate"}) {
    const LayerResult result = simulated(one_level("int16", std::string("overflow = \"") + mode + "\"\n"), 6, 1, rows, {1, 1, 1});
    CHECK(result.events[Event::outputs_overflowed] == 5);
    CHECK(result.events[Event::outputs_transient_overflow] == 3);
    CHECK(result.events[Event::outputs_persistent_overflow] == 2);
  }
}

TEST_CASE("an overflowed sum within half a spacing of the largest finite is outside the finite range all the same") {
  // fp16, toward zero, products in fp16 that overflow: the exact sum 65505 lies beyond 65504, 65504 does not.
  const Datapath datapath = parse_datapath(
      "[product]\nformat = \"ocp_e4m3\"\noverflow = \"saturate\"\n[[reduction]]\nkind = \"sequential\"\nformat = \"fp16\"\nrounding = "
      "\"rz\"\n",
      "test");
  const LayerResult result = simulated(datapath, 2, 1, {65505, 65504}, {1});
  CHECK(result.events[Event::product_overflow] == 2);
  CHECK(result.events[Event::outputs_persistent_overflow] == 1);
  CHECK(result.events[Event::outputs_transient_overflow] == 1);
}

TEST_CASE("C enters before the first sum, or is added once at the end") {
  // fp16, C = 2048: first, it swallows both ones; last, 2048 + (1 + 1) = 2050.
  const Tensor bias = tensor({1}, {2048});
  CHECK(simulated(one_level("fp16"), 1, 1, {1, 1}, {1, 1}, 1, &bias).output == std::vector<double>{2048});
  CHECK(simulated(one_level("fp16", "[accumulator]\ninitial = \"last\"\n"), 1, 1, {1, 1}, {1, 1}, 1, &bias).output ==
        std::vector<double>{2050});
  CHECK(simulated(one_level("fp16"), 1, 1, {1, 1}, {1, 1}, 1, &bias).reference == std::vector<double>{2050});
  // It is rounded to the accumulator's format on entry: 2049 is a tie of fp16, to even 2048.
  const Tensor odd = tensor({1}, {2049});
  CHECK(simulated(one_level("fp16"), 1, 1, {2}, {1}, 1, &odd).output == std::vector<double>{2050});
}

TEST_CASE("C draws at site 12") {
  const Datapath datapath = one_level("int16", "[accumulator]\nrounding = \"sr:bits=8\"\n");
  const Tensor bias = tensor({4}, {0.5, 0.5, 0.5, 0.5});
  std::vector<double> wanted;
  for (std::uint64_t o = 0; o < 8; ++o) wanted.push_back(halves_up(0, 1, o, 0, 0, 12));
  CHECK(simulated(datapath, 2, 4, {0, 0}, {0, 0, 0, 0}, 1, &bias).output == wanted);
}

TEST_CASE("operands draw at sites 14 and 15, by their element's index, with n 0") {
  const Datapath a = one_level("int16", "", "[operands]\na = \"int16\"\na_scale = \"one\"\na_rounding = \"sr:bits=8\"\n");
  const Datapath b = one_level("int16", "", "[operands]\nb = \"int16\"\nb_scale = \"one\"\nb_rounding = \"sr:bits=8\"\n");
  double wanted_a = 0;
  double wanted_b = 0;
  for (std::uint64_t o = 0; o < 23; ++o) {
    wanted_a += halves_up(0, 1, o, 0, 0, 14);
    wanted_b += halves_up(0, 1, o, 0, 0, 15);
  }
  CHECK(simulated(a, 1, 1, halves, std::vector<double>(23, 1.0)).output == std::vector<double>{wanted_a});
  CHECK(simulated(b, 1, 1, std::vector<double>(23, 1.0), halves).output == std::vector<double>{wanted_b});
}
