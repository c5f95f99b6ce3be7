#include "cli/block_scales.h"

#include "formats/error.h"
#include "formats/round.h"
#include "formats/value_text.h"

namespace accsim::cli {

using formats::Code;

std::string scale_name(char operand, std::size_t i, std::size_t blocks) {
  return std::string{operand} + "_scale" + (blocks == 1 ? "" : std::to_string(i));
}

void check_scale_columns(const std::string& path, char operand, const std::optional<formats::BlockFormat>& format, std::size_t columns,
                         std::size_t terms) {
  if (columns == 0) return;
  const std::string where = path + ": column " + operand + "_scale";
  if (!format)
    throw InputError(where, std::string("operand ") + operand + " has no block format", "a block format, for example --in mxfp8_e4m3");
  const std::size_t blocks = blocks_of(format, terms);
  if (columns != blocks) {
    throw InputError(where, std::to_string(columns) + (columns == 1 ? " column" : " columns"),
                     std::to_string(blocks) + ": rows of " + std::to_string(terms) + " products have a scale every " +
                         std::to_string(format->block) + "; or no column, where all scales are 1");
  }
}

std::vector<Code> scales_of(char operand, const std::vector<std::string>& cells, const std::optional<formats::BlockFormat>& format,
                            std::size_t terms) {
  std::vector<Code> codes;
  for (const std::string& text : cells) {
    const std::string column = std::string{operand} + "_scale" + std::to_string(codes.size());
    if (codes.size() * static_cast<std::size_t>(format->block) >= terms) {
      if (text.empty()) continue;
      throw InputError("column " + column, "a scale without a block: the row has " + std::to_string(terms) + " products", "an empty cell");
    }
    codes.push_back(text.empty() ? scale_one(*format) : code_in(column, text, format->scale));
  }
  return codes;
}

Code code_in(const std::string& column, const std::string& text, const formats::Format& format) {
  try {
    return formats::parse_code(text, format);
  } catch (const InputError& error) {
    throw error.inside("column " + column);
  }
}

}  // namespace accsim::cli
