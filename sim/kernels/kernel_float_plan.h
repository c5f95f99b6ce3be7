// What the lanes of the float kernels are told: plain data, in units of the lanes. No function may stand here: lane units include it.
#pragma once

#include <cstdint>

namespace accsim::sim::kernels {

enum class FloatMode {
  rz,
  rne,
  rna,
  ru,
  rd,
  ro,
  sr,    ///< add an increment below the last kept bit: kinds a, b, below
  sr_c,  ///< the same, the tail first rounded to its leading R bits
};

/// Where one rounding's random numbers come from.
struct FloatRandom {
  enum class Source { none, philox, lfsr } source = Source::none;
  std::uint32_t key[2] = {0, 0};  ///< Philox
  std::uint32_t place = 0;        ///< Philox's last counter word: layer, pass, site
  int width = 0;                  ///< of the LFSR, at most 32
  std::uint32_t mask = 0, seed = 0;
  bool galois = false, right = false;
};

/// One rounding of a lane value. Bit patterns are those of the lane type, values scaled by the plan's power of two.
struct FloatRounding {
  FloatMode mode = FloatMode::rne;
  int drop = 0;                        ///< fraction bits of the lane below the format's last
  std::uint64_t min_normal = 0;        ///< smaller results are tiny
  std::uint64_t max_finite = 0;        ///< larger results overflow
  bool flush = false;                  ///< tiny results become zero
  bool keeps_negative_zero = true;     ///< the format has -0
  bool keeps_infinity = false;         ///< infinities pass
  bool keeps_nan = false;              ///< NaN passes; otherwise it becomes +0
  std::uint64_t overflow[2] = {0, 0};  ///< what positive and negative overflows become
  std::uint64_t infinity[2] = {0, 0};  ///< what infinities that do not pass become
  int sr_shift = 0;                    ///< the random number's last bit above the lane's
  int sr_tail = 0;                     ///< sr_c: bits below the leading R
  std::uint64_t sr_mask = 0, sr_flip = 0, sr_add = 0;
  bool eager = false;             ///< sr: what is rounded is the sum of cut addends
  std::uint64_t eager_least = 0;  ///< the lowest binade that has a spacing of its own
  int eager_shift = 0;            ///< from the larger addend's binade to that whose last place in the lane is the cut
  FloatRandom random;
};

struct FloatLevel {
  enum class Kind { sequential, tree, interleaved } kind = Kind::sequential;
  enum class Combine { sequential, tree, coalesce } combine = Combine::sequential;
  std::int64_t terms = 0;  ///< addends of one sum that is handed up; the last level: more than there are
  std::int64_t ways = 0;
  const std::int32_t* coalesce[2] = {nullptr, nullptr};  ///< pairs of slots (into, from) ended by -1, then the slot of the total;
                                                         ///< of a whole sum and of the short one at the end
  FloatRounding rounding;
};

constexpr int float_max_levels = 11;

/// How a fast loop may run, over sequential levels only: what it leaves out is proved, or shows afterwards in the largest partial sum or in
/// a result that is zero.
enum class FloatFast {
  none,
  truncated,      ///< products and sums truncated and flushed; sums exact in the lane below the bound; signs of zeros are not kept
  saturated,      ///< the same, but sums may saturate, and bits beyond the lane are those of addends that change nothing
  saturated_odd,  ///< the same with sums rounded to odd, whatever is beyond the lane
  packed,         ///< as `saturated`, sums of at most eight bits, all normal in the lane; the largest sum comes with its lower 16 bits set
  rounded,        ///< any rounding but FloatMode::sr_c; sums below the smallest normal are looked at again
  native,         ///< the lane's own format, nearest even; in binary32 lanes nothing tiny is inexact
  native_tree,    ///< the same in binary32 lanes, of exact products: a tree of 2, 4 or 8 and a sequential level
  native_split,   ///< the same in binary64 lanes that have no fused multiply-add
};

struct FloatPlan {
  bool rounded_product = false;
  bool fused = false;  ///< products enter additions unrounded
  FloatRounding product;
  int levels = 0;
  FloatLevel level[float_max_levels];
  int initial_level = 0;  ///< where C enters
  FloatFast fast = FloatFast::none;
  std::uint64_t fast_bound = 0;                 ///< a larger partial sum voids a fast run
  FloatFast fast_saturating = FloatFast::none;  ///< what runs where FloatFast::truncated proves void; has no bound
  bool packed = false;                          ///< FloatFast::packed may run in place of FloatFast::truncated
  bool fast_looks = false;                      ///< FloatFast::rounded: some sum below the smallest normal, or a zero, is to be looked at
  bool products_fit = false;                    ///< exact products are values of the lane
};

/// Events of roundings, in the order of the report.
constexpr int float_events = 8;

/// A step whose partial sum is to be looked at: accumulator + addend, or accumulator + a * b where b is not 1.
using SeePartial = void (*)(void* context, double accumulator, double a, double b);

/// `rows` x (vectors * lanes) outputs that run together.
struct FloatBlock {
  std::int64_t k = 0;
  int rows = 0, vectors = 0;
  const void* a = nullptr;        ///< rows x k
  const void* a_least = nullptr;  ///< FloatFast::packed: of each of `a` the least magnitude of a factor whose product is kept
  std::int64_t a_stride = 0;
  const void* b = nullptr;                    ///< k x (vectors * lanes)
  const void* initial = nullptr;              ///< C, rows x (vectors * lanes); null: zero
  const std::uint32_t* output_low = nullptr;  ///< indices of the outputs, rows x (vectors * lanes); null: no random numbers
  const std::uint32_t* output_high = nullptr;
  const std::uint32_t* element = nullptr;  ///< of the array that makes each output, for LFSRs; low words
  void* scratch = nullptr;                 ///< aligned, of float_scratch bytes
  void* results = nullptr;                 ///< rows x (vectors * lanes)
  unsigned char* overflowed = nullptr;
  SeePartial see = nullptr;  ///< not null: report the steps whose partial sum has magnitude `watched` in the lane
  void* see_context = nullptr;
  std::uint64_t watched = 0;

  std::int64_t events[float_events] = {};
  std::uint64_t largest = 0;       ///< magnitude of the largest finite partial sum, rounded to odd; its bits in the lane
  std::int64_t products_kept = 0;  ///< FloatFast::truncated: nonzero products, whose events are then the caller's to work out
};

/// What a scan of operands gives; infinities and NaN are left out.
struct FloatScan {
  std::uint64_t largest = 0;                   ///< magnitude, as binary64 bits
  std::uint64_t lowest = 0x7FF0000000000000U;  ///< the smallest last significant bit, as a power of two in binary64 bits
  std::uint64_t fractions = 0;                 ///< all fraction fields or-ed
  bool nonfinite = false;
};

/// One instruction set's lanes of one type.
struct FloatLanes {
  int lanes;
  int rows, vectors;  ///< in a block, at most
  int fast_rows;      ///< of a block of the fast loops
  std::int64_t register_bytes;
  void (*run)(const FloatPlan&, FloatBlock&);  ///< the general loop
  void (*run_fast)(const FloatPlan&, FloatFast, FloatBlock&);
  void (*scan)(const double* in, std::int64_t count, FloatScan&);
  /// Of each term: raises `largest` (magnitudes as binary64 bits), counts operands that are not zero, and among them those without `low`
  /// bits.
  void (*survey)(const double* in, std::int64_t k, std::uint64_t low, std::uint64_t* largest, std::int64_t* nonzero, std::int64_t* brief);
  /// out[i * stride] = in[i] * 2^e, exact by proof; `order`, if not null: in[order[i]].
  void (*pack)(const double* in, const std::int64_t* order, std::int64_t count, double power, void* out, std::int64_t stride);
  /// Of each a the least magnitude b with |a * b| >= least, bits of the lane, as exact numbers; beyond all finite ones where none is. For
  /// FloatFast::packed; null where that does not exist.
  void (*least_factors)(const void* a, std::int64_t count, std::uint64_t least, void* out);
};

extern const FloatLanes float_baseline_32, float_baseline_64;
#if defined(__x86_64__)
extern const FloatLanes float_avx2_32, float_avx2_64, float_avx512_32, float_avx512_64;
#endif

}  // namespace accsim::sim::kernels
