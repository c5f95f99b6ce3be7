// The float kernels against the interpreter on random datapaths and operands: float_agreement_test [CASES [SEED]].
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "float_cases.h"

int main(int argc, char** argv) {
  using namespace accsim;
  const long cases = argc > 1 ? std::atol(argv[1]) : 1000;
  const unsigned long seed = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1;
  int failures = 0;
  int ran = 0;
  for (long i = 0; i < cases && failures < 5; ++i) {
    std::mt19937_64 random(seed * 1000003 + static_cast<unsigned long>(i));
    std::string problem;
    try {
      agreement::Case c = agreement::random_float_case(random);
      problem = agreement::disagreement(c, "float_", ran);
    } catch (const std::exception& error) {
      problem = error.what();
    }
    if (problem.empty()) continue;
    ++failures;
    std::printf("seed %lu, case %ld: %s\n\n", seed, i, problem.c_str());
  }
  std::printf("seed %lu, %ld cases, %d runs of kernels\n", seed, cases, ran);
  return failures == 0 && ran > 0 ? 0 : 1;
}
