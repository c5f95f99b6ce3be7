#include "cli/cycle_check.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "cli/block_scales.h"
#include "cli/unit_wave.h"
#include "formats/error.h"
#include "formats/text.h"
#include "formats/value_text.h"

namespace accsim::cli {
namespace {

using formats::Code;
using SignalRole = WaveSignal::Role;

/// The file as text, a row a clock.
struct CycleFile {
  std::map<std::string, std::size_t> columns;
  std::vector<std::vector<std::string>> rows;
  std::size_t terms = 0;

  [[nodiscard]] bool has(const std::string& column) const { return columns.contains(column); }
  [[nodiscard]] const std::string& at(std::size_t row, const std::string& column) const { return rows[row][columns.at(column)]; }
};

std::string row_of(const std::string& path, std::size_t row) { return path + ": row " + std::to_string(row); }

void read_header(const std::string& path, std::string_view text, CycleFile& file) {
  for (const std::string& part : split(text, ',')) {
    const std::string name(trimmed(part));
    if (!file.columns.emplace(name, file.columns.size()).second) throw InputError(path + ": header", "column " + name + " twice", "once");
  }
  file.terms = file.has("a") ? 1 : 0;
  while (file.has("a" + std::to_string(file.terms)) && !file.has("a")) ++file.terms;
  std::vector<std::string> needed = {"cycle", "in_valid", "out_valid", "acc"};
  for (const char operand : {'a', 'b'}) {
    for (std::size_t i = 0; i < std::max<std::size_t>(1, file.terms); ++i)
      needed.push_back(operand_name(operand, i, std::max<std::size_t>(1, file.terms)));
  }
  for (const std::string& name : needed) {
    if (!file.has(name))
      throw InputError(path + ": header", "no column " + name,
                       "cycle, in_valid, a, b (or a0.., b0..), out_valid, acc, as accsim wave writes them");
  }
}

CycleFile read_cycles(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw InputError(path, "cannot be read", "a CSV file of one row a clock");
  CycleFile file;
  std::string line;
  while (std::getline(in, line)) {
    const std::string_view text = trimmed(line);
    if (text.empty() || text.starts_with('#')) continue;
    if (file.columns.empty()) {
      read_header(path, text, file);
      continue;
    }
    std::vector<std::string> cells = split(text, ',');
    if (cells.size() != file.columns.size())
      throw InputError(row_of(path, file.rows.size()), std::to_string(cells.size()) + " cells",
                       std::to_string(file.columns.size()) + ", as in the header");
    for (std::string& cell : cells) cell = std::string(trimmed(cell));
    file.rows.push_back(std::move(cells));
  }
  if (file.columns.empty()) throw InputError(path, "no header", "a header that names the columns");
  if (file.rows.empty()) throw InputError(path, "a header and no rows", "at least one row");
  return file;
}

class CycleCheck {
 public:
  CycleCheck(const sim::Datapath& datapath, const std::string& path)
      : path_(path),
        file_(read_cycles(path)),
        unit_(datapath, static_cast<std::int64_t>(file_.terms)),
        wave_(unit_, file_.terms, file_.has("acc_in"), file_.has("in_rm")) {
    std::vector<std::string> known = {"cycle", "reset"};
    for (const WaveSignal& signal : wave_.signals()) known.push_back(signal.column);
    for (const auto& [name, index] : file_.columns) {
      if (std::find(known.begin(), known.end(), name) == known.end())
        spdlog::warn("{}: column \"{}\" is not one of this unit and is ignored", path, name);
    }
    for (std::size_t row = 0; row < file_.rows.size(); ++row) {
      if (file_.at(row, "in_valid") == "1") last_valid_ = row;
    }
    // The pipeline's order: registers first, then what leaves.
    for (const SignalRole role : {SignalRole::state, SignalRole::output}) {
      for (std::size_t i = 0; i < wave_.signals().size(); ++i) {
        if (wave_.signals()[i].role == role && file_.has(wave_.signals()[i].column)) compared_.push_back(i);
      }
    }
  }

  bool run(std::int64_t limit, std::ostream& out) {
    std::size_t matching = 0;
    std::int64_t reported = 0;
    for (std::size_t row = 0; row < file_.rows.size(); ++row) {
      check_sequence(row);
      const sim::UnitInputs in = inputs(row);
      const std::vector<std::string> wrong = in.reset ? std::vector<std::string>{} : differences(row, in);
      unit_.clock(in);
      if (wrong.empty()) {
        ++matching;
        continue;
      }
      if (reported++ >= limit) continue;
      out << "cycle " << file_.at(row, "cycle") << ":\n";
      for (const std::string& line : wrong) out << "  " << line << '\n';
      if (reported == 1) out << "first wrong cycle " << file_.at(row, "cycle") << ", stage " << stage_ << '\n';
    }
    out << matching << " of " << file_.rows.size() << " cycles match\n";
    return matching == file_.rows.size();
  }

 private:
  void check_sequence(std::size_t row) {
    const auto cycle = parse_integer(file_.at(row, "cycle"));
    if (!cycle) throw InputError(row_of(path_, row) + ": column cycle", "\"" + file_.at(row, "cycle") + "\"", "an integer");
    if (row > 0 && *cycle != cycle_ + 1)
      throw InputError(row_of(path_, row) + ": column cycle", std::to_string(*cycle) + " after " + std::to_string(cycle_),
                       std::to_string(cycle_ + 1) + ": a row a clock, in order");
    cycle_ = *cycle;
  }

  [[nodiscard]] Code value(std::size_t row, const std::string& column, const formats::Format* format) const {
    const std::string& text = file_.at(row, column);
    try {
      if (format != nullptr) return formats::parse_code(text, *format);
      if (text == "0" || text == "1") return text == "1" ? 1 : 0;
      throw InputError("", "\"" + text + "\"", "0 or 1");
    } catch (const InputError& error) {
      throw error.inside(row_of(path_, row) + ": column " + column);
    }
  }
  [[nodiscard]] bool bit(std::size_t row, const std::string& column, bool otherwise) const {
    return file_.has(column) ? value(row, column, nullptr) != 0 : otherwise;
  }

  /// Without in_first and in_last the whole file is one sum.
  [[nodiscard]] sim::UnitInputs inputs(std::size_t row) const {
    sim::UnitInputs in;
    in.reset = bit(row, "reset", false);
    in.ready = bit(row, "out_ready", true);
    in.valid = !in.reset && bit(row, "in_valid", false);
    if (!in.valid) return in;
    for (std::size_t i = 0; i < file_.terms; ++i) {
      in.a.push_back(value(row, operand_name('a', i, file_.terms), &unit_.model().a_format()));
      in.b.push_back(value(row, operand_name('b', i, file_.terms), &unit_.model().b_format()));
    }
    in.a_scales = scales(row, 'a', unit_.model().a_blocks());
    in.b_scales = scales(row, 'b', unit_.model().b_blocks());
    in.first = bit(row, "in_first", false);
    in.last = bit(row, "in_last", row == last_valid_);
    in.subtract = bit(row, "in_sub", false);
    if (file_.has("in_rm")) in.rm = rounding(row);
    if (file_.has("acc_in") && !file_.at(row, "acc_in").empty()) in.accumulator = value(row, "acc_in", &unit_.model().in_format());
    return in;
  }

  /// 1 where there is no column, or an empty cell.
  [[nodiscard]] std::vector<Code> scales(std::size_t row, char operand, const std::optional<formats::BlockFormat>& format) const {
    std::vector<Code> all;
    const std::size_t blocks = blocks_of(format, file_.terms);
    for (std::size_t i = 0; i < blocks; ++i) {
      const std::string name = scale_name(operand, i, blocks);
      all.push_back(file_.has(name) && !file_.at(row, name).empty() ? value(row, name, &format->scale) : scale_one(*format));
    }
    return all;
  }

  [[nodiscard]] std::string rounding(std::size_t row) const {
    const auto code = static_cast<std::size_t>(value(row, "in_rm", &rm_format_));
    if (code == sim::own_rounding_code) return {};
    if (code >= sim::rounding_of_code.size())
      throw InputError(row_of(path_, row) + ": column in_rm", std::to_string(code), "0..5 (rne rz rd ru rna ro), or 7, the datapath's own");
    return std::string(sim::rounding_of_code[code]);
  }

  /// What differs in this cycle; `stage_` is where the first does.
  std::vector<std::string> differences(std::size_t row, const sim::UnitInputs& in) {
    const std::vector<sim::UnitSample> expected = wave_.sample(in);
    std::vector<std::string> wrong;
    for (const std::size_t i : compared_) {
      if (!expected[i].valid) continue;
      const WaveSignal& signal = wave_.signals()[i];
      const Code found = value(row, signal.column, signal.format);
      if (found == expected[i].value) continue;
      if (wrong.empty()) stage_ = signal.scope.empty() ? signal.name : signal.scope[0] + " " + signal.scope[1];
      wrong.push_back(signal.column + ": expected " + text(found, signal.format) + " in the file, found " +
                      text(expected[i].value, signal.format));
    }
    return wrong;
  }
  static std::string text(Code code, const formats::Format* format) {
    if (format == nullptr) return std::to_string(static_cast<int>(code));
    return formats::code_text(code, *format) + " (" + formats::value_text(decode(code, *format)) + ")";
  }

  std::string path_;
  const formats::Format rm_format_ = formats::parse_format("uint3");
  CycleFile file_;
  sim::ClockedUnit unit_;
  UnitWave wave_;
  std::vector<std::size_t> compared_;
  std::size_t last_valid_ = 0;
  std::int64_t cycle_ = 0;
  std::string stage_;
};

}  // namespace

bool check_cycles(const sim::Datapath& datapath, const std::string& path, std::int64_t limit, std::ostream& out) {
  return CycleCheck(datapath, path).run(limit, out);
}

}  // namespace accsim::cli
