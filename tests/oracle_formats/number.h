// Exact binary numbers of the oracles: MPFR's, in a precision in which nothing they do is rounded.
#pragma once

#include <mpfr.h>

#include <algorithm>
#include <cstdlib>

#include "formats/exact.h"

namespace oracle {

/// Enough for a sum of products of bf16 or of any format of at most 12 bits with 8 exponent bits.
constexpr mpfr_prec_t wide = 1200;

class Number {
 public:
  explicit Number(mpfr_prec_t precision = wide) { mpfr_init2(value_, precision); }
  Number(const Number& other) : Number(mpfr_get_prec(other.value_)) { mpfr_set(value_, other.value_, MPFR_RNDN); }
  Number(Number&& other) noexcept : Number(2) { mpfr_swap(value_, other.value_); }
  Number& operator=(const Number& other) {
    if (this != &other) {
      mpfr_set_prec(value_, mpfr_get_prec(other.value_));
      mpfr_set(value_, other.value_, MPFR_RNDN);
    }
    return *this;
  }
  Number& operator=(Number&& other) noexcept {
    mpfr_swap(value_, other.value_);
    return *this;
  }
  ~Number() { mpfr_clear(value_); }

  /// significand * 2^exponent.
  static Number of(long long significand, long exponent, mpfr_prec_t precision = 64) {
    Number n(precision);
    mpfr_set_si_2exp(n.value_, static_cast<long>(significand), exponent, MPFR_RNDN);
    return n;
  }

  [[nodiscard]] mpfr_ptr get() { return value_; }
  [[nodiscard]] mpfr_srcptr get() const { return value_; }
  [[nodiscard]] bool negative() const { return mpfr_signbit(value_) != 0; }
  [[nodiscard]] bool is_zero() const { return mpfr_zero_p(value_) != 0; }
  [[nodiscard]] bool is_nan() const { return mpfr_nan_p(value_) != 0; }
  [[nodiscard]] bool is_infinite() const { return mpfr_inf_p(value_) != 0; }

  /// For the library: at most 128 significant bits.
  [[nodiscard]] accsim::formats::NarrowExact exact() const {
    using accsim::formats::NarrowExact;
    if (is_nan()) return NarrowExact::not_a_number();
    if (is_infinite()) return NarrowExact::infinity(negative());
    if (is_zero()) return NarrowExact::zero(negative());
    mpz_t z;
    mpz_init(z);
    mpfr_exp_t exponent = mpfr_get_z_2exp(z, value_);
    const mp_bitcnt_t trailing = mpz_scan1(z, 0);
    mpz_tdiv_q_2exp(z, z, trailing);
    exponent += static_cast<mpfr_exp_t>(trailing);
    if (mpz_sizeinbase(z, 2) > 128) std::abort();
    std::uint64_t words[2] = {0, 0};
    mpz_export(words, nullptr, -1, 8, 0, 0, z);
    mpz_clear(z);
    NarrowExact x;
    x.negative = negative();
    x.exponent = static_cast<int>(exponent);
    x.significand = (accsim::formats::UInt128{words[1]} << 64) | words[0];
    return x;
  }

 private:
  mpfr_t value_;
};

}  // namespace oracle
