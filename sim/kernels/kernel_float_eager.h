// The eager adder (formats/rounding.h, StochasticKind::eager) in lanes. Included by lane units only, inside their own namespace.
#pragma once

#include "sim/kernels/kernel_float_ops.h"

namespace accsim::sim::kernels::ACCSIM_ISA {

/// The magnitude of acc + x, each cut toward zero to what the adder's register has of it: R + 1 bits below the last place that the larger
/// one has in its format. With n the plan's eager_shift and 2^t the larger one's binade, 2^(t+n) has just this bit as its last one in the
/// lane: adding it, rounded toward zero, and taking it away again cuts. The host rounds down where instructions do not say how. Not for
/// infinities and NaN.
template <class T>
ACCSIM_INLINE typename Ops<T>::Int eager_magnitude(typename Ops<T>::Real acc, typename Ops<T>::Real x, typename Ops<T>::Int least,
                                                   typename Ops<T>::Int shift) {
  using O = Ops<T>;
  using Real = typename O::Real;
  const Real larger = O::real(O::larger(O::magnitude(acc), O::magnitude(x)) & O::set(O::infinity));
  using UInt = typename O::UInt;
  const Real unit = O::real(typename O::Int(UInt(O::larger(O::bits(larger), least)) + UInt(shift)));  // of infinities beyond all
  const auto cut = [&](Real v) ACCSIM_LAMBDA {
    const Real kept = O::truncated_sum(O::real(O::magnitude(v)), unit) - unit;
    return O::real(O::magnitude(kept) | (O::bits(v) & O::set(O::sign)));
  };
  return O::magnitude(cut(acc) + cut(x));
}

}  // namespace accsim::sim::kernels::ACCSIM_ISA
