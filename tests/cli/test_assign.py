"""accsim assign from outside: precisions against an independent computation."""

import json
import math

import h5py
import numpy as np

from assigning import assigned, refused, sndr
from harness import accsim, case, done, equal, expect, main, trace_path


def training(path, steps=(1, 2, 3), scale=256.0, gradients=True, stored=True, layers=("fc1", "fc2"), seed=0):
    """Two linear layers over training steps, gradients falling from step to step."""
    with h5py.File(path, "w") as file:
        for place, step in enumerate(steps):
            for rank, name in enumerate(layers):
                rng = np.random.default_rng([seed, step, rank])
                layer = file.create_group("step_%06d/%s" % (step, name))
                layer.attrs["op"], layer.attrs["loss_scale"], layer.attrs["index"] = "linear", scale, rank
                layer["input"] = np.abs(rng.normal(size=(12, 10))).astype(np.float32)
                layer["weight"] = rng.normal(0, 0.4, (6, 10)).astype(np.float32)
                if gradients:
                    layer["grad_output"] = (rng.normal(size=(12, 6)) * scale * 2.0 ** -(5 + place + 2 * rank)).astype(np.float32)
                    if stored:
                        layer["grad_weight"] = (layer["grad_output"][...].astype(np.float64).T @ layer["input"][...]).astype(np.float32)
        for step in steps:
            file["step_%06d" % step].attrs["index"] = step
    return str(path)


def gains_file(path, **more):
    tables = {"activation": {"fc1": 0.5, "fc2": 0.03}, "weight": {"fc1": 900.0, "fc2": 20.0}, **more}
    with open(path, "w") as file:
        for table, values in tables.items():
            file.write("[%s]\n" % table + "".join('"%s" = %r\n' % pair for pair in values.items()))
    return path


def tensors(layer):
    return {t["tensor"]: t for t in layer["tensors"]}


# The criteria once more, from the formulas, in numpy.
def quantized(x, bits, r, signed=True, below=True):
    step = r * 2.0 ** ((1 if signed else 0) - bits)
    n = x / step
    n = np.where(n < 0, -np.floor(-n + 0.5), np.floor(n + 0.5))
    n = np.minimum(n, r / step - 1)
    if below:
        n = np.maximum(n, -r / step if signed else 0)
    return n * step


def averaged(variances, momentum):
    out = []
    for v in variances:
        out.append(v if not out else momentum * out[-1] + (1 - momentum) * v)
    return out


def read(path, step, name):
    with h5py.File(path) as file:
        group = file["step_%06d/%s" % (step, name)]
        scale = group.attrs["loss_scale"]
        return {k: v[...].astype(np.float64) / (scale if k.startswith("grad") else 1) for k, v in group.items()}


def expected(path, name, gains, smallest, min_bits, steps, momentum=0.9, lr=0.001, factor=8, doubled=False):
    """(range, bits, signed) of every tensor, and lambda_max."""
    data = [read(path, step, name) for step in steps]
    bits = {t: int(np.round(np.log2(np.sqrt(gains[g][name] / smallest)))) + min_bits for t, g in (("weight", "weight"), ("input", "activation"))}
    g_w = averaged([np.var(d["grad_weight"]) for d in data], momentum)
    g_a = averaged([np.var(d["grad_output"]) for d in data], momentum)
    r_w = 2.0 ** math.ceil(math.log2(2 * math.sqrt(max(g_w)) / math.sqrt(0.1)))
    r_a = 2.0 ** math.ceil(math.log2(factor * math.sqrt(max(g_a)) / math.sqrt(0.1))) * (2 if doubled else 1)
    step_w = 2.0 ** math.floor(math.log2(math.sqrt(min(g_w)) / 4))
    lam = gains.get("lambda", {}).get(name) or max(np.linalg.svd(d["input"] ** 2, compute_uv=False)[0] for d in data)
    step_a = 2.0 ** math.floor(math.log2(step_w / math.sqrt(lam)))
    step_acc = 2.0 ** math.floor(math.log2(lr * step_w))
    r_acc = 2.0 ** -bits["weight"]
    return {
        "input": (2.0, bits["input"], False),
        "weight": (1.0, bits["weight"], True),
        "grad_output": (r_a, int(math.log2(r_a / step_a)) + 1, True),
        "grad_weight": (r_w, int(math.log2(r_w / step_w)) + 1, True),
        "weight_accumulator": (r_acc, int(math.log2(r_acc / step_acc)) + 1, True),
    }, lam


@case("ranges, steps and bits are those of the formulas, computed apart, with every option")
def formulas(folder):
    steps = (1, 2, 3)
    trace = training(folder + "/t.h5", steps)
    gains = {"activation": {"fc1": 0.5, "fc2": 0.03}, "weight": {"fc1": 900.0, "fc2": 20.0}}
    for options, given in (
        ({}, {}),
        ({"momentum": 0}, {}),
        ({"momentum": 0.5, "lr": 0.02, "factor": 4}, {"lambda": {"fc1": 7.0}}),
        ({"doubled": True}, {}),
    ):
        args = ["--gains", gains_file(folder + "/g.toml", **given), "--min-bits", 4]
        args += ["--momentum", options["momentum"]] if "momentum" in options else []
        args += ["--lr-min", options["lr"]] if "lr" in options else []
        args += ["--gradient-factor", options["factor"]] if "factor" in options else []
        args += ["--double-range"] if "doubled" in options else []
        for layer in assigned(trace, *args)["layers"]:
            wanted, lam = expected(trace, layer["name"], {**gains, **given}, 0.03, 4, steps, **options)
            expect(math.isclose(layer["lambda_max"], lam, rel_tol=1e-6), layer["lambda_max"], lam)
            equal(layer["lambda_max_source"], "gains file" if layer["name"] in given.get("lambda", {}) else "trace")
            found = {k: (t["range"], t["bits"], t["signed"]) for k, t in tensors(layer).items()}
            equal(found, wanted, layer["name"])


@case("what replays report is the SNDR and the clipping of the quantizers of the formulas, and of the authors' code on request")
def replays(folder):
    trace = training(folder + "/t.h5")
    for below in (True, False):
        document = assigned(trace, "--gains", gains_file(folder + "/g.toml"), *([] if below else ["--clamp-above-only"]))
        for layer in document["layers"]:
            of = tensors(layer)
            for t in ("input", "weight", "grad_output", "grad_weight"):
                for replay in of[t]["replay"]:
                    x = read(trace, replay["training_step"], layer["name"])[t]
                    for key, less in (("assigned", 0), ("one_bit_less", 1)):
                        bits, r, signed = of[t]["bits"] - less, of[t]["range"], of[t]["signed"]
                        y = quantized(x, bits, r, signed, below)
                        found = replay[key]
                        expect(math.isclose(found["sndr_db"], sndr(x, y), rel_tol=1e-9), t, found, sndr(x, y))
                        step = of[t]["step"] * 2 ** less
                        rounded = quantized(x, 60, 2.0 ** 59 * step, True)
                        clipped = (rounded > r - step) | ((rounded < (-r if signed else 0)) if below or not signed else False)
                        # the code clamps what exceeds the largest value before it rounds: the same values, more of them counted
                        if not below and signed:
                            clipped = x > r - step
                        equal(found["clipped"], np.sum(clipped & (x != 0)) / np.sum(x != 0), t)
                        equal(found["zeroed"], np.sum((y == 0) & (x != 0)) / np.sum(x != 0), t)


@case("passes are replayed with quantized operands, against the unquantized result")
def passes(folder):
    trace = training(folder + "/t.h5")
    for layer in assigned(trace, "--gains", gains_file(folder + "/g.toml"), "--acc", "fp64")["layers"]:
        of = tensors(layer)
        equal(len(layer["passes"]), 9)
        for replay in layer["passes"]:
            d = read(trace, replay["training_step"], layer["name"])
            for key, less in (("sndr_db", 0), ("one_bit_less_sndr_db", 1)):
                q = {t: quantized(d[t], of[t]["bits"] - less, of[t]["range"], of[t]["signed"]) for t in ("input", "weight", "grad_output")}
                product = {
                    "fprop": lambda v: v["input"] @ v["weight"].T,
                    "dgrad": lambda v: v["grad_output"] @ v["weight"],
                    "wgrad": lambda v: v["grad_output"].T @ v["input"],
                }[replay["pass"]]
                expect(math.isclose(replay[key], sndr(product(d), product(q)), abs_tol=1e-6), replay, sndr(product(d), product(q)))


@case("the weight update through accumulator and weight is that of F7")
def update(folder):
    trace = training(folder + "/t.h5")
    for layer in assigned(trace, "--gains", gains_file(folder + "/g.toml"), "--lr-min", 0.01)["layers"]:
        of = tensors(layer)
        acc = of["weight_accumulator"]
        for replay in acc["replay"]:
            d = read(trace, replay["training_step"], layer["name"])
            g = quantized(d["grad_weight"], of["grad_weight"]["bits"], of["grad_weight"]["range"])
            for key, less in (("assigned", 0), ("one_bit_less", 1)):
                q_w = lambda x: quantized(x, of["weight"]["bits"], 1.0)
                q_acc = lambda x: quantized(x, acc["bits"] - less, acc["range"])
                w = q_w(d["weight"])
                held = q_acc(d["weight"] - w)
                target = w + held - 0.01 * g
                after = q_w(target)
                received = after + q_acc(target - after) - (w + held)
                expect(math.isclose(replay[key]["sndr_db"], sndr(-0.01 * d["grad_weight"], received), rel_tol=1e-9), layer["name"], replay)


@case("without gains every weight and activation gets the least width, and the report says why")
def no_gains(folder):
    trace = training(folder + "/t.h5")
    document = assigned(trace)
    equal({t["bits"] for layer in document["layers"] for k, t in tensors(layer).items() if k in ("input", "weight")}, {8})
    expect(any("Jacobians" in note and "--gains" in note for note in document["notes"]), document["notes"])
    expect("note: F1 needs" in done(accsim("assign", trace)).out)


@case("a trace without gradients, or of one step, is assigned as far as it goes, and the report says what is missing")
def partial(folder):
    document = assigned(training(folder + "/f.h5", gradients=False), "--gains", gains_file(folder + "/g.toml"))
    equal([sorted(tensors(layer)) for layer in document["layers"]], [["input", "weight"]] * 2)
    expect(any("no grad_output in fc1, fc2" in note for note in document["notes"]), document["notes"])
    document = assigned(training(folder + "/s.h5", steps=(4,)), "--gains", gains_file(folder + "/g.toml"))
    expect(any("one training step of fc1, fc2" in note for note in document["notes"]), document["notes"])
    # a weight gradient that is not stored is summed from its operands
    stored, summed = (assigned(training(folder + "/%d.h5" % s, stored=s)) for s in (True, False))
    for a, b in zip(stored["layers"], summed["layers"]):
        expect(math.isclose(a["sigma_grad_weight_max"], b["sigma_grad_weight_max"], rel_tol=1e-6), a, b)


@case("ranges of the trace are the powers of two that hold it, signed where it has negative values")
def ranges(folder):
    trace = training(folder + "/t.h5", steps=(1,), layers=("fc1",))
    with h5py.File(trace, "a") as file:
        file["step_000001/fc1/input"][0, 0] = -5
        file["step_000001/fc1/weight"][0, 0] = 0.25
        file["step_000001/fc1/weight"][...] = np.clip(file["step_000001/fc1/weight"][...], -0.25, 0.25)
    of = tensors(assigned(trace, "--ranges", "trace")["layers"][0])
    equal([(of[t]["range"], of[t]["signed"]) for t in ("input", "weight")], [(8, True), (0.25, True)])
    equal(of["weight_accumulator"]["range"], 0.25 * 2.0 ** -8)


@case("the report says where the published ranges clip inputs or weights")
def clipping(folder):
    trace = training(folder + "/t.h5", steps=(1,))
    with h5py.File(trace, "a") as file:  # [0, 2): all of fc1, none of fc2 but a value
        file["step_000001/fc1/input"][...] = 1
        file["step_000001/fc2/input"][...] = 1
        file["step_000001/fc2/input"][:, 0] = -1
        file["step_000001/fc1/weight"][...] = 0.5
        file["step_000001/fc2/weight"][...] = 0.5
    notes = [note for note in assigned(trace)["notes"] if "clip" in note]
    equal(len(notes), 1)
    expect("in fc2; --ranges trace" in notes[0], notes)
    expect(not any("clip" in note for note in assigned(trace, "--ranges", "trace")["notes"]))


@case("CSV has the numbers of the JSON, a row a tensor or pass and step")
def csv(folder):
    trace = training(folder + "/t.h5")
    document = assigned(trace)
    rows = [row.split(",") for row in done(accsim("assign", trace, "--csv", "-")).out.splitlines()]
    header, rows = rows[0], [dict(zip(rows[0], row)) for row in rows[1:]]
    equal(header[:7], ["layer", "tensor", "training_step", "format", "range", "step", "bits"])
    equal(len(rows), 2 * 3 * (5 + 3))
    for row in rows:
        layer = next(l for l in document["layers"] if l["name"] == row["layer"])
        if row["tensor"] in tensors(layer):
            t = tensors(layer)[row["tensor"]]
            replay = next(r for r in t["replay"] if r["training_step"] == int(row["training_step"]))
            equal((float(row["sndr_db"]), int(row["bits"]), row["format"]), (replay["assigned"]["sndr_db"], t["bits"], t["format"]))


@case("mistakes in gains, layers, steps and numbers are named")
def bad(folder):
    trace = training(folder + "/t.h5")
    good = gains_file(folder + "/g.toml")
    refused(trace, "--gains", folder + "/none.toml", says=("none.toml", "cannot be read"))
    for name, text, says in (
        ("a.toml", "[activation]\nfc1 = 1\n[weight]\nfc1 = 1\n", ('no layer "fc2"', "activation")),
        ("b.toml", "[activation]\nfc1 = 1\nfc2 = 1\nfc9 = 1\n[weight]\nfc1 = 1\nfc2 = 1\n", ('"fc9"', "fc1, fc2")),
        ("c.toml", "[activation]\nfc1 = 0\n", ('activation."fc1"', "above 0")),
        ("d.toml", "[activations]\nfc1 = 1\n", ("activations", "unknown table")),
        ("e.toml", "fc1 = \n", ("e.toml",)),
        ("f.json", "{", ("f.json",)),
        ("g.json", '{"weight": {"fc1": "x"}}', ('weight."fc1"',)),
    ):
        with open(folder + "/" + name, "w") as file:
            file.write(text)
        refused(trace, "--gains", folder + "/" + name, says=says)
    with open(folder + "/h.json", "w") as file:
        json.dump({"activation": {"fc1": 0.5, "fc2": 0.03}, "weight": {"fc1": 900, "fc2": 20.0}}, file)
    equal(assigned(trace, "--gains", folder + "/h.json")["layers"], assigned(trace, "--gains", good)["layers"])
    refused(trace, "--layer", "nothing", says=("nothing",))
    refused(trace, "--lr-min", "0", says=("--lr-min",))
    refused(trace, "--acc", "fp9000", says=("fp9000",))
    refused(folder + "/none.h5", says=("none.h5",))
    refused(trace, "--min-bits", "0", status=2)
    with h5py.File(trace, "a") as file:
        file["step_000003"].attrs["index"] = 0
    refused(trace, says=("steps out of order",))


@case("on real gradients one bit less costs about 6 dB where nothing is clipped, in every layer of the digits")
def digits(folder):
    document = assigned(trace_path("digits_fixture.h5"), "--ranges", "trace")
    equal([layer["name"] for layer in document["layers"]], ["conv1", "fc1", "fc2"])
    for layer in document["layers"]:
        for replay in tensors(layer)["weight"]["replay"]:
            loss = replay["assigned"]["sndr_db"] - replay["one_bit_less"]["sndr_db"]
            expect(3 < loss < 9, layer["name"], replay)
        # F5 on a real layer: lambda_max is the largest singular value of the squared input
        if layer["op"] == "linear":
            with h5py.File(trace_path("digits_fixture.h5")) as file:
                x = [file["step_%06d/%s/input" % (s, layer["name"])][...].astype(np.float64) for s in layer["training_steps"]]
            expect(math.isclose(layer["lambda_max"], max(np.linalg.svd(v ** 2, compute_uv=False)[0] for v in x), rel_tol=1e-6), layer["name"])


if __name__ == "__main__":
    main()
