"""Reading and simulating a layer takes at most its tensors, its results and 100 MB.

A tensor counts as 4 bytes an element where every value is a binary32, however few bytes a code takes in the file; a result as the 8
bytes each of output, code and reference that are kept. Strided convolutions make tensors large and work small.
"""

import os

import h5py
import numpy as np

import harness
from harness import case, equal, expect, main

MB = 1_000_000
ALLOWANCE = 100 * MB
SIDE = 4000  # 16 million elements, 64 MB as binary32


def peak(*args):
    """Exit status and largest resident size in bytes of one call of the program."""
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        try:
            os.execv(harness.binary, [harness.binary, *[str(a) for a in args]])
        finally:
            os._exit(127)
    _, status, usage = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024


def within(elements, results, *args):
    """The run's peak stays within 4 bytes an element, 8 bytes a kept number of the results, and the allowance."""
    status, used = peak("run", *args, "--threads", 2)
    equal(status, 0, "exit status of accsim run %s" % " ".join(map(str, args)))
    allowed = 4 * elements + 8 * results + ALLOWANCE
    expect(used <= allowed, "used", used // MB, "MB, allowed", allowed // MB, "MB")


def write(path, make, channels=1, name="conv", mode="w", attributes=None, stored=True, **options):
    """A convolution with a 1 x 1 filter that looks at one pixel in 100 x 100."""
    with h5py.File(path, mode) as file:
        group = file.create_group(name)
        group.attrs["op"] = "conv2d"
        group.attrs["stride"] = 100
        row = make(SIDE)
        data = group.create_dataset("input", (1, channels, SIDE, SIDE), dtype=row.dtype, **options)
        if stored:
            for channel in range(channels):
                data[0, channel] = np.broadcast_to(row, (SIDE, SIDE))
        for key, value in (attributes or {}).items():
            data.attrs[key] = value
        group["weight"] = np.ones((2, channels, 1, 1), np.float32)
    return path


def floats(size):
    return (np.arange(size) % 509).astype(np.float32) / 8


def codes(size):
    return (np.arange(size) % 251).astype(np.uint8)


@case("a float32 input of 64 MB")
def float_input(folder):
    within(SIDE * SIDE, 0, "--acc", "fp32", "--trace", write(folder + "/t.h5", floats))


@case("a chunked and compressed float32 input of 64 MB")
def compressed(folder):
    path = write(folder + "/t.h5", floats, chunks=(1, 1, SIDE // 4, SIDE), compression="gzip", compression_opts=1)
    within(SIDE * SIDE, 0, "--acc", "fp32", "--trace", path)


@case("a float32 input of 256 MB in one chunk's worth of zeros, which need no place in the file")
def unwritten(folder):
    path = write(folder + "/t.h5", floats, 4, stored=False, chunks=(1, 1, SIDE, SIDE // 10))
    within(4 * SIDE * SIDE, 0, "--acc", "fp32", "--trace", path)


@case("raw uint8 codes of 32 million elements, which become binary32")
def raw_codes(folder):
    path = write(folder + "/t.h5", codes, 2, attributes={"format": "uint8", "scale": 0.5, "zero_point": 7})
    within(2 * SIDE * SIDE, 0, "--acc", "fp32", "--trace", path)


@case("raw float8 codes of 32 million elements")
def raw_float_codes(folder):
    path = write(folder + "/t.h5", codes, 2, attributes={"format": "e4m3fnuz"})
    within(2 * SIDE * SIDE, 0, "--acc", "fp32", "--trace", path)


@case("a float32 input of 128 MB that the datapath quantizes")
def quantized(folder):
    path = write(folder + "/t.h5", floats, 2)
    within(2 * SIDE * SIDE, 0, "--acc", "int32", "--trace", path)


@case("two layers of 128 MB take what one does, since the first is freed")
def freed(folder):
    path = write(folder + "/t.h5", floats, 2, name="a")
    write(path, floats, 2, name="b", mode="a")
    within(2 * SIDE * SIDE, 0, "--acc", "fp32", "--trace", path)


@case("a layer that --layer leaves out is not read")
def not_read(folder):
    path = write(folder + "/t.h5", floats, 4, name="a", stored=False)
    with h5py.File(path, "a") as file:
        group = file.create_group("b")
        group.attrs["op"] = "linear"
        group["input"], group["weight"] = np.ones((2, 3), np.float32), np.ones((4, 3), np.float32)
    within(0, 0, "--acc", "fp32", "--trace", path, "--layer", "b")


@case("outputs, codes and references of a million outputs, kept for the results file")
def kept_results(folder):
    rows, path = 1_000_000, folder + "/t.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("fc")
        group.attrs["op"] = "linear"
        group["input"], group["weight"] = floats(rows).reshape(rows, 1), np.ones((1, 1), np.float32)
    within(rows, 3 * rows, "--acc", "fp32", "--trace", path, "--out", folder + "/r.h5", "--save", "output,reference")


if __name__ == "__main__":
    main()
