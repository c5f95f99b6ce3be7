#include "sim/issue_model.h"

#include <algorithm>

#include "formats/error.h"
#include "formats/round.h"
#include "sim/executor.h"
#include "sim/output_conversion.h"
#include "sim/tininess.h"

namespace accsim::sim {
namespace {

using formats::Code;
using formats::Exact;
using formats::NarrowExact;

/// One generator for all rows, that of element `pe` where each has its own; true where there is one.
bool share(formats::RoundingSpec& spec, std::uint64_t pe) {
  if (spec.mode != formats::Rounding::sr || !spec.stochastic.lfsr) return false;
  formats::LfsrSpec& lfsr = *spec.stochastic.lfsr;
  if (lfsr.share == formats::LfsrShare::pe) lfsr.seed = formats::Lfsr(lfsr, pe).state();
  lfsr.share = formats::LfsrShare::array;
  return true;
}

/// A NaN of an IEEE-style format whose top fraction bit is clear (IEEE 754-2019 6.2.1).
bool is_signalling(Code code, const formats::Format& format) {
  const formats::FloatFormat* f = format.as_float();
  if (f == nullptr || f->specials != formats::Specials::ieee || !decode(code, format).nan) return false;
  return ((code >> (f->fraction_bits - 1)) & 1U) == 0;
}

int emin_of(const formats::Format& format) { return format.as_float() != nullptr ? formats::limits(format).emin : -(1 << 24); }

/// NV of a row: what its operands do to one another. Beside a quiet NaN, which decides the sum, infinities do not meet.
bool invalid_operation(const std::vector<NarrowExact>& products, bool infinity_times_zero, bool signalling, bool nan_operand,
                       const NarrowExact& accumulator) {
  bool plus = accumulator.infinite && !accumulator.negative;
  bool minus = accumulator.infinite && accumulator.negative;
  for (const NarrowExact& p : products) {
    plus |= p.infinite && !p.negative;
    minus |= p.infinite && p.negative;
  }
  return signalling || infinity_times_zero || (plus && minus && !nan_operand && !accumulator.nan);
}

/// Overflow gives infinities, so that a NaN is made by an invalid operation alone.
bool keeps_infinities(const formats::Format& format, const formats::RoundingSpec& spec) {
  const formats::Overflow overflow = formats::overflow_of(spec, format);
  return formats::limits(format).has_infinity && (overflow == formats::Overflow::ieee || overflow == formats::Overflow::infinity);
}

/// The scale of each term, from those of the blocks that a row starts with; 1 where there is none.
std::vector<Code> scale_of_each_term(const std::optional<formats::BlockFormat>& format, std::span<const Code> scales, std::size_t terms) {
  std::vector<Code> each;
  if (!format) return each;
  const Code one = scale_one(*format);
  for (std::size_t i = 0; i < terms; ++i) {
    const std::size_t block = i / static_cast<std::size_t>(format->block);
    each.push_back(block < scales.size() ? scales[block] : one);
  }
  return each;
}

std::span<const Code> part_of(std::span<const Code> codes, std::size_t first, std::size_t count) {
  return codes.empty() ? codes : codes.subspan(first, count);
}

/// Operands of an issue as the interpreter takes them: values, and apart what those of a block format are made of.
class Operands {
 public:
  Operands(const formats::Format& format, const std::optional<formats::BlockFormat>& blocks) : format_(format), blocks_(blocks) {}

  NarrowExact add(Code code, Code scale) {
    NarrowExact x = decode(code, format_);
    if (blocks_) {
      const NarrowExact s = magnitude(decode(scale, blocks_->scale));  // UE4M3 has no sign bit; MMA-Sim c785138 ignores it, too
      elements_.push_back(to_double(s.nan ? s : x));
      scales_.push_back(to_double(s));
      x = product(x, s);
    }
    values_.push_back(widened(x));
    return x;
  }
  [[nodiscard]] std::span<const Exact> values() const { return values_; }
  /// A scale a term.
  [[nodiscard]] BlockScales scales() const {
    if (!blocks_) return {};
    return {.block = 1, .scale_emin = formats::limits(blocks_->scale).emin, .elements = elements_, .scales = scales_};
  }

 private:
  const formats::Format& format_;
  const std::optional<formats::BlockFormat>& blocks_;
  std::vector<Exact> values_;
  std::vector<double> elements_, scales_;
};

}  // namespace

IssueModel::IssueModel(const Datapath& datapath, std::uint64_t pe) : datapath_(datapath) {
  if (datapath.a.is_as_traced() || datapath.b.is_as_traced()) {
    throw InputError("operands of datapath \"" + datapath.name + "\"", "as_traced, which has no codes",
                     "formats for both, for example --in fp16");
  }
  datapath_.levels.resize(datapath.accumulator.level.value_or(0) + 1);
  Level& level = datapath_.levels.back();
  if (datapath.levels.size() == datapath_.levels.size() && level.kind != LevelKind::interleaved) output_ = datapath.output;
  datapath_.output = {};
  if (level.kind == LevelKind::interleaved) {  // one row adds to one of its partial sums
    ways_ = level.ways;
    level.kind = LevelKind::sequential;
  }
  if (formats::underflow_of(datapath_.result_rounding(), datapath_.result_format()) == formats::Underflow::none) {
    throw InputError("reduction." + std::to_string(datapath_.levels.size() - 1) + ": underflow", "none, whose values have no codes",
                     "gradual or flush");
  }
  keeps_infinities_ = !datapath.product.format || keeps_infinities(*datapath.product.format, datapath.product.rounding);
  for (const Level& l : datapath_.levels) keeps_infinities_ = keeps_infinities_ && keeps_infinities(l.rounded_format(), l.rounding);
  has_lfsr_ = share(datapath_.product.rounding, pe);
  for (Level& l : datapath_.levels) has_lfsr_ |= share(l.rounding, pe);
  if (datapath_.accumulator.rounding) has_lfsr_ |= share(*datapath_.accumulator.rounding, pe);
  if (output_.format) has_lfsr_ |= share(output_.rounding, pe);
}

unsigned rounding_code(std::string_view rm) {
  if (rm.empty()) return own_rounding_code;
  const auto* it = std::find(rounding_of_code.begin(), rounding_of_code.end(), rm);
  if (it == rounding_of_code.end())
    throw InputError("column rm", "\"" + std::string(rm) + "\"", "rne, rz, rd, ru, rna, ro, which a unit's port has a code for");
  return static_cast<unsigned>(it - rounding_of_code.begin());
}

std::optional<std::int64_t> IssueModel::terms_of_issue() const {
  if (datapath_.levels.size() > 1) return std::nullopt;
  const Level& level = datapath_.levels.front();
  return has_issues(level.kind) ? level.terms : std::optional<std::int64_t>(1);
}

IssueResult IssueModel::run(const Issue& row) {
  IssueResult r = sum_of(row);
  if (output_.format) {
    RandomSite random(output_.rounding, 0, {.output = row.row, .layer = 0, .pass = 0, .site = 13}, &generators_);
    const formats::Rounder rounder(*output_.format, output_.rounding);
    r.output = encode(converted(output_, rounder, decode(r.accumulator, out_format()), random.next()), *output_.format);
  }
  return r;
}

IssueResult IssueModel::sum_of(const Issue& row) {
  Issue issue = row;
  const std::vector<Code> a_scales = scale_of_each_term(a_blocks(), row.a_scales, row.a.size());
  const std::vector<Code> b_scales = scale_of_each_term(b_blocks(), row.b_scales, row.b.size());
  issue.a_scales = a_scales;
  issue.b_scales = b_scales;
  const std::optional<std::int64_t>& terms = datapath_.levels.front().terms;
  const std::size_t size = issue.a.size();
  if (has_accumulator() || !terms || size <= static_cast<std::size_t>(*terms)) return one_sum(issue);
  IssueResult last;  // issues in order, each from nothing
  unsigned flags = 0;
  for (std::size_t first = 0; first < size; first += static_cast<std::size_t>(*terms)) {
    const std::size_t count = std::min(static_cast<std::size_t>(*terms), size - first);
    Issue part = issue;
    part.a = issue.a.subspan(first, count);
    part.b = issue.b.subspan(first, count);
    part.a_scales = part_of(issue.a_scales, first, count);
    part.b_scales = part_of(issue.b_scales, first, count);
    last = one_sum(part);
    flags |= last.flags;
  }
  last.flags = flags;
  return last;
}

/// The products as they enter the sum, before any negation; random numbers are those that the sum will take.
std::vector<NarrowExact> IssueModel::rounded_products(std::vector<NarrowExact> products, std::uint64_t row) const {
  if (!product_format()) return products;
  const formats::Rounder rounder(*product_format(), datapath_.product.rounding);
  ArrayGenerators generators = generators_;
  RandomSite random(datapath_.product.rounding, 0, {.output = row, .layer = 0, .pass = 0, .site = 0}, &generators);
  for (const std::int64_t i : term_order(datapath_, static_cast<std::int64_t>(products.size()))) {
    NarrowExact& p = products[static_cast<std::size_t>(i)];
    p = rounder(p, random.next()).value;
  }
  return products;
}

IssueResult IssueModel::one_sum(const Issue& issue) {
  Operands a(a_format(), a_blocks());
  Operands b(b_format(), b_blocks());
  std::vector<NarrowExact> products;
  std::optional<Code> product_code;
  bool infinity_times_zero = false;
  bool signalling = is_signalling(issue.accumulator, in_format());
  bool nan_operand = false;
  std::vector<NarrowExact> exact;
  for (std::size_t i = 0; i < issue.a.size(); ++i) {
    const NarrowExact x = a.add(issue.a[i], issue.a_scales.empty() ? 0 : issue.a_scales[i]);
    const NarrowExact y = b.add(issue.b[i], issue.b_scales.empty() ? 0 : issue.b_scales[i]);
    signalling |= is_signalling(issue.a[i], a_format()) || is_signalling(issue.b[i], b_format());
    const bool x_is_zero = x.is_zero() || (datapath_.flush_subnormals && x.is_finite() && log2_floor(x) < emin_of(a_format()));
    const bool y_is_zero = y.is_zero() || (datapath_.flush_subnormals && y.is_finite() && log2_floor(y) < emin_of(b_format()));
    infinity_times_zero |= (x.infinite && y_is_zero) || (x_is_zero && y.infinite);
    nan_operand |= x.nan || y.nan;
    if (issue.a.size() == 1) product_code = rounded_product(x, y);
    exact.push_back(product(x, y));
  }
  for (const NarrowExact& p : rounded_products(std::move(exact), issue.row)) {
    if (p.infinite) products.push_back(issue.subtract ? negated(p) : p);
  }
  NarrowExact c = decode(issue.accumulator, in_format());
  const NarrowExact c_before = c;
  if (datapath_.accumulator.last) {
    const formats::Rounder entry(datapath_.accumulator_format(), datapath_.accumulator_rounding());
    RandomSite random(datapath_.accumulator_rounding(), 0, {.output = issue.row, .layer = 0, .pass = 0, .site = 12}, &generators_);
    c = entry(c, random.next()).value;
  }
  const std::vector<NarrowExact> accumulator{c};
  const std::vector<std::int64_t> output_index{static_cast<std::int64_t>(issue.row)};
  Tile tile;
  tile.rows = tile.columns = 1;
  tile.k = static_cast<std::int64_t>(issue.a.size());
  tile.a_exact = a.values();
  tile.b_exact = b.values();
  tile.a_blocks = a.scales();
  tile.b_blocks = b.scales();
  tile.output_index = output_index;
  if (has_accumulator()) tile.accumulator = accumulator;
  tile.a_emin = emin_of(a_format());
  tile.b_emin = emin_of(b_format());
  tile.watch_tiny = true;
  tile.subtract = issue.subtract;
  tile.arrays = has_lfsr_ ? &generators_ : nullptr;
  TileResult result;
  executors().front()->run(datapath_, tile, result);

  IssueResult r;
  r.accumulator = encode(result.outputs.front(), out_format());
  r.product = product_code;
  const EventCounts& e = result.events;
  const bool nan_from_overflow = result.output(0).nan && !nan_operand && !c_before.nan && keeps_infinities_;
  if (invalid_operation(products, infinity_times_zero, signalling, nan_operand, c_before) || nan_from_overflow) r.flags |= flag_invalid;
  if (result.overflowed.front() != 0) r.flags |= flag_overflow;
  if (result.tiny.front() != 0) r.flags |= flag_underflow;
  if (e[Event::product_inexact] + e[Event::sum_inexact] != 0) r.flags |= flag_inexact;
  return r;
}

std::optional<Code> IssueModel::product_of(const Issue& row) const {
  Operands a(a_format(), a_blocks());
  Operands b(b_format(), b_blocks());
  const auto scale = [](const std::vector<Code>& each) { return each.empty() ? 0 : each.front(); };
  return rounded_product(a.add(row.a.front(), scale(scale_of_each_term(a_blocks(), row.a_scales, 1))),
                         b.add(row.b.front(), scale(scale_of_each_term(b_blocks(), row.b_scales, 1))));
}

std::optional<Code> IssueModel::rounded_product(const NarrowExact& x, const NarrowExact& y) const {
  if (!shows_products()) return std::nullopt;
  const Exact p = product(widened(x), widened(y));
  return encode(narrowed(formats::round(p, *product_format(), datapath_.product.rounding).value), *product_format());
}

IssueResult IssueModel::add(Code x, std::optional<Code> y, std::uint64_t row, std::uint32_t ordinal, std::optional<std::uint32_t> drawn) {
  const Level& level = datapath_.levels.back();
  const formats::Rounder rounder(level.rounded_format(), level.rounding);
  const auto number = static_cast<std::uint32_t>(datapath_.levels.size());
  RandomSite site(level.rounding, 0, {.output = row, .layer = 0, .pass = 0, .site = number}, &generators_);
  if (level.rounding.mode == formats::Rounding::sr && !level.rounding.stochastic.lfsr) {
    for (std::uint32_t n = 0; n < ordinal; ++n) (void)site.next();
  }
  const std::uint32_t random = drawn ? *drawn : site.next();
  const Exact left = widened(decode(x, level.format));
  const Exact right = y ? widened(decode(*y, level.format)) : Exact::zero();
  const formats::Rounded<formats::Wide> sum = y ? rounder.rounded_sum(left, right, random) : rounder(left, random);
  IssueResult r;
  r.accumulator = encode(narrowed(sum.value), level.format);
  if (is_signalling(x, level.format) || (y && is_signalling(*y, level.format)) || sum.events.invalid) r.flags |= flag_invalid;
  if (sum.events.overflow) r.flags |= flag_overflow;
  if (sum.events.inexact) {
    const Exact exact = y ? formats::sum(left, right, rounder.zero_sum_is_negative()) : left;
    r.flags |= flag_inexact | (is_tiny(datapath_.tininess, rounder, exact, random, sum.events) ? flag_underflow : 0U);
  }
  return r;
}

Datapath with_rounding(Datapath datapath, std::string_view rounding) {
  if (datapath.product.format) formats::parse_rounding(rounding, datapath.product.rounding);
  for (Level& level : datapath.levels) formats::parse_rounding(rounding, level.rounding);
  if (datapath.accumulator.rounding) formats::parse_rounding(rounding, *datapath.accumulator.rounding);
  if (datapath.output.format) formats::parse_rounding(rounding, datapath.output.rounding);
  check_datapath(datapath);
  return datapath;
}

IssueModel& IssueModels::at(const std::string& rm) {
  const auto known = models_.find(rm);
  if (known != models_.end()) return known->second;
  return models_.emplace(rm, IssueModel(with_rounding(datapath_, rm))).first->second;
}

void IssueModels::reset_generators() {
  for (auto& [rm, model] : models_) model.reset_generators();
}

Code IssueModel::fed_back(Code out) const {
  const formats::Format& from = out_format();
  const formats::Format& to = in_format();
  if (from == to) return out;
  return encode(formats::round(decode(out, from), to, datapath_.levels.back().rounding).value, to);
}

}  // namespace accsim::sim
