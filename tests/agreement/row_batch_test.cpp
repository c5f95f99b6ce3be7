// Rows in lanes against IssueModel, which runs the interpreter: every code, flag and product.
#include <doctest/doctest.h>

#include <cstdlib>
#include <random>

#include "formats/error.h"
#include "sim/datapath_toml.h"
#include "sim/row_batch.h"

namespace {

using namespace accsim;
using formats::Code;

class Cases {
 public:
  explicit Cases(unsigned seed) : random_(seed) {}

  template <std::size_t size>
  std::string one_of(const char* const (&of)[size]) {
    return of[random_() % size];
  }
  std::string float_format() {
    return one_of({"lba_fp12", "fp16", "bf16", "e5m2", "e4m3", "e6m5", "fp32", "e4m3:specials=ieee",
                   "e4m7:bias=12,specials=none,subnormals=off", "e5m10:subnormals=off", "e5m6:specials=none,subnormals=off", "e8m10",
                   "e3m2", "e2m3", "e5m3:specials=fn", "tf32"});
  }
  std::string rounding() {
    return one_of({"rne", "rna", "rz", "ru", "rd", "ro", "sr:bits=13", "sr:bits=5,kind=below", "sr:bits=3",
                   "sr:bits=13,rng=lfsr:width=16,mask=0xb400,seed=0xace1,form=galois,step=right"});
  }
  /// A datapath of one multiply-add; nothing where its parts cannot combine.
  std::optional<sim::Datapath> datapath() {
    sim::DatapathOverrides o;
    const bool integers = random_() % 5 == 0;
    if (random_() % 8 == 0) return plain();
    std::string acc = float_format();
    if (integers) {
      o.in_a = one_of({"int8", "uint8", "int4", "s8.3"});
      o.in_b = one_of({"int8", "uint8", "int16"});
      acc = one_of({"int16", "int18", "int32", "int24", "s20.3"});
      o.overflow = one_of({"wrap", "saturate", "saturate_symmetric", "saturate_zero"});
    } else {
      o.in_a = float_format();
      o.in_b = float_format();
      if (random_() % 2 != 0) {
        o.product = float_format();
        o.set.push_back("product.rounding=" + rounding());
        o.set.push_back("product.overflow=" + one_of({"ieee", "saturate", "nan"}));
      }
      o.rounding = rounding();
      o.overflow = one_of({"ieee", "saturate", "nan"});
      if (random_() % 3 == 0) o.set.push_back("reduction.0.underflow=flush");
    }
    try {
      return sim::find_datapath(acc, o);
    } catch (const InputError&) {
      return std::nullopt;
    }
  }
  /// Formats without subnormals and special values, one mode.
  sim::Datapath plain() {
    sim::DatapathOverrides o;
    const std::string mode = one_of({"rz", "rne"});
    const auto format = [&] {
      return one_of({"lba_fp12", "e4m7:bias=12,specials=none,subnormals=off", "e5m6:specials=none,subnormals=off",
                     "e3m4:specials=none,subnormals=off"});
    };
    o.in_a = format();
    o.in_b = format();
    if (random_() % 3 != 0) {
      o.product = format();
      o.set.push_back("product.rounding=" + mode);
      o.set.push_back("product.overflow=saturate");
    }
    o.rounding = mode;
    o.overflow = one_of({"saturate", "ieee"});
    return sim::find_datapath(format(), o);
  }
  /// Any code; near another one now and then, so that sums cancel.
  Code code(const formats::Format& format, Code near) {
    const Code mask = (Code{1} << code_bits(format)) - 1;
    switch (random_() % 8) {
      case 0: return (near ^ (Code{1} << (code_bits(format) - 1)) ^ (random_() % 4)) & mask;
      case 1: return random_() % 5 & mask;
      default: return random_() & mask;
    }
  }
  unsigned next() { return static_cast<unsigned>(random_()); }

 private:
  std::mt19937_64 random_;
};

/// Rows with random accumulators through lanes and through IssueModel, a unit after the other.
void check_rows(const sim::Datapath& d, sim::kernels::Isa isa, unsigned seed) {
  constexpr std::int64_t units = 37;
  sim::BatchModel batch(d, units, 0, sim::kernels::row_lanes(isa));
  if (!batch.on_lanes()) return;
  CAPTURE(sim::to_toml(d));
  CAPTURE(name_of(isa));
  std::vector<sim::IssueModel> models;
  for (std::int64_t unit = 0; unit < units; ++unit) models.emplace_back(d, static_cast<std::uint64_t>(unit));
  Cases cases(seed);
  sim::BatchRow row = batch.make_row(1);
  sim::UnitCodes accumulator(code_bits(batch.model().in_format()), units);
  for (std::uint64_t n = 0; n < 40; ++n) {
    row.row = n;
    row.subtract = n % 3 == 1;
    for (std::int64_t unit = 0; unit < units; ++unit) {
      row.a[0].set(unit, cases.code(batch.model().a_format(), row.a[0].at(unit)));
      row.b[0].set(unit, cases.code(batch.model().b_format(), row.a[0].at(unit)));
      accumulator.set(unit, cases.code(batch.model().in_format(), n % 2 != 0 ? row.result.at(unit) : accumulator.at(unit)));
    }
    batch.add(row, &accumulator);
    for (std::int64_t unit = 0; unit < units; ++unit) {
      const Code a = row.a[0].at(unit);
      const Code b = row.b[0].at(unit);
      const sim::IssueResult r = models[static_cast<std::size_t>(unit)].run({.a = {&a, 1},
                                                                             .b = {&b, 1},
                                                                             .accumulator = accumulator.at(unit),
                                                                             .subtract = row.subtract,
                                                                             .row = n * units + static_cast<std::uint64_t>(unit)});
      const bool same = row.result.at(unit) == r.accumulator && row.flags.at(unit) == r.flags &&
                        (!r.product || batch.product_of(row, unit) == *r.product);
      if (same) continue;
      CAPTURE(static_cast<std::uint64_t>(a));
      CAPTURE(static_cast<std::uint64_t>(b));
      CAPTURE(static_cast<std::uint64_t>(accumulator.at(unit)));
      CHECK(static_cast<std::uint64_t>(row.result.at(unit)) == static_cast<std::uint64_t>(r.accumulator));
      CHECK(static_cast<unsigned>(row.flags.at(unit)) == r.flags);
      REQUIRE(same);
    }
  }
}

}  // namespace

TEST_CASE("rows in lanes give the interpreter's codes and flags") {
  const char* factor = std::getenv("ACCSIM_AGREEMENT_FACTOR");
  const int wanted = 60 * (factor != nullptr ? std::atoi(factor) : 1);
  Cases cases(7);
  int on_lanes = 0;
  for (int i = 0; i < wanted * 20 && on_lanes < wanted; ++i) {
    const std::optional<sim::Datapath> d = cases.datapath();
    if (!d || !sim::BatchModel(*d, 1).on_lanes()) continue;
    ++on_lanes;
    for (const auto isa : {sim::kernels::Isa::baseline, sim::kernels::Isa::avx2, sim::kernels::Isa::avx512}) {
      if (sim::kernels::host_has(isa)) check_rows(*d, isa, cases.next());
    }
  }
  CHECK(on_lanes == wanted);
  for (const char* name : {"fp12", "sr_fp12", "fp16", "fp32", "int8_int32", "int16_saturate"}) {
    sim::DatapathOverrides o;
    if (std::string(name) == "fp12") o.in_a = o.in_b = "lba_fp12";
    if (std::string(name) == "fp16" || std::string(name) == "fp32") o.in_a = o.in_b = name;
    const sim::Datapath d = sim::find_datapath(name, o);
    CAPTURE(name);
    CHECK(sim::BatchModel(d, 1).on_lanes());
    check_rows(d, sim::kernels::Isa::baseline, 3);
  }
}
