#include "sim/timing/clocked_array.h"

#include "formats/error.h"

namespace accsim::sim {

using formats::Code;

ClockedArray::ClockedArray(const Datapath& datapath) {
  if (!datapath.array || datapath.array->dataflow != Dataflow::os)
    throw InputError("array of datapath \"" + datapath.name + "\"", datapath.array ? "another dataflow" : "none",
                     "[array] with dataflow = \"os\"");
  if (datapath.a.block || datapath.b.block)
    throw InputError("array of datapath \"" + datapath.name + "\"", "operands in blocks, whose scales have no way through an array",
                     "formats for both, for example --in fp16");
  rows_ = datapath.array->rows;
  cols_ = datapath.array->cols;
  if (rows_ * cols_ > 65536) throw InputError("array", std::to_string(rows_ * cols_) + " elements", "at most 65536 to be clocked");
  for (std::int64_t cell = 0; cell < rows_ * cols_; ++cell)
    cells_.push_back(std::make_unique<ClockedUnit>(datapath, 1, 1, std::nullopt, static_cast<std::uint64_t>(cell)));
  reset();
}

void ClockedArray::reset() {
  UnitInputs in;
  in.reset = true;
  for (const auto& cell : cells_) cell->clock(in);
  left_edge_.clear();
  top_edge_.clear();
  for (std::int64_t r = 0; r < rows_; ++r) left_edge_.emplace_back(r);
  for (std::int64_t c = 0; c < cols_; ++c) top_edge_.emplace_back(c);
  left_.assign(cells_.size(), {});
  top_.assign(cells_.size(), {});
  sums_.assign(cells_.size(), 0);
  leaving_ = false;
  drained_ = 0;
  out_.clear();
}

void ClockedArray::clock(const UnitControl& control, const std::vector<Code>& a, const std::vector<Code>& b) {
  ++edges_;
  if (control.reset) return reset();
  UnitControl offered = control;
  offered.valid = control.valid && is_ready();
  const auto cols = static_cast<std::size_t>(cols_);
  const auto through = [](std::deque<Operand>& registers, const Operand& in) {
    registers.push_back(in);
    Operand out = registers.front();
    registers.pop_front();
    return out;
  };
  std::vector<Operand> left(cells_.size());
  std::vector<Operand> top(cells_.size());
  bool finished = false;
  for (std::size_t at = 0; at < cells_.size(); ++at) {
    const std::size_t r = at / cols;
    const std::size_t c = at % cols;
    left[at] = c == 0 ? through(left_edge_[r], {offered, offered.valid ? a[r] : 0}) : left_[at - 1];
    top[at] = r == 0 ? through(top_edge_[c], {offered, offered.valid ? b[c] : 0}) : top_[at - cols];
    UnitInputs in;
    static_cast<UnitControl&>(in) = left[at].control;
    in.ready = true;
    if (in.valid) {
      in.a = {left[at].code};
      in.b = {top[at].code};
    }
    ClockedUnit& cell = *cells_[at];
    cell.clock(in);
    const UnitItem* result = cell.result();
    if (result == nullptr) continue;
    sums_[at] = result->row.result.at(0);
    finished = at + 1 == cells_.size() && result->control.last;
  }
  left_ = std::move(left);
  top_ = std::move(top);
  if (offered.valid && offered.last) leaving_ = true;
  out_.clear();
  if (finished) {
    drained_ = rows_;
  } else if (drained_ > 0 && --drained_ == 0) {
    leaving_ = false;
  }
  if (drained_ > 0) {
    const auto first = sums_.begin() + (drained_ - 1) * cols_;
    out_.assign(first, first + cols_);
  }
}

}  // namespace accsim::sim
