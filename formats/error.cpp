#include "formats/error.h"

#include <algorithm>

namespace accsim {
namespace {

std::string sentence(const std::string& where, const std::string& found, const std::string& accepted) {
  return (where.empty() ? "" : where + ": ") + found + (accepted.empty() ? "" : "; accepted: " + accepted);
}

/// Insertions, deletions, replacements and swaps of neighbours that turn a into b (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

InputError::InputError(std::string where, std::string found, std::string accepted)
    : std::runtime_error(sentence(where, found, accepted)),
      where_(std::move(where)),
      found_(std::move(found)),
      accepted_(std::move(accepted)) {}

InputError InputError::inside(std::string_view outer) const {
  return {where_.empty() ? std::string(outer) : std::string(outer) + ": " + where_, found_, accepted_};
}

std::string nearest_names(std::string_view unknown, const std::vector<std::string>& known) {
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const std::string& name : known) {
    const std::size_t distance = edit_distance(unknown, name);
    const bool contained = unknown.size() >= 3 && name.find(unknown) != std::string::npos;
    if (distance <= std::max<std::size_t>(1, unknown.size() / 3) || contained) near.emplace_back(distance, name);
  }
  std::sort(near.begin(), near.end());
  near.erase(std::unique(near.begin(), near.end()), near.end());
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(3, near.size()); ++i) {
    text += (i == 0 ? "; did you mean " : ", ") + near[i].second;
  }
  return text.empty() ? text : text + "?";
}

}  // namespace accsim
