#include "sim/operand_facts.h"

#include <algorithm>
#include <bit>
#include <span>
#include <vector>

#include "formats/error.h"

namespace accsim::sim {
namespace {

/// Gathers the facts of nonzero values; binary64 is looked at as bits.
class Gather {
 public:
  void see(double value) {
    const auto bits = std::bit_cast<std::uint64_t>(value);
    const int field = static_cast<int>((bits >> 52) & 0x7FF);
    std::uint64_t significand = bits & 0xFFFFFFFFFFFFFULL;
    if (field == 0x7FF) {
      facts_.nonfinite = true;
      return;
    }
    if (field != 0) significand |= 1ULL << 52;
    if (significand == 0) return;
    const int base = std::max(field, 1) - 1075;
    see(base + std::countr_zero(significand), base + 63 - std::countl_zero(significand));
  }
  void see(const formats::Exact& x) {
    if (!x.is_finite()) facts_.nonfinite = true;
    if (!x.is_nonzero_finite()) return;
    see(x.exponent + static_cast<int>(boost::multiprecision::lsb(x.significand)), log2_floor(x));
  }
  /// Of values whose exponents of last and first bits lie between these, with at most `precision` bits each.
  void see_span(int lowest, int highest, int precision) {
    facts_.lowest = lowest;
    facts_.highest = highest;
    facts_.precision = precision;
  }
  [[nodiscard]] const OperandFacts& facts() const { return facts_; }

 private:
  void see(int lowest, int highest) {
    facts_.lowest = facts_.precision == 0 ? lowest : std::min(facts_.lowest, lowest);
    facts_.highest = facts_.precision == 0 ? highest : std::max(facts_.highest, highest);
    facts_.precision = std::max(facts_.precision, highest - lowest + 1);
  }
  OperandFacts facts_;
};

/// Some of the elements.
struct Piece {
  std::size_t first = 0, end = 0;
};

template <class Word>
void see_all(Gather& gather, const Coded<Word>& coded, Piece piece) {
  std::vector<char> used(coded.values.size(), 0);
  for (std::size_t i = piece.first; i < piece.end; ++i) used[coded.codes[i]] = 1;
  for (std::size_t code = 0; code < used.size(); ++code) {
    if (used[code] != 0) gather.see(coded.values[code]);
  }
}
template <class T>
void see_all(Gather& gather, const std::vector<T>& values, Piece piece) {
  for (std::size_t i = piece.first; i < piece.end; ++i) gather.see(values[i]);
}

/// Of binary32 in one pass that vectorizes: the last significant bit of a value is what clearing it takes away.
void see_all(Gather& gather, const std::vector<float>& all, Piece piece) {
  const std::span<const float> values = std::span(all).subspan(piece.first, piece.end - piece.first);
  constexpr std::int32_t infinity = 0x7F800000;
  constexpr std::int32_t smallest = 0x0C800000;  // 2^-102, below which a last bit may be a subnormal
  std::int32_t lowest = infinity;
  std::int32_t highest = 0;
  std::int32_t span = 0;
  std::int32_t special = 0;
  for (const float value : values) {
    const std::int32_t bits = std::bit_cast<std::int32_t>(value) & 0x7FFFFFFF;
    const auto power = -static_cast<std::int32_t>((bits & 0x7FFFFF) == 0);  // all ones where it is one
    const auto zero = -static_cast<std::int32_t>(bits == 0);
    const std::int32_t rest = bits & (bits - 1) & ~power;
    const std::int32_t last = std::bit_cast<std::int32_t>(std::bit_cast<float>(bits) - std::bit_cast<float>(rest));
    special |= -static_cast<std::int32_t>(bits >= infinity) | (-static_cast<std::int32_t>(bits < smallest) & ~zero);
    lowest = std::min(lowest, last | (zero & infinity));
    highest = std::max(highest, bits);
    span = std::max(span, ((bits >> 23) - (last >> 23) + 1) & ~zero);
  }
  if (special != 0) {
    for (const float value : values) gather.see(static_cast<double>(value));
  } else if (highest != 0) {
    gather.see_span((lowest >> 23) - 127, (highest >> 23) - 127, span);
  }
}

}  // namespace

OperandFacts operand_facts(const Values& values, int threads) {
  constexpr std::int64_t worth_threads = 1 << 16;  // elements; starting threads costs more than fewer of them take
  const std::size_t size = static_cast<std::size_t>(values.size());
  const std::size_t pieces = values.size() < worth_threads ? 1 : static_cast<std::size_t>(threads);
  std::vector<OperandFacts> facts(pieces);
#pragma omp parallel for schedule(static) num_threads(threads) if (pieces > 1)
  for (std::size_t i = 0; i < pieces; ++i) {
    Gather gather;
    std::visit([&](const auto& stored) { see_all(gather, stored, {size * i / pieces, size * (i + 1) / pieces}); }, values.storage());
    facts[i] = gather.facts();
  }
  OperandFacts all = facts.front();
  for (std::size_t i = 1; i < pieces; ++i) {
    const OperandFacts& f = facts[i];
    all.nonfinite |= f.nonfinite;
    if (f.precision == 0) continue;
    all.lowest = all.precision == 0 ? f.lowest : std::min(all.lowest, f.lowest);
    all.highest = all.precision == 0 ? f.highest : std::max(all.highest, f.highest);
    all.precision = std::max(all.precision, f.precision);
  }
  return all;
}

ChosenExecutor choose_executor(const Datapath& datapath, const LayerFacts& facts, const Executor* forced) {
  if (forced != nullptr) {
    const std::string reason = forced->refusal(datapath, facts);
    if (!reason.empty())
      throw InputError("--executor " + std::string(forced->name()),
                       "not proved exact for datapath \"" + datapath.name + "\" here: " + reason, "auto, interpreter");
    return {forced, {}};
  }
  ChosenExecutor chosen;
  const std::span<const Executor* const> all = executors();
  for (std::size_t i = all.size(); i-- > 0;) {
    const std::string reason = all[i]->refusal(datapath, facts);
    if (reason.empty()) {
      chosen.executor = all[i];
      break;
    }
    chosen.refusals += (chosen.refusals.empty() ? "" : "; ") + std::string(all[i]->name()) + ": " + reason;
  }
  return chosen;
}

}  // namespace accsim::sim
