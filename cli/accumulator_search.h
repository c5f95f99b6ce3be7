// The smallest float accumulator of every layer and pass that costs no more than some decibels, found on the trace itself.
#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "cli/layer_selection.h"

namespace accsim::cli {

struct AccumulatorOptions {
  double within_db = 0.5;          ///< below the SNDR that an exact sum of the same operands has
  std::optional<double> floor_db;  ///< instead: SNDR of the sum alone, whatever the operands lose
  std::string in_a = "e5m2", in_b = "e5m2";
  std::string rounding = "rne";
  std::vector<std::int64_t> chunks{1, 2, 4, 8, 16, 32, 64, 128, 256};
  std::int64_t outputs = 4096;  ///< of each pass, evenly spaced
  std::uint64_t seed = 0;
  int threads = 1;
};

/// One chunk size of one pass.
struct AccumulatorWidth {
  std::int64_t chunk = 1;                           ///< 1: no chunks
  std::optional<int> fraction_bits, exponent_bits;  ///< none: 23, or 8, are not enough
  std::optional<double> sndr_db;                    ///< there
  std::optional<double> less_fraction_db;           ///< with one fraction bit less
  std::optional<double> less_exponent_db;           ///< with one exponent bit less
  std::optional<double> variance_retention;         ///< Var(y) / Var(exact sum)
  int closed_form_fraction_bits = 0;                ///< by the recalled formula of the variance retention ratio, unverified
};
struct AccumulatorRow {
  std::string name, pass;
  std::int64_t k = 0, outputs = 0, sampled = 0;
  std::optional<double> target_db;
  double max_abs_partial = 0;
  std::vector<AccumulatorWidth> widths;
};

/// InputError: a format or rounding that there is none of, operands that lose nothing without `floor_db`.
std::vector<AccumulatorRow> search_accumulators(const traces::TraceFile& trace, const std::vector<Job>& jobs,
                                                const AccumulatorOptions& options);

void write_accumulator_table(std::ostream& out, const std::vector<AccumulatorRow>& rows, const AccumulatorOptions& options);
void write_accumulator_json(std::ostream& out, const std::vector<AccumulatorRow>& rows, const AccumulatorOptions& options,
                            const std::string& trace);
void write_accumulator_csv(std::ostream& out, const std::vector<AccumulatorRow>& rows);

}  // namespace accsim::cli
