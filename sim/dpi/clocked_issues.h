// A unit under test as a test bench sees it: issues in, results a fixed number of clock edges later, fed back in between.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "sim/issue_model.h"

namespace accsim::sim {

/// Registers from the operands to the result and to the product.
struct IssueLatency {
  int result = 1, product = 1;
};

class ClockedIssues {
 public:
  /// InputError as IssueModel, and where the product comes after the result or a latency is not 1..1024.
  ClockedIssues(const Datapath& datapath, IssueLatency latency);

  /// An issue on its way, or at the end of it.
  struct Slot {
    bool valid = false;
    std::vector<formats::Code> a, b;
    formats::Code accumulator = 0;
    IssueResult result;
    std::uint64_t taken = 0;  ///< cycle
  };

  [[nodiscard]] const IssueModel& model() const { return model_; }
  [[nodiscard]] IssueModel& model() { return model_; }
  /// Accumulators zero, generators at their seeds, nothing on its way, cycle 0.
  void reset();
  /// The result of one issue, its accumulator fed back; zero with `first`.
  const Slot& step(bool first, std::vector<formats::Code> a, std::vector<formats::Code> b);
  /// One clock edge; `valid`: an issue is taken at it. `clear` empties pipeline and accumulators.
  void clock(bool clear, bool valid, bool first, std::vector<formats::Code> a, std::vector<formats::Code> b);
  /// What stands after the last edge.
  [[nodiscard]] const Slot& output() const { return at(latency_.result); }
  [[nodiscard]] const Slot& product() const { return at(latency_.product); }
  /// Edges so far, less one: the number of the last cycle.
  [[nodiscard]] std::uint64_t cycle() const { return cycle_; }
  /// The whole datapath over the terms since the last `first`. InputError beyond 65536 of them.
  [[nodiscard]] formats::Code total() const;
  [[nodiscard]] const Datapath& datapath() const { return datapath_; }

 private:
  [[nodiscard]] const Slot& at(int latency) const;
  void clear_accumulators();

  Datapath datapath_;
  IssueModels models_;
  IssueModel& model_;
  IssueLatency latency_;
  std::deque<Slot> pipe_;  ///< front: taken at the last edge
  Slot last_, empty_;
  std::vector<formats::Code> partial_;  ///< of the sequence's last `ways` results; fewer near its start
  std::size_t next_ = 0;
  std::vector<formats::Code> terms_a_, terms_b_;
  std::uint64_t cycle_ = 0, edges_ = 0, issues_ = 0;
};

}  // namespace accsim::sim
