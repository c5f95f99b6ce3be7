#include "cli/traced_operands.h"

#include "formats/error.h"
#include "formats/random.h"
#include "formats/value_text.h"
#include "sim/block_operand.h"
#include "sim/quantize.h"

namespace accsim::cli {
namespace {

/// One operand of a pass as the datapath sees it.
class Codes {
 public:
  Codes(const sim::Tensor& tensor, const sim::Operand& operand, std::uint64_t seed, const formats::RandomPosition& position)
      : tensor_(tensor), operand_(operand) {
    if (operand.block) blocks_.emplace(tensor, operand, seed, position);
    else quantized_ = quantize_operand(tensor, operand, seed, position);
  }

  /// The codes of a row of the lowered matrix; of a block format the elements' (0 in a block that is NaN) and, into `scales`, the blocks'.
  [[nodiscard]] std::vector<formats::Code> of(std::span<const std::int64_t> elements, std::vector<formats::Code>& scales) const {
    return blocks_ ? in_blocks(elements, scales) : one_by_one(elements);
  }

 private:
  [[nodiscard]] std::vector<formats::Code> in_blocks(std::span<const std::int64_t> elements, std::vector<formats::Code>& scales) const {
    std::vector<double> seen;
    std::vector<double> before_scales;
    std::vector<double> factors;
    blocks_->quantize_row(elements, seen, before_scales, factors);
    for (const double x : factors) scales.push_back(encode(formats::from_double<formats::UInt128>(x), operand_.block->scale));
    std::vector<formats::Code> codes;
    for (const double x : before_scales) {
      const auto element = formats::from_double<formats::UInt128>(x);
      codes.push_back(element.nan ? formats::Code{0} : encode(element, operand_.block->element));
    }
    return codes;
  }

  [[nodiscard]] std::vector<formats::Code> one_by_one(std::span<const std::int64_t> elements) const {
    const formats::Format& format = *operand_.format;
    const sim::Values& values = quantized_.changed ? quantized_.values : tensor_.values;
    std::vector<formats::Code> codes;
    for (const std::int64_t e : elements) {
      const formats::NarrowExact x = e == sim::Lowering::hole ? formats::NarrowExact::zero() : narrowed(values.exact(e));
      if (!represents(format, x))
        throw InputError("operand", formats::value_text(x) + ", which has no code in " + format.name, "a format that holds it, with --in");
      codes.push_back(encode(x, format));
    }
    return codes;
  }

  const sim::Tensor& tensor_;
  const sim::Operand& operand_;
  std::optional<sim::BlockOperand> blocks_;
  sim::QuantizedOperand quantized_;
};

}  // namespace

TracedOperands::TracedOperands(const std::string& path, const LayerSelection& selection, const sim::Datapath& datapath, std::uint64_t seed)
    : trace_(path), jobs_(jobs_of(trace_, selection)), datapath_(datapath), seed_(seed) {
  for (const Job& job : jobs_) trace_.check(*job.layer, job.pass);
}

void TracedOperands::for_each_output(std::int64_t rows, const std::function<bool(const TracedDot&)>& take) {
  const auto jobs = static_cast<std::int64_t>(jobs_.size());
  for (std::int64_t j = 0; j < jobs; ++j) {
    const Job& job = jobs_[static_cast<std::size_t>(j)];
    const traces::LayerPass pass = trace_.load(*job.layer, job.pass);
    const sim::Lowering& lowering = *pass.lowering;
    const auto pass_number = static_cast<std::uint32_t>(job.pass);
    const Codes a(pass.a, datapath_.a, 0, {.output = 0, .layer = job.layer->rank, .pass = pass_number, .site = 14});
    const Codes b(pass.b, datapath_.b, 0, {.output = 0, .layer = job.layer->rank, .pass = pass_number, .site = 15});
    const std::int64_t share = rows * (j + 1) / jobs - rows * j / jobs;
    formats::PhiloxStream random(seed_, {.output = 0, .layer = job.layer->rank, .pass = 3, .site = pass_number});
    std::vector<std::int64_t> elements(static_cast<std::size_t>(lowering.k));
    const auto below = [&](std::int64_t n) {
      return static_cast<std::int64_t>((formats::UInt128{random.next()} << 32 | random.next()) * static_cast<std::uint64_t>(n) >> 64);
    };
    for (std::int64_t i = 0; i < share; ++i) {
      const std::int64_t group = below(lowering.batch);
      try {
        TracedDot dot{.a = {}, .b = {}, .a_scales = {}, .b_scales = {}, .layer = job.layer->name, .row_limit = rows * (j + 1) / jobs};
        lowering.a_row(group, below(lowering.m), elements);
        dot.a = a.of(elements, dot.a_scales);
        lowering.b_row(group, below(lowering.n), elements);
        dot.b = b.of(elements, dot.b_scales);
        if (!take(dot)) break;
      } catch (const InputError& error) {
        throw error.inside(trace_.path().string() + ": layer \"" + job.layer->name + "\"");
      }
    }
  }
}

}  // namespace accsim::cli
