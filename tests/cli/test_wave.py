"""`accsim wave` and `accsim check --cycles`. Cycles are counted by hand, sums made by numpy's binary32 additions (IEEE, ties to even)."""

import csv
import os
import random

import harness
import numpy as np
from harness import accsim, case, done, equal, expect

FP32 = ("--acc", "fp32", "--in", "fp32")


def bits(value):
    return "%08x" % np.float32(value).view(np.uint32)


def write(folder, lines, name="in.csv"):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return path


def timing(**keys):
    return [word for key, value in keys.items() for word in ("--set", "timing.%s=%s" % (key, value))]


def ways(count, combine="coalesce"):
    return ["--set", "reduction.0.kind=interleaved", "--set", "reduction.0.ways=%d" % count, "--set",
            "reduction.0.combine=" + combine] + timing(adder=count)


def values_times_one(values, seq=None):
    """Rows whose product is the value."""
    head = ["a,b" + (",seq" if seq else "")]
    return head + ["%s,3f800000%s" % (bits(v), ",%s" % seq[i] if seq else "") for i, v in enumerate(values)]


def wave(folder, lines, *options, output="out.csv"):
    path = os.path.join(folder, output)
    done(accsim("wave", "--vectors", write(folder, lines), "--output", path, *options))
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file)) if output.endswith(".csv") else file.read()


def results(rows):
    """(cycle, accumulator) where a result stands."""
    return [(int(r["cycle"]), r["acc"]) for r in rows if r["out_valid"] == "1" and r["out_ready"] == "1"]


def some_values(count, seed=1):
    rng = random.Random(seed)
    return [np.float32(rng.gauss(0, 1)) for _ in range(count)]


@case("the first columns are those of the contract, and cycles count from 0")
def _(folder):
    rows = wave(folder, values_times_one([1, 2]), *FP32)
    equal(list(rows[0])[:7], ["cycle", "in_valid", "a", "b", "out_valid", "acc", "flags"])
    equal([r["cycle"] for r in rows], ["0", "1", "2"])
    equal(results(rows), [(1, bits(1)), (2, bits(3))])


@case("a stalled adder of 3 cycles behind a multiplier of 1: results in cycle 4, and every 3 after, not one clock before")
def _(folder):
    values = some_values(10)
    rows = wave(folder, values_times_one(values), *FP32, *timing(multiplier=1, adder=3))
    sums = np.cumsum(np.array(values, np.float32), dtype=np.float32)
    equal(results(rows), [(4 + 3 * i, bits(s)) for i, s in enumerate(sums)])
    equal([r["in_ready"] for r in rows[:7]], ["1", "0", "0", "1", "0", "0", "1"])
    equal(rows[3]["out_valid"], "0")
    # The operands of the first issue stand in the multiplier's register in cycle 1, its sum in the adder's in 2, 3 and 4.
    equal([r["product_1_valid"] for r in rows[:4]], ["0", "1", "0", "0"])
    equal([r["reduction_0_%d_valid" % s] for s, r in zip((1, 2, 3), rows[2:5])], ["1", "1", "1"])
    equal(rows[2]["reduction_0_1_code"], bits(values[0]))


@case("a loop of one cycle takes a term a cycle, with the same sums")
def _(folder):
    values = some_values(10)
    rows = wave(folder, values_times_one(values), *FP32, *timing(multiplier=1, adder=3, output=1, feedback="single_cycle"))
    sums = np.cumsum(np.array(values, np.float32), dtype=np.float32)
    equal(results(rows), [(5 + i, bits(s)) for i, s in enumerate(sums)])


@case("a fused multiply-add unit, whose every issue brings its accumulator, has no loop: an issue a cycle, each after its own latency")
def _(folder):
    fma = (*FP32, *timing(input=1, multiplier=1, adder=3, output=1))
    lines = ["a,b,acc_in"] + ["%s,%s,%s" % (bits(i), bits(2), bits(10 * i)) for i in range(1, 6)]
    rows = wave(folder, lines, *fma)
    equal(results(rows), [(6 + i, bits(12 * (i + 1))) for i in range(5)])
    equal([r["in_ready"] for r in rows], ["1"] * len(rows))
    equal(check(folder, rows, *fma, header=["cycle", "in_valid", "a", "b", "acc_in", "out_valid", "acc", "flags"]).status, 0)
    # Another issue in step with the first three waits for their sum and, since there is a loop from then on, so does the next.
    lines = ["a,b,acc_in"] + ["%s,%s,%s" % (bits(1), bits(1), acc) for acc in (bits(1), bits(2), "", bits(5))]
    equal(results(wave(folder, lines, *FP32, *timing(adder=3))), [(3, bits(2)), (4, bits(3)), (7, bits(4)), (10, bits(6))])


def partial_sums(values, count):
    sums = [np.float32(0)] * count
    for i, v in enumerate(values):
        sums[i % count] = np.float32(sums[i % count] + v)
    return sums


@case("interleaved sums coalesce in the order of online.md 6.2, after N + L(floor(log2 L) + 1) + 2(L - 2^floor(log2 L)) cycles")
def _(folder):
    def add(x, y):
        return np.float32(x + y)

    # Orders as given there; overhead 12 for L = 4, 5 * 3 + 2 = 17 for L = 5.
    orders = {(4, 8): lambda p: add(add(p[0], p[1]), add(p[2], p[3])), (4, 9): lambda p: add(add(p[1], p[2]), add(p[3], p[0])),
              (5, 10): lambda p: add(add(p[2], p[3]), add(p[4], add(p[0], p[1]))),
              (5, 11): lambda p: add(add(p[3], p[4]), add(p[0], add(p[1], p[2])))}
    different = 0
    for (count, n), order in orders.items():
        for seed in range(20):
            values = some_values(n, seed)
            rows = wave(folder, values_times_one(values), *FP32, *ways(count))
            p = partial_sums(values, count)
            equal(results(rows), [(n + {4: 12, 5: 17}[count], bits(order(p)))], (count, n, seed))
            different += bits(order(p)) != bits(np.cumsum(np.array(values, np.float32), dtype=np.float32)[-1])
    expect(different > 10, "the order would not be seen:", different)


@case("partial sums are also combined one after the other, or pairwise")
def _(folder):
    values = some_values(11)
    p = partial_sums(values, 4)
    rows = wave(folder, values_times_one(values), *FP32, *ways(4, "sequential"))
    # 4 ceil(11/4) + 4 * 4 cycles
    equal(results(rows), [(28, bits(np.cumsum(np.array(p, np.float32), dtype=np.float32)[-1]))])
    rows = wave(folder, values_times_one(values), *FP32, *ways(4, "tree"))
    equal([acc for _, acc in results(rows)], [bits(np.float32(p[0] + p[1]) + np.float32(p[2] + p[3]))])


@case("an interleaved accumulator behind a tree takes the tree's sums in turn and combines them in its own format")
def _(folder):
    values = [np.float64(v) for v in some_values(14)]
    options = ["--acc", "fp32", "--in", "fp32", "--chunk", "2"]
    for key in ("reduction.0.kind=tree", "reduction.1.kind=interleaved", "reduction.1.ways=3", "reduction.1.combine=sequential", "reduction.1.format=fp16",
                "accumulator.level=1", "timing.multiplier=1", "timing.adder=[2, 3]"):
        options += ["--set", key]
    pairs = [np.float32(x + y) for x, y in zip(values[::2], values[1::2])]  # exact in binary64, then rounded once
    partial = [np.float64(0)] * 3
    for i, pair in enumerate(pairs):
        partial[i % 3] = np.float64(np.float16(partial[i % 3] + np.float64(pair)))
    total = np.float64(0)
    for p in partial:
        total = np.float64(np.float16(total + p))
    lines = ["a0,a1,b0,b1"] + ["%s,%s,3f800000,3f800000" % (bits(x), bits(y)) for x, y in zip(values[::2], values[1::2])]
    rows = wave(folder, lines, *options)
    # 7 sums reach the loop 1 + 2 cycles after their operands, the last in cycle 9, in way 0, which it leaves 3 later; 3 additions of 3 cycles.
    equal(results(rows), [(9 + 3 + 9, "%04x" % np.float16(total).view(np.uint16))])
    names = list(rows[0])
    equal(len(names), len(set(names)))
    expect("reduction_0_2_valid" in names and "reduction_1_3_code" in names, names)


@case("gaps in the input and a slow consumer change when, not what")
def _(folder):
    values = some_values(9)
    for options in (timing(multiplier=2, adder=2), timing(adder=3, feedback="single_cycle", output=2), ways(4)):
        plain = [acc for _, acc in results(wave(folder, values_times_one(values), *FP32, *options))]
        for patterns in (("--in-valid", "1001"), ("--out-ready", "0010"), ("--in-valid", "110", "--out-ready", "10110")):
            rows = wave(folder, values_times_one(values), *FP32, *options, *patterns)
            equal([acc for _, acc in results(rows)], plain, (options, patterns))
            for before, after in zip(rows, rows[1:]):
                if before["out_valid"] == "1" and before["out_ready"] == "0":
                    equal(before["in_ready"], "0")
                    equal((after["out_valid"], after["acc"]), ("1", before["acc"]), "a result that is not taken stays")


@case("a sequence starts from zero, and interleaved sums wait for the combination of the one before")
def _(folder):
    values = some_values(12)
    seq = ["x"] * 7 + ["y"] * 5
    rows = wave(folder, values_times_one(values, seq), *FP32, *ways(3))
    # L = 3: overhead 3 * 2 + 2 = 8; the second starts in the cycle in which the first result stands.
    p, q = partial_sums(values[:7], 3), partial_sums(values[7:], 3)
    expected = [np.float32(np.float32(p[1] + p[2]) + p[0]), np.float32(np.float32(q[2] + q[0]) + q[1])]
    got = results(rows)
    equal([cycle for cycle, _ in got], [7 + 8, 15 + 5 + 8])
    equal([acc for _, acc in got], [bits(np.float32(x)) for x in expected])
    rows = wave(folder, values_times_one(values, seq), *FP32)
    equal(results(rows)[7], (8, bits(values[7])))


@case("an integer unit sums integers, wraps and says so in the cycle of the wrap")
def _(folder):
    rows = wave(folder, ["a,b", "7f,7f", "7f,7f", "7f,7f"], "--acc", "int16_wrap", *timing(multiplier=1))
    equal([(r["acc"], r["flags"]) for r in rows if r["out_valid"] == "1"], [("3f01", "00"), ("7e02", "00"), ("bd03", "05")])


def vcd_samples(text):
    """Values by full name at each rising edge of clk, and the names."""
    names, scope, values, samples = {}, [], {}, []
    for line in text.splitlines():
        words = line.split()
        if line.startswith("$scope"):
            scope.append(words[2])
        elif line.startswith("$upscope"):
            scope.pop()
        elif line.startswith("$var"):
            names[words[3]] = ".".join(scope + [words[4]])
        elif line and line[0] in "01":
            values[names[line[1:]]] = int(line[0])
            if names[line[1:]].endswith(".clk") and line[0] == "1":
                samples.append(dict(values))
        elif line.startswith("b"):
            values[names[words[1]]] = int(words[0][1:], 2)
    equal(scope, [])
    return samples


@case("the VCD has the same values at every rising edge as the CSV, in scopes named as in the datapath")
def _(folder):
    options = (*FP32, *timing(input=1, multiplier=2, adder=2, output=1), "--out-ready", "110")
    rows = wave(folder, values_times_one(some_values(6)), *options)
    samples = vcd_samples(wave(folder, values_times_one(some_values(6)), *options, output="out.vcd"))
    equal(len(samples), len(rows))
    for row, sample in zip(rows, samples):
        for column, name in (("in_valid", "in_valid"), ("a", "a"), ("acc", "acc"), ("flags", "flags"), ("in_ready", "in_ready"),
                             ("product_2_a", "product.stage_2.a"), ("reduction_0_1_code", "reduction_0.stage_1.code"),
                             ("output_1_valid", "output.stage_1.valid"), ("input_1_b", "input.stage_1.b")):
            equal(sample["fp32." + name], int(row[column], 16), (row["cycle"], column))


@case("a wave that cannot be written leaves nothing and exits with 3")
def _(folder):
    vectors = write(folder, values_times_one([1]))
    result = accsim("wave", *FP32, "--vectors", vectors, "--output", os.path.join(folder, "missing", "out.vcd"))
    equal(result.status, 3, result)
    expect("out.vcd" in result.err, result)
    equal(os.listdir(folder), ["in.csv"])
    equal(accsim("wave", *FP32, "--vectors", vectors, "--output", os.path.join(folder, "out.txt")).status, 2)
    equal(accsim("wave", *FP32, "--vectors", vectors, "--output", vectors).status, 3)
    equal(os.listdir(folder), ["in.csv"])


@case("each row's rm rounds its own issue, and in_rm has RISC-V's code of it, in a file that checks")
def _(folder):
    # 1 + 2^-24 is a tie between 1 and 1 + 2^-23.
    lines = ["a,b,acc_in,rm"] + ["%s,3f800000,3f800000,%s" % (bits(2.0 ** -24 * s), rm) for s, rm in
                                 ((1, "rne"), (1, "rz"), (1, "ru"), (1, "rna"), (-3, "rd"), (1, ""), (1, "ro"))]
    rows = wave(folder, lines, *FP32, *timing(multiplier=2))
    equal([acc for _, acc in results(rows)], ["3f800000", "3f800000", "3f800001", "3f800001", "3f7ffffd", "3f800000", "3f800001"])
    equal([r["in_rm"] for r in rows[:7]], ["0", "1", "3", "4", "2", "7", "5"])
    equal(check(folder, rows, *FP32, *timing(multiplier=2)).status, 0)
    planted = [dict(r) for r in rows]
    planted[2]["in_rm"] = "6"
    result = check(folder, planted, *FP32, *timing(multiplier=2))
    equal(result.status, 3)
    expect("row 2: column in_rm" in result.err, result)
    result = accsim("wave", *FP32, "--vectors", write(folder, ["a,b,rm", "0,0,sr:bits=3"]), "--output", "-")
    equal(result.status, 3)
    expect("row 0: column rm" in result.err, result)


@case("a row of several terms is several issues, one after the other")
def _(folder):
    values = some_values(6)
    one = bits(1)
    lines = ["a0,a1,a2,b0,b1,b2,seq"] + [",".join([bits(v) for v in values[i:i + 3]] + [one] * 3 + ["1"]) for i in (0, 3)]
    several = results(wave(folder, lines, *FP32, *timing(multiplier=1, adder=2)))
    equal(several, results(wave(folder, values_times_one(values), *FP32, *timing(multiplier=1, adder=2))))
    rows = wave(folder, ["a0,a1,b0,b1,acc_in", "%s,%s,%s,%s,%s" % (bits(1), bits(2), one, one, bits(10)), "%s,%s,%s,%s," % (bits(3), bits(4), one, one)], *FP32)
    equal([acc for _, acc in results(rows)], [bits(x) for x in (11, 13, 16, 20)])
    # An issue of Ampere's unit takes 8 terms; 11 are an issue of 8 and one of 3. C is not given: each row goes on from the one before.
    codes = ["3c00"] * 11
    line = ",".join(codes + codes)
    rows = wave(folder, [",".join(["a%d" % i for i in range(11)] + ["b%d" % i for i in range(11)]), line], "--acc", "ampere_fp16_fp32")
    equal([acc for _, acc in results(rows)], [bits(8), bits(11)])


@case("operands in block formats have their scales beside them, 1 where there is no column, and issues take their own blocks")
def _(folder):
    head = [",".join("%s%d" % (o, i) for o in "ab" for i in range(64)) + ",seq"]
    ones = ",".join(["38"] * 128)  # 1 in E4M3
    unit = ("--acc", "blackwell_mxfp8") + tuple(timing(multiplier=1, adder=2))
    # 64 products in two issues: 32, then 64; E8M0 7f is 1, 80 is 2, 7e is 1/2: 32 * 2 * 1/2 = 32, then 32 + 32 * 1 * 2 = 96.
    plain = wave(folder, head + [ones + ",0"], *unit)
    equal(results(plain), [(3, bits(32)), (5, bits(64))])
    equal({(r["a_scale"], r["b_scale"]) for r in plain if r["in_valid"] == "1"}, {("7f", "7f")})
    scaled = [head[0] + ",a_scale0,a_scale1,b_scale0,b_scale1", ones + ",0,80,7f,7e,80"]
    equal(results(wave(folder, scaled, *unit)), [(3, bits(32)), (5, bits(96))])
    path = os.path.join(folder, "out.csv")
    expect("6 of 6 cycles match" in done(accsim("check", *unit, "--cycles", path)).out)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    expect(",7f,80," in text, text)
    wrong = write(folder, text.replace(",7f,80,", ",7f,7f,").splitlines(), "wrong.csv")
    found = accsim("check", *unit, "--cycles", wrong)
    expect(found.status == 1 and "stage reduction_0 stage_1" in found.out, found)
    refused = accsim("wave", *FP32, "--vectors", write(folder, ["a,b,a_scale", "3f800000,3f800000,7f"]), "--output", path)
    expect(refused.status == 3 and "a_scale" in refused.err and "no block format" in refused.err, refused)


@case("steps that do not rise, or a sequence that comes again, are refused")
def _(folder):
    for lines in (["a,b,seq,step", "0,0,1,0", "0,0,1,2", "0,0,1,1"], ["a,b,seq", "0,0,1", "0,0,2", "0,0,1"]):
        result = accsim("wave", *FP32, "--vectors", write(folder, lines), "--output", "-")
        equal(result.status, 3)
        expect("row 2" in result.err, result)


@case("bad vectors are refused by row and column, and nothing is written")
def _(folder):
    for lines, what in ((["a,c", "3f800000,0"], "no column b"), (["a,b", "3f800000,xyz"], "column b"), (["a,b", "13f800000,0"], "column a"),
                        (["a,b", "0,0", "0"], "row 1")):
        result = accsim("wave", *FP32, "--vectors", write(folder, lines), "--output", os.path.join(folder, "out.csv"))
        equal(result.status, 3, result)
        expect(what in result.err, what, result)
        expect(not os.path.exists(os.path.join(folder, "out.csv")), "a file is left")
    equal(accsim("wave", "--acc", "fp12", "--vectors", write(folder, ["a,b", "0,0"]), "--output", "-").status, 2, "operands without codes")


def check(folder, rows, *options, header=None):
    header = header or list(rows[0])
    path = write(folder, [",".join(header)] + [",".join(r[c] for c in header) for r in rows], "cycles.csv")
    return accsim("check", "--cycles", path, *options)


@case("what wave writes checks, whole or with the contract's columns alone")
def _(folder):
    for options in (timing(multiplier=1, adder=3), timing(adder=3, feedback="single_cycle"), ways(5)):
        rows = wave(folder, values_times_one(some_values(12)), *FP32, *options)
        result = check(folder, rows, *FP32, *options)
        equal((result.status, result.out), (0, "%d of %d cycles match\n" % (len(rows), len(rows))), result)
        short = ["cycle", "in_valid", "a", "b", "out_valid", "acc", "flags"]
        equal(check(folder, rows, *FP32, *options, header=short).status, 0)
    slow = wave(folder, values_times_one(some_values(12)), *FP32, "--out-ready", "10")
    equal(check(folder, slow, *FP32).status, 0)


@case("a wrong bit, a lost flag and a late result are caught with cycle and stage")
def _(folder):
    options = (*FP32, *timing(multiplier=1, adder=3))
    rows = wave(folder, values_times_one(some_values(6)), *options)
    planted = [dict(r) for r in rows]
    for row, stage in ((6, 2), (7, 3)):  # the second sum, wrong from its adder's second register on
        column = "reduction_0_%d_code" % stage
        planted[row][column] = "%08x" % (int(planted[row][column], 16) ^ 1)
    planted[7]["acc"] = planted[7]["reduction_0_3_code"]
    result = check(folder, planted, *options)
    equal(result.status, 1, result)
    expect("first wrong cycle 6, stage reduction_0 stage_2" in result.out, result)
    equal(result.out.splitlines()[-1], "%d of %d cycles match" % (len(rows) - 2, len(rows)))
    late = [dict(r) for r in rows]
    for i in range(len(rows) - 1, 0, -1):
        for column in ("out_valid", "acc", "flags"):
            late[i][column] = rows[i - 1][column]
    result = check(folder, late, *options, header=["cycle", "in_valid", "a", "b", "out_valid", "acc", "flags"])
    equal(result.status, 1)
    expect("first wrong cycle 4, stage out_valid" in result.out and "out_valid: expected 0 in the file, found 1" in result.out, result)
    flags = [dict(r) for r in rows]
    flagged = next(r for r in flags if r["out_valid"] == "1" and r["flags"] == "01")
    flagged["flags"] = "00"
    result = check(folder, flags, *options)
    expect("first wrong cycle %s, stage flags" % flagged["cycle"] in result.out, result)


@case("a cycle file that is none is refused by row and column")
def _(folder):
    rows = wave(folder, values_times_one([1, 2, 3]), *FP32)
    for change, what in (({"cycle": "7"}, "7 after 0"), ({"a": "zz"}, "column a"), ({"acc": "100000000"}, "column acc"),
                         ({"out_valid": "x"}, "column out_valid"), ({"cycle": "one"}, "column cycle")):
        planted = [dict(r) for r in rows]
        planted[1].update(change)
        result = check(folder, planted, *FP32)
        equal(result.status, 3, result)
        expect("row 1" in result.err and what in result.err, what, result)
    for column in ("cycle", "in_valid", "a", "b", "out_valid", "acc"):
        result = check(folder, rows, *FP32, header=[c for c in rows[0] if c != column])
        equal(result.status, 3, result)
        expect("no column " + column in result.err, result)
    equal(accsim("check", *FP32).status, 2)
    equal(accsim("check", *FP32, "--cycles", os.path.join(folder, "none.csv")).status, 3)


if __name__ == "__main__":
    harness.main()
