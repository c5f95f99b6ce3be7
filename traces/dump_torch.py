"""Dumps the layers of a PyTorch model into a trace file, schema accsim-trace/1.

    import torch, torchvision
    from dump_torch import dump
    dump(torchvision.models.resnet18().eval(), torch.rand(1, 3, 64, 64), "resnet18.h5")

Every call of an nn.Linear or nn.Conv2d becomes one group with input, weight, bias and output, in
execution order (attribute `index`), named like the module; further calls of the same module are
NAME.call2, NAME.call3 ... `inputs` is one tensor, or a tuple of arguments.

With `loss`, a function of the model's result that gives a scalar, loss_scale * loss is propagated back,
and each group also gets `grad_output`, still multiplied by `loss_scale`: with it accsim replays dgrad and
wgrad. As in any backward pass, the gradients are added to those that the parameters already hold.

Stored is what the layer computes with: bfloat16 as float32 (exact; HDF5 has no bfloat16), float16 and
float32 as they are, operands under autocast after its cast. The schema pads with zeros only, so with
another padding_mode `input` is the padded tensor and `padding` is 0.

Not seen: functional calls (F.linear, matmul, the insides of nn.MultiheadAttention), other kinds of
layers, and subclasses with a forward of their own, whose operands a hook does not know.
"""
from collections import Counter

import h5py
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook


def dump(model, inputs, path, loss=None, loss_scale=1.0):
    """Runs model(inputs), and the backward pass if a loss is given, and writes the trace to `path`."""
    kinds = {nn.Linear.forward: "linear", nn.Conv2d.forward: "conv2d"}
    names = {layer: name or "model" for name, layer in model.named_modules() if type(layer).forward in kinds}
    calls = Counter()

    def record(layer, args, output):
        if layer not in names:
            return
        calls[layer] += 1
        group = file.create_group(names[layer] + (f".call{calls[layer]}" if calls[layer] > 1 else ""))
        group.attrs.update(op=kinds[type(layer).forward], index=len(file) - 1)
        x = args[0]
        if isinstance(layer, nn.Conv2d):
            padding = 0 if layer.padding == "valid" else layer.padding
            if layer.padding_mode != "zeros":
                x, padding = nn.functional.pad(x, layer._reversed_padding_repeated_twice, layer.padding_mode), 0
            elif padding == "same":  # an odd total has its larger half at the bottom and right
                total = [d * (size - 1) for d, size in zip(layer.dilation, layer.kernel_size)]
                padding = [t // 2 for t in total] + [t - t // 2 for t in total]
            group.attrs.update(stride=layer.stride, padding=padding, dilation=layer.dilation, groups=layer.groups)

        def put(name, tensor):  # as computed with, then bfloat16 as float32
            tensor = tensor.detach().to(output.dtype)
            group[name] = tensor.to(torch.promote_types(tensor.dtype, torch.float16)).cpu().numpy()

        for name, tensor in {"input": x, "weight": layer.weight, "bias": layer.bias, "output": output}.items():
            if tensor is not None:
                put(name, tensor)
        if output.requires_grad:
            group.attrs["loss_scale"] = loss_scale
            output.register_hook(lambda gradient: put("grad_output", gradient))

    with h5py.File(path, "w") as file, register_module_forward_hook(record), torch.set_grad_enabled(loss is not None):
        file.attrs["schema"] = "accsim-trace/1"
        result = model(*inputs) if isinstance(inputs, tuple) else model(inputs)
        if loss is not None:
            (loss_scale * loss(result)).backward()
