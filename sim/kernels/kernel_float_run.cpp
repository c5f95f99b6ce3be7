#include "sim/kernels/kernel_float_run.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <optional>

#include "sim/interpreter.h"
#include "sim/kernels/flushed_tile.h"
#include "sim/kernels/kernel_float_binary64.h"
#include "sim/kernels/kernel_float_products.h"
#include "sim/kernels/packed_integers.h"

namespace accsim::sim::kernels {
namespace {

using formats::Exact;
using formats::NarrowExact;

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
    const auto is_finite = [](const NarrowExact& c) { return c.is_finite(); };
    if (tile_.rows == 0 || tile_.columns == 0 || !std::all_of(tile_.accumulator.begin(), tile_.accumulator.end(), is_finite))
      return interpreter().run(datapath_, tile_, result_);
    lines_.emplace(set_.lanes64, datapath_, tile_);
    if (!prepare()) {
      if (!run_binary64_tile(set_, datapath_, tile_, *lines_, result_)) interpreter().run(datapath_, tile_, result_);
      return;
    }
    result_ = {};
    result_.numbers.resize(static_cast<std::size_t>(tile_.rows * tile_.columns));
    result_.overflowed.resize(result_.numbers.size());
    const FloatPlan& plan = general_->proof().plan;
    products_.emplace(set_, datapath_, tile_, lines_->bad_rows(), lines_->bad_columns(), lines_->a_cache(), lines_->b_cache(),
                      plan.rounded_product && plan.fast != FloatFast::none, plan.products_fit || !truncates());
    result_.max_abs_product = products_->largest();
    if (native_) {
      run_fast(*native_);
    } else if (may_run_fast()) {
      exact_sums_ = truncates();
      run_fast(*general_);
    } else {
      run_general(0, general_->groups().size(), 0, tile_.rows);
    }
    find_largest_partial();
    interpret_bad_lines(datapath_, tile_, *lines_, result_);
  }

 private:
  /// A block that has run: where, and its largest partial sum.
  struct Ran {
    std::size_t group;
    std::int64_t row;
    int rows;
    std::uint64_t largest;
    const LaneTile* to_measure;  ///< not null: `largest` was not rounded to odd, but keeps order among these lanes
  };

  /// Proves the tile. False: not on lanes that are wider than its sums.
  bool prepare() {
    FloatProof proof = prove_float(datapath_, lines_->facts(), binary32_lanes, set_.means);
    if (!proof.refusal.empty()) proof = prove_float(datapath_, lines_->facts(), binary64_lanes, set_.means);
    if (!proof.refusal.empty()) return false;
    const bool wide = proof.lane.binary64;
    lines_->place(general_, std::move(proof), wide ? set_.lanes64 : set_.lanes32, datapath_);
    if (!wide) return true;
    FloatProof native = prove_native_float(datapath_, lines_->facts(), set_.means);
    if (native.refusal.empty()) lines_->place(native_, std::move(native), set_.lanes32, datapath_);
    return true;
  }

  /// The fast loops leave products' events to the tile.
  [[nodiscard]] bool truncates() const { return general_->proof().plan.fast == FloatFast::truncated; }

  [[nodiscard]] bool may_run_fast() const {
    const FloatPlan& plan = general_->proof().plan;
    if (plan.fast == FloatFast::none) return false;
    return products_->few_events();
  }

  /// Fast blocks; one that proves void afterwards is done again by the loop that lets sums saturate, and so are those after it, or by the
  /// general one; zeros whose sign is not known, which come as NaN, are the general loop's too.
  void run_fast(LaneTile& fast_lanes) {
    LaneTile* lanes = &fast_lanes;
    FloatFast fast = lanes->proof().plan.packed ? FloatFast::packed : lanes->proof().plan.fast;
    const FloatFast first = fast;
    const int rows = lanes->lanes().fast_rows;
    std::int64_t kept = 0;
    bool all_fast = true;
    for (std::size_t g = 0; g < lanes->groups().size(); ++g) {
      const ColumnGroup& group = lanes->groups()[g];
      for (std::int64_t row = 0; row < tile_.rows; row += rows) {
        const std::int64_t last = std::min(row + rows, tile_.rows);
        if (products_->overflows(group.first, group.columns, row, last)) {
          all_fast = false;
          redo(group, row, last);
          continue;
        }
        FloatBlock block = lanes->block(g, row, rows);
        lanes->lanes().run_fast(lanes->proof().plan, fast, block);
        const bool beyond = fast == first && block.largest > lanes->proof().plan.fast_bound;
        if (beyond) exact_sums_ = false;
        if (beyond && fast != FloatFast::packed) {
          LaneTile* const before = lanes;
          if (lanes->proof().plan.fast_saturating == FloatFast::none) lanes = &*general_;  // of the same lanes, or without that loop too
          if (lanes->proof().plan.fast_saturating == FloatFast::none) {
            lanes = before;
            all_fast = false;
            redo(group, row, last);
            continue;
          }
          fast = lanes->proof().plan.fast_saturating;
          block = lanes->block(g, row, rows);
          lanes->lanes().run_fast(lanes->proof().plan, fast, block);
        }
        add_events(block);
        kept += block.products_kept;
        const bool unknown = keep(*lanes, g, row, last, fast != first || fast == FloatFast::packed);
        ran_.push_back(ran_fast(*lanes, {g, row, rows, block.largest, nullptr}, fast));
        if (unknown) general_results(group, row, last);
      }
    }
    if (truncates()) count_products(kept, all_fast);
  }

  /// Sums that were rounded to odd, or are exact, are kept in the general lanes' unit. What the loops that saturate by themselves see
  /// beyond the lane is neither, nor is what is left of the largest sum where halves are packed.
  [[nodiscard]] static Ran ran_fast(const LaneTile& lanes, Ran r, FloatFast fast) {
    if (r.largest != 0 &&
        (fast == FloatFast::native || fast == FloatFast::native_tree || fast == FloatFast::saturated || fast == FloatFast::packed))
      r.to_measure = &lanes;
    return r;
  }

  void count_products(std::int64_t kept, bool all_fast) {
    const FloatPlan& plan = general_->proof().plan;
    if (all_fast) {
      result_.events[Event::product_underflow] = products_->nonzero() - kept;
      if (!plan.products_fit) result_.events[Event::product_inexact] = products_->nonzero() - products_->exact();
      return;
    }
    // Some blocks counted for themselves: the rest of the products are those of the tile without theirs.
    result_.events[Event::product_underflow] += (products_->nonzero() - redone_nonzero_) - kept;
    if (!plan.products_fit) {
      result_.events[Event::product_inexact] -= redone_inexact_;
      result_.events[Event::product_inexact] += products_->nonzero() - products_->exact();
    }
  }

  /// Columns first..first+columns of rows row..last by the general loop, counted.
  void redo(const ColumnGroup& at, std::int64_t row, std::int64_t last) {
    exact_sums_ = false;
    const std::int64_t before = result_.events[Event::product_inexact];
    for_general_groups(at, [&](std::size_t g) { run_general(g, g + 1, row, last); });
    redone_inexact_ += result_.events[Event::product_inexact] - before;
    if (truncates()) redone_nonzero_ += nonzero_products(at, row, last);
  }

  /// Products that are not zero in a part of the tile.
  [[nodiscard]] std::int64_t nonzero_products(const ColumnGroup& at, std::int64_t row, std::int64_t last) const {
    std::int64_t count = 0;
    const auto nonzero_at = [&](std::span<const double> values, const std::vector<char>& bad, std::int64_t first, std::int64_t end,
                                std::int64_t k) {
      std::int64_t n = 0;
      for (std::int64_t line = first; line < end; ++line)
        n += bad[static_cast<std::size_t>(line)] == 0 && values[static_cast<std::size_t>(line * tile_.k + k)] != 0 ? 1 : 0;
      return n;
    };
    for (std::int64_t k = 0; k < tile_.k; ++k)
      count += nonzero_at(tile_.a, lines_->bad_rows(), row, last, k) *
               nonzero_at(tile_.b, lines_->bad_columns(), at.first, at.first + at.columns, k);
    return count;
  }

  template <class Do>
  void for_general_groups(const ColumnGroup& at, Do&& with) {
    const std::vector<ColumnGroup>& groups = general_->groups();
    for (std::size_t g = 0; g < groups.size(); ++g) {
      if (groups[g].first < at.first + at.columns && at.first < groups[g].first + groups[g].columns) with(g);
    }
  }

  void run_general(std::size_t first_group, std::size_t last_group, std::int64_t first_row, std::int64_t last_row) {
    const int rows = general_->lanes().rows;
    for (std::size_t g = first_group; g < last_group; ++g) {
      for (std::int64_t row = first_row; row < last_row; row += rows) {
        FloatBlock block = general_->block(g, row, rows);
        general_->lanes().run(general_->proof().plan, block);
        add_events(block);
        keep(*general_, g, row, std::min(last_row, row + rows), true);
        ran_.push_back({g, row, rows, block.largest, nullptr});
      }
    }
  }

  /// The same for results alone: their events are counted.
  void general_results(const ColumnGroup& at, std::int64_t first_row, std::int64_t last_row) {
    const int rows = general_->lanes().rows;
    for_general_groups(at, [&](std::size_t g) {
      for (std::int64_t row = first_row; row < last_row; row += rows) {
        FloatBlock block = general_->block(g, row, rows);
        general_->lanes().run(general_->proof().plan, block);
        keep(*general_, g, row, std::min(last_row, row + rows), true);
      }
    });
  }

  void add_events(const FloatBlock& block) {
    for (std::size_t e = 0; e < float_events; ++e) result_.events.counts[e] += block.events[e];
  }

  /// Takes the results of the block last run; true where one is NaN.
  bool keep(const LaneTile& lanes, std::size_t group, std::int64_t row, std::int64_t last_row, bool with_flags) {
    const ColumnGroup& g = lanes.groups()[group];
    const FloatPlan& plan = lanes.proof().plan;
    const bool keeps_negative_zero = plan.level[plan.levels - 1].rounding.keeps_negative_zero;
    bool unknown = false;
    for (std::int64_t r = row; r < std::min(last_row, tile_.rows); ++r) {
      double* out = result_.numbers.data() + r * tile_.columns + g.first;
      lanes.results(r - row, g, out);
      for (std::int64_t c = 0; c < g.columns; ++c) {
        if (!keeps_negative_zero) out[c] += 0.0;  // -0 becomes 0
        unknown |= out[c] != out[c];
      }
      if (with_flags) std::copy_n(lanes.overflowed(r - row, g), g.columns, result_.overflowed.begin() + r * tile_.columns + g.first);
    }
    return unknown;
  }

  static Exact lane_value(const LaneTile& lanes, std::uint64_t bits) {
    return formats::from_double<formats::Wide>(
        lanes.proof().lane.binary64 ? std::bit_cast<double>(bits) : double{std::bit_cast<float>(static_cast<std::uint32_t>(bits))});
  }

  /// A largest sum that was rounded to odd and is even is exact; otherwise its steps are done once more and looked at. Where sums were
  /// rounded to nearest, the blocks with the largest are done on the other lanes first.
  void find_largest_partial() {
    const auto largest_on = [&](const LaneTile* lanes) {  // each has a unit of its own
      std::uint64_t largest = 0;
      for (const Ran& r : ran_) largest = r.to_measure == lanes ? std::max(largest, r.largest) : largest;
      return largest;
    };
    const std::uint64_t largest_general = largest_on(&*general_);
    const std::uint64_t largest_other = largest_on(native_ ? &*native_ : nullptr);
    std::vector<Ran> odd;
    for (const Ran& r : ran_) {
      if (r.to_measure == nullptr) odd.push_back(r);
      else if (r.largest == (r.to_measure == &*general_ ? largest_general : largest_other)) measure(r, odd);
    }
    std::uint64_t largest = 0;
    for (const Ran& r : odd) largest = std::max(largest, r.largest);
    Exact exact = lane_value(*general_, largest);
    if ((largest & 1) != 0 && !exact_sums_) {
      LargestPartial seen;
      for (const Ran& r : odd) {
        if (r.largest == largest) look(r, largest, seen);
      }
      exact = seen.largest;
    }
    result_.max_abs_partial = to_double(scaled(exact, -general_->proof().scale()));
  }
  void measure(const Ran& ran, std::vector<Ran>& odd) {
    const FloatPlan& plan = general_->proof().plan;
    if (plan.packed && ran.largest <= plan.fast_bound) {  // its sums are exact in the lane
      FloatBlock block = general_->block(ran.group, ran.row, ran.rows);
      general_->lanes().run_fast(plan, FloatFast::truncated, block);
      odd.push_back({ran.group, ran.row, ran.rows, block.largest, nullptr});
      return;
    }
    const int rows = general_->lanes().rows;
    for_general_groups(ran.to_measure->groups()[ran.group], [&](std::size_t g) {
      for (std::int64_t row = ran.row; row < std::min(ran.row + ran.rows, tile_.rows); row += rows) {
        FloatBlock block = general_->block(g, row, rows);
        general_->lanes().run(general_->proof().plan, block);
        odd.push_back({g, row, rows, block.largest, nullptr});
      }
    });
  }

  void look(const Ran& r, std::uint64_t largest, LargestPartial& seen) {
    const int rows = general_->lanes().rows;
    for (std::int64_t row = r.row; row < std::min(r.row + r.rows, tile_.rows); row += rows) {
      FloatBlock block = general_->block(r.group, row, rows);
      block.see = LargestPartial::see;
      block.see_context = &seen;
      block.watched = largest;
      general_->lanes().run(general_->proof().plan, block);
    }
  }

  const FloatLaneSet& set_;
  const Datapath& datapath_;
  const Tile& tile_;
  TileResult& result_;
  std::optional<FloatLines> lines_;
  std::optional<LaneTile> general_, native_;
  std::optional<TileProducts> products_;
  bool exact_sums_ = false;  ///< every sum of every block was exact in the lane
  std::int64_t redone_nonzero_ = 0, redone_inexact_ = 0;
  std::vector<Ran> ran_;
};

}  // namespace

void run_float_tile(const FloatLaneSet& set, const Datapath& datapath, const Tile& tile, TileResult& result) {
  if (!tile.a_exact.empty() || !tile.b_exact.empty() || tile.watch_tiny) return interpreter().run(datapath, tile, result);
  if (flushes(datapath)) {
    const FlushedTile flushed(datapath, tile);
    return run_float_tile(set, without_flushing(datapath), flushed.tile(), result);
  }
  const Finish finish(datapath, tile);
  if (!finish.needed()) return TileRun(set, datapath, tile, result).run();
  Datapath levels = datapath;
  levels.output = {};
  levels.accumulator.last = false;
  Tile without = tile;
  if (datapath.accumulator.last) without.accumulator = {};
  TileRun(set, levels, without, result).run();
  std::vector<NarrowExact> values(static_cast<std::size_t>(tile.rows * tile.columns));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = finish(result.output(i), i);
  result.outputs.clear();
  deliver(std::move(values), result);
}

}  // namespace accsim::sim::kernels
