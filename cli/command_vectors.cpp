// accsim vectors: stimulus and golden results for an RTL test bench, made up or from a trace's operands.
#include <algorithm>
#include <memory>

#include "cli/command.h"
#include "cli/document.h"
#include "cli/traced_operands.h"
#include "cli/vector_writer.h"
#include "formats/error.h"
#include "formats/random.h"
#include "sim/stimulus.h"
#include "traces/digest.h"

namespace accsim::cli {
namespace {

using formats::Code;
using sim::StimulusClass;

struct VectorsOptions {
  DatapathOptions datapath;
  std::int64_t count = 1000, steps = 0;
  std::uint64_t seed = 1;
  std::string format = "csv", output = "-", trace, reset_rng;
  LayerSelection selection;
  std::vector<std::string> classes, rm, op;
  int terms = 0;
};

/// The products of a row: what the levels up to the accumulator take in one issue.
int terms_of_a_row(const sim::Datapath& datapath) {
  std::int64_t terms = 1;
  const std::size_t last = datapath.accumulator.level.value_or(0);
  for (std::size_t i = 0; i <= last; ++i) {
    const sim::Level& level = datapath.levels[i];
    if (sim::has_issues(level.kind)) terms *= level.terms.value_or(i == 0 ? 8 : 1) * (i < last ? level.issues.value_or(1) : 1);
    else if (i < last) terms *= level.terms.value_or(1);
  }
  return static_cast<int>(std::min<std::int64_t>(terms, 4096));
}

class Vectors {
 public:
  explicit Vectors(const VectorsOptions& o)
      : o_(o), datapath_(checked(sim::find_datapath(o.datapath.acc, o.datapath.overrides))), models_(datapath_) {
    form_ = o.format == "csv" ? VectorForm::csv : o.format == "testfloat" ? VectorForm::testfloat : VectorForm::readmemh;
    if (form_ != VectorForm::csv && (!o.rm.empty() || !o.op.empty())) throw UsageError("--rm and --op have columns in --format csv only");
    terms_ = o.terms != 0 ? o.terms : terms_of_a_row(datapath_);
    for (const auto* blocks : {&model().a_blocks(), &model().b_blocks()}) {
      if (!o.trace.empty() && *blocks && terms_ % (*blocks)->block != 0)
        throw UsageError("rows of " + std::to_string(terms_) + " products cut the trace's blocks of " + std::to_string((*blocks)->block) +
                         "; give --terms a multiple");
    }
    for (const std::string& rm : o.rm) (void)models_.at(rm);
  }

  int operator()() {
    const Document document(o_.output);
    if (!o_.trace.empty()) check_distinct(o_.trace, {{"--output", document.target()}});
    if (o_.trace.empty()) make_up();
    else take_from_trace();
    const sim::IssueModel& model = models_.plain();
    const bool has_product = std::all_of(rows_.begin(), rows_.end(), [](const GoldenRow& r) { return r.result.product.has_value(); });
    const VectorHeading heading{.version = version().substr(7),
                                .datapath = datapath_.name,
                                .digest = "sha256:" + traces::sha256_of_text(sim::to_toml(datapath_)),
                                .stimulus = (o_.trace.empty() ? "" : "operands of " + o_.trace + ", ") + "seed " + std::to_string(o_.seed),
                                .rows = static_cast<std::int64_t>(rows_.size()),
                                .terms = static_cast<std::size_t>(terms_),
                                .has_accumulator = model.has_accumulator(),
                                .has_output = form_ == VectorForm::csv && model.output_format().has_value(),
                                .has_product = has_product,
                                .has_rm = !o_.rm.empty(),
                                .has_op = !o_.op.empty()};
    document.write([&](std::ostream& out) { write_vectors(out, form_, heading, model, rows_); });
    return exit_done;
  }

 private:
  static sim::Datapath checked(sim::Datapath datapath) {
    require_operand_codes(datapath);
    return datapath;
  }

  [[nodiscard]] std::vector<StimulusClass> classes() const {
    std::vector<StimulusClass> chosen;
    for (int i = 0; i < sim::stimulus_classes; ++i) {
      const auto kind = static_cast<StimulusClass>(i);
      if (o_.classes.empty() || std::find(o_.classes.begin(), o_.classes.end(), sim::name_of(kind)) != o_.classes.end())
        chosen.push_back(kind);
    }
    return chosen;
  }

  /// Rows of their own, class after class, each as many; then sequences of steps that start from zero and feed back, the aim of a class in
  /// their last step. With --steps sequences alone.
  void make_up() {
    const sim::Stimulus stimulus({.a = model().a_format(),
                                  .b = model().b_format(),
                                  .in = model().in_format(),
                                  .out = model().out_format(),
                                  .has_accumulator = model().has_accumulator(),
                                  .terms = terms_,
                                  .a_blocks = model().a_blocks(),
                                  .b_blocks = model().b_blocks()},
                                 o_.seed);
    const std::vector<StimulusClass> kinds = classes();
    const bool feeds_back = model().has_accumulator();
    const std::int64_t alone = o_.steps != 0 ? 0 : feeds_back ? o_.count - o_.count / 4 : o_.count;
    const auto n = static_cast<std::int64_t>(kinds.size());
    for (std::int64_t i = 0; i < alone; ++i) {
      const StimulusClass kind = kinds[static_cast<std::size_t>(i * n / alone)];
      add(stimulus.row(kind, static_cast<std::uint64_t>(i), std::nullopt), sim::name_of(kind), true);
    }
    const std::int64_t steps = o_.steps != 0 ? o_.steps : 8;
    for (std::int64_t i = 0; alone + i < o_.count; ++i) {
      const StimulusClass aimed = kinds[static_cast<std::size_t>(i / steps % n)];
      const bool is_last = i % steps == steps - 1;
      const StimulusClass kind = is_last || (i / steps) % 2 == 1 ? aimed : StimulusClass::random;
      starts_ = i % steps == 0;
      if (starts_) sequence_start_ = rows_.size();
      add(stimulus.row(kind, static_cast<std::uint64_t>(alone + i), incoming()), "sequences", false);
    }
  }

  void take_from_trace() {
    TracedOperands traced(o_.trace, o_.selection, datapath_, o_.seed);
    const bool feeds_back = model().has_accumulator();
    const auto size = static_cast<std::size_t>(terms_);
    traced.for_each_output(o_.count, [&](const TracedDot& dot) {
      for (std::size_t first = 0; first < dot.a.size() && static_cast<std::int64_t>(rows_.size()) < dot.row_limit; first += size) {
        const std::size_t count = std::min(size, dot.a.size() - first);
        if (count < size && form_ != VectorForm::csv) break;  // a short issue has a form in csv only
        starts_ = first == 0 || !feeds_back;
        if (starts_) sequence_start_ = rows_.size();
        const auto at = static_cast<std::ptrdiff_t>(first);
        const auto end = at + static_cast<std::ptrdiff_t>(count);
        add({.a = {dot.a.begin() + at, dot.a.begin() + end},
             .b = {dot.b.begin() + at, dot.b.begin() + end},
             .a_scales = scales_of(dot.a_scales, model().a_blocks(), first, count),
             .b_scales = scales_of(dot.b_scales, model().b_blocks(), first, count),
             .accumulator = incoming()},
            dot.layer, false);
      }
      return static_cast<std::int64_t>(rows_.size()) < dot.row_limit;
    });
  }

  /// The scales of the blocks that these terms of a dot product make up.
  static std::vector<Code> scales_of(const std::vector<Code>& all, const std::optional<formats::BlockFormat>& blocks, std::size_t first,
                                     std::size_t count) {
    if (!blocks) return {};
    const auto block = static_cast<std::size_t>(blocks->block);
    return {all.begin() + static_cast<std::ptrdiff_t>(first / block),
            all.begin() + static_cast<std::ptrdiff_t>((first + count + block - 1) / block)};
  }

  sim::IssueModel& model() { return models_.plain(); }

  /// Zero in the first rows of a sequence, else the result of the row before, of an interleaved level of the row `ways` before.
  Code incoming() {
    const auto ways = static_cast<std::size_t>(model().ways());
    if (!model().has_accumulator() || rows_.size() - sequence_start_ < ways) return 0;
    return models_.plain().fed_back(rows_[rows_.size() - ways].result.accumulator);
  }

  void add(sim::StimulusRow stimulus, std::string_view kind, bool alone) {
    GoldenRow row;
    row.a = std::move(stimulus.a);
    row.b = std::move(stimulus.b);
    row.a_scales = std::move(stimulus.a_scales);
    row.b_scales = std::move(stimulus.b_scales);
    row.accumulator = stimulus.accumulator;
    row.kind = kind;
    const auto number = static_cast<std::uint64_t>(rows_.size());
    formats::PhiloxStream choice(o_.seed, {.output = number, .layer = 0x2000000, .pass = 3, .site = 15});
    if (!o_.rm.empty()) row.rm = o_.rm[choice.next() % o_.rm.size()];
    if (!o_.op.empty()) row.subtract = o_.op[choice.next() % o_.op.size()] == "sub";
    const bool starts = alone || starts_;
    if (!rows_.empty()) row.seq = rows_.back().seq + (starts ? 1 : 0);
    row.step = starts || rows_.empty() ? 0 : rows_.back().step + 1;
    if (o_.reset_rng == "seq" && row.step == 0) models_.reset_generators();
    row.result = models_.at(row.rm).run({.a = row.a,
                                         .b = row.b,
                                         .a_scales = row.a_scales,
                                         .b_scales = row.b_scales,
                                         .accumulator = row.accumulator,
                                         .subtract = row.subtract,
                                         .row = number});
    rows_.push_back(std::move(row));
  }

  const VectorsOptions& o_;
  sim::Datapath datapath_;
  sim::IssueModels models_;
  VectorForm form_ = VectorForm::csv;
  int terms_ = 1;
  std::vector<GoldenRow> rows_;
  std::size_t sequence_start_ = 0;
  bool starts_ = true;
};

}  // namespace

void add_vectors(CLI::App& app, Action& action) {
  auto options = std::make_shared<VectorsOptions>();
  CLI::App* command = app.add_subcommand("vectors", "Stimulus and golden results for an RTL test bench");
  set_example(*command,
              "accsim vectors --acc fp16_fp32acc --count 10000 --output rows.csv\n"
              "  accsim vectors --acc fp12 --in lba_fp12 --format readmemh --steps 16 --output rows.hex\n"
              "  accsim vectors --acc int8_int32 --trace net.h5 --layer 'conv*' --output rows.csv");
  add_datapath_options(*command, options->datapath);
  command->add_option("--count", options->count, "Rows")->check(CLI::Range(1, 100'000'000))->default_str("1000");
  add_seed_option(*command, options->seed, "Seed of all that is drawn");
  command->add_option("--format", options->format, "csv (for accsim check), testfloat or readmemh")
      ->check(CLI::IsMember({"csv", "testfloat", "readmemh"}))
      ->default_str("csv");
  command->add_option("--output", options->output, "File to write; - for standard output")->default_str("-");
  command->add_option("--steps", options->steps, "Only sequences of this many rows, each from a zero accumulator")
      ->check(CLI::Range(1, 1'000'000));
  std::vector<std::string> names;
  names.reserve(sim::stimulus_classes);
  for (int i = 0; i < sim::stimulus_classes; ++i) names.emplace_back(sim::name_of(static_cast<StimulusClass>(i)));
  command->add_option("--class", options->classes, "Classes of rows; all unless given")
      ->delimiter(',')
      ->check(CLI::IsMember(names))
      ->allow_extra_args(false);
  command->add_option("--terms", options->terms, "Products a row; those of an issue unless given")->check(CLI::Range(1, 4096));
  command->add_option("--rm", options->rm, "Roundings drawn from for each row, for example rne,rz,rd,ru,rna")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_option("--op", options->op, "Operations drawn from for each row: add,sub")
      ->delimiter(',')
      ->check(CLI::IsMember({"add", "sub"}))
      ->allow_extra_args(false);
  command->add_option("--reset-rng", options->reset_rng, "seq: generators start anew with each sequence")->check(CLI::IsMember({"seq"}));
  command->add_option("--trace", options->trace, "Take the operands of outputs drawn from this trace's layers");
  add_layer_options(*command, options->selection);
  command->callback([options, &action] { action = [options] { return Vectors(*options)(); }; });
}

}  // namespace accsim::cli
