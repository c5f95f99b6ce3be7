"""accsim quantize: single values against the tables of the standards and hand-made ties."""

from harness import accsim, case, done, equal, expect, main


def lines(*arguments, stdin=""):
    return done(accsim("quantize", *arguments, stdin=stdin)).out.splitlines()


def check(to, rows, *options):
    """rows: input -> "CODE VALUE"."""
    equal(dict(zip(rows, lines(*rows, "--to", to, *options))), dict(rows), "%s %s:" % (to, " ".join(options)))


def codes(to, rows, *options):
    found = [line.split()[0] for line in lines(*rows, "--to", to, *options)]
    equal(dict(zip(rows, found)), dict(rows), "%s %s:" % (to, " ".join(options)))


SAT = ("--overflow", "saturate")


@case("a line a value: code, then the value as the shortest decimal that reads back")
def plain(folder):
    check("fp16", {"0.1": "2e66 0.0999755859375", "1": "3c00 1", "-2.5": "c100 -2.5", "0": "0000 0", "-0": "8000 -0", "inf": "7c00 inf", "-inf": "fc00 -inf", "nan": "7e00 nan", "65504": "7bff 65504",
                   "5.960464477539063e-08": "0001 5.960464477539063e-08", "1e9": "7c00 inf", "-1e9": "fc00 -inf", "0x1.8p-3": "3200 0.1875"})
    check("fp32", {"0.1": "3dcccccd 0.10000000149011612", "-nan": "7fc00000 nan", "1e-45": "00000001 1.401298464324817e-45"})
    check("fp64", {"0.1": "3fb999999999999a 0.1", "-0.1": "bfb999999999999a -0.1"})
    check("bf16", {"1.00390625": "3f80 1", "1.01171875": "3f82 1.015625"})


@case("values beginning with a minus are no options, wherever they stand")
def negative(folder):
    equal(lines("-1", "-0.5", "-.5", "-1e-3", "-inf", "-0", "--to", "fp16"), ["bc00 -1", "b800 -0.5", "b800 -0.5", "9419 -0.0010004043579101562", "fc00 -inf", "8000 -0"])
    equal(lines("--to", "fp16", "-1"), ["bc00 -1"])


@case("infinity and NaN are taken in any case of letters, with a minus too")
def negative_names(folder):
    equal(lines("Inf", "INFINITY", "NaN", "--to", "fp16"), ["7c00 inf", "7c00 inf", "7e00 nan"])
    equal(lines("-Inf", "-Infinity", "-NaN", "--to", "fp16"), ["fc00 -inf", "fc00 -inf", "7e00 nan"])


@case("- reads values from standard input, in any layout")
def standard_input(folder):
    equal(lines("-", "--to", "ocp_e4m3", stdin="1 -2\n\n  448\t-inf nan\n"), ["38 1", "c0 -2", "7e 448", "7f nan", "7f nan"])
    equal(lines("3", "-", "4", "--to", "int8", stdin="-5"), ["03 3", "fb -5", "04 4"])
    equal(lines("-", "--to", "fp16", "--from", "ocp_e4m3", stdin="38 b8 7f"), ["3c00 1", "bc00 -1", "7e00 nan"])
    equal(lines("-", "--to", "fp16", stdin=""), [])


@case("--from reads codes, of 128 bits too")
def codes_in(folder):
    equal(lines("7e", "7f", "01", "80", "--from", "ocp_e4m3", "--to", "fp32"), ["43e00000 448", "7fc00000 nan", "3b000000 0.001953125", "80000000 -0"])
    equal(lines("ff", "80", "7f", "--from", "int8", "--to", "int16"), ["ffff -1", "ff80 -128", "007f 127"])
    equal(lines("ff", "--from", "uint8", "--to", "s16.4"), ["0ff0 255"])
    equal(lines("f" * 32, "80000000000000000000000000000000", "--from", "int128", "--to", "int128"), ["f" * 32 + " -1", "8" + "0" * 31 + " -1.7014118346046923e+38"])
    equal(lines("000", "800", "001", "7ff", "fff", "--from", "lba_fp12", "--to", "fp32"),
          ["00000000 0", "80000000 -0", "3a810000 0.00098419189453125", "427f0000 63.75", "c27f0000 -63.75"])


@case("OFP8 E5M2: the conversion table, saturating and not")
def ofp8_e5m2(folder):
    # formats.md, section 3. NaN is the canonical 7e of contracts 1.1: only the top fraction bit.
    both = {"61439": "7b", "-61439": "fb", "0x1p-17": "00", "0x3p-17": "02", "-0x1p-17": "80", "nan": "7e", "57344": "7b", "1e-9": "00", "-1e-9": "80"}
    codes("ocp_e5m2", {**both, "61440": "7c", "-61440": "fc", "inf": "7c", "-inf": "fc", "1e9": "7c"})
    codes("ocp_e5m2", {**both, "61440": "7b", "-61440": "fb", "inf": "7b", "-inf": "fb", "1e9": "7b"}, *SAT)


@case("OFP8 E4M3: the conversion table, saturating and not")
def ofp8_e4m3(folder):
    both = {"464": "7e", "-464": "fe", "0x1p-10": "00", "0x1.028f5c28f5c29p-10": "01", "0x3p-10": "02", "-0x1p-10": "80", "nan": "7f", "448": "7e"}
    codes("ocp_e4m3", {**both, "464.1": "7f", "1e9": "7f", "inf": "7f", "-inf": "7f"})
    codes("ocp_e4m3", {**both, "464.1": "7e", "1e9": "7e", "inf": "7e", "-inf": "fe", "-464.1": "fe"}, *SAT)


@case("FNUZ: one NaN, no -0, the tie above the largest overflows")
def fnuz(folder):
    # formats.md, section 4: 7f is odd, so the tie goes to the even side, out of range.
    codes("e4m3fnuz", {"240": "7f", "247.9": "7f", "248": "80", "-248": "80", "1e9": "80", "inf": "80", "nan": "80", "-0": "00", "-1e-9": "00"})
    codes("e4m3fnuz", {"248": "7f", "-248": "ff", "inf": "7f", "nan": "80"}, *SAT)
    codes("e5m2fnuz", {"57344": "7f", "61439": "7f", "61440": "80", "-0": "00"})
    codes("e4m3b11fnuz", {"30": "7f", "30.9": "7f", "31": "80", "-0x1p-15": "00"})


@case("MX elements: the edge vectors of FP6 and FP4, saturating")
def mx(folder):
    # formats.md, sections 5 and 6.
    codes("ocp_e3m2", {"29": "1f", "30": "1f", "31": "1f", "0x1p-5": "00", "0x3p-5": "02", "-29": "3f"}, *SAT)
    codes("ocp_e2m3", {"7.75": "1f", "8": "1f", "0x1p-4": "00", "0x3p-4": "02"}, *SAT)
    codes("ocp_e2m1", {".25": "0", ".26": "1", ".74": "1", ".75": "2", "1.25": "2", "1.26": "3", "1.74": "3", "1.75": "4", "2.5": "4", "2.51": "5", "3.49": "5", "3.5": "6", "5": "6", "5.01": "7", "1e9": "7",
                       "-0.25": "8", "-0.26": "9", "-7": "f"}, *SAT)
    codes("ocp_e2m1", {"1e9": "7", "inf": "7", "-inf": "f"})  # no infinity and no NaN: ieee gives the largest finite


@case("MXINT8's values are s8.6's")
def mxint8(folder):
    # formats.md, section 5, of a hardware test that rounds half away.
    check("s8.6", {"1.0234375": "42 1.03125", "1.0390625": "43 1.046875", "1.2578125": "51 1.265625", "1.9921875": "7f 1.984375", "0.0078125": "01 0.015625"}, "--rounding", "rna", *SAT)


@case("every rounding of ties and other values, both signs, in e5m2")
def ties(folder):
    # Neighbours 1 (code 3c, even), 1.25 (3d), 1.5 (3e). 1.125 and 1.375 are ties.
    inputs = ["1.0625", "1.125", "1.1875", "1.375", "-1.0625", "-1.125", "-1.1875", "-1.375"]
    for mode, wanted in (
        ("rne", "3c 3c 3d 3e bc bc bd be"),
        ("rna", "3c 3d 3d 3e bc bd bd be"),
        ("rz", "3c 3c 3c 3d bc bc bc bd"),
        ("ru", "3d 3d 3d 3e bc bc bc bd"),
        ("rd", "3c 3c 3c 3d bd bd bd be"),
        ("ro", "3d 3d 3d 3d bd bd bd bd"),
    ):
        codes("e5m2", dict(zip(inputs, wanted.split())), "--rounding", mode)


@case("every rounding of integers")
def integer_ties(folder):
    inputs = ["0.5", "1.5", "2.5", "2.4", "-0.5", "-1.5", "-2.5", "-2.6"]
    for mode, wanted in (("rne", "0 2 2 2 0 -2 -2 -3"), ("rna", "1 2 3 2 -1 -2 -3 -3"), ("rz", "0 1 2 2 0 -1 -2 -2"), ("ru", "1 2 3 3 0 -1 -2 -2"), ("rd", "0 1 2 2 -1 -2 -3 -3"), ("ro", "1 1 3 3 -1 -1 -3 -3")):
        found = [line.split()[1] for line in lines(*inputs, "--to", "int8", "--rounding", mode)]
        equal(found, wanted.split(), mode)


@case("at overflow each rounding goes to infinity or to the largest finite, by its direction")
def overflow_directions(folder):
    for mode, wanted in (("rne", "7c fc"), ("rna", "7c fc"), ("rz", "7b fb"), ("ru", "7c fb"), ("rd", "7b fc"), ("ro", "7b fb")):
        codes("e5m2", dict(zip(["1e9", "-1e9"], wanted.split())), "--rounding", mode)
    codes("e5m2", {"inf": "7c", "-inf": "fc"}, "--rounding", "rz")  # infinity itself stays
    codes("e5m2", {"1e9": "7e", "-1e9": "7e"}, "--overflow", "nan")
    codes("e2m1", {"6.5": "7", "1e9": "0", "-1e9": "0", "inf": "0"}, "--overflow", "nan")  # NaN into a format without: zero


@case("fixed point overflows as its mode says, infinities saturate or wrap to 0")
def fixed_overflow(folder):
    inputs = ["127", "128", "-128", "-129", "300", "inf", "-inf", "nan"]
    for mode, wanted in (("wrap", "127 -128 -128 127 44 0 0 0"), ("saturate", "127 127 -128 -128 127 127 -128 0"), ("saturate_symmetric", "127 127 -127 -127 127 127 -127 0")):
        equal([line.split()[1] for line in lines(*inputs, "--to", "int8", "--overflow", mode)], wanted.split(), mode)
    equal([line.split()[1] for line in lines("127", "128", "-128", "-129", "--to", "int8", "--overflow", "saturate_zero")], ["127", "0", "-128", "0"])
    equal([line.split()[1] for line in lines("255", "256", "-1", "--to", "uint8")], ["255", "0", "255"])
    equal([line.split()[1] for line in lines("256", "-1", "--to", "uint8", *SAT)], ["255", "0"])


@case("lba_fp12: zero steals the least code, what lies at or below 2^-10 becomes zero")
def lba(folder):
    # 2^-10 is not representable and underflows; 2^-10 (1 + 2^-7) is code 001.
    check("lba_fp12", {"0x1p-10": "000 0", "-0x1p-10": "800 -0", "0x1.02p-10": "001 0.00098419189453125", "63.75": "7ff 63.75", "64": "7ff 63.75", "-1e9": "fff -63.75", "0": "000 0", "-0": "800 -0"}, "--rounding", "rz", *SAT)
    equal(lines("0x1.01p-10", "0x1.01fffp-10", "--to", "lba_fp12", "--rounding", "rz"), ["000 0", "000 0"])


@case("flush makes values below the smallest normal zero of their sign in every mode, none keeps them without a code")
def underflow(folder):
    for mode in ("rne", "rz", "ru", "rd", "ro"):
        codes("fp16", {"0x1p-15": "0000", "-0x1p-15": "8000", "0x1p-14": "0400"}, "--underflow", "flush", "--rounding", mode)
    # Rounded as if exponents had no lower bound: 2^-14 (1 - 2^-13) is nearest to 2^-14 in 11 bits, which stays.
    codes("fp16", {"0x1.fffp-15": "0400", "0x1.ff8p-15": "0000"}, "--underflow", "flush")
    equal(lines("0x1.234p-30", "0x1.2345p-30", "--to", "fp16", "--underflow", "none"), ["- %r" % (0x1234 / 0x1000 * 2.0**-30), "- %r" % (0x1234 / 0x1000 * 2.0**-30)])


@case("stochastic rounding rounds up where its kind says so, for every random number")
def stochastic(folder):
    # R = 2, nu = k/16 between 1 and 1.25 in e5m2: how many of the four random numbers round up (formats.md, section 1).
    table = {"a": "0000111122223333", "b": "0011112222333344", "c": "0001112222233344", "below": "0000111122223333"}
    for kind, wanted in table.items():
        for k in range(16):
            value = repr(1 + k / 64)
            ups = 0
            lfsr = "sr:bits=2,kind=%s,rng=lfsr:width=2,mask=0x3,seed=%d,form=galois,step=right,share=pe"
            for seed in (1, 2, 3):
                # value 0 uses the generator of output 0: seed itself, whose low two bits are r.
                ups += lines(value, "--to", "e5m2", "--rounding", lfsr % (kind, seed))[0].startswith("3d")
            zero = "sr:bits=2,kind=%s,rng=lfsr:width=3,mask=0x6,seed=4,form=galois,step=right,share=pe" % kind
            ups += lines(value, "--to", "e5m2", "--rounding", zero)[0].startswith("3d")
            equal(ups, int(wanted[k]), "kind %s, nu = %d/16: random numbers that round up:" % (kind, k))


@case("--seed chooses Philox's numbers, a seed in the rounding goes before it")
def seeds(folder):
    values = [repr(1 + i / 64) for i in range(32)]
    first = lines(*values, "--to", "e5m2", "--rounding", "sr:bits=8")
    equal(lines(*values, "--to", "e5m2", "--rounding", "sr:bits=8", "--seed", "0"), first)
    expect(lines(*values, "--to", "e5m2", "--rounding", "sr:bits=8", "--seed", "1") != first, "seed 1 gives what seed 0 gives")
    equal(lines(*values, "--to", "e5m2", "--rounding", "sr:bits=8,rng=philox:0", "--seed", "1"), first)


@case("--events names what happened, --json has it too")
def events(folder):
    rows = {"1": "exact", "1.1": "inexact", "1e9": "overflow,inexact", "1e-9": "underflow,inexact", "0x1p-16": "exact", "nan": "exact", "inf": "exact"}
    found = [line.split(" ", 2)[2] for line in lines(*rows, "--to", "e5m2", "--events")]
    equal(dict(zip(rows, found)), rows)
    rows = {"nan": "invalid", "300": "overflow,inexact", "inf": "overflow", "1": "exact"}
    for value, event in rows.items():
        found = lines(value, "--to", "int8", "--events")[0].split(" ", 2)[2]
        expect(event in found, value, found, event)
    document = done(accsim("quantize", "1e9", "1", "--to", "e5m2", "--json")).json()
    equal([(row["code"], row["value"], row["overflow"], row["inexact"], row["underflow"], row["invalid"]) for row in document],
          [("7c", "inf", True, True, False, False), ("3c", "1", False, False, False, False)])


@case("a spelling of a format means the same in any case of letters")
def spelling(folder):
    for one, other in (("FP16", "binary16"), ("E5M2", "ocp_e5m2"), ("e4m3", "OCP_E4M3"), ("int8", "s8.0"), ("UINT8", "u8.0"), ("e5m10", "fp16"), ("e4m3:specials=fn", "e4m3"), ("sr_fp12", "e6m5")):
        values = ["0.1", "1e9", "-3.7", "nan"]
        equal(lines(*values, "--to", one), lines(*values, "--to", other), one)
    # e4m3 with another bias stays OCP-style: the largest is 448/2.
    equal(lines("1e9", "--to", "e4m3:bias=8", *SAT), ["7e 224"])
    equal(lines("inf", "--to", "e4m3:specials=ieee"), ["78 inf"])


if __name__ == "__main__":
    main()
