// Cutting a dataset into hyperslabs that respect its chunks.
#include "traces/block_reader.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace accsim::traces {
namespace {

using h5::checked;
using h5::Handle;

std::int64_t product(const Shape& extents) { return std::accumulate(extents.begin(), extents.end(), std::int64_t{1}, std::multiplies<>{}); }

/// Steps through `outer` by boxes of `extent` (cut off at the end), row-major. False where visit stopped it.
bool step_through(const Box& outer, const Shape& extent, const std::function<bool(const Box&)>& visit) {
  const std::size_t rank = extent.size();
  Shape offset(rank, 0);
  for (;;) {
    Box box{outer.start, extent};
    for (std::size_t d = 0; d < rank; ++d) {
      box.start[d] += offset[d];
      box.extent[d] = std::min(extent[d], outer.extent[d] - offset[d]);
    }
    if (!visit(box)) return false;
    std::size_t d = rank;
    while (d > 0) {
      --d;
      offset[d] += extent[d];
      if (offset[d] < outer.extent[d]) break;
      offset[d] = 0;
      if (d == 0) return true;
    }
    if (rank == 0) return true;
  }
}

/// The largest extent of at most `most` elements that grows from `unit` by whole multiples, last dimension first.
Shape grown(const Shape& unit, const Shape& limit, std::int64_t most) {
  Shape extent = unit;
  for (std::size_t d = extent.size(); d > 0; --d) {
    const std::int64_t others = product(extent) / extent[d - 1];
    if (product(extent) > most) break;
    const std::int64_t units = std::max<std::int64_t>(1, most / others / unit[d - 1]);
    extent[d - 1] = std::min(limit[d - 1], units * unit[d - 1]);
    if (extent[d - 1] < limit[d - 1]) break;
  }
  return extent;
}

Shape clipped(const Shape& chunk, const Shape& shape) {
  Shape extent = chunk;
  for (std::size_t d = 0; d < extent.size(); ++d) extent[d] = std::min(chunk[d], shape[d]);
  return extent;
}

class BoxReader {
 public:
  explicit BoxReader(const Dataset& dataset)
      : dataset_(dataset),
        element_bytes_(static_cast<std::size_t>(dataset.stored.bytes)),
        file_space_(h5::owned(H5Dget_space(dataset.id.get()), H5Sclose, "read its shape")) {}

  bool read(const Box& box, const RunVisitor& visit) {
    buffer_.resize(static_cast<std::size_t>(product(box.extent)) * element_bytes_);
    select(box);
    // Memory of the same shape as the selection: HDF5 is much slower where the shapes differ.
    const std::vector<hsize_t> extent(box.extent.begin(), box.extent.end());
    const Handle memory_space =
        h5::owned(H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr), H5Sclose, "describe memory");
    checked(
        H5Dread(dataset_.id.get(), dataset_.stored.memory_type.get(), memory_space.get(), file_space_.get(), H5P_DEFAULT, buffer_.data()),
        "read its data");
    return visit_runs(box, visit);
  }

 private:
  void select(const Box& box) {
    const std::vector<hsize_t> start(box.start.begin(), box.start.end());
    const std::vector<hsize_t> extent(box.extent.begin(), box.extent.end());
    if (start.empty()) return;  // a scalar: all there is
    checked(H5Sselect_hyperslab(file_space_.get(), H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr), "select a block");
  }

  /// Elements follow each other as long as the box has the whole of all later dimensions.
  bool visit_runs(const Box& box, const RunVisitor& visit) {
    const Shape& shape = dataset_.shape;
    std::size_t whole = shape.size();
    while (whole > 1 && box.extent[whole - 1] == shape[whole - 1]) --whole;
    const std::size_t outer = whole == 0 ? 0 : whole - 1;
    const auto run = static_cast<std::size_t>(
        std::accumulate(box.extent.begin() + static_cast<std::ptrdiff_t>(outer), box.extent.end(), std::int64_t{1}, std::multiplies<>{}));
    std::span<const std::byte> rest(buffer_);
    Shape one(shape.size(), 1);
    std::copy(box.extent.begin() + static_cast<std::ptrdiff_t>(outer), box.extent.end(), one.begin() + static_cast<std::ptrdiff_t>(outer));
    return step_through(box, one, [&](const Box& piece) {
      std::int64_t first = 0;
      for (std::size_t d = 0; d < shape.size(); ++d) first = first * shape[d] + piece.start[d];
      const bool go_on = visit(first, rest.first(run * element_bytes_));
      rest = rest.subspan(run * element_bytes_);
      return go_on;
    });
  }

  const Dataset& dataset_;
  std::size_t element_bytes_;
  Handle file_space_;
  std::vector<std::byte> buffer_;
};

}  // namespace

void for_each_box(const Shape& shape, const Shape& chunk, std::int64_t most, const std::function<bool(const Box&)>& visit) {
  const Box all{Shape(shape.size(), 0), shape};
  const Shape ones(shape.size(), 1);
  if (chunk.empty()) {
    step_through(all, grown(ones, shape, most), visit);
    return;
  }
  const Shape joined = grown(clipped(chunk, shape), shape, most);
  step_through(all, joined, [&](const Box& box) {
    if (product(box.extent) <= most) return visit(box);
    return step_through(box, grown(ones, box.extent, most), visit);
  });
}

void read_runs(const Dataset& dataset, const RunVisitor& visit) {
  BoxReader reader(dataset);
  for_each_box(dataset.shape, dataset.chunk, block_elements, [&](const Box& box) { return reader.read(box, visit); });
}

}  // namespace accsim::traces
