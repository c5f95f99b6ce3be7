#include "formats/random.h"

#include <bit>

namespace accsim::formats {

std::array<std::uint32_t, 4> philox4x32_10(std::array<std::uint32_t, 4> c, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ key[0], static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return c;
}

PhiloxStream::PhiloxStream(std::uint64_t seed, const RandomPosition& p)
    : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
      counter_{0, static_cast<std::uint32_t>(p.output), static_cast<std::uint32_t>(p.output >> 32), 64 * p.layer + 16 * p.pass + p.site} {}

std::uint32_t PhiloxStream::next() {
  if (n_ % 4 == 0) {
    counter_[0] = n_ / 4;
    words_ = philox4x32_10(counter_, key_);
  }
  return words_[n_++ % 4];
}

Lfsr::Lfsr(const LfsrSpec& spec, std::uint64_t pe) : spec_(spec), all_(spec.width == 64 ? ~0ULL : (1ULL << spec.width) - 1) {
  state_ = (spec.share == LfsrShare::pe ? spec.seed ^ pe : spec.seed) & all_;
  if (state_ == 0) state_ = 1;
}

std::uint32_t Lfsr::next() {
  const auto r = static_cast<std::uint32_t>(state_);
  const std::uint64_t top_bit = 1ULL << (spec_.width - 1);
  const std::uint64_t parity = static_cast<std::uint64_t>(std::popcount(state_ & spec_.mask)) & 1U;
  const bool galois = spec_.form == LfsrForm::galois;
  const bool right = spec_.step == LfsrStep::right;
  if (galois && right) state_ = (state_ >> 1) ^ ((state_ & 1U) != 0 ? spec_.mask : 0);
  if (galois && !right) state_ = ((state_ << 1) & all_) ^ ((state_ & top_bit) != 0 ? spec_.mask : 0);
  if (!galois && right) state_ = (state_ >> 1) | (parity << (spec_.width - 1));
  if (!galois && !right) state_ = ((state_ << 1) | parity) & all_;
  return r;
}

}  // namespace accsim::formats
