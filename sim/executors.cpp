// The list of executors: the interpreter first, then the kernels that this machine can run, the preferred ones last.
#include <vector>

#include "sim/executor.h"
#include "sim/interpreter.h"

namespace accsim::sim {

std::span<const Executor* const> executors() {
  static const std::vector<const Executor*> all = {&interpreter()};
  return all;
}

}  // namespace accsim::sim
