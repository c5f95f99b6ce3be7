#include "sim/timing/unit_stepper.h"

#include <algorithm>
#include <stdexcept>

namespace accsim::sim {

std::optional<Token> BlockStepper::handed_up() const {
  if (result_) return Token{result_->last};
  if (pipe_.front().full && pipe_.front().hands_up) return Token{pipe_.front().last};
  return std::nullopt;
}

std::optional<std::int64_t> BlockStepper::result_number() const {
  if (result_) return result_->value;
  return pipe_.front().full && pipe_.front().hands_up ? std::optional(pipe_.front().value) : std::nullopt;
}

/// The addends of one issue, if they are all there: the whole width, or what is left of the dot product.
std::optional<Token> BlockStepper::take_issue() {
  const auto width = static_cast<std::size_t>(block_.width);
  const std::size_t there = std::min(width, waiting_.size());
  if (there == 0 || (there < width && !waiting_.back().last)) return std::nullopt;
  const Token token = waiting_[there - 1];
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(there));
  return token;
}

void BlockStepper::clock(std::optional<Token> arriving) {
  if (arriving) waiting_.push_back(*arriving);
  if (block_.shape == BlockShape::interleaved) {
    clock_interleaved();
    return;
  }
  Slot issued;
  if (busy_ == 0) {
    if (const std::optional<Token> token = take_issue()) {
      busy_ = block_.interval;
      ++in_group_;
      issued = {true, in_group_ == block_.group || token->last, token->last, 0};
      if (issued.hands_up) in_group_ = 0;
    }
  }
  busy_ = std::max<std::int64_t>(0, busy_ - 1);
  pipe_.pop_front();
  pipe_.push_back(issued);
}

/// The loop turns when a term comes, and without terms once the group's last is in.
void BlockStepper::clock_interleaved() {
  result_.reset();
  started_.reset();
  if (!combining_) {
    const std::optional<Token> token = take_issue();
    if (pipe_.front().hands_up) pipe_.front() = {};  // the result of the group before has been taken
    if (!token) return;
    pipe_.pop_front();
    pipe_.push_back({true, false, token->last, in_group_ % block_.latency});
    ++in_group_;
    if (in_group_ == block_.group || token->last) {
      combining_ = true;
      last_group_ = token->last;
      steps_ = combine_steps(block_.combine, block_.latency);
      there_.assign(static_cast<std::size_t>(block_.latency) + steps_.size(), 0);
      for (std::int64_t i = in_group_; i < block_.latency; ++i) there_[static_cast<std::size_t>(i)] = 1;
      next_ = 0;
      in_group_ = 0;
    }
    return;
  }
  const Slot leaving = pipe_.front();
  pipe_.pop_front();
  pipe_.push_back(block_.combine == Combine::coalesce ? next_pair(leaving) : next_step(leaving));
}

BlockStepper::Slot BlockStepper::next_step(const Slot& leaving) {
  if (leaving.full) there_[static_cast<std::size_t>(leaving.value)] = 1;
  const auto is_there = [&](std::int64_t value) { return value == CombineStep::zero || there_[static_cast<std::size_t>(value)] != 0; };
  if (next_ == steps_.size()) {
    // Only the last step's result is on its way: it is handed up from the loop's end.
    if (pipe_.front().full && pipe_.front().hands_up) combining_ = false;
    return {};
  }
  if (!is_there(steps_[next_].x) || !is_there(steps_[next_].y)) return {};
  const bool is_final = next_ + 1 == steps_.size();
  const Slot issued{true, is_final, last_group_, block_.latency + static_cast<std::int64_t>(next_)};
  started_ = steps_[next_];
  ++next_;
  if (is_final && block_.latency == 1) combining_ = false;
  return issued;
}

BlockStepper::Slot BlockStepper::next_pair(const Slot& leaving) {
  Slot issued;
  if (leaving.full && !partner_) {
    partner_ = leaving;
  } else if (leaving.full) {
    issued = {true, false, last_group_, block_.latency + static_cast<std::int64_t>(next_++)};
    started_ = CombineStep{partner_->value, leaving.value};
    partner_.reset();
  }
  const bool in_flight = issued.full || std::any_of(pipe_.begin(), pipe_.end(), [](const Slot& s) { return s.full; });
  if (partner_ && !in_flight) {
    result_ = partner_;
    result_->last = last_group_;
    partner_.reset();
    combining_ = false;
  }
  return issued;
}

UnitStepper::UnitStepper(const Schedule& schedule)
    : schedule_(schedule), before_(static_cast<std::size_t>(schedule.before)), output_(static_cast<std::size_t>(schedule.output)) {
  for (const Block& block : schedule.blocks) blocks_.emplace_back(block);
  Block inner = schedule.blocks.front();  // its issues come whole from the multipliers
  inner.addends = inner.issues();
  inner.width = 1;
  blocks_.front() = BlockStepper(inner);
}

void UnitStepper::clock(bool valid, bool last) {
  if (valid && !is_ready()) throw std::logic_error("an issue meets a unit that is not ready");
  std::optional<Token> moving;
  if (valid) moving = Token{last};
  pause_ = std::max<std::int64_t>(0, valid ? schedule_.interval - 1 : pause_ - 1);
  combining_ = std::max<std::int64_t>(0, combining_ - 1);
  const Block& inner = schedule_.blocks.front();
  if (valid && inner.shape == BlockShape::interleaved) {
    ++taken_;
    if (taken_ == inner.group || last) {
      taken_ = 0;
      combining_ = schedule_.before;
    }
  }
  before_.push_back(moving);
  moving = before_.front();
  before_.pop_front();
  // A term reaches an adder in the cycle in which it leaves the last register before it.
  for (BlockStepper& block : blocks_) {
    const std::optional<Token> up = block.handed_up();
    block.clock(moving);
    moving = up;
  }
  output_.push_back(blocks_.back().handed_up());
  const std::optional<Token> out = output_.front();
  output_.pop_front();
  finished_ = out && out->last;
}

std::int64_t stepped_unit_cycles(const Schedule& schedule) {
  UnitStepper unit(schedule);
  const std::int64_t issues = schedule.blocks.front().issues();
  std::int64_t fed = 0;
  for (std::int64_t cycle = 1;; ++cycle) {
    const bool valid = fed < issues && unit.is_ready();
    fed += valid ? 1 : 0;
    unit.clock(valid, valid && fed == issues);
    if (unit.is_finished()) return cycle;
  }
}

}  // namespace accsim::sim
