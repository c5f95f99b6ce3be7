// Accumulator widths against the table of accumulators.md 3.1 and sums worked out by hand.
#include <doctest/doctest.h>

#include <vector>

#include "sim/datapath_toml.h"
#include "sim/integer_bounds.h"

using namespace accsim::sim;
using accsim::formats::Exact;
using accsim::formats::Int128;
using accsim::formats::parse_format;
using accsim::formats::Wide;

namespace {

Tensor stored_in(const char* format) {
  Tensor t;
  t.format = parse_format(format);
  return t;
}

IntegerRange range_of(const char* format) { return *integer_range(stored_in(format), Operand{}); }

Exact whole(int value) {
  Exact x;
  x.negative = value < 0;
  x.significand = value < 0 ? -value : value;
  return x;
}

std::vector<Exact> wholes(const std::vector<int>& values) {
  std::vector<Exact> all;
  for (const int v : values) all.push_back(whole(v));
  return all;
}

std::vector<Wide> weights(const std::vector<int>& values) { return {values.begin(), values.end()}; }

int datatype_bound(const char* a, const char* b, int k) {
  return guaranteed_widths(range_of(a), range_of(b), weights(std::vector<int>(static_cast<std::size_t>(k), 1))).datatype;
}

Datapath levels(const std::string& toml) { return parse_datapath(toml, "test"); }
const std::string level = "[[reduction]]\nkind = \"sequential\"\nformat = \"int16\"\n";

int observed(const Datapath& datapath, const std::vector<int>& products) {
  const int wide = observed_width(datapath, wholes(products), whole(0), 0);
  const std::vector<Int128> machine(products.begin(), products.end());
  CHECK(observed_width(datapath, machine, 0) == wide);
  return wide;
}

}  // namespace

TEST_CASE("a two's complement width holds -2^(P-1) to 2^(P-1)-1") {
  CHECK(twos_complement_width(0, 0) == 1);
  CHECK(twos_complement_width(-1, 0) == 1);
  CHECK(twos_complement_width(0, 1) == 2);
  CHECK(twos_complement_width(-2, 1) == 2);
  CHECK(twos_complement_width(-128, 127) == 8);
  CHECK(twos_complement_width(-129, 0) == 9);
  CHECK(twos_complement_width(0, 128) == 9);
  CHECK(twos_complement_width(-(Wide{1} << 100), (Wide{1} << 100) - 1) == 101);
}

TEST_CASE("the data-type bound is that of the table: K 2^(N-s) 2^(M-1) <= 2^(P-1)-1") {
  CHECK(datatype_bound("uint4", "int4", 128) == 16);  // AXE's README
  CHECK(datatype_bound("int8", "int8", 64) == 22);
  CHECK(datatype_bound("int8", "int8", 576) == 25);
  CHECK(datatype_bound("int8", "int8", 1024) == 26);
  CHECK(datatype_bound("int8", "int8", 4096) == 28);
  CHECK(datatype_bound("int8", "int8", 4608) == 28);
}

TEST_CASE("the L1 bound is |q|_1 2^(N-s) <= 2^(P-1)-1") {
  // |q|_1 = 5: 5 * 128 = 640 <= 1023, so 11 bits; unsigned inputs 5 * 256 = 1280 <= 2047, 12 bits.
  CHECK(guaranteed_widths(range_of("int8"), range_of("int8"), weights({3, -2})).l1 == 11);
  CHECK(guaranteed_widths(range_of("uint8"), range_of("int8"), weights({3, -2})).l1 == 12);
  // 8 * 128 = 1024 > 1023: 12 bits.
  CHECK(guaranteed_widths(range_of("int8"), range_of("int8"), weights({4, -4})).l1 == 12);
}

TEST_CASE("the range bound is that of the extreme inputs") {
  // int8: hi = 3*127 + 2*128 = 637, lo = -3*128 - 2*127 = -638: 11 bits.
  CHECK(guaranteed_widths(range_of("int8"), range_of("int8"), weights({3, -2})).range == 11);
  // uint8: hi = 3*255 = 765, lo = -2*255 = -510: 11 bits; all positive 5*255 = 1275: 12 bits.
  CHECK(guaranteed_widths(range_of("uint8"), range_of("int8"), weights({3, -2})).range == 11);
  CHECK(guaranteed_widths(range_of("uint8"), range_of("int8"), weights({3, 2})).range == 12);
  // 4, -4 in int8: hi = 4*127 + 4*128 = 1020, lo = -1020: 11 bits, one fewer than L1.
  CHECK(guaranteed_widths(range_of("int8"), range_of("int8"), weights({4, -4})).range == 11);
  // -8 in int8: hi = 1024, lo = -1016: 12 bits; +8: hi = 1016, lo = -1024: 11 bits.
  CHECK(guaranteed_widths(range_of("int8"), range_of("int8"), weights({-8})).range == 12);
  CHECK(guaranteed_widths(range_of("int8"), range_of("int8"), weights({8})).range == 11);
}

TEST_CASE("an operand's integers are codes less the zero point") {
  Tensor t = stored_in("uint8");
  t.zero_point_min = whole(100);
  t.zero_point_max = whole(128);
  const IntegerRange range = *integer_range(t, Operand{});
  CHECK(range.low == -128);
  CHECK(range.high == 155);
  CHECK(range.magnitude == 155);
  CHECK(range_of("uint8").magnitude == 256);
  CHECK(range_of("s8.4").spacing_exponent == -4);
  CHECK(range_of("s8.4").high == 127);
  CHECK_FALSE(integer_range(stored_in("fp16"), Operand{}).has_value());
  CHECK_FALSE(integer_range(Tensor{}, Operand{}).has_value());
}

TEST_CASE("the observed width holds every prefix in order, and the start at zero") {
  const Datapath one = levels(level);
  CHECK(observed(one, {0, 0}) == 1);
  CHECK(observed(one, {127}) == 8);
  CHECK(observed(one, {-128}) == 8);
  CHECK(observed(one, {100, 100, -150}) == 9);  // 200 on the way
  CHECK(observed(one, {100, -150, 100}) == 8);  // 100, -50, 50
  CHECK(observed(one, {100, 28, -128}) == 9);   // 128
}

TEST_CASE("with chunks every level's prefixes count") {
  const Datapath chunked = levels("[[reduction]]\nkind = \"sequential\"\nterms = 2\nformat = \"int16\"\n" + level);
  // 100, 200 | -150, -50 | and above 200, 150: 9 bits. In one chain 100, 200, 50, 150: 9 too.
  CHECK(observed(chunked, {100, 100, -150, 100}) == 9);
  // 60, 120 | 60, 120 | above 120, 240: 9. 120, 0 | 120, 0: above 0, 0: 8 bits.
  CHECK(observed(chunked, {60, 60, 60, 60}) == 9);
  CHECK(observed(chunked, {120, -120, 120, -120}) == 8);
}

TEST_CASE("a datapath is an integer one where operands, products and sums are all fixed point") {
  const Datapath d = levels(level);
  CHECK(is_integer_datapath(d, stored_in("int8"), stored_in("uint4")));
  CHECK_FALSE(is_integer_datapath(d, stored_in("fp16"), stored_in("int8")));
  CHECK_FALSE(is_integer_datapath(d, Tensor{}, stored_in("int8")));
  CHECK_FALSE(
      is_integer_datapath(levels("[[reduction]]\nkind = \"sequential\"\nformat = \"fp32\"\n"), stored_in("int8"), stored_in("int8")));
  CHECK(is_integer_datapath(find_datapath("int32"), Tensor{}, Tensor{}));  // quantizes both
}
