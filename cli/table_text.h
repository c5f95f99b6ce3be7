// Numbers and names in the narrow columns of tables, and text in CSV.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace accsim::cli {

/// A count in at most 8 characters: exact up to eight digits, then with a letter.
std::string count(std::int64_t value);
/// A quantity in three digits and a letter.
std::string rough(std::int64_t value);
/// Number of code points of UTF-8 text.
std::size_t columns_of(std::string_view text);
/// The name in `width` columns; the middle of a long one is left out, since its ends tell most.
std::string fitted(const std::string& name, std::size_t width);
/// The text in lines of at most 100 columns, broken at spaces, with a line break at the end; what follows is indented.
std::string wrapped(const std::string& text);
/// Quoted where CSV asks for it.
std::string csv_text(const std::string& text);

}  // namespace accsim::cli
