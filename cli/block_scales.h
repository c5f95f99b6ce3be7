// Scales of block formats in the columns of vectors and cycles: a_scale, or a_scale0, a_scale1, ... where a row has several blocks.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "formats/block.h"
#include "formats/format.h"

namespace accsim::cli {

/// Name of the scale of block i of `blocks`.
std::string scale_name(char operand, std::size_t i, std::size_t blocks);

/// InputError where a file of rows of `terms` products has other scale columns than one for each block, or none.
void check_scale_columns(const std::string& path, char operand, const std::optional<formats::BlockFormat>& format, std::size_t columns,
                         std::size_t terms);

/// The scales of a row's blocks; an empty cell is 1. InputError names the column.
std::vector<formats::Code> scales_of(char operand, const std::vector<std::string>& cells, const std::optional<formats::BlockFormat>& format,
                                     std::size_t terms);

/// The code in a cell; InputError names the column.
formats::Code code_in(const std::string& column, const std::string& text, const formats::Format& format);

}  // namespace accsim::cli
