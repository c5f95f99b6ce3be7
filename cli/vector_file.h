// Vector files in CSV: the rows that an RTL simulation wrote (contracts 5).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "formats/format.h"

namespace accsim::cli {

/// One row, codes as they stand in the file; what a row does not have stays empty.
struct VectorRow {
  std::vector<std::string> a, b;
  std::vector<std::string> a_scales, b_scales;  ///< of block formats, a cell for each column; an empty one is a scale of 1
  std::string acc_in, acc_out, output, product, flags, rm, seq, step, op;
  bool follows = true;  ///< no row is missing before it in its sequence: `step` rises as it did between the sequence's first two rows
};

struct VectorFile {
  std::vector<VectorRow> rows;
  std::vector<std::string> unknown_columns;
  std::string datapath_digest;                        ///< "sha256:..." of the datapath that made the file, where a comment says so
  std::size_t terms = 0, a_scales = 0, b_scales = 0;  ///< columns of a (and b), and of scales
  bool has_acc_in = false, has_acc_out = false, has_output = false, has_product = false, has_flags = false, has_rm = false;
};

/// Reads the whole file. InputError names file, row and column: no header, no rows, a missing column, a row of another length, rows out of
/// sequence: `step` does not rise within a `seq`, or a `seq`, which is a name, comes again after another.
VectorFile read_vectors(const std::string& path);

}  // namespace accsim::cli
