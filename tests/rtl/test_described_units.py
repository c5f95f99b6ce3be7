"""Units as they are found in public RTL, described in TOML: accsim's vectors against a model in exact rationals (tests/oracle/formats.py).

- fused multiply-add units: flags and the rounding of each row as IEEE 754 has them; their pipeline depths
- expanding dot products with stochastic rounding: two products and the accumulator, one rounding, random bits from a 32-bit LFSR
- saturating integer accumulators with a shift at the end
- exact dot products of 32 terms

Arguments: the program, libaccsim_dpi.so."""

import csv
import ctypes
import os
import sys
from fractions import Fraction

import harness_path  # noqa: F401  finds the harness of tests/cli
import dpi_library
import harness
from harness import accsim, case, done, equal, expect

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
import formats  # noqa: E402

library = sys.argv[2]
sys.argv = sys.argv[:2]
NV, OF, UF, NX = 16, 4, 2, 1


def rows_of(folder, toml, *options):
    datapath, path = os.path.join(folder, "unit.toml"), os.path.join(folder, "rows.csv")
    with open(datapath, "w", encoding="utf-8") as file:
        file.write(toml)
    done(accsim("vectors", "--acc", datapath, *options, "--output", path))
    with open(path, encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    result = done(accsim("check", "--acc", datapath, "--vectors", path, "--compare", "acc_out,flags"))
    equal(result.out, "%d of %d rows match\n" % (len(rows), len(rows)))
    return datapath, rows


def is_zero(x):
    return x == "-0" or x == 0


def is_negative(x):
    return x.startswith("-") if isinstance(x, str) else x < 0


def negated(x):
    if isinstance(x, str):
        return {"-0": Fraction(0), "inf": "-inf", "-inf": "inf", "nan": "nan"}[x]
    return "-0" if x == 0 else -x


def product(x, y):
    if "nan" in (x, y):
        return "nan"
    negative = is_negative(x) != is_negative(y)
    if x in ("inf", "-inf") or y in ("inf", "-inf"):
        return "nan" if is_zero(x) or is_zero(y) else "-inf" if negative else "inf"
    if is_zero(x) or is_zero(y):
        return "-0" if negative else Fraction(0)
    return x * y


def total(addends, rounds_down):
    """IEEE 754-2019 6.3: an exact zero sum is +0, in roundTowardNegative -0, unless all addends are zeros of one sign."""
    if "nan" in addends or ("inf" in addends and "-inf" in addends):
        return "nan"
    for infinity in ("inf", "-inf"):
        if infinity in addends:
            return infinity
    exact = sum(Fraction(0) if x == "-0" else x for x in addends)
    if exact != 0:
        return exact
    zeros_only = all(is_zero(x) for x in addends)
    if zeros_only and len(set(map(is_negative, addends))) == 1:
        return addends[0]
    return "-0" if rounds_down else Fraction(0)


def is_signalling(code, fmt_bits, exponent_bits):
    fraction_bits = fmt_bits - 1 - exponent_bits
    field = (code >> fraction_bits) & ((1 << exponent_bits) - 1)
    fraction = code & ((1 << fraction_bits) - 1)
    return field == (1 << exponent_bits) - 1 and fraction != 0 and not fraction >> (fraction_bits - 1)


FMA = """accsim = 1
name = "fma"
source = "a fused multiply-add unit"
[operands]
a = "fp16"
b = "fp16"
[product]
format = "exact"
[[reduction]]
kind = "sequential"
format = "fp16"
"""


@case("a fused multiply-add in six roundings, add and subtract, with the flags of IEEE 754")
def _(folder):
    fp16 = formats.parse_format("fp16")
    # The same precision with exponents that do not end: tininess is looked for after rounding there (IEEE 754-2019 7.5).
    wide = formats.parse_format("e8m10")
    _, rows = rows_of(folder, FMA, "--count", "6000", "--rm", "rne,rz,rd,ru,rna,ro", "--op", "add,sub", "--seed", "11")
    seen = set()
    for row in rows:
        codes = [int(row[n], 16) for n in ("a", "b", "acc_in")]
        a, b, c = (formats.decode(code, fp16) for code in codes)
        p = product(a, b)
        if row["op"] == "sub":
            p = negated(p)
        exact = total([p, c], row["rm"] == "rd")
        rounding = formats.Rounding(row["rm"])
        y, events = formats.round_number(exact, fp16, rounding)
        flags = 0
        infinity_times_zero = (a in ("inf", "-inf") and is_zero(b)) or (b in ("inf", "-inf") and is_zero(a))
        if any(is_signalling(code, 16, 5) for code in codes) or infinity_times_zero or {p, c} == {"inf", "-inf"}:
            flags |= NV
        if not isinstance(exact, str):
            inexact = events & formats.INEXACT
            flags |= (OF if events & formats.OVERFLOW else 0) | (NX if inexact else 0)
            unbounded, _ = formats.round_number(exact, wide, rounding)
            if inexact and (is_zero(unbounded) or abs(unbounded) < Fraction(1, 2 ** 14)):
                flags |= UF
        equal((int(row["acc_out"], 16), int(row["flags"], 16)), (formats.encode(y, fp16), flags), row)
        seen.add(flags)
    expect({0, NX, NX | OF, NX | UF, NV} <= seen, seen)


@case("a unit of any pipeline depth gives the same results, each so many clocks later")
def _(folder):
    lib = dpi_library.load(library)
    _, rows = rows_of(folder, FMA, "--count", "200", "--steps", "5")
    for depth in range(1, 7):
        unit = dpi_library.create(FMA, "--latency %d" % depth)
        expect(unit, dpi_library.message(None))
        value, results = ctypes.c_uint64(), []
        for cycle in range(len(rows) + depth - 1):
            row = rows[cycle] if cycle < len(rows) else {"a": "0", "b": "0", "step": "1"}
            valid = lib.accsim_clock(unit, 0, cycle < len(rows), row["step"] == "0", int(row["a"], 16), int(row["b"], 16))
            equal(valid, int(cycle >= depth - 1), (depth, cycle))
            if valid:
                lib.accsim_peek(unit, b"acc", ctypes.byref(value))
                results.append(value.value)
        equal(results, [int(row["acc_out"], 16) for row in rows])
        lib.accsim_destroy(unit)


@case("an expanding dot product of two FP8 terms into binary16, one stochastic rounding with 12 bits of a 32-bit LFSR")
def _(folder):
    mask, seed = 0x80200003, 0x1234567
    for source, form, step in (("e5m2", "galois", "right"), ("e4m3:specials=ieee", "fibonacci", "left")):
        toml = """accsim = 1
name = "sdotp"
source = "an expanding dot product"
[operands]
a = "%s"
b = "%s"
[product]
format = "exact"
[[reduction]]
kind = "exact"
terms = 2
with_accumulator = true
format = "fp16"
rounding = "sr:bits=12,rng=lfsr:width=32,mask=%#x,seed=%#x,form=%s,step=%s,share=array"
""" % (source, source, mask, seed, form, step)
        fp8, fp16 = formats.parse_format(source), formats.parse_format("fp16")
        _, rows = rows_of(folder, toml, "--count", "3000", "--seed", "4")
        state, inexact = seed, 0
        for row in rows:
            r = state & 0xfff
            if form == "galois":
                state = (state >> 1) ^ (mask if state & 1 else 0)
            else:
                state = ((state << 1) & 0xffffffff) | (bin(state & mask).count("1") & 1)
            terms = [product(formats.decode(int(row["a%d" % i], 16), fp8), formats.decode(int(row["b%d" % i], 16), fp8)) for i in (0, 1)]
            exact = total([formats.decode(int(row["acc_in"], 16), fp16)] + terms, False)
            y, events = formats.round_number(exact, fp16, formats.Rounding("sr:bits=12"), r=r)
            inexact += bool(events & formats.INEXACT)
            equal(int(row["acc_out"], 16), formats.encode(y, fp16), (row, r))
        expect(inexact > 200, inexact)


@case("a saturating integer accumulator with a shift to int8 at the end, ties away from zero")
def _(folder):
    toml = """accsim = 1
name = "requantize"
source = "a saturating accumulator and its output stage"
[operands]
a = "int8"
b = "int8"
[product]
format = "exact"
[[reduction]]
kind = "sequential"
format = "int18"
overflow = "saturate"
[output]
format = "int8"
rounding = "rna"
overflow = "saturate"
shift = 9
"""
    datapath, rows = rows_of(folder, toml, "--count", "4000", "--steps", "40", "--seed", "9")
    lib = dpi_library.load(library)
    unit, out = dpi_library.create(datapath), ctypes.c_uint64()
    expect(unit, dpi_library.message(None))

    def signed(text, bits):
        return int(text, 16) - (1 << bits if int(text, 16) >> (bits - 1) else 0)

    saturated = accumulator = 0
    for row in rows:
        if row["step"] == "0":
            accumulator = 0
        exact = accumulator + signed(row["a"], 8) * signed(row["b"], 8)
        accumulator = max(-(1 << 17), min((1 << 17) - 1, exact))
        saturated += accumulator != exact
        equal(signed(row["acc_out"], 18), accumulator, row)
        equal(int(row["flags"], 16), OF | NX if accumulator != exact else 0, row)
        lib.accsim_step(unit, row["step"] == "0", int(row["a"], 16), int(row["b"], 16), ctypes.byref(out))
        equal(lib.accsim_total(unit, ctypes.byref(out)), 0)
        magnitude = (abs(accumulator) + 256) >> 9
        result = max(-128, min(127, magnitude if accumulator >= 0 else -magnitude))
        equal(out.value, result & 0xff, row)
    expect(saturated > 5, saturated)


@case("an exact dot product of 32 terms and the accumulator, rounded once")
def _(folder):
    for source, out in (("ocp_e4m3", "fp32"), ("ocp_e5m2", "bf16")):
        toml = """accsim = 1
name = "dot32"
source = "an exact dot product"
[operands]
a = "%s"
b = "%s"
[product]
format = "exact"
[[reduction]]
kind = "exact"
terms = 32
with_accumulator = true
format = "%s"
""" % (source, source, out)
        fp8, wide = formats.parse_format(source), formats.parse_format(out)
        _, rows = rows_of(folder, toml, "--count", "800", "--seed", "2")
        for row in rows:
            terms = [product(formats.decode(int(row["a%d" % i], 16), fp8), formats.decode(int(row["b%d" % i], 16), fp8)) for i in range(32)]
            exact = total([formats.decode(int(row["acc_in"], 16), wide)] + terms, False)
            equal(int(row["acc_out"], 16), formats.encode(formats.round_number(exact, wide)[0], wide), row)


harness.main()
