// Clocks a second of our own RTL under Verilator, with nothing around it but its inputs: compiled by run.py --rtl with the unit's header.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <random>
#include <vector>

#include "Vunit.h"

double sc_time_stamp() { return 0; }

namespace {

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

struct Inputs {
  std::uint32_t a, b, y[3];
};

}  // namespace

int main() {
  Vunit unit;
  std::mt19937 random(1);
  std::vector<Inputs> inputs(4096);
  for (Inputs& in : inputs)
    in = {static_cast<std::uint32_t>(random()),
          static_cast<std::uint32_t>(random()),
          {static_cast<std::uint32_t>(random()), static_cast<std::uint32_t>(random()), static_cast<std::uint32_t>(random())}};
  unit.rst = 0;
  std::uint64_t clocks = 0;
  std::uint64_t sum = 0;
  const double start = cpu_seconds();
  double seconds = 0;
  do {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Inputs& in = inputs[i];
#if defined(ACCSIM_ONLINE)
      unit.start = i % 20 == 0;
      unit.x_plus = in.a & 0x1ff;
      unit.x_minus = in.b & 0x1ff;
      unit.y[0] = in.y[0];
      unit.y[1] = in.y[1];
      unit.y[2] = in.y[2] & 0xff;
#else
      unit.in_valid = 1;
      unit.first = i % 64 == 0;
      unit.a = in.a & 0xfff;
      unit.b = in.b & 0xfff;
#endif
      unit.clk = 0;
      unit.eval();
      unit.clk = 1;
      unit.eval();
#if defined(ACCSIM_ONLINE)
      sum += unit.z_plus;
#else
      sum += unit.acc;
#endif
    }
    clocks += inputs.size();
    seconds = cpu_seconds() - start;
  } while (seconds < 1.0);
  std::printf("%.0f %llu\n", static_cast<double>(clocks) / seconds, static_cast<unsigned long long>(sum));
  return 0;
}
