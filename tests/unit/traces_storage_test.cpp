// The ways in which HDF5 stores arrays: chunks, filters, links; and how datasets are cut into blocks.
#include <doctest/doctest.h>

#include <algorithm>

#include "traces/block_reader.h"
#include "traces_fixture.h"

namespace accsim::test {
namespace {

using sim::Pass;
using sim::Tensor;
using traces::LayerPass;
using traces::TraceFile;

}  // namespace

TEST_CASE("chunked, compressed, shuffled and checksummed datasets read as the plain one") {
  const Shape shape{3, 5, 7, 11};
  const std::vector<float> values = ramp(shape);
  const std::vector<Storage> ways{
      {},
      {.chunk = {2, 2, 3, 4}},
      {.chunk = {1, 1, 1, 1}},
      {.chunk = {3, 5, 7, 11}, .deflate = true},
      {.chunk = {2, 3, 4, 5}, .deflate = true, .shuffle = true, .fletcher32 = true},
  };
  for (const Storage& way : ways) {
    const TempDir dir;
    const auto path = written(dir, [&](TestFile& file) {
      file.dataset("conv/input", shape, values, way).dataset("conv/weight", {1, 5, 1, 1}, ramp({5})).attribute("conv", "op", "conv2d");
    });
    const TraceFile trace(path);
    const Tensor t = trace.load(trace.layers()[0], Pass::fprop).a;
    CHECK(numbers(t) == std::vector<double>(values.begin(), values.end()));
  }
}

TEST_CASE("datasets larger than a block arrive whole, in small chunks, in one huge chunk and in none") {
  const Shape shape{3, 600, 500};  // 900000 elements, some four blocks
  std::vector<std::int32_t> values(static_cast<std::size_t>(size_of(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int32_t>(i);
  const std::vector<Storage> ways{
      {}, {.chunk = {1, 7, 500}}, {.chunk = {3, 600, 500}, .deflate = true}, {.chunk = {3, 600, 1}}, {.chunk = {2, 599, 450}}};
  for (const Storage& way : ways) {
    const TempDir dir;
    const auto path = written(dir, [&](TestFile& file) {
      file.dataset("fc/input", shape, values, way).attribute("fc/input", "format", "int32");
      file.dataset("fc/weight", {1, 500}, ramp({500})).attribute("fc", "op", "linear");
    });
    const TraceFile trace(path);
    const Tensor t = trace.load(trace.layers()[0], Pass::fprop).a;
    bool same = t.size() == size_of(shape);
    for (std::size_t i = 0; i < values.size() && same; ++i) same = t.values.number(static_cast<std::int64_t>(i)) == static_cast<double>(i);
    CHECK(same);
  }
}

TEST_CASE("boxes cover an array once, respect chunks and stay within their size") {
  const Shape shape{5, 13, 9};
  for (const Shape& chunk : {Shape{}, Shape{2, 3, 4}, Shape{5, 13, 9}, Shape{8, 20, 16}, Shape{1, 13, 1}}) {
    for (const std::int64_t most : {1, 10, 24, 100, 1000}) {
      std::vector<int> visits(static_cast<std::size_t>(size_of(shape)), 0);
      std::int64_t largest = 0;
      bool crosses = false;
      traces::for_each_box(shape, chunk, most, [&](const traces::Box& box) {
        largest = std::max(largest, size_of(box.extent));
        for (std::size_t d = 0; d < chunk.size(); ++d) {  // a box is inside one chunk, or begins and ends at chunk borders
          const std::int64_t end = box.start[d] + box.extent[d];
          const bool inside = box.start[d] / chunk[d] == (end - 1) / chunk[d];
          crosses = crosses || (!inside && (box.start[d] % chunk[d] != 0 || (end % chunk[d] != 0 && end != shape[d])));
        }
        for (std::int64_t i = 0; i < box.extent[0]; ++i)
          for (std::int64_t j = 0; j < box.extent[1]; ++j)
            for (std::int64_t l = 0; l < box.extent[2]; ++l)
              ++visits[static_cast<std::size_t>(((box.start[0] + i) * 13 + box.start[1] + j) * 9 + box.start[2] + l)];
        return true;
      });
      CHECK(std::all_of(visits.begin(), visits.end(), [](int n) { return n == 1; }));
      CHECK(largest <= most);
      CHECK(!crosses);
    }
  }
}

TEST_CASE("a dataset reached through soft and external links is read") {
  const TempDir dir;
  written(
      dir,
      [](TestFile& file) {
        file.dataset("store/w", {1, 2}, std::vector<float>{5, 6});
      },
      "other.h5");
  const auto path = written(dir, [](TestFile& file) {
    file.dataset("data/x", {1, 2}, std::vector<float>{3, 4}).group("fc").attribute("fc", "op", "linear");
    worked(H5Lcreate_soft("/data/x", file.id(), "fc/input", H5P_DEFAULT, H5P_DEFAULT));
    worked(H5Lcreate_external("other.h5", "/store/w", file.id(), "fc/weight", H5P_DEFAULT, H5P_DEFAULT));
  });
  const TraceFile trace(path);
  REQUIRE(trace.layers().size() == 1);
  const LayerPass pass = trace.load(trace.layers()[0], Pass::fprop);
  CHECK(numbers(pass.a) == std::vector<double>{3, 4});
  CHECK(numbers(pass.b) == std::vector<double>{5, 6});
}

}  // namespace accsim::test
