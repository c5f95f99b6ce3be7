#include "sim/kernels/flushed_tile.h"

#include <cmath>

namespace accsim::sim::kernels {
namespace {

using formats::NarrowExact;

std::vector<double> flushed(std::span<const double> values, int emin) {
  const double least = std::ldexp(1.0, emin);  // 0 where there is no smallest normal
  std::vector<double> out(values.begin(), values.end());
  for (double& x : out) x = std::fabs(x) < least || x == 0 ? 0.0 : x;
  return out;
}

}  // namespace

bool flushes(const Datapath& datapath) { return datapath.flush_subnormals || datapath.accumulator.flush_subnormals; }

Datapath without_flushing(const Datapath& datapath) {
  Datapath d = datapath;
  d.flush_subnormals = d.accumulator.flush_subnormals = false;
  return d;
}

FlushedTile::FlushedTile(const Datapath& datapath, const Tile& tile) : tile_(tile) {
  if (datapath.flush_subnormals) {
    a_ = flushed(tile.a, tile.a_emin);
    b_ = flushed(tile.b, tile.b_emin);
    tile_.a = a_;
    tile_.b = b_;
  }
  if (!datapath.accumulator.flush_subnormals || tile.accumulator.empty()) return;
  const formats::Format& format = datapath.accumulator_format();
  const bool has_normals = format.as_float() != nullptr;
  const int emin = has_normals ? formats::limits(format).emin : 0;
  accumulator_.assign(tile.accumulator.begin(), tile.accumulator.end());
  for (NarrowExact& c : accumulator_) {
    if (c.is_zero() || (has_normals && c.is_nonzero_finite() && log2_floor(c) < emin)) c = NarrowExact::zero();
  }
  tile_.accumulator = accumulator_;
}

}  // namespace accsim::sim::kernels
