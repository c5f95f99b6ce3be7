#include "oracle.h"

namespace oracle {
namespace {

/// Fills in what follows from the list of values.
void finish(Format& f, int y, long emin) {
  const Entry& top = f.values.back();
  f.next = Number::of(1, std::max(mpfr_get_exp(top.value.get()) - 1, emin) - y);  // one spacing of the largest value's binade
  mpfr_add(f.next.get(), f.next.get(), top.value.get(), MPFR_RNDN);
}

/// values[i] = value of code i, for an exponent field above y fraction bits, codes 0..last.
void fill(Format& f, int y, int bias, unsigned last, bool subnormals, bool lowest_binade) {
  for (unsigned code = 0; code <= last; ++code) {
    const auto t = static_cast<long long>(code & ((1U << y) - 1U));
    const int e = static_cast<int>(code >> y);
    if (e == 0 && !lowest_binade) {
      if (t == 0 || subnormals) f.values.push_back({Number::of(t, 1 - bias - y), code});
    } else if (code == 0 && f.has_zero) {
      f.values.push_back({Number::of(0, 0), 0});
    } else {
      f.values.push_back({Number::of(t + (1LL << y), e - bias - y), code});
    }
  }
  f.flushes = !subnormals;
  f.precision = y + 1;
  f.emin = subnormals ? 2 - bias - y : -100000;
  f.min_normal = Number::of(1, 1 - bias);
  if (f.flushes) {
    const Entry& least = f.values[f.has_zero ? 1 : 0];
    f.min_normal = least.value;
    const bool is_power = (least.code & ((1U << y) - 1U)) == 0;
    f.below = Number::of(1, mpfr_get_exp(least.value.get()) - 1 - y - (is_power ? 1 : 0));
    mpfr_sub(f.below.get(), least.value.get(), f.below.get(), MPFR_RNDN);
  }
  finish(f, y, subnormals ? 1 - bias : -bias);
}

}  // namespace

Format float_format(std::string name, int x, int y, int bias, Nan nan, bool infinity, bool subnormals) {
  Format f;
  f.name = std::move(name);
  f.bits = 1 + x + y;
  f.nan = nan;
  f.has_infinity = infinity;
  const unsigned all = (1U << (x + y)) - 1U;
  unsigned last = all;
  switch (nan) {
    case Nan::none: break;
    case Nan::ieee:
      f.infinity_code = all - ((1U << y) - 1U);
      f.nan_code = f.infinity_code | (1U << (y - 1));
      last = f.infinity_code - 1;
      break;
    case Nan::all_ones:
      f.nan_code = all;
      last = all - 1;
      break;
    case Nan::negative_zero:
      f.nan_code = all + 1;
      f.has_negative_zero = false;
      break;
  }
  fill(f, y, bias, last, subnormals, false);
  return f;
}

Format p3109(int k, int p, bool is_signed, bool extended) {
  Format f;
  f.name = "binary" + std::to_string(k) + "p" + std::to_string(p) + (is_signed ? "s" : "u") + (extended ? "e" : "f");
  f.bits = k;
  f.is_signed = is_signed;
  f.has_negative_zero = false;
  f.p3109 = true;
  f.has_infinity = extended;
  f.nan = Nan::negative_zero;
  const unsigned half = 1U << (k - 1);
  f.nan_code = is_signed ? half : 2 * half - 1;
  f.infinity_code = is_signed ? half - 1 : 2 * half - 2;
  const unsigned last = (is_signed ? half - 1 : 2 * half - 2) - (extended ? 1 : 0);
  fill(f, p - 1, is_signed ? 1 << (k - p - 1) : 1 << (k - p), last, true, false);
  return f;
}

Format e8m0() {
  Format f;
  f.name = "e8m0";
  f.bits = 8;
  f.is_signed = false;
  f.has_negative_zero = false;
  f.has_zero = false;
  f.nan = Nan::all_ones;
  f.nan_code = 0xFF;
  fill(f, 0, 127, 0xFE, false, true);
  return f;
}

Format dlfloat16() {
  Format f;
  f.name = "dlfloat16";
  f.bits = 16;
  f.nan = Nan::all_ones;
  f.nan_code = 0x7FFF;
  fill(f, 9, 31, 0x7FFE, false, true);
  return f;
}

Format lba(std::string name, int x, int y, int bias) {
  Format f;
  f.name = std::move(name);
  f.bits = 1 + x + y;
  fill(f, y, bias, (1U << (x + y)) - 1U, false, true);
  return f;
}

Format hif8() {
  Format f;
  f.name = "hif8";
  f.bits = 8;
  f.has_negative_zero = false;
  f.has_infinity = true;
  f.nan = Nan::negative_zero;
  f.nan_code = 0x80;
  f.infinity_code = 0x6F;
  f.values.push_back({Number::of(0, 0), 0});
  for (int m = 1; m <= 7; ++m) f.values.push_back({Number::of(1, m - 23), static_cast<unsigned>(m)});
  // By exponent, ascending: the codes read off the table of the paper's fields.
  for (int e = -15; e <= 15; ++e) {
    const unsigned magnitude = static_cast<unsigned>(std::abs(e));
    const unsigned minus = e < 0 ? 1 : 0;
    unsigned base = 0;
    int y = 3;
    if (magnitude >= 8) base = 0x60 + 16 * minus + 2 * (magnitude - 8), y = 1;
    else if (magnitude >= 4) base = 0x40 + 16 * minus + 4 * (magnitude - 4), y = 2;
    else if (magnitude >= 2) base = 0x20 + 16 * minus + 8 * (magnitude - 2);
    else if (magnitude == 1) base = 0x10 + 8 * minus;
    else base = 0x08;
    for (unsigned t = 0; t < 1U << y; ++t) {
      if (e == 15 && t == 1) break;  // the slot of infinity
      f.values.push_back({Number::of((1LL << y) + t, e - y), base + t});
    }
  }
  f.min_normal = Number::of(1, -15);
  finish(f, 1, -15);
  return f;
}

bool goes_up(const Number& nu, bool odd, bool negative, const Mode& mode, unsigned random) {
  if (nu.is_zero()) return false;
  const int half = mpfr_cmp_ui_2exp(nu.get(), 1, -1);
  switch (mode.rounding) {
    case Rounding::rne: return half > 0 || (half == 0 && odd);
    case Rounding::rna: return half >= 0;
    case Rounding::rz: return false;
    case Rounding::ru: return !negative;
    case Rounding::rd: return negative;
    case Rounding::ro: return !odd;
    case Rounding::sr: break;
  }
  const auto scaled = [&nu](int bits, mpfr_rnd_t rounding) {
    Number n;
    mpfr_mul_2si(n.get(), nu.get(), bits, MPFR_RNDN);
    mpfr_rint(n.get(), n.get(), rounding);
    return static_cast<unsigned long long>(mpfr_get_uj(n.get(), MPFR_RNDN));
  };
  const int r = mode.bits;
  const unsigned long long full = 1ULL << r;
  const unsigned long long number = random & (full - 1);
  switch (mode.kind) {
    case StochasticKind::a:
    case StochasticKind::eager: return scaled(r, MPFR_RNDD) + number >= full;
    case StochasticKind::b: return scaled(r + 1, MPFR_RNDD) + 2 * number + 1 >= 2 * full;
    case StochasticKind::c: return scaled(r, MPFR_RNDN) + number >= full;  // mpfr_rint to nearest: ties to even
    case StochasticKind::below: return number < scaled(r, MPFR_RNDD);
  }
  return false;
}

namespace {

/// The tables of P3109 v4.0 4.7.5 and of contracts 1.2 for a value, or an infinity, beyond the range.
Result beyond(bool negative, bool infinite, const Format& f, const Mode& mode) {
  Result result{.overflow = true, .inexact = true};
  const unsigned largest = f.values.back().code;
  const unsigned end = !negative ? largest : f.is_signed ? f.with_sign(largest, true) : f.values.front().code;
  const bool infinity_there = f.has_infinity && (f.is_signed || !negative);
  const auto deliver_nan = [&] {
    result.code = f.nan == Nan::none ? 0U : f.nan_code;  // contracts 1.1: NaN going into a format without NaN gives zero
    result.invalid = true;
    return result;
  };
  const auto deliver = [&](unsigned code) {
    result.code = code;
    return result;
  };
  const unsigned infinity = f.with_sign(f.infinity_code, negative);
  if (infinite && infinity_there && mode.overflow != Overflow::saturate) return {.code = infinity};
  switch (mode.overflow) {
    case Overflow::saturate:
    case Overflow::propagate: return deliver(end);
    case Overflow::nan: return deliver_nan();
    case Overflow::ieee:
    case Overflow::infinity: break;
    case Overflow::wrap:
    case Overflow::saturate_symmetric:
    case Overflow::ones_tail:
    case Overflow::saturate_zero: std::abort();
  }
  const Rounding r = mode.overflow == Overflow::infinity ? Rounding::rne : mode.rounding;
  if (f.p3109 && !infinite) {
    if (!negative && ((r == Rounding::ro && !f.is_signed && f.has_infinity) || r == Rounding::rz || r == Rounding::rd)) return deliver(end);
    if (negative && (r == Rounding::rz || r == Rounding::ru)) return deliver(end);
  }
  if (f.p3109) {
    if (infinity_there) return deliver(infinity);
    if (negative && !f.is_signed) return deliver_nan();
    return deliver(end);
  }
  if (!infinite && (r == Rounding::rz || r == Rounding::ro || (r == Rounding::ru && negative) || (r == Rounding::rd && !negative))) {
    return deliver(end);
  }
  if (infinity_there) return deliver(infinity);
  if (f.nan != Nan::none) return deliver_nan();
  return deliver(end);
}

}  // namespace

Result rounded(const Number& x, const Format& f, const Mode& mode, unsigned random) {
  if (x.is_nan()) return f.nan == Nan::none ? Result{.code = 0, .invalid = true} : Result{.code = f.nan_code};
  const bool negative = x.negative();
  if (x.is_infinite()) return beyond(negative, true, f, mode);
  const unsigned zero = negative && f.has_negative_zero ? f.with_sign(0, true) : 0U;
  if (x.is_zero()) return f.has_zero ? Result{.code = zero} : Result{.code = f.values.front().code, .underflow = true, .inexact = true};
  Number magnitude;
  mpfr_abs(magnitude.get(), x.get(), MPFR_RNDN);

  const auto above = std::upper_bound(f.values.begin(), f.values.end(), magnitude,
                                      [](const Number& m, const Entry& e) { return mpfr_cmp(m.get(), e.value.get()) < 0; });
  const std::size_t index = static_cast<std::size_t>(above - f.values.begin());  // values[index - 1] <= |x| < values[index]
  const std::size_t first_nonzero = f.has_zero ? 1 : 0;
  const bool too_small = f.flushes && index <= first_nonzero;
  const bool at_top = index == f.values.size();
  const Number* low = too_small ? &f.below : &f.values[index - 1].value;
  const Number* high = at_top ? &f.next : &f.values[index].value;
  const unsigned low_code = too_small ? f.values[first_nonzero].code - 1U : f.values[index - 1].code;

  Result result;
  bool up = false;
  bool exact = false;
  if (at_top && mpfr_cmp(magnitude.get(), f.next.get()) >= 0) {
    up = true;
  } else if (!too_small || mpfr_cmp(magnitude.get(), f.below.get()) >= 0) {
    Number nu;
    Number gap;
    mpfr_sub(nu.get(), magnitude.get(), low->get(), MPFR_RNDN);
    mpfr_sub(gap.get(), high->get(), low->get(), MPFR_RNDN);
    exact = nu.is_zero() && !too_small;
    mpfr_div(nu.get(), nu.get(), gap.get(), MPFR_RNDN);  // the gap is a power of two
    up = goes_up(nu, (low_code & 1U) != 0, negative, mode, random);
  }
  result.inexact = !exact;
  if (at_top && up) return beyond(negative, false, f, mode);
  const bool to_zero = !up && (too_small || low->is_zero());
  if (to_zero) {
    result.underflow = true;
    result.code = f.has_zero ? zero : f.values.front().code;
    return result;
  }
  const Number& value = up ? *high : *low;
  if (negative && !f.is_signed) return beyond(negative, false, f, mode);
  result.underflow = result.inexact && mpfr_cmp(value.get(), f.min_normal.get()) < 0;
  result.code = f.with_sign(up ? f.values[index].code : f.values[index - 1].code, negative);
  return result;
}

Result rounded_by_mpfr(const Number& a, const Number* b, const Number* c, const Format& f, const Mode& mode) {
  const mpfr_rnd_t rounding = mode.rounding == Rounding::rz   ? MPFR_RNDZ
                              : mode.rounding == Rounding::ru ? MPFR_RNDU
                              : mode.rounding == Rounding::rd ? MPFR_RNDD
                                                              : MPFR_RNDN;
  Number x(f.precision);
  int ternary = 0;
  if (b != nullptr && c != nullptr) ternary = mpfr_fma(x.get(), a.get(), b->get(), c->get(), rounding);
  else if (b != nullptr) ternary = mpfr_mul(x.get(), a.get(), b->get(), rounding);
  else ternary = mpfr_add(x.get(), a.get(), c->get(), rounding);
  mpfr_set_emin(f.emin);  // only now: operands must lie in MPFR's range
  ternary = mpfr_check_range(x.get(), ternary, rounding);
  if (!f.flushes) ternary = mpfr_subnormalize(x.get(), ternary, rounding);
  mpfr_set_emin(mpfr_get_emin_min());

  const bool negative = x.negative();
  const unsigned zero = negative && f.has_negative_zero ? f.with_sign(0, true) : 0U;
  if (x.is_nan()) return f.nan == Nan::none ? Result{.code = 0, .invalid = true} : Result{.code = f.nan_code};
  if (x.is_infinite()) return beyond(negative, true, f, mode);
  Result result{.inexact = ternary != 0};
  Number magnitude(f.precision);
  mpfr_abs(magnitude.get(), x.get(), MPFR_RNDN);
  const bool flushed = f.flushes && !x.is_zero() && mpfr_less_p(magnitude.get(), f.min_normal.get());
  if (x.is_zero() || flushed) {
    result.inexact |= flushed;
    result.underflow = result.inexact;
    result.code = zero;
    return result;
  }
  if (mpfr_greater_p(magnitude.get(), f.values.back().value.get()) || (negative && !f.is_signed)) return beyond(negative, false, f, mode);
  const auto at = std::lower_bound(f.values.begin(), f.values.end(), magnitude,
                                   [](const Entry& e, const Number& m) { return mpfr_less_p(e.value.get(), m.get()) != 0; });
  if (at == f.values.end() || !mpfr_equal_p(at->value.get(), magnitude.get())) std::abort();  // MPFR's result is a value of the format
  result.underflow = result.inexact && mpfr_less_p(magnitude.get(), f.min_normal.get());
  result.code = f.with_sign(at->code, negative);
  return result;
}

std::vector<Number> decode_all(const Format& f) {
  Number nan(64);
  mpfr_set_nan(nan.get());
  std::vector<Number> all(std::size_t{1} << f.bits, nan);
  for (const bool negative : {false, true}) {
    if (negative && !f.is_signed) continue;
    const auto put = [&](Number x, unsigned code) {
      if (negative) mpfr_neg(x.get(), x.get(), MPFR_RNDN);
      all[f.with_sign(code, negative)] = std::move(x);
    };
    for (const Entry& e : f.values) {
      if (!negative || !e.value.is_zero() || f.has_negative_zero) put(e.value, e.code);
    }
    Number infinity(64);
    mpfr_set_inf(infinity.get(), 1);
    if (f.has_infinity) put(infinity, f.infinity_code);
  }
  return all;
}

}  // namespace oracle
