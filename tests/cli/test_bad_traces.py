"""Bad traces: exit status 3, a message with file, layer, field, found and accepted, and nothing left behind."""

import os

import h5py
import numpy as np

from harness import accsim, case, done, equal, expect, linear, main, ramp, report, write_layer


def refused(folder, trace, *parts, args=(), acc="fp32"):
    """The run fails with status 3 and a message that has all parts; no file appears beside the trace."""
    before = sorted(os.listdir(folder))
    result = accsim("run", "--acc", acc, "--trace", trace, "--out", folder + "/results.h5", "--json", folder + "/report.json", "--csv", folder + "/rows.csv", *args)
    equal(result.status, 3, result)
    equal(result.out, "", "standard output of a failed run")
    equal(sorted(os.listdir(folder)), before, "files after a failed run: %s" % result)
    for part in (os.path.basename(trace), "accepted", *parts):
        expect(part.lower() in result.err.lower(), "the message does not name", repr(part), result)
    expect("internal" not in result.err, result)
    return result


def one(sentence, make, *parts, args=(), acc="fp32"):
    """A case with one file that `make(path)` writes."""

    @case(sentence)
    def run(folder):
        path = folder + "/bad.h5"
        make(path)
        refused(folder, path, *parts, args=args, acc=acc)


def layer(datasets, attributes=None, op="linear"):
    return lambda path: write_layer(path, datasets, attributes, op=op)


def write_bytes(data):
    def write(path):
        with open(path, "wb") as file:
            file.write(data)

    return write


def truncated(path):
    whole = path + ".whole"
    linear(whole, 40, 50, 60)
    with open(whole, "rb") as file:
        data = file.read()
    os.remove(whole)
    write_bytes(data[: len(data) // 2])(path)


x, w = ramp(3, 5), ramp(4, 5)

# The file.
one("a trace that does not exist is refused", lambda path: None)
one("an empty file is refused", write_bytes(b""))
one("a file that is not HDF5 is refused", write_bytes(b"layer,k,n\nfc,3,4\n" * 100), "HDF5")
one("a truncated file is refused", truncated)
one("a folder in the place of a trace is refused", os.mkdir)


@case("a trace without a layer is refused")
def no_layer(folder):
    path = folder + "/bad.h5"
    with h5py.File(path, "w") as file:
        file.create_group("fc")["input"] = x
    refused(folder, path)


@case("a trace of another schema is refused")
def other_schema(folder):
    path = linear(folder + "/bad.h5")
    with h5py.File(path, "a") as file:
        file.attrs["schema"] = "accsim-trace/2"
    refused(folder, path, "schema", "accsim-trace/2", "accsim-trace/1")


# What a layer is made of.
one("an unknown op is refused by name, with those that there are", layer({"input": x, "weight": w}, op="linera"), "fc", "op", "linera", "linear")
one("a layer without its weight is refused", layer({"input": x}), "fc", "weight")
one("a layer without its input is refused", layer({"weight": w}), "fc", "input")
one("a matmul without b is refused", layer({"a": x}, op="matmul"), "fc", "b")
one("a convolution without its input is refused", layer({"weight": ramp(2, 2, 3, 3)}, op="conv2d"), "fc", "input")
one("a group in the place of a dataset is refused", lambda path: (layer({"input": x})(path), h5py.File(path, "a").create_group("fc/weight")), "fc", "weight")

# Shapes.
one("weights whose K is not the input's are refused with both", layer({"input": x, "weight": ramp(4, 6)}), "fc", "K=6", "5")
one("a matmul whose K differ is refused with both", layer({"a": ramp(2, 3), "b": ramp(4, 5)}, op="matmul"), "fc", "3", "4")
one("a convolution's filters that take other channels are refused", layer({"input": ramp(1, 4, 5, 5), "weight": ramp(2, 3, 3, 3)}, op="conv2d"), "fc", "weight")
one("groups that do not divide the channels are refused", layer({"input": ramp(1, 4, 5, 5), "weight": ramp(3, 1, 3, 3)}, {"groups": 3}, op="conv2d"), "fc", "groups", "3", "4")
one("groups that do not divide the filters are refused", layer({"input": ramp(1, 4, 5, 5), "weight": ramp(3, 2, 3, 3)}, {"groups": 2}, op="conv2d"), "fc", "groups")
one("an output of another shape is refused", layer({"input": x, "weight": w, "output": ramp(3, 5)}), "fc", "output", "[3, 5]", "[3, 4]")
one("a convolution's output of another shape is refused", layer({"input": ramp(1, 2, 5, 5), "weight": ramp(2, 2, 3, 3), "output": ramp(1, 2, 5, 5)}, op="conv2d"), "fc", "output", "[1, 2, 3, 3]")
one("a bias of another length is refused", layer({"input": x, "weight": w, "bias": ramp(3)}), "fc", "bias")
one("a gradient of another shape is refused", layer({"input": x, "weight": w, "grad_output": ramp(3, 5)}), "fc", "grad_output", args=("--pass", "dgrad"))
one("batch dimensions that do not broadcast are refused", layer({"a": ramp(2, 3, 4), "b": ramp(3, 4, 2)}, op="matmul"), "fc")
one("an input of the wrong rank is refused", layer({"input": x, "weight": ramp(2, 2, 3, 3)}, op="conv2d"), "fc", "input")
one("a filter larger than the padded input is refused", layer({"input": ramp(1, 1, 2, 2), "weight": ramp(1, 1, 5, 5)}, op="conv2d"), "fc")
one("a zero-sized input is refused", layer({"input": np.zeros((0, 5), np.float32), "weight": w}), "fc", "input")
one("zero-sized weights are refused", layer({"input": x, "weight": np.zeros((0, 5), np.float32)}), "fc", "weight")
one("a K of zero is refused", layer({"input": np.zeros((3, 0), np.float32), "weight": np.zeros((4, 0), np.float32)}), "fc")
one("a stride of zero is refused", layer({"input": ramp(1, 1, 5, 5), "weight": ramp(1, 1, 3, 3)}, {"stride": 0}, op="conv2d"), "fc", "stride")
one("a padding of three numbers is refused", layer({"input": ramp(1, 1, 5, 5), "weight": ramp(1, 1, 3, 3)}, {"padding": [1, 1, 1]}, op="conv2d"), "fc", "padding")
one("a negative padding is refused", layer({"input": ramp(1, 1, 5, 5), "weight": ramp(1, 1, 3, 3)}, {"padding": -1}, op="conv2d"), "fc", "padding")
one("a stride that is text is refused", layer({"input": ramp(1, 1, 5, 5), "weight": ramp(1, 1, 3, 3)}, {"stride": "two"}, op="conv2d"), "fc", "stride")

# Types.
one("a complex dataset is refused", layer({"input": x.astype(np.complex64), "weight": w}), "fc", "input", "complex")
one("a dataset of strings is refused", layer({"input": np.array([[b"a"] * 5] * 3), "weight": w}), "fc", "input", "string")
one("integers without a format are refused", layer({"input": x.astype(np.int32), "weight": w}), "fc", "input", "format")
one("floating-point data with a format are refused", layer({"input": (x, {"format": "ocp_e4m3"}), "weight": w}), "fc", "input", "format")

# Codes, scales, zero points.
codes = np.arange(15, dtype=np.uint8).reshape(3, 5)


def coded(attributes, data=codes):
    return layer({"input": (data, attributes), "weight": w})


one("an unknown format is refused by name, with the nearest", coded({"format": "ocp_e4m4"}), "fc", "input", "format", "ocp_e4m4", "ocp_e4m3")
one("a block format in the place of a dataset's is refused", coded({"format": "mxfp4"}), "fc", "input", "mxfp4")
one("a code out of range is refused with its place", coded({"format": "ocp_e2m1"}, np.where(codes == 7, 16, codes % 16).astype(np.uint8)), "fc", "input", "16")
one("a negative code out of range is refused", coded({"format": "int4"}, np.where(codes == 7, -9, 1).astype(np.int8)), "fc", "input", "-9")
one("a scale of the wrong length is refused", coded({"format": "int8", "scale": np.ones(4), "axis": 1}), "fc", "input", "scale", "4", "5")
one("a scale array without an axis is refused", coded({"format": "int8", "scale": np.ones(5)}), "fc", "input", "scale")
one("an axis beyond the shape is refused", coded({"format": "int8", "scale": np.ones(5), "axis": 2}), "fc", "input", "axis")
one("a scale of zero is refused", coded({"format": "int8", "scale": 0.0}), "fc", "input", "scale", "0")
one("a scale of zero in one channel is refused", coded({"format": "int8", "scale": [1.0, 0.0, 1.0], "axis": 0}), "fc", "input", "scale")
one("a scale that is NaN is refused", coded({"format": "int8", "scale": float("nan")}), "fc", "input", "scale", "nan")
one("an infinite scale is refused", coded({"format": "int8", "scale": float("inf")}), "fc", "input", "scale", "inf")
one("a zero point of the wrong length is refused", coded({"format": "int8", "zero_point": [1, 2], "axis": 0}), "fc", "input", "zero_point")
one("a zero point that is NaN is refused", coded({"format": "int8", "zero_point": float("nan")}), "fc", "input", "zero_point")


@case("two training steps of one number are refused")
def two_steps(folder):
    path = folder + "/bad.h5"
    linear(path)
    for step in ("step_000001", "step_1"):
        write_layer(path, {"input": x, "weight": w}, name=step + "/fc", mode="a")
    refused(folder, path, "step_1", "step_000001")


@case("a --layer that matches nothing is refused with the names that there are")
def no_match(folder):
    path = linear(folder + "/good.h5")
    refused(folder, path, "--layer", "fd*", "fc", args=("--layer", "fd*"))
    refused(folder, path, "--layer", "nothing", "fc", args=("--layer", "fc", "--layer", "nothing"))


@case("a pass that no layer has is refused")
def no_gradient(folder):
    refused(folder, linear(folder + "/good.h5"), "fc", "grad_output", args=("--pass", "wgrad"))


@case("a bad layer further down is found before anything is written, unless --layer leaves it out")
def later_layer(folder):
    path = folder + "/mixed.h5"
    write_layer(path, {"input": x, "weight": w}, name="a")
    write_layer(path, {"input": x, "weight": ramp(4, 6)}, name="b", mode="a")
    refused(folder, path, '"b"')
    done(accsim("run", "--acc", "fp32", "--trace", path, "--layer", "a"))


@case("a bad code in a later layer leaves nothing at --out, --json and --csv")
def later_code(folder):
    path = folder + "/mixed.h5"
    write_layer(path, {"input": x, "weight": w}, name="a")
    write_layer(path, {"input": (np.full((3, 5), 77, np.uint8), {"format": "int4"}), "weight": w}, name="b", mode="a")
    refused(folder, path, '"b"', "input", "77")


@case("a failed run leaves the results of an earlier one as they were")
def earlier_results(folder):
    good = linear(folder + "/good.h5")
    bad = write_layer(folder + "/bad.h5", {"input": x})
    files = [folder + "/" + name for name in ("results.h5", "report.json", "rows.csv")]
    arguments = ["--out", files[0], "--json", files[1], "--csv", files[2]]
    done(accsim("run", "--acc", "fp12", "--trace", good, *arguments))
    before = [open(f, "rb").read() for f in files]
    equal(accsim("run", "--acc", "fp12", "--trace", bad, *arguments).status, 3)
    equal([open(f, "rb").read() for f in files], before)


@case("a place that cannot be written is refused before the run, and nothing else appears")
def unwritable(folder):
    path = linear(folder + "/good.h5")
    for option in ("--out", "--json", "--csv"):
        result = accsim("run", "--acc", "fp32", "--trace", path, option, folder + "/missing/file")
        equal(result.status, 3, result)
        expect("missing/file" in result.err, result)
        equal(sorted(os.listdir(folder)), ["good.h5"])
    result = accsim("run", "--acc", "fp32", "--trace", path, "--out", folder + "/r.h5", "--json", folder + "/missing/file")
    equal(result.status, 3, result)
    equal(sorted(os.listdir(folder)), ["good.h5"])


@case("the trace is not overwritten by --out")
def overwrite(folder):
    path = linear(folder + "/good.h5")
    before = open(path, "rb").read()
    result = accsim("run", "--acc", "fp32", "--trace", path, "--out", path)
    expect(result.status in (2, 3), result)
    equal(open(path, "rb").read(), before, "the trace after --out TRACE")


@case("a damaged chunk is refused with layer and dataset, and nothing is left behind")
def damaged(folder):
    path = folder + "/bad.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("fc")
        group.attrs["op"] = "linear"
        group.create_dataset("weight", data=w)
        noise = np.random.default_rng(1).standard_normal((64, 5)).astype(np.float32)
        group.create_dataset("input", data=noise, chunks=(64, 5), compression="gzip", fletcher32=True)
        place = group["input"].id.get_chunk_info(0)
    with open(path, "r+b") as file:
        file.seek(place.byte_offset + place.size // 2)
        byte = file.read(1)
        file.seek(place.byte_offset + place.size // 2)
        file.write(bytes([byte[0] ^ 0x55]))
    refused(folder, path, "fc", "input")


@case("NaN and infinities in a tensor are data, and counted")
def special_values(folder):
    data = x.copy()
    data[0, 0], data[1, 1] = np.nan, np.inf
    path = write_layer(folder + "/good.h5", {"input": data, "weight": np.abs(w) + 1})
    found = report("--acc", "fp32", "--trace", path)["layers"][0]["events"]
    equal(found["nonfinite_outputs"], 8, "two of three rows of four outputs are not finite")
    equal(found["invalid"], 0, "NaN operands make no new NaN")


@case("info lists a trace's problems and exits with status 3")
def info_problems(folder):
    path = folder + "/mixed.h5"
    write_layer(path, {"input": x, "weight": w}, name="a")
    write_layer(path, {"input": x, "weight": ramp(4, 6)}, name="b", mode="a")
    write_layer(path, {"input": x}, name="c", mode="a", op="linera")
    text = accsim("info", path)
    equal(text.status, 3, text)
    expect("problem" in text.out and "linera" in text.out and "K=6" in text.out, text)
    json = accsim("info", path, "--json")
    equal(json.status, 3, json)
    problems = {layer["name"]: layer["problems"] for layer in json.json()["layers"]}
    equal([bool(problems[name]) for name in "abc"], [False, True, True])
    equal(accsim("info", folder + "/missing.h5").status, 3)


if __name__ == "__main__":
    main()
