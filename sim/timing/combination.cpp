#include "sim/timing/combination.h"

#include <algorithm>
#include <deque>

namespace accsim::sim {
namespace {

/// The cycle, counted from that of the last term, in which each partial sum leaves the loop; sums without a term are there from cycle 1.
std::vector<std::int64_t> leaving_times(std::int64_t ways, std::int64_t terms) {
  std::vector<std::int64_t> times(static_cast<std::size_t>(ways), 1);
  for (std::int64_t i = std::max<std::int64_t>(0, terms - ways); i < terms; ++i)
    times[static_cast<std::size_t>(i % ways)] = ways - (terms - 1 - i);
  return times;
}

/// Two that have left are added; their sum leaves `ways` cycles later, after all that are in the loop now.
std::int64_t coalesced(std::int64_t ways, std::int64_t terms) {
  std::deque<std::int64_t> leaving;
  for (std::int64_t i = std::max<std::int64_t>(0, terms - ways); i < terms; ++i) leaving.push_back(ways - (terms - 1 - i));
  while (leaving.size() > 1) {
    leaving.push_back(leaving[1] + ways);
    leaving.pop_front();
    leaving.pop_front();
  }
  return leaving.front() + 1;
}

}  // namespace

std::vector<CombineStep> combine_steps(Combine combine, std::int64_t ways) {
  std::vector<CombineStep> steps;
  switch (combine) {
    case Combine::coalesce: break;
    case Combine::sequential:
      for (std::int64_t i = 0; i < ways; ++i) steps.push_back({i == 0 ? CombineStep::zero : ways + i - 1, i});
      break;
    case Combine::tree: {
      if (ways == 1) return {{0, CombineStep::zero}};
      std::vector<std::int64_t> row;
      for (std::int64_t i = 0; i < ways; ++i) row.push_back(i);
      while (row.size() > 1) {
        std::vector<std::int64_t> next;
        for (std::size_t i = 0; i + 1 < row.size(); i += 2) {
          next.push_back(ways + static_cast<std::int64_t>(steps.size()));
          steps.push_back({row[i], row[i + 1]});
        }
        if (row.size() % 2 != 0) next.push_back(row.back());
        row = std::move(next);
      }
      break;
    }
  }
  return steps;
}

std::int64_t combination_cycles(Combine combine, std::int64_t ways, std::int64_t terms) {
  if (combine == Combine::coalesce) return coalesced(ways, terms);
  std::vector<std::int64_t> there = leaving_times(ways, terms);
  const auto at = [&](std::int64_t value) { return value == CombineStep::zero ? 1 : there[static_cast<std::size_t>(value)]; };
  std::int64_t start = 0;
  for (const CombineStep& step : combine_steps(combine, ways)) {
    start = std::max({start + 1, at(step.x), at(step.y)});
    there.push_back(start + ways);
  }
  return there.back();
}

}  // namespace accsim::sim
