// Waves as text: a row a clock in CSV, value changes in VCD (IEEE 1364-2005, 18).
#pragma once

#include <ostream>
#include <string>

#include "cli/unit_wave.h"

namespace accsim::cli {

class WaveWriter {
 public:
  virtual ~WaveWriter() = default;
  WaveWriter() = default;
  WaveWriter(const WaveWriter&) = delete;
  WaveWriter& operator=(const WaveWriter&) = delete;
  virtual void row(std::int64_t cycle, const std::vector<sim::UnitSample>& values) = 0;
  virtual void finish(std::int64_t cycles) = 0;
};

class CsvWave final : public WaveWriter {
 public:
  CsvWave(std::ostream& out, const UnitWave& wave);
  void row(std::int64_t cycle, const std::vector<sim::UnitSample>& values) override;
  void finish(std::int64_t cycles) override;

 private:
  std::ostream& out_;
  const UnitWave& wave_;
};

/// A clock of 10 time units: values change at 10 c, where clk falls, and are sampled by its rising edge at 10 c + 5.
class VcdWave final : public WaveWriter {
 public:
  VcdWave(std::ostream& out, const UnitWave& wave, const std::string& top);
  void row(std::int64_t cycle, const std::vector<sim::UnitSample>& values) override;
  void finish(std::int64_t cycles) override;

 private:
  void write_value(std::size_t signal, formats::Code value);

  std::ostream& out_;
  const UnitWave& wave_;
  std::vector<sim::UnitSample> last_;
};

}  // namespace accsim::cli
