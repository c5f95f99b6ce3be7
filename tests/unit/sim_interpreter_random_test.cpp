// The interpreter's random bits against contracts 1.3; and whole layers: shared generators, overflow that is transient or not, C.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "formats/random.h"
#include "interpreter_fixture.h"
#include "sim/simulate.h"

using namespace accsim::sim;

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

Tensor shaped_tensor(std::vector<std::int64_t> shape, std::vector<double> values) {
  Tensor t;
  t.shape = std::move(shape);
  t.values = Values(Values::Storage(std::move(values)));
  return t;
}

LayerResult simulated(const Datapath& datapath, std::int64_t m, std::int64_t n, std::vector<double> a, std::vector<double> b,
                      int threads = 1, const Tensor* bias = nullptr) {
  const auto k = static_cast<std::int64_t>(a.size()) / m;
  const Tensor ta = shaped_tensor({m, k}, std::move(a));
  const Tensor tb = shaped_tensor({n, k}, std::move(b));
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
  const Tensor bias = shaped_tensor({1}, {2048});
  CHECK(simulated(one_level("fp16"), 1, 1, {1, 1}, {1, 1}, 1, &bias).output == std::vector<double>{2048});
  CHECK(simulated(one_level("fp16", "[accumulator]\ninitial = \"last\"\n"), 1, 1, {1, 1}, {1, 1}, 1, &bias).output ==
        std::vector<double>{2050});
  CHECK(simulated(one_level("fp16"), 1, 1, {1, 1}, {1, 1}, 1, &bias).reference == std::vector<double>{2050});
  // It is rounded to the accumulator's format on entry: 2049 is a tie of fp16, to even 2048.
  const Tensor odd = shaped_tensor({1}, {2049});
  CHECK(simulated(one_level("fp16"), 1, 1, {2}, {1}, 1, &odd).output == std::vector<double>{2050});
}

TEST_CASE("C draws at site 12") {
  const Datapath datapath = one_level("int16", "[accumulator]\nrounding = \"sr:bits=8\"\n");
  const Tensor bias = shaped_tensor({4}, {0.5, 0.5, 0.5, 0.5});
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
