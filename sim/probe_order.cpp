// The tree of a unit's sums from the sizes of subtrees (FPRev: Xie et al., arXiv 2411.00442, generalised to sums of many addends).
#include <algorithm>
#include <set>

#include "sim/probe.h"

namespace accsim::sim {
namespace {

using Sizes = std::vector<std::vector<int>>;

/// A part of the tree: its leaves and its text.
struct Part {
  std::vector<int> leaves;
  std::string text;
  bool is_leaf = true;
};

class Builder {
 public:
  Builder(const Sizes& sizes, const std::vector<std::string>& names) : sizes_(sizes), names_(names) {}

  /// The tree over some leaves; fails where a size is not that of the subtree.
  std::optional<Part> tree(const std::vector<int>& leaves) {
    const int first = leaves.front();
    Part part{{first}, names_[static_cast<std::size_t>(first)], true};
    std::set<int> steps;
    for (const int leaf : leaves) {
      if (leaf != first) steps.insert(size(first, leaf));
    }
    for (const int step : steps) {
      std::vector<int> joining;
      for (const int leaf : leaves) {
        if (leaf != first && size(first, leaf) == step) joining.push_back(leaf);
      }
      if (!join(part, joining, step)) return std::nullopt;
    }
    return part;
  }

  [[nodiscard]] const std::vector<int>& innermost() const { return innermost_; }

 private:
  [[nodiscard]] int size(int i, int j) const { return sizes_[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)]; }

  /// A sum of what there is and of the subtrees among the leaves that join at this step.
  bool join(Part& part, std::vector<int> joining, int step) {
    std::string text = "(" + part.text;
    const bool was_leaf = part.is_leaf;
    std::vector<int> own = part.leaves;
    std::vector<int> all = part.leaves;
    while (!joining.empty()) {
      std::vector<int> child;
      std::vector<int> rest;
      for (const int leaf : joining) (leaf == joining.front() || size(joining.front(), leaf) < step ? child : rest).push_back(leaf);
      for (const int in : child) {
        for (const int outside : rest) {
          if (size(in, outside) != step) return false;
        }
        for (const int before : part.leaves) {
          if (size(in, before) != step) return false;
        }
      }
      const std::optional<Part> sub = tree(child);
      if (!sub) return false;
      if (sub->is_leaf) own.push_back(child.front());
      text += " " + sub->text;
      all.insert(all.end(), child.begin(), child.end());
      joining = std::move(rest);
    }
    if (static_cast<int>(all.size()) != step) return false;
    if (was_leaf && part.leaves.front() == 0) innermost_ = own;
    part = {std::move(all), text + ")", false};
    return true;
  }

  const Sizes& sizes_;
  const std::vector<std::string>& names_;
  std::vector<int> innermost_;
};

}  // namespace

OrderTree order_tree(const Sizes& sizes, const std::vector<std::string>& names) {
  std::vector<int> leaves(sizes.size());
  for (std::size_t i = 0; i < leaves.size(); ++i) leaves[i] = static_cast<int>(i);
  Builder builder(sizes, names);
  const std::optional<Part> whole = builder.tree(leaves);
  if (!whole) return {};
  return {whole->text, builder.innermost()};
}

}  // namespace accsim::sim
