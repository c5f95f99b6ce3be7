#include "cli/vector_writer.h"

#include "formats/value_text.h"

namespace accsim::cli {
namespace {

using formats::Code;
using formats::code_text;
using formats::Format;

std::string flags_text(unsigned flags) {
  constexpr std::string_view digits = "0123456789abcdef";
  return {digits[flags >> 4], digits[flags & 15U]};
}

std::string width_of(const Format& format) { return std::to_string(code_bits(format)) + " " + format.name; }

/// "a", or "a0,a1" where there are several.
std::string numbered(const std::string& name, std::size_t count, const std::string& separator) {
  if (count == 1) return name;
  std::string names;
  for (std::size_t i = 0; i < count; ++i) names += (i == 0 ? "" : separator) + name + std::to_string(i);
  return names;
}

class Writer {
 public:
  Writer(std::ostream& out, const VectorHeading& heading, const sim::IssueModel& model) : out_(out), h_(heading), model_(model) {}

  void heading(const std::string& comment) {
    out_ << comment << " accsim vectors " << h_.version << ": " << h_.rows << " rows, " << h_.stimulus << "\n"
         << comment << " datapath " << h_.datapath << " " << h_.digest << "\n"
         << comment << " bits and format: a " << width_of(model_.a_format()) << "; b " << width_of(model_.b_format());
    for (const Scales& s : {a_scales_, b_scales_}) {
      if (s.blocks) out_ << "; " << s.name << " " << width_of(s.blocks->scale) << " every " << s.blocks->block;
    }
    if (h_.has_accumulator) out_ << "; acc_in " << width_of(model_.in_format());
    out_ << "; acc_out " << width_of(model_.out_format());
    if (h_.has_output) out_ << "; output " << width_of(*model_.output_format());
    if (h_.has_product) out_ << "; product " << width_of(*model_.product_format());
    out_ << "; flags 5, NV DZ OF UF NX\n";
  }

  void csv(const std::vector<GoldenRow>& rows) {
    heading("#");
    out_ << field_names(",") << (h_.has_accumulator ? ",acc_in" : "") << ",acc_out" << (h_.has_output ? ",output" : "")
         << (h_.has_product ? ",product" : "") << ",flags" << (h_.has_rm ? ",rm" : "") << (h_.has_op ? ",op" : "") << ",seq,step\n";
    std::string_view kind;
    for (const GoldenRow& row : rows) {
      if (row.kind != kind) out_ << "# " << row.kind << "\n";
      kind = row.kind;
      cells(row.a, h_.terms, model_.a_format());
      cells(row.b, h_.terms, model_.b_format());
      if (a_scales_.blocks) cells(row.a_scales, a_scales_.count, a_scales_.blocks->scale);
      if (b_scales_.blocks) cells(row.b_scales, b_scales_.count, b_scales_.blocks->scale);
      if (h_.has_accumulator) out_ << code_text(row.accumulator, model_.in_format()) << ",";
      out_ << code_text(row.result.accumulator, model_.out_format()) << ",";
      if (h_.has_output) out_ << code_text(*row.result.output, *model_.output_format()) << ",";
      if (h_.has_product) out_ << code_text(*row.result.product, *model_.product_format()) << ",";
      out_ << flags_text(row.result.flags) << ",";
      if (h_.has_rm) out_ << row.rm << ",";
      if (h_.has_op) out_ << (row.subtract ? "sub" : "add") << ",";
      out_ << row.seq << "," << row.step << "\n";
    }
  }

  void words(const std::vector<GoldenRow>& rows, const std::string& separator, bool first) {
    for (const GoldenRow& row : rows) {
      if (first) out_ << (row.step == 0 ? "1" : "0") << separator;
      for (const Code code : row.a) out_ << code_text(code, model_.a_format()) << separator;
      for (const Code code : row.b) out_ << code_text(code, model_.b_format()) << separator;
      for (const Code code : row.a_scales) out_ << code_text(code, a_scales_.blocks->scale) << separator;
      for (const Code code : row.b_scales) out_ << code_text(code, b_scales_.blocks->scale) << separator;
      if (h_.has_accumulator) out_ << code_text(row.accumulator, model_.in_format()) << separator;
      out_ << code_text(row.result.accumulator, model_.out_format()) << separator << flags_text(row.result.flags) << "\n";
    }
  }

  void readmemh(const std::vector<GoldenRow>& rows) {
    heading("//");
    const auto digits = [](const Format& format) { return (code_bits(format) + 3) / 4; };
    const int each = digits(model_.a_format()) + digits(model_.b_format());
    int scales = 0;
    for (const Scales& s : {a_scales_, b_scales_}) {
      if (s.blocks) scales += static_cast<int>(s.count) * digits(s.blocks->scale);
    }
    const int all = 3 + static_cast<int>(h_.terms) * each + scales + (h_.has_accumulator ? digits(model_.in_format()) : 0) +
                    digits(model_.out_format());
    out_ << "// " << all * 4 << " bits a word, fields from the top, each in whole hexadecimal digits: {first, " << field_names(", ")
         << (h_.has_accumulator ? ", acc_in" : "") << ", acc_out, flags}\n";
    words(rows, "", true);
  }

 private:
  /// The scale columns of an operand in a block format.
  struct Scales {
    std::string name;
    const std::optional<formats::BlockFormat>& blocks;
    std::size_t count;
  };
  [[nodiscard]] Scales scales_of(const char* name, const std::optional<formats::BlockFormat>& blocks) const {
    return {name, blocks, blocks_of(blocks, h_.terms)};
  }
  /// Operands, and scales where there are.
  [[nodiscard]] std::string field_names(const std::string& separator) const {
    std::string names = numbered("a", h_.terms, separator) + separator + numbered("b", h_.terms, separator);
    for (const Scales& s : {a_scales_, b_scales_}) {
      if (s.blocks) names += separator + numbered(s.name, s.count, separator);
    }
    return names;
  }

  void cells(const std::vector<Code>& codes, std::size_t count, const Format& format) {
    for (std::size_t i = 0; i < count; ++i) out_ << (i < codes.size() ? code_text(codes[i], format) : "") << ",";
  }

  std::ostream& out_;
  const VectorHeading& h_;
  const sim::IssueModel& model_;
  Scales a_scales_ = scales_of("a_scale", model_.a_blocks()), b_scales_ = scales_of("b_scale", model_.b_blocks());
};

}  // namespace

void write_vectors(std::ostream& out, VectorForm form, const VectorHeading& heading, const sim::IssueModel& model,
                   const std::vector<GoldenRow>& rows) {
  Writer writer(out, heading, model);
  switch (form) {
    case VectorForm::csv: return writer.csv(rows);
    case VectorForm::testfloat: return writer.words(rows, " ", false);
    case VectorForm::readmemh: return writer.readmemh(rows);
  }
}

}  // namespace accsim::cli
