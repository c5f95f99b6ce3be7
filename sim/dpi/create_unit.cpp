#include "sim/dpi/create_unit.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>

#include "formats/error.h"
#include "sim/datapath_toml.h"

namespace accsim::sim {
namespace {

int number(const std::string& option, const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) throw InputError(option, "\"" + text + "\"", "an integer");
  return value;
}

/// The registers that `[timing]` has before the sum; one where it has none.
int product_registers(const Datapath& datapath) {
  return datapath.timing ? std::max(1, datapath.timing->input + datapath.timing->multiplier) : 1;
}

}  // namespace

std::unique_ptr<BenchUnit> create_unit(const std::string& datapath, const std::string& options) {
  DatapathOverrides o;
  std::optional<int> result_latency;
  std::optional<int> product_latency;
  BenchOptions made;
  std::istringstream words(options);
  std::string name;
  while (words >> name) {
    std::string value;
    if (const std::size_t equals = name.find('='); name.starts_with("--") && equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    } else if (!(words >> value)) {
      throw InputError("options: " + name, "no value", "a value after each option");
    }
    if (name == "--in") o.in_a = o.in_b = value;
    else if (name == "--in-a") o.in_a = value;
    else if (name == "--in-b") o.in_b = value;
    else if (name == "--product") o.product = value;
    else if (name == "--rounding") o.rounding = value;
    else if (name == "--overflow") o.overflow = value;
    else if (name == "--chunk") o.chunk = number(name, value);
    else if (name == "--set") o.set.push_back(value);
    else if (name == "--latency") result_latency = number(name, value);
    else if (name == "--product-latency") product_latency = number(name, value);
    else if (name == "--units") made.units = number(name, value);
    else if (name == "--terms") made.terms = number(name, value);
    else if (name == "--part" && (value == "tree" || value == "inner_product"))
      made.part = value == "tree" ? BenchOnline::Part::tree : BenchOnline::Part::inner_product;
    else
      throw InputError("options", "\"" + name + "\"",
                       "--in, --in-a, --in-b, --product, --rounding, --overflow, --chunk, --set, --latency, --product-latency, --units, "
                       "--terms, --part tree|inner_product");
  }
  const bool is_text = datapath.find('\n') != std::string::npos;
  const Datapath d = is_text ? parse_datapath(datapath, "datapath", o) : find_datapath(datapath, o);
  if (result_latency || product_latency) {
    const int result = result_latency.value_or(std::max(1, product_latency.value_or(1)));
    made.latency = UnitLatency{.result = result, .product = product_latency.value_or(std::min(product_registers(d), result))};
  }
  return std::make_unique<BenchUnit>(d, made);
}

}  // namespace accsim::sim
