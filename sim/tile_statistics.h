// What a tile's outputs are worth: each against the exact sum of its products.
#pragma once

#include <optional>
#include <vector>

#include "formats/round.h"
#include "sim/error_sums.h"
#include "sim/integer_bounds.h"
#include "sim/output_batch.h"
#include "sim/row_rounder.h"
#include "sim/simulate.h"
#include "sim/tile_pack.h"

namespace accsim::sim {

/// What one thread gathers of a layer.
struct LayerPart {
  explicit LayerPart(bool signal_is_reference) : errors(signal_is_reference), batch(signal_is_reference) {}
  void merge(const LayerPart& other);

  EventCounts events;
  ErrorSums errors;
  OutputBatch batch;  ///< flushed into `errors` at the end of a tile
  double max_abs_product = 0, max_abs_partial = 0, max_abs_output = 0;
  GuaranteedWidths guaranteed;
  int observed = 0;
  std::int64_t saved_cycles = 0;
  double simulate_seconds = 0, reference_seconds = 0;
  std::vector<int> spacings;                       ///< of the result's format by binade, as they are asked for
  std::vector<double> inverse_spacings;            ///< the same for RowRounder
  std::vector<formats::Int128> sums, traced_sums;  ///< of the tile at hand, kept for their memory
};

/// What one executed tile is looked at with. Rows and columns begin groups of the packed operands' integers.
struct ExecutedTile {
  std::int64_t group = 0;
  const PackedRows* a = nullptr;
  const PackedRows* b = nullptr;
  std::int64_t first_a = 0, rows = 0;     ///< within the packed rows of a
  std::int64_t first_b = 0, columns = 0;  ///< within those of b
  std::span<const std::int64_t> output_index;
  std::span<const formats::NarrowExact> accumulator;  ///< empty: none
  const TileResult* executed = nullptr;
};

/// The scales that one output is multiplied by to be in real units, exactly.
class OutputScales {
 public:
  OutputScales(const PassOperand& a, const PassOperand& b);
  /// Of the dataset alone, and with the scales of the quantization.
  static formats::Exact dataset(double a, double b);
  [[nodiscard]] formats::Exact real(double a, double b) const { return product(quantization_, dataset(a, b)); }

 private:
  formats::Exact quantization_;
};

class TileStatistics {
 public:
  /// All of them outlive the object.
  TileStatistics(const Datapath& datapath, const LayerProblem& problem, const PassOperand& a, const PassOperand& b, const PackPlan& plan);

  /// Adds the tile's outputs to `part`, and what is kept of them to `result`.
  void add(const ExecutedTile& tile, LayerPart& part, LayerResult& result) const;

  [[nodiscard]] bool signal_is_reference() const { return !a_.quantized && !b_.quantized; }
  /// The bias of an output in real units, exactly.
  [[nodiscard]] formats::Exact real_bias(std::int64_t group, std::int64_t column) const;

 private:
  struct Scale;

  bool outputs_are_sums(const ExecutedTile& tile, std::vector<formats::Int128>& sums) const;
  void set_scales(const ExecutedTile& tile, double scale_a, std::vector<Scale>& scales, RowRounder* rounder) const;
  void slow_output(const ExecutedTile& tile, std::int64_t r, std::int64_t c, const formats::Exact& scale, LayerPart& part,
                   LayerResult& result) const;
  bool fast_output(const ExecutedTile& tile, std::int64_t r, std::int64_t c, const Scale& scale, LayerPart& part,
                   LayerResult& result) const;
  void rounded_outputs(const ExecutedTile& tile, std::int64_t r, const kernels::RoundedRow& row, LayerPart& part,
                       LayerResult& result) const;
  void count_overflow(const formats::Exact& register_sum, LayerPart& part) const;
  [[nodiscard]] formats::Exact dot(const ExecutedTile& tile, std::int64_t r, std::int64_t c, bool traced, const LayerPart& part) const;
  [[nodiscard]] int spacing(int binade, LayerPart& part) const;
  void keep(LayerResult& result, std::size_t index, const formats::NarrowExact& y, double real_y, double reference) const;

  const Datapath& datapath_;
  const LayerProblem& problem_;
  const PassOperand& a_;
  const PassOperand& b_;
  const PackPlan& plan_;
  OutputScales scales_;
  formats::Rounder last_level_;
  std::optional<formats::Rounder> output_;  ///< the last conversion, where it does not depend on random bits
  bool has_sums_;                           ///< the integers' sums are made
  bool may_be_fast_;                        ///< and an output may be made of them alone
  bool may_be_lanes_;                       ///< and the lanes of RowRounder may do whole rows
  bool adds_step_by_step_;                  ///< and every step delivers a value of its own that counts as inexact where it is
};

/// The exact dot product of two rows.
formats::Exact exact_dot(std::span<const double> a, std::span<const double> b);
formats::Exact exact_dot(std::span<const formats::Exact> a, std::span<const formats::Exact> b);

}  // namespace accsim::sim
