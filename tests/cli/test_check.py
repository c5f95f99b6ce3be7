"""`accsim check`, sentence by sentence of the contract (section 5). Expected codes and flags are worked out by hand from IEEE 754."""

import os

import harness
from harness import accsim, case, equal, expect


def check(folder, lines, *options):
    path = os.path.join(folder, "vectors.csv")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return accsim("check", "--vectors", path, *options)


def matches(result, good, rows):
    equal(result.out.splitlines()[-1:], ["%d of %d rows match" % (good, rows)], str(result))
    equal(result.status, 0 if good == rows else 1, str(result))


FP32 = ("--acc", "fp32", "--in", "fp32")


@case("an underflow flag is raised by tininess after or before rounding, or by what is delivered, as the datapath says")
def _(folder):
    for tininess, flags in (("after", ("03", "03", "01", "00")), ("before", ("03", "03", "03", "00")), ("delivered", ("03", "01", "01", "00"))):
        matches(check(folder, [
            "a,b,acc_in,acc_out,flags",
            "00800001,3f000000,00000000,00400000," + flags[0],  # 2^-127 + 2^-150: subnormal, inexact
            "3f7fffff,00800000,00000000,00800000," + flags[1],  # 2^-126 (1 - 2^-24): 24 bits hold it, the subnormals round it to 2^-126
            "3f800400,007ffc00,00000000,00800000," + flags[2],  # 2^-126 (1 - 2^-26): 24 bits round it to 2^-126
            "00800000,3f000000,00000000,00400000," + flags[3],  # an exact subnormal
        ], "--acc", "fp32", "--in", "fp32", "--set", "accumulator.tininess=" + tininess, "--compare", "acc_out,flags"), 4, 4)


@case("the flags of a fused multiply-add are those of IEEE 754")
def _(folder):
    matches(check(folder, [
        "a,b,acc_in,acc_out,flags",
        "7f7fffff,40000000,00000000,7f800000,05",  # overflow and inexact
        "00800000,3f000000,00000000,00400000,00",  # an exact subnormal is no underflow
        "00800001,3f000000,00000000,00400000,03",  # 2^-127 + 2^-150 is tiny and inexact
        "3f7fffff,00800000,00000000,00800000,03",  # 2^-126 (1 - 2^-24) has 24 bits, so it is tiny, but not among the subnormals
        "3f800400,007ffc00,00000000,00800000,01",  # 2^-126 (1 - 2^-26) is not tiny: 24 bits round it to 2^-126
        "7f800001,3f800000,00000000,7fc00000,10",  # a signalling NaN
        "7fc00000,3f800000,00000000,7fc00000,00",  # a quiet one
        "3f800000,3f800000,7f800001,7fc00000,10",  # a signalling addend
        "7f800000,00000000,7fc00000,7fc00000,10",  # infinity times zero, with a NaN addend
        "7f800000,3f800000,ff800000,7fc00000,10",  # infinity minus infinity
        "7f800000,3f800000,3f800000,7f800000,00",
        "3f800000,3f800000,33800000,3f800000,01",  # 1 + 2^-24
        "3f800000,3f800000,bf800000,00000000,00",  # exact cancellation is +0
    ], *FP32, "--compare", "acc_out,flags"), 13, 13)


@case("infinities of both signs in a sum are invalid, but not beside a quiet NaN, which decides the result before they meet")
def _(folder):
    exact = ("--acc", "fp32", "--in", "fp16", "--set", "reduction.0.kind=exact", "--set", "reduction.0.terms=3", "--set",
             "reduction.0.with_accumulator=true")
    one, inf, minus_inf, quiet, signalling = "3c00", "7c00", "fc00", "7e00", "7c01"
    rows = ["a0,a1,a2,b0,b1,b2,acc_in,acc_out,flags"]
    for third, acc_in, flags in ((one, "3f800000", "10"), (quiet, "3f800000", "00"), (one, "7fc00000", "00"), (signalling, "3f800000", "10"),
                                 (one, "7f800001", "10"), (quiet, "7f800000", "00")):
        rows.append(",".join([inf, minus_inf, third, one, one, one, acc_in, "7fc00000", flags]))
    rows.append(",".join([inf, quiet, one, "0000", one, one, "00000000", "7fc00000", "10"]))  # infinity times zero always
    matches(check(folder, rows, *exact, "--compare", "acc_out,flags"), 7, 7)


@case("the flags of product and sum are or-ed")
def _(folder):
    matches(check(folder, ["a,b,acc_in,acc_out,flags,product",
                           "7f7fffff,40000000,ff800000,7fc00000,15,7f800000",  # the product overflows, and then infinity minus infinity
                           "3f800001,3f800001,bf800002,00000000,01,3f800002"],  # 1 + 2^-22 + 2^-46 is cut to 1 + 2^-22
                  *FP32, "--product", "fp32", "--compare", "acc_out,flags,product"), 2, 2)


@case("flags count where C is added last")
def _(folder):
    matches(check(folder, ["a,b,acc_in,acc_out,flags", "3f800000,3f800000,33800000,3f800000,01"], *FP32, "--set", "accumulator.initial=last",
                  "--compare", "acc_out,flags"), 1, 1)


@case("without acc_in a row takes the acc_out of the row before, and zero at the start of a seq")
def _(folder):
    matches(check(folder, ["# 1.0 is 3c00", "a,b,acc_out,seq", "3c00,3c00,3f800000,0", "3c00,3c00,40000000,0", "3c00,3c00,3f800000,1",
                           "3c00,3c00,40000000,1"], "--acc", "fp16_fp32acc"), 4, 4)
    # What is recorded counts, not what is right: after a wrong 5 comes 6.
    matches(check(folder, ["a,b,acc_out", "3c00,3c00,40a00000", "3c00,3c00,40c00000"], "--acc", "fp16_fp32acc"), 1, 2)


@case("a given acc_in in one row does not hide the start of its seq from the next")
def _(folder):
    matches(check(folder, ["a,b,acc_in,acc_out,seq", "3c00,3c00,,3f800000,0", "3c00,4000,,40000000,0", "3c00,3c00,40000000,40400000,1",
                           "3c00,3c00,,3f800000,1"],
                  "--acc", "fp16_fp32acc", "--set", "reduction.0.kind=interleaved", "--set", "reduction.0.ways=2"), 4, 4)


@case("for an interleaved level a row takes the acc_out of the row `ways` before")
def _(folder):
    matches(check(folder, ["a,b,acc_out,seq", "3c00,3c00,3f800000,0", "3c00,4000,40000000,0", "3c00,3c00,40000000,0", "3c00,4000,40800000,0",
                           "3c00,3c00,3f800000,1", "3c00,3c00,3f800000,1"],
                  "--acc", "fp16_fp32acc", "--set", "reduction.0.kind=interleaved", "--set", "reduction.0.ways=2"), 6, 6)


@case("without acc_in and without the acc_out of the row before a row is refused")
def _(folder):
    result = check(folder, ["a,b,acc_out,flags", "3c00,3c00,,00", "3c00,3c00,40000000,00"], "--acc", "fp16_fp32acc", "--compare", "flags")
    equal(result.status, 3, str(result))
    expect("row 1" in result.err and "acc_in" in result.err, result)


@case("a row of more terms is several issues, a row of fewer a short one")
def _(folder):
    # Ampere, 8 products an issue: 2^24 and -2^24 in one issue with 2^-4 lose it; in the next issue it counts.
    big, minus_big, small, one = "6c00", "ec00", "2c00", "3c00"  # 4096, -4096, 2^-4, 1
    columns = ",".join(["a%d" % i for i in range(9)] + ["b%d" % i for i in range(9)] + ["acc_in", "acc_out"])
    eight_a, eight_b = [big, minus_big] + ["0000"] * 6, [big, big] + ["0000"] * 6
    lost_a, lost_b = [big, minus_big, small] + ["0000"] * 5, [big, big, small] + ["0000"] * 5
    matches(check(folder, [columns, ",".join(eight_a + [small] + eight_b + [small] + ["00000000", "3b800000"]),
                           ",".join(lost_a + [""] + lost_b + [""] + ["00000000", "00000000"]),
                           ",".join([small] + [""] * 8 + [one] + [""] * 8 + ["3f800000", "3f880000"])], "--acc", "ampere_fp16_fp32"), 3, 3)


@case("a row of more terms ends with its last issue where the level keeps nothing")
def _(folder):
    columns = ",".join(["a%d" % i for i in range(4)] + ["b%d" % i for i in range(4)] + ["acc_out"])
    one, two = "3c00", "4000"
    matches(check(folder, [columns, ",".join([one, one, two, two] + [one] * 4 + ["40800000"])], "--acc", "fp16_fp32acc", "--set",
                  "reduction.0.kind=tree", "--set", "reduction.0.terms=2"), 1, 1)


@case("rm overrides every rounding of its row")
def _(folder):
    matches(check(folder, ["a,b,acc_in,acc_out,rm", "3f800000,3f800000,33800000,3f800001,ru", "3f800000,3f800000,33800000,3f800000,",
                           "3f800000,3f800000,33800000,3f800000,rz"], *FP32), 3, 3)
    result = check(folder, ["a,b,acc_in,acc_out,rm", "3f800000,3f800000,33800000,3f800001,up"], *FP32)
    equal(result.status, 3, str(result))
    expect("row 0" in result.err and "up" in result.err, result)


@case("sub negates every product, after its rounding")
def _(folder):
    # 1.25 rounded down to e8m1 is 1; the sum is -1. Rounding -1.25 down would give -1.5.
    matches(check(folder, ["a,b,acc_in,acc_out,product,op", "3d00,3c00,00000000,bf800000,0fe,sub", "3d00,3c00,00000000,3f800000,0fe,add"],
                  "--acc", "fp16_fp32acc", "--product", "e8m1", "--set", "product.rounding=rd", "--compare", "acc_out,product"), 2, 2)
    matches(check(folder, ["a0,a1,b0,b1,acc_in,acc_out,op", "3c00,4000,3c00,3c00,00000000,c0400000,sub"], "--acc", "fp16_fp32acc"), 1, 1)
    equal(check(folder, ["a,b,acc_in,acc_out,op", "3c00,3c00,00000000,3f800000,mul"], "--acc", "fp16_fp32acc").status, 3)


@case("unknown columns are ignored with a warning, step without one")
def _(folder):
    result = check(folder, ["a,b,acc_out,step,clock", "3c00,3c00,3f800000,7,12"], "--acc", "fp16_fp32acc")
    matches(result, 1, 1)
    expect("clock" in result.err and "step" not in result.err, result)


@case("the first N rows that differ are reported with operands, expected and found")
def _(folder):
    rows = ["a,b,acc_in,acc_out"] + ["3c00,4000,00000000,40400000"] * 3 + ["3c00,4000,00000000,40000000"]
    result = check(folder, rows, "--acc", "fp16_fp32acc", "--limit", "2")
    matches(result, 1, 4)
    expect("row 0" in result.out and "row 1" in result.out and "row 2" not in result.out, result)
    expect("40400000 (3)" in result.out and "40000000 (2)" in result.out and "3c00 (1)" in result.out, result)
    matches(check(folder, rows, "--acc", "fp16_fp32acc", "--limit", "0"), 1, 4)


OUTPUT = ("--acc", "int16_saturate", "--set", "output.format=int8", "--set", "output.rounding=rna", "--set", "output.overflow=saturate", "--set",
          "output.shift=4")


@case("an output column holds the accumulator after the shift and rounding of [output], where it is not empty")
def _(folder):
    # 3 * 8 = 24 = 1.5 * 16 rounds to 2, 24 - 48 = -24 to -2, -24 + 16129 is beyond 127 * 16.
    rows = ["a,b,acc_out,output", "03,08,0018,02", "fa,08,ffe8,fe", "7f,7f,3ee9,7f"]
    matches(check(folder, rows, *OUTPUT, "--compare", "acc_out,output"), 3, 3)
    # Without acc_out a sum goes on from what it should have been; a result after several rows.
    matches(check(folder, ["a,b,seq,output", "03,08,0,", "fa,08,0,fe", "03,08,1,02"], *OUTPUT, "--compare", "output"), 3, 3)
    result = check(folder, ["a,b,acc_out,output", "03,08,0018,03", "fa,08,ffe9,ff"], *OUTPUT, "--compare", "acc_out,output")
    matches(result, 0, 2)
    stages = [line for line in result.out.splitlines() if "first wrong stage" in line]
    equal(stages, ["  first wrong stage: output", "  first wrong stage: sum"], result)
    # A row's rm rounds the output as well: -24 / 16 up is -1.
    matches(check(folder, ["a,b,acc_in,acc_out,output,rm", "fd,08,0000,ffe8,ff,ru", "fd,08,0000,ffe8,fe,rd"], *OUTPUT, "--compare", "output"), 2, 2)


@case("--compare output is refused where rows have no output")
def _(folder):
    rows = ["a,b,acc_out,output", "03,08,0018,02"]
    equal(check(folder, rows, "--acc", "int16_saturate", "--compare", "output").status, 3)
    equal(check(folder, rows, "--acc", "int16_saturate", "--chunk", "4", *OUTPUT[2:], "--compare", "output").status, 3)
    equal(check(folder, ["a,b,acc_out", "03,08,0018"], *OUTPUT, "--compare", "output").status, 3)


@case("a byte order mark before the header is no part of it")
def _(folder):
    matches(check(folder, ["\ufeffa,b,acc_out", "3c00,3c00,3f800000"], "--acc", "fp16_fp32acc"), 1, 1)


@case("--compare product is refused where no product could be compared")
def _(folder):
    equal(check(folder, ["a0,a1,b0,b1,acc_in,acc_out,product", "3c00,4000,3c00,3c00,00000000,40400000,0000"], "--acc", "fp16_fp32acc",
                "--product", "fp16", "--compare", "product").status, 3)
    equal(check(folder, ["a,b,acc_in,acc_out,product", "3c00,4000,00000000,40000000,4000"], "--acc", "fp16_fp32acc", "--compare",
                "product").status, 3)


@case("an LFSR runs on through the file, and starts anew with each seq where told to")
def _(folder):
    # W = 4, galois right, mask 9, seed 1: states 1, 9, 13, 15 (1>>1 ^ 9 = 9, 9>>1 ^ 9 = 13, 13>>1 ^ 9 = 15). r has 4 bits and adds to the first 4
    # bits of what e8m1 discards of 1 + 3/32 = 1 + 0.0011 of a spacing of 1/2: t = 3; away where 3 + r >= 16: with 13 and 15.
    options = ("--acc", "fp16_fp32acc", "--set", "reduction.0.format=e8m1", "--rounding",
               "sr:bits=4,rng=lfsr:width=4,mask=9,seed=1,form=galois,step=right")
    rows = ["a,b,acc_in,acc_out,seq"] + ["3c60,3c00,000,%s,%d" % row for row in (("0fe", 0), ("0fe", 0), ("0ff", 1), ("0ff", 1))]
    matches(check(folder, rows, *options), 4, 4)
    rows[3:] = ["3c60,3c00,000,0fe,1", "3c60,3c00,000,0fe,1"]
    matches(check(folder, rows, *options, "--reset-rng", "seq"), 4, 4)
    # A row whose rm is not stochastic takes no number: the third and fourth draw are still the rounds away.
    rows = ["a,b,acc_in,acc_out,rm"] + ["3c60,3c00,000,%s,%s" % row for row in (("0fe", ""), ("0ff", "ru"), ("0fe", ""), ("0fe", "rz"), ("0ff", ""),
                                                                                ("0fe", "rne"), ("0ff", ""))]
    matches(check(folder, rows, *options), 7, 7)


@case("a file without rows is refused: a bench that wrote nothing has not passed")
def _(folder):
    for option, header, acc in (("--vectors", "a,b,acc_out", "fp16_fp32acc"), ("--cycles", "cycle,in_valid,a,b,out_valid,acc", "fp16")):
        path = os.path.join(folder, "rows.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write("# a comment\n" + header + "\n\n")
        result = accsim("check", "--acc", acc, "--in", "fp16", option, path)
        equal(result.status, 3, str(result))
        expect("rows.csv" in result.err and "no rows" in result.err and "at least one" in result.err, result)
        equal(result.out, "", str(result))


@case("--limit takes a whole number from 0, and says so")
def _(folder):
    for limit in ("-1", "x", "1.5"):
        result = check(folder, ["a,b,acc_out", "3c00,3c00,3f800000"], "--acc", "fp16_fp32acc", "--limit", limit)
        equal(result.status, 2, str(result))
        equal(result.err.splitlines()[0], "--limit: found %s, accepted a whole number from 0" % limit, str(result))


@case("a leap of step is warned of: a row without acc_in goes on from the row before it in the file")
def _(folder):
    header, acc = "a,b,acc_in,acc_out,seq,step", ("--acc", "fp16_fp32acc")
    # 1 * 1 each. Of the second sequence the row with step 1 is missing; that with step 3 goes on from step 1.
    first = ["3c00,3c00,,3f800000,0,0", "3c00,3c00,,40000000,0,1", "3c00,3c00,,40400000,0,2"]
    start, last, after = "3c00,3c00,,3f800000,1,0", "3c00,3c00,%s,40800000,1,3", "3c00,3c00,%s,40400000,1,2"
    matches(check(folder, [header, *first, start, "3c00,3c00,,40000000,1,1", after % "", last % ""], *acc), 7, 7)
    result = check(folder, [header, *first, start, "3c00,3c00,,40000000,1,1", last % ""], *acc)
    equal(result.status, 1, str(result))
    expect("step 3 after step 1" in result.err, result)
    # Steps that are clocks of a stalled unit leap, and rows still go on from each other.
    clocks = check(folder, [header, "3c00,3c00,,3f800000,0,0", "3c00,3c00,,40000000,0,1", "3c00,3c00,,40400000,0,9"], *acc)
    matches(clocks, 3, 3)
    expect("step 9 after step 1" in clocks.err, clocks)
    result = check(folder, [header, *first, start, "3c00,3c00,,40000000,1,1", last % "40400000"], *acc)
    matches(result, 6, 6)
    expect("step 3 after step 1" in result.err, result)
    # Of two partial sums the missing row's own goes on two rows later.
    two = (*acc, "--set", "reduction.0.kind=interleaved", "--set", "reduction.0.ways=2")
    rows = ["3c00,3c00,,3f800000,0,0", "3c00,3c00,,3f800000,0,1", "3c00,3c00,3f800000,40000000,0,3", "3c00,3c00,,40400000,0,4"]
    result = check(folder, [header, *rows], *two)
    equal(result.status, 1, str(result))
    expect("step 3 after step 1" in result.err, result)
    # Where nothing is fed back a row stands alone.
    tree = (*acc, "--set", "reduction.0.kind=tree", "--set", "reduction.0.terms=2")
    matches(check(folder, ["a,b,acc_out,step", "3c00,3c00,3f800000,0", "3c00,3c00,3f800000,1", "3c00,3c00,3f800000,7"], *tree), 3, 3)


@case("steps may be decimal or hexadecimal, start anywhere and rise by more than one, but not fall; a seq is a name")
def _(folder):
    def rows(steps, seq="0"):
        return ["a,b,acc_out,seq,step"] + ["3c00,0000,00000000,%s,%s" % (seq, step) for step in steps]

    for steps in (range(7, 20), ["%x" % i for i in range(7, 20)], ["%04x" % i for i in range(250, 260)], range(0, 160, 8),
                  ["%x" % i for i in range(0, 160, 8)]):
        result = check(folder, rows(steps), "--acc", "fp16_fp32acc")
        matches(result, len(steps), len(steps))
        equal(result.err, "", str(result))
    for steps in ((0, 1, 1), (2, 1), (0, 2, 1)):
        result = check(folder, rows(steps), "--acc", "fp16_fp32acc")
        equal(result.status, 3, str(result))
        expect("steps that rise" in result.err, result)
    result = check(folder, rows((0, 1), "5") + rows((0, 1), "2")[1:] + rows((0, 1), "conv1")[1:], "--acc", "fp16_fp32acc")
    matches(result, 6, 6)
    equal(result.err, "", str(result))


@case("bad vectors are refused with their row and column")
def _(folder):
    for lines, words in ((["a,b,acc_out", "3c00,3c00,3f800000", "3c00,xyz,3f800000"], ("row 1", "column b")),
                         (["a0,a1,b0,b1,acc_out", "3c00,123456,3c00,3c00,3f800000"], ("row 0", "column a1")),
                         (["a,b,acc_out", "3c00,3c00"], ("row 0", "cells")), (["a,acc_out", "3c00,3f800000"], ("header", "b")),
                         (["a,b", "3c00,3c00"], ("header", "acc_out")), ([], ("header",)),
                         (["a,b,acc_in,acc_out", "3c00,3c00,1ffffffff,3f800000"], ("row 0", "column acc_in"))):
        result = check(folder, lines, "--acc", "fp16_fp32acc")
        equal(result.status, 3, str(result))
        for word in words:
            expect(word in result.err, word, result)
    equal(accsim("check", "--acc", "fp16_fp32acc", "--vectors", os.path.join(folder, "none.csv")).status, 3)
    equal(check(folder, ["a,b,acc_out", "3c00,3c00,3f800000"], "--acc", "fp32").status, 2)  # as traced: no codes


@case("scales of block formats stand in columns of their own, 1 where a cell is empty or no column")
def _(folder):
    # Two blocks of two: (1 + 1) * 2 * 1/4 + (1 + 1) * 1 * 8 = 1 + 16 = 17; without any scale 4, with b's alone 2 * 1/4 + 2 * 8 = 16.5.
    one, options = "38", ("--acc", "fp32", "--in", "mxfp8_e4m3:block=2")
    operands = ",".join(["a0,a1,a2,a3,b0,b1,b2,b3", ""])
    codes = ",".join([one] * 8)
    matches(check(folder, [operands + "a_scale0,a_scale1,b_scale0,b_scale1,acc_out,seq", codes + ",80,7f,7d,82,41880000,0",
                            codes + ",80,,7d,82,41880000,1"],
                  *options), 2, 2)
    matches(check(folder, [operands + "acc_out", codes + ",40800000"], *options), 1, 1)
    matches(check(folder, [operands + "b_scale0,b_scale1,acc_out", codes + ",7d,82,41840000"], *options), 1, 1)
    # A row of two terms has one block; ff is a NaN.
    short = "%s,%s,,,%s,%s,,," % ((one,) * 4)
    matches(check(folder, [operands + "a_scale0,a_scale1,acc_out", short + "80,,40800000", short + "ff,,7fc00000"], *options), 2, 2)
    # Of a differing row the scales are shown; UE4M3, NVFP4's scale, is a number without a sign.
    result = check(folder, [operands + "a_scale,acc_out", ",".join(["2"] * 8) + ",40,41000001"], "--acc", "fp32", "--in", "nvfp4")
    matches(result, 0, 1)
    expect("a_scale0 40 (2)" in result.out, result)
    matches(check(folder, [operands + "a_scale,acc_out", ",".join(["2"] * 8) + ",c0,41000000"], "--acc", "fp32", "--in", "nvfp4"), 1, 1)


@case("a unit's own NaN matches the canonical one where the datapath names it, and no other NaN does")
def _(folder):
    # NVIDIA's units deliver 7fffffff and 7fff (MMA-Sim c785138); the canonical NaN is 7fc00000, 7e00.
    for datapath, canonical, own, other in (("ampere_fp16_fp32", "7fc00000", "7fffffff", "ffffffff"), ("hopper_fp16_fp16", "7e00", "7fff", "7e01")):
        rows = ["a,b,acc_in,acc_out"] + ["7e00,3c00,%s,%s" % ("0" * len(own), code) for code in (canonical, own, other)]
        matches(check(folder, rows, "--acc", datapath), 2, 3)
    matches(check(folder, ["a,b,acc_in,acc_out", "7e00,3c00,00000000,7fffffff"], "--acc", "cdna3_fp16_fp32"), 0, 1)
    # A number is no NaN, whichever way round.
    matches(check(folder, ["a,b,acc_in,acc_out", "3c00,3c00,00000000,7fffffff"], "--acc", "ampere_fp16_fp32"), 0, 1)


@case("a product column is that of the scaled operands")
def _(folder):
    # 1 * 2^-1 times 1.5 * 2^2 = 3, in e8m1 (a code of 10 bits): 0 10000000 1.
    matches(check(folder, ["a,b,a_scale,b_scale,acc_in,acc_out,product", "38,3c,7e,81,00000000,40400000,101"], "--acc", "fp32", "--in",
                  "mxfp8_e4m3", "--product", "e8m1", "--compare", "acc_out,product"), 1, 1)


@case("scales without a block, or in the wrong number of columns, are refused")
def _(folder):
    two, header = "38,38,38,38", "a0,a1,b0,b1"
    for lines, words, options in (
            ([header + ",a_scale,acc_out", two + ",7f,40000000"], ("column a_scale", "no block format"), ("--in", "ocp_e4m3")),
            ([header + ",b_scale,acc_out", two + ",7f,40000000"], ("column b_scale", "no block format"), ("--in-a", "mxfp8_e4m3", "--in-b", "fp16")),
            ([header + ",a_scale0,a_scale1,acc_out", two + ",7f,7f,40000000"], ("column a_scale", "2 columns", "every 32"), ("--in", "mxfp8_e4m3")),
            ([header + ",a_scale,acc_out", two + ",7f,40000000"], ("column a_scale", "1 column", "2: rows of 2"), ("--in", "mxfp8_e4m3:block=1")),
            ([header + ",a_scale0,a_scale1,acc_out", two + ",7f,7f,40000000", "38,,38,,7f,7f,3f800000"], ("row 1", "a_scale1", "without a block"),
             ("--in", "mxfp8_e4m3:block=1")),
            ([header + ",a_scale,acc_out", two + ",100,40000000"], ("row 0", "column a_scale0", "100"), ("--in", "mxfp8_e4m3")),
            ([header + ",a_scale1,acc_out", two + ",7f,40000000"], ("header", "a_scale1 out of order"), ("--in", "mxfp8_e4m3"))):
        result = check(folder, lines, "--acc", "fp32", *options)
        equal(result.status, 3, str(result))
        for word in words:
            expect(word in result.err, word, result)


harness.main()
