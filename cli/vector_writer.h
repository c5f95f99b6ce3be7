// Stimulus and golden results as files: csv (contracts 5), TestFloat's text, words for $readmemh.
#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "sim/issue_model.h"

namespace accsim::cli {

enum class VectorForm { csv, testfloat, readmemh };

/// One row of stimulus with what the datapath makes of it.
struct GoldenRow {
  std::vector<formats::Code> a, b, a_scales, b_scales;
  formats::Code accumulator = 0;
  std::string rm;  ///< empty: the datapath's own roundings
  bool subtract = false;
  std::int64_t seq = 0, step = 0;
  std::string kind;  ///< class of stimulus, or the traced layer's name
  sim::IssueResult result;
};

/// What stands above the rows.
struct VectorHeading {
  std::string version, datapath, digest, stimulus;
  std::int64_t rows = 0;
  std::size_t terms = 1;  ///< operand columns
  bool has_accumulator = true, has_output = false, has_product = false, has_rm = false, has_op = false;
};

/// csv: every column of contracts 5 that the rows have. testfloat: operands, expected, flags; no heading, as TestFloat's tools read none.
/// readmemh: a word a row, the cells {first, a.., b.., a_scale.., b_scale.., acc_in, acc_out, flags} of the csv form side by side, `first`
/// being 1 where a sequence starts; scales are there for block formats. The heading names fields, widths and digest. The last two have
/// neither rm nor op nor short rows.
void write_vectors(std::ostream& out, VectorForm form, const VectorHeading& heading, const sim::IssueModel& model,
                   const std::vector<GoldenRow>& rows);

}  // namespace accsim::cli
