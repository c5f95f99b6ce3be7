#include "cli/vector_file.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "formats/error.h"
#include "formats/text.h"

namespace accsim::cli {
namespace {

using Field = std::string& (*)(VectorRow&);

const std::map<std::string, Field, std::less<>>& single_columns() {
  static const std::map<std::string, Field, std::less<>> columns = {
      {"acc_in", [](VectorRow& r) -> std::string& { return r.acc_in; }},
      {"acc_out", [](VectorRow& r) -> std::string& { return r.acc_out; }},
      {"output", [](VectorRow& r) -> std::string& { return r.output; }},
      {"product", [](VectorRow& r) -> std::string& { return r.product; }},
      {"flags", [](VectorRow& r) -> std::string& { return r.flags; }},
      {"rm", [](VectorRow& r) -> std::string& { return r.rm; }},
      {"seq", [](VectorRow& r) -> std::string& { return r.seq; }},
      {"step", [](VectorRow& r) -> std::string& { return r.step; }},
      {"op", [](VectorRow& r) -> std::string& { return r.op; }},
  };
  return columns;
}

/// What a column of the header means: an operand or a block's scale (with its index), or a single field.
struct Column {
  char operand = 0;
  bool is_scale = false;
  std::size_t index = 0;
  Field field = nullptr;
};

std::optional<Column> column_named(const std::string& name) {
  const auto single = single_columns().find(name);
  if (single != single_columns().end()) return Column{.field = single->second};
  if (name.empty() || (name[0] != 'a' && name[0] != 'b')) return std::nullopt;
  const bool is_scale = name.compare(1, 6, "_scale") == 0;
  const std::string index = name.substr(is_scale ? 7 : 1);
  if (index.find_first_not_of("0123456789") != std::string::npos || index.size() > 5) return std::nullopt;
  return Column{.operand = name[0], .is_scale = is_scale, .index = index.empty() ? 0 : std::stoul(index)};
}

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path), in_(path) {
    if (!in_) throw InputError(path, "cannot be read", "a CSV file of vectors");
  }

  VectorFile read() {
    std::string line;
    while (std::getline(in_, line)) {
      std::string_view text = line;
      if (columns_.empty() && text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark, as spreadsheets write it
      text = trimmed(text);
      if (text.starts_with("# datapath ")) {
        const std::size_t at = text.find("sha256:");
        if (at != std::string_view::npos) file_.datapath_digest = trimmed(text.substr(at));
      }
      if (text.empty() || text.starts_with('#')) continue;
      if (columns_.empty()) header(text);
      else row(text);
    }
    if (columns_.empty()) throw InputError(path_, "no header", "a header that names the columns a, b (or a0.., b0..), acc_out, ...");
    if (file_.rows.empty()) throw InputError(path_, "a header and no rows", "at least one row");
    return std::move(file_);
  }

 private:
  void header(std::string_view text) {
    for (const std::string& part : split(text, ',')) {
      const std::string name = lower_case(trimmed(part));
      const std::optional<Column> column = column_named(name);
      if (!column) file_.unknown_columns.push_back(name);
      if (column && column->operand != 0) {
        const bool is_a = column->operand == 'a';
        std::size_t& count = column->is_scale ? (is_a ? file_.a_scales : file_.b_scales) : is_a ? a_ : b_;
        if (column->index != count)
          throw InputError(path_ + ": header", "column " + name + " out of order",
                           column->is_scale ? "a_scale0, a_scale1, ... in order" : "a0, a1, ... and b0, b1, ... in order");
        ++count;
      }
      columns_.push_back(column.value_or(Column{}));
      file_.has_acc_in |= name == "acc_in";
      file_.has_acc_out |= name == "acc_out";
      file_.has_output |= name == "output";
      file_.has_product |= name == "product";
      file_.has_flags |= name == "flags";
      file_.has_rm |= name == "rm";
    }
    if (a_ == 0 || b_ == 0)
      throw InputError(path_ + ": header", std::string("no column ") + (a_ == 0 ? "a" : "b"), "a and b, or a0.. and b0..");
    if (a_ != b_)
      throw InputError(path_ + ": header", std::to_string(a_) + " columns of a and " + std::to_string(b_) + " of b", "as many of both");
    file_.terms = a_;
  }

  void row(std::string_view text) {
    const std::vector<std::string> cells = split(text, ',');
    if (cells.size() != columns_.size()) {
      throw InputError(path_ + ": row " + std::to_string(file_.rows.size()), std::to_string(cells.size()) + " cells",
                       std::to_string(columns_.size()) + ", as in the header");
    }
    VectorRow r;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string cell(trimmed(cells[i]));
      const Column& column = columns_[i];
      if (column.field != nullptr) column.field(r) = cell;
      if (column.is_scale) {
        (column.operand == 'a' ? r.a_scales : r.b_scales).push_back(cell);
        continue;
      }
      // Operands that a shorter issue does not have are empty cells at the end.
      if (column.operand != 0 && !cell.empty()) {
        std::vector<std::string>& operand = column.operand == 'a' ? r.a : r.b;
        if (operand.size() != column.index)
          throw InputError(path_ + ": row " + std::to_string(file_.rows.size()), "an empty operand before a given one",
                           "operands from the left");
        operand.push_back(cell);
      }
    }
    if (r.a.empty() || r.a.size() != r.b.size()) {
      throw InputError(path_ + ": row " + std::to_string(file_.rows.size()),
                       std::to_string(r.a.size()) + " codes of a and " + std::to_string(r.b.size()) + " of b",
                       "as many of both, at least one");
    }
    check_sequence(r);
    file_.rows.push_back(std::move(r));
  }

  /// A file whose rows were sorted, merged or lost would feed back the wrong accumulators.
  void check_sequence(VectorRow& r) {
    const auto refuse = [&](const std::string& found, const std::string& accepted) {
      throw InputError(path_ + ": row " + std::to_string(file_.rows.size()), found, accepted);
    };
    const bool continues = !file_.rows.empty() && file_.rows.back().seq == r.seq;
    if (!continues && !r.seq.empty() && !seen_.insert(r.seq).second)
      refuse("seq " + r.seq + " again after seq " + file_.rows.back().seq, "the rows of a sequence together");
    if (!continues) stride_.reset();
    if (r.step.empty()) return;
    if (!number(r.step, 16))
      throw InputError(path_ + ": row " + std::to_string(file_.rows.size()) + ": column step", "\"" + r.step + "\"", "a number");
    if (!continues || file_.rows.back().step.empty()) return;
    const std::string& before = file_.rows.back().step;
    if (number(r.step, 16) <= number(before, 16)) refuse("step " + r.step + " after step " + before, "steps that rise within a sequence");
    const Rise rise = {rise_of(before, r.step, 10), rise_of(before, r.step, 16)};
    if (!stride_) stride_ = rise;
    r.follows = (rise.decimal && rise.decimal == stride_->decimal) || rise.hexadecimal == stride_->hexadecimal;
  }

  /// From one step to the next, which may be decimal or hexadecimal: in order both rise.
  struct Rise {
    std::optional<std::uint64_t> decimal, hexadecimal;
  };
  static std::optional<std::uint64_t> rise_of(const std::string& before, const std::string& step, int base) {
    const auto from = number(before, base);
    const auto to = number(step, base);
    return from && to ? std::optional(*to - *from) : std::nullopt;
  }
  static std::optional<std::uint64_t> number(const std::string& text, int base) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
  }

  std::string path_;
  std::ifstream in_;
  std::vector<Column> columns_;
  std::size_t a_ = 0, b_ = 0;
  std::set<std::string> seen_;  ///< sequences
  std::optional<Rise> stride_;  ///< between the first two steps of the sequence
  VectorFile file_;
};

}  // namespace

VectorFile read_vectors(const std::string& path) { return Reader(path).read(); }

}  // namespace accsim::cli
