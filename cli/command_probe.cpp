// accsim probe: what a datapath, or vectors that an RTL filled in, reveal of order, alignment and rounding.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/document.h"
#include "cli/vector_file.h"
#include "formats/error.h"
#include "formats/value_text.h"
#include "sim/issue_model.h"
#include "sim/probe.h"

namespace accsim::cli {
namespace {

using formats::Code;
using formats::NarrowExact;
using nlohmann::ordered_json;

struct ProbeOptions {
  DatapathOptions datapath;
  std::string emit, vectors;
  int terms = 0;
  bool json = false;
};

/// Two instructions of the unit, from 8 to 64 products; 16 where it takes one product at a time.
int default_terms(const sim::Datapath& datapath) {
  const sim::Level& level = datapath.levels.front();
  if (!sim::has_issues(level.kind) || !level.terms) return 16;
  const std::int64_t issues = datapath.accumulator.level ? level.issues.value_or(1) : 1;
  return static_cast<int>(std::clamp<std::int64_t>(2 * *level.terms * issues, 8, 64));
}

class Probing {
 public:
  explicit Probing(const ProbeOptions& o)
      : o_(o), datapath_(checked(sim::find_datapath(o.datapath.acc, o.datapath.overrides))), model_(datapath_) {
    unit_ = {.a = model_.a_format(),
             .b = model_.b_format(),
             .in = model_.in_format(),
             .out = model_.out_format(),
             .has_accumulator = model_.has_accumulator(),
             .terms = o.terms != 0 ? o.terms : default_terms(datapath_),
             .a_blocks = model_.a_blocks(),
             .b_blocks = model_.b_blocks()};
    if (!o.vectors.empty()) read();
    probes_ = sim::probes(unit_);
  }

  int operator()() {
    if (!o_.emit.empty()) {
      Document(o_.emit).write([this](std::ostream& out) { emit(out); });
      return exit_done;
    }
    const std::vector<NarrowExact> results = o_.vectors.empty() ? simulated() : recorded();
    const sim::ProbeFindings found = sim::interpret(unit_, probes_, results);
    if (o_.json) std::cout << to_json(found).dump(2) << '\n';
    else print(found);
    return exit_done;
  }

 private:
  static sim::Datapath checked(sim::Datapath datapath) {
    require_operand_codes(datapath);
    return datapath;
  }

  void read() {
    file_ = read_vectors(o_.vectors);
    if (!file_.has_acc_out) throw InputError(o_.vectors + ": header", "no column acc_out", "the columns that accsim probe --emit wrote");
    std::size_t columns = 0;
    for (const VectorRow& row : file_.rows) columns = std::max(columns, row.a.size());
    unit_.terms = static_cast<int>(columns);
  }

  static std::string name_of(const sim::Operand& operand) { return operand.block ? operand.block->name : operand.format->name; }

  /// The codes of a row's scales, all 2^exponent.
  [[nodiscard]] std::vector<Code> scales(const std::optional<formats::BlockFormat>& blocks, int exponent) const {
    if (!blocks) return {};
    return std::vector<Code>(blocks_of(blocks, static_cast<std::size_t>(unit_.terms)),
                             encode(NarrowExact{.exponent = exponent, .significand = 1}, blocks->scale));
  }

  [[nodiscard]] std::vector<NarrowExact> simulated() {
    std::vector<NarrowExact> results;
    for (const sim::Probe& probe : probes_) {
      const std::vector<Code> a_scales = scales(unit_.a_blocks, probe.a_scale);
      const std::vector<Code> b_scales = scales(unit_.b_blocks, probe.b_scale);
      const sim::Issue issue{.a = probe.a,
                             .b = probe.b,
                             .a_scales = a_scales,
                             .b_scales = b_scales,
                             .accumulator = probe.accumulator,
                             .subtract = false,
                             .row = results.size()};
      results.push_back(decode(model_.run(issue).accumulator, unit_.out));
    }
    return results;
  }

  [[nodiscard]] std::vector<NarrowExact> recorded() const {
    if (file_.rows.size() != probes_.size())
      throw InputError(o_.vectors, std::to_string(file_.rows.size()) + " rows",
                       std::to_string(probes_.size()) + ", as accsim probe --emit wrote them");
    std::vector<NarrowExact> results;
    for (std::size_t row = 0; row < probes_.size(); ++row) {
      try {
        results.push_back(recorded_row(file_.rows[row], probes_[row]));
      } catch (const InputError& error) {
        throw error.inside(o_.vectors + ": row " + std::to_string(row));
      }
    }
    return results;
  }

  [[nodiscard]] NarrowExact recorded_row(const VectorRow& row, const sim::Probe& probe) const {
    const auto same = [](const std::vector<std::string>& cells, const std::vector<Code>& codes, const formats::Format& format) {
      return std::equal(cells.begin(), cells.end(), codes.begin(), codes.end(),
                        [&](const std::string& cell, Code code) { return formats::parse_code(cell, format) == code; });
    };
    const bool same_c = !unit_.has_accumulator || (!row.acc_in.empty() && formats::parse_code(row.acc_in, unit_.in) == probe.accumulator);
    const bool same_scales = (!unit_.a_blocks || same(row.a_scales, scales(unit_.a_blocks, probe.a_scale), unit_.a_blocks->scale)) &&
                             (!unit_.b_blocks || same(row.b_scales, scales(unit_.b_blocks, probe.b_scale), unit_.b_blocks->scale));
    if (!same(row.a, probe.a, unit_.a) || !same(row.b, probe.b, unit_.b) || !same_c || !same_scales)
      throw InputError("operands", "not those of this probe", "the rows that accsim probe --emit wrote for the same formats, in order");
    if (row.acc_out.empty()) throw InputError("column acc_out", "nothing", "the unit's result");
    return decode(formats::parse_code(row.acc_out, unit_.out), unit_.out);
  }

  void emit(std::ostream& out) const {
    out << "# accsim probe --acc " << datapath_.name << ": fill acc_out (" << unit_.out.name << ") with the unit's results, then\n"
        << "# accsim probe --vectors this file, with the same formats\n";
    for (int i = 0; i < unit_.terms; ++i) out << "a" << i << ",";
    for (int i = 0; i < unit_.terms; ++i) out << "b" << i << ",";
    for (std::size_t i = 0; i < scales(unit_.a_blocks, 0).size(); ++i) out << "a_scale" << i << ",";
    for (std::size_t i = 0; i < scales(unit_.b_blocks, 0).size(); ++i) out << "b_scale" << i << ",";
    out << (unit_.has_accumulator ? "acc_in,acc_out\n" : "acc_out\n");
    for (const sim::Probe& probe : probes_) {
      for (const Code code : probe.a) out << formats::code_text(code, unit_.a) << ",";
      for (const Code code : probe.b) out << formats::code_text(code, unit_.b) << ",";
      for (const Code code : scales(unit_.a_blocks, probe.a_scale)) out << formats::code_text(code, unit_.a_blocks->scale) << ",";
      for (const Code code : scales(unit_.b_blocks, probe.b_scale)) out << formats::code_text(code, unit_.b_blocks->scale) << ",";
      if (unit_.has_accumulator) out << formats::code_text(probe.accumulator, unit_.in) << ",";
      out << "\n";
    }
  }

  static void print_kept(const char* what, const std::optional<sim::KeptBits>& bits) {
    if (!bits) return;
    if (!bits->fraction_bits) fmt::print("{:<28}all {} binades probed\n", what, bits->probed);
    else fmt::print("{:<28}{} binades below the largest, then cut: {}\n", what, *bits->fraction_bits, bits->cut);
  }

  void print(const sim::ProbeFindings& f) const {
    fmt::print("{:<28}{} x {} -> {}, {} products a row, {} probes\n", "formats", name_of(datapath_.a), name_of(datapath_.b), unit_.out.name,
               unit_.terms, probes_.size());
    fmt::print("{:<28}{}{}\n", "order of sums", f.order,
               f.group ? "" : fmt::format(" (large and small addends {} binades apart)", f.order_binades));
    if (f.group) fmt::print("{:<28}{} products{}\n", "summed together", *f.group, f.group_has_accumulator ? " and the accumulator" : "");
    print_kept("product under accumulator", f.product_below_accumulator);
    print_kept("product under products", f.product_below_products);
    print_kept("accumulator under products", f.accumulator_below_products);
    if (f.output_fraction_bits) fmt::print("{:<28}{}\n", "fraction bits of results", *f.output_fraction_bits);
    if (!f.product_rounding.empty()) fmt::print("{:<28}{}\n", "rounding of products' sums", f.product_rounding);
    if (!f.accumulator_rounding.empty()) fmt::print("{:<28}{}\n", "rounding with accumulator", f.accumulator_rounding);
    if (f.zero_exponent) fmt::print("{:<28}{}\n", "exponent of a zero", *f.zero_exponent);
    else if (f.zero_exponent_at_most)
      fmt::print("{:<28}at most {}, or zeros do not count\n", "exponent of a zero", *f.zero_exponent_at_most);
    else fmt::print("{:<28}not visible\n", "exponent of a zero");
  }

  [[nodiscard]] ordered_json to_json(const sim::ProbeFindings& f) const {
    const auto number = [](const std::optional<int>& value) { return value ? ordered_json(*value) : ordered_json(nullptr); };
    const auto text = [](const std::string& value) { return value.empty() ? ordered_json(nullptr) : ordered_json(value); };
    const auto kept = [&](const std::optional<sim::KeptBits>& bits) {
      if (!bits) return ordered_json(nullptr);
      return ordered_json{{"fraction_bits", number(bits->fraction_bits)}, {"probed", bits->probed}, {"cut", text(bits->cut)}};
    };
    return {{"datapath", o_.vectors.empty() ? ordered_json(datapath_.name) : ordered_json(nullptr)},
            {"vectors", text(o_.vectors)},
            {"formats", {{"a", name_of(datapath_.a)}, {"b", name_of(datapath_.b)}, {"acc_in", unit_.in.name}, {"acc_out", unit_.out.name}}},
            {"terms", unit_.terms},
            {"probes", probes_.size()},
            {"order", f.order},
            {"group", number(f.group)},
            {"group_has_accumulator", f.group_has_accumulator},
            {"product_below_accumulator", kept(f.product_below_accumulator)},
            {"product_below_products", kept(f.product_below_products)},
            {"accumulator_below_products", kept(f.accumulator_below_products)},
            {"output_fraction_bits", number(f.output_fraction_bits)},
            {"product_rounding", text(f.product_rounding)},
            {"accumulator_rounding", text(f.accumulator_rounding)},
            {"zero_exponent", number(f.zero_exponent)},
            {"zero_exponent_at_most", number(f.zero_exponent_at_most)}};
  }

  const ProbeOptions& o_;
  sim::Datapath datapath_;
  sim::IssueModel model_;
  sim::ProbedUnit unit_;
  VectorFile file_;
  std::vector<sim::Probe> probes_;
};

}  // namespace

void add_probe(CLI::App& app, Action& action) {
  auto options = std::make_shared<ProbeOptions>();
  CLI::App* command = app.add_subcommand("probe", "What a unit's results reveal of its order of sums, its alignment and its rounding");
  set_example(*command,
              "accsim probe --acc ampere_fp16_fp32\n  accsim probe --acc mine.toml --emit probes.csv   # the RTL fills in acc_out\n"
              "  accsim probe --acc mine.toml --vectors probes.csv");
  add_datapath_options(*command, options->datapath);
  command->add_option("--terms", options->terms, "Products a row; twice those of an instruction unless given")->check(CLI::Range(4, 256));
  auto* emit = command->add_option("--emit", options->emit, "Write the probes as CSV, acc_out empty; - for standard output");
  auto* vectors =
      command->add_option("--vectors", options->vectors, "Interpret such a file, acc_out filled in; of --acc only the formats count");
  auto* json = command->add_flag("--json", options->json, "As JSON");
  emit->excludes(vectors)->excludes(json);
  command->callback([options, &action] { action = [options] { return Probing(*options)(); }; });
}

}  // namespace accsim::cli
