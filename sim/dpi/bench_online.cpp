#include "sim/dpi/bench_online.h"

#include "formats/error.h"
#include "sim/online/level.h"

namespace accsim::sim {
namespace {

online::Unit shape_of(const Datapath& d, std::int64_t terms) {
  const Level& level = d.levels.front();
  if (level.kind != LevelKind::online || level.radix != 2)
    throw InputError("datapath \"" + d.name + "\"", "no online level of radix 2", "kind = \"online\", radix = 2");
  if (terms < 1 || terms > 64) throw InputError("--terms", std::to_string(terms), "1 to 64 products of an online unit");
  return online::unit_for(level, online::operand_shape(d.a, 0), online::operand_shape(d.b, 0), terms);
}

}  // namespace

BenchOnline::BenchOnline(const Datapath& datapath, std::int64_t terms, Part part)
    : shape_(shape_of(datapath, terms)),
      part_(part),
      inner_product_(shape_),
      tree_(static_cast<std::size_t>(terms), online::Radix2Adder(), online::adder_delay(2) + 1) {
  inner_product_.reset();
  tree_.reset();
}

void BenchOnline::clock(bool reset, bool start, const Digits& digits, const std::vector<online::Int128>& parallel) {
  ++edges_;
  if (reset) {
    inner_product_.reset();
    tree_.reset();
    output_ = {};
    return;
  }
  const auto terms = static_cast<std::size_t>(shape_.terms);
  const auto bit = [](std::uint64_t bits, std::size_t t) { return ((bits >> t) & 1U) != 0; };
  if (part_ == Part::tree) {
    std::vector<online::Wires> wires(terms);
    for (std::size_t t = 0; t < terms; ++t) wires[t] = {bit(digits.x_plus, t), bit(digits.x_minus, t)};
    output_ = tree_.step(wires);
    return;
  }
  std::vector<int> x(terms);
  std::vector<int> y(terms);
  for (std::size_t t = 0; t < terms; ++t) {
    x[t] = online::Wires{bit(digits.x_plus, t), bit(digits.x_minus, t)}.digit();
    y[t] = online::Wires{bit(digits.y_plus, t), bit(digits.y_minus, t)}.digit();
  }
  if (start) inner_product_.start(parallel);
  (void)inner_product_.step(x, y);
  output_ = inner_product_.wires();
}

std::uint64_t BenchOnline::products(int digit) const {
  std::uint64_t bits = 0;
  for (std::size_t t = 0; t < inner_product_.products().size(); ++t) {
    if (inner_product_.products()[t] == digit) bits |= std::uint64_t{1} << t;
  }
  return bits;
}

}  // namespace accsim::sim
