// The clocked unit takes the cycles that formula and token stepping count; reset, ready and refusals.
#include <doctest/doctest.h>

#include "formats/error.h"
#include "sim/datapath_toml.h"
#include "sim/timing/clocked_unit.h"
#include "sim/timing/unit_cycles.h"

namespace {

using namespace accsim;

sim::Datapath int8_datapath(const std::string& acc, std::vector<std::string> set) {
  sim::DatapathOverrides overrides;
  overrides.in_a = overrides.in_b = "int8";
  overrides.set = std::move(set);
  return sim::find_datapath(acc, overrides);
}

sim::UnitInputs issue(std::uint64_t a, bool first, bool last) {
  sim::UnitInputs in;
  in.valid = true;
  in.a = {a};
  in.b = {1};
  in.first = first;
  in.last = last;
  return in;
}

/// Feeds 1 + 2 + ... + n; the cycles until the last sum stands in the last register, which then holds it.
std::int64_t clocked_cycles(const sim::Datapath& d, std::int64_t n) {
  sim::ClockedUnit unit(d, 1);
  std::int64_t fed = 0;
  for (std::int64_t cycle = 0;; ++cycle) {
    const sim::UnitOutputs out = unit.outputs(true);
    if (out.valid && out.last) {
      CHECK(out.accumulator == static_cast<formats::Code>(n * (n + 1) / 2));
      return cycle;
    }
    const bool offered = fed < n;
    sim::UnitInputs in = offered ? issue(static_cast<std::uint64_t>(fed + 1), fed == 0, fed + 1 == n) : sim::UnitInputs{};
    if (offered && out.ready) ++fed;
    unit.clock(in);
  }
}

}  // namespace

TEST_CASE("the clocked unit's cycles are those of the formula, and its sum is right") {
  std::vector<std::vector<std::string>> timings;
  for (const char* adder : {"1", "2", "5"}) {
    for (const char* feedback : {"stall", "single_cycle"}) {
      timings.push_back({"timing.input=1", "timing.multiplier=2", std::string("timing.adder=") + adder, "timing.output=1",
                         std::string("timing.feedback=") + feedback});
      timings.push_back({std::string("timing.adder=") + adder, "timing.interval=7", std::string("timing.feedback=") + feedback});
    }
  }
  for (const char* ways : {"1", "2", "3", "8", "11"}) {
    for (const char* combine : {"sequential", "tree", "coalesce"}) {
      timings.push_back({"timing.multiplier=1", "timing.output=2", "reduction.0.kind=interleaved", std::string("reduction.0.ways=") + ways,
                         std::string("reduction.0.combine=") + combine});
    }
  }
  for (const std::vector<std::string>& timing : timings) {
    for (const std::int64_t n : {1, 2, 3, 8, 13, 40}) {
      const sim::Datapath d = int8_datapath("int32", timing);
      CAPTURE(sim::to_toml(d));
      CAPTURE(n);
      CHECK(clocked_cycles(d, n) == sim::unit_cycles(d, n));
    }
  }
}

TEST_CASE("after a reset the unit is as new, whatever it held") {
  for (const bool interleaved : {false, true}) {
    std::vector<std::string> set = {"timing.multiplier=1", "timing.adder=3"};
    if (interleaved) set.insert(set.end(), {"reduction.0.kind=interleaved", "reduction.0.ways=3"});
    sim::ClockedUnit unit(int8_datapath("int32", set), 1);
    for (std::uint64_t i = 0; i < 5; ++i) unit.clock(issue(i + 1, i == 0, i == 4));
    CHECK_FALSE(unit.is_empty());
    sim::UnitInputs reset = issue(9, true, true);
    reset.reset = true;
    unit.clock(reset);
    CHECK(unit.is_empty());
    CHECK(unit.outputs(true).ready);
    for (const sim::UnitSample& s : unit.sample()) CHECK(s.value == 0);
    unit.clock(issue(4, true, true));
    for (int i = 0; i < 40 && !unit.outputs(true).valid; ++i) unit.clock({});
    CHECK(unit.outputs(true).accumulator == 4);
  }
}

TEST_CASE("a unit whose result is not taken stands still and takes nothing") {
  sim::ClockedUnit unit(int8_datapath("int32", {}), 1);
  unit.clock(issue(1, true, false));
  sim::UnitInputs second = issue(2, false, true);
  second.ready = false;
  for (int i = 0; i < 3; ++i) {
    CHECK(unit.outputs(false).valid);
    CHECK_FALSE(unit.outputs(false).ready);
    CHECK(unit.outputs(false).accumulator == 1);
    unit.clock(second);
  }
  second.ready = true;
  CHECK(unit.outputs(true).ready);
  unit.clock(second);
  CHECK(unit.outputs(true).accumulator == 3);
}

TEST_CASE("elastic registers move on into empty ones while a result waits, others stand still") {
  for (const bool elastic : {false, true}) {
    std::vector<std::string> set = {"timing.input=1", "timing.multiplier=1"};
    if (elastic) set.push_back("timing.elastic=true");
    sim::ClockedUnit unit(int8_datapath("int32", set), 1);  // three registers
    unit.clock(issue(1, true, false));
    unit.clock({});  // a gap
    sim::UnitInputs second = issue(2, false, true);
    unit.clock(second);
    CHECK(unit.outputs(true).accumulator == 1);  // the first stands at the output, the second in the first register
    sim::UnitInputs waits = issue(3, false, true);
    waits.ready = false;
    CHECK(unit.outputs(false).ready == elastic);
    CHECK(unit.clock(waits) == elastic);  // the second moves on into the gap, the third takes its place
    CHECK_FALSE(unit.outputs(false).ready);
    CHECK_FALSE(unit.clock(waits));
    waits.valid = false;
    waits.ready = true;
    CHECK(unit.outputs(true).accumulator == 1);
    unit.clock(waits);
    CHECK(unit.outputs(true).valid == elastic);  // the gap is still there, or it is not
    if (elastic) CHECK(unit.outputs(true).accumulator == 3);
    unit.clock(waits);
    CHECK(unit.outputs(true).accumulator == (elastic ? 6 : 3));
    unit.clock(waits);
    CHECK(unit.is_empty());
  }
  CHECK_THROWS_AS(int8_datapath("int32", {"timing.adder=2", "timing.elastic=true"}), InputError);
  CHECK_NOTHROW(int8_datapath("int32", {"timing.adder=2", "timing.elastic=true", "timing.feedback=single_cycle"}));
}

TEST_CASE("rows that are several issues are refused") {
  CHECK_THROWS_AS(sim::ClockedUnit(int8_datapath("int32", {}), 2), InputError);
  CHECK_NOTHROW(sim::ClockedUnit(sim::find_datapath("ampere_fp16_fp32"), 8));
  CHECK_THROWS_AS(sim::ClockedUnit(sim::find_datapath("ampere_fp16_fp32"), 9), InputError);
  CHECK_NOTHROW(sim::ClockedUnit(sim::find_datapath("cdna1_bf16_fp32_pairwise"), 2));
}
