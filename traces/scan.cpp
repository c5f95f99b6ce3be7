// A depth-first walk over groups that follows links without going in circles.
#include "traces/scan.h"

#include <algorithm>
#include <compare>
#include <optional>
#include <tuple>

#include "traces/hdf5_attribute.h"

namespace accsim::traces {
namespace {

using h5::checked;
using h5::Handle;
using h5::quoted;

constexpr std::size_t most_groups = 1'000'000;
constexpr std::size_t deepest = 500;

herr_t collect_link(hid_t /*group*/, const char* name, const H5L_info_t* info, void* links) {
  static_cast<std::vector<Link>*>(links)->push_back(
      {name, info->type == H5L_TYPE_HARD, info->corder_valid != 0, static_cast<std::int64_t>(info->corder)});
  return 0;
}

/// What makes an object itself, whatever link led to it.
struct ObjectId {
  unsigned long file = 0;
  haddr_t address = 0;
  bool operator==(const ObjectId&) const = default;
};

struct Child {
  Link link;
  std::optional<std::int64_t> index;
  bool is_dangling = false;

  /// Siblings with an index come first; then creation order, then the name, decides.
  [[nodiscard]] auto order() const {
    return std::tuple(!index.has_value(), index.value_or(0), !link.has_creation_order, link.creation_order, link.name);
  }
};

class Walk {
 public:
  explicit Walk(hid_t file) : file_(file) {}

  std::vector<FoundLayer> run() {
    visit(h5::owned(H5Gopen2(file_, "/", H5P_DEFAULT), H5Gclose, "open the root group"), "/", "");
    return std::move(found_);
  }

 private:
  /// `prefix` is what a child's name is appended to. The group stays open while what is below it is visited: HDF5 would
  /// give a file that was closed in between (behind an external link) a new number, and the group would not be known again.
  void visit(const Handle& group, const std::string& path, const std::string& prefix) {
    if (++visited_ > most_groups) throw InputError("", "more than 1000000 groups, counted along all links", "a trace of fewer groups");
    if (ancestors_.size() >= deepest) throw InputError(quoted("group", path), "nested 500 deep", "a shallower trace");
    const ObjectId id = id_of(group.get());
    if (std::find(ancestors_.begin(), ancestors_.end(), id) != ancestors_.end()) return;

    const bool is_layer = h5::within(quoted("group", path), [&] { return h5::has_string_attribute(group.get(), "op"); });
    if (is_layer) found_.push_back({path, false});
    ancestors_.push_back(id);
    for (const Child& child : children_of(group.get(), prefix, is_layer)) {
      const std::string name = prefix + child.link.name;
      if (child.is_dangling) {
        found_.push_back({name, true});
        continue;
      }
      const auto open = [&] { return h5::owned(H5Gopen2(group.get(), child.link.name.c_str(), H5P_DEFAULT), H5Gclose, "open it"); };
      visit(h5::within(quoted("group", name), open), name, name + "/");
    }
    ancestors_.pop_back();
  }

  static ObjectId id_of(hid_t object) {
    H5O_info_t info;
    checked(H5Oget_info2(object, &info, H5O_INFO_BASIC), "read what an object is");
    return {info.fileno, info.addr};
  }

  /// The groups among a group's links, in execution order. Inside a layer a link that leads nowhere is none of ours:
  /// it is reported where a pass needs it.
  static std::vector<Child> children_of(hid_t group, const std::string& prefix, bool is_layer) {
    std::vector<Child> children;
    for (Link& link : links_of(group)) {
      const std::string where = quoted("object", prefix + link.name);
      const Handle object{H5Oopen(group, link.name.c_str(), H5P_DEFAULT), H5Oclose};
      if (!object) {
        if (link.is_hard) h5::within(where, [] { h5::fail("open it"); });
        H5Eclear2(H5E_DEFAULT);
        if (!is_layer) children.push_back({std::move(link), std::nullopt, true});
        continue;
      }
      if (H5Iget_type(object.get()) != H5I_GROUP) continue;
      const auto index =
          h5::within(quoted("group", prefix + link.name), [&] { return h5::single_integer_attribute(object.get(), "index"); });
      children.push_back({std::move(link), index, false});
    }
    std::sort(children.begin(), children.end(), [](const Child& a, const Child& b) { return a.order() < b.order(); });
    return children;
  }

  hid_t file_;
  std::size_t visited_ = 0;
  std::vector<ObjectId> ancestors_;
  std::vector<FoundLayer> found_;
};

}  // namespace

std::vector<Link> links_of(hid_t group) {
  std::vector<Link> links;
  checked(H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, collect_link, &links), "list a group");
  return links;
}

std::vector<FoundLayer> find_layers(hid_t file) { return Walk(file).run(); }

}  // namespace accsim::traces
