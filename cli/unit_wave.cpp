#include "cli/unit_wave.h"

#include "cli/block_scales.h"
#include "formats/format.h"

namespace accsim::cli {

using SignalRole = WaveSignal::Role;

std::string operand_name(char operand, std::size_t i, std::size_t terms) {
  return terms == 1 ? std::string(1, operand) : operand + std::to_string(i);
}

UnitWave::UnitWave(const sim::ClockedUnit& unit, std::size_t terms, bool has_acc_in, bool has_rm)
    : unit_(unit),
      terms_(terms),
      has_acc_in_(has_acc_in),
      has_rm_(has_rm),
      flags_format_(formats::parse_format("uint5")),
      rm_format_(formats::parse_format("uint3")) {
  const auto top = [&](SignalRole role, const std::string& name, const formats::Format* format = nullptr) {
    signals_.push_back({role, {}, name, name, format});
  };
  top(SignalRole::input, "in_valid");
  for (std::size_t i = 0; i < terms; ++i) top(SignalRole::input, operand_name('a', i, terms), &unit.model().a_format());
  for (std::size_t i = 0; i < terms; ++i) top(SignalRole::input, operand_name('b', i, terms), &unit.model().b_format());
  top(SignalRole::output, "out_valid");
  top(SignalRole::output, "acc", &unit.model().out_format());
  top(SignalRole::output, "flags", &flags_format_);
  top(SignalRole::output, "in_ready");
  for (const char* name : {"in_first", "in_last", "in_sub"}) top(SignalRole::input, name);
  if (has_acc_in) top(SignalRole::input, "acc_in", &unit.model().in_format());
  for (const auto& [operand, format] : {std::pair{'a', &unit.model().a_blocks()}, std::pair{'b', &unit.model().b_blocks()}}) {
    const std::size_t blocks = blocks_of(*format, terms);
    for (std::size_t i = 0; i < blocks; ++i) top(SignalRole::input, scale_name(operand, i, blocks), &(*format)->scale);
  }
  if (has_rm) top(SignalRole::input, "in_rm", &rm_format_);
  top(SignalRole::input, "out_ready");
  top(SignalRole::output, "out_last");
  for (const sim::UnitSignal& s : unit.signals()) {
    const std::string stage = "stage_" + std::to_string(s.stage);
    signals_.push_back({SignalRole::state, {s.scope, stage}, s.name, s.scope + "_" + std::to_string(s.stage) + "_" + s.name, s.format});
  }
}

std::vector<sim::UnitSample> UnitWave::sample(const sim::UnitInputs& in) const {
  const sim::UnitOutputs out = unit_.outputs(in.ready, !in.valid || in.accumulator.has_value());
  std::vector<sim::UnitSample> all;
  const auto bit = [&](bool value, bool valid = true) { all.push_back({value ? 1U : 0U, valid}); };
  const auto code = [&](formats::Code value, bool valid) { all.push_back({valid ? value : 0, valid}); };
  bit(in.valid);
  for (const std::vector<formats::Code>* operand : {&in.a, &in.b}) {
    for (std::size_t i = 0; i < terms_; ++i) code(i < operand->size() ? (*operand)[i] : 0, in.valid);
  }
  bit(out.valid);
  code(out.accumulator, out.valid);
  code(out.flags, out.valid);
  bit(out.ready);
  bit(in.valid && in.first, in.valid);
  bit(in.valid && in.last, in.valid);
  bit(in.valid && in.subtract, in.valid);
  if (has_acc_in_) code(in.accumulator.value_or(0), in.valid && in.accumulator);
  for (const auto& [scales, format] :
       {std::pair{&in.a_scales, &unit_.model().a_blocks()}, std::pair{&in.b_scales, &unit_.model().b_blocks()}}) {
    for (std::size_t i = 0; i < blocks_of(*format, terms_); ++i) code(i < scales->size() ? (*scales)[i] : scale_one(**format), in.valid);
  }
  if (has_rm_) code(in.valid ? sim::rounding_code(in.rm) : 0, in.valid);
  bit(in.ready);
  bit(out.last, out.valid);
  const std::vector<sim::UnitSample> registers = unit_.sample();
  all.insert(all.end(), registers.begin(), registers.end());
  return all;
}

}  // namespace accsim::cli
