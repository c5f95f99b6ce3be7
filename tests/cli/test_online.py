"""Level kind `online` from outside: exact with all digits, close with some, cycles and early detection by the formulas of online arithmetic
(Ercegovac and Lang, Digital Arithmetic, ch. 9). Where the reference's sketches of multipliers and adders are beside the project, every digit of
radix 2 is compared with theirs: the outputs for 1, 2, ... digits kept are the prefixes of the stream."""

import os
import random
import sys

import h5py
import numpy as np

import harness
from harness import Skip, accsim, case, done, dots, equal, expect, main, report, write_layer

MULTIPLIERS = ("serial_parallel", "serial_serial", "integrated")


def ceil_log2(n):
    return (n - 1).bit_length()


def delay_of(radix, multiplier, terms):
    if multiplier == "integrated":
        delay = 0
        if radix == 2:
            while 3 * 2**delay < 2 * terms + 1:
                delay += 1
            return delay + 3
        while 4**delay < 6 * terms:
            delay += 1
        return delay
    return {(2, "serial_parallel"): 2, (2, "serial_serial"): 3, (4, "serial_parallel"): 1, (4, "serial_serial"): 2}[radix, multiplier]


def online(radix, multiplier, a="int8", b="int8", digits=None, out="s64.0"):
    sets = ["operands.a=" + a, "operands.b=" + b, "operands.a_scale=one", "operands.b_scale=one", "reduction.0.format=" + out,
            "reduction.0.radix=%d" % radix, "reduction.0.multiplier=" + multiplier]
    if digits is not None:
        sets.append("reduction.0.digits=%d" % digits)
    args = ["--acc", "online_r2_int8"]
    for s in sets:
        args += ["--set", s]
    return args


def codes(folder, trace, args):
    """The outputs of a linear layer as signed 64-bit integers, and the layer's report."""
    out = os.path.join(str(folder), "out.h5")
    layer = report("--trace", trace, "--out", out, *args)["layers"][0]
    with h5py.File(out) as file:
        return file["fc/output_code"][()].astype(np.uint64).astype(np.int64), layer


@case("with all digits the sum is exact, and the cycles are those of the formula")
def exact_with_all_digits(folder):
    rng = random.Random(7)
    for radix in (2, 4):
        for multiplier in MULTIPLIERS:
            for bits_a, bits_b, k, unsigned in ((4, 4, 1, False), (8, 8, 9, False), (16, 12, 64, False), (5, 8, 33, True)):
                a = [[rng.randint(*((0, 2**bits_a - 1) if unsigned else (-(2 ** (bits_a - 1)), 2 ** (bits_a - 1) - 1))) for _ in range(k)]
                     for _ in range(6)]
                b = [[rng.randint(-(2 ** (bits_b - 1)), 2 ** (bits_b - 1) - 1) for _ in range(k)] for _ in range(5)]
                args = online(radix, multiplier, ("uint%d" if unsigned else "int%d") % bits_a, "int%d" % bits_b)
                found, layer = codes(folder, dots(os.path.join(str(folder), "t.h5"), a, b), args)
                equal(found.tolist(), [[sum(x * y for x, y in zip(r, c)) for c in b] for r in a], (radix, multiplier, k))
                equal(layer["error"]["sndr_db"], "inf")
                equal(layer["events"]["sum_inexact"], 0)
                per_digit = radix // 2
                products = -(-bits_a // per_digit) + -(-bits_b // per_digit)
                delay, levels = delay_of(radix, multiplier, k), ceil_log2(k)
                cycles = delay + products if multiplier == "integrated" else delay + (2 if radix == 2 else 1) * levels + products + levels
                equal(layer["cycles"]["per_output"], cycles, (radix, multiplier, k))


@case("nine terms of 8 bits take 30 cycles; results that are negative end in about 16 of them where x >= 0")
def thirty_cycles(folder):
    rng = random.Random(5)
    a = [[rng.randint(0, 127) for _ in range(9)] for _ in range(20)]
    b = [[rng.randint(-128, 127) for _ in range(9)] for _ in range(20)]
    found, layer = codes(folder, dots(os.path.join(str(folder), "t.h5"), a, b), online(2, "serial_parallel"))
    negative = int((found < 0).sum())
    equal(layer["cycles"]["per_output"], 30)
    average = 30 - layer["cycles"]["saved"] / negative
    expect(15 < average < 17, "cycles of negative results", average)


@case("truncated digits are within one unit of the last digit, and early detection saves nothing where no output is negative")
def truncated(folder):
    rng = random.Random(9)
    a = [[rng.randint(0, 127) for _ in range(20)] for _ in range(8)]
    b = [[rng.randint(-20, 127) for _ in range(20)] for _ in range(8)]
    b.append([1] * 20)
    trace = dots(os.path.join(str(folder), "t.h5"), a, b)
    exact = np.array(a) @ np.array(b).T
    positive = dots(os.path.join(str(folder), "p.h5"), a, [[abs(x) for x in row] for row in b])
    for radix, multiplier in ((2, "serial_parallel"), (2, "integrated"), (4, "serial_serial")):
        for kept in (3, 6, 9):
            found, _ = codes(folder, trace, online(radix, multiplier, digits=kept))
            per_digit = radix // 2
            first = 1 - (delay_of(radix, multiplier, 20) if multiplier == "integrated" else 5)
            unit = radix ** (16 // per_digit - (first + kept - 1))
            expect((abs(found - exact) < unit).all(), radix, multiplier, kept)
            expect((found % unit == 0).all(), radix, multiplier, kept)
            _, layer = codes(folder, positive, online(radix, multiplier, digits=kept))
            equal(layer["cycles"]["saved"], 0)


@case("a zero point makes an operand one bit wider; the sum stays exact")
def zero_points(folder):
    rng = np.random.default_rng(3)
    a = rng.integers(0, 256, (4, 12)).astype(np.uint8)
    b = rng.integers(-128, 128, (3, 12)).astype(np.int8)
    for radix in (2, 4):
        path = write_layer(os.path.join(str(folder), "t.h5"), {
            "input": (a, {"format": "uint8", "scale": 1.0, "zero_point": 131}), "weight": (b, {"format": "int8", "scale": 1.0})})
        found, layer = codes(folder, path, online(radix, "serial_parallel", "uint8", "int8"))
        equal(found.tolist(), ((a.astype(np.int64) - 131) @ b.astype(np.int64).T).tolist())
        # 9 (5) and 8 (4) digits, 4 levels: delay + levels * adder + digits + levels.
        equal(layer["cycles"]["per_output"], 2 + 8 + 17 + 4 if radix == 2 else 1 + 4 + 9 + 4)


@case("terms split into vectors stream at the interval of the unit and are added by the next level")
def several_vectors(folder):
    rng = np.random.default_rng(4)
    a, b = rng.integers(-128, 128, (4, 30)), rng.integers(-128, 128, (3, 30))
    path = os.path.join(str(folder), "d.toml")
    with open(path, "w") as file:
        file.write('accsim = 1\n[operands]\na = "int8"\na_scale = "one"\nb = "int8"\nb_scale = "one"\n[[reduction]]\nkind = "online"\nterms = 9\n'
                   'format = "int32"\n[[reduction]]\nkind = "sequential"\nformat = "s64.0"\n')
    found, layer = codes(folder, dots(os.path.join(str(folder), "t.h5"), a, b), ["--acc", path])
    equal(found.tolist(), (a @ b.T).tolist())
    equal(layer["cycles"], {"per_output": 3 * 20 + 30})  # four vectors; no early detection, which knows one vector only


@case("what cannot be online is refused by name")
def refusals(folder):
    trace = dots(os.path.join(str(folder), "t.h5"), [[1, 2]], [[3, 4]])
    for assignment, text in (("reduction.0.radix=3", "2 or 4"), ("reduction.0.multiplier=parallel", "serial_parallel, serial_serial, integrated"),
                             ("operands.a=as_traced", "a fixed-point format"), ("operands.b=fp16", "a fixed-point format"),
                             ("product.format=int16", "exact"), ("operands.a=int60", "at most 64 bits"), ("reduction.0.digits=0", "1 to"),
                             ("reduction.0.ways=2", "ways")):
        result = accsim("run", "--trace", trace, "--acc", "online_r2_int8", "--set", assignment)
        equal(result.status, 3, assignment)
        expect(text in result.err, result)
    biased = dots(os.path.join(str(folder), "b.h5"), [[1, 2]], [[3, 4]], bias=np.array([5.0]))
    result = accsim("run", "--trace", biased, "--acc", "online_r2_int8", "--bias-in-accumulator")
    equal(result.status, 3)
    expect("initial = \"last\"" in result.err, result)
    layer = report("--trace", biased, "--acc", "online_r2_int8", "--bias-in-accumulator", "--set", "accumulator.initial=last")["layers"][0]
    expect("saved" not in layer["cycles"], "a bias behind the stream decides signs too", layer["cycles"])


@case("every digit, sum and saved cycle of radix 2 is that of the reference's multipliers and adders")
def against_the_sketches(folder):
    if harness.traces is None:
        raise Skip("no folder of the reference given")
    sketches = os.path.join(os.path.dirname(harness.traces), "reference", "online")
    if not os.path.exists(os.path.join(sketches, "online_adder.py")):
        raise Skip("no " + sketches)
    sys.dont_write_bytecode = True
    sys.path.insert(0, sketches)
    from online_adder import Radix2Adder
    from online_multiplier import serial_parallel, serial_serial
    from signed_digit import encode, from_int

    def stream(products):
        """Product digits through registered adders, wires passed on as they stand."""
        levels, p = ceil_log2(len(products)), len(products[0])
        horizon = 2 * levels + p + levels
        signals = [[encode(d) for d in z] + [(0, 0)] * (horizon - p) for z in products]
        for _ in range(levels):
            following = []
            for left, right in zip(signals[::2], signals[1::2]):
                adder, out = Radix2Adder(registered=False), [(0, 0)]
                for x, y in zip(left, right):
                    out.append(adder.clock(x, y))
                following.append(out[:horizon])
            if len(signals) % 2:
                following.append(([(0, 0)] * 3 + signals[-1])[:horizon])
            signals = following
        return [plus - minus for plus, minus in signals[0][2 * levels:]]

    rng = random.Random(21)
    for multiplier, bits, k in (("serial_parallel", 8, 9), ("serial_parallel", 6, 5), ("serial_serial", 5, 7), ("serial_serial", 8, 3)):
        half = 2 ** (bits - 1)
        a = [[rng.randint(-half, half - 1) for _ in range(k)] for _ in range(3)]
        b = [[rng.randint(-half, half - 1) for _ in range(k)] for _ in range(4)]
        streams = []
        for row in a:
            for column in b:
                digits = 2 * bits
                if multiplier == "serial_parallel":
                    products = [serial_parallel(from_int(x, bits), y, bits, digits)[0] for x, y in zip(row, column)]
                else:
                    products = [serial_serial(from_int(x, bits), from_int(y, bits), digits)[0] for x, y in zip(row, column)]
                streams.append(stream(products))
        trace = dots(os.path.join(str(folder), "t.h5"), a, b)
        count = 2 * bits + ceil_log2(k)
        for kept in range(1, count + 1):
            args = online(2, multiplier, "int%d" % bits, "int%d" % bits, kept)
            found, layer = codes(folder, trace, args)
            expected = [sum(d << (count - 1 - i) for i, d in enumerate(s[:kept])) for s in streams]
            equal(found.ravel().tolist(), expected, (multiplier, bits, k, kept))
            saved = 0
            for s in streams:
                first = next((i for i, d in enumerate(s[:kept], 1) if d), None)
                saved += kept - first if first is not None and s[first - 1] < 0 else 0
            equal(layer["cycles"]["saved"], saved, (multiplier, bits, k, kept))


if __name__ == "__main__":
    main()
