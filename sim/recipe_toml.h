// Recipe files: TOML in and out, and the built-in ones.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "sim/recipe.h"

namespace accsim::sim {

/// A recipe file that is compiled in.
struct BuiltinRecipe {
  std::string_view name, toml;
};
std::span<const BuiltinRecipe> builtin_recipes();

/// A built-in name, or a TOML file, whose name stands in for a missing `name`. Throws InputError, with the nearest names for an unknown
/// one.
Recipe find_recipe(const std::string& name);
/// True for a built-in name, and for a TOML file that has [passes].
bool is_recipe(const std::string& name);
/// Parses and checks one recipe; `where` stands before the messages. Its datapaths are not looked up.
Recipe parse_recipe(std::string_view toml, const std::string& where);
/// The whole TOML, defaults filled in; parsing it gives the same recipe.
std::string to_toml(const Recipe& recipe);

}  // namespace accsim::sim
