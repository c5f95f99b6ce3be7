// Reading a dataset block by block, each chunk once, so that only a few MB beside the caller's own data are needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "traces/dataset.h"

namespace accsim::traces {

/// The most elements that are in memory at once.
constexpr std::int64_t block_elements = std::int64_t{1} << 18;

/// Receives elements that follow each other row-major: the index of the first, and their bytes as `stored.memory_type`.
/// Returns false to stop reading.
using RunVisitor = std::function<bool(std::int64_t first, std::span<const std::byte> run)>;

/// Visits every element once, in the order of the file's chunks. InputError where HDF5 cannot read (damaged chunks,
/// missing filters).
void read_runs(const Dataset& dataset, const RunVisitor& visit);

/// A box of a row-major array: where it starts and how far it goes, by dimension.
struct Box {
  Shape start, extent;
};
/// Cuts an array into boxes of at most `most` elements. Whole chunks are joined while they fit; a chunk that does not fit
/// is cut row-major, its parts directly after each other. An empty `chunk` stands for data without chunks.
void for_each_box(const Shape& shape, const Shape& chunk, std::int64_t most, const std::function<bool(const Box&)>& visit);

}  // namespace accsim::traces
