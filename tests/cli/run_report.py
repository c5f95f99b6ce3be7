"""What a report of `accsim run` is made of (contracts 4), and a trace that has every pass."""

from harness import ramp, write_layer

EVENTS = ["product_overflow", "product_underflow", "product_inexact", "sum_overflow", "sum_underflow", "sum_inexact", "swamped", "invalid", "outputs_overflowed",
          "outputs_transient_overflow", "outputs_persistent_overflow", "nonfinite_outputs", "outputs_inexact"]
ERROR = ["sndr_db", "snr_power_db", "csnr_db", "bias", "mse", "rmse", "max_abs", "max_ulp", "cosine"]
GROUPS = {"events": EVENTS, "error": ERROR, "quantization": ["sqnr_db"], "total": ["sndr_db"], "range": ["max_abs_product", "max_abs_partial", "max_abs_output"]}
BITS = ["datatype_bound", "l1_bound", "range_bound", "observed"]
TOP = ["accsim", "datapath", "trace", "executor", "seed", "threads", "layers", "seconds"]
LAYER = ["name", "op", "pass", "m", "n", "k", "batch", "macs", "outputs"]


def training(path):
    """Two linear layers with gradients and a convolution without, in creation order."""
    for name in ("fc1", "fc2"):
        write_layer(path, {"input": ramp(3, 5), "weight": ramp(4, 5), "grad_output": ramp(3, 4)}, name="step_000001/" + name, mode="a")
    write_layer(path, {"input": ramp(1, 2, 4, 5), "weight": ramp(3, 2, 2, 2)}, name="step_000001/conv", op="conv2d", mode="a")
    return path
