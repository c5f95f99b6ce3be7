#include "sim/timing/array_stepper.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <stdexcept>

#include "sim/timing/unit_cycles.h"
#include "sim/timing/unit_stepper.h"

namespace accsim::sim {
namespace {

using Number = std::optional<std::int64_t>;  ///< of an operand or sum in its stream; empty: nothing there
using Registers = std::deque<Number>;        ///< front leaves next

/// A register chain for one cycle: what goes in, what comes out; without registers the same.
Number through(Registers& registers, Number in) {
  registers.push_back(in);
  const Number out = registers.front();
  registers.pop_front();
  return out;
}

class OutputStationary {
 public:
  OutputStationary(const Datapath& d, std::int64_t k)
      : rows_(static_cast<std::size_t>(d.array->rows)),
        cols_(static_cast<std::size_t>(d.array->cols)),
        schedule_(schedule_of(d, k)),
        units_(rows_ * cols_, UnitStepper(schedule_)),
        left_(rows_ * cols_),
        top_(rows_ * cols_) {
    // Skewed edges: row r and column c are fed r and c cycles late.
    for (std::size_t r = 0; r < rows_; ++r) left_edge_.emplace_back(r);
    for (std::size_t c = 0; c < cols_; ++c) top_edge_.emplace_back(c);
  }

  std::int64_t run() {
    const std::int64_t issues = schedule_.blocks.front().issues();
    std::int64_t fed = 0;
    std::size_t finished = 0;
    std::int64_t cycles = 0;
    for (; finished < units_.size(); ++cycles) {
      Number feed;
      if (fed < issues && units_.front().is_ready()) feed = fed++;
      finished += clock(feed, issues);
    }
    for (std::size_t row = 0; row < rows_; ++row) ++cycles;  // results shift down, the lowest row leaves first
    return cycles;
  }

 private:
  /// Operands that met in their cell in this cycle; those of the cell to the left and above were there one cycle before.
  std::size_t clock(Number feed, std::int64_t issues) {
    std::vector<Number> left(left_.size());
    std::vector<Number> top(top_.size());
    std::size_t finished = 0;
    for (std::size_t r = 0; r < rows_; ++r) {
      for (std::size_t c = 0; c < cols_; ++c) {
        const std::size_t at = r * cols_ + c;
        left[at] = c == 0 ? through(left_edge_[r], feed) : left_[at - 1];
        top[at] = r == 0 ? through(top_edge_[c], feed) : top_[at - cols_];
        if (left[at] != top[at]) throw std::logic_error("operands of two terms meet");
        units_[at].clock(left[at].has_value(), left[at] && *left[at] + 1 == issues);
        finished += units_[at].is_finished() ? 1 : 0;
      }
    }
    left_ = std::move(left);
    top_ = std::move(top);
    return finished;
  }

  std::size_t rows_, cols_;
  Schedule schedule_;
  std::vector<UnitStepper> units_;
  std::vector<Number> left_, top_;  ///< the operands each cell held in the last cycle
  std::vector<Registers> left_edge_, top_edge_;
};

class WeightStationary {
 public:
  WeightStationary(const Datapath& d, std::int64_t m, std::int64_t k)
      : rows_(static_cast<std::size_t>(d.array->rows)),
        cols_(static_cast<std::size_t>(d.array->cols)),
        m_(m),
        interval_(timing_of(d).interval.value_or(1)),
        x_(rows_ * cols_) {
    const Schedule s = schedule_of(d, k);
    const auto adder = static_cast<std::size_t>(s.blocks.front().latency);
    std::int64_t foot = s.output;
    for (std::size_t i = 1; i < s.blocks.size(); ++i) foot += s.blocks[i].latency;
    for (std::size_t r = 0; r < rows_; ++r) edge_.emplace_back(r * adder);
    for (std::size_t i = 0; i < rows_ * cols_; ++i) {
      multiplier_.emplace_back(static_cast<std::size_t>(s.before));
      adder_.emplace_back(adder);
    }
    foot_.assign(cols_, Registers(static_cast<std::size_t>(foot)));
  }

  std::int64_t run() {
    std::int64_t cycles = static_cast<std::int64_t>(rows_);  // a row of weights a cycle
    std::int64_t fed = 0;
    for (std::int64_t left = m_ * static_cast<std::int64_t>(cols_); left > 0; ++cycles) {
      Number feed;
      if (fed < m_ && (cycles - static_cast<std::int64_t>(rows_)) % interval_ == 0) feed = fed++;
      left -= clock(feed);
    }
    return cycles;
  }

 private:
  /// One cycle; the sums that stand in a column's last register at its end.
  std::int64_t clock(Number feed) {
    std::vector<Number> x(x_.size());
    std::vector<Number> sums(cols_);  // what the cell above hands down in this cycle
    std::int64_t done = 0;
    for (std::size_t r = 0; r < rows_; ++r) {
      for (std::size_t c = 0; c < cols_; ++c) {
        const std::size_t at = r * cols_ + c;
        x[at] = c == 0 ? through(edge_[r], feed) : x_[at - 1];
        const Number product = through(multiplier_[at], x[at]);
        if (r > 0 && product != sums[c]) throw std::logic_error("a product and a sum of two rows meet");
        sums[c] = adder_[at].front();
        adder_[at].pop_front();
        adder_[at].push_back(product);
      }
    }
    x_ = std::move(x);
    for (std::size_t c = 0; c < cols_; ++c) done += through(foot_[c], adder_[(rows_ - 1) * cols_ + c].front()) ? 1 : 0;
    return done;
  }

  std::size_t rows_, cols_;
  std::int64_t m_, interval_;
  std::vector<Number> x_;
  std::vector<Registers> edge_, multiplier_, adder_, foot_;
};

}  // namespace

std::int64_t stepped_fold_cycles(const Datapath& d, std::int64_t m, std::int64_t k) {
  if (!d.array) return stepped_unit_cycles(schedule_of(d, k));
  switch (d.array->dataflow) {
    case Dataflow::os: return OutputStationary(d, k).run();
    case Dataflow::ws: return WeightStationary(d, m, k).run();
    case Dataflow::tree: return stepped_unit_cycles(schedule_of(d, k));  // its columns run in step
  }
  return 0;
}

}  // namespace accsim::sim
