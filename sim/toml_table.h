// Reading TOML tables of data files: every key known, every type checked, every message with its place.
#pragma once

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <span>
#include <sstream>

#include "formats/error.h"
#include "formats/rounding.h"
#include "formats/text.h"

namespace accsim::sim {

/// One TOML table being read: remembers its place and which keys are known.
class Table {
 public:
  Table(const toml::table& table, std::string where) : table_(table), where_(std::move(where)) {}

  void accept_only(std::span<const std::string_view> keys, const std::string& of) const {
    for (const auto& [key, value] : table_) {
      if (std::find(keys.begin(), keys.end(), key.str()) != keys.end()) continue;
      std::string accepted;
      for (const std::string_view k : keys) accepted += (accepted.empty() ? "" : ", ") + std::string(k);
      throw InputError(place(key.str()), "unknown key" + of,
                       accepted + nearest_names(key.str(), std::vector<std::string>(keys.begin(), keys.end())));
    }
  }

  template <class F>
  auto at(std::string_view key, F&& parse) const {
    try {
      return parse();
    } catch (const InputError& error) {
      throw error.inside(place(key));
    }
  }

  [[nodiscard]] bool has(std::string_view key) const { return table_.contains(key); }
  [[nodiscard]] std::optional<std::string> text(std::string_view key) const {
    const toml::node* node = table_.get(key);
    if (node == nullptr) return std::nullopt;
    if (!node->is_string()) wrong_type(key, *node, "a string");
    return **node->as_string();
  }
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key, std::int64_t low, std::int64_t high) const {
    const toml::node* node = table_.get(key);
    if (node == nullptr) return std::nullopt;
    const std::string accepted = "an integer from " + std::to_string(low) + " to " + std::to_string(high);
    if (!node->is_integer()) wrong_type(key, *node, accepted);
    const std::int64_t value = **node->as_integer();
    if (value < low || value > high) throw InputError(place(key), std::to_string(value), accepted);
    return value;
  }
  [[nodiscard]] std::optional<bool> boolean(std::string_view key) const {
    const toml::node* node = table_.get(key);
    if (node == nullptr) return std::nullopt;
    if (!node->is_boolean()) wrong_type(key, *node, "true or false");
    return **node->as_boolean();
  }
  [[nodiscard]] std::optional<formats::Format> format(std::string_view key, std::string_view none = {}) const {
    const auto spelled = text(key);
    if (!spelled || (!none.empty() && lower_case(trimmed(*spelled)) == none)) return std::nullopt;
    return at(key, [&] { return formats::parse_format(*spelled); });
  }
  /// Keys `rounding`, `overflow`, `underflow` behind a prefix.
  [[nodiscard]] formats::RoundingSpec rounding(formats::RoundingSpec spec, const std::string& prefix = "") const {
    if (const auto t = text(prefix + "rounding"))
      at(prefix + "rounding", [&] {
        formats::parse_rounding(*t, spec);
        return 0;
      });
    if (const auto t = text(prefix + "overflow")) spec.overflow = at(prefix + "overflow", [&] { return formats::parse_overflow(*t); });
    if (const auto t = text(prefix + "underflow")) spec.underflow = at(prefix + "underflow", [&] { return formats::parse_underflow(*t); });
    return spec;
  }
  template <class Enum, std::size_t N>
  [[nodiscard]] std::optional<Enum> choice(std::string_view key, const std::array<std::string_view, N>& names) const {
    const auto t = text(key);
    if (!t) return std::nullopt;
    const auto found = std::find(names.begin(), names.end(), *t);
    if (found != names.end()) return static_cast<Enum>(found - names.begin());
    std::string accepted;
    for (const std::string_view name : names) accepted += (accepted.empty() ? "" : ", ") + std::string(name);
    throw InputError(place(key), "\"" + *t + "\"", accepted);
  }
  [[nodiscard]] const toml::node* node(std::string_view key) const { return table_.get(key); }
  [[nodiscard]] std::string place(std::string_view key) const { return where_ + (where_.empty() ? "" : ".") + std::string(key); }
  [[noreturn]] void wrong_type(std::string_view key, const toml::node& node, const std::string& accepted) const {
    std::ostringstream type;
    type << node.type();
    throw InputError(place(key), "a value of type " + type.str(), accepted);
  }

 private:
  const toml::table& table_;
  std::string where_;
};

/// The table under a key, empty where there is none.
inline const toml::table& subtable(const toml::table& root, std::string_view key) {
  static const toml::table empty;
  const toml::node* node = root.get(key);
  if (node == nullptr) return empty;
  if (!node->is_table()) throw InputError(std::string(key), "not a table", "[" + std::string(key) + "]");
  return *node->as_table();
}

/// A file's text. InputError where it cannot be read; `accepted` says what it should be.
inline std::string read_toml_file(const std::filesystem::path& path, const std::string& accepted) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in || std::filesystem::is_directory(path)) throw InputError(path.string(), "cannot be read", accepted);
  return text.str();
}

}  // namespace accsim::sim
