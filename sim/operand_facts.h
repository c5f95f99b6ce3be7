// What a layer's operands are known to be, for the proofs of kernels.
#pragma once

#include "sim/executor.h"
#include "sim/tensor.h"

namespace accsim::sim {

/// One look at every value; the same for any number of threads.
OperandFacts operand_facts(const Values& values, int threads = 1);

/// The executor that runs a layer with such operands, and why each one preferred to it does not, "NAME: REASON" joined by "; ".
/// `forced`: that one; throws InputError with its reason where it refuses. Null: the last of executors() that does not refuse.
struct ChosenExecutor {
  const Executor* executor = nullptr;
  std::string refusals;
};
ChosenExecutor choose_executor(const Datapath& datapath, const LayerFacts& facts, const Executor* forced);

}  // namespace accsim::sim
