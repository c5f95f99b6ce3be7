// One issue of a datapath's innermost level, on codes: what an RTL's multiply-accumulate does in one row of vectors. Where
// `[accumulator] level` names an outer level, a row goes up to the accumulator of that one.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sim/datapath.h"
#include "sim/random_site.h"

namespace accsim::sim {

/// Exception flags of a row, RISC-V's and TestFloat's order.
constexpr unsigned flag_invalid = 16;   ///< NV: a signalling NaN operand, infinity times zero, infinity minus infinity
constexpr unsigned flag_overflow = 4;   ///< OF
constexpr unsigned flag_underflow = 2;  ///< UF: tiny after rounding and inexact
constexpr unsigned flag_inexact = 1;    ///< NX

/// Roundings by the code that an RTL's `rm` port has: RISC-V's frm 0..4, and round to odd as CVFPU has it.
constexpr std::array<std::string_view, 6> rounding_of_code = {"rne", "rz", "rd", "ru", "rna", "ro"};
constexpr unsigned own_rounding_code = 7;  ///< the datapath's own (RISC-V: dynamic)
/// The code of a row's `rm` (empty: the datapath's own). InputError for a rounding that has none.
unsigned rounding_code(std::string_view rm);

struct Issue {
  std::span<const formats::Code> a, b;  ///< of one length: the level's terms, fewer, or several issues in order; in a block format elements
  std::span<const formats::Code> a_scales = {}, b_scales = {};  ///< of a block format's blocks from the first term on; missing ones are 1
  formats::Code accumulator = 0;                                ///< of the accumulator's input format
  bool subtract = false;                                        ///< every product is negated
  std::uint64_t row = 0;                                        ///< numbers the random bits of Philox
};

struct IssueResult {
  formats::Code accumulator = 0;         ///< of the accumulator's output format
  std::optional<formats::Code> product;  ///< of a one-term row with a rounded product, before any negation
  std::optional<formats::Code> output;   ///< the accumulator as `[output]` converts it, where output_format() is one
  unsigned flags = 0;
};

class IssueModel {
 public:
  /// InputError where an operand is taken as traced (it has no codes), or results have no codes.
  /// `pe`: the processing element whose generators these are, where each has its own.
  explicit IssueModel(const Datapath& datapath, std::uint64_t pe = 0);

  /// What a row goes through: no level behind its accumulator's, one generator for all rows.
  [[nodiscard]] const Datapath& datapath() const { return datapath_; }
  /// Products of one issue; nothing where an issue has as many as there are. A row with more is several issues in order.
  [[nodiscard]] std::optional<std::int64_t> terms_of_issue() const;
  [[nodiscard]] bool has_generators() const { return has_lfsr_; }

  /// The operands' formats; the elements' of a block format.
  [[nodiscard]] const formats::Format& a_format() const { return format_of(datapath_.a); }
  [[nodiscard]] const formats::Format& b_format() const { return format_of(datapath_.b); }
  [[nodiscard]] const std::optional<formats::BlockFormat>& a_blocks() const { return datapath_.a.block; }
  [[nodiscard]] const std::optional<formats::BlockFormat>& b_blocks() const { return datapath_.b.block; }
  /// Formats of the accumulator that comes in and of the one that goes out.
  [[nodiscard]] const formats::Format& in_format() const { return datapath_.levels[datapath_.accumulator.level.value_or(0)].format; }
  [[nodiscard]] const formats::Format& out_format() const { return datapath_.result_format(); }
  [[nodiscard]] const std::optional<formats::Format>& product_format() const { return datapath_.product.format; }
  /// That of `[output]`; none where there is no conversion, or rows end before the sum that it converts.
  [[nodiscard]] const std::optional<formats::Format>& output_format() const { return output_.format; }
  /// False where the level keeps nothing between issues.
  [[nodiscard]] bool has_accumulator() const { return datapath_.accumulator.last || takes_accumulator(datapath_.levels.back()); }
  /// Rows after which the accumulator of a row is fed back: 1, or the ways of an interleaved level.
  [[nodiscard]] std::int64_t ways() const { return ways_; }

  /// Generators run on from issue to issue until reset.
  IssueResult run(const Issue& issue);
  /// One addition of an interleaved level's combination (no y: a rounding alone). With Philox it takes number `ordinal` of the row.
  /// `drawn`: a random number in place of this model's next one.
  IssueResult add(formats::Code x, std::optional<formats::Code> y, std::uint64_t row, std::uint32_t ordinal,
                  std::optional<std::uint32_t> drawn = {});
  /// What of a row's result enters a later row, where the accumulator's two formats differ rounded by its level's rule.
  [[nodiscard]] formats::Code fed_back(formats::Code out) const;
  [[nodiscard]] bool has_blocks() const { return datapath_.a.block || datapath_.b.block; }
  /// The rounded product of a row's first term, before any negation; none where products are exact or random.
  [[nodiscard]] std::optional<formats::Code> product_of(const Issue& row) const;
  [[nodiscard]] bool shows_products() const { return product_format() && datapath_.product.rounding.mode != formats::Rounding::sr; }
  void reset_generators() { generators_ = {}; }

 private:
  static const formats::Format& format_of(const Operand& operand) { return operand.block ? operand.block->element : *operand.format; }
  /// `issue` has a scale for each term.
  IssueResult one_sum(const Issue& issue);
  IssueResult sum_of(const Issue& issue);
  [[nodiscard]] std::vector<formats::NarrowExact> rounded_products(std::vector<formats::NarrowExact> products, std::uint64_t row) const;
  [[nodiscard]] std::optional<formats::Code> rounded_product(const formats::NarrowExact& x, const formats::NarrowExact& y) const;

  Datapath datapath_;
  OutputConversion output_;
  std::int64_t ways_ = 1;
  bool has_lfsr_ = false;
  bool keeps_infinities_ = false;
  ArrayGenerators generators_;
};

/// The datapath with every rounding of the innermost issue replaced: a row's `rm`.
Datapath with_rounding(Datapath datapath, std::string_view rounding);

/// The models of a file's rows: the datapath's own, and one for each `rm` that overrides its roundings.
class IssueModels {
 public:
  explicit IssueModels(const Datapath& datapath) : datapath_(datapath) { models_.emplace("", IssueModel(datapath)); }
  [[nodiscard]] IssueModel& plain() { return models_.find("")->second; }
  /// `rm` empty: the datapath's own.
  IssueModel& at(const std::string& rm);
  void reset_generators();

 private:
  Datapath datapath_;
  std::map<std::string, IssueModel, std::less<>> models_;
};

}  // namespace accsim::sim
