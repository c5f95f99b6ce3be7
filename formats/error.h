// The one exception type for mistakes of the user: arguments, TOML, traces, names.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace accsim {

/// A mistake in what the user gave. `where` names the file, layer or field, `found` what stood there,
/// `accepted` what is accepted there. Caught once, in main; exit status 3.
class InputError : public std::runtime_error {
 public:
  InputError(std::string where, std::string found, std::string accepted);

  /// The same mistake seen from one level further out: "file: layer: field".
  [[nodiscard]] InputError inside(std::string_view outer) const;

  [[nodiscard]] const std::string& where() const { return where_; }
  [[nodiscard]] const std::string& found() const { return found_; }
  [[nodiscard]] const std::string& accepted() const { return accepted_; }

 private:
  std::string where_, found_, accepted_;
};

/// "; did you mean A or B?" for the names nearest to `unknown` by edit distance, or "" where none is near.
std::string nearest_names(std::string_view unknown, const std::vector<std::string>& known);

}  // namespace accsim
