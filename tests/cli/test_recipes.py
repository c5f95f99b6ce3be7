"""Training recipes, loss scaling and weight updates from outside."""

import json

import h5py
import numpy as np

from harness import accsim, case, done, equal, expect, main, report


def training(path, steps=(1, 2, 3), scale=1024.0, order=None, gradient=1.0, layers=("fc",), **attrs):
    """Linear layers with gradients at several steps; gradients of a power of two times small integers."""
    with h5py.File(path, "w") as file:
        for place, step in enumerate(steps):
            group = file.create_group("step_%06d" % step)
            if order:
                group.attrs["index"] = order[place]
            for name in layers:
                layer = group.create_group(name)
                layer.attrs["op"] = "linear"
                if scale is not None:
                    layer.attrs["loss_scale"] = scale
                rng = np.random.default_rng(step)
                x, w, g = rng.normal(size=(6, 9)), rng.normal(size=(4, 9)), rng.integers(-8, 9, (6, 4)) * gradient
                for key, value in (("input", x), ("weight", w), ("grad_output", g)):
                    layer[key] = value.astype(np.float32)
                layer["grad_weight"] = (layer["grad_output"][...].T.astype(np.float64) @ layer["input"][...]).astype(np.float32)
    return str(path)


def refused(*args, says):
    result = accsim("run", *args)
    equal(result.status, 3, result)
    for text in says:
        expect(text in result.err, "no", text, "in", result.err)


def steps_of(document):
    return document["loss_scaling"]["steps"]


@case("a recipe replays all three passes, and forward only where the trace and --pass say so")
def passes(folder):
    trace = training(folder + "/t.h5", steps=(1,))
    found = report("--recipe", "mellempudi2019", "--trace", trace)
    equal([row["pass"] for row in found["layers"]], ["fprop", "dgrad", "wgrad"])
    equal(found["recipe"]["name"], "mellempudi2019")
    expect('format = "ocp_e5m2"' in found["recipe"]["toml"], found["recipe"])
    equal([row["pass"] for row in report("--recipe", "lba_fp12", "--trace", trace)["layers"]], ["fprop"])


@case("with the loss scale of the trace nothing changes: a constant scale as stored gives the stored bits")
def same_scale(folder):
    trace = training(folder + "/t.h5")
    one = report("--acc", "fp12", "--trace", trace, "--pass", "all")
    two = report("--acc", "fp12", "--trace", trace, "--loss-scale", "constant:1024")
    three = report("--acc", "fp12", "--trace", trace, "--loss-scale", "stored")
    for found in (two, three):
        for a, b in zip(one["layers"], found["layers"]):
            equal({k: v for k, v in a.items() if k != "seconds"}, {k: v for k, v in b.items() if k != "seconds"})
    equal([s["loss_scale"] for s in steps_of(three)], [1024, 1024, 1024])


@case("gradients are divided by the stored loss scale and multiplied by the policy's")
def rescaled(folder):
    trace = training(folder + "/t.h5", steps=(1,))
    outputs = []
    for policy in ("stored", "constant:512"):
        done(accsim("run", "--acc", "fp64", "--trace", trace, "--loss-scale", policy, "--pass", "wgrad", "--out", folder + "/o.h5", "--quiet"))
        with h5py.File(folder + "/o.h5") as file:
            outputs.append(file["step_000001/fc/wgrad/output"][...])
    expect(np.array_equal(outputs[0], 2 * outputs[1]), "not halved")


@case("back-off: overflow halves the scale for the next step and skips the update; the state goes through the steps in order")
def backoff(folder):
    # gradients up to 8 without a scale: 8 * 16384 is above E5M2's 57344, 8 * 8192 = 65536 too (rounds to infinity), 8 * 4096 fits
    trace = training(folder + "/t.h5", steps=(0, 1, 2, 3), scale=None)
    with h5py.File(trace, "a") as file:
        for step in range(4):
            file["step_%06d/fc/grad_output" % step][0, 0] = 8
            del file["step_%06d/fc/grad_weight" % step]
    found = steps_of(report("--recipe", "mellempudi2019", "--trace", trace, "--loss-scale", "backoff:init=16384,window=100"))
    equal([(s["loss_scale"], s["overflow"], s["skipped"]) for s in found],
          [(16384, True, True), (8192, True, True), (4096, False, False), (4096, False, False)])
    # a window of 1 doubles after step 2, and the rising minimum keeps the scale up at step 3
    found = steps_of(report("--recipe", "mellempudi2019", "--trace", trace, "--loss-scale", "backoff:init=4096,window=1000,min=0:1/3:8192"))
    equal([s["loss_scale"] for s in found], [4096, 4096, 4096, 8192])


@case("iterations that the trace lacks count as iterations without overflow")
def gaps(folder):
    trace = training(folder + "/t.h5", steps=(1, 5), gradient=2.0 ** -10)
    # window 4: (iteration + 1) mod 4 = 0 at iteration 3: doubled once between steps 1 and 5
    found = steps_of(report("--recipe", "mellempudi2019", "--trace", trace, "--loss-scale", "backoff:init=16,window=4"))
    equal([s["loss_scale"] for s in found], [16, 32])


@case("a step replayed alone gives the bits that it has in the series, whatever its policy, threads aside")
def alone(folder):
    trace = training(folder + "/t.h5", steps=(1, 2, 3), gradient=4096.0)
    for options in (("--recipe", "mellempudi2019", "--loss-scale", "backoff:init=1048576"), ("--recipe", "transformer_engine"), ("--recipe", "luq4_smp2"),
                    ("--recipe", "nvfp4"), ("--recipe", "mellempudi2019", "--acc", "sr_fp12")):
        results = []
        for more in (("--threads", "2"), ("--layer", "step_000003/*", "--threads", "1")):
            done(accsim("run", *options, "--trace", trace, *more, "--out", folder + "/o.h5", "--quiet"))
            with h5py.File(folder + "/o.h5") as file:
                results.append([file["step_000003/fc" + p + "/output"][...] for p in ("", "/dgrad", "/wgrad")])
        for a, b in zip(*results):
            expect(a.tobytes() == b.tobytes(), options)


@case("what is lost is counted by tensor and in total, and the sweep finds the scale that loses least")
def losses(folder):
    # E5M2 to nearest keeps magnitudes above 2^-17, normals from 2^-14: at scale 1 gradients of 1..8 * 2^-18
    with h5py.File(folder + "/t.h5", "w") as file:
        layer = file.create_group("fc")
        layer.attrs["op"] = "linear"
        layer["input"], layer["weight"] = np.ones((1, 2), np.float32), np.ones((8, 2), np.float32)
        layer["grad_output"] = (np.array([[0, 1, 2, 3, 4, 8, 16, 32]]) * 2.0 ** -18).astype(np.float32)
    found = steps_of(report("--acc", "fp32", "--in", "e5m2", "--trace", folder + "/t.h5", "--loss-scale", "constant:1"))
    # 1 and 2 (a tie to even) become 0; 3, 4, 8 are subnormal; 16 = 2^-14 and 32 are normal
    equal(found[0]["gradients"], {"values": 8, "nonzero": 7, "zeroed": 2, "subnormal": 3, "clipped": 0, "nonfinite": 0})
    equal((found[0]["step"], found[0]["tensors"][0]["layer"], found[0]["tensors"][0]["tensor"]), (None, "fc", "grad_output"))
    sweep = json.loads(done(accsim("run", "--acc", "fp32", "--in", "e5m2", "--trace", folder + "/t.h5", "--loss-scale", "sweep", "--json", "-")).out)
    equal([p["loss_scale"] for p in sweep["sweep"]], [2.0 ** e for e in range(25)])
    equal([p["gradients"]["zeroed"] for p in sweep["sweep"]][:4], [2, 1, 0, 0])
    equal(sweep["best_loss_scale"], 16.0)  # the first scale without a subnormal
    header, *rows = done(accsim("run", "--acc", "fp32", "--in", "e5m2", "--trace", folder + "/t.h5", "--loss-scale", "sweep", "--csv", "-")).out.splitlines()
    equal(header, "loss_scale,gradients_values,gradients_nonzero,gradients_zeroed,gradients_subnormal,gradients_clipped,gradients_nonfinite")
    equal((len(rows), rows[1]), (25, "2,8,7,1,3,0,0"))  # 2^-17, a tie, to 0; 2^-16, 3 2^-17 (to 2^-15) and 2^-15 subnormal
    expect("best scale: 16" in done(accsim("run", "--acc", "fp32", "--in", "e5m2", "--trace", folder + "/t.h5", "--loss-scale", "sweep")).out, "no best")


@case("block formats count what they lose too, in each pass that takes the tensor; forward tensors have their counts in JSON, CSV and table")
def block_losses(folder):
    with open(folder + "/r.toml", "w") as file:
        for role in ("input", "weight", "grad_output"):
            file.write('[tensors.%s]\nformat = "mxfp4"\n' % role)
        file.write('[tensors.output]\nformat = "e5m2"\n[passes]\nfprop = "fp32"\ndgrad = "fp32"\nwgrad = "fp32"\n')
    with h5py.File(folder + "/t.h5", "w") as file:
        layer = file.create_group("fc")
        layer.attrs["op"] = "linear"
        layer["input"], layer["weight"] = np.array([[7, 0.5]], np.float32), np.array([[2.0 ** -17, 0]] * 6, np.float32)
        layer["grad_output"] = np.array([[7, -0.5, 0.2, 0.25, 3, 0]], np.float32)
    # E2M1: 0.5 is subnormal, 6 the largest. dgrad sums over the row, one block with X = 2^(floor(log2 7) - 2) = 1: 7 is clipped, 0.5
    # subnormal, 0.2 and the tie 0.25 become 0. wgrad sums over rows, of which there is one: each value is its own block, X brings it into
    # [4, 8): 7 is clipped, 0.2 / 2^-5 = 6.4 rounds to 6. Forward: 7 clipped and 0.5 subnormal; 2^-17 alone is 4 * 2^-19; the six outputs
    # 6 * 2^-17 lie between E5M2's 2^-15 and 2^-14, on its subnormal 3 * 2^-16.
    counts = lambda values, nonzero, zeroed, subnormal, clipped: dict(
        values=values, nonzero=nonzero, zeroed=zeroed, subnormal=subnormal, clipped=clipped, nonfinite=0)
    dgrad, wgrad = counts(6, 5, 2, 1, 1), counts(6, 5, 0, 0, 1)
    input_, weight, output = counts(2, 2, 0, 1, 1), counts(12, 6, 0, 0, 0), counts(6, 6, 0, 6, 0)
    found = report("--recipe", folder + "/r.toml", "--trace", folder + "/t.h5")
    (step,) = steps_of(found)
    equal(step["tensors"], [{"layer": "fc", "tensor": "grad_output", "pass": p, **c} for p, c in (("dgrad", dgrad), ("wgrad", wgrad))])
    equal(step["gradients"], counts(12, 10, 2, 1, 2))
    # dgrad sums over the outputs: the column of 2^-17 is one block, that of zeros another. wgrad: each input its own block.
    equal([row["quantized"] for row in found["layers"]], [
        {"input": input_, "weight": weight, "output": output},
        {"grad_output": dgrad, "weight": weight},
        {"grad_output": wgrad, "input": counts(2, 2, 0, 0, 1)},
    ])
    header, *rows = [line.split(",") for line in done(accsim("run", "--recipe", folder + "/r.toml", "--trace", folder + "/t.h5", "--csv", "-")).out.splitlines()]
    row = dict(zip(header, rows[1]))
    for prefix, wanted in (("a", dgrad), ("b", weight), ("step_gradients", step["gradients"])):
        equal({key: int(row[prefix + "_" + key]) for key in wanted}, wanted)
    equal((row["result_values"], row["step"], row["loss_scale"], row["step_overflow"], row["step_skipped"]), ("", "", "1", "false", "false"))
    equal(dict(zip(header, rows[0]))["result_subnormal"], "6")
    table = done(accsim("run", "--recipe", folder + "/r.toml", "--trace", folder + "/t.h5")).out
    expect("fc                             0      50      50       0       0       0       0     100       0\n" in table, table)
    expect("fc                       grad_output dgrad                   5      40 %      20 %      20 %\n" in table, table)
    expect(all(len(line) <= 100 for line in table.splitlines()), table)


@case("the table says which steps overflowed and were skipped, in 100 columns")
def overflow_table(folder):
    trace = training(folder + "/t.h5", steps=(0, 1), gradient=4096.0)
    table = done(accsim("run", "--recipe", "mellempudi2019", "--trace", trace, "--loss-scale", "backoff:init=16777216,window=100,min=0:1/40000:8192/150000:32768")).out
    expect("step 0: overflow, skipped " in table and "step 1: overflow, skipped " in table, table)
    expect(all(len(line) <= 100 for line in table.splitlines()), table)


@case("recipes and schedules that make no sense are refused by name")
def bad_recipes(folder):
    trace = training(folder + "/t.h5")
    refused("--recipe", "mellempudi2918", "--trace", trace, says=["mellempudi2918", "mellempudi2019"])
    refused("--recipe", "lba_fp12", "--trace", trace, "--pass", "wgrad", says=["lba_fp12", "wgrad"])
    for policy, word in (("constant:0", "above zero"), ("constant:inf", "inf"), ("constant:nan", "nan"), ("backoff:min=0:8/9:4", "goes down"), ("rising", "rising")):
        refused("--acc", "fp32", "--trace", trace, "--loss-scale", policy, says=["--loss-scale", word])
    with open(folder + "/r.toml", "w") as file:
        file.write('[tensors.gradient]\nformat = "fp16"\n[passes]\nfprop = "fp32"\n')
    refused("--recipe", folder + "/r.toml", "--trace", trace, says=["r.toml", "gradient", "grad_output"])
    with open(folder + "/anonymous.toml", "w") as file:
        file.write('[passes]\ndgrad = "fp33"\n')
    refused("--recipe", folder + "/anonymous.toml", "--trace", trace, says=['recipe "anonymous": pass dgrad: unknown "fp33"', "fp32"])
    refused("--recipe", folder + "/nothing.toml", "--trace", trace, says=["nothing.toml", "no such file"])
    for policy, word in (("constant:0", "above zero"), ("sweep", "sweep")):
        result = accsim("update", "--format", "fp16", "--trace", trace, "--loss-scale", policy)
        equal((result.status, "--loss-scale " + policy in result.err and word in result.err), (3, True), result)
    equal(accsim("run", "--recipe", "luq4", "--loss-scale", "sweep", "--out", folder + "/o.h5", "--trace", trace).status, 2)
    equal(accsim("run", "--trace", trace).status, 2)
    equal(accsim("run", "--recipe", "luq4", "--in", "int8", "--trace", trace).status, 2)


@case("a trace that lacks a pass, a step or a layer, or has its steps out of order, is refused by name")
def bad_traces(folder):
    forward = folder + "/f.h5"
    training(forward)
    with h5py.File(forward, "a") as file:
        for step in file:
            del file[step]["fc/grad_output"]
    refused("--recipe", "mellempudi2019", "--trace", forward, says=["grad_output", "dgrad", "--pass fprop"])
    equal(len(report("--recipe", "mellempudi2019", "--trace", forward, "--pass", "fprop")["layers"]), 3)
    partly = training(folder + "/p.h5", layers=("fc", "head"))
    with h5py.File(partly, "a") as file:
        del file["step_000002/head/grad_output"]
    result = done(accsim("run", "--recipe", "mellempudi2019", "--trace", partly))
    expect("without grad_output" in result.err and "step_000002/head" in result.err, result.err)
    disordered = training(folder + "/d.h5", order=(2, 1, 0))
    refused("--recipe", "mellempudi2019", "--trace", disordered, says=["out of order", "step 2 after step 3"])
    lacking = training(folder + "/l.h5", layers=("fc", "head"))
    with h5py.File(lacking, "a") as file:
        del file["step_000002/head"]
    refused("--recipe", "transformer_engine", "--trace", lacking, says=["step 2", "head", "missing"])
    refused("--acc", "fp32", "--loss-scale", "backoff", "--trace", lacking, says=["step 2", "head", "missing"])
    for scale in (0.0, float("inf"), float("nan")):
        bad = training(folder + "/s.h5", scale=scale)
        refused("--recipe", "mellempudi2019", "--trace", bad, says=["loss_scale", "other than zero"])


@case("weight updates: to nearest small ones are swamped, stochastically they arrive")
def updates(folder):
    trace = training(folder + "/t.h5", steps=(1,), scale=1.0)
    with h5py.File(trace, "a") as file:
        file["step_000001/fc/weight"][...] = 1
        file["step_000001/fc/grad_weight"][...] = 2.0 ** -12

    def update(*args):
        return json.loads(done(accsim("update", "--trace", trace, "--lr", "1", "--json", "-", *args)).out)["layers"][0]

    nearest = update("--format", "fp16", "--updates", "64")
    equal((nearest["weights"], nearest["nonzero"], nearest["swamped"], nearest["survived"], nearest["bias"]), (36, 36 * 64, 36 * 64, 0, 1))
    arriving = update("--recipe", "mellempudi2019", "--updates", "64")
    expect(0.8 < arriving["survived"] < 1.2, arriving)
    # the b of an attention matmul is no weight, the b of a matmul without batches is one
    with h5py.File(trace, "a") as file:
        for name, batch in (("qk", (2,)), ("xw", ())):
            layer = file.create_group("step_000001/" + name)
            layer.attrs["op"] = "matmul"
            for key, shape in (("a", (3, 5)), ("b", (5, 4)), ("grad_output", (3, 4)), ("grad_b", (5, 4))):
                layer[key] = np.ones(batch + shape, np.float32)
    layers = json.loads(done(accsim("update", "--trace", trace, "--format", "fp16", "--json", "-")).out)["layers"]
    equal([(row["layer"], row["tensor"]) for row in layers], [("step_000001/fc", "weight"), ("step_000001/xw", "b")])
    # subnormal weights: the emulator's master weights are rounded to nearest there, the paper's stochastically
    with h5py.File(trace, "a") as file:
        file["step_000001/fc/weight"][...] = 2.0 ** -16
        file["step_000001/fc/grad_weight"][...] = 2.0 ** -26
    equal(update("--recipe", "mellempudi2019_emulator", "--loss-scale", "constant:65536", "--updates", "64")["survived"], 0)
    expect(update("--recipe", "mellempudi2019", "--loss-scale", "constant:65536", "--updates", "64")["survived"] > 0.5)
    with open(folder + "/r.toml", "w") as file:
        file.write('[tensors.master_weight]\nformat = "fp16"\nclamp_high = 1\n[passes]\nwgrad = "fp32"\n')
    result = accsim("update", "--trace", trace, "--recipe", folder + "/r.toml")
    equal((result.status, "master_weight" in result.err and "clamp_high" in result.err), (3, True), result)
    equal(accsim("update", "--trace", trace, "--format", "fp16", "--json", trace).status, 3)  # the trace is not overwritten
    equal(accsim("info", trace).status, 0)
    equal(accsim("update", "--trace", trace).status, 3)
    equal(accsim("update", "--trace", trace, "--format", "fp16", "--lr", "0").status, 3)


if __name__ == "__main__":
    main()
