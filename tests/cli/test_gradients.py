"""Replayed in binary32, input and weight gradients are those that the training stored: of CNNs, and of a transformer block."""

import os
import sys

import h5py
import numpy as np

from harness import accsim, case, done, equal, expect, main, trace_path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
import make_transformer_trace as transformer  # noqa: E402

GRADIENTS = {"dgrad": ("grad_input", "grad_a"), "wgrad": ("grad_weight", "grad_b")}


def compare(trace, folder):
    """How many stored gradients there are. Two binary32 sums of k terms differ by some sqrt(k) 2^-24 of the terms' size."""
    done(accsim("run", "--acc", "fp32", "--trace", trace, "--loss-scale", "stored", "--out", folder + "/o.h5", "--quiet"))
    compared = 0
    with h5py.File(trace) as file, h5py.File(folder + "/o.h5") as results:
        for step in file:
            for name, layer in file[step].items():
                for pass_, datasets in GRADIENTS.items():
                    for stored in (layer[d][...].astype(float) for d in datasets if d in layer):
                        found = results["%s/%s/%s" % (step, name, pass_)]
                        off = np.abs(found["output"][...] - stored).max() / np.abs(stored).max()
                        expect(off <= 16 * np.sqrt(found.attrs["k"]) * 2.0**-24, step, name, pass_, off)
                        compared += 1
    return compared


@case("the gradients of the transformer block's weights are those of differences of its loss")
def differences(folder):
    weights, x, target = transformer.initial()
    layers = transformer.backward(weights, transformer.forward(weights, x, target)[0])
    rng = np.random.default_rng(0)
    for name in weights:
        gradient = layers[name][1]["grad_weight"]
        for _ in range(4):
            at = tuple(rng.integers(0, n) for n in gradient.shape)
            losses = []
            for h in (-1e-5, 1e-5):
                moved = {**weights, name: weights[name].copy()}
                moved[name][at] += h
                losses.append(transformer.forward(moved, x, target)[1])
            # the loss is some 0.5 with 16 digits: the quotient is good to 1e-11, and to the third derivative times 1e-10
            expect(abs((losses[1] - losses[0]) / 2e-5 - gradient[at]) < 1e-9, name, at, losses, gradient[at])


@case("every gradient of a transformer block over three steps, linear layers and attention matmuls")
def attention(folder):
    transformer.write(folder + "/t.h5")
    equal(compare(folder + "/t.h5", folder), 3 * 8 * 2)
    with h5py.File(folder + "/t.h5") as file:  # it learns: gradients shrink
        first, last = (np.abs(file["step_%06d/down/grad_output" % s][...]).mean() for s in (1, 40))
        expect(last < 0.9 * first, first, last)


@case("broadcast batches of a matmul: gradients agree with those computed beside")
def broadcast(folder):
    rng = np.random.default_rng(3)
    a, b, g = (rng.normal(size=s).astype(np.float32) for s in ((2, 3, 5, 7), (2, 1, 7, 4), (2, 3, 5, 4)))
    with h5py.File(folder + "/t.h5", "w") as file:
        layer = file.create_group("step_000001/qk")
        layer.attrs["op"] = "matmul"
        layer["a"], layer["b"], layer["grad_output"] = a, b, g
        layer["grad_a"] = np.einsum("xymn,xykn->xymk", g.astype(float), np.broadcast_to(b, (2, 3, 7, 4)).astype(float))
        layer["grad_b"] = np.einsum("xymk,xymn->xkn", a.astype(float), g.astype(float))[:, None]
    equal(compare(folder + "/t.h5", folder), 2)


@case("what E5M2 loses of real gradients at a loss scale is what lies beyond its thresholds")
def thresholds(folder):
    # To nearest even: up to 2^-17, half the smallest number, to zero; then subnormal, up to the tie of 2^-14 - 2^-17, which goes to the
    # normal 2^-14; from the tie of 57344 and 65536 on too large.
    path = trace_path("mnist_cnn_train.h5")
    convolutions = ("conv1", "dw2", "pw3", "conv4")
    with h5py.File(path) as file:
        layers = [file[step][name] for step in file for name in convolutions]
        magnitudes = np.concatenate([np.abs(l["grad_output"][...].astype(float)).ravel() / l.attrs["loss_scale"] for l in layers])
        others = sum(np.count_nonzero(l[key]) for l in layers for key in ("grad_input", "grad_weight") if key in l)  # pass as they are
    sweep = done(accsim("run", "--acc", "fp32", "--in", "e5m2", "--trace", path, "--loss-scale", "sweep", "--json", "-",
                        *(part for name in convolutions for part in ("--layer", "*/" + name)))).json()["sweep"]
    for point in sweep:
        g = magnitudes * point["loss_scale"]
        found = {key: point["gradients"][key] for key in ("nonzero", "zeroed", "subnormal", "clipped")}
        equal(found, {
            "nonzero": int(np.sum(g > 0)) + others,
            "zeroed": int(np.sum((g > 0) & (g <= 2.0**-17))),
            "subnormal": int(np.sum((g > 2.0**-17) & (g < 2.0**-14 - 2.0**-17))),
            "clipped": int(np.sum(g >= 61440)),
        }, point["loss_scale"])
    expect(sweep[0]["gradients"]["zeroed"] > 0.5 * np.sum(magnitudes > 0), sweep[0])


@case("every gradient of the digits' CNN")
def digits(folder):
    equal(compare(trace_path("digits_fixture.h5"), folder), 2 * 5)


@case("every gradient of the MNIST CNN, sums of up to 25088 terms")
def mnist(folder):
    equal(compare(trace_path("mnist_cnn_train.h5"), folder), 3 * 11)


if __name__ == "__main__":
    main()
