// accsim list and accsim show: what there is to choose from.
#include <spdlog/fmt/fmt.h>

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "formats/facts.h"
#include "formats/rounding.h"
#include "formats/text.h"
#include "formats/value_text.h"
#include "sim/executor.h"
#include "sim/recipe_toml.h"
#include "sim/statistics.h"

namespace accsim::cli {
namespace {

using nlohmann::ordered_json;

/// A list as it is printed: column names, rows of text.
struct Listing {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  std::vector<bool> numbers = {};  ///< columns of numbers ("-": none); empty: all are text

  [[nodiscard]] bool is_number(std::size_t column) const { return column < numbers.size() && numbers[column]; }
};

/// Columns wide enough for what stands in them; the last one is not padded. Numbers stand right.
void print_columns(std::ostream& out, const Listing& listing) {
  std::vector<std::size_t> widths;
  for (const std::string& column : listing.columns) widths.push_back(column.size());
  for (const auto& row : listing.rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  const auto print = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string fill(widths[i] - row[i].size(), ' ');
      line += i + 1 == row.size() ? row[i] : (listing.is_number(i) ? fill + row[i] : row[i] + fill) + "  ";
    }
    out << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
  };
  print(listing.columns);
  for (const auto& row : listing.rows) print(row);
}

ordered_json to_json(const Listing& listing) {
  ordered_json array = ordered_json::array();
  for (const auto& row : listing.rows) {
    ordered_json object;
    for (std::size_t i = 0; i < row.size(); ++i) {
      ordered_json& field = object[listing.columns[i]];
      if (!listing.is_number(i)) field = row[i];
      else if (row[i] != "-") field = ordered_json::parse(row[i]);  // else null
    }
    array.push_back(object);
  }
  return array;
}

void print_csv(std::ostream& out, const Listing& listing) {
  const auto print = [&](const std::vector<std::string>& row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool quote = row[i].find_first_of(",\"") != std::string::npos;
      out << (i == 0 ? "" : ",") << (quote ? "\"" + row[i] + "\"" : row[i]);
    }
    out << '\n';
  };
  print(listing.columns);
  for (const auto& row : listing.rows) print(row);
}

/// Six significant digits of a value, for a table.
std::string short_value(const formats::NarrowExact& x) {
  const double value = to_double(x);
  return value == 0 || std::isinf(value) ? formats::value_text(x) : fmt::format("{:.7g}", value);
}

/// Values shortened for reading, or the shortest decimals that read back.
Listing format_listing(bool shortened) {
  Listing listing{{"name", "bits", "precision", "emin", "emax", "max", "min_normal", "min_subnormal", "specials", "aliases"},
                  {},
                  {false, true, true, true, true, true, true, true, false, false}};
  const auto value = [shortened](const formats::NarrowExact& x) { return shortened ? short_value(x) : formats::value_text(x); };
  const auto optional = [](const auto& value, auto&& text) { return value ? text(*value) : std::string("-"); };
  for (const formats::FormatFacts& f : formats::list_formats()) {
    std::string aliases;
    for (const std::string& alias : f.aliases) aliases += (aliases.empty() ? "" : ", ") + alias;
    const auto exponent = [](int e) { return std::to_string(e); };
    listing.rows.push_back({f.name, std::to_string(f.bits), std::to_string(f.precision), optional(f.emin, exponent),
                            optional(f.emax, exponent), value(f.max), optional(f.min_normal, value), optional(f.min_subnormal, value),
                            f.specials, aliases});
  }
  return listing;
}

/// All values; of a block format those of its elements, before their scales.
Listing value_listing(const std::string& name) {
  const formats::Format format = formats::is_block_format(name) ? formats::parse_block_format(name).element : formats::parse_format(name);
  Listing listing{{"code", "value"}, {}};
  for (const formats::CodeValue& row : formats::value_table(format))
    listing.rows.push_back({formats::code_text(row.code, format), formats::value_text(row.value)});
  return listing;
}

Listing mode_listing(std::span<const formats::NamedMode> modes) {
  Listing listing{{"name", "meaning"}, {}};
  for (const formats::NamedMode& mode : modes) listing.rows.push_back({mode.name, mode.meaning});
  return listing;
}

Listing datapath_listing() {
  Listing listing{{"name", "source"}, {}};
  for (const sim::BuiltinDatapath& builtin : sim::builtin_datapaths())
    listing.rows.push_back({std::string(builtin.name), sim::find_datapath(std::string(builtin.name)).source});
  return listing;
}

Listing recipe_listing() {
  Listing listing{{"name", "source"}, {}};
  for (const sim::BuiltinRecipe& builtin : sim::builtin_recipes())
    listing.rows.push_back({std::string(builtin.name), sim::find_recipe(std::string(builtin.name)).source});
  return listing;
}

Listing statistic_listing() {
  Listing listing{{"group", "name", "unit", "meaning"}, {}};
  for (const sim::StatisticRow& row : sim::statistic_rows()) {
    listing.rows.push_back({std::string(name_of(row.group)), std::string(row.name), std::string(row.unit), std::string(row.meaning)});
  }
  return listing;
}

Listing executor_listing() {
  Listing listing{{"name", "meaning"}, {}};
  for (const sim::Executor* executor : sim::executors())
    listing.rows.push_back({std::string(executor->name()), std::string(executor->meaning())});
  return listing;
}

struct ListOptions {
  std::string what, format;
  bool json = false, csv = false;
};

Listing listing_of(const ListOptions& o) {
  if (o.what == "formats") return o.format.empty() ? format_listing(!o.json && !o.csv) : value_listing(o.format);
  if (!o.format.empty()) throw UsageError("list " + o.what + " takes no name");
  if (o.what == "roundings") return mode_listing(formats::rounding_modes());
  if (o.what == "overflows") return mode_listing(formats::overflow_modes());
  if (o.what == "datapaths") return datapath_listing();
  if (o.what == "recipes") return recipe_listing();
  if (o.what == "statistics") return statistic_listing();
  return executor_listing();
}

}  // namespace

void add_list(CLI::App& app, Action& action) {
  auto options = std::make_shared<ListOptions>();
  CLI::App* list = app.add_subcommand("list", "List formats, roundings, overflow modes, datapaths, recipes, statistics or executors");
  set_example(*list, "accsim list formats\n  accsim list formats ocp_e4m3");
  list->add_option("what", options->what, "formats, roundings, overflows, datapaths, recipes, statistics or executors")
      ->required()
      ->check(CLI::IsMember({"formats", "roundings", "overflows", "datapaths", "recipes", "statistics", "executors"}));
  list->add_option("format", options->format, "With formats: print all values of this one");
  list->add_flag("--json", options->json, "As a JSON array");
  list->add_flag("--csv", options->csv, "As CSV");
  list->callback([options, &action] {
    action = [options] {
      const Listing listing = listing_of(*options);
      if (options->json) std::cout << to_json(listing).dump(2) << '\n';
      else if (options->csv) print_csv(std::cout, listing);
      else print_columns(std::cout, listing);
      return exit_done;
    };
  });
}

void add_show(CLI::App& app, Action& action) {
  auto options = std::make_shared<DatapathOptions>();
  CLI::App* show = app.add_subcommand("show", "Print a datapath or a recipe as TOML, defaults filled in");
  set_example(*show, "accsim show fp12 > mine.toml\n  accsim show --recipe wang2018");
  add_datapath_options(*show, *options, true);
  auto wants_recipe = std::make_shared<bool>(false);
  show->add_flag("--recipe", *wants_recipe, "The recipe of this name, where a datapath has it too");
  show->callback([options, wants_recipe, &action] {
    action = [options, wants_recipe] {
      const bool is_datapath_name = std::any_of(sim::builtin_datapaths().begin(), sim::builtin_datapaths().end(),
                                                [&](const auto& builtin) { return builtin.name == lower_case(options->acc); });
      if (*wants_recipe || (!is_datapath_name && sim::is_recipe(options->acc))) std::cout << sim::to_toml(sim::find_recipe(options->acc));
      else std::cout << sim::to_toml(sim::find_datapath(options->acc, options->overrides));
      return exit_done;
    };
  });
}

}  // namespace accsim::cli
