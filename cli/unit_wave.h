// The signals of a clocked unit as columns: what accsim wave writes and accsim check --cycles compares (contracts 6).
#pragma once

#include <string>
#include <vector>

#include "sim/timing/clocked_unit.h"

namespace accsim::cli {

struct WaveSignal {
  enum class Role { input, output, state };
  Role role = Role::input;
  std::vector<std::string> scope;           ///< below the datapath's own: stages of registers
  std::string name;                         ///< in its scope
  std::string column;                       ///< in CSV
  const formats::Format* format = nullptr;  ///< null: one bit
};

/// All signals of a unit in the order of the columns behind `cycle`.
class UnitWave {
 public:
  /// `terms` operand pairs an issue; `has_acc_in`: the accumulator can come from outside; `has_rm`: roundings come with the
  /// issues, in_rm being RISC-V's code (sim/issue_model.h).
  UnitWave(const sim::ClockedUnit& unit, std::size_t terms, bool has_acc_in, bool has_rm);
  UnitWave(const UnitWave&) = delete;
  UnitWave& operator=(const UnitWave&) = delete;

  [[nodiscard]] const std::vector<WaveSignal>& signals() const { return signals_; }
  /// The values just before the rising edge. Where `valid` is false a value means nothing and is 0.
  [[nodiscard]] std::vector<sim::UnitSample> sample(const sim::UnitInputs& inputs) const;

 private:
  const sim::ClockedUnit& unit_;
  std::size_t terms_;
  bool has_acc_in_, has_rm_;
  formats::Format flags_format_, rm_format_;
  std::vector<WaveSignal> signals_;
};

/// Name of operand i of `terms`: a, or a0, a1, ...
std::string operand_name(char operand, std::size_t i, std::size_t terms);

}  // namespace accsim::cli
