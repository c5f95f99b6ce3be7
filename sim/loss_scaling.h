// Loss scaling: the policy as data, and its state machine from step to step.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace accsim::sim {

enum class LossPolicy {
  stored,    ///< gradients as stored, with the trace's own loss scale
  constant,  ///< one scale
  backoff,   ///< dynamic: divided on overflow, multiplied after `window` iterations without, never below a minimum that may rise
};

/// The minimum from an iteration on.
struct ScaleMinimum {
  std::int64_t iteration = 0;
  double scale = 1;
  bool operator==(const ScaleMinimum&) const = default;
};

/// Defaults of backoff are those of NVIDIA OpenSeq2Seq (automatic_loss_scaler.py); with a rising minimum it is the enhanced loss scaling of
/// Mellempudi et al. 2019 (arXiv 1905.12334).
struct LossScaling {
  LossPolicy policy = LossPolicy::stored;
  double constant = 1;
  double init = 16777216, factor = 2, max = 16777216;
  std::int64_t window = 2000;
  std::vector<ScaleMinimum> minimum{{0, 1}};
  bool operator==(const LossScaling&) const = default;
};

/// `stored`, `constant:1024`, `backoff`, `backoff:init=65536,factor=2,window=2000,max=16777216,min=0:1/40000:8192/150000:32768`
/// (iteration:minimum, from that iteration on). Throws InputError: a scale that is zero, negative, infinite or NaN, a minimum that goes
/// down.
LossScaling parse_loss_scaling(std::string_view text);
/// The spelling that parses back to the same.
std::string spelling(const LossScaling& scaling);

/// The scale from iteration to iteration, from iteration 0 on.
class LossScaler {
 public:
  explicit LossScaler(const LossScaling& scaling);

  [[nodiscard]] std::int64_t iteration() const { return iteration_; }
  /// The scale of this iteration: not below the minimum that holds from it on.
  [[nodiscard]] double scale() const;
  /// Ends this iteration. Overflow: scale := clip(scale / factor, minimum, max), and the iteration is remembered. Otherwise, where
  /// (iteration - last overflow) is a multiple of `window`: scale := clip(scale * factor, minimum, max). The last overflow before the first
  /// iteration counts as -1.
  void finish_iteration(bool overflow);

 private:
  [[nodiscard]] double minimum() const;

  LossScaling scaling_;
  double scale_;
  std::int64_t iteration_ = 0, last_overflow_ = -1;
};

}  // namespace accsim::sim
