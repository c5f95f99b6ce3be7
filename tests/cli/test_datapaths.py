"""Datapaths from outside: what show prints gives the same bits, and what overrides do."""

import os

import h5py
import numpy as np

from harness import accsim, bits_of, case, done, dots, equal, expect, main, ramp, report, trace_path, write_layer

BUILTIN = ["bf16", "fp12", "fp16", "fp16_fp32acc", "fp32", "int16_saturate", "int16_wrap", "int32", "sr_fp12"]


def model(folder):
    """Layers on which different datapaths give different numbers."""
    path = folder + "/t.h5"
    noise = np.random.default_rng(20)
    for name, m, n, k in (("a", 6, 5, 70), ("b", 3, 4, 200)):
        x = (noise.standard_normal((m, k)) * 4).astype(np.float32)
        w = noise.standard_normal((n, k)).astype(np.float32)
        write_layer(path, {"input": x, "weight": w, "bias": w[:, 0].copy(), "grad_output": x[:, :n].copy()}, name=name, mode="a")
    return path


def saved(folder, toml, name="mine"):
    path = "%s/%s.toml" % (folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(toml)
    return path


def shown(*arguments):
    return done(accsim("show", *arguments)).out


def same_bits(folder, trace, arguments, file_arguments=()):
    """A datapath and its printed TOML give the same numbers and outputs."""
    toml = shown(*arguments)
    path = saved(folder, toml)
    equal(shown(path), toml, "what show prints of its own output:")
    more = ["--trace", trace, "--pass", "all", "--bias-in-accumulator"]
    direct = report("--acc", *arguments, *more, "--out", folder + "/1.h5")
    printed = report("--acc", path, *more, *file_arguments, "--out", folder + "/2.h5")
    equal(bits_of(printed), bits_of(direct))
    equal(printed["datapath"]["toml"], direct["datapath"]["toml"])
    expect(open(folder + "/1.h5", "rb").read() == open(folder + "/2.h5", "rb").read(), "the results files differ for", arguments)


@case("every datapath that is listed is one of the contract's built-in ones, and all of them are there")
def listed(folder):
    names = [row["name"] for row in done(accsim("list", "datapaths", "--json")).json()]
    equal([name for name in BUILTIN if name not in names], [])


@case("what show prints gives the same bits, for every built-in datapath and format")
def round_trip(folder):
    trace = model(folder)
    for name in BUILTIN + ["e5m4", "ocp_e4m3", "int24", "s20.6", "u12.2", "e4m3:bias=8", "e4m7:bias=10,specials=none,subnormals=off", "tf32", "e5m2fnuz", "binary64"]:
        same_bits(folder, trace, [name])


@case("what show prints of an overridden datapath gives the same bits")
def round_trip_overridden(folder):
    trace = model(folder)
    for arguments in (
        ["fp32", "--chunk", "16", "--rounding", "rz"],
        ["fp12", "--in", "ocp_e4m3", "--product", "e5m6", "--chunk", "8"],
        ["fp12", "--rounding", "sr:bits=6,kind=b,rng=philox:9"],
        ["fp12", "--rounding", "sr:bits=6,kind=below,rng=lfsr:width=13,mask=0x100D,seed=3,form=fibonacci,step=left,share=array"],
        ["int32", "--overflow", "saturate_symmetric", "--set", "operands.a_scale=amax_pow2", "--set", "operands.b_scale=0.125"],
        ["fp16", "--set", "reduction.0.round_to=e5m8", "--set", "reduction.0.underflow=flush"],
        ["fp16", "--set", "product.permute=[3, 1, 0, 2]", "--set", "product.format=bf16", "--set", "product.rounding=ro"],
        ["fp16", "--set", "accumulator.initial=last", "--set", "accumulator.format=e6m8", "--set", "accumulator.rounding=ru"],
        ["fp32", "--set", "output.format=e4m3", "--set", "output.shift=3", "--set", "output.rounding=rna", "--set", 'output.overflow="nan"'],
        ["fp32", "--set", "output.format=int8", "--set", "output.overflow=saturate"],
        ["fp12", "--set", "reduction.1.underflow=none"],
    ):
        same_bits(folder, trace, arguments)


@case("what show prints gives the same bits on the digits")
def round_trip_digits(folder):
    for name in BUILTIN:
        path = saved(folder, shown(name))
        more = ["--trace", trace_path("digits_fixture.h5"), "--layer", "step_000001/fc*"]
        equal(bits_of(report("--acc", path, *more)), bits_of(report("--acc", name, *more)), name)


@case("fp12 is the contract's TOML, bit for bit")
def contract_fp12(folder):
    toml = """accsim = 1
name   = "fp12"
source = "Blumenfeld, Hubara, Soudry 2024, arXiv 2401.14110"

[operands]
a = "as_traced"            # or a format: then quantized to it first
b = "as_traced"

[product]
format = "e4m7:bias=12,specials=none,subnormals=off"    # or "exact"
rounding = "rz"
overflow = "saturate"

[[reduction]]              # levels, innermost first
kind   = "sequential"
terms  = 16                # the last level takes what is left
format = "lba_fp12"
rounding = "rz"
overflow = "saturate"

[[reduction]]
kind   = "sequential"
format = "lba_fp12"
rounding = "rz"
overflow = "saturate"
"""
    path = saved(folder, toml)
    equal(shown(path), shown("fp12"))
    trace = model(folder)
    equal(bits_of(report("--acc", path, "--trace", trace)), bits_of(report("--acc", "fp12", "--trace", trace)))


@case("where a name is a datapath and a format, the datapath wins, in any case of letters")
def datapath_wins(folder):
    for name in ("sr_fp12", "int32"):
        expect('a = "as_traced"' not in shown(name), name)
    equal(shown("FP12"), shown("fp12"))
    expect('a = "as_traced"' in shown("int24"), "a plain format quantizes operands")


@case("a format as --acc rounds to nearest even, to infinity in floats and around in fixed point")
def format_defaults(folder):
    for name, overflow in (("e5m4", "ieee"), ("int12", "wrap"), ("u9.3", "wrap"), ("ocp_e4m3", "ieee")):
        toml = shown(name)
        expect('rounding = "rne"' in toml and 'overflow = "%s"' % overflow in toml and toml.count("[[reduction]]") == 1 and 'format = "exact"' in toml, toml)


def one_output(folder, row, column, *arguments):
    """The output and code of one dot product."""
    path = dots(folder + "/one.h5", [row], [column])
    done(accsim("run", "--trace", path, "--out", folder + "/one.out.h5", *arguments))
    with h5py.File(folder + "/one.out.h5", "r") as file:
        return file["fc/output"][0, 0]


@case("--in, --in-a and --in-b quantize one operand or both")
def operand_formats(folder):
    # 1.125 in e5m2 is a tie between 1 and 1.25, to even 1. Products: 1.125^2 = 1.265625, 1.125, 1.
    for arguments, wanted in (([], 1.265625), (["--in-a", "e5m2"], 1.125), (["--in-b", "e5m2"], 1.125), (["--in", "e5m2"], 1.0), (["--in", "e5m2", "--in-b", "as_traced"], 1.125)):
        equal(one_output(folder, [1.125], [1.125], "--acc", "fp32", *arguments), wanted, arguments)


@case("an integer operand format scales by the largest magnitude over the largest code")
def integer_scale(folder):
    # int4: scale = 3.5/7 = 0.5, so 3.5 -> 7, 1.3 -> 2.6 -> 3, back 1.5.
    equal(one_output(folder, [3.5, 1.3], [0.0, 1.0], "--acc", "fp32", "--in-a", "int4"), 1.5)
    # amax_pow2: the smallest power of two not below 0.5 is 0.5; of 3/7 = 0.43 it is 0.5: 3 -> 6, 1.3 -> 2.6 -> 3.
    equal(one_output(folder, [3.0, 1.3], [0.0, 1.0], "--acc", "fp32", "--in-a", "int4", "--set", "operands.a_scale=amax_pow2"), 1.5)
    # A number: 1.3/0.25 = 5.2 -> 5; 3/0.25 = 12 saturates to 7.
    equal(one_output(folder, [3.0, 1.3], [0.0, 1.0], "--acc", "fp32", "--in-a", "int4", "--set", "operands.a_scale=0.25"), 1.25)
    equal(one_output(folder, [3.0, 1.3], [1.0, 0.0], "--acc", "fp32", "--in-a", "int4", "--set", "operands.a_scale=0.25"), 1.75)


@case("--product rounds each product, exact does not")
def product(folder):
    # e5m2: 1.25 * 1.25 = 1.5625 -> 1.5.
    equal(one_output(folder, [1.25], [1.25], "--acc", "fp32", "--product", "e5m2"), 1.5)
    equal(one_output(folder, [1.25], [1.25], "--acc", "fp32", "--product", "exact"), 1.5625)
    expect('format = "exact"' in shown("fp12", "--product", "exact"), "fp12 with exact products")


@case("--rounding changes all levels, neither product nor output")
def rounding(folder):
    toml = shown("fp12", "--rounding", "ru", "--set", "output.format=fp16")
    product_part, rest = toml.split("[[reduction]]", 1)
    expect('rounding = "rz"' in product_part, toml)
    levels, tail = rest.split("[output]", 1)
    equal(levels.split("[accumulator]")[0].count('rounding = "ru"'), 2)
    expect('rounding = "rne"' in tail, toml)
    # 1 + 2^-12 in fp16 (11 bits): up 1 + 2^-10, down 1.
    equal(one_output(folder, [1.0, 2.0**-12], [1.0, 1.0], "--acc", "fp16", "--rounding", "ru"), 1 + 2.0**-10)
    equal(one_output(folder, [1.0, 2.0**-12], [1.0, 1.0], "--acc", "fp16", "--rounding", "rd"), 1.0)


@case("--overflow changes all levels, neither product nor output")
def overflow(folder):
    toml = shown("int16_wrap", "--overflow", "saturate", "--set", "output.format=int8")
    level = toml.split("[[reduction]]")[1].split("[accumulator]")[0]
    expect('overflow = "saturate"' in level and 'overflow = "wrap"' in toml.split("[output]")[1], toml)
    for mode, wanted in (("wrap", -25536.0), ("saturate", 32767.0), ("saturate_zero", 0.0), ("saturate_symmetric", 32767.0)):
        equal(one_output(folder, [40000.0], [1.0], "--acc", "int16", "--overflow", mode), wanted, mode)
        equal(one_output(folder, [-32768.0], [1.0], "--acc", "int16", "--overflow", mode), -32767.0 if mode == "saturate_symmetric" else -32768.0, mode)


@case("--chunk doubles a single level, and changes the innermost of several")
def chunk(folder):
    equal(shown("fp16").count("[[reduction]]"), 1)
    toml = shown("fp16", "--chunk", "4")
    levels = toml.split("[accumulator]")[0].split("[[reduction]]")[1:]
    equal(len(levels), 2)
    expect("terms = 4" in levels[0] and "terms" not in levels[1], toml)
    levels = shown("fp12", "--chunk", "4").split("[accumulator]")[0].split("[[reduction]]")[1:]
    equal(["terms = 4" in level for level in levels], [True, False])
    # fp16: 2048 + 1 = 2048 (tie), four times; in chunks of 4 (from zero): 2048, then 1+1+1+1 = 4, and 2048 + 4 = 2052.
    row = [2048.0, 0, 0, 0, 1, 1, 1, 1]
    equal(one_output(folder, row, [1.0] * 8, "--acc", "fp16"), 2048.0)
    equal(one_output(folder, row, [1.0] * 8, "--acc", "fp16", "--chunk", "4"), 2052.0)
    # The last chunk is short: 1 + 1 = 2 is handed up as it is.
    equal(one_output(folder, row[:6], [1.0] * 6, "--acc", "fp16", "--chunk", "4"), 2050.0)


@case("--set reaches every field, nested ones and arrays too")
def set_fields(folder):
    for assignment, line in (
        ("name=other", 'name = "other"'),
        ("source=a paper, 2020", 'source = "a paper, 2020"'),
        ("reduction.0.format=e5m10", 'format = "e5m10"'),
        ("reduction.0.terms=32", "terms = 32"),
        ("reduction.1.rounding=rne", 'rounding = "rne"'),
        ('reduction.1.rounding="rne"', 'rounding = "rne"'),
        ("product.format=exact", 'format = "exact"'),
        ("product.permute=[1, 0]", "permute = [1, 0]"),
        ("operands.a=int8", 'a = "int8"'),
        ("accumulator.initial=last", 'initial = "last"'),
        ("output.format=fp16", 'format = "fp16"'),
        ("product.rounding=sr:bits=13,rng=philox:7", "philox:7"),
    ):
        expect(line in shown("fp12", "--set", assignment).split("\n") or line == "philox:7" and line in shown("fp12", "--set", assignment), assignment, shown("fp12", "--set", assignment))
    expect("shift = 3" in shown("fp12", "--set", "output.format=fp16", "--set", "output.shift=3"), "two assignments")
    expect("terms = 8" in shown("fp12", "--chunk", "4", "--set", "reduction.0.terms=8"), "--set after --chunk")


@case("--set takes nan as the name of an overflow mode where it is one")
def set_nan(folder):
    expect('overflow = "nan"' in shown("fp16", "--set", "reduction.0.overflow=nan"), "fp16 with overflow to NaN")


@case("a bias is divided by the scales where it enters an integer accumulator")
def integer_bias(folder):
    # scales 0.5 and 0.25: bias 1.0 enters as 8; sum 3*4 = 12; (12 + 8) * 0.125 = 2.5.
    x, w = np.array([[3]], np.int8), np.array([[4]], np.int8)
    path = write_layer(folder + "/t.h5", {"input": (x, {"format": "int8", "scale": 0.5}), "weight": (w, {"format": "int8", "scale": 0.25}), "bias": np.array([1.0])})
    done(accsim("run", "--acc", "int32", "--trace", path, "--bias-in-accumulator", "--out", folder + "/r.h5"))
    with h5py.File(folder + "/r.h5", "r") as file:
        equal((file["fc/output"][0, 0], int(file["fc/output_code"][0, 0])), (2.5, 20))


@case("a bias for which no level keeps an accumulator is refused, not lost; added at the end it is in the result")
def bias_without_accumulator(folder):
    path = dots(folder + "/t.h5", [[1.0, 2.0]], [[1.0, 1.0]], bias=np.array([0.5]))
    tree = saved(folder, 'accsim = 1\nname = "pairs"\n[[reduction]]\nkind = "tree"\nformat = "fp32"\n')
    for name in ("kulisch", "mgs", "pqs", tree):
        result = accsim("run", "--acc", name, "--trace", path, "--bias-in-accumulator", "--out", folder + "/r.h5")
        equal(result.status, 3, result)
        for part in ("t.h5", 'layer "fc"', "--bias-in-accumulator", "accepted", "initial"):
            expect(part in result.err, "the message does not name", part, result)
        expect(not os.path.exists(folder + "/r.h5"), "a results file of a refused run")
        done(accsim("run", "--acc", name, "--trace", path))
    done(accsim("run", "--acc", tree, "--set", "accumulator.initial=last", "--trace", path, "--bias-in-accumulator", "--out", folder + "/r.h5"))
    with h5py.File(folder + "/r.h5", "r") as file:
        equal(file["fc/output"][0, 0], 3.5)


@case("a tensor so small that its scale underflows is data, with a bias in the accumulator too")
def tiny_tensor(folder):
    path = dots(folder + "/t.h5", [[2.0**-1074]], [[1.0]], bias=np.array([1.0]))
    for arguments in ([], ["--bias-in-accumulator"]):
        done(accsim("run", "--acc", "int32", "--trace", path, *arguments))


@case("zero points are taken off before the datapath, codes of the operand's own format pass unchanged")
def zero_points(folder):
    # (200 - 128) * (10 - 0) = 720; uint8 operand as traced into int32.
    x, w = np.array([[200]], np.uint8), np.array([[10]], np.int8)
    path = write_layer(folder + "/t.h5", {"input": (x, {"format": "uint8", "scale": 0.5, "zero_point": 128}), "weight": (w, {"format": "int8"})})
    for arguments in (["int32", "--in-a", "uint8"], ["int32", "--in", "as_traced"]):
        done(accsim("run", "--acc", *arguments, "--trace", path, "--out", folder + "/r.h5"))
        with h5py.File(folder + "/r.h5", "r") as file:
            equal((file["fc/output"][0, 0], int(file["fc/output_code"][0, 0])), (360.0, 720), arguments)


@case("the swamping of lba_fp12 that accumulators.md derives is what fp12 does")
def swamping(folder):
    for row, wanted in (([1.5, 2.0**-8], 1.5), ([1.5, -(2.0**-11)], 1.4921875), ([1.0, -(2.0**-11)], 0.99609375)):
        equal(one_output(folder, row, [1.0, 1.0], "--acc", "fp12"), wanted, row)


@case("layers of the digits run with every built-in datapath, forward and backward")
def digits(folder):
    for name in BUILTIN:
        layers = report("--acc", name, "--trace", trace_path("digits_fixture.h5"), "--pass", "all", "--layer", "step_001500/fc2")["layers"]
        equal([layer["pass"] for layer in layers], ["fprop", "dgrad", "wgrad"])


if __name__ == "__main__":
    main()
