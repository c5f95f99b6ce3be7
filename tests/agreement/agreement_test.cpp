// Every executor that claims a datapath equals the interpreter bit for bit and count for count.
#include <doctest/doctest.h>

#include <cstdlib>
#include <map>

#include "agreement.h"
#include "draw.h"
#include "operands.h"
#include "random_datapath.h"

namespace {

using namespace accsim;
using namespace accsim::agreement;

constexpr std::int64_t macs_a_case = 4096;  // about a millisecond of the interpreter

/// How many cases; the long run asks for more in the environment.
int cases(int usual) {
  const char* factor = std::getenv("ACCSIM_AGREEMENT_FACTOR");
  return factor == nullptr ? usual : usual * std::max(1, std::atoi(factor));
}

Traced random_traced(const sim::Datapath& d, Draw& draw) {
  const bool fixed = d.levels.front().format.as_fixed() != nullptr;
  if (fixed) return draw.chance(80) ? Traced::int8 : Traced::binary16;
  return draw.of({Traced::binary32, Traced::binary32, Traced::binary16, Traced::int8, Traced::binary64});
}

/// One case of a datapath; the text of a difference.
std::string run_case(const sim::Datapath& datapath, Distribution distribution, std::uint64_t seed, int& ran) {
  Draw draw(seed);
  Case c;
  c.datapath = datapath;
  draw_size(c, macs_a_case, draw);
  fill_operands(c, distribution, random_traced(datapath, draw), draw);
  if (draw.chance(20)) fill_accumulator(c, draw);
  const std::string what = disagreement(c, "", ran);
  return what.empty() ? what : "seed " + std::to_string(seed) + ", " + std::string(name_of(distribution)) + ": " + what;
}

}  // namespace

TEST_CASE("a difference in a bit, a sign of zero, a flag, a count or a range is found") {
  Draw draw(7);
  Case c;
  c.datapath = sim::find_datapath("fp12");
  c.rows = 2;
  c.columns = 3;
  c.k = 5;
  fill_operands(c, Distribution::normal, Traced::binary32, draw);
  sim::TileResult expected;
  sim::executors()[0]->run(c.datapath, c.tile(), expected);
  CHECK(difference(expected, expected, 6).empty());
  const auto finds = [&](auto&& change) {
    sim::TileResult changed = expected;
    change(changed);
    return !difference(expected, changed, 6).empty();
  };
  CHECK(finds([](sim::TileResult& r) { r.outputs[5].exponent += 1; }));
  CHECK(finds([](sim::TileResult& r) { r.outputs[0].negative = !r.outputs[0].negative; }));
  CHECK(finds([](sim::TileResult& r) { r.outputs[0] = formats::NarrowExact::not_a_number(); }));
  CHECK(finds([](sim::TileResult& r) { r.overflowed[3] ^= 1; }));
  CHECK(finds([](sim::TileResult& r) { ++r.events[sim::Event::swamped]; }));
  CHECK(finds([](sim::TileResult& r) { r.max_abs_product *= 2; }));
  CHECK(finds([](sim::TileResult& r) { r.max_abs_partial *= 2; }));
  CHECK(finds([](sim::TileResult& r) { ++r.saved_cycles; }));
}

TEST_CASE("executors equal the interpreter on every built-in datapath, whatever the operands and sizes") {
  std::map<std::string_view, int> ran;
  std::uint64_t seed = 1;
  for (const sim::BuiltinDatapath& builtin : sim::builtin_datapaths()) {
    const sim::Datapath datapath = sim::find_datapath(std::string(builtin.name));
    for (const Distribution distribution : distributions) {
      for (int i = 0; i < cases(4); ++i) {
        const std::string what = run_case(datapath, distribution, seed++, ran[builtin.name]);
        if (!what.empty()) FAIL_CHECK(builtin.name << " " << what);
      }
    }
  }
  std::string text;
  for (const auto& [name, count] : ran) text += " " + std::string(name) + ":" + std::to_string(count);
  MESSAGE("runs of kernels:" << text);
  for (const char* const name : {"blackwell_mxfp8", "blackwell_mxfp6", "blackwell_mxfp4", "blackwell_mxfp4_k32", "blackwell_nvfp4",
                                 "hopper_fp16_fp16_2025", "cdna3_fp16_fp32", "cdna3_bf16_fp32", "cdna3_fp8_fp32", "cdna3_xf32_fp32",
                                 "cdna3_fp16_fp32_2025", "cdna3_bf16_fp32_2025", "cdna3_fp8_fp32_2025", "cdna3_xf32_fp32_2025"})
    CHECK_MESSAGE(ran[name] > 0, name);
}

TEST_CASE("executors equal the interpreter on scalar datapaths whose operands are in block formats") {
  std::uint64_t seed = 1;
  for (const char* const name : {"fp32", "bf16", "fp12", "e5m10", "sr_fp12", "kulisch", "tpu_bf16"}) {
    sim::Datapath datapath = sim::find_datapath(name);
    for (const char* const block : {"mxfp8_e4m3:block=32", "mxfp8_e5m2", "mxfp4:block=7", "mxint8", "nvfp4"}) {
      for (sim::Operand* const operand : {&datapath.a, &datapath.b}) {
        *operand = {};
        operand->block = formats::parse_block_format(block);
      }
      int ran = 0;
      for (const Distribution distribution : distributions) {
        for (int i = 0; i < cases(2); ++i) {
          const std::string what = run_case(datapath, distribution, seed++, ran);
          if (!what.empty()) FAIL_CHECK(name << " " << block << " " << what);
        }
      }
      CHECK_MESSAGE(ran > 0, name << " of " << block);
    }
  }
}

TEST_CASE("executors equal the interpreter on random datapaths") {
  int ran = 0;
  int claimed = 0;
  const int count = cases(1200);
  int failures = 0;
  for (int i = 0; i < count && failures < 10; ++i) {
    const auto seed = static_cast<std::uint64_t>(1000000 + i);
    Draw draw(seed);
    const sim::Datapath datapath = random_datapath(draw);
    const int before = ran;
    const std::string what = run_case(datapath, distributions[static_cast<std::size_t>(i) % distributions.size()], seed, ran);
    claimed += ran > before ? 1 : 0;
    if (!what.empty()) {
      ++failures;
      FAIL_CHECK(what);
    }
  }
  MESSAGE(claimed << " of " << count << " random datapaths are claimed by a kernel, " << ran << " runs");
}
