// Operands in block formats: rows with holes, random bits, what executors see. Expected values by hand from OCP MX 1.0, 6.3.
#include <doctest/doctest.h>

#include <cmath>

#include "formats/error.h"
#include "sim/block_operand.h"
#include "sim/datapath_toml.h"
#include "sim/lowering.h"
#include "sim/quantize.h"
#include "tensor_fixture.h"

using namespace accsim;
using namespace accsim::sim;

namespace {

using Row = std::vector<double>;
constexpr std::int64_t hole = Lowering::hole;

Datapath datapath_of(const std::string& operands, const std::string& level = "kind = \"sequential\"\nformat = \"fp32\"\n") {
  return parse_datapath("[operands]\n" + operands + "\n[[reduction]]\n" + level, "test");
}

struct Quantized {
  Row seen, elements, scales;
};
Quantized quantized(const Tensor& t, const std::string& operand, const std::vector<std::int64_t>& row, std::uint64_t seed = 0) {
  const Datapath d = datapath_of(operand);
  const BlockOperand blocks(t, d.a, seed, {.output = 77, .layer = 3, .pass = 1, .site = 14});
  Quantized q;
  blocks.quantize_row(row, q.seen, q.elements, q.scales);
  return q;
}

}  // namespace

TEST_CASE("blocks follow the row, holes are zeros, and the last block is short") {
  const Tensor t = tensor({7, -1, 0.25, 12, 3});
  // mxfp4, X = 2^(floor(log2 amax) - 2): (7, -1, 0) has X = 1; (0.25, 0, 12) has X = 2 and 0.125 is a quarter of the spacing; (3) X = 1/2.
  const Quantized q = quantized(t, "a = \"mxfp4:block=3\"", {0, 1, hole, 2, hole, 3, 4});
  CHECK(q.scales == Row{1, 2, 0.5});
  CHECK(q.elements == Row{6, -1, 0, 0, 0, 6, 6});
  CHECK(q.seen == Row{6, -1, 0, 0, 0, 12, 3});
  // The same element in another block: 0.25 beside nothing larger has X = 2^-4.
  CHECK(quantized(t, "a = \"mxfp4:block=3\"", {2, hole, hole}).seen == Row{0.25, 0, 0});
}

TEST_CASE("what a block loses is counted: to zero, subnormal before the scale, clipped, NaN; holes are no values") {
  const auto counted = [](Row values, const std::string& operand, const std::vector<std::int64_t>& row) {
    const Tensor t = tensor(std::move(values));
    const Datapath d = datapath_of(operand);
    QuantizationCounts counts;
    BlockOperand(t, d.a, 0, {.output = 0, .layer = 0, .pass = 1, .site = 14}).count_row(row, counts);
    return counts;
  };
  // mxfp4 (E2M1: 0.5 is subnormal, 1 the smallest normal, 6 the largest), X = 2^(2 - 2) = 1: 7 rounds to 8 and is clipped, 0.5 is
  // subnormal, 0.2 and the tie 0.25 become 0, 3 stays.
  CHECK(counted({7, -0.5, 0.2, 0.25, 3, 0}, "a = \"mxfp4\"", {0, hole, 1, 2, 3, hole, 4, 5}) ==
        QuantizationCounts{.values = 6, .nonzero = 5, .zeroed = 2, .subnormal = 1, .clipped = 1, .nonfinite = 0});
  // Scaled up until nothing clips: X = 2, 7 / 2 = 3.5 is a tie that goes to 4.
  CHECK(counted({7, -0.5, 0.2, 0.25, 3, 0}, "a = \"mxfp4:scale=rceil\"", {0, 1, 2, 3, 4, 5}) ==
        QuantizationCounts{.values = 6, .nonzero = 5, .zeroed = 3, .subnormal = 0, .clipped = 0, .nonfinite = 0});
  // An infinity makes its block NaN: the finite 1 is lost, the 0 was nothing. The other block stays.
  CHECK(counted({1, HUGE_VAL, 0, 2}, "a = \"mxfp4:block=3\"", {0, 1, 2, 3}) ==
        QuantizationCounts{.values = 4, .nonzero = 2, .zeroed = 0, .subnormal = 0, .clipped = 1, .nonfinite = 3});
  // nvfp4: beside 1 the block of 2^-30 alone has the scale 2^-30 / 6 * 2688, below half of E4M3's smallest: scale 0, all of it zero.
  Row far(17, 0x1p-30);
  far[0] = 1;
  std::vector<std::int64_t> places(17);
  for (std::size_t i = 0; i < 17; ++i) places[i] = static_cast<std::int64_t>(i);
  CHECK(counted(far, "a = \"nvfp4\"", places) ==
        QuantizationCounts{.values = 17, .nonzero = 17, .zeroed = 16, .subnormal = 0, .clipped = 0, .nonfinite = 0});
  // mxint8 (s8.6, symmetric: |q| <= 127 / 64), X = 1 by the floor of log2 1.99: 1.99 * 64 rounds to 127, 1.998 * 64 to 128, clipped; 2^-8
  // is a quarter of a step.
  CHECK(counted({1.99, 1.998, 0x1p-8}, "a = \"mxint8\"", {0, 1, 2}) ==
        QuantizationCounts{.values = 3, .nonzero = 3, .zeroed = 1, .subnormal = 0, .clipped = 1, .nonfinite = 0});
}

TEST_CASE("an element counts in every row of the pass that takes it, whatever the number of threads") {
  struct Everything : Lowering {  // every row takes the whole tensor, and a hole
    Everything() {
      m = 50;
      n = 3;
      k = 401;
    }
    void a_row(std::int64_t, std::int64_t, std::span<std::int64_t> elements) const override {
      for (std::int64_t i = 0; i < k; ++i) elements[static_cast<std::size_t>(i)] = i == 400 ? hole : i;
    }
    void b_row(std::int64_t group, std::int64_t row, std::span<std::int64_t> elements) const override { a_row(group, row, elements); }
    std::int64_t output_element(std::int64_t, std::int64_t row, std::int64_t column) const override { return row * n + column; }
  } lowering;
  Row values(400, 0.25);  // beside 4, X = 1: a tie that goes to zero
  values[0] = 4;
  const Tensor t = tensor(values);
  const Datapath d = datapath_of("a = \"mxfp4:block=401\"");
  const BlockOperand blocks(t, d.a, 0, {.output = 0, .layer = 0, .pass = 1, .site = 14});
  const QuantizationCounts in_a = count_blocks(blocks, lowering, OperandSide::a, 1);
  CHECK(in_a == QuantizationCounts{.values = 20000, .nonzero = 20000, .zeroed = 50 * 399, .subnormal = 0, .clipped = 0, .nonfinite = 0});
  CHECK(count_blocks(blocks, lowering, OperandSide::a, 4) == in_a);
  CHECK(count_blocks(blocks, lowering, OperandSide::b, 4).values == 3 * 400);
}

TEST_CASE("an infinity or NaN makes its block NaN, holes included, and no other") {
  const Quantized q = quantized(tensor({1, HUGE_VAL, 2, 3}), "a = \"mxfp8_e4m3:block=2\"", {1, hole, 2, 3});
  CHECK(std::isnan(q.seen[0]));
  CHECK(std::isnan(q.seen[1]));
  CHECK(std::isnan(q.scales[0]));
  CHECK(q.seen[2] == 2);
  CHECK(q.seen[3] == 3);
}

TEST_CASE("random bits belong to the element of the dataset, wherever it stands in a row") {
  const Tensor t = tensor(Row(40, 1.3));
  const std::string operand = "a = \"mxfp4:block=1\"\na_rounding = \"sr:bits=8\"";  // X = 1/4: 5.2 is a fifth of the way from 4 to 6
  std::vector<std::int64_t> forward(40);
  for (int i = 0; i < 40; ++i) forward[static_cast<std::size_t>(i)] = i;
  const std::vector<std::int64_t> backward(forward.rbegin(), forward.rend());
  const Row seen = quantized(t, operand, forward).seen;
  const Row reversed = quantized(t, operand, backward).seen;
  CHECK(Row(reversed.rbegin(), reversed.rend()) == seen);
  CHECK(std::count(seen.begin(), seen.end(), 1.0) > 0);
  CHECK(std::count(seen.begin(), seen.end(), 1.5) > 0);
  CHECK(quantized(t, operand, forward, 9).seen != seen);
  // floor(nu 2^8) + r >= 2^8 with the r of n = 0 of the element: (5.2 - 4) / 2 = 0.6 -> t = 153.
  for (std::size_t i = 0; i < 40; ++i) {
    formats::PhiloxStream random(0, {.output = i, .layer = 3, .pass = 1, .site = 14});
    CHECK(seen[i] == (153 + (random.next() & 255) >= 256 ? 1.5 : 1.0));
  }
}

TEST_CASE("nvfp4's scale of the tensor multiplies results") {
  const Tensor t = tensor({2688 * 4, 1});
  const Datapath d = datapath_of("a = \"nvfp4\"");
  const BlockOperand blocks(t, d.a, 0, {});
  CHECK(blocks.tensor_scale() == 4);  // S_enc = 2688 / 10752
  Quantized q;
  blocks.quantize_row(std::vector<std::int64_t>{0}, q.seen, q.elements, q.scales);
  CHECK(q.scales == Row{448});  // 10752 / 6 / 4
  CHECK(q.elements == Row{6});
}

TEST_CASE("facts of a block operand hold for every block of the tensor") {
  for (const char* format : {"mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e3m2", "mxfp6_e2m3", "mxfp4", "mxint8", "mxfp4:scale=ceil",
                             "mxfp8_e5m2:scale=even", "mxfp6_e2m3:scale=rceil", "nvfp4"}) {
    CAPTURE(format);
    Row values;
    for (int i = 0; i < 64; ++i) values.push_back(std::ldexp(1.0 + (i * 37 % 64) / 64.0, i % 9 - 3) * (i % 3 == 0 ? -1 : 1));
    const Tensor t = tensor(values);
    const Datapath d = datapath_of("a = \"" + std::string(format) + "\"");
    const BlockOperand blocks(t, d.a, 0, {});
    const OperandFacts facts = blocks.facts();
    for (const int size : {1, 7, 64}) {
      for (int first = 0; first < 64; first += size) {
        std::vector<std::int64_t> row;
        for (int i = first; i < std::min(64, first + size); ++i) row.push_back(i);
        Quantized q;
        blocks.quantize_row(row, q.seen, q.elements, q.scales);
        for (const double x : q.seen) {
          if (x == 0) continue;
          CHECK(std::ilogb(x) <= facts.highest);
          const double units = std::ldexp(x, -facts.lowest);
          CHECK(units == std::floor(units));
          CHECK(std::ldexp(x, facts.precision - 1 - std::ilogb(x)) == std::floor(std::ldexp(x, facts.precision - 1 - std::ilogb(x))));
        }
      }
    }
    CHECK_FALSE(facts.nonfinite);
  }
}

TEST_CASE("a fused sum aligns by the exponents of elements and scales") {
  // 0.5 is a subnormal of e2m1 and has the exponent 0 of its smallest normal: 0.5 * 4 counts 2, where the value alone would count 1.
  // Kept are multiples of 2^(2 - 2): 2 + (0.5 cut to 0) = 2; by the value alone 2^(1 - 2) would keep the half.
  const Datapath d = datapath_of("", "kind = \"fused_sum\"\nterms = 2\nfraction_bits = 2\nformat = \"fp32\"\n");
  const Row seen{2, 0.5};
  const Row elements{0.5, 1};
  const Row scales{4, 0.5};
  const Row ones{1, 1};
  const std::vector<std::int64_t> index{0};
  Tile tile{.rows = 1,
            .columns = 1,
            .k = 2,
            .a = seen,
            .b = ones,
            .a_exact = {},
            .b_exact = {},
            .a_blocks = {},
            .b_blocks = {},
            .output_index = index,
            .accumulator = {},
            .a_emin = 0,
            .b_emin = -126};
  TileResult result;
  executors()[0]->run(d, tile, result);
  CHECK(to_double(result.output(0)) == 2.5);
  tile.a_blocks = {.block = 1, .scale_emin = -127, .elements = elements, .scales = scales};
  executors()[0]->run(d, tile, result);
  CHECK(to_double(result.output(0)) == 2);
}

TEST_CASE("a datapath with block operands reads back what it prints") {
  for (const char* operands : {"a = \"MXFP4:Scale=RCeil\"\nb = \"nvfp4\"\nb_rounding = \"sr:bits=8\"", "a = \"mxint8\"",
                               "a = \"mxfp8_e5m2:block=16\"\na_overflow = \"ieee\"\na_rounding = \"rz\""}) {
    const Datapath d = datapath_of(operands);
    const std::string text = to_toml(d);
    const Datapath again = parse_datapath(text, "printed");
    CHECK(again.a.block == d.a.block);
    CHECK(again.a.rounding.mode == d.a.rounding.mode);
    CHECK(again.a.rounding.overflow == d.a.rounding.overflow);
    CHECK(again.b.block == d.b.block);
    CHECK(to_toml(again) == text);
  }
}

TEST_CASE("what a block operand cannot be is refused") {
  for (const char* operands : {"a = \"mxfp4:scale=up\"", "a = \"mxfp4\"\na_scale = \"amax\"", "a = \"mxfp4\"\na_underflow = \"none\"",
                               "a = \"mxfp4\"\na_rounding = \"sr:bits=4,rng=lfsr:width=8,mask=0x1d,share=array\"",
                               "a = \"mxint8\"\na_overflow = \"ieee\"", "a = \"mxfp4\"\na_rounding = \"sr:bits=4,kind=eager\""}) {
    CAPTURE(operands);
    CHECK_THROWS_AS(datapath_of(operands), InputError);
  }
}
