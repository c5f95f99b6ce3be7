// The float kernels' general loop: any plan, every event, one lane an output. Included by lane units only.
#pragma once

#include "sim/kernels/kernel_float_eager.h"
#include "sim/kernels/kernel_float_fast.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

constexpr int block_rows = 2;
constexpr int block_vectors = 2;
constexpr int block_registers = block_rows * block_vectors;

/// What one rounding, or one level, keeps between its steps.
template <class T>
struct SiteState {
  RandomWords<T, block_registers> random;
  std::int64_t count;           ///< addends since the last sum was handed up
  typename Ops<T>::Real* held;  ///< accumulators: registers; interleaved: ways x registers; tree: leaves x registers
};

template <class T>
class GeneralLoop {
  using O = Ops<T>;
  using Real = typename O::Real;
  using Int = typename O::Int;
  using Mask = typename O::Mask;
  using Word = typename O::Word;
  enum Counter { product_overflow, product_underflow, product_inexact, sum_overflow, sum_underflow, sum_inexact, swamped, invalid };

 public:
  GeneralLoop(const FloatPlan& plan, FloatBlock& block)
      : plan_(plan), block_(block), registers_(block.rows * block.vectors), stride_(block.vectors * O::lanes) {
    for (Int& c : counts_) c = Int{};
    for (Mask& m : overflowed_) m = O::none();
    Real* held = static_cast<Real*>(block.scratch);
    start(site_[0], plan.product);
    for (int l = 0; l < plan.levels; ++l) {
      const FloatLevel& level = plan.level[l];
      SiteState<T>& site = site_[l + 1];
      start(site, level.rounding);
      site.held = held;
      const std::int64_t slots = level.kind == FloatLevel::Kind::sequential    ? 1
                                 : level.kind == FloatLevel::Kind::interleaved ? level.ways
                                 : level.terms < block.k                       ? level.terms
                                                                               : block.k;
      held += slots * block_registers;
      for (std::int64_t i = 0; i < slots * block_registers; ++i) site.held[i] = Real{};
      if (l == plan.initial_level && block.initial != nullptr) {
        for (int v = 0; v < registers_; ++v) site.held[v] = O::load(at(static_cast<const T*>(block.initial), v));
      }
    }
  }

  void run() {
    const T* b = static_cast<const T*>(block_.b);
    const bool fused = plan_.fused && plan_.level[0].kind != FloatLevel::Kind::tree;
    for (std::int64_t k = 0; k < block_.k; ++k, b += stride_) {
      Real x[block_registers];
      Real a[block_registers];
      for (int v = 0; v < registers_; ++v) {
        a[v] = O::set_real(static_cast<const T*>(block_.a)[(v / block_.vectors) * block_.a_stride + k]);
        x[v] = O::load(b + (v % block_.vectors) * O::lanes);
      }
      if (fused) {
        feed(0, x, a);
        continue;
      }
      if (plan_.rounded_product) {
        site_[0].random.next();
        for (int v = 0; v < registers_; ++v) x[v] = rounded_product(v, a[v], x[v]);
      } else {
        for (int v = 0; v < registers_; ++v) x[v] = O::exact_product(a[v], x[v]);
      }
      feed(0, x, nullptr);
    }
    for (int l = 0; l < plan_.levels; ++l) {
      if (site_[l + 1].count > 0) close(l);
    }
    finish_block();
  }

 private:
  T* at(T* base, int v) const { return base + (v / block_.vectors) * stride_ + (v % block_.vectors) * O::lanes; }
  template <class P>
  const P* at(const P* base, int v) const {
    return base + (v / block_.vectors) * stride_ + (v % block_.vectors) * O::lanes;
  }

  void start(SiteState<T>& site, const FloatRounding& rounding) {
    site.count = 0;
    site.random.start(rounding, registers_);
    if (rounding.random.source == FloatRandom::Source::none) return;
    for (int v = 0; v < registers_; ++v)
      site.random.start_register(v, at(block_.output_low, v), at(block_.output_high, v), at(block_.element, v));
  }

  /// Addends (or operands, with `a`) of one level.
  void feed(int l, const Real* x, const Real* a) {
    const FloatLevel& level = plan_.level[l];
    SiteState<T>& site = site_[l + 1];
    switch (level.kind) {
      case FloatLevel::Kind::sequential: add(l, site.held, site.held, x, a, true); break;
      case FloatLevel::Kind::interleaved: {
        Real* slot = site.held + (site.count % level.ways) * block_registers;
        add(l, slot, slot, x, a, true);
        break;
      }
      case FloatLevel::Kind::tree:
        for (int v = 0; v < registers_; ++v) site.held[site.count * block_registers + v] = x[v];
        break;
    }
    if (++site.count == level.terms) close(l);
  }

  /// Hands a level's sum up.
  void close(int l) {
    const FloatLevel& level = plan_.level[l];
    SiteState<T>& site = site_[l + 1];
    Real sum[block_registers];
    const Real* total = site.held;
    std::int64_t slots = 1;
    switch (level.kind) {
      case FloatLevel::Kind::sequential: break;
      case FloatLevel::Kind::tree: add_tree(l, site.held, site.count); break;
      case FloatLevel::Kind::interleaved:
        slots = level.ways;
        switch (level.combine) {
          case FloatLevel::Combine::tree: add_tree(l, site.held, level.ways); break;
          case FloatLevel::Combine::coalesce: total = add_coalescing(l, site); break;
          case FloatLevel::Combine::sequential: {
            for (Real& s : sum) s = Real{};
            for (std::int64_t w = 0; w < level.ways; ++w) add(l, sum, sum, site.held + w * block_registers, nullptr, true);
            total = sum;
            break;
          }
        }
        break;
    }
    for (int v = 0; v < registers_; ++v) sum[v] = total[v];
    site.count = 0;
    for (std::int64_t i = 0; i < slots * block_registers; ++i) site.held[i] = Real{};
    if (l + 1 < plan_.levels) return feed(l + 1, sum, nullptr);
    for (int v = 0; v < registers_; ++v) O::store(at(static_cast<T*>(block_.results), v), sum[v]);
  }

  /// Adjacent pairs, level by level, left to right; the total is in the first slot. A single addend is rounded.
  void add_tree(int l, Real* slots, std::int64_t count) {
    if (count == 1) return round_only(l, slots);
    for (std::int64_t stride = 1; stride < count; stride *= 2) {
      for (std::int64_t i = 0; i + stride < count; i += 2 * stride)
        add(l, slots + i * block_registers, slots + i * block_registers, slots + (i + stride) * block_registers, nullptr, false);
    }
  }

  const Real* add_coalescing(int l, SiteState<T>& site) {
    const FloatLevel& level = plan_.level[l];
    const std::int32_t* program = level.coalesce[site.count == level.terms ? 0 : 1];
    for (; program[0] >= 0; program += 2) {
      Real* into = site.held + program[0] * block_registers;
      add(l, into, into, site.held + program[1] * block_registers, nullptr, false);
    }
    return site.held + program[1] * block_registers;
  }

  void round_only(int l, Real* slots) {
    const FloatRounding& c = plan_.level[l].rounding;
    SiteState<T>& site = site_[l + 1];
    site.random.next();
    for (int v = 0; v < registers_; ++v) {
      const Real x = slots[v];
      if (block_.see != nullptr) report(x, x, Real{}, Real{});
      slots[v] = rounded(v, x, O::magnitude(x), c, site.random.current()[v], sum_overflow, x, x, nullptr);
    }
  }

  /// to = accumulator + x, or + a * x.
  void add(int l, Real* to, const Real* accumulator, const Real* x, const Real* a, bool count_swamped) {
    const FloatRounding& c = plan_.level[l].rounding;
    SiteState<T>& site = site_[l + 1];
    const bool zero_down = c.mode == FloatMode::rd;
    site.random.next();
    for (int v = 0; v < registers_; ++v) {
      const Real acc = accumulator[v];
      const Real odd = a != nullptr ? O::odd_fma(a[v], x[v], acc, zero_down) : O::odd_sum(acc, x[v], zero_down);
      if (block_.see != nullptr) report(odd, acc, x[v], a != nullptr ? a[v] : O::set_real(1));
      const Int seen = c.eager ? eager(acc, a != nullptr ? O::exact_product(a[v], x[v]) : x[v], c) : O::magnitude(odd);
      to[v] = rounded(v, odd, seen, c, site.random.current()[v], sum_overflow, acc, a != nullptr ? Real{} : x[v],
                      count_swamped ? &acc : nullptr);
    }
  }

  Real rounded_product(int v, Real a, Real b) {
    const Real odd = O::odd_product(a, b);
    return rounded(v, odd, O::magnitude(odd), plan_.product, site_[0].random.current()[v], product_overflow, Real{}, Real{}, nullptr);
  }

  /// Tells of the lanes whose partial sum is of the watched magnitude.
  __attribute__((noinline)) void report(Real odd, Real accumulator, Real x, Real a) {
    const Int mag = O::magnitude(odd);
    if (!O::any(O::eq(mag, O::set(static_cast<Word>(block_.watched))))) return;
    for (int i = 0; i < O::lanes; ++i) {
      if (mag[i] == static_cast<Word>(block_.watched)) block_.see(block_.see_context, accumulator[i], a[i], x[i]);
    }
  }

  static ACCSIM_INLINE Int on_grid(Int mag, Int negative, const FloatRounding& c, Int random) {
    const Word low = static_cast<Word>((Word{1} << c.drop) - 1);
    const Int keep = O::set(~low);
    const Word half = static_cast<Word>(Word{1} << (c.drop - 1));
    switch (c.mode) {
      case FloatMode::rz: return mag & keep;
      case FloatMode::rne: return (mag + (half - 1) + ((mag >> c.drop) & 1)) & keep;
      case FloatMode::rna: return (mag + half) & keep;
      case FloatMode::ru: return (mag + (~negative & low)) & keep;
      case FloatMode::rd: return (mag + (negative & low)) & keep;
      case FloatMode::ro: return (mag | ((mag & low) + low)) & keep;
      case FloatMode::sr: break;
      case FloatMode::sr_c: {
        const Word tail_low = static_cast<Word>((Word{1} << c.sr_tail) - 1);
        mag = (mag + ((Word{1} << (c.sr_tail - 1)) - 1) + ((mag >> c.sr_tail) & 1)) & O::set(~tail_low);
        break;
      }
    }
    return (mag + random) & keep;
  }

  static Int eager(Real acc, Real x, const FloatRounding& c) {
    return eager_magnitude<T>(acc, x, O::set(static_cast<Word>(c.eager_least)),
                              O::set(static_cast<Word>(static_cast<Word>(c.eager_shift) << O::fraction_bits)));
  }

  /// Rounds the magnitude `seen` of a sum or product that was itself rounded to odd, and counts; `first` is the counter of its overflows.
  /// `x`, `y`: what was added, looked at where the sum is NaN. `accumulator`: where swamped ones are counted.
  ACCSIM_INLINE Real rounded(int v, Real odd, Int seen, const FloatRounding& c, Int random, int first, Real x, Real y,
                             const Real* accumulator) {
    const Int mag = O::magnitude(odd);
    Int sign = O::bits(odd) & O::set(O::sign);
    const Int negative = sign >> (8 * static_cast<int>(sizeof(T)) - 1);
    Int m = on_grid(seen, negative, c, random);
    const Mask nonfinite = O::ge(mag, O::set(O::infinity));
    if (first == sum_overflow) largest_ = O::larger(largest_, O::select(nonfinite, Int{}, mag));
    const Mask tiny = O::but_not(O::lt(m, O::set(static_cast<Word>(c.min_normal))), nonfinite);
    if (c.flush) m = O::select(tiny, Int{}, m);
    Mask over = O::but_not(O::lt(O::set(static_cast<Word>(c.max_finite)), m), nonfinite);
    if (O::any(over)) {
      const Int end =
          O::select(O::nonzero(negative, O::set(1)), O::set(static_cast<Word>(c.overflow[1])), O::set(static_cast<Word>(c.overflow[0])));
      m = O::select(over, end & O::set(~O::sign), m);
      sign = O::select(over, end & O::set(O::sign), sign);
      O::count(counts_[first], over);
      O::count(counts_[invalid], O::both(over, O::lt(O::set(O::infinity), m)));
      overflowed_[v] = O::either(overflowed_[v], over);
    }
    const Mask inexact = O::but_not(O::ne(m, mag), nonfinite);
    O::count(counts_[first + 1], O::both(inexact, tiny));
    O::count(counts_[first + 2], inexact);
    if (accumulator != nullptr) {
      const Int acc = O::bits(*accumulator);
      O::count(counts_[swamped], O::both_nonzero(O::both_eq(inexact, m | sign, acc), acc, O::set(~O::sign)));
    }
    if (O::any(nonfinite)) special(v, mag, first, c, x, y, m, sign);
    if (!c.keeps_negative_zero) sign = O::select(O::eq(m, Int{}), Int{}, sign);
    return O::real(m | sign);
  }

  /// Infinities and NaN among the sums.
  __attribute__((noinline)) void special(int v, const Int& mag, int first, const FloatRounding& c, const Real& x, const Real& y, Int& m,
                                         Int& sign) {
    const Mask nan = O::lt(O::set(O::infinity), mag);
    const Mask infinite = O::eq(mag, O::set(O::infinity));
    const Mask was_nan = O::either(O::lt(O::set(O::infinity), O::magnitude(x)), O::lt(O::set(O::infinity), O::magnitude(y)));
    const Mask made_nan = O::but_not(nan, was_nan);
    m = O::select(nan, c.keeps_nan ? mag : Int{}, m);
    sign = O::select(nan, Int{}, sign);
    O::count(counts_[invalid], c.keeps_nan ? made_nan : nan);
    if (c.keeps_infinity) {
      m = O::select(infinite, mag, m);
      return;
    }
    const Int end =
        O::select(O::nonzero(sign, O::set(O::sign)), O::set(static_cast<Word>(c.infinity[1])), O::set(static_cast<Word>(c.infinity[0])));
    m = O::select(infinite, end & O::set(~O::sign), m);
    sign = O::select(infinite, end & O::set(O::sign), sign);
    O::count(counts_[first], infinite);
    O::count(counts_[first + 2], infinite);
    O::count(counts_[invalid], O::both(infinite, O::lt(O::set(O::infinity), m)));
    overflowed_[v] = O::either(overflowed_[v], infinite);
  }

  void finish_block() {
    for (int e = 0; e < float_events; ++e) {
      for (int i = 0; i < O::lanes; ++i) block_.events[e] += counts_[e][i];
    }
    block_.largest = 0;
    for (int i = 0; i < O::lanes; ++i) {
      const auto word = static_cast<std::uint64_t>(static_cast<typename O::UWord>(largest_[i]));
      if (word > block_.largest) block_.largest = word;
    }
    for (int v = 0; v < registers_; ++v) {
      const Int flags = O::keep_where(overflowed_[v], O::set(1));
      unsigned char* out = const_cast<unsigned char*>(at(static_cast<const unsigned char*>(block_.overflowed), v));
      for (int i = 0; i < O::lanes; ++i) out[i] = static_cast<unsigned char>(flags[i]);
    }
  }

  const FloatPlan& plan_;
  FloatBlock& block_;
  const int registers_, stride_;
  SiteState<T> site_[float_max_levels + 1];
  Int counts_[float_events];
  Int largest_{};
  Mask overflowed_[block_registers];
};

template <class T>
__attribute__((noinline)) void run_general(const FloatPlan& plan, FloatBlock& block) {
  GeneralLoop<T>(plan, block).run();
}

template <class T>
void run_block(const FloatPlan& plan, FloatBlock& block) {
  const HostRounding rounding(HostRounding::Way::down);
  run_general<T>(plan, block);
}

void scan_finite(const double* in, std::int64_t count, FloatScan& found);

/// Straight through, so that it vectorizes; lines with infinities and NaN are done again, one value at a time.
inline void scan(const double* in, std::int64_t count, FloatScan& found) {
  constexpr std::int64_t infinity = 0x7FF0000000000000;
  constexpr std::int64_t fraction = 0xFFFFFFFFFFFFF;
  std::int64_t largest = 0;
  std::int64_t lowest = infinity;
  std::int64_t fractions = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t mag = __builtin_bit_cast(std::int64_t, in[i]) & 0x7FFFFFFFFFFFFFFF;
    // x minus x without its last significant bit; a power of two is its own last bit.
    const std::int64_t without = (mag & fraction) != 0 ? mag & (mag - 1) : 0;
    std::int64_t low = __builtin_bit_cast(std::int64_t, __builtin_bit_cast(double, mag) - __builtin_bit_cast(double, without));
    low = mag == 0 ? infinity : low;
    largest = mag > largest ? mag : largest;
    lowest = low < lowest ? low : lowest;
    fractions |= mag & fraction;
  }
  if (largest >= infinity) return scan_finite(in, count, found);
  const auto top = static_cast<std::uint64_t>(largest);
  const auto bottom = static_cast<std::uint64_t>(lowest);
  if (top > found.largest) found.largest = top;
  if (bottom < found.lowest) found.lowest = bottom;
  found.fractions |= static_cast<std::uint64_t>(fractions);
}

inline void scan_finite(const double* in, std::int64_t count, FloatScan& found) {
  for (std::int64_t i = 0; i < count; ++i) {
    if (__builtin_isfinite(in[i])) scan(in + i, 1, found);
    else found.nonfinite = true;
  }
}

inline void survey(const double* in, std::int64_t k, std::uint64_t low, std::uint64_t* largest, std::int64_t* nonzero,
                   std::int64_t* brief) {
  for (std::int64_t i = 0; i < k; ++i) {
    const std::uint64_t mag = __builtin_bit_cast(std::uint64_t, in[i]) & ~(std::uint64_t{1} << 63);
    largest[i] = mag > largest[i] ? mag : largest[i];
    nonzero[i] += mag != 0 ? 1 : 0;
    brief[i] += mag != 0 && (mag & low) == 0 ? 1 : 0;
  }
}

template <class T>
void pack(const double* in, const std::int64_t* order, std::int64_t count, double power, void* out, std::int64_t stride) {
  T* to = static_cast<T*>(out);
  if (order == nullptr && stride == 1) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<T>(in[i] * power);
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i * stride] = static_cast<T>(in[order == nullptr ? i : order[i]] * power);
  }
}

template <class T>
constexpr FloatLanes lanes_of = {
    .lanes = Ops<T>::lanes,
    .rows = block_rows,
    .vectors = block_vectors,
    .fast_rows = fast_rows,
    .register_bytes = block_registers* vector_bytes,
    .run = run_block<T>,
    .run_fast = run_fast<T>,
    .scan = scan,
    .survey = survey,
    .pack = pack<T>,
    .least_factors = std::is_same_v<T, float> ? least_factors : nullptr,
};

}  // namespace accsim::sim::kernels::ACCSIM_ISA
