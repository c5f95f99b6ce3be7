// What can be seen of clocked units: the registers by name, and what they hold.
#include "sim/timing/clocked_unit.h"

namespace accsim::sim {

std::vector<UnitSignal> ClockedUnit::signals() const {
  std::vector<UnitSignal> all;
  const auto codes_of = [&](const Stage& stage) {
    all.push_back({stage.scope, stage.number, "valid", nullptr});
    if (stage.holds_sum) {
      all.push_back({stage.scope, stage.number, "code", &model().out_format()});
    } else if (terms_ == 1 && stage.scope != "input" && model().shows_products()) {
      all.push_back({stage.scope, stage.number, "code", &*model().product_format()});
    } else if (terms_ == 1) {
      all.push_back({stage.scope, stage.number, "a", &model().a_format()});
      all.push_back({stage.scope, stage.number, "b", &model().b_format()});
    }
  };
  for (const Stage& stage : before_) codes_of(stage);
  for (const Stage& stage : adder_) codes_of(stage);
  if (interleaved_) {
    for (std::int64_t i = 1; i <= block_.latency; ++i) {
      all.push_back({sum_scope(), i, "valid", nullptr});
      all.push_back({sum_scope(), i, "code", &model().out_format()});
    }
  }
  for (const Stage& stage : after_) codes_of(stage);
  return all;
}

std::vector<UnitSample> ClockedUnit::sample() const {
  std::vector<UnitSample> all;
  const auto see = [&](const Stage& stage) {
    const UnitItem* item = at(stage.item);
    const auto code = [&](const UnitCodes& (*part)(const UnitItem&)) {
      all.push_back({item != nullptr ? part(*item).at(0) : 0, item != nullptr});
    };
    all.push_back({item != nullptr ? 1U : 0U, true});
    if (stage.holds_sum) {
      code([](const UnitItem& i) -> const UnitCodes& { return i.row.result; });
    } else if (terms_ == 1 && stage.scope != "input" && model().shows_products()) {
      all.push_back({item != nullptr ? model_.product_of(item->row, 0) : 0, item != nullptr});
    } else if (terms_ == 1) {
      code([](const UnitItem& i) -> const UnitCodes& { return i.row.a.front(); });
      code([](const UnitItem& i) -> const UnitCodes& { return i.row.b.front(); });
    }
  };
  for (const Stage& stage : before_) see(stage);
  for (const Stage& stage : adder_) see(stage);
  if (interleaved_) {
    for (std::int64_t i = 0; i < block_.latency; ++i) {
      const std::optional<std::int64_t> number = loop_.number_in(block_.latency - 1 - i);
      all.push_back({number ? 1U : 0U, true});
      all.push_back({number ? sums_[static_cast<std::size_t>(*number)].at(0) : 0, number.has_value()});
    }
  }
  for (const Stage& stage : after_) see(stage);
  return all;
}

}  // namespace accsim::sim
