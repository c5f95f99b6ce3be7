// Widths observed on lanes against those of one output at a time.
#include <doctest/doctest.h>

#include <random>

#include "sim/datapath_toml.h"
#include "sim/observed_widths.h"
#include "sim/operand_facts.h"

namespace {

using namespace accsim;
using namespace accsim::sim;
using formats::Int128;

/// The widest of all outputs, each walked alone.
int walked(const Datapath& datapath, const std::vector<double>& a, const std::vector<double>& b, std::int64_t rows, std::int64_t columns,
           std::int64_t k) {
  const std::vector<std::int64_t> order = term_order(datapath, k);
  int width = 0;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t c = 0; c < columns; ++c) {
      std::vector<Int128> products;
      for (const std::int64_t i : order)
        products.push_back(static_cast<Int128>(a[static_cast<std::size_t>(r * k + i)]) *
                           static_cast<Int128>(b[static_cast<std::size_t>(c * k + i)]));
      width = std::max(width, observed_width(datapath, products, 0));
    }
  }
  return width;
}

}  // namespace

TEST_CASE("widths observed on lanes are those of walking every output, for every size, order and chunking") {
  std::mt19937_64 random(3);
  const char* const one = "[[reduction]]\nkind=\"sequential\"\nformat=\"int32\"\n";
  const std::string chunks = "[[reduction]]\nkind=\"sequential\"\nterms=%\nformat=\"int32\"\n";
  const auto chunk = [&](const std::string& terms) {
    std::string text = chunks;
    return text.replace(text.find('%'), 1, terms);
  };
  const std::string head = "accsim=1\nname=\"t\"\n[operands]\na=\"int8\"\nb=\"int8\"\n[product]\nformat=\"exact\"\n";
  const std::string permuted = head + "permute=[2,0,1]\n";
  for (const std::string& toml : {head + one, permuted + one, head + chunk("4") + one, permuted + chunk("3") + chunk("2") + one,
                                  head + chunk("100") + chunk("7") + one}) {
    const Datapath datapath = parse_datapath(toml, "t");
    for (const kernels::PrefixLanes& lanes : kernels::prefix_lanes()) {
      for (const std::int64_t bits : {3, 7, 20}) {
        for (int i = 0; i < 12; ++i) {
          const auto rows = static_cast<std::int64_t>(1 + random() % 6);
          const auto columns = static_cast<std::int64_t>(1 + random() % 18);
          const auto k = static_cast<std::int64_t>(1 + random() % 30);
          const auto draw = [&](std::int64_t size) {
            std::vector<double> all(static_cast<std::size_t>(size));
            for (double& x : all) x = static_cast<double>(static_cast<std::int64_t>(random() % (2U << bits)) - (1 << bits)) + (i % 3 - 1);
            return all;
          };
          const std::vector<double> a = draw(rows * k);
          const std::vector<double> b = draw(columns * k);
          const LayerFacts facts{.a = operand_facts(Values(a)), .b = operand_facts(Values(b)), .k = k, .has_accumulator = false};
          const PrefixObserver observer(datapath, facts, 0, 0, lanes);
          REQUIRE(observer.supported());
          CAPTURE(toml);
          CAPTURE(lanes.name);
          CHECK(observer.width(a, b, rows, columns) == walked(datapath, a, b, rows, columns, k));
        }
      }
    }
  }
}

TEST_CASE("trees, and sums that leave binary64's integers, are walked one output at a time") {
  const OperandFacts wide{.precision = 30, .lowest = 0, .highest = 29, .nonfinite = false};
  const LayerFacts facts{.a = wide, .b = wide, .k = 100, .has_accumulator = false};
  const LayerFacts narrow{.a = {.precision = 3, .lowest = 0, .highest = 2, .nonfinite = false},
                          .b = {.precision = 3, .lowest = 0, .highest = 2, .nonfinite = false},
                          .k = 100,
                          .has_accumulator = false};
  const kernels::PrefixLanes& lanes = kernels::prefix_lanes().back();
  Datapath datapath = find_datapath("int32");
  CHECK(PrefixObserver(datapath, narrow, 0, 0, lanes).supported());
  CHECK_FALSE(PrefixObserver(datapath, facts, 0, 0, lanes).supported());
  datapath.levels[0].kind = LevelKind::tree;
  CHECK_FALSE(PrefixObserver(datapath, narrow, 0, 0, lanes).supported());
}
