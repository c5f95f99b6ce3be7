// Cycles by formula, by stepping, and as online.md 6.2 and 6.4 derive them.
#include <doctest/doctest.h>

#include <bit>
#include <random>

#include "formats/error.h"
#include "sim/datapath_toml.h"
#include "sim/timing/array_cycles.h"
#include "sim/timing/array_stepper.h"
#include "sim/timing/combination.h"
#include "sim/timing/unit_cycles.h"
#include "sim/timing/unit_stepper.h"

namespace {

using namespace accsim;
using sim::Datapath;

Datapath datapath(const std::string& acc, std::vector<std::string> set) {
  sim::DatapathOverrides overrides;
  overrides.set = std::move(set);
  return sim::find_datapath(acc, overrides);
}

Datapath interleaved(std::int64_t ways, const std::string& combine) {
  const std::string w = std::to_string(ways);
  return datapath("fp32", {"reduction.0.kind=interleaved", "reduction.0.ways=" + w, "reduction.0.combine=" + combine, "timing.adder=" + w});
}

std::int64_t stages_of(std::int64_t x) { return x <= 1 ? 0 : std::bit_width(static_cast<std::uint64_t>(x - 1)); }

/// online.md 6.2, checked there for L = 1..64.
std::int64_t overhead(std::int64_t ways) {
  const std::int64_t floor_log2 = std::bit_width(static_cast<std::uint64_t>(ways)) - 1;
  return ways * (floor_log2 + 1) + 2 * (ways - (std::int64_t{1} << floor_log2));
}

}  // namespace

TEST_CASE("interleaved sums coalesce in N + L(floor(log2 L) + 1) + 2(L - 2^floor(log2 L)) cycles, for L = 1..64 and any N >= L") {
  for (std::int64_t ways = 1; ways <= 64; ++ways) {
    const Datapath d = interleaved(ways, "coalesce");
    for (std::int64_t n = ways; n <= 3 * ways + 5; ++n) {
      CAPTURE(ways);
      CAPTURE(n);
      REQUIRE(sim::unit_cycles(d, n) == n + overhead(ways));
      if (ways <= 16 || n % 7 == 0) REQUIRE(sim::stepped_unit_cycles(sim::schedule_of(d, n)) == n + overhead(ways));
    }
  }
}

TEST_CASE("the overhead of coalescing is 4, 8, 12, 27, 32, 50, 68 cycles for 2, 3, 4, 7, 8, 11, 14 ways") {
  const std::vector<std::pair<std::int64_t, std::int64_t>> figures = {{2, 4}, {3, 8}, {4, 12}, {7, 27}, {8, 32}, {11, 50}, {14, 68}};
  for (const auto& [ways, cycles] : figures) CHECK(sim::unit_cycles(interleaved(ways, "coalesce"), 1000) == 1000 + cycles);
}

TEST_CASE("a stalled adder of latency L takes N L cycles, one whose loop takes a cycle N + L - 1") {
  for (std::int64_t latency = 1; latency <= 9; ++latency) {
    const std::string l = std::to_string(latency);
    for (const std::int64_t n : {1, 2, 3, 17, 100}) {
      CHECK(sim::unit_cycles(datapath("fp32", {"timing.adder=" + l}), n) == n * latency);
      CHECK(sim::unit_cycles(datapath("fp32", {"timing.adder=" + l, "timing.feedback=single_cycle"}), n) == n + latency - 1);
    }
  }
}

TEST_CASE("multiplier, input and output registers each add their cycles once") {
  CHECK(sim::unit_cycles(datapath("fp32", {"timing.multiplier=2", "timing.adder=3"}), 10) == 2 + 30);
  CHECK(sim::unit_cycles(datapath("fp32", {"timing.input=1", "timing.multiplier=2", "timing.adder=3", "timing.output=1"}), 10) == 34);
}

TEST_CASE("P multipliers, a tree and an accumulator take L_m + L_a ceil(log2 P) + (ceil(N/P) - 1) II + L_loop cycles") {
  for (const std::int64_t p : {2, 3, 4, 7, 8, 16, 32}) {
    for (const std::int64_t n : {1, 7, 8, 9, 64, 100}) {
      for (const std::int64_t loop : {1, 2, 5}) {
        const Datapath d = datapath("cdna1_bf16_fp32_pairwise", {"reduction.0.terms=" + std::to_string(p), "timing.multiplier=3",
                                                                 "timing.adder=[4, " + std::to_string(loop) + "]"});
        // The stalled accumulator makes sums wait: II = L_loop; products come one issue a cycle.
        CHECK(sim::unit_cycles(d, n) == 3 + 4 * stages_of(p) + ((n + p - 1) / p - 1) * loop + loop);
        CHECK(sim::stepped_unit_cycles(sim::schedule_of(d, n)) == sim::unit_cycles(d, n));
      }
    }
  }
}

TEST_CASE("partial sums added one after the other from zero take L ceil(N/L) + L^2 cycles in all") {
  // Way 0 gets its last term in cycle L (ceil(N/L) - 1), counted from 0, and leaves the loop L later; L additions follow, each L
  // cycles after the one before. The other ways are there by then.
  for (std::int64_t ways = 1; ways <= 9; ++ways) {
    for (std::int64_t n = ways; n <= 4 * ways; ++n) {
      const Datapath d = interleaved(ways, "sequential");
      CHECK(sim::unit_cycles(d, n) == ways * ((n + ways - 1) / ways) + ways * ways);
      CHECK(sim::stepped_unit_cycles(sim::schedule_of(d, n)) == sim::unit_cycles(d, n));
    }
  }
}

TEST_CASE("a tree over four partial sums adds as soon as two have left the loop") {
  // L = 4, N = 8: the last terms enter in cycles 4..7 and leave in 8..11. p0 + p1 in 9, p2 + p3 in 11; both there in 15; done in 19.
  CHECK(sim::unit_cycles(interleaved(4, "tree"), 8) == 19);
  CHECK(sim::stepped_unit_cycles(sim::schedule_of(interleaved(4, "tree"), 8)) == 19);
}

TEST_CASE("sums that reach an interleaved level while it combines wait, and enter one a cycle") {
  const auto cycles = [](const std::string& terms, std::int64_t k) {
    const Datapath d =
        sim::parse_datapath("accsim = 1\nname = \"x\"\nsource = \"x\"\n[operands]\na = \"fp16\"\nb = \"fp16\"\n" + terms +
                                "format = \"fp32\"\n[[reduction]]\nkind = \"interleaved\"\nways = 2\nterms = 2\nformat = "
                                "\"fp32\"\n[[reduction]]\nkind = \"sequential\"\nformat = \"fp32\"\n[timing]\nadder = [1, 2, 1]\n",
                            "x");
    CHECK(sim::stepped_unit_cycles(sim::schedule_of(d, k)) == sim::unit_cycles(d, k));
    return sim::unit_cycles(d, k);
  };
  // Cycles from 0. Sums of pairs are there in 1, 2, 3, 4. The first two enter the loop of two in 1 and 2, leave it in 3 and 4; 0 + p0
  // starts in 3 and is there in 5, then (0 + p0) + p1, there in 7. The third sum enters in 7, the fourth in 8: theirs is there in 8 + 5
  // = 13. The last level adds in 7 and in 13 and is done at the end of 13, the 14th cycle.
  CHECK(cycles("[[reduction]]\nkind = \"tree\"\nterms = 2\n", 8) == 14);
  // A fifth sum, alone in its group, waits from 5 to 13; 0 + p0 starts when it leaves in 15, 0 + p0 + 0 in 17, there in 19.
  CHECK(cycles("[[reduction]]\nkind = \"tree\"\nterms = 2\n", 10) == 20);
  // Sums of eight are there in 8, 16, 24, 32: none waits. 16 + 5 and 32 + 5, then an addition.
  CHECK(cycles("[[reduction]]\nkind = \"sequential\"\nterms = 8\n", 32) == 38);
}

TEST_CASE("stepping and formula agree for interleaved levels at any place, over 1000 random stacks of levels") {
  std::mt19937 g(20261126);
  const auto draw = [&](std::int64_t low, std::int64_t high) { return std::uniform_int_distribution<std::int64_t>(low, high)(g); };
  const auto text = [&](std::int64_t low, std::int64_t high) { return std::to_string(draw(low, high)); };
  for (int shape = 0; shape < 1000; ++shape) {
    const std::int64_t levels = draw(2, 5);
    const std::int64_t between = draw(0, levels - 1);  // of kind interleaved for certain
    std::string toml = "accsim = 1\nname = \"x\"\nsource = \"x\"\n[operands]\na = \"fp16\"\nb = \"fp16\"\n";
    for (std::int64_t i = 0; i < levels; ++i) {
      const std::int64_t kind = i == between ? 0 : draw(0, 4);
      toml += "[[reduction]]\nformat = \"fp32\"\nterms = " + text(1, 9) + "\n";
      if (kind <= 1) {
        const char* const combines[] = {"sequential", "tree", "coalesce"};
        toml += "kind = \"interleaved\"\nways = " + text(4, 8) + "\ncombine = \"" + combines[draw(0, 2)] + "\"\n";
      } else if (kind == 2) {
        toml += "kind = \"sequential\"\n";
      } else if (kind == 3) {
        toml += "kind = \"tree\"\n";
      } else {
        toml += "kind = \"fused_sum\"\nfraction_bits = 30\nwith_accumulator = true\nissues = " + text(1, 4) + "\n";
      }
    }
    toml +=
        "[timing]\ninput = " + text(0, 1) + "\nmultiplier = " + text(0, 3) + "\noutput = " + text(0, 2) + "\nadder = " + text(1, 4) + "\n";
    if (shape % 3 == 0) toml += "interval = " + text(4, 30) + "\n";
    const Datapath d = sim::parse_datapath(toml, "x");
    const std::int64_t k = draw(1, 400);
    CAPTURE(toml);
    CAPTURE(k);
    REQUIRE(sim::unit_cycles(d, k) == sim::stepped_unit_cycles(sim::schedule_of(d, k)));
  }
}

TEST_CASE("an output-stationary fold takes 2R + C + T - 2 cycles with its drain, SCALE-Sim counts R + C + T - 2") {
  for (const std::int64_t rows : {1, 3, 7}) {
    for (const std::int64_t cols : {1, 4, 5}) {
      for (const std::int64_t t : {1, 2, 9}) {
        const Datapath d = datapath("int8_int32", {"array.rows=" + std::to_string(rows), "array.cols=" + std::to_string(cols)});
        const sim::LayerCycles one = sim::layer_cycles(d, rows, cols, t, 1);
        CHECK(one.total == 2 * rows + cols + t - 2);
        CHECK(one.total == sim::stepped_fold_cycles(d, rows, t));
        CHECK(one.scale_sim == rows + cols + t - 2);
        const sim::LayerCycles many = sim::layer_cycles(d, 2 * rows + 1, 3 * cols, t, 2);
        CHECK(many.folds == 3 * 3 * 2);
        CHECK(many.total == many.folds * (2 * rows + cols + t - 2));
      }
    }
  }
}

TEST_CASE("a weight-stationary fold takes 2R + C + T - 2 cycles with the load of its weights, as SCALE-Sim counts") {
  for (const std::int64_t rows : {1, 3, 7}) {
    for (const std::int64_t cols : {1, 4, 5}) {
      for (const std::int64_t t : {1, 2, 9}) {
        const Datapath d =
            datapath("int8_int32", {"array.rows=" + std::to_string(rows), "array.cols=" + std::to_string(cols), "array.dataflow=ws"});
        const sim::LayerCycles one = sim::layer_cycles(d, t, cols, rows, 1);
        CHECK(one.total == 2 * rows + cols + t - 2);
        CHECK(one.total == sim::stepped_fold_cycles(d, t, rows));
        CHECK(one.scale_sim == one.total);
        CHECK(sim::layer_cycles(d, t, cols + 1, 2 * rows + 1, 1).folds == 3 * 2);
      }
    }
  }
}

TEST_CASE("utilization is macs over rows, columns and cycles") {
  const Datapath d = datapath("int8_int32", {"array.rows=4", "array.cols=8"});
  // 2 x 3 folds of 2*4 + 8 + 20 - 2 = 34 cycles for 8 * 24 * 20 MACs.
  const sim::LayerCycles c = sim::layer_cycles(d, 8, 24, 20, 1);
  CHECK(c.total == 204);
  CHECK(c.utilization == 3840.0 / (4 * 8 * 204.0));
}

TEST_CASE("stepping and formula agree for every built-in datapath, as a unit and in arrays, over 200 random shapes and timings") {
  std::mt19937 g(20261125);
  const auto draw = [&](std::int64_t low, std::int64_t high) { return std::uniform_int_distribution<std::int64_t>(low, high)(g); };
  const auto text = [&](std::int64_t low, std::int64_t high) { return std::to_string(draw(low, high)); };
  std::vector<std::string> names = {"interleaved"};
  for (const sim::BuiltinDatapath& builtin : sim::builtin_datapaths()) {
    // The cycles of online units follow from their digits.
    if (sim::find_datapath(std::string(builtin.name)).levels.front().kind != sim::LevelKind::online) names.emplace_back(builtin.name);
  }
  std::int64_t arrays = 0;
  for (const std::string& name : names) {
    for (int shape = 0; shape < 200; ++shape) {
      std::vector<std::string> set = {"timing.multiplier=" + text(0, 3), "timing.adder=" + text(1, 5), "timing.output=" + text(0, 2),
                                      "timing.input=" + text(0, 1)};
      std::string acc = name;
      if (name == "interleaved") {
        acc = "fp32";
        const char* const combines[] = {"sequential", "tree", "coalesce"};
        set.insert(set.end(), {"reduction.0.kind=interleaved", "reduction.0.ways=" + text(5, 9),
                               std::string("reduction.0.combine=") + combines[shape % 3]});
        if (shape % 2 == 0) set.push_back("timing.interval=" + text(1, 30));
      } else if (shape % 2 == 0) {
        set.emplace_back("timing.feedback=single_cycle");
      } else {
        set.push_back("timing.interval=" + text(5, 9));
      }
      sim::DatapathOverrides overrides;
      overrides.set = set;
      if (shape % 4 >= 2 && name != "interleaved") overrides.chunk = draw(1, 20);
      if (name == "interleaved" && shape % 4 >= 2) overrides.chunk = draw(1, 20);
      Datapath d;
      try {
        d = sim::find_datapath(acc, overrides);
      } catch (const InputError&) {
        d = datapath(acc, set);  // a matrix unit's chunk is what it is
      }
      const std::int64_t k = draw(1, 150);
      CAPTURE(sim::to_toml(d));
      CAPTURE(k);
      REQUIRE(sim::unit_cycles(d, k) == sim::stepped_unit_cycles(sim::schedule_of(d, k)));
      if (shape % 10 != 0) continue;
      for (const sim::Dataflow flow : {sim::Dataflow::os, sim::Dataflow::ws, sim::Dataflow::tree}) {
        Datapath in_array = d;
        in_array.array = sim::Array{.rows = draw(1, 4), .cols = draw(1, 4), .dataflow = flow};
        const sim::Level& inner = d.levels.front();
        if (flow == sim::Dataflow::ws && d.levels.size() > 1)
          in_array.array->rows = inner.kind == sim::LevelKind::sequential ? inner.terms.value_or(1) : inner.issues.value_or(1);
        if (flow == sim::Dataflow::tree) in_array.array->rows = inner.terms.value_or(1);
        try {
          sim::check_timing(in_array);
        } catch (const InputError&) {
          continue;
        }
        ++arrays;
        const std::int64_t m = draw(1, 9);
        REQUIRE(sim::layer_cycles(in_array, m, 1, k, 1).fold == sim::stepped_fold_cycles(in_array, m, k));
      }
    }
  }
  CHECK(arrays > 1000);
}

TEST_CASE("a unit is not ready one clock before its interval is over, and ready then") {
  const sim::Schedule s = sim::schedule_of(datapath("fp32", {"timing.adder=3", "timing.multiplier=1"}), 4);
  sim::UnitStepper unit(s);
  CHECK(unit.is_ready());
  unit.clock(true, false);
  CHECK_FALSE(unit.is_ready());
  unit.clock(false, false);
  CHECK_FALSE(unit.is_ready());
  CHECK_THROWS(sim::UnitStepper(unit).clock(true, false));
  unit.clock(false, false);
  CHECK(unit.is_ready());
}

TEST_CASE("element r C + c of an output-stationary array makes output (r, c); elsewhere a column makes it") {
  const sim::Array os{.rows = 4, .cols = 3, .dataflow = sim::Dataflow::os};
  CHECK(sim::pe_index(os, 0, 0) == 0);
  CHECK(sim::pe_index(os, 1, 2) == 5);
  CHECK(sim::pe_index(os, 5, 4) == 4);
  CHECK(sim::pe_index({.rows = 4, .cols = 3, .dataflow = sim::Dataflow::ws}, 5, 4) == 1);
}

TEST_CASE("timing and array are read, checked and printed so that they read back the same") {
  const Datapath d = datapath("fp12", {"timing.multiplier=1", "timing.adder=[3, 2]", "timing.feedback=single_cycle", "array.rows=16",
                                       "array.cols=4", "array.dataflow=ws"});
  const std::string toml = sim::to_toml(d);
  CHECK(toml.find("[timing]\ninput = 0\nmultiplier = 1\nadder = [3, 2]\noutput = 0\nfeedback = \"single_cycle\"\n") != std::string::npos);
  CHECK(toml.find("[array]\nrows = 16\ncols = 4\ndataflow = \"ws\"\n") != std::string::npos);
  CHECK(sim::to_toml(sim::parse_datapath(toml, "again")) == toml);
  CHECK(sim::to_toml(datapath("fp12", {})).find("[timing]") == std::string::npos);
}

TEST_CASE("schedules that do not belong to the levels are refused by the key's name") {
  const auto refusal = [](const std::string& acc, std::vector<std::string> set) -> std::string {
    try {
      datapath(acc, std::move(set));
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  };
  const std::vector<std::string> four_ways = {"reduction.0.kind=interleaved", "reduction.0.ways=4"};
  const auto with = [](std::vector<std::string> set, const std::string& more) {
    set.push_back(more);
    return set;
  };
  CHECK(refusal("fp32", {"timing.feedback=interleave"}).find("timing: feedback") != std::string::npos);
  CHECK(refusal("fp32", with(four_ways, "timing.feedback=stall")).find("timing: feedback") != std::string::npos);
  CHECK(refusal("fp32", with(four_ways, "timing.adder=5")).find("timing: adder") != std::string::npos);
  CHECK(refusal("fp32", with(four_ways, "timing.adder=4")) == "accepted");
  CHECK(refusal("fp12", {"timing.adder=[1, 2, 3]"}).find("timing: adder") != std::string::npos);
  CHECK(refusal("fp32", {"timing.adder=0"}).find("timing.adder") != std::string::npos);
  CHECK(refusal("fp32", {"timing.adder=3", "timing.interval=2"}).find("timing: interval") != std::string::npos);
  CHECK(refusal("fp32", {"timing.adder=3", "timing.interval=3"}) == "accepted");
  CHECK(refusal("fp32", {"timing.addr=3"}).find("timing.addr") != std::string::npos);
  CHECK(refusal("fp32", {"array.rows=3"}).find("array.cols") != std::string::npos);
  CHECK(refusal("fp32", {"array.rows=0", "array.cols=1"}).find("array.rows") != std::string::npos);
  CHECK(refusal("fp32", {"array.rows=3", "array.cols=1", "array.dataflow=is"}).find("os, ws, tree") != std::string::npos);
  CHECK(refusal("fp12", {"array.rows=8", "array.cols=8", "array.dataflow=ws"}).find("array: rows") != std::string::npos);
  CHECK(refusal("fp32", {"array.rows=8", "array.cols=8", "array.dataflow=tree"}).find("array: dataflow") != std::string::npos);
  CHECK(refusal("ampere_fp16_fp32", {"array.rows=8", "array.cols=2", "array.dataflow=tree"}) == "accepted");
}
