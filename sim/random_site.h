// The random bits of one rounding site of one output, from whichever generator its rounding names.
#pragma once

#include <optional>
#include <stdexcept>

#include "formats/random.h"

namespace accsim::sim {

/// Generators that outlive an output: one a site, for `share=array`.
class ArrayGenerators {
 public:
  /// The generator of a site, made at its first use.
  formats::Lfsr& at(std::uint32_t site, const formats::LfsrSpec& spec) {
    if (!sites_[site]) sites_[site].emplace(spec, 0);
    return *sites_[site];
  }

 private:
  std::array<std::optional<formats::Lfsr>, 16> sites_;
};

/// Hands out the random numbers of a site in turn; 0 where the rounding is not stochastic.
class RandomSite {
 public:
  RandomSite() = default;
  /// `arrays` may be null where no rounding shares a generator. `pe`: the element that makes the output; unset: the output's index.
  RandomSite(const formats::RoundingSpec& spec, std::uint64_t run_seed, const formats::RandomPosition& position, ArrayGenerators* arrays,
             std::optional<std::uint64_t> pe = {}) {
    if (spec.mode != formats::Rounding::sr) return;
    const formats::StochasticSpec& s = spec.stochastic;
    if (!s.lfsr) philox_.emplace(s.philox_seed.value_or(run_seed), position);
    else if (s.lfsr->share == formats::LfsrShare::pe) own_.emplace(*s.lfsr, pe.value_or(position.output));
    else if (arrays != nullptr) shared_ = &arrays->at(position.site, *s.lfsr);
    else throw std::logic_error("a shared generator without its array");
  }
  std::uint32_t next() {
    if (philox_) return philox_->next();
    if (own_) return own_->next();
    return shared_ != nullptr ? shared_->next() : 0;
  }

 private:
  std::optional<formats::PhiloxStream> philox_;
  std::optional<formats::Lfsr> own_;
  formats::Lfsr* shared_ = nullptr;
};

}  // namespace accsim::sim
