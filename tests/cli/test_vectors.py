"""`accsim vectors`: what it writes, and that `accsim check` agrees with it and sees a flipped bit."""

import os

import h5py
import numpy as np

import harness
from harness import accsim, case, done, equal, expect


def write(folder, *options, name="vectors.csv"):
    path = os.path.join(folder, name)
    done(accsim("vectors", *options, "--output", path))
    with open(path, encoding="utf-8") as file:
        return path, file.read().splitlines()


def rows_of(lines):
    body = [line for line in lines if not line.startswith("#")]
    names = body[0].split(",")
    return names, [dict(zip(names, line.split(","))) for line in body[1:]]


@case("every shipped datapath whose operands have codes checks its own rows, flags and products included")
def _(folder):
    listed = [line.split()[0] for line in done(accsim("list", "datapaths")).out.splitlines()[1:]]
    expect(len(listed) > 50, listed)
    tried = 0
    for datapath in listed:
        options = ["--acc", datapath]
        if accsim("vectors", *options, "--count", "1").status == 2:  # operands as traced
            options += ["--in", "fp16"]
        path, lines = write(folder, *options, "--count", "180", "--seed", str(tried))
        names, rows = rows_of(lines)
        equal(len(rows), 180, datapath)
        compare = ",".join(["acc_out", "flags"] + [name for name in ("output", "product") if name in names])
        result = accsim("check", *options, "--vectors", path, "--compare", compare)
        equal((result.status, result.out), (0, "180 of 180 rows match\n"), str(result))
        tried += 1
    equal(tried, len(listed))


@case("the same seed gives the same bytes, another seed other rows")
def _(folder):
    options = ("--acc", "ampere_fp16_fp32", "--count", "100")
    first = write(folder, *options, "--seed", "5")[1]
    equal(write(folder, *options, "--seed", "5", name="again.csv")[1], first)
    expect(write(folder, *options, "--seed", "6", name="other.csv")[1] != first)


@case("a flipped bit is caught with row, operands, expected, found and decoded values")
def _(folder):
    # fp16 operands, products in fp16, sums in fp32: the row's numbers are decoded here by numpy.
    options = ("--acc", "fp16_fp32acc", "--product", "fp16")
    path, lines = write(folder, *options, "--count", "64", "--class", "random", "--op", "add,sub")
    names, rows = rows_of(lines)
    header = lines.index(",".join(names))
    at = [i for i, line in enumerate(lines) if i > header and not line.startswith("#")]
    wrong = 23
    for column, stage in (("acc_out", "first wrong stage: sum"), ("product", "first wrong stage: product")):
        changed = dict(rows[wrong])
        flipped = int(changed[column], 16) ^ 1
        changed[column] = "%0*x" % (len(changed[column]), flipped)
        text = list(lines)
        text[at[wrong]] = ",".join(changed[n] for n in names)
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(text) + "\n")
        result = accsim("check", *options, "--vectors", path, "--compare", "acc_out,product,flags")
        equal(result.status, 1, str(result))
        equal(result.out.splitlines()[-1], "63 of 64 rows match")
        value = np.uint16(int(rows[wrong]["a"], 16)).view(np.float16)
        for words in ("row 23:", rows[wrong]["a"] + " (", rows[wrong]["b"] + " (", changed[column], rows[wrong][column], stage):
            expect(words in result.out, words, result)
        shown = result.out.split("a0 " + rows[wrong]["a"] + " (")[1].split(")")[0]
        equal(float(shown), float(value))


@case("an LFSR runs through the file as check runs it, with and without a new start for each sequence")
def _(folder):
    options = ("--acc", "sr_fp12", "--rounding", "sr:bits=9,rng=lfsr:width=16,mask=0xb400,seed=0xace1,form=galois,step=right")
    path, lines = write(folder, *options, "--count", "300", "--steps", "10")
    other = write(folder, *options, "--count", "300", "--steps", "10", "--reset-rng", "seq", name="reset.csv")
    expect(lines[3:] != other[1][3:], "the generator's start does not show")
    for file, more in ((path, ()), (other[0], ("--reset-rng", "seq"))):
        result = accsim("check", *options, "--vectors", file, *more)
        equal(result.out, "300 of 300 rows match\n", str(result))


@case("the three forms have the same codes")
def _(folder):
    options = ("--acc", "fp16_fp32acc", "--count", "50")
    names, rows = rows_of(write(folder, *options)[1])
    equal(names, ["a", "b", "acc_in", "acc_out", "flags", "seq", "step"])
    testfloat = write(folder, *options, "--format", "testfloat")[1]
    equal(testfloat, [" ".join(r[n] for n in names[:5]) for r in rows])
    readmemh = write(folder, *options, "--format", "readmemh")[1]
    words = [line for line in readmemh if not line.startswith("//")]
    equal(words, [("1" if r["step"] == "0" else "0") + "".join(r[n] for n in names[:5]) for r in rows])
    expect(any("sha256:" in line for line in readmemh) and any("108 bits" in line for line in readmemh), readmemh[:4])


@case("sequences start from zero and feed back, interleaved ones over their ways")
def _(folder):
    for more, ways in (((), 1), (("--set", "reduction.0.kind=interleaved", "--set", "reduction.0.ways=3"), 3)):
        _, rows = rows_of(write(folder, "--acc", "fp16_fp32acc", *more, "--count", "60", "--steps", "10")[1])
        for i, row in enumerate(rows):
            equal((int(row["seq"]), int(row["step"])), (i // 10, i % 10))
            equal(row["acc_in"], rows[i - ways]["acc_out"] if i % 10 >= ways else "00000000", (i, row))


@case("directed rows reach what their class is after")
def _(folder):
    def share(kind, holds, *options):
        _, rows = rows_of(write(folder, "--acc", "fp16_fp32acc", "--in", "fp32", *options, "--count", "200", "--class", kind)[1])
        return sum(bool(holds(r)) for r in rows if r["step"] == "0") / 200

    def value(code):
        return np.uint32(int(code, 16)).view(np.float32)

    def is_tie(row):  # the exact sum in integers of 2^-400 has half a spacing left over
        from fractions import Fraction
        numbers = [value(row[n]) for n in ("a", "b", "acc_in", "acc_out")]
        if not all(np.isfinite(n) for n in numbers):
            return False
        a, b, c, y = (Fraction(float(n)) for n in numbers)
        return y != 0 and abs(a * b + c - y) * 2 == Fraction(float(np.spacing(np.abs(numbers[3]))))

    expect(share("ties", is_tie) > 0.1, "ties")
    expect(share("cancellation", lambda r: int(r["acc_out"], 16) & 0x7fffffff == 0 and int(r["acc_in"], 16) & 0x7fffffff != 0) > 0.1, "cancellation")
    expect(share("overflow", lambda r: int(r["flags"], 16) & 4) > 0.1, "overflow")
    expect(share("specials", lambda r: int(r["flags"], 16) & 16) > 0.1, "invalid")
    expect(share("subnormals", lambda r: 0 < int(r["acc_out"], 16) & 0x7fffffff < 0x00800000) > 0.1, "subnormals")


@case("a trace gives the operands of its own outputs, in term order")
def _(folder):
    trace = os.path.join(folder, "t.h5")
    a, b = [[1, -2, 3], [4, 5, -6]], [[7, 8, 9], [-1, 2, -128], [0, 1, 0], [3, 3, 3]]
    harness.dots(trace, a, b)
    options = ("--acc", "int8_int32", "--set", "operands.a_scale=one", "--set", "operands.b_scale=one")
    path, lines = write(folder, *options, "--trace", trace, "--count", "90")
    _, rows = rows_of(lines)
    equal(len(rows), 90)
    signed = lambda text, bits: int(text, 16) - (1 << bits if int(text, 16) >> (bits - 1) else 0)
    seen = set()
    for i in range(0, 90, 3):
        equal([r["step"] for r in rows[i:i + 3]], ["0", "1", "2"])
        x, y = ([signed(r[n], 8) for r in rows[i:i + 3]] for n in "ab")
        expect(x in a and y in b, x, y)
        seen.add((tuple(x), tuple(y)))
        equal(signed(rows[i + 2]["acc_out"], 32), sum(p * q for p, q in zip(x, y)))
    expect(len(seen) > 4, seen)
    equal(accsim("check", *options, "--vectors", path).out, "90 of 90 rows match\n")
    # Rows of two products: the third term is a short issue.
    tree = ("--set", "reduction.0.kind=fused_sum", "--set", "reduction.0.terms=2", "--set", "reduction.0.with_accumulator=true", "--set",
            "reduction.0.fraction_bits=40")
    path, lines = write(folder, *options, *tree, "--trace", trace, "--count", "40")
    equal(rows_of(lines)[1][1]["a1"], "")
    equal(accsim("check", *options, *tree, "--vectors", path).out, "40 of 40 rows match\n")
    if harness.traces:
        cls = harness.trace_path("ppocrv4_cls.h5")
        path, lines = write(folder, "--acc", "int16_wrap", "--trace", cls, "--layer", "053*", "--count", "300")
        equal(accsim("check", "--acc", "int16_wrap", "--vectors", path).out, "300 of 300 rows match\n")


@case("a trace's operands in blocks chain to the codes of its own outputs, with the scales that the run quantized them by")
def _(folder):
    trace, out = os.path.join(folder, "t.h5"), os.path.join(folder, "r.h5")
    noise = np.random.default_rng(4)
    a, b = noise.standard_normal((1, 150)) * 2.0 ** noise.integers(-9, 9, (1, 150)), noise.standard_normal((1, 150))
    a[0, 70] = np.nan
    for datapath, terms in (("blackwell_mxfp8", 32), ("blackwell_mxfp4", 64), ("blackwell_nvfp4", 64)):
        for row in (a, np.nan_to_num(a)):
            harness.dots(trace, row, b)
            done(accsim("run", "--acc", datapath, "--trace", trace, "--out", out))
            with h5py.File(out) as file:
                code = "%08x" % file["fc/output_code"][0, 0]
            _, rows = rows_of(write(folder, "--acc", datapath, "--trace", trace, "--count", str(-(-150 // terms)))[1])
            equal(rows[-1]["acc_out"], code, datapath)
            equal([r["step"] for r in rows], [str(i) for i in range(len(rows))])
            path = os.path.join(folder, "vectors.csv")
            equal(accsim("check", "--acc", datapath, "--vectors", path).out, "%d of %d rows match\n" % (len(rows), len(rows)), datapath)
    equal(accsim("vectors", "--acc", "blackwell_mxfp8", "--terms", "16", "--trace", trace).status, 2)  # half a block


@case("a file made for another datapath is checked with a warning")
def _(folder):
    path, _ = write(folder, "--acc", "int16_wrap", "--count", "40", "--class", "random")
    result = accsim("check", "--acc", "int16_wrap", "--vectors", path)
    expect(result.status == 0 and result.err == "", result)
    result = accsim("check", "--acc", "int16_saturate", "--vectors", path)
    expect("another datapath" in result.err, result)


@case("rows out of sequence are refused with their row")
def _(folder):
    path, lines = write(folder, "--acc", "int16_wrap", "--count", "48", "--steps", "24")
    first = [i for i, line in enumerate(lines) if not line.startswith("#")][1]
    for swap, words in (((2, 3), ("row 3", "step 2 after step 3")), ((3, 30), ("row", "again after seq"))):
        text = list(lines)
        i, j = (first + n for n in swap)
        text[i], text[j] = text[j], text[i]
        text = [line for line in text if not line.startswith("# sequences")]
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(text) + "\n")
        result = accsim("check", "--acc", "int16_wrap", "--vectors", path)
        equal(result.status, 3, str(result))
        for word in words:
            expect(word in result.err, word, result)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines).replace(",0,1\n", ",0,one\n") + "\n")
    result = accsim("check", "--acc", "int16_wrap", "--vectors", path)
    expect(result.status == 3 and "column step" in result.err and "one" in result.err, result)


@case("what cannot be written is refused, and no file is left behind")
def _(folder):
    out = os.path.join(folder, "none.csv")
    for status, words, options in (
            (2, "--in", ("--acc", "fp12")), (2, "--rm", ("--acc", "int32", "--rm", "rz", "--format", "testfloat")),
            (3, "no_such", ("--acc", "no_such")), (2, "--count", ("--acc", "int32", "--count", "0")),
            (3, "up", ("--acc", "int32", "--rm", "up")), (3, "none.h5", ("--acc", "int32", "--trace", os.path.join(folder, "none.h5"))),
            (2, "--class", ("--acc", "int32", "--class", "typos"))):
        result = accsim("vectors", *options, "--output", out)
        equal(result.status, status, str(result))
        expect(words in result.err and not os.path.exists(out), words, result)
    equal(accsim("vectors", "--acc", "int32", "--output", os.path.join(folder, "no", "where.csv")).status, 3)


harness.main()
