// accsim check: recomputes the rows that an RTL simulation wrote and reports those that differ.
#include <spdlog/spdlog.h>

#include <iostream>
#include <memory>
#include <optional>

#include "cli/block_scales.h"
#include "cli/command.h"
#include "cli/cycle_check.h"
#include "cli/unit_wave.h"
#include "cli/vector_file.h"
#include "formats/error.h"
#include "formats/round.h"
#include "formats/value_text.h"
#include "sim/issue_model.h"
#include "traces/digest.h"

namespace accsim::cli {
namespace {

using formats::Code;
using formats::Format;
using formats::NarrowExact;

struct CheckOptions {
  DatapathOptions datapath;
  std::string vectors, cycles, reset_rng;
  std::int64_t limit = 10;
  std::vector<std::string> compare{"acc_out"};
};

std::string decoded(Code code, const Format& format) {
  return formats::code_text(code, format) + " (" + formats::value_text(decode(code, format)) + ")";
}

class Check {
 public:
  explicit Check(const CheckOptions& o)
      : o_(o), datapath_(sim::find_datapath(o.datapath.acc, o.datapath.overrides)), file_(read_vectors(o.vectors)) {
    for (const std::string& name : file_.unknown_columns)
      spdlog::warn("{}: column \"{}\" is not one of vectors and is ignored", o.vectors, name);
    const std::string digest = "sha256:" + traces::sha256_of_text(sim::to_toml(datapath_));
    if (!file_.datapath_digest.empty() && file_.datapath_digest != digest) {
      spdlog::warn("{}: made for another datapath than \"{}\": {}, not {}", o.vectors, datapath_.name, file_.datapath_digest, digest);
    }
    const auto is_missing = [](const VectorRow& r) { return !r.follows; };
    if (const auto gap = std::find_if(file_.rows.begin(), file_.rows.end(), is_missing); gap != file_.rows.end()) {
      spdlog::warn(
          "{}: rows seem to be missing in {} places, by their column step, the first: step {} after step {}; rows go on from those there "
          "are",
          o.vectors, std::count_if(gap, file_.rows.end(), is_missing), gap->step, std::prev(gap)->step);
    }
    for (const auto& [what, is_there] : {std::pair{"acc_out", file_.has_acc_out}, std::pair{"output", file_.has_output},
                                         std::pair{"flags", file_.has_flags}, std::pair{"product", file_.has_product}}) {
      if (compares(what) && !is_there)
        throw InputError(o.vectors + ": header", std::string("no column ") + what, "the columns that --compare names");
    }
    const bool several = std::any_of(file_.rows.begin(), file_.rows.end(), [](const VectorRow& r) { return r.a.size() > 1; });
    if (compares("product") && several) throw InputError(o.vectors + ": column product", "rows of several terms", "rows of one term");
    if (compares("product") && datapath_.product.rounding.mode == formats::Rounding::sr)
      throw InputError(o.vectors + ": column product", "stochastically rounded products", "acc_out, flags");
    if (compares("product") && !datapath_.product.format)
      throw InputError(o.vectors + ": column product", "products of datapath \"" + datapath_.name + "\" are exact", "acc_out, flags");
    require_operand_codes(datapath_);
    models_.emplace(datapath_);
    check_scale_columns(o.vectors, 'a', plain().a_blocks(), file_.a_scales, file_.terms);
    check_scale_columns(o.vectors, 'b', plain().b_blocks(), file_.b_scales, file_.terms);
    if (compares("output") && !plain().output_format())
      throw InputError(o.vectors + ": column output",
                       "datapath \"" + datapath_.name + "\" has no [output], or rows end before the sum that it converts",
                       "acc_out, flags");
    if (file_.has_acc_in && !plain().has_accumulator())
      throw InputError(o.vectors + ": column acc_in", "the innermost level keeps nothing between issues", "no acc_in");
  }

  int operator()() {
    std::size_t matching = 0;
    std::int64_t reported = 0;
    for (std::size_t row = 0; row < file_.rows.size(); ++row) {
      try {
        if (one_row(row, reported)) ++matching;
      } catch (const InputError& error) {
        throw error.inside(o_.vectors + ": row " + std::to_string(row));
      }
    }
    std::cout << matching << " of " << file_.rows.size() << " rows match\n";
    return matching == file_.rows.size() ? exit_done : exit_comparison_failed;
  }

 private:
  [[nodiscard]] bool compares(std::string_view what) const {
    return std::find(o_.compare.begin(), o_.compare.end(), what) != o_.compare.end();
  }
  sim::IssueModel& plain() { return models_->plain(); }

  [[nodiscard]] bool starts_sequence(std::size_t row) const { return row == 0 || file_.rows[row].seq != file_.rows[row - 1].seq; }

  /// Zero at the start of a sequence, else what the file has as the acc_out of the row before (interleaved: `ways` before); without that
  /// column, what it should have been.
  Code incoming(std::size_t row) {
    const VectorRow& r = file_.rows[row];
    if (starts_sequence(row)) sequence_start_ = row;
    if (!r.acc_in.empty()) return code_in("acc_in", r.acc_in, plain().in_format());
    const auto ways = static_cast<std::size_t>(plain().ways());
    if (!plain().has_accumulator() || row - sequence_start_ < ways) return 0;
    if (!file_.has_acc_out) return models_->plain().fed_back(sums_[row - ways]);
    const std::string& before = file_.rows[row - ways].acc_out;
    if (before.empty() && !compares("acc_out") && !compares("flags") && !compares("output")) return 0;
    if (before.empty()) throw InputError("column acc_in", "nothing, nor an acc_out in row " + std::to_string(row - ways), "one of the two");
    return models_->plain().fed_back(code_in("acc_out", before, plain().out_format()));
  }

  bool one_row(std::size_t row, std::int64_t& reported) {
    const VectorRow& r = file_.rows[row];
    sim::IssueModel& model = models_->at(r.rm);
    if (o_.reset_rng == "seq" && starts_sequence(row)) models_->reset_generators();
    std::vector<Code> a;
    std::vector<Code> b;
    for (const std::string& text : r.a) a.push_back(code_in(operand_name('a', a.size(), r.a.size()), text, model.a_format()));
    for (const std::string& text : r.b) b.push_back(code_in(operand_name('b', b.size(), r.b.size()), text, model.b_format()));
    if (!r.op.empty() && r.op != "add" && r.op != "sub") throw InputError("column op", "\"" + r.op + "\"", "add, sub");
    const std::vector<Code> a_scales = scales_of('a', r.a_scales, model.a_blocks(), a.size());
    const std::vector<Code> b_scales = scales_of('b', r.b_scales, model.b_blocks(), b.size());
    sim::Issue issue;
    issue.a = a;
    issue.b = b;
    issue.a_scales = a_scales;
    issue.b_scales = b_scales;
    issue.accumulator = incoming(row);
    issue.subtract = r.op == "sub";
    issue.row = row;
    const sim::IssueResult result = model.run(issue);
    if (!file_.has_acc_out) sums_.push_back(result.accumulator);
    std::string differences;
    const auto compare = [&](const char* what, const std::string& text, Code found_by_us, const Format& format) {
      const Code in_file = code_in(what, text, format);
      if (in_file != found_by_us && !is_own_nan(in_file, found_by_us, format))
        differences += std::string("  ") + what + ": expected " + decoded(in_file, format) + " in the file, found " +
                       decoded(found_by_us, format) + "\n";
    };
    if (compares("acc_out")) compare("acc_out", r.acc_out, result.accumulator, model.out_format());
    if (compares("output") && !r.output.empty()) compare("output", r.output, *result.output, *model.output_format());
    if (compares("product") && result.product) compare("product", r.product, *result.product, *model.product_format());
    if (compares("flags")) compare("flags", r.flags, result.flags, flags_format_);
    if (differences.empty()) return true;
    differences += first_wrong_stage(r, result, model);
    if (reported++ < o_.limit) report(row, issue, model, differences);
    return false;
  }

  /// Of a row that differs, where the file shows more than one stage.
  [[nodiscard]] std::string first_wrong_stage(const VectorRow& r, const sim::IssueResult& result, const sim::IssueModel& model) const {
    const std::string start = "  first wrong stage: ";
    const bool shows_product = result.product && !r.product.empty();
    const bool shows_output = compares("output") && !r.output.empty() && !r.acc_out.empty();
    if (!shows_product && !shows_output) return {};
    if (shows_product) {
      const Code product = code_in("product", r.product, *model.product_format());
      if (product != *result.product) {
        return start + "product" +
               (compares("product") ? "\n"
                                    : ", " + decoded(product, *model.product_format()) + " in the file, found " +
                                          decoded(*result.product, *model.product_format()) + "\n");
      }
    }
    const bool sum_is_right = shows_output && code_in("acc_out", r.acc_out, model.out_format()) == result.accumulator &&
                              code_in("output", r.output, *model.output_format()) != *result.output;
    return start + (sum_is_right ? "output\n" : "sum\n");
  }

  /// NaN both, in the file as the unit spells it.
  [[nodiscard]] bool is_own_nan(Code in_file, Code found, const Format& format) const {
    return datapath_.accumulator.nan_is_all_ones && in_file == (Code{1} << (code_bits(format) - 1)) - 1 && decode(in_file, format).nan &&
           decode(found, format).nan;
  }

  static void report(std::size_t row, const sim::Issue& issue, const sim::IssueModel& model, const std::string& differences) {
    std::cout << "row " << row << ":";
    for (std::size_t i = 0; i < issue.a.size(); ++i) {
      std::cout << (i == 0 ? " " : ", ") << "a" << i << " " << decoded(issue.a[i], model.a_format()) << " b" << i << " "
                << decoded(issue.b[i], model.b_format());
    }
    for (std::size_t i = 0; i < issue.a_scales.size(); ++i)
      std::cout << ", a_scale" << i << " " << decoded(issue.a_scales[i], model.a_blocks()->scale);
    for (std::size_t i = 0; i < issue.b_scales.size(); ++i)
      std::cout << ", b_scale" << i << " " << decoded(issue.b_scales[i], model.b_blocks()->scale);
    if (model.has_accumulator()) std::cout << ", acc_in " << decoded(issue.accumulator, model.in_format());
    std::cout << (issue.subtract ? ", sub\n" : "\n") << differences;
  }

  const CheckOptions& o_;
  const Format flags_format_ = formats::parse_format("uint5");
  sim::Datapath datapath_;
  VectorFile file_;
  std::optional<sim::IssueModels> models_;
  std::size_t sequence_start_ = 0;
  std::vector<Code> sums_;  ///< of the rows so far, in a file that has none
};

int check_files(const CheckOptions& o) {
  if (o.vectors.empty() == o.cycles.empty()) throw UsageError("check takes either --vectors or --cycles");
  if (o.cycles.empty()) return Check(o)();
  const sim::Datapath datapath = sim::find_datapath(o.datapath.acc, o.datapath.overrides);
  require_operand_codes(datapath);
  return check_cycles(datapath, o.cycles, o.limit, std::cout) ? exit_done : exit_comparison_failed;
}

}  // namespace

void add_check(CLI::App& app, Action& action) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* check = app.add_subcommand("check", "Recompute vectors that an RTL simulation wrote and report the rows that differ");
  set_example(*check, "accsim check --acc mine.toml --vectors rtl.csv --compare acc_out,flags");
  add_datapath_options(*check, options->datapath);
  check->add_option("--vectors", options->vectors,
                    "CSV file of codes: a, b (or a0.., b0..), a_scale, b_scale (or a_scale0..: of block formats, 1 unless given), acc_in, "
                    "acc_out, output, product, flags, rm, seq, step, op");
  check->add_option("--cycles", options->cycles,
                    "Instead: CSV file of a row a clock, as accsim wave writes; names the first wrong cycle and stage");
  check->add_option("--limit", options->limit, "Mismatching rows that are reported")->check(whole_number_from(0))->default_str("10");
  check->add_option("--compare", options->compare, "What is compared: acc_out, output, product, flags")
      ->delimiter(',')
      ->check(CLI::IsMember({"acc_out", "output", "product", "flags"}))
      ->allow_extra_args(false);
  check->add_option("--reset-rng", options->reset_rng, "seq: generators start anew with each sequence")->check(CLI::IsMember({"seq"}));
  check->callback([options, &action] { action = [options] { return check_files(*options); }; });
}

}  // namespace accsim::cli
