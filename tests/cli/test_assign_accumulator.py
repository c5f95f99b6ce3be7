"""accsim assign --accumulator from outside: the accumulators it finds against sums made beside in numpy."""

import math

import h5py
import numpy as np

from assigning import assigned, refused, sndr
from harness import accsim, case, done, equal, expect, main, trace_path


# Accumulators, once more in numpy: every sum here is exact in binary64 before it is rounded.
def to_float(x, fraction_bits, exponent_bits=8):
    """To nearest even, with subnormals; what overflows is infinite."""
    with np.errstate(divide="ignore"):
        exponent = np.where(x == 0, 0, np.frexp(x)[1] - 1)
    spacing = 2.0 ** (np.maximum(exponent, 2 - 2 ** (exponent_bits - 1)) - fraction_bits)
    y = np.round(x / spacing) * spacing
    largest = 2.0 ** (2 ** (exponent_bits - 1) - 1) * (2 - 2.0 ** -fraction_bits)
    return np.where(np.abs(y) > largest, np.copysign(np.inf, y), y)


def accumulated(a, b, chunk, fraction_bits, exponent_bits):
    """a [m, k] times b [n, k], products exact, sums rounded; and whether a sum overflowed."""
    products = a[:, None, :] * b[None, :, :]
    k = products.shape[2]
    outer = np.zeros(products.shape[:2])
    overflow = False
    length = chunk if chunk > 1 else k
    for first in range(0, k, length):
        inner = np.zeros(products.shape[:2])
        for i in range(first, min(first + length, k)):
            inner = to_float(inner + products[:, :, i], fraction_bits, exponent_bits)
        outer = to_float(outer + inner, fraction_bits, exponent_bits) if chunk > 1 else inner
        overflow = overflow or not np.all(np.isfinite(outer) & np.isfinite(inner))
        if overflow:
            break
    return outer, overflow


def sums(path, rows=9, k=150, columns=4):
    rng = np.random.default_rng(5)
    with h5py.File(path, "w") as file:
        layer = file.create_group("fc")
        layer.attrs["op"] = "linear"
        # multiples of 1/32 up to 1: products of what E5M2 makes of them are multiples of 2^-10, sums far below 2^43
        layer["input"] = (rng.integers(1, 33, (rows, k)) / 32).astype(np.float32)
        layer["weight"] = (rng.integers(-12, 33, (columns, k)) / 32).astype(np.float32)
    return str(path)


def check_widths(document, a, b, floor=None, within=0.5):
    (row,) = document["layers"]
    qa, qb = (a, b) if floor is not None else (to_float(a, 2, 5), to_float(b, 2, 5))
    signal, reference = a @ b.T, qa @ qb.T
    target = floor if floor is not None else sndr(signal, reference) - within
    expect(math.isclose(row["target_sndr_db"], target, rel_tol=1e-9), row, target)

    def measured(chunk, fraction_bits, exponent_bits):
        y, overflow = accumulated(qa, qb, chunk, fraction_bits, exponent_bits)
        return (None if overflow else sndr(reference if floor is not None else signal, y)), y

    for width in row["accumulators"]:
        chunk, m, e = width["chunk"], width["fraction_bits"], width["exponent_bits"]
        found, y = measured(chunk, m, e)
        expect(found is not None and found >= target, width, found)
        expect(math.isclose(width["sndr_db"], found, rel_tol=1e-9), width, found)
        expect(math.isclose(width["variance_retention"], np.var(y) / np.var(reference), rel_tol=1e-9), width)
        less = measured(chunk, m - 1, 8)[0]
        expect(less < target and math.isclose(width["one_fraction_bit_less_sndr_db"], less, rel_tol=1e-9), width, less)
        less = measured(chunk, m, e - 1)[0] if e > 2 else None
        expect(less is None or less < target, width, less)
    return row


@case("the accumulator found keeps the SNDR, one fraction or exponent bit less does not, in every chunk size")
def accumulators(folder):
    trace = sums(folder + "/t.h5")
    with h5py.File(trace) as file:
        a, b = (file["fc/" + t][...].astype(np.float64) for t in ("input", "weight"))
    for within in (0.1, 1, 3):
        row = check_widths(assigned(trace, "--accumulator", "--within", within), a, b, within=within)
        equal([w["chunk"] for w in row["accumulators"]], [1, 2, 4, 8, 16, 32, 64, 128])
        equal((row["k"], row["outputs"], row["sampled_outputs"]), (150, 36, 36))
    # operands as they are, a floor for the sum alone
    check_widths(assigned(trace, "--accumulator", "--floor", 30, "--in", "as_traced", "--chunk", "1,16"), a, b, floor=30)


@case("a sample takes evenly spaced rows, and the answer is the smallest on the sample")
def sampled(folder):
    trace = sums(folder + "/t.h5")
    with h5py.File(trace) as file:
        a, b = (file["fc/" + t][...].astype(np.float64) for t in ("input", "weight"))
    # 13 outputs of 9 x 4: three rows of four, 0, 3 and 6
    row = check_widths(assigned(trace, "--accumulator", "--outputs", 13, "--chunk", "1,8"), a[[0, 3, 6]], b)
    equal(row["sampled_outputs"], 12)
    # three outputs: one row, columns 0, 1 and 2 (of 4: floor(i 4 / 3))
    row = check_widths(assigned(trace, "--accumulator", "--outputs", 3, "--chunk", "1"), a[[0]], b[[0, 1, 2]])
    equal(row["sampled_outputs"], 3)


@case("a sampled output has the random bits that it has in a whole run, in every pass")
def sampled_random(folder):
    trace = sums(folder + "/t.h5")
    with h5py.File(trace, "a") as file:
        rng = np.random.default_rng(6)
        file["fc/grad_output"] = (rng.integers(-32, 33, (9, 4)) / 32).astype(np.float32)
        data = {key: file["fc/" + key][...].astype(np.float64) for key in ("input", "weight", "grad_output")}
    exact = {
        "fprop": data["input"] @ data["weight"].T,
        "dgrad": data["grad_output"] @ data["weight"],
        "wgrad": data["grad_output"].T @ data["input"],
    }
    for seed in (0, 5):
        options = ("--rounding", "sr:bits=7", "--seed", seed)
        document = assigned(trace, "--accumulator", "--floor", 25, "--in", "as_traced", "--chunk", 1, "--outputs", 150, *options)
        equal([(row["pass"], row["sampled_outputs"]) for row in document["layers"]], [("fprop", 36), ("dgrad", 150), ("wgrad", 150)])
        document = assigned(trace, "--accumulator", "--floor", 25, "--in", "as_traced", "--chunk", 1, "--outputs", 12, *options)
        for row in document["layers"]:
            (width,) = row["accumulators"]
            acc = "e%dm%d" % (width["exponent_bits"], width["fraction_bits"])
            done(accsim("run", "--acc", acc, *options, "--trace", trace, "--pass", row["pass"], "--out", folder + "/o.h5", "--quiet"))
            with h5py.File(folder + "/o.h5") as results:
                found = results["fc" if row["pass"] == "fprop" else "fc/" + row["pass"]]["output"][...]
            m, n = found.shape
            columns = min(n, 12)
            rows = min(m, 12 // columns)
            at = np.ix_([r * m // rows for r in range(rows)], [c * n // columns for c in range(columns)])
            equal(row["sampled_outputs"], rows * columns)
            wanted = sndr(exact[row["pass"]][at], found[at])
            expect(math.isclose(width["sndr_db"], wanted, rel_tol=1e-9), row["pass"], width, wanted)


@case("the closed form stands beside the measured width, by the numbers that the recalled formula has, and says that it is unverified")
def closed_form(folder):
    for k, plain, chunked in ((147, 5, None), (576, 7, 6), (1152, 7, 6), (2304, 8, 7)):
        trace = sums(folder + "/%d.h5" % k, rows=2, k=k, columns=2)
        widths = assigned(trace, "--accumulator", "--chunk", "1,64")["layers"][0]["accumulators"]
        equal(widths[0]["closed_form_fraction_bits_unverified"], plain)
        if chunked:
            equal(widths[1]["closed_form_fraction_bits_unverified"], chunked)
    expect("unverified" in done(accsim("assign", trace, "--accumulator", "--chunk", "1")).out)


@case("an accumulator search names what cannot be: operands that lose nothing, chunks, passes, formats")
def bad_searches(folder):
    trace = sums(folder + "/t.h5")
    refused(trace, "--accumulator", "--in", "as_traced", says=('layer "fc", pass fprop', "--floor"))
    refused(trace, "--accumulator", "--chunk", "1,48", says=("--chunk", "48", "powers of two"))
    refused(trace, "--accumulator", "--pass", "wgrad", says=("fc", "grad_output"))
    refused(trace, "--accumulator", "--in", "e5m99", says=("e5m99",))
    refused(trace, "--accumulator", "--within", "-1", says=("--within",))
    refused(trace, "--accumulator", "--layer", "x", says=("x",))
    shared = "sr:bits=4,rng=lfsr:width=8,mask=0xB8,seed=1,form=galois,step=right,share=array"
    refused(trace, "--accumulator", "--rounding", shared, says=("--rounding", "share=array", "share=pe"))
    refused(trace, "--accumulator", "--outputs", "0", status=2)
    refused(trace, "--within", "1", status=2)


@case("on the digits' weight gradients chunks need no more bits, and every answer is smallest")
def digits_accumulators(folder):
    document = assigned(trace_path("digits_fixture.h5"), "--accumulator", "--pass", "wgrad", "--chunk", "1,16", "--layer", "*/conv1")
    for row in document["layers"]:
        for width in row["accumulators"]:
            expect(width["sndr_db"] >= row["target_sndr_db"] > width["one_fraction_bit_less_sndr_db"], row)
        expect(row["accumulators"][1]["fraction_bits"] <= row["accumulators"][0]["fraction_bits"], row)


if __name__ == "__main__":
    main()
