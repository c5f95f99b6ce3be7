"""accsim sweep: every variant is what accsim run gives for it; the smallest exact width is the one worked out by hand; PQS and MGS do
what they promise."""

import csv
import io
import json
import math
from fractions import Fraction

import h5py
import numpy as np

from harness import accsim, case, done, equal, expect, main, report, sample, write_layer


def integers(path, rows, columns):
    return write_layer(path, {"input": (np.array(rows, np.int8), {"format": "int8"}), "weight": (np.array(columns, np.int8), {"format": "int8"})})


def sweep(*args):
    return json.loads(done(accsim("sweep", *args, "--json", "-")).out)


KINDS = ["--over", "reduction.0.kind=sequential,sorted", "--over", "reduction.0.overflow=wrap,saturate"]


@case("the smallest exact width of wrapping, saturating and sorted sums is the one worked out by hand")
def by_hand(folder):
    # 100, 200, 100, 0: saturation needs 200, so 9 bits; the final 0 is exact in wrapping sums of any width, and sorted each sum is 0.
    path = integers(folder + "/t.h5", [[100, 100, -100, -100]], [[1, 1, 1, 1]])
    arguments = [path, "--acc", "int16_wrap", *KINDS, "--over", "reduction.0.format=int7..int10"]
    lines = done(accsim("sweep", *arguments)).out.splitlines()
    equal([line.split()[1:] for line in lines[1:4]], [["sequential", "sequential", "sorted", "sorted"], ["wrap", "saturate", "wrap", "saturate"], ["int7", "int9", "int7", "int7"]])
    # 100 + 100 + 56 = 256 fits 10 bits only, however it is summed.
    path = integers(folder + "/u.h5", [[100, 100, 56, 0]], [[1, 1, 1, 1]])
    lines = done(accsim("sweep", path, *arguments[1:])).out.splitlines()
    equal(lines[3].split(), ["fc", "int10", "int10", "int10", "int10"])
    lines = done(accsim("sweep", path, *arguments[1:-1], "reduction.0.format=int7..int9")).out.splitlines()
    equal(lines[3].split(), ["fc", "-", "-", "-", "-"])


@case("each run of a sweep is what accsim run reports for that variant")
def same_as_run(folder):
    document = sweep(sample, "--acc", "fp12", "--over", "reduction.1.rounding=rz,rne", "--over", "reduction.0.format=e4m6:bias=10;lba_fp12")
    equal(document["over"], [{"key": "reduction.1.rounding", "values": ["rz", "rne"]}, {"key": "reduction.0.format", "values": ["e4m6:bias=10", "lba_fp12"]}])
    equal([list(r["values"].values()) for r in document["runs"]], [["rz", "e4m6:bias=10"], ["rz", "lba_fp12"], ["rne", "e4m6:bias=10"], ["rne", "lba_fp12"]])
    for run in document["runs"][1:3]:
        alone = report("--acc", "fp12", "--trace", sample, *[x for key, value in run["values"].items() for x in ("--set", "%s=%s" % (key, value))])
        for layer, single in zip(run["run"]["layers"], alone["layers"]):
            equal({k: v for k, v in layer.items() if k != "seconds"}, {k: v for k, v in single.items() if k != "seconds"})
        equal(run["run"]["datapath"], alone["datapath"])


@case("variants that make the same sums share their widths, those of another order or operand have their own")
def shared_widths(folder):
    # In order the sums are x, 2x, x, 0, sorted 0, 0: one bit; x is 127 * 127, and 7 * 127 where a has four bits.
    path = write_layer(folder + "/t.h5", {"input": np.array([[100.0, 100, -100, -100]]), "weight": np.array([[1.0, 1, 1, 1]])})
    over = ["reduction.0.kind=sequential,sorted", "operands.a=int8,int4", "reduction.0.format=int9,int12,fp32", "reduction.0.rounding=rne,rz"]
    document = sweep(path, "--acc", "int8_int32", "--set", "reduction.0.overflow=saturate", *[x for axis in over for x in ("--over", axis)])
    seen = set()
    for run in document["runs"]:
        values = run["values"]
        alone = report("--acc", "int8_int32", "--set", "reduction.0.overflow=saturate", "--trace", path, *[x for k, v in values.items() for x in ("--set", k + "=" + v)])
        for layer, single in zip(run["run"]["layers"], alone["layers"]):
            equal({k: v for k, v in layer.items() if k != "seconds"}, {k: v for k, v in single.items() if k != "seconds"}, values)
            if layer.get("bits"):
                seen.add((values["reduction.0.kind"], values["operands.a"], layer["bits"]["observed"]))
    equal(len({(kind, a) for kind, a, _ in seen}), 4)
    expect(len({bits for _, _, bits in seen}) > 1, seen)


@case("the tables show the statistic that is asked for, CSV has a row a run and layer")
def tables(folder):
    path = integers(folder + "/t.h5", [[100, 100, -100, -100], [1, 0, 0, 0]], [[1, 1, 1, 1]])
    arguments = [path, "--acc", "int16_saturate", "--over", "reduction.0.format=int8..int10"]
    out = done(accsim("sweep", *arguments, "--show", "outputs_inexact")).out.splitlines()
    equal(out[-1].split(), ["fc", "1", "0", "0"])
    rows = list(csv.DictReader(io.StringIO(done(accsim("sweep", *arguments, "--csv", "-")).out)))
    equal([(r["reduction.0.format"], r["name"], r["outputs_inexact"]) for r in rows], [("int8", "fc", "1"), ("int9", "fc", "0"), ("int10", "fc", "0")])
    out = done(accsim("sweep", sample, "--acc", "fp12", "--over", "reduction.0.terms=8,16")).out
    expect("sndr_db" in out and "23.64" in out, out)


@case("what cannot be swept is refused before anything runs")
def refused(folder):
    arguments = [sample, "--acc", "int16_wrap"]
    for status, over, part in (
        (2, [], "over"),
        (2, ["--over", "reduction.0.format"], "reduction.0.format"),
        (2, ["--over", "reduction.0.format="], "empty"),
        (2, ["--over", "reduction.0.format=int20..int10"], "ascending"),
        (2, ["--over", "reduction.0.format=s10.0..u12.0"], "one whole number"),
        (2, ["--over", "reduction.0.format=int1..int400"], "256"),
        (2, ["--over", "reduction.0.terms=1..256", "--over", "reduction.0.format=int2..int16"], "1024"),
        (3, ["--over", "reduction.0.format=int10..int20", "--show", "sndr"], "sndr_db"),
        (3, ["--over", "reduction.1.format=int10..int20"], "reduction.1"),
        (3, ["--over", "reduction.0.format=int126..int130"], "129"),
        (3, ["--over", "reduction.0.kind=sequential,sorte"], "sorted"),
    ):
        result = accsim("sweep", *arguments, *over)
        equal(result.status, status, result)
        equal(result.out, "", result)
        expect(part in result.err, part, result)


@case("PQS: sorted sums never overflow in transit where every product fits")
def pqs(folder):
    rng = np.random.default_rng(5)
    # Products of at most 2^14 - 1 in size fit 15 bits: 127 * 127 = 16129, 127 * -128 = -16256. -128 is left out of the inputs.
    x, w = rng.integers(-127, 128, (40, 300)), rng.integers(-128, 128, (10, 300))
    path = integers(folder + "/t.h5", x, w)
    sums = x.astype(int) @ w.T.astype(int)
    for width in range(15, 22):
        inside = (sums >= -(1 << (width - 1))) & (sums <= (1 << (width - 1)) - 1)
        events = report("--acc", "pqs", "--set", "reduction.0.format=int%d" % width, "--trace", path)["layers"][0]["events"]
        equal(events["outputs_transient_overflow"], 0, width)
        equal((events["outputs_overflowed"], events["outputs_inexact"]), (int((~inside).sum()),) * 2, width)
        events = report("--acc", "int16_saturate", "--set", "reduction.0.format=int%d" % width, "--trace", path)["layers"][0]["events"]
        expect(width > 18 or events["outputs_transient_overflow"] > 0, "in order there is none to remove at", width, events)


def e4m3(value):
    """The nearest OCP E4M3 number, ties to even, saturating at 448 (OCP 8-bit floating point, 2023)."""
    if value == 0:
        return Fraction(0)
    magnitude = abs(value)
    exponent = max(-6, math.floor(math.log2(magnitude)))  # exact: at most eight significand bits
    unit = Fraction(2) ** (exponent - 3)
    return min(round(magnitude / unit) * unit, Fraction(448)) * (1 if value > 0 else -1)


@case("MGS: the result is the exact sum of the rounded products, rounded once")
def mgs(folder):
    rng = np.random.default_rng(6)
    codes = rng.integers(0, 256, (2, 12, 130)).astype(np.uint8)
    codes[codes & 0x7F == 0x7F] = 0x80
    values = [Fraction(0)] * 256
    for c in range(256):
        e, f = c >> 3 & 15, c & 7
        values[c] = (Fraction(f, 512) if e == 0 else Fraction(8 + f, 8) * Fraction(2) ** (e - 7)) * (-1 if c & 128 else 1)
    path = write_layer(folder + "/t.h5", {"input": (codes[0], {"format": "ocp_e4m3"}), "weight": (codes[1], {"format": "ocp_e4m3"})})
    done(accsim("run", "--acc", "mgs", "--trace", path, "--out", folder + "/r.h5", "--quiet"))
    # Multiples of 2^-9 of at most 130 * 448: 25 bits, so binary64 has the exact sum and numpy's binary32 is its nearest.
    expected = [[np.float32(float(sum(e4m3(values[a] * values[b]) for a, b in zip(x, y)))) for y in codes[1]] for x in codes[0]]
    with h5py.File(folder + "/r.h5") as file:
        equal(file["fc/output"][()].tolist(), np.array(expected, np.float64).tolist())


if __name__ == "__main__":
    main()
