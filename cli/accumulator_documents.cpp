// Writers of an accumulator search: table, JSON, CSV.
#include <spdlog/fmt/fmt.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/accumulator_search.h"
#include "cli/command.h"
#include "cli/json_number.h"
#include "cli/table_text.h"

namespace accsim::cli {
namespace {

using Json = nlohmann::ordered_json;

Json bits_json(const std::optional<int>& bits) { return bits ? Json(*bits) : Json(nullptr); }

std::string format_text(const AccumulatorWidth& width) {
  if (!width.fraction_bits) return "-";
  return fmt::format("e{}m{}", width.exponent_bits.value_or(0), *width.fraction_bits);
}

}  // namespace

void write_accumulator_table(std::ostream& out, const std::vector<AccumulatorRow>& rows, const AccumulatorOptions& o) {
  out << fmt::format("smallest accumulator by chunk size, operands {}, {}, {}: ", o.in_a, o.in_b, o.rounding);
  if (o.floor_db) out << fmt::format("SNDR of the sum at least {} dB\n", *o.floor_db);
  else out << fmt::format("SNDR within {} dB of an exact sum's\n", o.within_db);
  out << "(m): fraction bits by the recalled closed form of the variance retention ratio, unverified\n";
  for (std::size_t from = 0; from < o.chunks.size(); from += 4) {  // four chunk sizes a table
    const std::size_t to = std::min(from + 4, o.chunks.size());
    out << fmt::format("\n{:24} {:5} {:>6} {:>8}", "layer", "pass", "terms", "dB");
    for (std::size_t c = from; c < to; ++c)
      out << fmt::format(" {:>11}", o.chunks[c] == 1 ? "no chunks" : "chunk " + std::to_string(o.chunks[c]));
    out << '\n';
    for (const AccumulatorRow& row : rows) {
      out << fmt::format("{} {:5} {:>6} {:>8}", fitted(row.name, 24), row.pass, count(row.k),
                         row.target_db ? fmt::format("{:.2f}", *row.target_db) : "-");
      for (std::size_t c = from; c < to; ++c) {
        std::string cell;
        for (const AccumulatorWidth& width : row.widths) {
          if (width.chunk == o.chunks[c]) cell = fmt::format("{} ({})", format_text(width), width.closed_form_fraction_bits);
        }
        out << fmt::format(" {:>11}", cell);
      }
      out << '\n';
    }
  }
}

void write_accumulator_json(std::ostream& out, const std::vector<AccumulatorRow>& rows, const AccumulatorOptions& o,
                            const std::string& trace) {
  Json layers = Json::array();
  for (const AccumulatorRow& row : rows) {
    Json widths = Json::array();
    for (const AccumulatorWidth& w : row.widths)
      widths.push_back({{"chunk", w.chunk},
                        {"fraction_bits", bits_json(w.fraction_bits)},
                        {"exponent_bits", bits_json(w.exponent_bits)},
                        {"sndr_db", json_number(w.sndr_db)},
                        {"one_fraction_bit_less_sndr_db", json_number(w.less_fraction_db)},
                        {"one_exponent_bit_less_sndr_db", json_number(w.less_exponent_db)},
                        {"variance_retention", json_number(w.variance_retention)},
                        {"closed_form_fraction_bits_unverified", w.closed_form_fraction_bits}});
    layers.push_back({{"name", row.name},
                      {"pass", row.pass},
                      {"k", row.k},
                      {"outputs", row.outputs},
                      {"sampled_outputs", row.sampled},
                      {"target_sndr_db", json_number(row.target_db)},
                      {"max_abs_partial", row.max_abs_partial},
                      {"accumulators", widths}});
  }
  const Json j = {{"accsim", version().substr(7)},
                  {"trace", trace},
                  {"operands", {o.in_a, o.in_b}},
                  {"rounding", o.rounding},
                  {"within_db", o.floor_db ? Json(nullptr) : Json(o.within_db)},
                  {"floor_db", json_number(o.floor_db)},
                  {"layers", layers}};
  out << j.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

void write_accumulator_csv(std::ostream& out, const std::vector<AccumulatorRow>& rows) {
  out << "layer,pass,k,outputs,sampled_outputs,target_sndr_db,max_abs_partial,chunk,fraction_bits,exponent_bits,sndr_db,"
         "one_fraction_bit_less_sndr_db,one_exponent_bit_less_sndr_db,variance_retention,closed_form_fraction_bits_unverified\n";
  for (const AccumulatorRow& row : rows) {
    for (const AccumulatorWidth& w : row.widths)
      out << csv_text(row.name) << ',' << row.pass << ',' << row.k << ',' << row.outputs << ',' << row.sampled << ','
          << csv_cell(json_number(row.target_db)) << ',' << csv_cell(Json(row.max_abs_partial)) << ',' << w.chunk << ','
          << csv_cell(bits_json(w.fraction_bits)) << ',' << csv_cell(bits_json(w.exponent_bits)) << ',' << csv_cell(json_number(w.sndr_db))
          << ',' << csv_cell(json_number(w.less_fraction_db)) << ',' << csv_cell(json_number(w.less_exponent_db)) << ','
          << csv_cell(json_number(w.variance_retention)) << ',' << w.closed_form_fraction_bits << '\n';
  }
}

}  // namespace accsim::cli
