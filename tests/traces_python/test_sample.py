"""Checks traces/samples/layer3.h5 with numpy and h5py alone. Last line: N passed, M failed.

    test_sample.py [FILE.h5]

The oracle is a convolution written out here, in float64. A float32 sum of n rounded terms, in any order,
differs from the exact one by at most n u / (1 - n u) times the sum of the magnitudes, u = 2^-24 (Higham,
Accuracy and Stability of Numerical Algorithms, 2nd edition, section 4.2); the bias is one more term.
Exits 77 if numpy or h5py is missing.
"""
import pathlib
import sys

try:
    import h5py
    import numpy as np
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "traces" / "samples" / "layer3.h5"


def convolve(x, weight, stride, padding):
    """conv2d of x [B,C,H,W] with weight [K,C,R,S] in float64, zero padding; stride and padding are pairs."""
    x = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], axis=(2, 3))
    windows = windows[:, :, ::stride[0], ::stride[1]]
    return np.einsum("bcpqrs,kcrs->bkpq", windows, weight.astype(np.float64))


def pair(value):
    """A scalar or [2] attribute as two integers."""
    return [int(v) for v in np.broadcast_to(value, 2)]


def main():
    path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE
    results = []

    def check(sentence, holds):
        results.append(bool(holds))
        if not holds:
            print(f"FAILED: {sentence}")

    with h5py.File(path, "r") as file:
        layer = file["layer3"]
        attributes = dict(layer.attrs)
        data = {name: dataset[()] for name, dataset in layer.items()}
        check("the root says schema accsim-trace/1", file.attrs["schema"] == "accsim-trace/1")
        check("the root names a source and a licence", file.attrs["source"] and file.attrs["license"])
        check("layer3 is the only group", list(file) == ["layer3"])
    x, weight, bias, output = (data[name] for name in ("input", "weight", "bias", "output"))
    check("the file is smaller than 1 MB", path.stat().st_size < 1_000_000)
    check("the layer is a conv2d", attributes["op"] == "conv2d")
    check("it has input, weight, bias and output, nothing else", len(data) == 4)
    check("every tensor is float32", all(t.dtype == np.float32 for t in data.values()))
    check("every value is finite", all(np.isfinite(t).all() for t in data.values()))
    check("it has one group and no dilation", attributes["groups"] == 1 and pair(attributes["dilation"]) == [1, 1])
    check("the bias has one entry an output channel", bias.shape == weight.shape[:1])

    terms = weight[0].size
    check("a dot product has at least 288 terms", terms >= 288)
    check("the layer has 0.5 to 3 million MACs", 500_000 <= output.size * terms <= 3_000_000)
    check("the input comes out of a ReLU: no negative value, zeros and others", x.min() == 0 and (x > 0).mean() > 0.1)
    check("the images differ", all((x[0] != image).any() for image in x[1:]))

    stride, padding = pair(attributes["stride"]), pair(attributes["padding"])
    exact = convolve(x, weight, stride, padding) + bias[:, None, None].astype(np.float64)
    magnitude = convolve(np.abs(x), np.abs(weight), stride, padding) + np.abs(bias)[:, None, None]
    n_u = (terms + 1) * 2.0**-24
    check("the output has the shape of the convolution", output.shape == exact.shape)
    if output.shape == exact.shape:
        check("the output is the convolution plus bias within the error of a float32 sum",
              (np.abs(output - exact) <= n_u / (1 - n_u) * magnitude).all())
        print(f"largest difference {np.abs(output - exact).max():.3g}, largest output {np.abs(exact).max():.3g}")

    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
