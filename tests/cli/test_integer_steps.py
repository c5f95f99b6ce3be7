"""Fixed-point accumulation step by step against a model written from the definitions alone, in Python's integers: wrap, saturate,
saturate_symmetric and saturate_zero at widths 2 to 64, AXE's tiles, 18 saturating bits, and NVDLA's accumulator as its RTL computes it
(nvdla/hw, NV_NVDLA_CACC_CALC_int8.v). ACCSIM_STEPS is the number of random steps of each of the three named ones (default 20000)."""

import os

import h5py
import numpy as np

from harness import accsim, case, done, equal, expect, main, write_layer

STEPS = int(os.environ.get("ACCSIM_STEPS", "20000"))


def limits(width, mode="wrap", is_signed=True):
    if not is_signed:
        return 0, (1 << width) - 1
    return -(1 << (width - 1)) + (mode == "saturate_symmetric"), (1 << (width - 1)) - 1


def settle(total, width, mode, is_signed=True):
    """An exact sum as a register of `width` bits takes it."""
    low, high = limits(width, mode, is_signed)
    if low <= total <= high:
        return total
    if mode == "wrap":
        return (total - low) % (1 << width) + low
    if mode == "saturate_zero":
        return 0
    return high if total > high else low


class Expected:
    """What a run of some outputs should report, counted sum by sum."""

    def __init__(self):
        self.codes = []
        self.events = dict.fromkeys(("sum_overflow", "sum_inexact", "swamped", "outputs_overflowed", "outputs_transient_overflow", "outputs_persistent_overflow", "outputs_inexact"), 0)


def chain(addends, start, width, mode, is_signed, events):
    accumulator = start
    overflows = 0
    for x in addends:
        total = accumulator + x
        result = settle(total, width, mode, is_signed)
        low, high = limits(width, mode, is_signed)
        overflows += not low <= total <= high
        events["sum_inexact"] += result != total
        events["swamped"] += x != 0 and accumulator != 0 and result == accumulator
        accumulator = result
    events["sum_overflow"] += overflows
    return accumulator, overflows


def model(products, levels, starts=None, requantize=None):
    """levels: (terms or None, width, mode, signed), innermost first; products: one list an output; requantize: of the result."""
    expected = Expected()
    e = expected.events
    for o, addends in enumerate(products):
        start = starts[o] if starts is not None else 0
        exact = start + sum(addends)
        overflows = 0
        for i, (terms, width, mode, is_signed) in enumerate(levels):
            size = terms or max(1, len(addends))
            sums = []
            for first in range(0, len(addends), size):
                value, count = chain(addends[first : first + size], start if i == 0 and first == 0 else 0, width, mode, is_signed, e)
                sums.append(value)
                overflows += count
            addends = sums
        low, high = limits(*levels[-1][1:])
        e["outputs_overflowed"] += overflows > 0
        e["outputs_persistent_overflow"] += overflows > 0 and not low <= exact <= high
        e["outputs_transient_overflow"] += overflows > 0 and low <= exact <= high
        result, wanted = addends[0], exact
        if requantize:
            result, wanted = requantize(result), requantize(exact)
        e["outputs_inexact"] += result != wanted
        expected.codes.append(result)
    return expected


def stored(values, name):
    unsigned, width = name.startswith("u"), int(name.lstrip("uint"))
    size = next(s for s in (8, 16, 32, 64) if s >= width)
    return np.array(values, dtype="%sint%d" % ("u" if unsigned else "", size))


def compare(folder, arguments, x, w, a, b, expected, width, zero_point=0, bias=None):
    """Runs rows of x against rows of w; values[o] of the model is output o, row-major."""
    path = folder + "/steps.h5"
    datasets = {"input": (stored(x, a), {"format": a, "zero_point": zero_point}), "weight": (stored(w, b), {"format": b})}
    if bias is not None:
        datasets["bias"] = np.array(bias, np.float64)
    write_layer(path, datasets)
    result = done(accsim("run", "--trace", path, "--out", folder + "/r.h5", "--quiet", *(["--bias-in-accumulator"] if bias is not None else []), *arguments))
    with h5py.File(folder + "/r.h5") as file:
        codes = [int(c) for c in file["fc/output_code"][()].reshape(-1)]
        found = {name: int(file["fc"].attrs[name]) for name in expected.events}
    equal(codes, [v % (1 << width) for v in expected.codes], "codes of %s" % result)
    equal(found, expected.events, "events of %s" % result)
    return found


def all_products(x, w, zero_point=0):
    return [[(int(p) - zero_point) * int(q) for p, q in zip(row, column)] for row in x for column in w]


# Saturating and wrapping step by step.
@case("18 saturating bits are the model's over random steps, and both limits are reached")
def saturating_18(folder):
    rng = np.random.default_rng(18)
    k, columns = 250, 4
    rows = max(1, STEPS // (k * columns))
    # A drift of either sign for each output, so that sums run into both limits and come back.
    x = np.clip(rng.normal(rng.choice([-40, 0, 40], (rows, 1)), 70, (rows, k)), -128, 127).astype(int)
    w = np.clip(rng.normal(rng.choice([-60, 60], (columns, 1)), 60, (columns, k)), -128, 127).astype(int)
    expected = model(all_products(x, w), [(None, 18, "saturate", True)])
    expect(131071 in expected.codes and -131072 in expected.codes, "the limits are not reached")
    compare(folder, ["--acc", "s18.0", "--in", "int8", "--overflow", "saturate"], x, w, "int8", "int8", expected, 18)


@case("AXE's tiles of 128 in 16 bits and their sums in 19 are the model's over random steps")
def axe(folder):
    rng = np.random.default_rng(128)
    k, columns = 1000, 4
    rows = max(1, STEPS // (k * columns))
    x = np.clip(rng.normal(rng.choice([-90, 0, 90], (rows, 1)), 60, (rows, k)), -128, 127).astype(int)
    w = rng.choice([-8, 7, 7, 3], (columns, k))
    expected = model(all_products(x, w), [(128, 16, "wrap", True), (None, 19, "wrap", True)])
    expect(expected.events["outputs_overflowed"] > 0, "no tile overflows")
    compare(folder, ["--acc", "axe"], x, w, "int8", "int4", expected, 19)


@case("an AXE tile that A2Q's bound guarantees does not overflow; one unit more does")
def axe_limits(folder):
    # A2Q: |q|_1 * 128 <= 32767, so 255 units of weight. 256 units still hold -128 (-32768), 257 do not: -32896 + 65536 = 32640.
    for weights, value, tile, overflows in ((255, -128, -32640, 0), (256, -128, -32768, 0), (257, -128, 32640, 1)):
        q = [7] * (weights // 7) + [weights % 7]
        x = [[value] * len(q)]
        expected = model(all_products(x, [q]), [(128, 16, "wrap", True), (None, 19, "wrap", True)])
        equal((expected.codes, expected.events["sum_overflow"]), ([tile], overflows))
        compare(folder, ["--acc", "axe"], x, [q], "int8", "int4", expected, 19)


# The limits, by hand, for every overflow mode.
BY_HAND = (
    # mode, addends, result
    ("wrap", (131071, 1), -131072),
    ("wrap", (-131072, -1), 131071),
    ("wrap", (131071, 1, -1), 131071),
    ("saturate", (131071, 0), 131071),
    ("saturate", (131071, 1), 131071),
    ("saturate", (131071, 1, -1), 131070),
    ("saturate", (-131072, -1), -131072),
    ("saturate", (-131072, -1, 1), -131071),
    ("saturate", (131071, 131071, -131072, -131072), -131072),
    ("saturate_symmetric", (131071, 1), 131071),
    ("saturate_symmetric", (-131072, 0), -131071),
    ("saturate_symmetric", (-131071, -1, 1), -131070),
    ("saturate_zero", (131071, 0), 131071),
    ("saturate_zero", (131071, 1), 0),
    ("saturate_zero", (131071, 1, -1), -1),
    ("saturate_zero", (-131072, 0), -131072),
    ("saturate_zero", (-131072, -1, 5), 5),
)


@case("18 bits at both limits are those worked out by hand, in every overflow mode")
def by_hand(folder):
    for mode, addends, result in BY_HAND:
        expected = model([list(addends)], [(None, 18, mode, True)])
        equal(expected.codes, [result], (mode, addends))
        compare(folder, ["--acc", "s18.0", "--overflow", mode], [addends], [[1] * len(addends)], "int20", "int2", expected, 18)


@case("every width from 2 to 64 is the model's, in each overflow mode, products of many widths, with zero points and chunks")
def widths(folder):
    rng = np.random.default_rng(64)
    for width in range(2, 65):
        # Two modes a width, the other two at the next; all four in the long run.
        modes = ("wrap", "saturate_symmetric", "saturate", "saturate_zero")
        for mode in modes if STEPS >= 1000000 else (modes[width % 2], modes[2 + width % 2]):
            bits_a = int(rng.integers(2, min(32, width) + 1))
            bits_b = int(np.clip(width - bits_a + rng.integers(-2, 2), 2, 30))
            rows, columns, k = 3, 2, int(rng.integers(1, 24))
            x = rng.integers(-(1 << (bits_a - 1)), 1 << (bits_a - 1), (rows, k))
            w = rng.integers(-(1 << (bits_b - 1)), 1 << (bits_b - 1), (columns, k))
            zero_point = int(rng.integers(-2, 3))
            levels = [(None, width, mode, True)]
            arguments = ["--acc", "int%d" % width, "--overflow", mode]
            if rng.integers(2):
                terms = int(rng.integers(1, 9))
                levels = [(terms, width, mode, True)] * 2
                arguments += ["--chunk", terms]
            expected = model(all_products(x, w, zero_point), [levels[0], (None, *levels[0][1:])][: len(levels)])
            # `int16` and `int32` alone name datapaths that quantize; the parametric spelling is the format.
            arguments[1] = "s%d.0" % width
            compare(folder, arguments, x, w, "int%d" % bits_a, "int%d" % bits_b, expected, width, zero_point)


@case("unsigned accumulators wrap and saturate at 0 and 2^W-1")
def unsigned(folder):
    rng = np.random.default_rng(7)
    for width in (2, 8, 17, 33, 64):
        for mode in ("wrap", "saturate", "saturate_zero"):
            bits = max(2, min(30, width // 2))
            x = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), (4, 15))
            w = rng.integers(0, 1 << bits, (3, 15))
            expected = model(all_products(x, w), [(None, width, mode, False)])
            compare(folder, ["--acc", "u%d.0" % width, "--overflow", mode], x, w, "int%d" % bits, "uint%d" % bits, expected, width)


# NVDLA.
def cacc_output(accumulator, shift):
    """34 bits to 32 as the RTL does it: sixteen zeros appended, shifted arithmetically; a guide bit and 15 sticky bits below the result."""
    shifted = (accumulator << 16) >> shift
    kept, guide, sticky = shifted >> 16, shifted >> 15 & 1, shifted & 0x7FFF
    up = guide and (accumulator >= 0 or sticky != 0)
    return min(max(kept + up, -(1 << 31)), (1 << 31) - 1)


@case("NVDLA's accumulator is its RTL's over random steps: 34 saturating bits, shift, rounding, 32 saturating bits")
def nvdla(folder):
    rng = np.random.default_rng(34)
    k, columns = 50, 4
    shifts = (0, 1, 7, 16, 17, 20, 31)
    rows = max(1, STEPS // (k * columns * len(shifts)))
    saturated = 0
    for shift in shifts:
        x = np.clip(rng.normal(rng.choice([-90, 0, 90], (rows, 1)), 60, (rows, k)), -128, 127).astype(int)
        w = rng.integers(-128, 128, (columns, k))
        # C is anywhere in the accumulator's range, or so near its ends that a few products reach them.
        bias = [int(rng.integers(-(1 << 33), 1 << 33)), (1 << 33) - 1 - int(rng.integers(1 << 18)), -(1 << 33) + int(rng.integers(1 << 18)), -(3 << shift) + 1]
        expected = model(all_products(x, w), [(None, 34, "saturate", True)], bias * rows, lambda v: cacc_output(v, shift))
        saturated += expected.events["sum_overflow"]
        compare(folder, ["--acc", "nvdla_cacc", "--set", "output.shift=%d" % shift], x, w, "int8", "int8", expected, 32, bias=bias)
    expect(saturated > 0, "no sum saturates")


@case("behind NVDLA's multipliers a step adds the exact sum of 64 products, which saturates where single products do not")
def nvdla_atomic(folder):
    rng = np.random.default_rng(64)
    k, columns, rows = 150, 4, 60
    x = rng.integers(-128, 128, (rows, k))
    w = rng.integers(-128, 128, (columns, k))
    bias = [int(rng.integers(-(1 << 33), 1 << 33)), (1 << 33) - 1 - int(rng.integers(1 << 16)), -(1 << 33) + int(rng.integers(1 << 16)), -5]
    products = all_products(x, w)
    atomic = [[sum(dot[first : first + 64]) for first in range(0, k, 64)] for dot in products]
    expected = model(atomic, [(None, 34, "saturate", True)], bias * rows, lambda v: cacc_output(v, 3))
    single = model(products, [(None, 34, "saturate", True)], bias * rows, lambda v: cacc_output(v, 3))
    expect(expected.codes != single.codes, "the steps make no difference")
    compare(folder, ["--acc", "nvdla_cmac_cacc", "--set", "output.shift=3"], x, w, "int8", "int8", expected, 32, bias=bias)
    # One row of vectors is one atomic operation: 64 * (127 * 127) on C = 2^33 - 1 - 64 * 127 * 127 + 1 saturates, on one less it does not.
    names = ["a%d" % i for i in range(64)] + ["b%d" % i for i in range(64)] + ["acc_in", "acc_out"]
    low = (1 << 33) - 1 - 64 * 127 * 127
    with open(folder + "/v.csv", "w", encoding="utf-8") as file:
        file.write(",".join(names) + "\n")
        for c in (low - 1, low, low + 1):
            file.write(",".join(["7f"] * 128 + ["%09x" % c, "%09x" % min(c + 64 * 127 * 127, (1 << 33) - 1)]) + "\n")
    equal(accsim("check", "--acc", "nvdla_cmac_cacc", "--vectors", folder + "/v.csv").out, "3 of 3 rows match\n")


@case("NVDLA's rounding at both limits and at its sticky bits is that worked out by hand")
def nvdla_by_hand(folder):
    for accumulator, shift, result in (
        ((1 << 33) - 1, 0, (1 << 31) - 1),
        (-(1 << 33), 0, -(1 << 31)),
        ((1 << 31) - 1, 0, (1 << 31) - 1),
        ((1 << 31), 0, (1 << 31) - 1),
        (-(1 << 31) - 1, 0, -(1 << 31)),
        ((1 << 32) - 1, 1, (1 << 31) - 1),  # 2^31 - 1/2 rounds up and saturates
        (-(1 << 32) - 1, 1, -(1 << 31)),  # -2^31 - 1/2 rounds away and saturates
        (5, 1, 3),  # 2.5
        (-5, 1, -3),  # -2.5
        (-5, 2, -1),  # -1.25
        (-6, 2, -2),  # -1.5
        (-7, 2, -2),  # -1.75
        # At a shift of 17 the last bit is below the sticky ones: -(2^16 - 1) / 2^17 lies short of -1/2, is taken for -1/2 and goes to -1.
        (-(1 << 16) + 1, 17, -1),
        (-(1 << 16) + 2, 17, 0),
        (-(1 << 16) + 1, 16, -1),
        (-(1 << 15) + 1, 16, 0),
        ((1 << 16) - 1, 17, 0),
        ((1 << 16), 17, 1),
    ):
        equal(cacc_output(accumulator, shift), result, (accumulator, shift))
        expected = model([[0]], [(None, 34, "saturate", True)], [accumulator], lambda v: cacc_output(v, shift))
        compare(folder, ["--acc", "nvdla_cacc", "--set", "output.shift=%d" % shift], [[0]], [[0]], "int8", "int8", expected, 32, bias=[accumulator])


@case("a result is requantized by a shift, a rounding and an overflow mode of its own")
def requantized(folder):
    # 100 * 3 + 1 = 301 over 4 = 75.25; 302 / 4 = 75.5; -302 / 4 = -75.5; 2000 / 4 = 500 leaves int8.
    for value, rounding, overflow, result in ((301, "rne", "saturate", 75), (302, "rne", "saturate", 76), (302, "rz", "saturate", 75), (-302, "rna", "saturate", -76),
                                              (-302, "rd", "saturate", -76), (-302, "ru", "saturate", -75), (2000, "rne", "saturate", 127), (2000, "rne", "wrap", -12),
                                              (-2000, "rne", "saturate_symmetric", -127), (2000, "rne", "saturate_zero", 0)):
        expected = Expected()
        expected.codes = [result]
        options = ["--set", "output.format=int8", "--set", "output.shift=2", "--set", "output.rounding=" + rounding, "--set", "output.overflow=" + overflow]
        compare(folder, ["--acc", "s18.0", *options], [[value]], [[1]], "int16", "int2", expected, 8)


if __name__ == "__main__":
    main()
