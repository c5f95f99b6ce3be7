#include "sim/dpi/bench_unit.h"

#include <algorithm>
#include <array>

#include "formats/error.h"
#include "formats/value_text.h"
#include "sim/executor.h"

namespace accsim::sim {

using formats::Code;
using formats::Format;

namespace {

constexpr std::size_t most_terms = 65536;
constexpr std::size_t most_texts = 1000;

const Format& flags_format() {
  static const Format format = formats::parse_format("uint5");
  return format;
}

/// Wires, a bit a term.
const Format& digits_format() {
  static const Format format = formats::parse_format("uint64");
  return format;
}

std::string column_of(const UnitSignal& s) { return s.scope + "_" + std::to_string(s.stage) + "_" + s.name; }

}  // namespace

std::string decoded_text(Code code, const Format& format) {
  if (code_bits(format) < 128 && (code >> code_bits(format)) != 0)
    return "a code of more than " + std::to_string(code_bits(format)) + " bits";
  return formats::code_text(code, format) + " (" + formats::value_text(decode(code, format)) + ")";
}

BenchUnit::BenchUnit(const Datapath& datapath, const BenchOptions& options) : datapath_(datapath), model_(datapath), options_(options) {
  clear_steps();
  const LevelKind kind = datapath_.levels.front().kind;
  if (kind == LevelKind::online) (void)online();
  if (terms_of_issue() > 0 && kind != LevelKind::online) (void)clocked(terms_of_issue());
}

std::int64_t BenchUnit::terms_of_issue() const {
  const Level& level = datapath_.levels.front();
  return has_issues(level.kind) ? level.terms.value_or(0) : 1;
}

void BenchUnit::clear_steps() {
  partial_.assign(static_cast<std::size_t>(model_.ways()), 0);
  next_ = 0;
}

void BenchUnit::reset() {
  clear_steps();
  steps_ = 0;
  terms_a_.clear();
  terms_b_.clear();
  set_scales({}, {});
  model_.reset_generators();
  clocked_.reset();
  array_.reset();
  online_.reset();
  edges_ = 0;
  mismatches_.clear();
  mismatch_count_ = 0;
  error.clear();
}

void BenchUnit::set_scales(std::vector<Code> a, std::vector<Code> b) {
  a_scales_ = std::move(a);
  b_scales_ = std::move(b);
}

void BenchUnit::keep_terms(bool first, std::span<const Code> a, std::span<const Code> b) {
  if (first) {
    terms_a_.clear();
    terms_b_.clear();
  }
  if (terms_a_.size() > most_terms) return;
  terms_a_.insert(terms_a_.end(), a.begin(), a.end());
  terms_b_.insert(terms_b_.end(), b.begin(), b.end());
}

IssueResult BenchUnit::step(bool first, const std::vector<Code>& a, const std::vector<Code>& b) {
  if (first) clear_steps();
  keep_terms(first, a, b);
  Code& sum = partial_[next_];
  const Code before = model_.has_accumulator() ? sum : 0;
  const IssueResult result =
      model_.run({.a = a, .b = b, .a_scales = a_scales_, .b_scales = b_scales_, .accumulator = before, .subtract = false, .row = steps_++});
  sum = model_.has_accumulator() ? model_.fed_back(result.accumulator) : 0;
  next_ = (next_ + 1) % partial_.size();
  return result;
}

Code BenchUnit::total() const {
  if (terms_a_.size() > most_terms)
    throw InputError("total", "more than " + std::to_string(most_terms) + " terms since the last `first`", "fewer");
  if (model_.has_blocks()) throw InputError("total", "operands in block formats", "accsim_row, accsim_clock_control");
  std::vector<formats::Exact> a;
  std::vector<formats::Exact> b;
  for (const Code code : terms_a_) a.push_back(widened(decode(code, model_.a_format())));
  for (const Code code : terms_b_) b.push_back(widened(decode(code, model_.b_format())));
  const std::vector<std::int64_t> output_index{0};
  ArrayGenerators arrays;
  const auto emin = [](const Format& f) { return f.as_float() != nullptr ? formats::limits(f).emin : -(1 << 24); };
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

ClockedUnit& BenchUnit::clocked(std::int64_t terms) {
  if (!clocked_) clocked_ = std::make_unique<ClockedUnit>(datapath_, std::max(terms, terms_of_issue()), options_.units, options_.latency);
  if (terms > clocked_->terms())
    throw InputError("terms", std::to_string(terms), "at most the " + std::to_string(clocked_->terms()) + " of an issue of this unit");
  return *clocked_;
}

void BenchUnit::clock(const UnitInputs& inputs) {
  ClockedUnit& unit = clocked(std::max<std::int64_t>(1, static_cast<std::int64_t>(inputs.a.size())));
  if (options_.units != 1) throw InputError("units", std::to_string(options_.units) + " in step", "accsim_clock_batch for more than one");
  UnitInputs with_scales = inputs;
  with_scales.a_scales = a_scales_;
  with_scales.b_scales = b_scales_;
  const bool taken = unit.clock(with_scales);
  edges_ = unit.edges();
  if (taken) keep_terms(inputs.first, inputs.a, inputs.b);
}

void BenchUnit::clock(const UnitControl& control, Code a, Code b) {
  if (model_.has_blocks()) {
    UnitInputs inputs;
    static_cast<UnitControl&>(inputs) = control;
    inputs.a = {a};
    inputs.b = {b};
    return clock(inputs);
  }
  ClockedUnit& unit = clocked(1);
  if (options_.units != 1) throw InputError("units", std::to_string(options_.units) + " in step", "accsim_clock_batch for more than one");
  const auto words = [](Code code) {
    return std::array<std::uint32_t, 4>{static_cast<std::uint32_t>(code), static_cast<std::uint32_t>(code >> 32),
                                        static_cast<std::uint32_t>(code >> 64), static_cast<std::uint32_t>(code >> 96)};
  };
  const std::array<std::uint32_t, 4> a_words = words(a);
  const std::array<std::uint32_t, 4> b_words = words(b);
  const bool taken = unit.clock(control, BatchOperands{a_words.data(), b_words.data(), 1, nullptr});
  edges_ = unit.edges();
  if (taken) keep_terms(control.first, {&a, 1}, {&b, 1});
}

void BenchUnit::clock(const UnitControl& control, const BatchOperands& operands) {
  if (model_.has_blocks()) throw InputError("units in step", "operands in block formats", "accsim_clock_control, one unit");
  ClockedUnit& unit = clocked(static_cast<std::int64_t>(operands.terms));
  (void)unit.clock(control, operands);
  edges_ = unit.edges();
}

const UnitItem* BenchUnit::product_item() {
  const ClockedUnit& unit = clocked(0);
  return options_.latency && options_.latency->product == options_.latency->result ? unit.result() : unit.product();
}

ClockedArray& BenchUnit::array() {
  if (!array_) array_ = std::make_unique<ClockedArray>(datapath_);
  return *array_;
}

BenchOnline& BenchUnit::online() {
  if (!online_) {
    const std::int64_t terms = options_.terms.value_or(datapath_.levels.front().terms.value_or(1));
    online_ = std::make_unique<BenchOnline>(datapath_, terms, options_.part);
  }
  return *online_;
}

void BenchUnit::clock_array(const UnitControl& control, const std::vector<Code>& a, const std::vector<Code>& b) {
  array().clock(control, a, b);
  edges_ = array().edges();
}

void BenchUnit::clock_online(bool reset, bool start, const BenchOnline::Digits& digits, const std::vector<online::Int128>& parallel) {
  online().clock(reset, start, digits, parallel);
  edges_ = online().edges();
}

bool BenchUnit::check_array(const std::vector<Code>& found) {
  const std::vector<Code>& expected = array().leaving();
  if (expected.empty() != found.empty())
    return mismatch(std::string("stage control: row of results expected ") + (expected.empty() ? "none" : "one") + ", found " +
                    (found.empty() ? "none" : "one"));
  bool matches = true;
  for (std::size_t column = 0; column < expected.size(); ++column) {
    if (found[column] == expected[column]) continue;
    matches = mismatch("stage sum: element (" + std::to_string(array().leaving_row() - 1) + ", " + std::to_string(column) + ") expected " +
                       decoded_text(expected[column], model_.out_format()) + ", found " + decoded_text(found[column], model_.out_format()));
  }
  return matches;
}

UnitSample BenchUnit::peek(std::string_view signal) {
  using namespace std::string_view_literals;
  if (signal == "array_ready"sv) return {array().is_ready() ? 1U : 0U, true};
  if (signal == "digit"sv) return {static_cast<Code>(2 * int{online().output().plus} + int{online().output().minus}), true};
  if (signal == "products_plus"sv) return {online().products_plus(), true};
  if (signal == "products_minus"sv) return {online().products_minus(), true};
  const ClockedUnit& unit = clocked(0);
  const UnitItem* result = unit.result();
  if (signal == "valid"sv) return {result != nullptr ? 1U : 0U, true};
  if (signal == "ready"sv) return {unit.outputs(true).ready ? 1U : 0U, true};
  if (signal == "last"sv) return {result != nullptr && result->control.last ? 1U : 0U, result != nullptr};
  if (signal == "acc"sv) return result != nullptr ? UnitSample{result->row.result.at(0), true} : UnitSample{};
  if (signal == "flags"sv) return result != nullptr ? UnitSample{result->row.flags.at(0), true} : UnitSample{};
  if (signal == "product_valid"sv) return {product_item() != nullptr ? 1U : 0U, true};
  if (signal == "product"sv) {
    if (!model_.shows_products())
      throw InputError("signal", "product, which this datapath does not round to a format", "acc, flags, valid");
    const UnitItem* item = product_item();
    return item != nullptr && item->row.terms == 1 ? UnitSample{unit.product_of(*item, 0), true} : UnitSample{};
  }
  const std::vector<UnitSignal> signals = unit.signals();
  const auto it = std::find_if(signals.begin(), signals.end(), [&](const UnitSignal& s) { return column_of(s) == signal; });
  if (it != signals.end()) return unit.sample()[static_cast<std::size_t>(it - signals.begin())];
  std::string names = "valid, ready, last, acc, flags, product_valid, product";
  for (const UnitSignal& s : signals) names += ", " + column_of(s);
  throw InputError("signal", "\"" + std::string(signal) + "\"", names);
}

const Format* BenchUnit::format_of(std::string_view signal) {
  if (signal == "acc") return &model_.out_format();
  if (signal == "flags") return &flags_format();
  if (signal == "product") return &*model_.product_format();
  for (const UnitSignal& s : clocked(0).signals()) {
    if (column_of(s) == signal && s.format != nullptr)
      return s.name == "a" ? &model_.a_format() : s.name == "b" ? &model_.b_format() : s.format;
  }
  return nullptr;
}

std::string BenchUnit::operands_of(const UnitItem& item, std::int64_t unit) const {
  if (item.row.terms == 0) return "partial sums combined";
  std::string text;
  for (std::size_t i = 0; i < item.row.terms; ++i) {
    text += (i == 0 ? "a " : ", a ") + decoded_text(item.row.a[i].at(unit), model_.a_format()) + ", b " +
            decoded_text(item.row.b[i].at(unit), model_.b_format());
  }
  for (std::size_t i = 0; i < item.row.a_scales.size(); ++i)
    text += ", a_scale" + std::to_string(i) + " " + decoded_text(item.row.a_scales[i].at(unit), model_.a_blocks()->scale);
  for (std::size_t i = 0; i < item.row.b_scales.size(); ++i)
    text += ", b_scale" + std::to_string(i) + " " + decoded_text(item.row.b_scales[i].at(unit), model_.b_blocks()->scale);
  if (model_.has_accumulator()) text += ", accumulator " + decoded_text(item.from_zero ? 0 : item.accumulator.at(unit), model_.in_format());
  return text + ", taken in cycle " + std::to_string(item.taken);
}

bool BenchUnit::mismatch(const std::string& text) {
  ++mismatch_count_;
  if (mismatches_.size() < most_texts) mismatches_.push_back("cycle " + std::to_string(edges_ > 0 ? edges_ - 1 : 0) + ": " + text);
  return false;
}

bool BenchUnit::check(std::string_view name, Code found) {
  const UnitSample expected = peek(name);
  if (!expected.valid || expected.value == found) return true;
  const std::string signal(name);
  if (signal == "digit" || signal.starts_with("products_")) {
    return mismatch((signal == "digit" ? "stage digit: wires expected " : "stage product: " + signal + " expected ") +
                    formats::code_text(expected.value, digits_format()) + ", found " + formats::code_text(found, digits_format()));
  }
  const Format* format = format_of(signal);
  if (format == nullptr) {
    const bool is_register = signal.find('_') != std::string::npos && signal != "product_valid";
    return mismatch((is_register ? "stage " + signal : "stage control: " + signal) + " expected " +
                    std::to_string(static_cast<unsigned>(expected.value)) + ", found " +
                    formats::code_text(found, formats::parse_format("uint1")));
  }
  const bool is_product = signal == "product";
  const UnitItem* item = is_product ? product_item() : clocked(0).result();
  const std::string where = is_product                             ? "stage product: product"
                            : signal == "acc" || signal == "flags" ? "stage sum: " + signal
                                                                   : "stage " + signal;
  std::string text = where + " expected " + decoded_text(expected.value, *format) + ", found " + decoded_text(found, *format);
  if (item != nullptr && (is_product || signal == "acc" || signal == "flags")) text += "; " + operands_of(*item, 0);
  return mismatch(text);
}

bool BenchUnit::check_results(const std::uint32_t* found) {
  const UnitItem* item = clocked(0).result();
  if (item == nullptr) return mismatch("stage control: results expected none, found some");
  bool matches = true;
  const UnitCodes& expected = item->row.result;
  for (std::int64_t unit = 0; unit < options_.units; ++unit) {
    Code code = 0;
    for (int plane = expected.planes(); plane-- > 0;) code = code << 32 | found[plane * options_.units + unit];
    if (code == expected.at(unit)) continue;
    matches =
        mismatch("stage sum: acc of unit " + std::to_string(unit) + " expected " + decoded_text(expected.at(unit), model_.out_format()) +
                 ", found " + decoded_text(code, model_.out_format()) + "; " + operands_of(*item, unit));
  }
  return matches;
}

}  // namespace accsim::sim
