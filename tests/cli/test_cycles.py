"""Cycles in `accsim run`, by the formulas of online.md 6.4, and what [timing] and [array] do to bits: nothing but seeds of share=pe."""

import csv
import io
import os

import h5py
import harness
import numpy as np
from harness import accsim, bits_of, case, done, equal, expect, report


def array(rows, cols, dataflow="os"):
    return ["--set", "array.rows=%d" % rows, "--set", "array.cols=%d" % cols, "--set", "array.dataflow=" + dataflow]


def ceil_div(x, y):
    return -(-x // y)


def layer(*options):
    return report("--acc", "int8_int32", "--trace", harness.sample, *options)["layers"][0]


@case("output- and weight-stationary arrays take 2R + C + T - 2 cycles a fold, every fold drained before the next")
def _(folder):
    plain = layer()
    expect("cycles" not in plain, "cycles without timing")
    m, n, k, macs = plain["m"], plain["n"], plain["k"], plain["macs"]
    for rows, cols in ((16, 16), (7, 5)):
        os_folds = ceil_div(m, rows) * ceil_div(n, cols)
        found = layer(*array(rows, cols))["cycles"]
        total = os_folds * (2 * rows + cols + k - 2)
        equal(found, {"total": total, "utilization": macs / (rows * cols * total), "folds": os_folds, "fold": 2 * rows + cols + k - 2,
                      "fill": rows + cols - 2, "drain": rows, "scale_sim": os_folds * (rows + cols + k - 2)})
        ws_folds = ceil_div(k, rows) * ceil_div(n, cols)
        found = layer(*array(rows, cols, "ws"))["cycles"]
        equal(found["total"], ws_folds * (2 * rows + cols + m - 2))
        equal(found["scale_sim"], found["total"])


@case("pipelined elements add their latency to a fold, stalled ones take their interval for every term")
def _(folder):
    plain = layer()
    m, n, k = plain["m"], plain["n"], plain["k"]
    folds = ceil_div(m, 8) * ceil_div(n, 8)
    single = layer(*array(8, 8), "--set", "timing.multiplier=1", "--set", "timing.adder=3", "--set", "timing.feedback=single_cycle")
    equal(single["cycles"]["total"], folds * (2 * 8 + 8 - 2 + k + 1 + 3 - 1))
    stalled = layer(*array(8, 8), "--set", "timing.adder=3")
    equal(stalled["cycles"]["total"], folds * (2 * 8 + 8 - 2 + 3 * k))
    unit = layer("--set", "timing.adder=3", "--set", "timing.multiplier=1")
    equal(unit["cycles"]["total"], m * n * (1 + 3 * k))
    equal(unit["cycles"].get("scale_sim"), None)


@case("time changes no bit and no event")
def _(folder):
    def without_cycles(*options):
        layers = bits_of(report("--acc", "fp12", "--trace", harness.sample, *options))
        return [{key: value for key, value in one.items() if key != "cycles"} for one in layers]

    expected = without_cycles()
    equal(without_cycles("--set", "timing.adder=3"), expected)
    equal(without_cycles(*array(16, 4, "ws"), "--set", "timing.feedback=single_cycle"), expected)


@case("CSV and HDF5 have the numbers of the JSON, the table the sum")
def _(folder):
    out = os.path.join(folder, "out.h5")
    result = done(accsim("run", "--acc", "int8_int32", "--trace", harness.sample, *array(16, 16), "--csv", "-", "--out", out))
    row = next(csv.DictReader(io.StringIO(result.out)))
    cycles = layer(*array(16, 16))["cycles"]
    with h5py.File(out) as file:
        attributes = dict(file["layer3"].attrs)
    for name, value in cycles.items():
        equal(float(row["cycles_" + name]), value, name)
        equal(attributes["cycles_" + name], value, name)
    table = done(accsim("run", "--acc", "int8_int32", "--trace", harness.sample, *array(16, 16))).out
    expect("cycles: %d, utilization" % cycles["total"] in table and "SCALE-Sim counts %d:" % cycles["scale_sim"] in table, table)


LFSR = "sr:bits=8,rng=lfsr:width=16,mask=0xB400,seed=0xACE1,form=galois,step=right,share=pe"


@case("generators of elements are seeded by the element: outputs of one element and equal operands are equal")
def _(folder):
    trace = os.path.join(folder, "t.h5")
    rows, columns = 6, 6
    values = np.linspace(0.1, 1.7, 40).astype(np.float32)
    harness.dots(trace, [values] * rows, [values] * columns, dtype=np.float32)

    def outputs(*options):
        out = os.path.join(folder, "out.h5")
        done(accsim("run", "--acc", "e6m5", "--rounding", LFSR, "--trace", trace, "--out", out, "--quiet", *options))
        with h5py.File(out) as file:
            return file["fc/output"][()]

    plain = outputs()
    expect(len(np.unique(plain)) > 3, "the seeds would not be seen", plain)
    small = outputs(*array(2, 3))
    for r in range(rows):
        for c in range(columns):
            # Element (r mod 2) 3 + c mod 3 has the seed that output number that has without an array.
            equal(small[r, c], plain.flat[(r % 2) * 3 + c % 3], (r, c))
    equal(outputs(*array(6, 6)).tolist(), plain.tolist())
    ws = outputs(*array(5, 4, "ws"))
    for r in range(rows):
        for c in range(columns):
            equal(ws[r, c], plain.flat[c % 4], (r, c))
    equal(outputs(*array(2, 3), "--threads", "3").tolist(), small.tolist())


@case("show prints [timing] and [array] with their defaults, and takes them back")
def _(folder):
    text = done(accsim("show", "fp12", "--set", "timing.adder=3", *array(4, 4))).out
    for line in ("multiplier = 0", "adder = 3", 'feedback = "stall"', "rows = 4", 'dataflow = "os"'):
        expect(line in text.splitlines(), line, text)
    path = os.path.join(folder, "again.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    equal(done(accsim("show", path)).out, text)


@case("schedules that do not fit the levels are bad input, by the key's name")
def _(folder):
    for options, what in ((["--set", "timing.feedback=interleave"], "timing: feedback"), (["--set", "timing.adder=0"], "timing.adder"),
                          (["--set", "timing.adders=1"], "timing.adders"), (array(3, 3, "ws"), "array: rows"),
                          (array(3, 3, "is"), "array.dataflow"), (["--set", "array.rows=3"], "array.cols"),
                          (["--set", "timing.adder=3", "--set", "timing.interval=2"], "timing: interval")):
        result = accsim("run", "--acc", "fp12", "--trace", harness.sample, *options)
        equal(result.status, 3, result)
        expect(what in result.err, what, result)


if __name__ == "__main__":
    harness.main()
