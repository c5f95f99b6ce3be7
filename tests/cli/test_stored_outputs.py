"""The exact reference of real layers agrees with the outputs and gradients that the traces store, within float32 summation error.

Layers of more than 10 million MACs, and all but the last training step, are left out unless a third argument, `all`, asks for them.
"""

import os
import sys

import h5py
import numpy as np

from harness import Skip, accsim, case, done, expect, main, sample, trace_path

EVERYTHING = "all" in sys.argv[3:]
LARGE = 10_000_000
TRACES = ["digits_fixture.h5", "mnist_cnn_train.h5", "mnist_fp8_codes.h5", "ppocrv4_cls.h5", "use_lite_transformer.h5"]
# What the stored results are off by, relative to the largest: up to 2.5e-5 in weight gradients (binary32 sums of thousands of terms that
# cancel), elsewhere 4.2e-6.
WEIGHT_GRADIENTS, OTHERS = 3e-5, 5e-6

GRADIENTS = {"linear": ("output", "grad_input", "grad_weight"), "conv2d": ("output", "grad_input", "grad_weight"), "matmul": ("output", "grad_a", "grad_b")}


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def layers_of(file):
    found = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Group) and "op" in item.attrs else None)
    if "op" in file.attrs:
        found.append("/")
    return found


def macs_of(group):
    if text(group.attrs["op"]) == "matmul":
        return group["a"].size * group["b"].shape[-1]
    weight = group["weight"]
    if text(group.attrs["op"]) == "linear":
        return group["input"].size * weight.shape[0]
    return group["output"].size * weight.size // weight.shape[0]


def bias_of(group):
    if "bias" not in group:
        return 0.0
    bias = group["bias"][:].astype(np.float64)
    return bias[:, None, None] if text(group.attrs["op"]) == "conv2d" else bias


def compare(folder, trace):
    """Every stored result of the chosen layers; returns how many there were."""
    compared = 0
    with h5py.File(trace, "r") as file:
        names = layers_of(file)
        steps = sorted({name.split("/")[0] for name in names if name.startswith("step_")})
        if not EVERYTHING:
            names = [name for name in names if macs_of(file[name]) <= LARGE and (len(steps) < 2 or name.startswith(steps[-1]))]
        for name in names:
            group = file[name]
            stored = GRADIENTS[text(group.attrs["op"])]
            passes = [p for p, dataset in zip(("fprop", "dgrad", "wgrad"), stored) if dataset in group]
            if not passes:
                continue
            out = folder + "/r.h5"
            pattern = name.replace("[", "[[]")
            for pass_ in passes:
                done(accsim("run", "--acc", "fp32", "--trace", trace, "--layer", pattern, "--pass", pass_, "--save", "reference", "--out", out, "--quiet"))
                with h5py.File(out, "r") as results:
                    where = results[name if pass_ == "fprop" else name + "/" + pass_]
                    reference, k = where["reference"][...], int(where.attrs["k"])
                wanted = group[stored[("fprop", "dgrad", "wgrad").index(pass_)]][...].astype(np.float64)
                if pass_ == "fprop":
                    reference = reference + bias_of(group)
                expect(reference.shape == wanted.shape, name, pass_, reference.shape, wanted.shape)
                off = np.abs(reference - wanted).max() / max(np.abs(wanted).max(), 1e-30)
                expect(off <= (WEIGHT_GRADIENTS if pass_ == "wgrad" else OTHERS), name, pass_, "is off by", off, "of the largest, with K =", k)
                compared += 1
    return compared


def register(name):
    @case("the references of %s agree with its stored outputs and gradients" % name)
    def run(folder):
        expect(compare(folder, trace_path(name)) > 0, "nothing was compared")


for trace_name in TRACES:
    register(trace_name)


@case("the reference of the sample agrees with its stored output")
def run_sample(folder):
    if not os.path.exists(sample):
        raise Skip("no sample")
    expect(compare(folder, sample) == 1, "nothing was compared")


if __name__ == "__main__":
    main()
