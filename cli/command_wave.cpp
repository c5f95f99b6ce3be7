// accsim wave: a multiply-accumulate unit clock by clock, as CSV or VCD.
#include <memory>

#include "cli/block_scales.h"
#include "cli/command.h"
#include "cli/document.h"
#include "cli/vector_file.h"
#include "cli/wave_writer.h"
#include "formats/error.h"
#include "formats/value_text.h"

namespace accsim::cli {
namespace {

struct WaveOptions {
  DatapathOptions datapath;
  std::string vectors, output, in_valid = "1", out_ready = "1";
};

/// A string of 0 and 1, repeated for ever.
class Pattern {
 public:
  Pattern(const std::string& option, std::string text) : text_(std::move(text)) {
    if (text_.find_first_not_of("01") != std::string::npos || text_.find('1') == std::string::npos)
      throw UsageError(option + " " + text_ + ": a string of 0 and 1 with a 1 in it");
  }
  [[nodiscard]] bool at(std::int64_t cycle) const { return text_[static_cast<std::size_t>(cycle) % text_.size()] == '1'; }

 private:
  std::string text_;
};

class Wave {
 public:
  explicit Wave(const WaveOptions& o)
      : o_(o),
        in_valid_("--in-valid", o.in_valid),
        out_ready_("--out-ready", o.out_ready),
        datapath_(sim::find_datapath(o.datapath.acc, o.datapath.overrides)) {
    is_vcd_ = o.output.ends_with(".vcd");
    if (!is_vcd_ && !o.output.ends_with(".csv") && o.output != "-")
      throw UsageError("--output " + o.output + ": a name ending in .csv or .vcd, or -");
    require_operand_codes(datapath_);
  }

  int operator()() {
    const VectorFile file = read_vectors(o_.vectors);
    std::size_t terms = 1;
    for (const VectorRow& row : file.rows) terms = std::max(terms, row.a.size());
    const sim::IssueModel model(datapath_);
    check_scale_columns(o_.vectors, 'a', model.a_blocks(), file.a_scales, file.terms);
    check_scale_columns(o_.vectors, 'b', model.b_blocks(), file.b_scales, file.terms);
    const std::size_t most = model.terms_of_issue() && model.ways() == 1 ? static_cast<std::size_t>(*model.terms_of_issue()) : terms;
    terms = std::min(terms, most);
    const Document document(o_.output);
    std::error_code error;
    if (!document.target().empty() && document.target() == std::filesystem::weakly_canonical(o_.vectors, error))
      throw InputError("--output " + o_.output, "the vectors themselves", "another file");
    sim::ClockedUnit unit(datapath_, static_cast<std::int64_t>(terms));
    const std::vector<sim::UnitInputs> issues = issues_of(file, unit);
    const UnitWave wave(unit, terms, file.has_acc_in, file.has_rm);
    document.write([&](std::ostream& out) {
      std::unique_ptr<WaveWriter> writer;
      if (is_vcd_) writer = std::make_unique<VcdWave>(out, wave, datapath_.name);
      else writer = std::make_unique<CsvWave>(out, wave);
      run(unit, wave, issues, *writer);
    });
    return exit_done;
  }

 private:
  /// Offers every row as soon as the patterns allow, until the last result has left.
  void run(sim::ClockedUnit& unit, const UnitWave& wave, const std::vector<sim::UnitInputs>& issues, WaveWriter& writer) const {
    std::size_t next = 0;
    std::int64_t cycle = 0;
    do {
      sim::UnitInputs in;
      if (next < issues.size() && in_valid_.at(cycle)) {
        in = issues[next];
        in.valid = true;
      }
      in.ready = out_ready_.at(cycle);
      writer.row(cycle++, wave.sample(in));
      if (in.valid && unit.outputs(in.ready, in.accumulator.has_value()).ready) ++next;
      unit.clock(in);
    } while (next < issues.size() || !unit.is_empty());
    writer.finish(cycle);
  }

  /// All rows before the first clock, so that a mistake in the last is found before anything is written. A row with more terms than an
  /// issue is several issues in order.
  [[nodiscard]] std::vector<sim::UnitInputs> issues_of(const VectorFile& file, sim::ClockedUnit& unit) const {
    std::vector<sim::UnitInputs> issues;
    const auto terms = static_cast<std::size_t>(unit.terms());
    for (std::size_t i = 0; i < file.rows.size(); ++i) {
      try {
        const sim::UnitInputs row = issue_of(file, i, unit.model());
        (void)sim::rounding_code(row.rm);
        unit.require_rounding(row.rm);
        for (std::size_t first = 0; first < row.a.size(); first += terms) {
          const std::size_t end = std::min(first + terms, row.a.size());
          sim::UnitInputs part = row;
          part.a.assign(row.a.begin() + static_cast<std::ptrdiff_t>(first), row.a.begin() + static_cast<std::ptrdiff_t>(end));
          part.b.assign(row.b.begin() + static_cast<std::ptrdiff_t>(first), row.b.begin() + static_cast<std::ptrdiff_t>(end));
          part.a_scales = scales_from(row.a_scales, unit.model().a_blocks(), first, end - first, row.a.size());
          part.b_scales = scales_from(row.b_scales, unit.model().b_blocks(), first, end - first, row.a.size());
          if (first > 0) {
            part.accumulator.reset();
            part.first = false;
          }
          part.last = row.last && end == row.a.size();
          issues.push_back(std::move(part));
        }
      } catch (const InputError& error) {
        throw error.inside(o_.vectors + ": row " + std::to_string(i));
      }
    }
    return issues;
  }

  /// Those of an issue that begins with term `first` of a row.
  static std::vector<formats::Code> scales_from(const std::vector<formats::Code>& all, const std::optional<formats::BlockFormat>& format,
                                                std::size_t first, std::size_t terms, std::size_t of_row) {
    if (all.empty()) return {};
    const auto block = static_cast<std::size_t>(format->block);
    if (first % block != 0 || (first + terms != of_row && terms % block != 0))
      throw InputError("row", "issues of " + std::to_string(terms) + " terms with blocks of " + std::to_string(block),
                       "issues of whole blocks, or rows of one issue");
    const auto from = all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), first / block));
    const auto count = static_cast<std::ptrdiff_t>(blocks_of(format, terms));
    return {from, from + std::min(count, all.end() - from)};
  }

  static sim::UnitInputs issue_of(const VectorFile& file, std::size_t i, const sim::IssueModel& model) {
    const VectorRow& row = file.rows[i];
    sim::UnitInputs in;
    for (std::size_t k = 0; k < row.a.size(); ++k) {
      in.a.push_back(code_in(operand_name('a', k, row.a.size()), row.a[k], model.a_format()));
      in.b.push_back(code_in(operand_name('b', k, row.b.size()), row.b[k], model.b_format()));
    }
    in.a_scales = scales_of('a', row.a_scales, model.a_blocks(), in.a.size());
    in.b_scales = scales_of('b', row.b_scales, model.b_blocks(), in.b.size());
    in.rm = row.rm;
    if (!row.op.empty() && row.op != "add" && row.op != "sub") throw InputError("column op", "\"" + row.op + "\"", "add, sub");
    in.subtract = row.op == "sub";
    if (!row.acc_in.empty()) {
      if (!model.has_accumulator()) throw InputError("column acc_in", "the innermost level keeps nothing between issues", "no acc_in");
      in.accumulator = code_in("acc_in", row.acc_in, model.in_format());
    }
    in.first = i == 0 || row.seq != file.rows[i - 1].seq;
    in.last = i + 1 == file.rows.size() || row.seq != file.rows[i + 1].seq;
    return in;
  }

  const WaveOptions& o_;
  Pattern in_valid_, out_ready_;
  sim::Datapath datapath_;
  bool is_vcd_ = false;
};

}  // namespace

void add_wave(CLI::App& app, Action& action) {
  auto options = std::make_shared<WaveOptions>();
  CLI::App* wave = app.add_subcommand("wave", "Simulate a multiply-accumulate unit clock by clock and write its signals");
  set_example(*wave, "accsim wave --acc fp12 --in fp16 --set timing.multiplier=1 --set timing.adder=2 --vectors in.csv --output wave.vcd");
  add_datapath_options(*wave, options->datapath);
  wave->add_option("--vectors", options->vectors,
                   "CSV file of codes: a, b (or a0.., b0..), a_scale, b_scale (of block formats), acc_in, rm, seq, step, op; a row is one "
                   "issue or several")
      ->required();
  wave->add_option("--output", options->output, "OUT.csv (- for standard output) or OUT.vcd, sampled just before the rising edge")
      ->required();
  wave->add_option("--in-valid", options->in_valid, "When rows are offered: a bit a cycle, repeated")->default_str("1");
  wave->add_option("--out-ready", options->out_ready, "When results are taken: a bit a cycle, repeated")->default_str("1");
  wave->callback([options, &action] { action = [options] { return Wave(*options)(); }; });
}

}  // namespace accsim::cli
