#include "cli/bounds_report.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/table_text.h"

namespace accsim::cli {
namespace {

using nlohmann::ordered_json;
using sim::ChannelNeeds;

constexpr double one_percent = 0.01;

/// A number of the report under its name; no value where it is undefined.
struct Number {
  std::string_view group, name;
  std::optional<std::int64_t> value;
};

std::optional<std::int64_t> whole(std::optional<int> value) { return value ? std::optional<std::int64_t>(*value) : std::nullopt; }

/// Every number of a layer or channel, in the order of the documents. Exactly one of the two kinds has values.
std::vector<Number> numbers(const ChannelNeeds& c, bool is_integer) {
  const auto bits = [&](int value) { return is_integer ? std::optional<std::int64_t>(value) : std::nullopt; };
  const bool adds = !is_integer && c.swamping.additions() != 0;
  const auto swamps = [&](double share) { return adds ? std::optional<std::int64_t>(c.swamping.precision(share)) : std::nullopt; };
  return {{"bits", "datatype_bound", bits(c.guaranteed.datatype)},
          {"bits", "l1_bound", bits(c.guaranteed.l1)},
          {"bits", "zero_centred_bound", bits(c.guaranteed.zero_centred)},
          {"bits", "range_bound", bits(c.guaranteed.range)},
          {"bits", "observed", bits(c.observed_partial)},
          {"bits", "observed_final", bits(c.observed_final)},
          {"exponents", "product_min", whole(c.products.low)},
          {"exponents", "product_max", whole(c.products.high)},
          {"exponents", "sum_min", whole(c.sums.low)},
          {"exponents", "sum_max", whole(c.sums.high)},
          {"swamping", "precision", swamps(0)},
          {"swamping", "precision_1pct", swamps(one_percent)}};
}

bool belongs(const Number& number, bool is_integer) { return (number.group == "bits") == is_integer; }

void add_numbers(ordered_json& j, const ChannelNeeds& c, bool is_integer) {
  for (const Number& number : numbers(c, is_integer)) {
    if (!belongs(number, is_integer)) continue;
    ordered_json& slot = j[std::string(number.group)][std::string(number.name)];
    if (number.value) slot = *number.value;
    else slot = nullptr;
  }
  if (is_integer) j["weights"] = {{"positive_sum", c.guaranteed.positive.str()}, {"negative_sum", c.guaranteed.negative.str()}};
}

std::string interval(const sim::ExponentRange& r) { return r.low ? fmt::format("{}..{}", *r.low, *r.high) : "-"; }

std::string precision_text(const sim::Swamping& s, double share) { return s.additions() == 0 ? "-" : std::to_string(s.precision(share)); }

void write_integer_row(std::ostream& out, const std::string& name, const std::string& pass, const std::string& channel,
                       const std::vector<std::string>& cells) {
  out << fmt::format("{} {:5} {:>7} {:>7} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}\n", fitted(name, 24), pass, channel, cells[0], cells[1],
                     cells[2], cells[3], cells[4], cells[5], cells[6]);
}

void write_float_row(std::ostream& out, const std::string& name, const std::string& pass, const std::string& channel,
                     const std::vector<std::string>& cells) {
  out << fmt::format("{} {:5} {:>7} {:>7} {:>13} {:>13} {:>11} {:>11}\n", fitted(name, 24), pass, channel, cells[0], cells[1], cells[2],
                     cells[3], cells[4]);
}

std::vector<std::string> integer_cells(const LayerBounds& layer, const ChannelNeeds& c) {
  return {rough(layer.k),
          std::to_string(c.guaranteed.datatype),
          std::to_string(c.guaranteed.l1),
          std::to_string(c.guaranteed.zero_centred) + (c.guaranteed.range > c.guaranteed.zero_centred ? "*" : " "),
          std::to_string(c.guaranteed.range),
          std::to_string(c.observed_partial),
          std::to_string(c.observed_final)};
}

std::vector<std::string> float_cells(const LayerBounds& layer, const ChannelNeeds& c) {
  return {rough(layer.k), interval(c.products), interval(c.sums), precision_text(c.swamping, 0), precision_text(c.swamping, one_percent)};
}

/// Rows of the layers of one kind; nothing where there is none.
void write_rows(std::ostream& out, const BoundsReport& report, bool is_integer, bool channels) {
  const auto write_row = is_integer ? write_integer_row : write_float_row;
  const auto cells = is_integer ? integer_cells : float_cells;
  bool headed = false;
  for (const LayerBounds& layer : report.layers) {
    if (layer.survey.is_integer != is_integer) continue;
    if (!headed) {
      const std::string column = channels ? "channel" : "n";
      if (is_integer) write_row(out, "layer", "pass", column, {"k", "datatype", "L1", "A2Q+ ", "range", "partial", "final"});
      else write_row(out, "layer", "pass", column, {"k", "products 2^", "sums 2^", "swamps at", "1 % at"});
      headed = true;
    }
    if (channels) {
      for (std::size_t i = 0; i < layer.survey.channels.size(); ++i)
        write_row(out, layer.name, layer.pass, std::to_string(i), cells(layer, layer.survey.channels[i]));
    } else {
      write_row(out, layer.name, layer.pass, rough(static_cast<std::int64_t>(layer.survey.channels.size())),
                cells(layer, layer.survey.layer()));
    }
  }
}

void write_integer_summary(std::ostream& out, const BoundsReport& report) {
  ChannelNeeds all;
  bool uncentred = false;
  bool any = false;
  for (const LayerBounds& layer : report.layers) {
    if (!layer.survey.is_integer) continue;
    any = true;
    for (const ChannelNeeds& c : layer.survey.channels) {
      all.merge(c);
      uncentred |= c.guaranteed.range > c.guaranteed.zero_centred;
    }
  }
  if (!any) return;
  if (uncentred) out << "* no guarantee: the channel's weights are not centred, so its range is wider\n";
  out << fmt::format("sums: safe at {} bits on this trace, guaranteed at {} bits for any input; final sums fit {} bits\n",
                     all.observed_partial, all.guaranteed.range, all.observed_final);
}

void write_float_summary(std::ostream& out, const BoundsReport& report) {
  ChannelNeeds all;
  std::int64_t nonfinite = 0;
  bool any = false;
  for (const LayerBounds& layer : report.layers) {
    if (layer.survey.is_integer) continue;
    any = true;
    all.merge(layer.survey.layer());
    nonfinite += layer.survey.nonfinite_outputs;
  }
  if (!any) return;
  out << fmt::format("exponents: products {}, partial sums {}", interval(all.products), interval(all.sums));
  if (all.swamping.additions() != 0)
    out << fmt::format("; swamping starts at {} bits of precision, 1 % of additions at {}", all.swamping.precision(0),
                       all.swamping.precision(one_percent));
  out << '\n';
  if (nonfinite != 0) out << fmt::format("left out: {} outputs with an infinite or NaN product\n", nonfinite);
}

}  // namespace

void write_bounds_table(std::ostream& out, const BoundsReport& report, bool channels) {
  write_rows(out, report, true, channels);
  write_integer_summary(out, report);
  write_rows(out, report, false, channels);
  write_float_summary(out, report);
}

void write_bounds_json(std::ostream& out, const BoundsReport& report) {
  ordered_json j;
  j["accsim"] = report.version;
  j["datapath"] = {{"name", report.datapath_name}, {"toml", report.datapath_toml}, {"digest", report.datapath_digest}};
  j["trace"] = {{"file", report.trace_file}, {"digest", report.trace_digest}};
  j["layers"] = ordered_json::array();
  for (const LayerBounds& layer : report.layers) {
    const bool is_integer = layer.survey.is_integer;
    ordered_json l = {{"name", layer.name}, {"op", layer.op}, {"pass", layer.pass},   {"m", layer.m},
                      {"n", layer.n},       {"k", layer.k},   {"batch", layer.batch}, {"kind", is_integer ? "integer" : "float"}};
    add_numbers(l, layer.survey.layer(), is_integer);
    if (!is_integer) l["nonfinite_outputs"] = layer.survey.nonfinite_outputs;
    l["channels"] = ordered_json::array();
    for (std::size_t i = 0; i < layer.survey.channels.size(); ++i) {
      ordered_json c = {{"channel", i}};
      add_numbers(c, layer.survey.channels[i], is_integer);
      l["channels"].push_back(std::move(c));
    }
    j["layers"].push_back(std::move(l));
  }
  out << j.dump(1, ' ', false, ordered_json::error_handler_t::replace) << '\n';
}

void write_bounds_csv(std::ostream& out, const BoundsReport& report, bool channels) {
  out << "name,op,pass,m,n,k,batch,kind" << (channels ? ",channel" : "");
  for (const Number& number : numbers({}, true)) {
    const bool prefixed = number.group == "swamping";
    out << ',' << (prefixed ? "swamping_" : "") << number.name << (number.group == "exponents" ? "_exponent" : "");
  }
  out << ",positive_sum,negative_sum\n";
  for (const LayerBounds& layer : report.layers) {
    const bool is_integer = layer.survey.is_integer;
    const auto row = [&](const std::string& channel, const ChannelNeeds& c) {
      out << csv_text(layer.name) << ',' << layer.op << ',' << layer.pass << ',' << layer.m << ',' << layer.n << ',' << layer.k << ','
          << layer.batch << ',' << (is_integer ? "integer" : "float") << channel;
      for (const Number& number : numbers(c, is_integer)) {
        out << ',';
        if (number.value) out << *number.value;
      }
      out << ',' << (is_integer ? c.guaranteed.positive.str() : "") << ',' << (is_integer ? c.guaranteed.negative.str() : "") << '\n';
    };
    if (!channels) row("", layer.survey.layer());
    for (std::size_t i = 0; channels && i < layer.survey.channels.size(); ++i) row("," + std::to_string(i), layer.survey.channels[i]);
  }
}

}  // namespace accsim::cli
