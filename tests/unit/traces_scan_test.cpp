// Which groups are layers, and in which order they execute.
#include <doctest/doctest.h>

#include "traces_fixture.h"

namespace accsim::test {
namespace {

using traces::LayerInfo;
using traces::TraceFile;

std::vector<std::string> names_in(const std::filesystem::path& path) {
  const TraceFile trace(path);
  std::vector<std::string> names;
  for (const LayerInfo& layer : trace.layers()) names.push_back(layer.name);
  return names;
}

std::vector<std::string> names_of(const std::function<void(TestFile&)>& write) {
  const TempDir dir;
  return names_in(written(dir, write));
}

using Names = std::vector<std::string>;

/// A hard link `link` to what is at `target`.
void hard_link(const TestFile& file, const char* target, const char* link) {
  worked(H5Lcreate_hard(file.id(), target, file.id(), link, H5P_DEFAULT, H5P_DEFAULT));
}
void soft_link(const TestFile& file, const char* target, const char* link) {
  worked(H5Lcreate_soft(target, file.id(), link, H5P_DEFAULT, H5P_DEFAULT));
}

}  // namespace

TEST_CASE("siblings without index or creation order execute by name") {
  CHECK(names_of([](TestFile& f) {
          for (const char* name : {"b", "a10", "a9", "B"}) write_linear(f, name);
        }) == Names{"B", "a10", "a9", "b"});
}

TEST_CASE("siblings execute in creation order where the group tracks it") {
  CHECK(names_of([](TestFile& f) {
          f.group("net", true);
          for (const char* name : {"net/c", "net/a", "net/b"}) write_linear(f, name);
        }) == Names{"net/c", "net/a", "net/b"});
}

TEST_CASE("an integer attribute index goes before creation order and name") {
  CHECK(names_of([](TestFile& f) {
          f.group("net", true);
          for (const char* name : {"net/c", "net/a", "net/b"}) write_linear(f, name);
          f.attribute("net/a", "index", std::int8_t{10}).attribute("net/b", "index", std::uint64_t{9}).attribute("net/c", "index", -1);
        }) == Names{"net/c", "net/b", "net/a"});
}

TEST_CASE("siblings with an index come before those without, which keep their own order") {
  CHECK(names_of([](TestFile& f) {
          for (const char* name : {"a", "b", "c", "d"}) write_linear(f, name);
          f.attribute("c", "index", 5).attribute("d", "index", 2);
        }) == Names{"d", "c", "a", "b"});
}

TEST_CASE("equal indices fall back to the name") {
  CHECK(names_of([](TestFile& f) {
          for (const char* name : {"b", "a"}) write_linear(f, name);
          f.attribute("a", "index", 1).attribute("b", "index", 1);
        }) == Names{"a", "b"});
}

TEST_CASE("execution is depth first, groups that only contain layers ordered like layers, a layer before those inside it") {
  const TempDir dir;
  const auto path = written(dir, [](TestFile& f) {
    write_linear(f, "z");
    write_linear(f, "block2/fc");
    write_linear(f, "block1/inner/fc");
    write_linear(f, "block1/inner");
    write_linear(f, "block1/first");
    f.attribute("block1", "index", 1).attribute("block2", "index", 0);
  });
  CHECK(names_in(path) == Names{"block2/fc", "block1/first", "block1/inner", "block1/inner/fc", "z"});
  const TraceFile trace(path);
  for (std::size_t i = 0; i < trace.layers().size(); ++i) CHECK(trace.layers()[i].rank == i);
}

TEST_CASE("a group is a layer only if its op is a string") {
  CHECK(names_of([](TestFile& f) {
          write_linear(f, "fc");
          write_linear(f, "number");
          f.attribute("number", "op", 3).group("empty");
        }) == Names{"fc"});
}

TEST_CASE("the root group may itself be the layer") {
  const TempDir dir;
  const auto path = written(dir, [](TestFile& f) {
    f.dataset("input", {1, 2}, ramp({2})).dataset("weight", {3, 2}, ramp({6})).attribute("/", "op", "linear");
  });
  CHECK(names_in(path) == Names{"/"});
  const TraceFile trace(path);
  CHECK(trace.load(trace.layers()[0], sim::Pass::fprop).lowering->output_shape == Shape{1, 3});
}

TEST_CASE("one group under several links is several layers") {
  CHECK(names_of([](TestFile& f) {
          write_linear(f, "fc");
          hard_link(f, "/fc", "again");
          soft_link(f, "/fc", "soft");
        }) == Names{"again", "fc", "soft"});
}

TEST_CASE("a layer in another file is reached through an external link") {
  const TempDir dir;
  written(
      dir, [](TestFile& f) { write_linear(f, "deep/fc"); }, "other.h5");
  const auto path = written(dir, [](TestFile& f) {
    write_linear(f, "a");
    worked(H5Lcreate_external("other.h5", "/deep", f.id(), "b", H5P_DEFAULT, H5P_DEFAULT));
  });
  CHECK(names_in(path) == Names{"a", "b/fc"});
  const TraceFile trace(path);
  CHECK(trace.load(trace.layers()[1], sim::Pass::fprop).lowering->m == 2);
}

TEST_CASE("cycles of hard, soft and external links end") {
  const TempDir dir;
  const auto path = written(dir, [](TestFile& f) {
    write_linear(f, "a/fc");
    f.group("b");
    hard_link(f, "/", "a/root");
    hard_link(f, "/a", "a/self");
    soft_link(f, "/a", "a/fc/up");
    soft_link(f, "/b/loop", "b/loop");
    worked(H5Lcreate_external("t.h5", "/", f.id(), "b/file", H5P_DEFAULT, H5P_DEFAULT));
  });
  const Names names = names_in(path);
  CHECK(names.front() == "a/fc");
  // b/loop is a link that leads to itself: it may have been a layer, so it is kept as one that cannot be replayed.
  CHECK(std::find(names.begin(), names.end(), "b/loop") != names.end());
}

TEST_CASE("a cycle inside another file, and one through two files, end") {
  const TempDir dir;
  written(
      dir,
      [](TestFile& f) {
        write_linear(f, "fc");
        hard_link(f, "/", "itself");
        worked(H5Lcreate_external("t.h5", "/", f.id(), "back", H5P_DEFAULT, H5P_DEFAULT));
      },
      "other.h5");
  const auto path =
      written(dir, [](TestFile& f) { worked(H5Lcreate_external("other.h5", "/", f.id(), "there", H5P_DEFAULT, H5P_DEFAULT)); });
  CHECK(names_in(path) == Names{"there/fc"});
}

TEST_CASE("a link that leads nowhere is a layer with a problem, so that ranks and totals do not change silently") {
  const TempDir dir;
  const auto path = written(dir, [](TestFile& f) {
    write_linear(f, "b");
    soft_link(f, "/nowhere", "a");
    worked(H5Lcreate_external("missing.h5", "/fc", f.id(), "c", H5P_DEFAULT, H5P_DEFAULT));
  });
  const TraceFile trace(path);
  REQUIRE(trace.layers().size() == 3);
  CHECK(trace.layers()[0].problems == Names{"a link that leads nowhere; accepted: a link to a group or dataset"});
  CHECK(trace.layers()[1].problems.empty());
  CHECK(trace.layers()[1].rank == 1);
  CHECK(!trace.layers()[2].problems.empty());
  CHECK(message_of([&] { trace.check(trace.layers()[2], sim::Pass::fprop); }) ==
        path.string() + ": layer \"c\": a link that leads nowhere; accepted: a link to a group or dataset");
}

TEST_CASE("a step prefix is the training step, other prefixes are not") {
  const TempDir dir;
  const auto path = written(dir, [](TestFile& f) {
    for (const char* name : {"step_000007/fc", "step_x/fc", "stage/step_3/fc", "step_12", "step_/fc", "step_-1/fc"}) write_linear(f, name);
  });
  const TraceFile trace(path);
  for (const LayerInfo& layer : trace.layers()) {
    CAPTURE(layer.name);
    CHECK(layer.step == (layer.name == "step_000007/fc" ? std::optional<std::int64_t>(7) : std::nullopt));
  }
}

TEST_CASE("a pass is there when the layer has its gradient") {
  const TempDir dir;
  const auto path = written(dir, [](TestFile& f) {
    write_linear(f, "a");
    f.dataset("a/grad_output", {2, 4}, ramp({8}));
    write_linear(f, "b");
  });
  const TraceFile trace(path);
  for (const sim::Pass pass : all_passes) CHECK(TraceFile::has_pass(trace.layers()[0], pass));
  CHECK(TraceFile::has_pass(trace.layers()[1], sim::Pass::fprop));
  CHECK(!TraceFile::has_pass(trace.layers()[1], sim::Pass::dgrad));
  CHECK(!TraceFile::has_pass(trace.layers()[1], sim::Pass::wgrad));
}

TEST_CASE("a trace file can be moved and keeps its layers") {
  const TempDir dir;
  TraceFile first(written(dir, [](TestFile& f) { write_linear(f); }));
  const TraceFile second(std::move(first));
  CHECK(second.layers().size() == 1);
  CHECK(second.path() == dir / "t.h5");
  CHECK(second.load(second.layers()[0], sim::Pass::fprop).lowering->n == 4);
}

}  // namespace accsim::test
