// Block formats; expected values by hand from OCP MX 1.0 6.3, from binary32 arithmetic for nvfp4, and from reference/formats.md.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "formats/block.h"
#include "formats/error.h"

using namespace accsim;
using namespace accsim::formats;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct QuantizedRow {
  std::vector<Block> blocks;
  NarrowExact tensor_scale;
};
/// A row of values, a block after the other; the last one is short.
QuantizedRow quantize_blocks(const std::vector<double>& values, const BlockFormat& format, double amax = 0) {
  const BlockQuantizer quantizer(format, amax);
  QuantizedRow row{{}, quantizer.tensor_scale()};
  const auto block = static_cast<std::size_t>(format.block);
  for (std::size_t i = 0; i < values.size(); i += block)
    row.blocks.push_back(quantizer(std::span(values).subspan(i, std::min(block, values.size() - i))));
  return row;
}

struct Plain {
  double scale;
  std::vector<double> elements;
};
std::vector<Plain> plain(const std::vector<double>& values, const BlockFormat& format) {
  std::vector<Plain> all;
  for (const Block& b : quantize_blocks(values, format).blocks) {
    all.push_back({to_double(b.scale), {}});
    for (const NarrowExact& x : b.elements) all.back().elements.push_back(to_double(x));
  }
  return all;
}
std::vector<Plain> plain(const std::vector<double>& values, const char* name) { return plain(values, parse_block_format(name)); }
using Row = std::vector<double>;

}  // namespace

TEST_CASE("MX scales follow OCP 6.3: the power of two of amax over that of the largest element") {
  // amax 100: 2^6; E4M3 emax 8: X = 2^-2, 100 * 4 = 400 -> 384 or 416: a tie, to the even code 384+16 -> 7c (384).
  const auto blocks = plain({100, -50, 1, 0.001}, "mxfp8_e4m3");
  REQUIRE(blocks.size() == 1);
  CHECK(blocks[0].scale == 0.25);
  CHECK(blocks[0].elements == Row{384, -192, 4, 0.00390625});  // -200 is a tie too: 192 is 1.100 2^7
  // Exponents only: amax at and just below a power of two.
  CHECK(plain({4}, "mxfp4")[0].scale == 1);
  CHECK(plain({std::nextafter(4.0, 0.0)}, "mxfp4")[0].scale == 0.5);
  CHECK(plain({8}, "mxfp4")[0].scale == 2);
  CHECK(plain({1}, "mxfp8_e5m2")[0].scale == std::ldexp(1, -15));
  CHECK(plain({1}, "mxfp6_e3m2")[0].scale == std::ldexp(1, -4));
  CHECK(plain({1}, "mxfp6_e2m3")[0].scale == 0.25);
  CHECK(plain({1}, "mxint8")[0].scale == 1);
}

TEST_CASE("under the floor rule the largest elements clamp") {
  CHECK(plain({7.9, 1}, "mxfp4")[0].elements == Row{6, 1});  // 7.9 / 1 above 6
  CHECK(plain({-7.9}, "mxfp4")[0].elements == Row{-6});
  CHECK(plain({1.9999}, "mxint8")[0].elements == Row{1.984375});
  CHECK(plain({-1.9999}, "mxint8")[0].elements == Row{-1.984375});  // symmetric
}

TEST_CASE("MXINT8 rounds the vectors of the hardware test, whose ties go away from zero") {
  const std::pair<double, double> vectors[] = {{1.0234375, 1.03125},  {1.0390625, 1.046875}, {1.2578125, 1.265625},
                                               {1.9921875, 1.984375}, {0.0078125, 0.015625}, {-0.00390625, 0}};
  BlockFormat away = parse_block_format("mxint8");
  away.rounding.mode = Rounding::rna;
  for (const auto& [x, expected] : vectors) {
    const auto blocks = plain({1, x}, away);
    CHECK(blocks[0].scale == 1);
    CHECK(blocks[0].elements[1] == expected);
  }
}

TEST_CASE("rounding-up scale rules") {
  CHECK(plain({4}, "mxfp4:scale=ceil")[0].scale == 1);
  CHECK(plain({4.1}, "mxfp4:scale=ceil")[0].scale == 2);
  CHECK(plain({6}, "mxfp4:scale=rceil")[0].scale == 1);
  CHECK(plain({6.001}, "mxfp4:scale=rceil")[0].scale == 2);
  CHECK(plain({6.001}, "mxfp4:scale=rceil")[0].elements == Row{3});
  CHECK(plain({448}, "mxfp8_e4m3:scale=rceil")[0].scale == 1);
  CHECK(plain({449}, "mxfp8_e4m3:scale=rceil")[0].scale == 2);
  CHECK(plain({7}, "mxfp4:scale=even")[0].scale == 2);  // 7 = 1.75 2^2 is a tie of two-bit significands, to 8
  CHECK(plain({6.99}, "mxfp4:scale=even")[0].scale == 1);
  CHECK(plain({6.99}, "mxfp4:scale=even")[0].elements == Row{6});
}

TEST_CASE("blocks are counted from the first value, and the last one is short") {
  std::vector<double> values(40, 1.0);
  values[33] = 64;
  const auto blocks = plain(values, "mxfp4");
  REQUIRE(blocks.size() == 2);
  CHECK(blocks[0].elements.size() == 32);
  CHECK(blocks[1].elements.size() == 8);
  CHECK(blocks[0].scale == 0.25);
  CHECK(blocks[1].scale == 16);
  CHECK(plain(values, "mxfp4:block=8").size() == 5);
  CHECK(plain({}, "mxfp4").empty());
}

TEST_CASE("blocks of zeros, with infinities or NaN, and with scales beyond E8M0") {
  const auto zero = quantize_blocks(Row{0, -0.0}, parse_block_format("mxfp4")).blocks[0];
  CHECK(zero.scale_code == 0);
  CHECK(to_double(zero.scale) == std::ldexp(1, -127));
  CHECK(zero.codes == std::vector<Code>{0, 8});
  for (const double bad : {infinity, -infinity, std::nan("")}) {
    const auto block = quantize_blocks(Row{1, bad, 2}, parse_block_format("mxfp8_e4m3")).blocks[0];
    CHECK(block.scale.nan);
    CHECK(block.scale_code == 0xff);
    CHECK(block.elements[0].nan);
    CHECK(block.codes == std::vector<Code>{0, 0, 0});
  }
  CHECK(quantize_blocks(Row{std::ldexp(1, 200)}, parse_block_format("mxfp4")).blocks[0].scale.nan);
  CHECK(plain({std::ldexp(1, 129)}, "mxfp4")[0].scale == std::ldexp(1, 127));
  CHECK(plain({std::ldexp(1, -140)}, "mxfp4")[0].scale == std::ldexp(1, -127));
  CHECK(plain({std::ldexp(1, -140)}, "mxfp4")[0].elements == Row{0});
  CHECK(plain({std::ldexp(1.5, -128)}, "mxfp4")[0].elements == Row{1});  // .75 of the scale: a tie of .5 and 1, to the even code
}

TEST_CASE("NVFP4 is what binary32 arithmetic in TransformerEngine's order gives") {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, 3);
  const Format e4m3 = parse_format("e4m3");
  const float grid[] = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6};
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<double> values;
    float tensor_amax = 0;
    const float size = std::ldexp(1.0F, trial % 40 - 20);
    for (int i = 0; i < 48; ++i) {
      const float x = normal(random) * (i < 32 ? size : size / 512);
      values.push_back(x);
      tensor_amax = std::max(tensor_amax, std::fabs(x));
    }
    const auto quantized = quantize_blocks(values, parse_block_format("nvfp4"), tensor_amax);
    // The same in the host's binary32: volatile keeps each step's rounding.
    volatile float encode_scale = 448.0F * 6.0F / tensor_amax;
    volatile float decode_scale = 1.0F / encode_scale;
    CHECK(to_double(quantized.tensor_scale) == decode_scale);
    REQUIRE(quantized.blocks.size() == 3);
    for (std::size_t b = 0; b < 3; ++b) {
      float amax = 0;
      for (std::size_t i = 16 * b; i < 16 * b + 16; ++i) amax = std::max(amax, static_cast<float>(std::fabs(values[i])));
      volatile float sixth = amax / 6.0F;
      volatile float wanted = sixth * encode_scale;
      // The nearest e4m3 value, ties to even, by search.
      float scale = 0;
      unsigned scale_code = 0;
      for (unsigned code = 0; code < 0x7F; ++code) {
        const auto value = static_cast<float>(to_double(decode(code, e4m3)));
        const float gap = std::fabs(value - wanted) - std::fabs(scale - wanted);
        if (gap < 0 || (gap == 0 && code % 2 == 0)) scale = value, scale_code = code;
      }
      CHECK(quantized.blocks[b].scale_code == scale_code);
      volatile float back = scale * decode_scale;
      volatile float enc = 1.0F / back;
      for (std::size_t i = 0; i < 16; ++i) {
        volatile float scaled_value = static_cast<float>(values[16 * b + i]) * enc;
        const float magnitude = std::fabs(scaled_value);
        float nearest = 0;
        for (int g = 0; g < 8; ++g) {
          const float gap = std::fabs(grid[g] - magnitude) - std::fabs(nearest - magnitude);
          if (gap < 0 || (gap == 0 && g % 2 == 0)) nearest = grid[g];
        }
        CHECK(to_double(quantized.blocks[b].elements[i]) == std::copysign(nearest, scaled_value));
      }
    }
  }
}

TEST_CASE("NVFP4's edges: no values, zeros, infinities, tensors of one tiny value") {
  const BlockFormat f = parse_block_format("nvfp4");
  const auto zero = quantize_blocks(Row{0, -0.0}, f, 0);
  CHECK(to_double(zero.tensor_scale) == 1);
  CHECK(zero.blocks[0].scale_code == 0);
  CHECK(zero.blocks[0].codes == std::vector<Code>{0, 8});
  CHECK(quantize_blocks(Row{1, infinity}, f, 1).blocks[0].scale_code == 0x7f);
  CHECK(quantize_blocks(Row{1, std::nan("")}, f, 1).blocks[0].elements[0].nan);
  const auto tiny = quantize_blocks(Row{1e-44}, f, 1e-44);  // 2688 / amax is beyond binary32: the largest one
  CHECK(to_double(tiny.tensor_scale) == std::ldexp(1, -128));
  // A block far below the tensor's largest value: its scale is zero, and so are its values.
  const auto small = quantize_blocks(Row{1e-6}, f, 1000);
  CHECK(small.blocks[0].scale_code == 0);
}

TEST_CASE("block formats are operand formats: parse_format refuses them, and spellings parse back") {
  for (const BlockFormat& f : block_catalogue()) {
    CAPTURE(f.name);
    CHECK(is_block_format(f.name));
    CHECK_THROWS_WITH_AS(parse_format(f.name), doctest::Contains("block format"), InputError);
    CHECK(parse_block_format(spelling(f)) == f);
  }
  CHECK(is_block_format(" MXFP4:scale=ceil"));
  CHECK_FALSE(is_block_format("e2m1"));
  CHECK(parse_block_format("MXFP4").element == parse_format("e2m1"));
  for (const char* text :
       {"mxfp5", "mxfp4:scale=up", "mxfp4:block=0", "nvfp4:block=32", "nvfp4:scale=floor", "mxfp4:foo=1", "mxfp4:rounding=rna", "mxfp4:"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_block_format(text), InputError);
  }
}

TEST_CASE("blocks as numbers are the blocks themselves, bit for bit, whatever the values, rules and roundings") {
  std::mt19937_64 generator(5);
  const auto below = [&](int n) { return static_cast<int>(generator() % static_cast<std::uint64_t>(n)); };
  const auto value = [&](int style) {
    const double significand = std::ldexp(static_cast<double>(generator() >> 11), -52) * (below(2) != 0 ? -1 : 1);
    switch (style) {
      case 0: return std::ldexp(significand, below(8));
      case 1: return std::ldexp(significand, below(60) - 30);
      case 2: return std::ldexp(significand, below(2100) - 1074);
      case 3: return below(4) == 0 ? std::ldexp(significand, below(300) - 150) : significand * 0;  // zeros of both signs
      case 4: return std::ldexp(static_cast<double>(below(64) - 32), below(12) - 6);               // ties
      default: return below(50) == 0 ? infinity : std::ldexp(static_cast<double>(static_cast<float>(significand)), 120 + below(9));
    }
  };
  int compared = 0;
  for (const BlockFormat& row : block_catalogue()) {
    for (const ScaleRule rule : {ScaleRule::floor, ScaleRule::ceil, ScaleRule::even, ScaleRule::rceil}) {
      for (const Rounding mode : {Rounding::rne, Rounding::rna, Rounding::rz, Rounding::ru, Rounding::rd, Rounding::ro}) {
        BlockFormat format = row;
        if (format.rule != ScaleRule::nvfp4) format.rule = rule;
        format.rounding.mode = mode;
        for (int i = 0; i < 300; ++i) {
          std::vector<double> values(static_cast<std::size_t>(1 + below(20)));
          const int style = below(6);
          for (double& x : values) x = value(style);
          const BlockQuantizer quantizer(format, below(3) == 0 ? 1e300 : largest_magnitude(values) * (1 + below(1000)));
          REQUIRE(NumberRounder::supports(format.element, format.rounding));
          const Block block = quantizer(values);
          CAPTURE(format.name);
          CAPTURE(style);
          std::vector<double> numbers = values;
          const NumberBlock found = quantizer.numbers(numbers);
          const double scale = to_double(block.scale);
          CHECK((std::isnan(scale) ? std::isnan(found.scale) : found.scale == scale));
          CHECK(found.clipped == block.clipped);
          for (std::size_t k = 0; k < values.size(); ++k) {
            const double expected = to_double(block.elements[k]);
            const bool equal = std::isnan(expected) ? std::isnan(numbers[k])
                                                    : numbers[k] == expected && std::signbit(numbers[k]) == std::signbit(expected);
            REQUIRE_MESSAGE(equal, values[k] << " -> " << expected << ", not " << numbers[k]);
            ++compared;
          }
        }
      }
    }
  }
  CHECK(compared > 300000);
}
