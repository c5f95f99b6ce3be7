"""Bad datapaths and bad command lines: which exit status, what the message names."""

import os

from harness import accsim, case, done, equal, expect, linear, main, report

GOOD = """accsim = 1
name = "good"
[operands]
a = "as_traced"
b = "as_traced"
[product]
format = "e4m7:bias=12,specials=none,subnormals=off"
rounding = "rz"
overflow = "saturate"
[[reduction]]
kind = "sequential"
terms = 16
format = "lba_fp12"
rounding = "rz"
overflow = "saturate"
[[reduction]]
kind = "sequential"
format = "lba_fp12"
"""
LEVEL = '[[reduction]]\nkind = "sequential"\nformat = "fp16"\n'


def refused(folder, toml, *parts, args=()):
    """run and show fail with status 3 and a message that has all parts; nothing is left behind."""
    path = folder + "/mine.toml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(toml)
    trace = linear(folder + "/good.h5")
    before = sorted(os.listdir(folder))
    for command in (["show", path], ["run", "--acc", path, "--trace", trace, "--out", folder + "/r.h5", "--json", folder + "/r.json", "--csv", folder + "/r.csv"]):
        result = accsim(*command, *args)
        equal(result.status, 3, result)
        equal(result.out, "", "standard output of a failed command")
        equal(sorted(os.listdir(folder)), before, "files after %s" % result)
        for part in ("mine.toml", *parts):
            expect(part.lower() in result.err.lower(), "the message does not name", repr(part), result)
        expect("internal" not in result.err, result)


def one(sentence, toml, *parts, args=()):
    @case(sentence)
    def run(folder):
        refused(folder, toml, *parts, args=args)


def changed(old, new):
    """The good datapath with one thing changed."""
    assert old in GOOD
    return GOOD.replace(old, new, 1)


@case("the datapath that the bad ones are made from is good")
def good(folder):
    path = folder + "/mine.toml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(GOOD)
    done(accsim("show", path))
    done(accsim("run", "--acc", path, "--trace", linear(folder + "/good.h5")))


# TOML itself.
one("what is no TOML is refused with the line", "accsim = 1\nname = \n", "line 2")
one("an empty file has no level", "", "reduction", "accepted")
one("a datapath without levels is refused", "accsim = 1\n[product]\nformat = \"exact\"\n", "reduction")
one("a version other than 1 is refused", changed("accsim = 1", "accsim = 2"), "accsim", "2", "1")

# Unknown keys, with the nearest known one.
one("an unknown key at the top is refused", "nane = \"x\"\n" + LEVEL, "nane", "name")
one("an unknown table is refused", LEVEL + "[outputs]\nformat = \"fp16\"\n", "outputs", "output")
one("an unknown key of the operands is refused", changed('a = "as_traced"', 'a = "as_traced"\nc = "fp16"'), "operands", "c", "accepted")
one("an unknown key of the product is refused", changed('[product]\n', '[product]\nroundin = "rz"\n'), "product", "roundin", "rounding")
one("an unknown key of a level is refused with the level's number", changed("terms = 16", "term = 16"), "reduction.0", "term", "terms")
one("a key of another kind of level is refused", changed("terms = 16", "fan_in = 4"), "reduction.0", "fan_in", "sequential")
one("issues are refused in a sequential level", changed("terms = 16", "issues = 16"), "reduction.0", "issues", "sequential")
one("an unknown key of the accumulator is refused", LEVEL + '[accumulator]\nstart = "first"\n', "accumulator", "start")
one("an unknown key of the output is refused", LEVEL + '[output]\nformat = "fp16"\nshifts = 1\n', "output", "shifts", "shift")

# Wrong types.
one("a name that is a number is refused", changed('"good"', "12"), "name", "string")
one("a format that is a number is refused", changed('format = "lba_fp12"', "format = 12"), "reduction.0", "format", "string")
one("terms that are text are refused", changed("terms = 16", 'terms = "16"'), "reduction.0", "terms", "integer")
one("terms that are a fraction are refused", changed("terms = 16", "terms = 16.0"), "reduction.0", "terms", "integer")
one("a rounding that is a boolean is refused", changed('rounding = "rz"', "rounding = true"), "product", "rounding", "string")
one("a scale that is a boolean is refused", changed('a = "as_traced"', 'a = "int8"\na_scale = true'), "operands", "a_scale")
one("a level that is a table, not an array of tables, is refused", '[reduction]\nkind = "sequential"\nformat = "fp16"\n', "reduction", "array")
one("levels that are numbers are refused", "reduction = [1, 2]\n", "reduction")
one("operands that are a number are refused", "operands = 5\n" + LEVEL, "operands")
one("operands that are a number are refused when --in changes them", "operands = 5\n" + LEVEL, "operands", args=("--in", "fp16"))
one("a product that is text is refused when --product changes it", 'product = "exact"\n' + LEVEL, "product", args=("--product", "fp16"))
one("levels that are numbers are refused when --rounding changes them", "reduction = [1, 2]\n", "reduction", args=("--rounding", "rz"))
one("no levels are refused when --chunk asks for two", "reduction = []\n", "reduction", args=("--chunk", "4"))
one("one number as the levels is refused when --chunk asks for two", "reduction = [1]\n", "reduction", args=("--chunk", "4"))
one("a permutation that is a number is refused", changed("[product]\n", "[product]\npermute = 3\n"), "product", "permute", "array")
one("a permutation of text is refused", changed("[product]\n", '[product]\npermute = ["0"]\n'), "product", "permute", "integer")
one("a shift that is a fraction is refused", LEVEL + '[output]\nformat = "fp16"\nshift = 0.5\n', "output", "shift", "integer")

# Unknown names.
one("an unknown format is refused with the nearest", changed('format = "lba_fp12"', 'format = "lba_fp13"'), "reduction.0", "format", "lba_fp13", "lba_fp12")
one("an unknown kind of level is refused with those that there are", changed('"sequential"', '"sequentia"'), "reduction.0", "kind", "sequentia", "sequential")
one("a level without a kind is refused", '[[reduction]]\nformat = "fp16"\n', "reduction.0", "kind")
one("a level without a format is refused", '[[reduction]]\nkind = "sequential"\n', "reduction.0", "format")
one("an unknown rounding is refused", changed('rounding = "rz"', 'rounding = "rtz"'), "product", "rounding", "rtz", "rz")
one("an unknown overflow is refused", changed('overflow = "saturate"', 'overflow = "clamp"'), "product", "overflow", "clamp", "saturate")
one("an unknown underflow is refused", changed('overflow = "saturate"', 'underflow = "ftz"'), "product", "underflow", "ftz", "flush")
one("an unknown place for C is refused", LEVEL + '[accumulator]\ninitial = "middle"\n', "accumulator", "initial", "first", "last")
one("an unknown rule for a scale is refused", changed('a = "as_traced"', 'a = "int8"\na_scale = "max"'), "operands", "a_scale", "amax")

# Values out of range.
one("zero terms are refused", changed("terms = 16", "terms = 0"), "reduction.0", "terms", "0")
one("negative terms are refused", changed("terms = 16", "terms = -1"), "reduction.0", "terms", "-1")
one("twelve levels are refused", LEVEL * 12, "reduction", "12", "11")
one("sr without bits is refused", changed('rounding = "rz"', 'rounding = "sr"'), "product", "bits")
one("sr of 33 bits is refused", changed('rounding = "rz"', 'rounding = "sr:bits=33"'), "product", "33", "32")
one("sr of an unknown kind is refused", changed('rounding = "rz"', 'rounding = "sr:bits=3,kind=d"'), "product", "kind")
one("an lfsr without a mask is refused", changed('rounding = "rz"', 'rounding = "sr:bits=3,rng=lfsr:width=13,seed=1"'), "product", "mask")
one("an lfsr whose mask is wider than it is refused", changed('rounding = "rz"', 'rounding = "sr:bits=3,rng=lfsr:width=4,mask=0x19,seed=1,form=galois,step=right,share=pe"'), "product", "mask")
one("a scale of zero is refused", changed('a = "as_traced"', 'a = "int8"\na_scale = 0.0'), "operands", "a_scale", "positive")
one("a negative scale is refused", changed('a = "as_traced"', 'a = "int8"\na_scale = -1'), "operands", "a_scale", "positive")
one("a scale that is NaN is refused", changed('a = "as_traced"', 'a = "int8"\na_scale = nan'), "operands", "a_scale", "positive")
one("an infinite scale is refused", changed('a = "as_traced"', 'a = "int8"\na_scale = inf'), "operands", "a_scale", "positive")
one("a permutation with one entry twice is refused", changed("[product]\n", "[product]\npermute = [0, 0]\n"), "product", "permute")
one("a permutation with an entry beyond its length is refused", changed("[product]\n", "[product]\npermute = [0, 2]\n"), "product", "permute", "2")
one("a permutation with a negative entry is refused", changed("[product]\n", "[product]\npermute = [0, -1]\n"), "product", "permute", "-1")

# Impossible combinations.
one("wrap into a float is refused", changed('overflow = "saturate"', 'overflow = "wrap"'), "product", "wrap")
one("saturation to zero of a float is refused", changed('overflow = "saturate"', 'overflow = "saturate_zero"'), "product", "saturate_zero")
one("NaN on overflow of a fixed-point level is refused", '[[reduction]]\nkind = "sequential"\nformat = "int16"\noverflow = "nan"\n', "reduction.0", "nan")
one("a scale rule that a block format does not have is refused", changed('a = "as_traced"', 'a = "mxfp4:scale=up"'), "operands", "scale=up", "rceil")
one("a scale beside those of a block format is refused", changed('a = "as_traced"', 'a = "mxfp4"\na_scale = "amax"'), "operands", "a_scale", "mxfp4")
one("one generator for all elements of a block operand is refused", changed('a = "as_traced"', 'a = "mxfp4"\na_rounding = "sr:bits=3,rng=lfsr:width=4,mask=0x9,seed=1,share=array"'), "operands", "a_rounding", "share=array")
one("infinity on overflow of a fixed-point level is refused", '[[reduction]]\nkind = "sequential"\nformat = "int16"\noverflow = "ieee"\n', "reduction.0", "ieee")
one("underflow of a fixed-point level is refused", '[[reduction]]\nkind = "sequential"\nformat = "int16"\nunderflow = "flush"\n', "reduction.0", "underflow")
one("gradual underflow of a format without subnormals is refused", '[[reduction]]\nkind = "sequential"\nformat = "lba_fp12"\nunderflow = "gradual"\n', "reduction.0", "gradual")
one("a block format as an accumulator is refused", '[[reduction]]\nkind = "sequential"\nformat = "mxfp4"\n', "reduction.0", "mxfp4")
one("a fixed-point format of 129 bits is refused", '[[reduction]]\nkind = "sequential"\nformat = "int129"\n', "reduction.0", "129", "128")
one("round_to of more precision than the format is refused", '[[reduction]]\nkind = "sequential"\nformat = "e5m4"\nround_to = "e5m5"\n', "reduction.0", "round_to")
one("round_to of more range than the format is refused", '[[reduction]]\nkind = "sequential"\nformat = "e5m4"\nround_to = "e6m4"\n', "reduction.0", "round_to")
FUSED = '[[reduction]]\nkind = "fused_sum"\nterms = 4\nwith_accumulator = true\nfraction_bits = %d\nformat = "%s"\n'
one("a fused sum whose alignment does not reach the last bit of its fixed-point accumulator is refused", FUSED % (23, "int32"), "reduction.0", "fraction_bits", "23", "int32", "31")
one("the same in an outer level is refused with that level's number", LEVEL.replace('"fp16"', '"fp16"\nterms = 4') + FUSED % (6, "s8.4"), "reduction.1", "fraction_bits", "s8.4", "7")
ORDERED = '[[reduction]]\nkind = "ordered_sum"\nterms = 2\nformat = "fp16"\n'
one("an ordered sum without the ends of its registers is refused", ORDERED, "reduction.0", "fraction_bits", "none given")
one("as many ends as products and one are refused, where the additions are as many as the products", ORDERED + 'fraction_bits = [24, 28, 28]\n', "reduction.0", "fraction_bits", "3 numbers", "2")
one("an end that is no number is refused", ORDERED + 'fraction_bits = [24, "x"]\n', "reduction.0", "fraction_bits", "integers")
one("an ordered sum in fixed point is refused", ORDERED.replace("fp16", "int32") + 'fraction_bits = 24\n', "reduction.0", "format", "int32", "float")
one("an ordered sum of rounded products is refused", '[product]\nformat = "fp16"\n' + ORDERED + 'fraction_bits = 24\n', "product", "fp16", "exact")
one("an ordered sum behind another level is refused", LEVEL.replace('"fp16"', '"fp16"\nterms = 4') + ORDERED + 'fraction_bits = 24\n', "reduction.1", "ordered_sum", "innermost")
one("forgetting a sticky bit that is not kept is refused", ORDERED + 'fraction_bits = 24\nsticky = false\nforget_sticky_below = 11\n', "reduction.0", "forget_sticky_below", "sticky")
one("a discarded part of ones in a posit is refused", '[[reduction]]\nkind = "sequential"\nformat = "posit8"\noverflow = "ones_tail"\n', "reduction.0", "ones_tail", "posit8")
one("fixed-point operands whose product no accumulator holds are refused", '[operands]\na = "int65"\nb = "uint64"\n' + LEVEL, "reduction.0", "int65", "uint64", "129", "128")
one("a tree that never gets shorter is refused", '[[reduction]]\nkind = "tree"\nfan_in = 1\nformat = "int32"\n', "reduction.0", "fan_in", "1")
one("interleaving over no partial sum is refused", '[[reduction]]\nkind = "interleaved"\nways = 0\nformat = "int32"\n', "reduction.0", "ways", "0")
one("no issues before handing up are refused", '[[reduction]]\nkind = "exact"\nwith_accumulator = true\nterms = 4\nissues = 0\nformat = "int32"\n', "reduction.0", "issues", "0")
one("an accumulator fed back in issues of no size is refused", '[[reduction]]\nkind = "exact"\nwith_accumulator = true\nformat = "int32"\n', "reduction.0", "terms")
one("sticky bits below a float are refused", LEVEL + '[output]\nformat = "fp16"\nsticky_bits = 3\n', "output", "sticky_bits", "fp16")
one("negative sticky bits are refused", LEVEL + '[output]\nformat = "int16"\nsticky_bits = -1\n', "output", "sticky_bits", "-1")
one("a scale for an operand as traced is refused", changed('a = "as_traced"', 'a = "as_traced"\na_scale = 2.0'), "operands", "a_scale")


# --acc itself.
@case("an unknown --acc is refused with status 3 and the nearest names")
def unknown_acc(folder):
    trace = linear(folder + "/good.h5")
    for wrong, near in (("fp13", "fp12"), ("fp_12", "fp12"), ("int16_warp", "int16_wrap"), ("srfp12", "sr_fp12"), ("bf17", "bf16"), ("ocp_e4m4", "ocp_e4m3")):
        for command in (["run", "--acc", wrong, "--trace", trace, "--out", folder + "/r.h5"], ["show", wrong]):
            result = accsim(*command)
            equal(result.status, 3, result)
            expect('"%s"' % wrong in result.err and "did you mean" in result.err and near in result.err.split("did you mean")[1], result)
    equal(os.listdir(folder), ["good.h5"])


@case("a TOML file that does not exist is refused with its name")
def missing_toml(folder):
    for name in (folder + "/missing.toml", folder + "/missing"):
        result = accsim("show", name)
        equal(result.status, 3, result)
        expect(name in result.err, result)


@case("a folder in the place of a TOML file is refused")
def folder_toml(folder):
    os.mkdir(folder + "/mine.toml")
    equal(accsim("show", folder + "/mine.toml").status, 3)


@case("a format that breaks a rule is refused with the rule")
def bad_formats(folder):
    for spelled in ("e0m0", "e5m2:bias=x", "e5m2:specials=some", "e4m3:subnormals=maybe", "s129.0", "int0", "e4m3:speed=4", "e5m-1"):
        result = accsim("show", spelled)
        equal(result.status, 3, result)
        expect(spelled in result.err and "internal" not in result.err, result)


# Overrides.
@case("an override that does not exist or does not fit is refused with its place, status 3")
def bad_overrides(folder):
    for arguments, part in (
        (["--set", "reduction.0.format=e5m1O"], "e5m1O"),
        (["--set", "reduction.2.format=e5m10"], "reduction.2"),
        (["--set", "reduction.-1.format=e5m10"], "-1"),
        (["--set", "reduction.x.format=e5m10"], "reduction.x"),
        (["--set", "reduction.0.forma=e5m10"], "forma"),
        (["--set", "reduction.0=e5m10"], "reduction"),
        (["--set", "reduction.0.terms=many"], "terms"),
        (["--set", "reduction=5"], "reduction"),
        (["--set", "name.x=5"], "name"),
        (["--set", "outputs.format=e5m10"], "outputs"),
        (["--set", "nonsense"], "nonsense"),
        (["--set", "=5"], "=5"),
        (["--set", "product.rounding=sr"], "bits"),
        (["--in", "fp61"], "fp61"),
        (["--in-a", "fp61"], "fp61"),
        (["--in-b", "fp61"], "fp61"),
        (["--product", "fp61"], "fp61"),
        (["--rounding", "rtz"], "rtz"),
        (["--overflow", "clamp"], "clamp"),
        (["--overflow", "wrap"], "wrap"),
    ):
        result = accsim("show", "fp12", *arguments)
        equal(result.status, 3, result)
        expect(part in result.err, "no", part, result)


# The command line.
@case("mistakes of the command line have status 2 and leave nothing behind")
def usage(folder):
    trace = linear(folder + "/good.h5")
    out = ["--out", folder + "/r.h5", "--json", folder + "/r.json"]
    run = ["run", "--acc", "fp32", "--trace", trace]
    for arguments in (
        [],
        ["rum"],
        ["--nonsense"],
        ["run"],
        ["run", "--acc", "fp32"],
        ["run", "--trace", trace],
        [*run, *out, "--nonsense"],
        [*run, *out, "extra"],
        [*run, *out, "--pass", "forward"],
        [*run, *out, "--threads", "0"],
        [*run, *out, "--threads", "two"],
        [*run, *out, "--seed", "x"],
        [*run, *out, "--seed", "-1"],
        [*run, *out, "--seed", "18446744073709551616"],
        [*run, *out, "--seed", "0x"],
        [*run, *out, "--chunk", "0"],
        [*run, *out, "--chunk", "-4"],
        [*run, *out, "--executor", "nonsense"],
        [*run, *out, "--progress", "sometimes"],
        [*run, *out, "--save", "everything"],
        [*run, *out, "--csv"],
        [*run, "--json", "-", "--csv", "-"],
        ["list"],
        ["list", "nonsense"],
        ["list", "roundings", "fp16"],
        ["show"],
        ["info"],
        ["quantize", "1.0"],
        ["quantize", "--to", "fp16"],
        ["completion"],
        ["completion", "tcsh"],
    ):
        result = accsim(*arguments)
        equal(result.status, 2, result)
        equal(result.out, "", "standard output of a usage error: %s" % result)
        expect(result.err.strip(), result)
    equal(os.listdir(folder), ["good.h5"])


@case("bad values of quantize have status 3 and print nothing")
def bad_quantize(folder):
    for arguments in (["one", "--to", "fp16"], ["1", "--to", "fp61"], ["1", "two", "--to", "fp16"], ["zz", "--from", "fp16", "--to", "fp32"], ["10000", "--from", "fp16", "--to", "fp32"],
                      ["1", "--to", "fp16", "--rounding", "rtz"], ["1", "--to", "fp16", "--overflow", "wrap"], ["1", "--to", "int8", "--overflow", "nan"], ["", "--to", "fp16"]):
        result = accsim("quantize", *arguments)
        equal(result.status, 3, result)
        equal(result.out, "", "standard output of a failed command")


@case("list formats NAME of what is no format, or is too wide to list, has status 3")
def bad_list(folder):
    for name in ("fp61", "binary32"):
        result = accsim("list", "formats", name)
        equal(result.status, 3, result)
        expect(name in result.err.lower() or "16" in result.err, result)


if __name__ == "__main__":
    main()
