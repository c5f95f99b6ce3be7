"""What `accsim run` writes: JSON, CSV and HDF5 as contracts 4 lay them down, and what stands on which stream."""

import csv
import hashlib
import io
import json
import math
import os
import pty
import subprocess

import h5py
import numpy as np

import harness
from harness import accsim, case, dots, done, equal, expect, linear, main, ramp, report, sample, without_changing, write_layer
from run_report import BITS, EVENTS, GROUPS, LAYER, TOP, training


def rows(path, *args):
    return [(layer["name"], layer["pass"]) for layer in report("--acc", "fp32", "--trace", path, *args)["layers"]]


def check_number(value, what):
    ok = value is None or value in ("inf", "-inf") or (isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value))
    expect(ok, what, "is", repr(value))


@case("the JSON document has the keys and types of the contract, in its order")
def structure(folder):
    document = report("--acc", "fp12", "--trace", sample, "--threads", 2, "--seed", 5)
    equal(list(document), TOP)
    equal(list(document["datapath"]), ["name", "toml", "digest"])
    equal(list(document["trace"]), ["file", "digest"])
    equal(list(document["seconds"]), ["total", "read", "simulate", "reference"])
    equal((document["seed"], document["threads"], document["datapath"]["name"]), (5, 2, "fp12"))
    expect(all(isinstance(v, (int, float)) and v >= 0 for v in document["seconds"].values()), document["seconds"])
    equal(document["accsim"], done(accsim("--version")).out.split()[-1])
    equal(len(document["layers"]), 1)
    layer = document["layers"][0]
    equal(list(layer), LAYER + list(GROUPS) + ["seconds"])
    for group, names in GROUPS.items():
        equal(list(layer[group]), names)
        for name in names:
            check_number(layer[group][name], group + "." + name)
    expect(all(isinstance(layer["events"][name], int) for name in EVENTS), layer["events"])
    equal(list(layer["seconds"]), ["simulate"])
    equal([layer[key] for key in LAYER], ["layer3", "conv2d", "fprop", 64, 64, 576, 1, 64 * 64 * 576, 64 * 64])


@case("the digests are SHA-256, and the datapath's TOML is the one that show prints")
def digests(folder):
    document = report("--acc", "sr_fp12", "--trace", linear(folder + "/t.h5"))
    equal(document["datapath"]["toml"], done(accsim("show", "sr_fp12")).out)
    expect(document["datapath"]["digest"].endswith(hashlib.sha256(document["datapath"]["toml"].encode()).hexdigest()), document["datapath"])
    expect(document["trace"]["digest"].endswith(hashlib.sha256(open(folder + "/t.h5", "rb").read()).hexdigest()), document["trace"])
    equal(document["trace"]["file"], folder + "/t.h5")


@case("integer datapaths have the group bits, others do not")
def bits(folder):
    path = linear(folder + "/t.h5")
    layer = report("--acc", "int32", "--trace", path)["layers"][0]
    equal(list(layer["bits"]), BITS)
    expect(all(isinstance(layer["bits"][name], int) for name in BITS), layer["bits"])
    for acc in ("fp32", "fp12", "sr_fp12", "fp16_fp32acc"):
        expect("bits" not in report("--acc", acc, "--trace", path)["layers"][0], acc)


@case("a ratio over no error is the string inf, one under a variance of zero -inf")
def infinite(folder):
    # Exact: 1*1 and 2*1 in binary32. ref = 1, 2 and e = 0.
    layer = report("--acc", "fp32", "--trace", dots(folder + "/a.h5", [[1], [2]], [[1]]))["layers"][0]
    equal([layer["error"][name] for name in ("sndr_db", "snr_power_db", "csnr_db")], ["inf"] * 3)
    equal((layer["quantization"]["sqnr_db"], layer["total"]["sndr_db"]), ("inf", "inf"))
    # One output, ref = 1 + 2^-30, y = 1: Var(ref) = 0, mean(e^2) = 2^-60, so sndr is 10 log10(0) = -inf.
    layer = report("--acc", "fp32", "--trace", dots(folder + "/b.h5", [[1, 2**-30]], [[1, 1]]))["layers"][0]
    equal(layer["error"]["sndr_db"], "-inf")
    equal(layer["error"]["bias"], -(2.0**-30))
    equal(layer["error"]["mse"], 2.0**-60)
    expect(abs(layer["error"]["snr_power_db"] - 10 * math.log10((1 + 2**-30) ** 2 / 2**-60)) < 1e-9, layer["error"])
    equal(layer["error"]["csnr_db"], None, "0/0, both variances are zero:")


@case("an undefined ratio, and every error where no output is finite, is null")
def undefined(folder):
    layer = report("--acc", "fp32", "--trace", dots(folder + "/a.h5", [[0.0]], [[0.0]]))["layers"][0]
    equal([layer["error"][name] for name in ("sndr_db", "snr_power_db", "csnr_db", "cosine")], [None] * 4)
    equal([layer["error"][name] for name in ("bias", "mse", "rmse", "max_abs", "max_ulp")], [0] * 5)
    layer = report("--acc", "fp32", "--trace", dots(folder + "/b.h5", [[math.inf]], [[1.0]]))["layers"][0]
    equal([layer["error"][name] for name in ("sndr_db", "snr_power_db", "csnr_db", "bias", "mse", "rmse", "cosine")], [None] * 7)
    equal(layer["events"]["nonfinite_outputs"], 1)


@case("the errors are those of the contract's formulas on a case worked out by hand")
def errors(folder):
    # Accumulator e5m3 (4 significand bits), exact products, outputs 1+1/16 -> 1 (tie to even), 1+3/16 -> 1.25 (tie to even), 3 -> 3.
    # e = -1/16, +1/16, 0; ref = 17/16, 19/16, 3. Spacing of e5m3 in [1, 2) is 1/8.
    layer = report("--acc", "e5m3", "--trace", dots(folder + "/t.h5", [[1, 1 / 16], [1, 3 / 16], [1, 2]], [[1, 1]]))["layers"][0]
    ref, e = np.array([17 / 16, 19 / 16, 3]), np.array([-1 / 16, 1 / 16, 0])
    y = ref + e
    wanted = {
        "sndr_db": 10 * math.log10(ref.var() / (e * e).mean()),
        "snr_power_db": 10 * math.log10((ref * ref).mean() / (e * e).mean()),
        "csnr_db": 10 * math.log10(ref.var() / e.var()),
        "bias": 0.0,
        "mse": (e * e).mean(),
        "rmse": math.sqrt((e * e).mean()),
        "max_abs": 1 / 16,
        "max_ulp": 0.5,
        "cosine": (y * ref).sum() / math.sqrt((y * y).sum() * (ref * ref).sum()),
    }
    for name, value in wanted.items():
        expect(abs(layer["error"][name] - value) <= 1e-12 * max(1, abs(value)), name, layer["error"][name], value)
    equal(layer["range"], {"max_abs_product": 2.0, "max_abs_partial": 3.0, "max_abs_output": 3.0})
    equal(layer["events"]["sum_inexact"], 2)


@case("ratios are the same for data scaled by a power of two, where squares leave the range of binary64 too")
def scaled_errors(folder):
    for exponent in (0, 600, -600):
        x = np.array([[1, 1 / 16], [1, 3 / 16], [1, 2]])
        path = write_layer(folder + "/t.h5", {"input": (x, {"scale": 2.0**exponent}), "weight": np.array([[1.0, 1.0]])})
        error = report("--acc", "e5m3", "--trace", path)["layers"][0]["error"]
        equal(error["max_abs"], 2.0**exponent / 16)
        # As in the case above: Var(ref)/mean(e^2) with ref = 17/16, 19/16, 3 and e = -1/16, 1/16, 0; all scaled alike.
        ref, e = np.array([17 / 16, 19 / 16, 3]), np.array([-1 / 16, 1 / 16, 0])
        for name, wanted in (("sndr_db", 10 * math.log10(ref.var() / (e * e).mean())), ("csnr_db", 10 * math.log10(ref.var() / e.var()))):
            expect(isinstance(error[name], float) and abs(error[name] - wanted) < 1e-9, name, "of data scaled by 2^%d is" % exponent, error[name], "expected", wanted)


@case("the quantization noise is ref - signal and the total noise y - signal")
def quantization(folder):
    # e5m2 operands: 1.125 -> 1 (tie to even), 3.5 stays, weights 1. Signal 1.125, 3.5; ref 1, 3.5. Accumulator e5m2: y = ref.
    layer = report("--acc", "e5m2", "--in", "e5m2", "--trace", dots(folder + "/t.h5", [[1.125], [3.5]], [[1.0]]))["layers"][0]
    signal, noise = np.array([1.125, 3.5]), np.array([-0.125, 0.0])
    wanted = 10 * math.log10(signal.var() / (noise * noise).mean())
    expect(abs(layer["quantization"]["sqnr_db"] - wanted) < 1e-9, layer["quantization"], wanted)
    expect(abs(layer["total"]["sndr_db"] - wanted) < 1e-9, layer["total"], wanted)
    equal(layer["error"]["sndr_db"], "inf")


@case("the CSV has a header and a row for each of the JSON's, with the same numbers")
def csv_rows(folder):
    path = training(folder + "/t.h5")
    document = report("--acc", "int16_saturate", "--trace", path, "--pass", "all")
    result = done(accsim("run", "--acc", "int16_saturate", "--trace", path, "--pass", "all", "--csv", "-"))
    table = list(csv.DictReader(io.StringIO(result.out)))
    equal(len(table), len(document["layers"]))
    for row, layer in zip(table, document["layers"]):
        for key in LAYER:
            equal(row[key], str(layer[key]), key)
        for group, names in {**GROUPS, "bits": BITS}.items():
            for name in names:
                text = row["total_sndr_db" if group == "total" else name]
                value = layer[group][name]
                if value is None:
                    equal(text, "", name)
                elif isinstance(value, str):
                    equal(text, value, name)
                else:
                    equal(float(text), float(value), name)


@case("names with commas and quotes survive the CSV")
def csv_names(folder):
    write_layer(folder + "/t.h5", {"input": ramp(3, 5), "weight": ramp(4, 5)}, name='odd, "name"')
    result = done(accsim("run", "--acc", "fp32", "--trace", folder + "/t.h5", "--csv", "-"))
    equal(list(csv.DictReader(io.StringIO(result.out)))[0]["name"], 'odd, "name"')


@case("with --json - and --csv - standard output is the document alone, whatever is logged")
def purity(folder):
    path = training(folder + "/t.h5")
    for more in ([], ["--progress", "always"], ["-v"], ["--quiet"], ["--verbose", "--progress", "always"]):
        result = done(accsim("run", "--acc", "fp12", "--trace", path, "--json", "-", *more))
        equal(list(json.loads(result.out)), TOP)
        result = done(accsim("run", "--acc", "fp12", "--trace", path, "--csv", "-", *more))
        equal(len(list(csv.reader(io.StringIO(result.out)))), 4)
    result = done(accsim("run", "--acc", "fp12", "--trace", path, "--json", "-", "--csv", folder + "/rows.csv"))
    equal(list(json.loads(result.out)), TOP)
    equal(len(open(folder + "/rows.csv", encoding="utf-8").readlines()), 4)


@case("the same documents go to files, and the table stays on standard output")
def files(folder):
    path = training(folder + "/t.h5")
    result = done(accsim("run", "--acc", "fp12", "--trace", path, "--json", folder + "/r.json", "--csv", folder + "/r.csv"))
    expect("SNDR" in result.out and "fc1" in result.out and "total" in result.out, result)
    document = json.load(open(folder + "/r.json", encoding="utf-8"))
    equal(without_changing(document), without_changing(report("--acc", "fp12", "--trace", path)))
    equal(open(folder + "/r.csv", encoding="utf-8").read(), done(accsim("run", "--acc", "fp12", "--trace", path, "--csv", "-")).out)
    equal(sorted(os.listdir(folder)), ["r.csv", "r.json", "t.h5"])


@case("names without a folder are files of the current one, and two options may not name one of them")
def bare_names(folder):
    training(folder + "/t.h5")
    done(accsim("run", "--acc", "fp12", "--trace", "t.h5", "--json", "r.json", "--csv", "r.csv", "--out", "r.h5", "-q", cwd=folder))
    equal(sorted(os.listdir(folder)), ["r.csv", "r.h5", "r.json", "t.h5"])
    equal(accsim("run", "--acc", "fp12", "--trace", "t.h5", "--json", "new", "--out", "./new", cwd=folder).status, 2)
    equal(accsim("run", "--acc", "fp12", "--trace", "t.h5", "--csv", "./t.h5", cwd=folder).status, 3)
    equal(sorted(os.listdir(folder)), ["r.csv", "r.h5", "r.json", "t.h5"])


@case("the table fits 100 columns and warns of overflow with the layers that have most")
def table(folder):
    name = "a_long_name_of_a_group/" * 4 + "layer"
    write_layer(folder + "/t.h5", {"input": np.full((40, 30), 100, np.float32), "weight": np.full((50, 30), 100, np.float32)}, name=name)
    write_layer(folder + "/t.h5", {"input": ramp(3, 5), "weight": ramp(4, 5)}, name="small", mode="a")
    result = done(accsim("run", "--acc", "fp16", "--trace", folder + "/t.h5"))
    lines = result.out.splitlines()
    expect(max(len(line) for line in lines) <= 100, result)
    warning = [line for line in lines if line.startswith("warning")]
    expect(len(warning) == 1 and "overflow" in warning[0], result)


@case("--quiet prints nothing at all")
def quiet(folder):
    path = training(folder + "/t.h5")
    for flag in ("--quiet", "-q"):
        result = done(accsim("run", "--acc", "fp16", "--trace", path, flag, "--out", folder + "/r.h5"))
        equal((result.out, result.err), ("", ""))


@case("progress goes to standard error, and only where asked for or onto a terminal")
def progress(folder):
    path = training(folder + "/t.h5")
    result = done(accsim("run", "--acc", "fp12", "--trace", path, "--progress", "always"))
    expect("%" in result.err and "fc1" in result.err and "%" not in result.out.split("warning")[0], result)
    for mode in ("auto", "never"):
        equal(done(accsim("run", "--acc", "fp12", "--trace", path, "--progress", mode)).err, "")
    equal(done(accsim("run", "--acc", "fp12", "--trace", path)).err, "")


@case("the progress bar's percentage grows from layer to layer with the work that is done")
def progress_share(folder):
    for i in range(4):
        write_layer(folder + "/t.h5", {"input": ramp(8, 8), "weight": ramp(8, 8)}, name="l%d" % i, mode="a")
    result = done(accsim("run", "--acc", "fp12", "--trace", folder + "/t.h5", "--progress", "always", "--threads", 1))
    shares = {part.split()[-1]: int(part.split("%")[0].split()[-1]) for part in result.err.replace("\033[K", "").split("\r") if "%" in part}
    equal([shares.get("l%d" % i) for i in range(4)], [0, 25, 50, 75], "percentages at the start of four equal layers:")


@case("--pass all gives a layer's passes as fprop, dgrad, wgrad, in execution order, and only those that it has")
def passes(folder):
    path = training(folder + "/t.h5")
    one = "step_000001/"
    equal(rows(path), [(one + "conv", "fprop"), (one + "fc1", "fprop"), (one + "fc2", "fprop")])
    equal(rows(path, "--pass", "all"), [(one + "conv", "fprop")] + [(one + fc, p) for fc in ("fc1", "fc2") for p in ("fprop", "dgrad", "wgrad")])
    equal(rows(path, "--pass", "wgrad"), [(one + "fc1", "wgrad"), (one + "fc2", "wgrad")])


@case("rows follow the attribute index, not names")
def order(folder):
    for name, index in (("a", 2), ("b", 0), ("c", 1)):
        write_layer(folder + "/t.h5", {"input": ramp(3, 5), "weight": ramp(4, 5)}, {"index": index}, name=name, mode="a")
    equal([name for name, _ in rows(folder + "/t.h5")], ["b", "c", "a"])


@case("--layer takes patterns, may be repeated, and keeps the execution order")
def globs(folder):
    path = training(folder + "/t.h5")
    equal([name for name, _ in rows(path, "--layer", "*fc?")], ["step_000001/fc1", "step_000001/fc2"])
    equal([name for name, _ in rows(path, "--layer", "*/fc2", "--layer", "step_000001/conv")], ["step_000001/conv", "step_000001/fc2"])
    equal([name for name, _ in rows(path, "--layer", "step_000001/fc[12]")], ["step_000001/fc1", "step_000001/fc2"])


@case("the bias is outside the datapath unless --bias-in-accumulator starts it with it")
def bias(folder):
    # fp16: 2048 + 1 is a tie and stays 2048; 1 + 2048 the same; so bias 2048 swallows the 1, and without it the sum is 1.
    path = dots(folder + "/t.h5", [[1.0]], [[1.0]], bias=np.array([2048.0]))
    for arguments, wanted, reference in (([], 1.0, 1.0), (["--bias-in-accumulator"], 2048.0, 2049.0)):
        done(accsim("run", "--acc", "fp16", "--trace", path, "--out", folder + "/r.h5", "--save", "output,reference", *arguments))
        with h5py.File(folder + "/r.h5", "r") as file:
            equal((file["fc/output"][0, 0], file["fc/reference"][0, 0]), (wanted, reference), arguments)


@case("overflow is counted per rounding and per output, transient where the exact sum fits")
def overflow(folder):
    # int16: 20000 + 20000 - 20000 = 20000 fits, but its second sum does not; 20000 + 20000 = 40000 does not fit at the end either.
    rows_ = [[20000, 20000, -20000], [20000, 20000, 0], [1, 2, 3]]
    path = dots(folder + "/t.h5", rows_, [[1, 1, 1]])
    found = report("--acc", "int16", "--overflow", "saturate", "--trace", path)["layers"][0]["events"]
    equal(found["sum_overflow"], 2, "the sums 40000 of both; then 32767 + (-20000) and 32767 + 0 fit:")
    equal((found["outputs_overflowed"], found["outputs_transient_overflow"], found["outputs_persistent_overflow"]), (2, 1, 1))


@case("--seed reaches every generator that names none, and no other")
def seed(folder):
    path = write_layer(folder + "/t.h5", {"input": ramp(8, 40) + 0.0078125, "weight": ramp(8, 40)})
    zero = without_changing(report("--acc", "sr_fp12", "--trace", path))["layers"]
    equal(without_changing(report("--acc", "sr_fp12", "--trace", path, "--seed", 0))["layers"], zero)
    expect(without_changing(report("--acc", "sr_fp12", "--trace", path, "--seed", 1))["layers"] != zero, "seed 1 gives what seed 0 gives")
    named = ["--rounding", "sr:bits=13,rng=philox:1", "--acc", "sr_fp12", "--trace", path]
    equal(without_changing(report(*named, "--seed", 7))["layers"], without_changing(report(*named))["layers"])
    equal(without_changing(report(*named))["layers"], without_changing(report("--acc", "sr_fp12", "--trace", path, "--seed", 1))["layers"])
    big = report("--acc", "sr_fp12", "--trace", path, "--seed", 2**64 - 1)
    equal(big["seed"], 2**64 - 1)


@case("random bits follow the layer's rank in the file, whatever --layer leaves out")
def rank(folder):
    for name in ("a", "b", "c"):
        write_layer(folder + "/t.h5", {"input": ramp(8, 40) + 0.0078125, "weight": ramp(8, 40)}, name=name, mode="a")
    whole = {layer["name"]: layer for layer in without_changing(report("--acc", "sr_fp12", "--trace", folder + "/t.h5"))["layers"]}
    expect(whole["a"]["error"] != whole["b"]["error"] != whole["c"]["error"], "layers of the same tensors have the same random bits")
    for name in ("a", "b", "c"):
        equal(without_changing(report("--acc", "sr_fp12", "--trace", folder + "/t.h5", "--layer", name))["layers"], [whole[name]])


@case("--progress never draws nothing on a terminal either")
def terminal(folder):
    path = training(folder + "/t.h5")
    leader, follower = pty.openpty()
    ran = subprocess.run([harness.binary, "run", "--acc", "fp12", "--trace", path, "--progress", "never"], stdout=subprocess.PIPE, stderr=follower, check=False)
    os.close(follower)
    try:
        text = os.read(leader, 100000)
    except OSError:
        text = b""
    os.close(leader)
    equal((ran.returncode, text), (0, b""), "standard error on a terminal:")


@case("documents are written under names relative to the working folder, new ones and old ones")
def relative_names(folder):
    linear(folder + "/t.h5")
    for _ in range(2):
        done(accsim("run", "--acc", "fp12", "--trace", "t.h5", "--json", "new.json", "--csv", "new.csv", "--out", "new.h5", "--quiet", cwd=folder))
    for name in ("new.json", "new.csv", "new.h5"):
        expect(os.path.getsize(os.path.join(folder, name)) > 0, name, "is missing")
    clash = accsim("run", "--acc", "fp12", "--trace", "t.h5", "--json", "fresh", "--csv", "./fresh", "--quiet", cwd=folder)
    equal(clash.status, 2)


if __name__ == "__main__":
    main()
