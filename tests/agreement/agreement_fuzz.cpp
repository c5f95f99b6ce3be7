// A libFuzzer target over (datapath, operands): any executor that claims the case must equal the interpreter.
#include <cstdio>
#include <cstdlib>

#include "agreement.h"
#include "draw.h"
#include "operands.h"
#include "random_datapath.h"

// GCC's -fsanitize-coverage=trace-pc calls this at every edge; libFuzzer reads counters in this section as coverage. (Its own function of
// this name only says that it is not supported any more.)
__attribute__((section("__libfuzzer_extra_counters"))) static std::uint8_t edges[1U << 16];

extern "C" __attribute__((no_sanitize_coverage)) void __sanitizer_cov_trace_pc() {
  const auto pc = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
  std::uint8_t& edge = edges[(pc ^ (pc >> 16)) & 0xFFFF];
  edge = static_cast<std::uint8_t>(edge + (edge != 0xFF));
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace accsim::agreement;
  Draw draw(std::span(data, size));
  Case c;
  c.datapath = random_datapath(draw);
  draw_size(c, 600, draw);
  const Distribution distribution = distributions[static_cast<std::size_t>(draw.between(0, distributions.size() - 1))];
  const Traced traced = draw.of({Traced::binary32, Traced::binary16, Traced::int8, Traced::binary64});
  if (draw.chance(20)) fill_accumulator(c, draw);
  fill_operands(c, distribution, traced, draw);
  int ran = 0;
  const std::string what = disagreement(c, "", ran);
  if (!what.empty()) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::abort();
  }
  return 0;
}