"""Dumps models with traces/dump_torch.py, reads the files back and recomputes every layer with torch.

Last line: N passed, M failed. Exits 77 if torch, torchvision or h5py is missing. The weights are random
(seed 0), the inputs tiny. A layer is recomputed from its stored operands and attributes in float64; the
difference may be that of a sum in any order in the layer's own type (see test_sample.py for the bound).
"""
import pathlib
import sys
import tempfile
from unittest import mock

try:
    import h5py
    import torch
    import torchvision
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "traces"))
from dump_torch import dump  # noqa: E402

results = []


def check(sentence, holds):
    results.append(bool(holds))
    if not holds:
        print(f"FAILED: {sentence}")


def read(path):
    """The layers of a trace in execution order: name -> (attributes, tensors in float64, stored types)."""
    with h5py.File(path, "r") as file:
        check(f"{path.stem}: the root says the schema", file.attrs["schema"] == "accsim-trace/1")
        groups = sorted(file.items(), key=lambda item: item[1].attrs["index"])
        indices = [group.attrs["index"] for _, group in groups]
        check(f"{path.stem}: the indices count from 0", indices == list(range(len(groups))))
        return {name: (dict(group.attrs),
                       {key: torch.from_numpy(d[()]).double() for key, d in group.items()},
                       {key: str(d.dtype) for key, d in group.items()}) for name, group in groups}


def linear_map(attributes, x, weight):
    """The layer without its bias; padding as the schema has it: scalar, [2], or top, left, bottom, right."""
    if attributes["op"] == "linear":
        return F.linear(x, weight)
    padding = [int(p) for p in torch.as_tensor(attributes["padding"]).reshape(-1)]
    top, left, bottom, right = {1: padding * 4, 2: padding * 2, 4: padding}[len(padding)]
    stride, dilation = (tuple(int(v) for v in attributes[key]) for key in ("stride", "dilation"))
    return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, None, stride, 0, dilation, int(attributes["groups"]))


def agrees(attributes, tensors, unit_roundoff=2.0**-24):
    """Whether the stored output is the layer of the stored operands, computed with this unit roundoff."""
    x, weight, output = (tensors[key] for key in ("input", "weight", "output"))
    bias = tensors.get("bias", torch.zeros(len(weight), dtype=torch.float64))
    bias = bias if attributes["op"] == "linear" else bias[:, None, None]
    exact = linear_map(attributes, x, weight) + bias
    magnitude = linear_map(attributes, x.abs(), weight.abs()) + bias.abs()
    n_u = (weight[0].numel() + 1) * unit_roundoff
    return output.shape == exact.shape and bool(((output - exact).abs() <= n_u / (1 - n_u) * magnitude).all())


def dump_and_check(folder, stem, model, inputs, unit_roundoff=2.0**-24, **options):
    """Dumps, reads, checks every layer; returns what read() returns."""
    path = pathlib.Path(folder) / f"{stem}.h5"
    dump(model, inputs, path, **options)
    layers = read(path)
    wrong = [name for name, (attributes, tensors, _) in layers.items()
             if not agrees(attributes, tensors, unit_roundoff)]
    check(f"{stem}: the output of every layer follows from its operands, wrong: {wrong}", layers and not wrong)
    return layers


def wgrad(attributes, tensors):
    """The weight gradient from the stored grad_output and input, by autograd of the recomputed layer."""
    weight = tensors["weight"].clone().requires_grad_()
    linear_map(attributes, tensors["input"], weight).backward(tensors["grad_output"])
    return weight.grad


def gradients_agree(layers, model, x, loss, loss_scale):
    """Whether the stored grad_output gives the scaled weight gradients of a backward pass without hooks."""
    model.zero_grad()
    loss(model(x)).backward()
    expected = {name: loss_scale * layer.weight.grad.double()
                for name, layer in model.named_modules() if name in layers}
    return all((wgrad(attributes, tensors) - expected[name]).abs().max() <= 1e-4 * expected[name].abs().max()
               for name, (attributes, tensors, _) in layers.items())


def test_torchvision_models(folder):
    x = torch.rand(2, 3, 32, 32)
    for build, count in ((torchvision.models.resnet18, 21), (torchvision.models.mobilenet_v2, 53)):
        model = build(num_classes=10).eval()
        layers = dump_and_check(folder, build.__name__, model, x)
        tensors = [tensors for _, tensors, _ in layers.values()]
        check(f"{build.__name__}: {count} layers", len(layers) == count)
        check(f"{build.__name__}: the first input is the image", torch.equal(tensors[0]["input"], x.double()))
        with torch.no_grad():
            check(f"{build.__name__}: the last output is the model's, without hooks",
                  torch.equal(tensors[-1]["output"], model(x).double()))
    check("mobilenet_v2: depthwise layers keep their groups", layers["features.1.conv.0.0"][0]["groups"] == 32)


def test_gradients(folder):
    x, labels = torch.rand(2, 3, 32, 32), torch.tensor([3, 7])

    def loss(result):
        return F.cross_entropy(result, labels)

    in_place = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(8, 4, 3, stride=2),
                             nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(4 * 15 * 15, 10))
    sequence = nn.Sequential(nn.Flatten(2), nn.Linear(32 * 32, 12), nn.ReLU(), nn.Flatten(),
                             nn.Linear(36, 10, bias=False))
    for stem, model in (("in_place_relu", in_place), ("linear_3d", sequence),
                        ("resnet18_training", torchvision.models.resnet18(num_classes=10).train())):
        layers = dump_and_check(folder, stem, model, x, loss=loss, loss_scale=128.0)
        check(f"{stem}: every layer has loss_scale and a grad_output of the output's shape",
              all(attributes["loss_scale"] == 128 and tensors["grad_output"].shape == tensors["output"].shape
                  for attributes, tensors, _ in layers.values()))
        check(f"{stem}: grad_output gives the weight gradients of a backward pass without hooks, scaled",
              gradients_agree(layers, model, x, loss, 128.0))


class Backwards(nn.Module):
    """Calls its layers against the order of their registration, one of them twice, one not at all."""

    def __init__(self):
        super().__init__()
        self.unused, self.last, self.twice, self.first = (nn.Linear(5, 5) for _ in range(4))

    def forward(self, x, y):
        return self.last(self.twice(self.twice(self.first(x)).relu_()) + y)


def test_calls(folder):
    x, y = torch.rand(2, 3, 5), torch.rand(5)
    layers = dump_and_check(folder, "calls", Backwards(), (x, y))
    check("layers come in the order of their calls, each call a group",
          list(layers) == ["first", "twice", "twice.call2", "last"])
    check("the two calls differ", not torch.equal(layers["twice"][1]["output"], layers["twice.call2"][1]["output"]))
    check("an in-place ReLU behind a layer leaves its stored output alone", (layers["twice"][1]["output"] < 0).any())
    alone = dump_and_check(folder, "alone", nn.Linear(5, 2), y)
    check("a model that is a layer itself is called model", list(alone) == ["model"])


def test_padding(folder):
    x = torch.rand(2, 4, 9, 7)
    cases = {
        "valid": (dict(padding="valid"), [0]),
        "same": (dict(padding="same"), [1, 0, 2, 1]),  # 4x2: 3 = 1 + 2 rows, 1 = 0 + 1 columns
        "same_dilated": (dict(padding="same", dilation=(3, 2)), [4, 1, 5, 1]),
        "pair": (dict(padding=(2, 1), stride=(2, 3), dilation=(1, 2), groups=2), [2, 1]),
        "scalar": (dict(padding=1, bias=False), [1, 1]),
        "reflect": (dict(padding=(2, 1), padding_mode="reflect", stride=2), [0]),
        "circular_same": (dict(padding="same", padding_mode="circular"), [0]),
    }
    for stem, (options, padding) in cases.items():
        attributes, tensors, _ = dump_and_check(folder, stem, nn.Conv2d(4, 6, (4, 2), **options), x)["model"]
        check(f"{stem}: padding {padding}", torch.as_tensor(attributes["padding"]).reshape(-1).tolist() == padding)
        check(f"{stem}: bias only where there is one", ("bias" in tensors) == options.get("bias", True))
    changed = nn.Conv2d(4, 6, 3)
    changed.padding = changed.dilation = (2, 2)
    dump_and_check(folder, "changed_after_construction", changed, x)


def half_linear(x, weight, bias):
    """F.linear for float16 where torch lacks it on the processor: one rounding at the end."""
    return (x.float() @ weight.float().T + bias.float()).half()


def test_narrow_types(folder):
    x, conv = torch.rand(2, 4, 9, 7), nn.Conv2d(4, 6, 3, padding=1)
    layers = dump_and_check(folder, "bfloat16", conv.bfloat16(), x.bfloat16(), 2.0**-8)
    tensors, types = layers["model"][1:]
    check("bfloat16 is stored as float32", set(types.values()) == {"float32"})
    check("bfloat16 is stored exactly", torch.equal(tensors["weight"], conv.weight.detach().double()))
    again = F.conv2d(*(tensors[key].bfloat16() for key in ("input", "weight", "bias")), padding=1)
    check("bfloat16: the same operation on the stored operands gives the output",
          torch.equal(tensors["output"], again.double()))
    with mock.patch.object(F, "linear", half_linear):
        dump(nn.Linear(8, 5).half(), torch.rand(3, 8).half(), pathlib.Path(folder) / "float16.h5")
    attributes, tensors, types = read(pathlib.Path(folder) / "float16.h5")["model"]
    check("float16 is stored as float16", set(types.values()) == {"float16"})
    check("float16: the output follows from the operands", agrees(attributes, tensors, 2.0**-11))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        layers = dump_and_check(folder, "autocast", nn.Linear(8, 5), torch.rand(3, 8), 2.0**-8)
    check("under autocast the operands are stored after the cast",
          all(torch.equal(t, t.bfloat16().double()) for t in layers["model"][1].values()))
    types = dump_and_check(folder, "float64", nn.Linear(8, 5).double(), torch.rand(3, 8).double())["model"][2]
    check("float64 is stored as float64", set(types.values()) == {"float64"})


def test_hooks_are_removed(folder):
    class Failing(nn.Linear):
        def forward(self, x):
            raise RuntimeError("fails")
    model = nn.Sequential(nn.Linear(5, 5), Failing(5, 5))
    try:
        dump(model, torch.rand(5), pathlib.Path(folder) / "failing.h5")
        check("an error of the model is passed on", False)
    except RuntimeError as error:
        check("an error of the model is passed on", str(error) == "fails")
    model[0](torch.rand(5))  # a hook left behind would write to the closed file
    check("no hook is left behind", not torch.nn.modules.module._global_forward_hooks)


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        for test in (test_torchvision_models, test_gradients, test_calls, test_padding, test_narrow_types,
                     test_hooks_are_removed):
            test(folder)
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
