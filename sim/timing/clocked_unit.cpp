#include "sim/timing/clocked_unit.h"

#include <algorithm>
#include <limits>

#include "formats/error.h"

namespace accsim::sim {
namespace {

using formats::Code;

/// The levels that a row of vectors goes through, with their times.
Datapath cut_for_rows(const Datapath& datapath, std::int64_t units, const std::optional<UnitLatency>& latency) {
  if (units < 1 || units > 1 << 20) throw InputError("units", std::to_string(units), "1 to 1048576");
  Datapath d = datapath;
  d.timing = timing_of(datapath);
  d.levels.resize(datapath.accumulator.level.value_or(0) + 1);
  if (d.timing->adder.size() > 1) d.timing->adder.resize(d.levels.size());
  d.array.reset();
  if (!latency) return d;
  const Level& level = d.levels.back();
  const bool interleaved = level.kind == LevelKind::interleaved;
  const std::int64_t loop = interleaved ? level.ways : 1;
  if (latency->product < 1 || latency->product > latency->result || latency->result > 1024 || latency->result < loop)
    throw InputError("latency", std::to_string(latency->product) + " to the product, " + std::to_string(latency->result) + " to the result",
                     "1 <= product <= result <= 1024" + (interleaved ? ", result at least the ways, " + std::to_string(loop) : ""));
  Timing t;
  t.elastic = d.timing->elastic;
  t.multiplier = interleaved ? latency->result - static_cast<int>(loop) : std::min(latency->product, latency->result - 1);
  t.feedback = interleaved ? Feedback::interleave : Feedback::single_cycle;
  d.timing = t;
  return d;
}

Block loop_block(Block block) {
  block.group = std::numeric_limits<std::int64_t>::max();  // the issue that ends a sum says so
  block.width = 1;
  return block;
}

/// Words of all units into the codes of one term.
const std::uint32_t* take_words(UnitCodes& codes, const std::uint32_t* from, std::int64_t units) {
  for (int plane = 0; plane < codes.planes(); ++plane, from += units) std::copy_n(from, units, codes.words(plane));
  return from;
}

void take_scales(std::vector<UnitCodes>& scales, const std::uint32_t* from, const std::optional<formats::BlockFormat>& format,
                 std::size_t terms, std::int64_t units) {
  scales.clear();
  if (from == nullptr || !format) return;
  scales.assign(blocks_of(format, terms), UnitCodes(code_bits(format->scale), units));
  for (UnitCodes& codes : scales) from = take_words(codes, from, units);
}

}  // namespace

ClockedUnit::ClockedUnit(const Datapath& datapath, std::int64_t terms, std::int64_t units, std::optional<UnitLatency> latency,
                         std::uint64_t element)
    : datapath_(cut_for_rows(datapath, units, latency)),
      model_(datapath, units, element),
      block_(schedule_of(datapath_, terms).blocks.back()),
      terms_(terms),
      interleaved_(block_.shape == BlockShape::interleaved),
      loop_(loop_block(block_)),
      sum_flags_(5, units),
      own_(code_bits(model().in_format()), units) {
  const Schedule schedule = schedule_of(datapath_, terms);
  interval_ = datapath_.timing->interval.value_or(1);
  for (const Block& block : schedule.blocks) {
    if (block.issues() != 1)
      throw InputError("rows of " + std::to_string(terms) + " terms", "several issues of datapath \"" + datapath.name + "\"",
                       "rows of one issue: a term, or the `terms` of a level that takes several at a time");
    if (model().has_accumulator()) turn_ = std::max(turn_, block.interval);
  }
  if (interleaved_ && model().in_format() != model().out_format())
    throw InputError("accumulator: format", model().out_format().name + " behind interleaved sums of " + model().in_format().name,
                     "one format for both");
  if (latency && !interleaved_) block_.latency = latency->result - datapath_.timing->multiplier;
  make_stages(schedule, latency.has_value());
  reset();
}

void ClockedUnit::make_stages(const Schedule& schedule, bool has_latency) {
  const Timing& timing = *datapath_.timing;
  add_stages(before_, "input", timing.input, false);
  add_stages(before_, "product", timing.multiplier, false);
  for (std::size_t i = 0; i + 1 < schedule.blocks.size() && !has_latency; ++i)
    add_stages(before_, "reduction_" + std::to_string(i), schedule.blocks[i].latency, false);
  const std::string scope = sum_scope();
  if (!interleaved_) {
    const bool early = model().has_accumulator() && timing.feedback == Feedback::single_cycle;
    add_stages(before_, scope, early ? block_.latency - 1 : 0, false);
    add_stages(adder_, scope, early ? 1 : block_.latency, true);
    for (Stage& stage : adder_) stage.number += early ? block_.latency - 1 : 0;
  }
  add_stages(after_, "output", timing.output, true);
  if (!timing.elastic) return;
  for (std::vector<Stage>* line : {&before_, &adder_, &after_}) {
    for (Stage& stage : *line) line_.push_back(&stage);
  }
}

void ClockedUnit::add_stages(std::vector<Stage>& line, const std::string& scope, std::int64_t count, bool holds_sum) {
  for (std::int64_t i = 1; i <= count; ++i) line.push_back({scope, i, holds_sum, nothing});
}

int ClockedUnit::new_item() {
  if (free_.empty()) {
    UnitItem item;
    item.row = model_.make_row(static_cast<std::size_t>(terms_));
    item.accumulator = UnitCodes(code_bits(model().in_format()), units());
    items_.push_back(std::move(item));
    return static_cast<int>(items_.size()) - 1;
  }
  const int item = free_.back();
  free_.pop_back();
  return item;
}

void ClockedUnit::drop(int item) {
  if (item != nothing) free_.push_back(item);
}

void ClockedUnit::reset() {
  for (std::vector<Stage>* line : {&before_, &adder_, &after_}) {
    for (Stage& stage : *line) {
      drop(stage.item);
      stage.item = nothing;
    }
  }
  drop(combined_);
  combined_ = nothing;
  loop_ = BlockStepper(loop_block(block_));
  sums_.clear();
  own_.clear();
  rows_ = 0;
  terms_of_sum_ = 0;
  pause_ = wait_ = 0;
  loops_ = false;
  combining_ = false;
  model_.reset_generators();
}

int ClockedUnit::result_item() const {
  if (!after_.empty()) return after_.back().item;
  return interleaved_ ? combined_ : adder_.back().item;
}

const UnitItem* ClockedUnit::result() const { return at(result_item()); }

const UnitItem* ClockedUnit::product() const {
  const auto registers = static_cast<std::size_t>(datapath_.timing->input + datapath_.timing->multiplier);
  if (registers > 0) return at(before_[registers - 1].item);
  if (!before_.empty()) return at(before_.front().item);
  return adder_.empty() ? nullptr : at(adder_.front().item);
}

UnitOutputs ClockedUnit::outputs(bool ready, bool given) const {
  const UnitItem* r = result();
  const bool moves = r == nullptr || ready;
  UnitOutputs out;
  out.ready = moves && takes_issues(given);
  if (!line_.empty()) {
    out.ready = ready || std::any_of(line_.begin(), line_.end(), [](const Stage* stage) { return stage->item == nothing; });
  }
  if (r == nullptr) return out;
  out.valid = true;
  out.last = r->control.last;
  out.accumulator = r->row.result.at(0);
  out.flags = static_cast<unsigned>(r->row.flags.at(0));
  return out;
}

bool ClockedUnit::is_empty() const { return free_.size() == items_.size() && terms_of_sum_ == 0 && !combining_; }

int ClockedUnit::taken(const UnitControl& control, const BatchOperands& operands) {
  const int number = new_item();
  UnitItem& item = items_[static_cast<std::size_t>(number)];
  item.control = control;
  item.taken = edges_;
  item.row.terms = operands.terms;
  item.row.subtract = control.subtract;
  item.row.row = rows_++;
  item.row.rm = control.rm;
  const std::uint32_t* a = operands.a;
  const std::uint32_t* b = operands.b;
  for (std::size_t t = 0; t < operands.terms; ++t) {
    a = take_words(item.row.a[t], a, units());
    b = take_words(item.row.b[t], b, units());
  }
  take_scales(item.row.a_scales, operands.a_scales, model().a_blocks(), operands.terms, units());
  take_scales(item.row.b_scales, operands.b_scales, model().b_blocks(), operands.terms, units());
  item.has_accumulator = operands.accumulator != nullptr;
  if (item.has_accumulator) take_words(item.accumulator, operands.accumulator, units());
  return number;
}

int ClockedUnit::shift(std::vector<Stage>& line, int entering) {
  for (Stage& stage : line) std::swap(stage.item, entering);
  return entering;
}

/// The item's sum with what comes in; `own` becomes what comes in next, whatever it was.
void ClockedUnit::add(UnitItem& item, UnitCodes& own) {
  item.from_zero = !item.has_accumulator && (item.control.first || !model().has_accumulator());
  if (!item.has_accumulator && !item.from_zero) std::swap(item.accumulator, own);
  model_.add(item.row, item.from_zero ? nullptr : &item.accumulator);
  model_.feed_back(item.row.result, own);
}

bool ClockedUnit::clock(const UnitControl& control, const BatchOperands& operands) {
  if (control.reset) {
    reset();
    ++edges_;
    return false;
  }
  if (!line_.empty()) return clock_elastic(control, operands);
  const bool stands = result_item() != nothing && !control.ready;
  if (stands) {
    ++edges_;
    return false;
  }
  const bool given = operands.accumulator != nullptr;
  const bool takes = control.valid && takes_issues(given);
  pause_ = std::max<std::int64_t>(0, pause_ - 1);
  wait_ = std::max<std::int64_t>(0, wait_ - 1);
  int entering = nothing;
  if (takes) {
    entering = taken(control, operands);
    pause_ = interval_ - 1;
    wait_ = turn_ - 1;
    loops_ |= !given;
    combining_ = interleaved_ && control.last;
  }
  advance(entering);
  ++edges_;
  return takes;
}

/// From the result on: a register is free once what it held has moved on.
bool ClockedUnit::clock_elastic(const UnitControl& control, const BatchOperands& operands) {
  const auto move = [&](int item, std::size_t to) {
    if (to == before_.size()) add(items_[static_cast<std::size_t>(item)], own_);
    if (to < line_.size()) line_[to]->item = item;
    else drop(item);
  };
  bool is_free = control.ready;
  for (std::size_t i = line_.size(); i-- > 0;) {
    if (is_free && line_[i]->item != nothing) {
      move(line_[i]->item, i + 1);
      line_[i]->item = nothing;
    }
    is_free = line_[i]->item == nothing;
  }
  const bool takes = control.valid && is_free;
  if (takes) move(taken(control, operands), 0);
  ++edges_;
  return takes;
}

void ClockedUnit::advance(int entering) {
  const int arriving = shift(before_, entering);
  if (interleaved_) {
    drop(shift(after_, combined_));
    combined_ = nothing;
    clock_interleaved(arriving);
    return;
  }
  if (arriving != nothing) {
    add(items_[static_cast<std::size_t>(arriving)], own_);
  }
  drop(shift(after_, shift(adder_, arriving)));
}

bool ClockedUnit::clock(const UnitInputs& inputs) {
  const auto packed = [](const std::vector<Code>& codes, const formats::Format& format) {
    std::vector<std::uint32_t> words;
    for (const Code code : codes) {
      for (int bit = 0; bit < code_bits(format); bit += 32) words.push_back(static_cast<std::uint32_t>(code >> bit));
    }
    return words;
  };
  if (!inputs.valid) return clock(inputs, BatchOperands{});
  const std::vector<std::uint32_t> a = packed(inputs.a, model().a_format());
  const std::vector<std::uint32_t> b = packed(inputs.b, model().b_format());
  std::vector<std::uint32_t> c;
  if (inputs.accumulator) c = packed({*inputs.accumulator}, model().in_format());
  const auto scales = [&](const std::vector<Code>& given, const std::optional<formats::BlockFormat>& format) {
    if (!format || given.empty()) return std::vector<std::uint32_t>{};
    std::vector<Code> all = given;
    all.resize(blocks_of(format, inputs.a.size()), scale_one(*format));
    return packed(all, format->scale);
  };
  const std::vector<std::uint32_t> a_scales = scales(inputs.a_scales, model().a_blocks());
  const std::vector<std::uint32_t> b_scales = scales(inputs.b_scales, model().b_blocks());
  return clock(inputs, BatchOperands{.a = a.data(),
                                     .b = b.data(),
                                     .terms = inputs.a.size(),
                                     .accumulator = inputs.accumulator ? c.data() : nullptr,
                                     .a_scales = a_scales.empty() ? nullptr : a_scales.data(),
                                     .b_scales = b_scales.empty() ? nullptr : b_scales.data()});
}

/// Where the partial sums stand is the loop's; what they are is kept here by number.
void ClockedUnit::clock_interleaved(int arriving) {
  const auto ways = static_cast<std::size_t>(block_.latency);
  const bool is_last = arriving != nothing && at(arriving)->control.last;
  if (arriving != nothing) {
    UnitItem& item = items_[static_cast<std::size_t>(arriving)];
    if (terms_of_sum_ == 0) {
      sums_.assign(ways, UnitCodes(code_bits(model().out_format()), units()));
      sum_flags_.clear();
      combinations_ = 0;
    }
    item.control.first = false;  // each partial sum starts from zero
    add(item, sums_[static_cast<std::size_t>(terms_of_sum_ % block_.latency)]);
    for (std::int64_t unit = 0; unit < units(); ++unit) sum_flags_.set(unit, sum_flags_.at(unit) | item.row.flags.at(unit));
    last_row_ = item.row.row;
    ++terms_of_sum_;
    drop(arriving);
  }
  loop_.clock(arriving != nothing ? std::optional(Token{is_last}) : std::nullopt);
  if (const std::optional<CombineStep>& step = loop_.started()) {
    const UnitCodes zero(code_bits(model().out_format()), units());
    const auto sum_of = [&](std::int64_t i) { return i == CombineStep::zero ? &zero : &sums_[static_cast<std::size_t>(i)]; };
    UnitCodes result(code_bits(model().out_format()), units());
    model_.combine(sum_of(step->x), step->y == CombineStep::zero ? nullptr : sum_of(step->y), last_row_, ++combinations_, result,
                   sum_flags_);
    sums_.push_back(std::move(result));
  }
  if (const std::optional<std::int64_t> number = loop_.result_number()) {
    combined_ = new_item();
    UnitItem& item = items_[static_cast<std::size_t>(combined_)];
    item.control = {};
    item.control.last = true;
    item.row.terms = 0;
    item.row.result = sums_[static_cast<std::size_t>(*number)];
    item.row.flags = sum_flags_;
    item.taken = edges_;
    combining_ = false;
    terms_of_sum_ = 0;
  }
}

}  // namespace accsim::sim
