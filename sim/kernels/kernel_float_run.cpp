#include "sim/kernels/kernel_float_run.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>

#include "sim/interpreter.h"
#include "sim/kernels/kernel_float_proof.h"

namespace accsim::sim::kernels {
namespace {

using formats::Exact;
using formats::NarrowExact;

/// Memory for lanes, aligned to their widest register.
class LaneBuffer {
 public:
  explicit LaneBuffer(std::size_t bytes) : bytes_(bytes), memory_(static_cast<std::byte*>(::operator new(bytes + 64, alignment))) {
    std::fill_n(memory_.get(), bytes + 64, std::byte{0});
  }
  [[nodiscard]] void* at(std::size_t byte) const { return memory_.get() + byte; }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Free {
    void operator()(std::byte* p) const { ::operator delete(p, alignment); }
  };
  std::size_t bytes_;
  std::unique_ptr<std::byte, Free> memory_;
};

OperandFacts facts_of(const FloatScan& scan) {
  OperandFacts facts;
  facts.nonfinite = scan.nonfinite;
  if (scan.largest == 0) return facts;
  facts.precision = 53 - std::countr_zero(scan.fractions | (1ULL << 52));
  facts.lowest = std::ilogb(std::bit_cast<double>(scan.lowest));
  facts.highest = std::ilogb(std::bit_cast<double>(scan.largest));
  return facts;
}

/// The largest exact partial sum among the steps that the lanes tell of.
struct LargestPartial {
  Exact largest = Exact::zero();
  static void see(void* context, double accumulator, double a, double b) {
    auto& self = *static_cast<LargestPartial*>(context);
    const Exact sum = formats::sum(formats::from_double<formats::Wide>(accumulator),
                                   formats::product(formats::from_double<formats::Wide>(a), formats::from_double<formats::Wide>(b)));
    if (sum.is_nonzero_finite() && compare_magnitude(sum, self.largest) > 0) self.largest = magnitude(sum);
  }
};

class TileRun {
 public:
  TileRun(const FloatLaneSet& set, const Datapath& datapath, const Tile& tile, TileResult& result)
      : set_(set), datapath_(datapath), tile_(tile), result_(result) {}

  void run() {
    if (!tile_.a_exact.empty() || !tile_.b_exact.empty() || tile_.watch_tiny || tile_.rows == 0 || tile_.columns == 0 || !prepare())
      return interpreter().run(datapath_, tile_, result_);
    result_ = {};
    const auto outputs = static_cast<std::size_t>(tile_.rows * tile_.columns);
    result_.numbers.resize(outputs);
    result_.overflowed.resize(outputs);
    see_products();
    pack();
    run_blocks();
    largest_partial();
    interpret_nonfinite();
  }

 private:
  /// Scans the operands, proves the tile, looks at C. False: the interpreter takes the tile.
  bool prepare() {
    FloatScan a;
    FloatScan b;
    bad_rows_ = scan(tile_.a, tile_.rows, a);
    bad_columns_ = scan(tile_.b, tile_.columns, b);
    const LayerFacts facts{.a = facts_of(a),
                           .b = facts_of(b),
                           .k = tile_.k,
                           .a_emin = tile_.a_emin,
                           .b_emin = tile_.b_emin,
                           .has_accumulator = !tile_.accumulator.empty()};
    lanes_ = &set_.lanes32;
    proof_ = prove_float(datapath_, facts, binary32_lanes, set_.has_fma);
    if (!proof_.refusal.empty()) {
      lanes_ = &set_.lanes64;
      proof_ = prove_float(datapath_, facts, binary64_lanes, set_.has_fma);
    }
    if (!proof_.refusal.empty()) return false;
    place_generators(proof_.plan, datapath_, tile_);
    word_bytes_ = proof_.lane.binary64 ? 8 : 4;
    return std::all_of(tile_.accumulator.begin(), tile_.accumulator.end(), [](const NarrowExact& c) { return c.is_finite(); });
  }

  /// Which lines hold infinities or NaN.
  std::vector<char> scan(std::span<const double> values, std::int64_t lines, FloatScan& all) const {
    std::vector<char> bad(static_cast<std::size_t>(lines), 0);
    for (std::int64_t line = 0; line < lines; ++line) {
      FloatScan one;
      std::swap(one.nonfinite, all.nonfinite);
      set_.lanes64.scan(values.data() + line * tile_.k, tile_.k, all);
      bad[static_cast<std::size_t>(line)] = all.nonfinite ? 1 : 0;
      all.nonfinite |= one.nonfinite;
    }
    return bad;
  }

  /// Of each term the largest magnitudes meet; binary64's product is the exact one rounded once.
  void see_products() {
    std::vector<double> a(static_cast<std::size_t>(tile_.k), 0.0);
    std::vector<double> b(static_cast<std::size_t>(tile_.k), 0.0);
    const auto see = [this](std::span<const double> values, const std::vector<char>& bad, std::vector<double>& largest) {
      for (std::size_t line = 0; line < bad.size(); ++line) {
        if (bad[line] != 0) continue;
        const double* row = values.data() + line * static_cast<std::size_t>(tile_.k);
        for (std::size_t k = 0; k < largest.size(); ++k) largest[k] = std::max(largest[k], std::fabs(row[k]));
      }
    };
    see(tile_.a, bad_rows_, a);
    see(tile_.b, bad_columns_, b);
    for (std::size_t k = 0; k < a.size(); ++k) result_.max_abs_product = std::max(result_.max_abs_product, a[k] * b[k]);
  }

  struct Group {
    std::int64_t first = 0, columns = 0;
    int vectors = 0;
    std::size_t operands = 0;  ///< byte in b_
  };

  void pack() {
    const std::vector<std::int64_t> order =
        datapath_.product.permute.empty() ? std::vector<std::int64_t>{} : term_order(datapath_, tile_.k);
    const std::int64_t* by = order.empty() ? nullptr : order.data();
    rows_ = (tile_.rows + row_multiple - 1) / row_multiple * row_multiple;
    a_ = std::make_unique<LaneBuffer>(static_cast<std::size_t>(rows_ * tile_.k) * word_bytes_);
    for (std::int64_t row = 0; row < tile_.rows; ++row) {
      if (bad_rows_[static_cast<std::size_t>(row)] == 0)
        lanes_->pack(tile_.a.data() + row * tile_.k, by, tile_.k, std::ldexp(1.0, proof_.scale_a), a_->at(a_byte(row)), 1);
    }
    const std::int64_t lanes = lanes_->lanes;
    std::size_t bytes = 0;
    for (std::int64_t first = 0; first < tile_.columns; first += lanes * lanes_->vectors) {
      const std::int64_t columns = std::min(tile_.columns - first, lanes * lanes_->vectors);
      groups_.push_back({first, columns, static_cast<int>((columns + lanes - 1) / lanes), bytes});
      bytes += static_cast<std::size_t>(groups_.back().vectors * lanes * tile_.k) * word_bytes_;
    }
    b_ = std::make_unique<LaneBuffer>(bytes);
    for (const Group& g : groups_) {
      for (std::int64_t c = 0; c < g.columns; ++c) {
        if (bad_columns_[static_cast<std::size_t>(g.first + c)] != 0) continue;
        lanes_->pack(tile_.b.data() + (g.first + c) * tile_.k, by, tile_.k, std::ldexp(1.0, proof_.scale_b),
                     b_->at(g.operands + static_cast<std::size_t>(c) * word_bytes_), g.vectors * lanes);
      }
    }
    const std::size_t width = static_cast<std::size_t>(lanes_->rows * lanes_->vectors) * static_cast<std::size_t>(lanes);
    scratch_ = std::make_unique<LaneBuffer>(static_cast<std::size_t>(proof_.scratch_slots * lanes_->register_bytes));
    initial_ = std::make_unique<LaneBuffer>(width * word_bytes_);
    lane_results_ = std::make_unique<LaneBuffer>(width * word_bytes_);
    low_.resize(width);
    high_.resize(width);
    overflowed_.resize(width);
  }
  [[nodiscard]] std::size_t a_byte(std::int64_t row) const { return static_cast<std::size_t>(row * tile_.k) * word_bytes_; }

  /// A block of the general loop.
  FloatBlock block_at(const Group& g, std::int64_t row) {
    FloatBlock block;
    block.k = tile_.k;
    block.rows = lanes_->rows;
    block.vectors = g.vectors;
    block.a = a_->at(a_byte(row));
    block.a_stride = tile_.k;
    block.b = b_->at(g.operands);
    block.output_low = low_.data();
    block.output_high = high_.data();
    block.scratch = scratch_->at(0);
    block.results = lane_results_->at(0);
    block.overflowed = overflowed_.data();
    const std::int64_t stride = g.vectors * lanes_->lanes;
    if (!tile_.accumulator.empty()) block.initial = initial_->at(0);
    for (std::int64_t r = 0; r < block.rows; ++r) {
      for (std::int64_t c = 0; c < stride; ++c) {
        const bool real = row + r < tile_.rows && c < g.columns;
        const auto at = static_cast<std::size_t>(r * stride + c);
        const auto output = static_cast<std::size_t>((row + r) * tile_.columns + g.first + c);
        const auto index = real ? static_cast<std::uint64_t>(tile_.output_index[output]) : 0;
        low_[at] = static_cast<std::uint32_t>(index);
        high_[at] = static_cast<std::uint32_t>(index >> 32);
        if (!tile_.accumulator.empty())
          store(*initial_, at, real && !is_bad(row + r, g.first + c) ? lane_value(tile_.accumulator[output]) : 0.0);
      }
    }
    return block;
  }
  [[nodiscard]] bool is_bad(std::int64_t row, std::int64_t column) const {
    return bad_rows_[static_cast<std::size_t>(row)] != 0 || bad_columns_[static_cast<std::size_t>(column)] != 0;
  }
  [[nodiscard]] double lane_value(const NarrowExact& x) const { return to_double(scaled(x, proof_.scale())); }
  void store(const LaneBuffer& buffer, std::size_t at, double x) const {
    if (proof_.lane.binary64) static_cast<double*>(buffer.at(0))[at] = x;
    else static_cast<float*>(buffer.at(0))[at] = static_cast<float>(x);
  }
  [[nodiscard]] double load(const LaneBuffer& buffer, std::size_t at) const {
    return proof_.lane.binary64 ? static_cast<const double*>(buffer.at(0))[at] : double{static_cast<const float*>(buffer.at(0))[at]};
  }

  void run_blocks() {
    for (const Group& g : groups_) {
      for (std::int64_t row = 0; row < tile_.rows; row += lanes_->rows) {
        FloatBlock block = block_at(g, row);
        lanes_->run(proof_.plan, block);
        for (std::size_t e = 0; e < float_events; ++e) result_.events.counts[e] += block.events[e];
        keep(g, row, block);
        largest_.push_back(block.largest);
      }
    }
  }

  void keep(const Group& g, std::int64_t row, const FloatBlock& block) {
    const std::int64_t stride = g.vectors * lanes_->lanes;
    for (std::int64_t r = 0; r < block.rows && row + r < tile_.rows; ++r) {
      for (std::int64_t c = 0; c < g.columns; ++c) {
        const auto at = static_cast<std::size_t>(r * stride + c);
        const auto output = static_cast<std::size_t>((row + r) * tile_.columns + g.first + c);
        result_.numbers[output] = std::ldexp(load(*lane_results_, at), -proof_.scale());
        result_.overflowed[output] = static_cast<char>(overflowed_[at]);
      }
    }
  }

  /// A largest sum that was rounded to odd and is even is exact. Otherwise its steps are done once more and looked at.
  void largest_partial() {
    const std::uint64_t largest = *std::max_element(largest_.begin(), largest_.end());
    Exact exact = formats::from_double<formats::Wide>(
        proof_.lane.binary64 ? std::bit_cast<double>(largest) : double{std::bit_cast<float>(static_cast<std::uint32_t>(largest))});
    if ((largest & 1) != 0) {
      LargestPartial seen;
      std::size_t i = 0;
      for (const Group& g : groups_) {
        for (std::int64_t row = 0; row < tile_.rows; row += lanes_->rows, ++i) {
          if (largest_[i] != largest) continue;
          FloatBlock block = block_at(g, row);
          block.see = LargestPartial::see;
          block.see_context = &seen;
          block.watched = largest;
          lanes_->run(proof_.plan, block);
        }
      }
      exact = seen.largest;
    }
    result_.max_abs_partial = to_double(scaled(exact, -proof_.scale()));
  }

  void interpret_nonfinite() {
    for (std::int64_t row = 0; row < tile_.rows; ++row) {
      for (std::int64_t column = 0; column < tile_.columns; ++column) {
        if (is_bad(row, column)) interpret(row, column);
      }
    }
  }

  /// One output by the interpreter.
  void interpret(std::int64_t row, std::int64_t column) {
    const auto at = static_cast<std::size_t>(row * tile_.columns + column);
    Tile one = tile_;
    one.rows = one.columns = 1;
    one.a = tile_.a.subspan(static_cast<std::size_t>(row * tile_.k), static_cast<std::size_t>(tile_.k));
    one.b = tile_.b.subspan(static_cast<std::size_t>(column * tile_.k), static_cast<std::size_t>(tile_.k));
    one.output_index = tile_.output_index.subspan(at, 1);
    if (!tile_.accumulator.empty()) one.accumulator = tile_.accumulator.subspan(at, 1);
    TileResult r;
    interpreter().run(datapath_, one, r);
    result_.numbers[at] = to_double(r.outputs.front());
    result_.overflowed[at] = r.overflowed.front();
    result_.events.merge(r.events);
    result_.max_abs_product = std::max(result_.max_abs_product, r.max_abs_product);
    result_.max_abs_partial = std::max(result_.max_abs_partial, r.max_abs_partial);
  }

  static constexpr std::int64_t row_multiple = 4;
  const FloatLaneSet& set_;
  const Datapath& datapath_;
  const Tile& tile_;
  TileResult& result_;
  const FloatLanes* lanes_ = nullptr;
  FloatProof proof_;
  std::size_t word_bytes_ = 4;
  std::int64_t rows_ = 0;
  std::vector<char> bad_rows_, bad_columns_;
  std::vector<Group> groups_;
  std::unique_ptr<LaneBuffer> a_, b_, scratch_, initial_, lane_results_;
  std::vector<std::uint32_t> low_, high_;
  std::vector<unsigned char> overflowed_;
  std::vector<std::uint64_t> largest_;
};

}  // namespace

void run_float_tile(const FloatLaneSet& set, const Datapath& datapath, const Tile& tile, TileResult& result) {
  TileRun(set, datapath, tile, result).run();
}

}  // namespace accsim::sim::kernels
