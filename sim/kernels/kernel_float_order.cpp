// What a float plan takes from the order of a datapath's steps: which partial sums meet, which random numbers a rounding gets.
#include <algorithm>
#include <deque>

#include "sim/kernels/kernel_float_proof.h"

namespace accsim::sim::kernels {
namespace {

void place(FloatRandom& random, const formats::RoundingSpec& spec, std::uint32_t site, const Tile& tile) {
  if (spec.mode != formats::Rounding::sr) return;
  if (const auto& lfsr = spec.stochastic.lfsr) {
    random.source = FloatRandom::Source::lfsr;
    random.width = lfsr->width;
    random.mask = static_cast<std::uint32_t>(lfsr->mask);
    random.seed = static_cast<std::uint32_t>(lfsr->seed);
    random.galois = lfsr->form == formats::LfsrForm::galois;
    random.right = lfsr->step == formats::LfsrStep::right;
    return;
  }
  random.source = FloatRandom::Source::philox;
  const std::uint64_t seed = spec.stochastic.philox_seed.value_or(tile.seed);
  random.key[0] = static_cast<std::uint32_t>(seed);
  random.key[1] = static_cast<std::uint32_t>(seed >> 32);
  random.place = 64 * tile.layer + 16 * tile.pass + site;
}

}  // namespace

void place_generators(FloatPlan& plan, const Datapath& datapath, const Tile& tile) {
  if (datapath.product.format) place(plan.product.random, datapath.product.rounding, 0, tile);
  for (std::size_t i = 0; i < datapath.levels.size(); ++i)
    place(plan.level[i].rounding.random, datapath.levels[i].rounding, static_cast<std::uint32_t>(1 + i), tile);
}

bool adds_in_pairs(const Datapath& datapath) {
  const std::vector<Level>& levels = datapath.levels;
  const std::int64_t terms = levels.front().terms.value_or(0);
  return levels.size() == 2 && levels[0].kind == LevelKind::tree && levels[0].fan_in == 2 && (terms == 2 || terms == 4 || terms == 8) &&
         levels[1].kind == LevelKind::sequential;
}

std::vector<std::int32_t> coalescing_order(std::int64_t ways, std::int64_t count) {
  std::vector<std::int32_t> program;
  std::deque<std::int32_t> pipe;  // slots; -1: empty
  const std::int64_t used = std::min(count, ways);
  for (std::int64_t i = used; i < ways; ++i) pipe.push_back(-1);
  for (std::int64_t i = 0; i < used; ++i) pipe.push_back(static_cast<std::int32_t>(count < ways ? i : (count + i) % ways));
  std::int32_t waiting = -1;
  for (;;) {
    const std::int32_t out = pipe.front();
    pipe.pop_front();
    std::int32_t issued = -1;
    if (out >= 0) {
      if (waiting < 0) {
        waiting = out;
      } else {
        program.insert(program.end(), {waiting, out});
        issued = waiting;
        waiting = -1;
      }
    }
    pipe.push_back(issued);
    if (waiting >= 0 && std::all_of(pipe.begin(), pipe.end(), [](std::int32_t slot) { return slot < 0; })) break;
  }
  program.insert(program.end(), {-1, waiting});
  return program;
}

}  // namespace accsim::sim::kernels
