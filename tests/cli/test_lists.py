"""What the program says of itself and of traces: list, info, completion, --help, --version."""

import os
import re
import shutil
import subprocess

import numpy as np

import harness
from harness import Skip, accsim, case, done, equal, expect, main, ramp, sample, trace_path, write_layer

COMMANDS = ["run", "info", "list", "show", "quantize", "completion"]


def listed(what, *more):
    return done(accsim("list", what, *more, "--json")).json()


def names(what):
    return [row["name"] for row in listed(what)]


def lacking(found, wanted):
    equal([name for name in wanted if name not in found], [], "missing names:")


@case("list has every rounding, overflow mode and datapath of the contract, and the interpreter")
def contract_names(folder):
    lacking(names("roundings"), ["rne", "rna", "rz", "ru", "rd", "ro", "sr"])
    lacking(names("overflows"), ["ieee", "saturate", "nan", "wrap", "saturate_symmetric", "saturate_zero"])
    lacking(names("datapaths"), ["fp12", "fp32", "fp16", "bf16", "fp16_fp32acc", "sr_fp12", "int32", "int16_wrap", "int16_saturate"])
    equal(names("executors")[0], "interpreter")


@case("list formats has the catalogue, each with the facts of its standard")
def formats(folder):
    rows = listed("formats")
    by_name = {}
    for row in rows:
        for name in [row["name"], *row["aliases"].split(", ")]:
            by_name[name] = row
    lacking(by_name, ["binary16", "fp16", "bf16", "tf32", "binary32", "fp32", "binary64", "fp64", "ocp_e4m3", "ocp_e5m2", "ocp_e3m2", "ocp_e2m3", "ocp_e2m1", "lba_fp12", "sr_fp12"])
    # reference/formats.md, section 2: bits, largest, least normal.
    for name, bits, largest, least in (
        ("binary16", 16, 65504, 2.0**-14),
        ("bf16", 16, 2.0**127 * (2 - 2.0**-7), 2.0**-126),
        ("tf32", 19, 2.0**127 * (2 - 2.0**-10), 2.0**-126),
        ("ocp_e4m3", 8, 448, 2.0**-6),
        ("ocp_e5m2", 8, 57344, 2.0**-14),
        ("e4m3fnuz", 8, 240, 2.0**-7),
        ("e5m2fnuz", 8, 57344, 2.0**-15),
        ("e4m3b11fnuz", 8, 30, 2.0**-10),
        ("e3m4", 8, 15.5, 2.0**-2),
        ("ocp_e3m2", 6, 28, 2.0**-2),
        ("ocp_e2m3", 6, 7.5, 1),
        ("ocp_e2m1", 4, 6, 1),
        ("sr_fp12", 12, 4227858432, 2.0**-30),
        ("lba_fp12", 12, 63.75, 2.0**-10 * (1 + 2.0**-7)),
    ):
        row = by_name[name]
        equal(int(row["bits"]), bits, name)
        for key, value in (("max", largest), ("min_normal", least)):
            expect(abs(float(row[key]) / value - 1) < 1e-6, name, key, row[key], value)


@case("list formats in JSON has numbers, exact, and null where a format has none")
def format_numbers(folder):
    rows = {row["name"]: row for row in listed("formats")}
    equal(rows["binary32"]["max"], 2.0**127 * (2 - 2.0**-23))
    equal([rows["mxfp8_e4m3"][key] for key in ("bits", "precision", "emin", "emax", "max", "min_normal", "min_subnormal")], [8, 4, -6, 8, 448, 2.0**-6, 2.0**-9])
    equal([rows["int8"]["emin"], rows["e8m0"]["min_subnormal"]], [None, None])


@case("the value table of a block format is that of its elements")
def block_values(folder):
    equal([row["value"] for row in listed("formats", "mxfp4")], "0 0.5 1 1.5 2 3 4 6 -0 -0.5 -1 -1.5 -2 -3 -4 -6".split())  # OCP MX 1.0, table 5
    equal(len(listed("formats", "MXFP8_E5M2")), 256)


@case("every list is printed as a table, as JSON with names, and as CSV with as many rows")
def forms(folder):
    for what in ("formats", "roundings", "overflows", "datapaths", "recipes", "statistics", "executors"):
        rows = listed(what)
        expect(rows and all(row["name"] for row in rows), what)
        text = done(accsim("list", what)).out.splitlines()
        equal(len(text), len(rows) + 1, what)
        equal(len(done(accsim("list", what, "--csv")).out.splitlines()), len(rows) + 1, what)


@case("list statistics has every number of the run's document")
def statistics(folder):
    found = [(row["group"], row["name"]) for row in listed("statistics")]
    trace = write_layer(folder + "/t.h5", {"input": ramp(2, 3), "weight": ramp(2, 3)})
    online = done(accsim("run", "--acc", "online_r2_int8", "--trace", trace, "--json", "-")).json()["layers"][0]
    array = done(accsim("run", "--acc", "int8_int32", "--set", "array.rows=2", "--set", "array.cols=2", "--trace", trace, "--json", "-")).json()
    layer = {**online, "cycles": {**online["cycles"], **array["layers"][0]["cycles"]}}
    wanted = [(group, name) for group in ("events", "error", "quantization", "total", "range", "bits", "cycles") for name in layer[group]]
    equal(found, wanted)


@case("list formats NAME prints every code with its value")
def values(folder):
    table = {row["code"]: row["value"] for row in listed("formats", "ocp_e2m1")}
    positive = ["0", "0.5", "1", "1.5", "2", "3", "4", "6"]  # formats.md, section 5
    equal(table, {**{"%x" % i: v for i, v in enumerate(positive)}, **{"%x" % (i + 8): "-" + v for i, v in enumerate(positive)}})
    table = {row["code"]: row["value"] for row in listed("formats", "ocp_e4m3")}
    equal(len(table), 256)
    equal([table[code] for code in ("00", "80", "01", "08", "7e", "7f", "ff", "fe")], ["0", "-0", "0.001953125", "0.015625", "448", "nan", "nan", "-448"])
    table = {row["code"]: row["value"] for row in listed("formats", "e5m2fnuz")}
    equal([table[code] for code in ("00", "80", "7f", "ff")], ["0", "nan", "57344", "-57344"])
    table = {row["code"]: row["value"] for row in listed("formats", "s5.2")}
    equal([table[code] for code in ("00", "01", "0f", "10", "1f")], ["0", "0.25", "3.75", "-4", "-0.25"])
    equal(done(accsim("list", "formats", "OCP_E2M1")).out.splitlines()[0].split(), ["code", "value"])


@case("info shows a trace's layers in execution order, with ops, passes, shapes, formats and scales")
def info(folder):
    path = folder + "/t.h5"
    codes = np.arange(15, dtype=np.uint8).reshape(3, 5)
    write_layer(path, {"input": (codes, {"format": "int8", "scale": 0.5}), "weight": ramp(4, 5), "bias": ramp(4), "grad_output": ramp(3, 4)}, {"index": 1, "loss_scale": 256.0}, name="b")
    write_layer(path, {"input": ramp(1, 2, 4, 5), "weight": ramp(3, 2, 2, 2)}, {"index": 0}, name="z", op="conv2d", mode="a")
    result = done(accsim("info", path))
    lines = result.out.splitlines()
    expect(re.match(r"\s*0\s+z\s+conv2d", lines[0]), result)
    for part in ("[3,5]", "[1,2,4,5]", "int8", "0.5", "256", "fprop dgrad wgrad", "float32"):
        expect(part in result.out.replace(", ", ","), "no", part, result)
    layers = done(accsim("info", path, "--json")).json()["layers"]
    equal([(layer["name"], layer["op"], layer["passes"], layer["problems"]) for layer in layers], [("z", "conv2d", ["fprop"], []), ("b", "linear", ["fprop", "dgrad", "wgrad"], [])])
    data = {d["name"]: d for d in layers[1]["datasets"]}
    equal((data["input"]["shape"], data["input"]["format"]), ([3, 5], "int8"))
    equal((data["weight"]["shape"], data["weight"]["format"]), ([4, 5], None))


@case("info finds no problem in the sample and in the real traces")
def info_real(folder):
    equal(done(accsim("info", sample, "--json")).json()["layers"][0]["problems"], [])
    for name, layers in (("digits_fixture.h5", 6), ("mnist_cnn_train.h5", None), ("mnist_fp8_codes.h5", None), ("ppocrv4_cls.h5", 54), ("use_lite_transformer.h5", 14)):
        found = done(accsim("info", trace_path(name), "--json")).json()["layers"]
        expect(all(not layer["problems"] for layer in found), name)
        expect(layers is None or len(found) == layers, name, len(found))


@case("the help of the program and of every command has an example")
def help_texts(folder):
    for command in [[], *([name] for name in COMMANDS)]:
        result = done(accsim(*command, "--help"))
        equal(result.err, "")
        expect("Example" in result.out and "accsim " + (command or ["run"])[0] in result.out.split("Example")[1], result)
    text = done(accsim("--help")).out
    lacking(text.split(), COMMANDS)


@case("the help of run names every option of the contract")
def run_help(folder):
    text = done(accsim("run", "--help")).out
    lacking(re.findall(r"--[a-z-]+", text), ["--acc", "--trace", "--layer", "--pass", "--threads", "--executor", "--seed", "--json", "--csv", "--out", "--save", "--quiet", "--progress", "--in", "--in-a",
                                             "--in-b", "--product", "--rounding", "--overflow", "--chunk", "--set", "--bias-in-accumulator"])


@case("--version is one line with a version number")
def version(folder):
    equal(len(done(accsim("--version")).out.splitlines()), 1)
    expect(re.fullmatch(r"accsim \d+\.\d+\.\d+\S*\n", done(accsim("--version")).out), done(accsim("--version")))


def script(folder, shell):
    path = "%s/completion.%s" % (folder, shell)
    with open(path, "w", encoding="utf-8") as file:
        file.write(done(accsim("completion", shell)).out)
    return path


def syntax(folder, shell):
    if shutil.which(shell) is None:
        raise Skip("no " + shell)
    done_ = subprocess.run([shell, "-n", script(folder, shell)], capture_output=True, check=False)
    equal((done_.returncode, done_.stderr), (0, b""), shell + " -n")


@case("the completion for bash is a script that bash takes")
def bash(folder):
    syntax(folder, "bash")


@case("the completion for zsh is a script that zsh takes")
def zsh(folder):
    syntax(folder, "zsh")


@case("the completion for fish is a script that fish takes")
def fish(folder):
    syntax(folder, "fish")


@case("the completions name every command and option")
def completions(folder):
    for shell in ("bash", "zsh", "fish"):
        text = open(script(folder, shell), encoding="utf-8").read()
        for word in [*COMMANDS, "trace", "rounding", "bias-in-accumulator"]:
            expect(word in text, shell, "lacks", word)


@case("bash completes commands, options and datapaths")
def bash_completes(folder):
    path = script(folder, "bash")
    ask = 'source %s; COMP_WORDS=(accsim %s); COMP_CWORD=%d; _accsim; echo "${COMPREPLY[@]}"'
    env = {**os.environ, "PATH": folder + ":" + os.environ["PATH"]}
    os.symlink(harness.binary, folder + "/accsim")
    for words, index, wanted in (("qu", 1, "quantize"), ("run --tra", 2, "--trace"), ("run --acc sr_", 3, "sr_fp12"), ("show int16_w", 2, "int16_wrap"), ("list stat", 2, "statistics")):
        out = subprocess.run(["bash", "-c", ask % (path, words, index)], capture_output=True, text=True, env=env, check=True).stdout.split()
        expect(wanted in out, words, "completes to", out)


if __name__ == "__main__":
    main()
