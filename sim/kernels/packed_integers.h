// Operands of a tile as integers times a power of two.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "formats/round.h"
#include "sim/executor.h"
#include "sim/kernels/kernel_integer.h"

namespace accsim::sim::kernels {

/// lines x k integers of the unit 2^unit, in 16 bits where they fit, and the largest magnitude of each term over the lines.
struct Integers {
  int unit = 0;
  std::vector<std::int16_t> narrow;  ///< or, where these do not fit,
  std::vector<std::int64_t> values;
  std::vector<std::int64_t> largest;
  [[nodiscard]] std::int64_t at(std::size_t i) const { return narrow.empty() ? values[i] : narrow[i]; }
};

/// The operand's values in the unit of its format where 16 bits hold them, else in the coarsest that holds them all; nothing where that
/// takes more than 62 bits or one is not finite. `format` may be null.
std::optional<Integers> integers_of(std::span<const double> values, std::int64_t k, const formats::Format* format,
                                    const IntegerLanes& lanes);

/// A tile's operands as binary64; of those given as exact values, which the caller knows to be binary64 numbers, copies.
std::span<const double> doubles_of(std::span<const double> values, std::span<const formats::Exact> exact, std::vector<double>& copies);

/// Runs the interpreter over the whole tile: for what turns out not to be covered by the proof.
void run_interpreter(const Datapath& datapath, const Tile& tile, TileResult& result);

/// True where a level or product says something that was added to datapaths after the kernels were taught: they differ from a copy of what
/// the kernels know of them.
bool has_unknown_keys(const Level& level);
bool has_unknown_keys(const Product& product);

/// Why Finish cannot do what the datapath does after its last level; empty where it can.
std::string unknown_to_finish(const Datapath& datapath);

/// The results from the last level's exact values on: C where it enters at the end, the output's conversion.
class Finish {
 public:
  Finish(const Datapath& datapath, const Tile& tile);
  [[nodiscard]] bool needed() const { return last_ || output_.has_value(); }
  /// Of output i.
  [[nodiscard]] formats::NarrowExact operator()(const formats::NarrowExact& value, std::size_t i) const;

 private:
  template <class U>
  [[nodiscard]] formats::BasicExact<U> finished(formats::BasicExact<U> value, std::size_t i) const;

  const Tile& tile_;
  std::optional<formats::Rounder> last_, output_;
  const OutputConversion& conversion_;
};

/// Fills numbers, or outputs where one of them is no binary64.
void deliver(std::vector<formats::NarrowExact> values, TileResult& result);

}  // namespace accsim::sim::kernels
