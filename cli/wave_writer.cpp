#include "cli/wave_writer.h"

#include <algorithm>

#include "formats/value_text.h"

namespace accsim::cli {
namespace {

/// A short printable name of a variable; number 0 is the clock.
std::string identifier(std::size_t number) {
  std::string text;
  do {
    text += static_cast<char>('!' + number % 94);
    number /= 94;
  } while (number > 0);
  return text;
}

/// Letters, digits and underscores, so that every viewer takes it as one name.
std::string plain_name(const std::string& text) {
  std::string name = text.empty() ? "unit" : text;
  for (char& c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!plain) c = '_';
  }
  return name;
}

int width_of(const WaveSignal& signal) { return signal.format == nullptr ? 1 : code_bits(*signal.format); }

}  // namespace

CsvWave::CsvWave(std::ostream& out, const UnitWave& wave) : out_(out), wave_(wave) {
  out_ << "cycle";
  for (const WaveSignal& signal : wave.signals()) out_ << ',' << signal.column;
  out_ << '\n';
}

void CsvWave::row(std::int64_t cycle, const std::vector<sim::UnitSample>& values) {
  out_ << cycle;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const WaveSignal& signal = wave_.signals()[i];
    out_ << ',';
    // An accumulator that is not given has no code; everything else has one in every cycle.
    if (signal.column == "acc_in" && !values[i].valid) continue;
    if (signal.format == nullptr) out_ << (values[i].value != 0 ? '1' : '0');
    else out_ << formats::code_text(values[i].value, *signal.format);
  }
  out_ << '\n';
}

void CsvWave::finish(std::int64_t /*cycles*/) {}

VcdWave::VcdWave(std::ostream& out, const UnitWave& wave, const std::string& top) : out_(out), wave_(wave) {
  out_ << "$version accsim $end\n$timescale 1ns $end\n$scope module " << plain_name(top) << " $end\n";
  out_ << "$var wire 1 " << identifier(0) << " clk $end\n";
  std::vector<std::string> open;
  for (std::size_t i = 0; i < wave.signals().size(); ++i) {
    const WaveSignal& signal = wave.signals()[i];
    std::size_t common = 0;
    while (common < open.size() && common < signal.scope.size() && open[common] == signal.scope[common]) ++common;
    for (; open.size() > common; open.pop_back()) out_ << "$upscope $end\n";
    for (; open.size() < signal.scope.size(); open.push_back(signal.scope[open.size()]))
      out_ << "$scope module " << signal.scope[open.size()] << " $end\n";
    const int width = width_of(signal);
    out_ << "$var " << (signal.role == WaveSignal::Role::state ? "reg " : "wire ") << width << ' ' << identifier(i + 1) << ' '
         << signal.name << (width > 1 ? " [" + std::to_string(width - 1) + ":0]" : "") << " $end\n";
  }
  for (std::size_t i = 0; i <= open.size(); ++i) out_ << "$upscope $end\n";
  out_ << "$enddefinitions $end\n";
}

void VcdWave::write_value(std::size_t signal, formats::Code value) {
  const int width = width_of(wave_.signals()[signal]);
  if (width == 1) {
    out_ << (value != 0 ? '1' : '0') << identifier(signal + 1) << '\n';
    return;
  }
  std::string bits;
  for (int i = width; i-- > 0;) bits += ((value >> i) & 1U) != 0 ? '1' : '0';
  const std::size_t first = std::min(bits.find('1'), bits.size() - 1);
  out_ << 'b' << bits.substr(first) << ' ' << identifier(signal + 1) << '\n';
}

void VcdWave::row(std::int64_t cycle, const std::vector<sim::UnitSample>& values) {
  const bool is_first = last_.empty();
  out_ << '#' << 10 * cycle << '\n';
  if (is_first) out_ << "$dumpvars\n";
  out_ << '0' << identifier(0) << '\n';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (is_first || values[i].value != last_[i].value) write_value(i, values[i].value);
  }
  if (is_first) out_ << "$end\n";
  out_ << '#' << 10 * cycle + 5 << "\n1" << identifier(0) << '\n';
  last_ = values;
}

void VcdWave::finish(std::int64_t cycles) { out_ << '#' << 10 * cycles << '\n'; }

}  // namespace accsim::cli
