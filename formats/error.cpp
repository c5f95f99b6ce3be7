#include "formats/error.h"

#include <algorithm>
#include <numeric>

namespace accsim {
namespace {

std::string sentence(const std::string& where, const std::string& found, const std::string& accepted) {
  return (where.empty() ? "" : where + ": ") + found + (accepted.empty() ? "" : "; accepted: " + accepted);
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row.back();
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
