#include "sim/row_batch.h"

#include <algorithm>

#include "formats/round.h"

namespace accsim::sim {

using formats::Code;

namespace {

std::vector<Code> codes_of(const std::vector<UnitCodes>& all, std::size_t count, std::int64_t unit) {
  std::vector<Code> codes(count);
  for (std::size_t i = 0; i < count; ++i) codes[i] = all[i].at(unit);
  return codes;
}

/// The generators of the units of one rounding: seeded with the unit's number where each processing element has its own.
std::vector<formats::Lfsr> generators_of(const formats::RoundingSpec& spec, std::int64_t units, std::uint64_t first) {
  std::vector<formats::Lfsr> generators;
  if (spec.mode != formats::Rounding::sr || !spec.stochastic.lfsr) return generators;
  for (std::int64_t unit = 0; unit < units; ++unit) {
    const bool own = spec.stochastic.lfsr->share == formats::LfsrShare::pe;
    generators.emplace_back(*spec.stochastic.lfsr, own ? first + static_cast<std::uint64_t>(unit) : 0);
  }
  return generators;
}

}  // namespace

BatchModel::BatchModel(const Datapath& datapath, std::int64_t units, std::uint64_t first_element, kernels::RowLanes lanes)
    : datapath_(datapath),
      units_(units),
      first_element_(first_element),
      plain_(make_variant(datapath)),
      one_format_(model().in_format() == model().out_format()),
      lanes_(lanes),
      zero_(code_bits(model().in_format()), units),
      product_random_(static_cast<std::size_t>(units + kernels::row_padding)),
      random_(product_random_.size()) {}

BatchModel::Variant BatchModel::make_variant(const Datapath& datapath) const {
  Variant v;
  v.models.emplace_back(datapath, first_element_);
  if (v.models.front().has_generators()) {
    for (std::int64_t unit = 1; unit < units_; ++unit) v.models.emplace_back(datapath, first_element_ + static_cast<std::uint64_t>(unit));
  }
  v.lanes = kernels::row_plan(v.models.front().datapath());
  v.product_rounding = datapath.product.rounding;
  v.sum_rounding = datapath.levels.front().rounding;
  if (v.lanes) {
    v.product_lfsr = generators_of(v.product_rounding, datapath.product.format ? units_ : 0, first_element_);
    v.sum_lfsr = generators_of(v.sum_rounding, units_, first_element_);
  }
  return v;
}

BatchModel::Variant& BatchModel::variant(const std::string& rm) {
  if (rm.empty()) return plain_;
  const auto known = overridden_.find(rm);
  if (known != overridden_.end()) return known->second;
  return overridden_.emplace(rm, make_variant(with_rounding(datapath_, rm))).first->second;
}

BatchRow BatchModel::make_row(std::size_t terms) const {
  BatchRow row;
  row.terms = terms;
  row.a.assign(terms, UnitCodes(code_bits(model().a_format()), units_));
  row.b.assign(terms, UnitCodes(code_bits(model().b_format()), units_));
  row.result = UnitCodes(code_bits(model().out_format()), units_);
  row.flags = UnitCodes(5, units_);
  return row;
}

const std::uint32_t* BatchModel::draw(const formats::RoundingSpec& spec, std::vector<formats::Lfsr>& generators, std::uint32_t site,
                                      std::uint64_t row, std::vector<std::uint32_t>& random) {
  if (spec.mode != formats::Rounding::sr) return nullptr;
  for (std::int64_t unit = 0; unit < units_; ++unit) {
    const auto at = static_cast<std::size_t>(unit);
    if (!generators.empty()) {
      random[at] = generators[at].next();
    } else {
      formats::PhiloxStream stream(spec.stochastic.philox_seed.value_or(0),
                                   {.output = output_of(row, unit), .layer = 0, .pass = 0, .site = site});
      random[at] = stream.next();
    }
  }
  return random.data();
}

Code BatchModel::product_of(const BatchRow& row, std::int64_t unit) const {
  const Variant& v = known_variant(row.rm);
  const Code a = row.a.front().at(unit);
  const Code b = row.b.front().at(unit);
  if (!v.lanes || !v.lanes->rounds_product) {
    const std::vector<Code> a_scales = codes_of(row.a_scales, row.a_scales.size(), unit);
    const std::vector<Code> b_scales = codes_of(row.b_scales, row.b_scales.size(), unit);
    return v.models.front().product_of({.a = {&a, 1}, .b = {&b, 1}, .a_scales = a_scales, .b_scales = b_scales}).value_or(0);
  }
  const std::uint32_t a_words[kernels::row_padding] = {static_cast<std::uint32_t>(a)};
  const std::uint32_t b_words[kernels::row_padding] = {static_cast<std::uint32_t>(b)};
  std::uint32_t product[kernels::row_padding];
  kernels::RowBlock block;
  block.count = 1;
  block.a = a_words;
  block.b = b_words;
  block.result = product;
  lanes_.multiply(*v.lanes, block);
  return product[0];
}

void BatchModel::add(BatchRow& row, const UnitCodes* accumulator) {
  Variant& v = variant(row.rm);
  if (v.lanes) {
    kernels::RowBlock block;
    block.count = units_;
    block.a = row.a.front().words();
    block.b = row.b.front().words();
    block.accumulator = accumulator != nullptr ? accumulator->words() : zero_.words();
    if (v.lanes->rounds_product) block.product_random = draw(v.product_rounding, v.product_lfsr, 0, row.row, product_random_);
    block.random = draw(v.sum_rounding, v.sum_lfsr, 1, row.row, random_);
    block.subtract = row.subtract;
    block.result = row.result.words();
    block.flags = row.flags.words();
    lanes_.add(*v.lanes, block);
    return;
  }
  for (std::int64_t unit = 0; unit < units_; ++unit) {
    const std::vector<Code> a = codes_of(row.a, row.terms, unit);
    const std::vector<Code> b = codes_of(row.b, row.terms, unit);
    const std::vector<Code> a_scales = codes_of(row.a_scales, row.a_scales.size(), unit);
    const std::vector<Code> b_scales = codes_of(row.b_scales, row.b_scales.size(), unit);
    IssueModel& m = model_of(v, unit);
    const Code c = accumulator != nullptr && m.has_accumulator() ? accumulator->at(unit) : 0;
    const IssueResult r = m.run({.a = a,
                                 .b = b,
                                 .a_scales = a_scales,
                                 .b_scales = b_scales,
                                 .accumulator = c,
                                 .subtract = row.subtract,
                                 .row = output_of(row.row, unit)});
    row.result.set(unit, r.accumulator);
    row.flags.set(unit, r.flags);
  }
}

void BatchModel::combine(const UnitCodes* x, const UnitCodes* y, std::uint64_t row, std::uint32_t ordinal, UnitCodes& result,
                         UnitCodes& flags) {
  for (std::int64_t unit = 0; unit < units_; ++unit) {
    const Code left = x != nullptr ? x->at(unit) : 0;
    const std::optional<Code> right = y != nullptr ? std::optional(y->at(unit)) : std::nullopt;
    const auto at = static_cast<std::size_t>(unit);
    std::optional<std::uint32_t> random;  // generators of the lanes run on
    if (!plain_.sum_lfsr.empty()) random = plain_.sum_lfsr[at].next();
    const IssueResult r = model_of(plain_, unit).add(left, right, output_of(row, unit), ordinal, random);
    result.set(unit, r.accumulator);
    flags.set(unit, flags.at(unit) | r.flags);
  }
}

void BatchModel::feed_back(const UnitCodes& result, UnitCodes& accumulator) const {
  if (one_format_) {
    accumulator = result;
    return;
  }
  for (std::int64_t unit = 0; unit < units_; ++unit) accumulator.set(unit, model().fed_back(result.at(unit)));
}

void BatchModel::reset_generators() {
  const auto reset = [&](Variant& v) {
    for (IssueModel& m : v.models) m.reset_generators();
    v.product_lfsr = generators_of(v.product_rounding, static_cast<std::int64_t>(v.product_lfsr.size()), first_element_);
    v.sum_lfsr = generators_of(v.sum_rounding, static_cast<std::int64_t>(v.sum_lfsr.size()), first_element_);
  };
  reset(plain_);
  for (auto& [rm, v] : overridden_) reset(v);
}

}  // namespace accsim::sim
