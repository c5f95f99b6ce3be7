#include "sim/timing/clocked_unit.h"

#include <algorithm>
#include <limits>

#include "formats/error.h"

namespace accsim::sim {
namespace {

/// The levels that a row of vectors goes through.
Datapath cut_for_rows(const Datapath& datapath) {
  Datapath d = datapath;
  d.timing = timing_of(datapath);
  d.levels.resize(datapath.accumulator.level.value_or(0) + 1);
  if (d.timing->adder.size() > 1) d.timing->adder.resize(d.levels.size());
  d.array.reset();
  return d;
}

Block loop_block(Block block) {
  block.group = std::numeric_limits<std::int64_t>::max();  // the issue that ends a sum says so
  block.width = 1;
  return block;
}

}  // namespace

ClockedUnit::ClockedUnit(const Datapath& datapath, std::int64_t terms)
    : datapath_(cut_for_rows(datapath)),
      models_(datapath),
      model_(models_.plain()),
      block_(schedule_of(datapath_, terms).blocks.back()),
      terms_(terms),
      interleaved_(block_.shape == BlockShape::interleaved),
      loop_(loop_block(block_)) {
  const Schedule schedule = schedule_of(datapath_, terms);
  const Timing& timing = *datapath_.timing;
  interval_ = timing.interval.value_or(1);
  for (const Block& block : schedule.blocks) {
    if (block.issues() != 1)
      throw InputError("rows of " + std::to_string(terms) + " terms", "several issues of datapath \"" + datapath.name + "\"",
                       "rows of one issue: a term, or the `terms` of a level that takes several at a time");
    if (model_.has_accumulator()) interval_ = std::max(interval_, block.interval);
  }
  if (interleaved_ && model_.in_format() != model_.out_format())
    throw InputError("accumulator: format", model_.out_format().name + " behind interleaved sums of " + model_.in_format().name,
                     "one format for both");
  add_stages(before_, "input", timing.input, false);
  add_stages(before_, "product", timing.multiplier, false);
  for (std::size_t i = 0; i + 1 < schedule.blocks.size(); ++i)
    add_stages(before_, "reduction_" + std::to_string(i), schedule.blocks[i].latency, false);
  const std::string scope = "reduction_" + std::to_string(schedule.blocks.size() - 1);
  if (!interleaved_) {
    const bool early = model_.has_accumulator() && timing.feedback == Feedback::single_cycle;
    add_stages(before_, scope, early ? block_.latency - 1 : 0, false);
    add_stages(adder_, scope, early ? 1 : block_.latency, true);
    for (Stage& stage : adder_) stage.number += early ? block_.latency - 1 : 0;
  }
  add_stages(after_, "output", timing.output, true);
  reset();
}

void ClockedUnit::add_stages(std::vector<Stage>& line, const std::string& scope, std::int64_t count, bool holds_sum) {
  for (std::int64_t i = 1; i <= count; ++i) line.push_back({scope, i, holds_sum, {}});
}

void ClockedUnit::reset() {
  for (std::vector<Stage>* line : {&before_, &adder_, &after_}) {
    for (Stage& stage : *line) stage.item = {};
  }
  loop_ = BlockStepper(loop_block(block_));
  sums_.assign(interleaved_ ? static_cast<std::size_t>(block_.latency) : 0, {});
  combined_ = {};
  accumulator_ = 0;
  rows_ = 0;
  terms_of_sum_ = 0;
  sum_flags_ = 0;
  pause_ = 0;
  combining_ = false;
  models_.reset_generators();
}

const ClockedUnit::Item& ClockedUnit::result() const {
  if (!after_.empty()) return after_.back().item;
  return interleaved_ ? combined_ : adder_.back().item;
}

UnitOutputs ClockedUnit::outputs(bool ready) const {
  const Item& r = result();
  const bool moves = !r.valid || ready;
  return {moves && pause_ == 0 && !combining_, r.valid, r.valid && r.issue.last, r.code, r.flags};
}

bool ClockedUnit::is_empty() const {
  const auto is_idle = [](const std::vector<Stage>& line) {
    return std::none_of(line.begin(), line.end(), [](const Stage& s) { return s.item.valid; });
  };
  return is_idle(before_) && is_idle(adder_) && is_idle(after_) && !combined_.valid && terms_of_sum_ == 0 && !combining_;
}

ClockedUnit::Item ClockedUnit::taken(const UnitInputs& inputs) {
  Item item;
  item.valid = true;
  item.issue = inputs;
  item.row = rows_++;
  if (inputs.a.size() == 1) item.product = model_.product_of(inputs.a.front(), inputs.b.front());
  return item;
}

ClockedUnit::Item ClockedUnit::shift(std::vector<Stage>& line, Item entering) {
  for (Stage& stage : line) std::swap(stage.item, entering);
  return entering;
}

/// The item's sum with what the accumulator holds; the accumulator holds it from then on.
void ClockedUnit::add(Item& item) {
  const formats::Code own = item.issue.first ? 0 : accumulator_;
  Issue issue;
  issue.a = item.issue.a;
  issue.b = item.issue.b;
  issue.accumulator = model_.has_accumulator() ? item.issue.accumulator.value_or(own) : 0;
  issue.subtract = item.issue.subtract;
  issue.row = item.row;
  const IssueResult r = model_.run(issue);
  item.code = r.accumulator;
  item.flags = r.flags;
  accumulator_ = models_.fed_back(r.accumulator);
}

void ClockedUnit::clock(const UnitInputs& inputs) {
  if (inputs.reset) {
    reset();
    return;
  }
  const UnitOutputs now = outputs(inputs.ready);
  if (now.valid && !inputs.ready) return;
  Item entering;
  pause_ = std::max<std::int64_t>(0, pause_ - 1);
  if (inputs.valid && now.ready) {
    entering = taken(inputs);
    pause_ = interval_ - 1;
    combining_ = interleaved_ && inputs.last;
  }
  Item arriving = shift(before_, std::move(entering));
  if (interleaved_) {
    shift(after_, combined_);
    clock_interleaved(arriving);
    return;
  }
  if (arriving.valid) add(arriving);
  shift(after_, shift(adder_, std::move(arriving)));
}

/// Where the partial sums stand is the loop's; what they are is kept here by number.
void ClockedUnit::clock_interleaved(const Item& arriving) {
  combined_ = {};
  const auto ways = static_cast<std::size_t>(block_.latency);
  if (arriving.valid) {
    if (terms_of_sum_ == 0) {
      sums_.assign(ways, {});
      sum_flags_ = 0;
      combinations_ = 0;
    }
    const auto way = static_cast<std::size_t>(terms_of_sum_ % block_.latency);
    accumulator_ = sums_[way].code;
    Item item = arriving;
    item.issue.first = false;
    add(item);
    sums_[way] = item;
    sum_flags_ |= item.flags;
    last_row_ = arriving.row;
    ++terms_of_sum_;
  }
  loop_.clock(arriving.valid ? std::optional(Token{arriving.issue.last}) : std::nullopt);
  if (const std::optional<CombineStep>& step = loop_.started()) {
    const auto at = [&](std::int64_t i) { return i == CombineStep::zero ? formats::Code{0} : sums_[static_cast<std::size_t>(i)].code; };
    const bool alone = step->y == CombineStep::zero;
    const IssueResult r = model_.add(at(step->x), alone ? std::nullopt : std::optional(at(step->y)), last_row_, ++combinations_);
    Item item;
    item.valid = true;
    item.code = r.accumulator;
    sum_flags_ |= r.flags;
    sums_.push_back(item);
  }
  if (const std::optional<std::int64_t> number = loop_.result_number()) {
    combined_ = sums_[static_cast<std::size_t>(*number)];
    combined_.valid = true;
    combined_.issue.last = true;
    combined_.flags = sum_flags_;
    combining_ = false;
    terms_of_sum_ = 0;
  }
}

std::vector<UnitSignal> ClockedUnit::signals() const {
  std::vector<UnitSignal> all;
  const auto codes_of = [&](const Stage& stage) {
    all.push_back({stage.scope, stage.number, "valid", nullptr});
    if (stage.holds_sum) {
      all.push_back({stage.scope, stage.number, "code", &model_.out_format()});
    } else if (terms_ == 1 && stage.scope != "input" && model_.shows_products()) {
      all.push_back({stage.scope, stage.number, "code", &*model_.product_format()});
    } else if (terms_ == 1) {
      all.push_back({stage.scope, stage.number, "a", &model_.a_format()});
      all.push_back({stage.scope, stage.number, "b", &model_.b_format()});
    }
  };
  for (const Stage& stage : before_) codes_of(stage);
  for (const Stage& stage : adder_) codes_of(stage);
  if (interleaved_) {
    for (std::int64_t i = 1; i <= block_.latency; ++i) {
      all.push_back({"reduction_0", i, "valid", nullptr});
      all.push_back({"reduction_0", i, "code", &model_.out_format()});
    }
  }
  for (const Stage& stage : after_) codes_of(stage);
  return all;
}

std::vector<UnitSample> ClockedUnit::sample() const {
  std::vector<UnitSample> all;
  const auto see = [&](const Stage& stage) {
    const Item& item = stage.item;
    const auto code = [&](formats::Code value) { all.push_back({item.valid ? value : 0, item.valid}); };
    all.push_back({item.valid ? 1U : 0U, true});
    if (stage.holds_sum) {
      code(item.code);
    } else if (terms_ == 1 && stage.scope != "input" && model_.shows_products()) {
      code(item.product.value_or(0));
    } else if (terms_ == 1) {
      code(item.valid ? item.issue.a.front() : 0);
      code(item.valid ? item.issue.b.front() : 0);
    }
  };
  for (const Stage& stage : before_) see(stage);
  for (const Stage& stage : adder_) see(stage);
  if (interleaved_) {
    for (std::int64_t i = 0; i < block_.latency; ++i) {
      const std::optional<std::int64_t> number = loop_.number_in(block_.latency - 1 - i);
      all.push_back({number ? 1U : 0U, true});
      all.push_back({number ? sums_[static_cast<std::size_t>(*number)].code : 0, number.has_value()});
    }
  }
  for (const Stage& stage : after_) see(stage);
  return all;
}

}  // namespace accsim::sim
