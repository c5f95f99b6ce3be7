#include "sim/dpi/clocked_issues.h"

#include "formats/error.h"
#include "sim/executor.h"

namespace accsim::sim {

using formats::Code;

constexpr std::size_t most_terms = 65536;

ClockedIssues::ClockedIssues(const Datapath& datapath, IssueLatency latency)
    : datapath_(datapath), models_(datapath), model_(models_.plain()), latency_(latency) {
  if (latency.product < 1 || latency.result > 1024 || latency.product > latency.result)
    throw InputError("latency", std::to_string(latency.product) + " to the product, " + std::to_string(latency.result) + " to the result",
                     "1 <= product <= result <= 1024");
  clear_accumulators();
}

void ClockedIssues::clear_accumulators() {
  partial_.assign(static_cast<std::size_t>(model_.ways()), 0);
  next_ = 0;
  terms_a_.clear();
  terms_b_.clear();
}

void ClockedIssues::reset() {
  clear_accumulators();
  models_.reset_generators();
  pipe_.clear();
  cycle_ = edges_ = issues_ = 0;
}

const ClockedIssues::Slot& ClockedIssues::step(bool first, std::vector<Code> a, std::vector<Code> b) {
  if (first) clear_accumulators();
  if (terms_a_.size() <= most_terms) {
    terms_a_.insert(terms_a_.end(), a.begin(), a.end());
    terms_b_.insert(terms_b_.end(), b.begin(), b.end());
  }
  Slot slot{.valid = true, .a = std::move(a), .b = std::move(b), .accumulator = partial_[next_], .result = {}, .taken = edges_};
  if (!model_.has_accumulator()) slot.accumulator = 0;
  slot.result = model_.run({.a = slot.a, .b = slot.b, .accumulator = slot.accumulator, .subtract = false, .row = issues_++});
  partial_[next_] = model_.has_accumulator() ? models_.fed_back(slot.result.accumulator) : 0;
  next_ = (next_ + 1) % partial_.size();
  last_ = std::move(slot);
  return last_;
}

void ClockedIssues::clock(bool clear, bool valid, bool first, std::vector<Code> a, std::vector<Code> b) {
  if (clear) {
    pipe_.clear();
    clear_accumulators();
    pipe_.emplace_front();
  } else {
    pipe_.push_front(valid ? step(first, std::move(a), std::move(b)) : Slot{});
  }
  if (pipe_.size() > static_cast<std::size_t>(latency_.result)) pipe_.pop_back();
  cycle_ = edges_++;
}

const ClockedIssues::Slot& ClockedIssues::at(int latency) const {
  const auto i = static_cast<std::size_t>(latency - 1);
  return i < pipe_.size() ? pipe_[i] : empty_;
}

Code ClockedIssues::total() const {
  if (terms_a_.size() > most_terms)
    throw InputError("total", "more than " + std::to_string(most_terms) + " terms since the last `first`", "fewer");
  std::vector<formats::Exact> a;
  std::vector<formats::Exact> b;
  for (const Code code : terms_a_) a.push_back(widened(decode(code, model_.a_format())));
  for (const Code code : terms_b_) b.push_back(widened(decode(code, model_.b_format())));
  const std::vector<std::int64_t> output_index{0};
  ArrayGenerators arrays;
  const auto emin = [](const formats::Format& f) { return f.as_float() != nullptr ? formats::limits(f).emin : -(1 << 24); };
  Tile tile;
  tile.rows = tile.columns = 1;
  tile.k = static_cast<std::int64_t>(a.size());
  tile.a_exact = a;
  tile.b_exact = b;
  tile.output_index = output_index;
  tile.a_emin = emin(model_.a_format());
  tile.b_emin = emin(model_.b_format());
  tile.arrays = &arrays;
  TileResult result;
  executors().front()->run(datapath_, tile, result);
  return encode(result.outputs.front(), datapath_.result_format());
}

}  // namespace accsim::sim
