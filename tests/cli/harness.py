"""What the tests of the accsim program share: running it, small traces, and the count of what passed."""

import json
import os
import subprocess
import sys
import tempfile
import traceback

import h5py
import numpy as np


class Failure(Exception):
    """An expectation that did not hold."""


class Skip(Exception):
    """A case that needs something this machine or call does not have."""


class Result:
    """What one call of the program left behind."""

    def __init__(self, args, status, out, err):
        self.args, self.status, self.out, self.err = args, status, out, err

    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return "accsim %s\n  status %d\n  stdout: %s\n  stderr: %s" % (" ".join(self.args), self.status, self.out[-1500:], self.err[-1500:])


cases = []
binary = None
traces = None
sample = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "traces", "samples", "layer3.h5")


def case(sentence):
    """Registers a function of one argument, an empty folder, as the test of a sentence."""

    def register(function):
        cases.append((sentence, function))
        return function

    return register


def accsim(*args, stdin="", env=None, cwd=None):
    """Runs the program, in the folder `cwd`; its output is text."""
    args = [str(a) for a in args]
    done = subprocess.run([binary, *args], input=stdin.encode(), capture_output=True, env=env, cwd=cwd, check=False, timeout=300)
    return Result(args, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def expect(condition, *what):
    if not condition:
        raise Failure(" ".join(str(w) for w in what))


def shortened(value):
    text = repr(value)
    return text if len(text) <= 600 else text[:300] + " ... " + text[-300:]


def equal(found, wanted, what=""):
    if not found == wanted:
        raise Failure("%s found %s, expected %s" % (what, shortened(found), shortened(wanted)))


def done(result):
    """The result of a call that has to succeed."""
    expect(result.status == 0, result)
    return result


def report(*args):
    """The JSON document of `accsim run` with these arguments."""
    result = done(accsim("run", *args, "--json", "-", "--quiet"))
    return json.loads(result.out)


def without_changing(document):
    """A run's document without what may differ between runs."""
    kept = {k: v for k, v in document.items() if k not in ("seconds", "threads", "executor")}
    kept["layers"] = [{k: v for k, v in layer.items() if k != "seconds"} for layer in document["layers"]]
    return kept


def bits_of(document):
    """The layers' numbers alone, for runs whose datapaths have different names."""
    return without_changing(document)["layers"]


def trace_path(name):
    if traces is None:
        raise Skip("no traces folder given")
    path = os.path.join(traces, name)
    if not os.path.exists(path):
        raise Skip("no " + path)
    return path


def write_layer(path, datasets, attributes=None, name="fc", op="linear", mode="w"):
    """One layer in a trace file. A dataset is an array, or (array, its attributes)."""
    with h5py.File(path, mode) as file:
        group = file.create_group(name) if name else file
        if op is not None:
            group.attrs["op"] = op
        for key, value in (attributes or {}).items():
            group.attrs[key] = value
        for key, value in datasets.items():
            data, attrs = value if isinstance(value, tuple) else (value, {})
            dataset = group.create_dataset(key, data=data)
            for k, v in attrs.items():
                dataset.attrs[k] = v
    return str(path)


def ramp(*shape):
    """Different small numbers, exact in every float type."""
    return ((np.arange(int(np.prod(shape))) * 7 % 61 - 30) / 8).astype(np.float32).reshape(shape)


def linear(path, rows=3, k=5, n=4, **more):
    """A file with one linear layer `fc`."""
    return write_layer(path, {"input": ramp(rows, k), "weight": ramp(n, k), **more})


def dots(path, rows, columns, op="linear", attributes=None, dtype=np.float64, **more):
    """A linear layer whose outputs are the dot products of the given rows and columns."""
    return write_layer(path, {"input": np.array(rows, dtype), "weight": np.array(columns, dtype), **more}, attributes, op=op)


def main(program_traces_optional=True):
    """Runs the registered cases. Arguments: the accsim binary, and optionally the folder of real traces."""
    global binary, traces
    if len(sys.argv) < 2:
        print("usage: %s ACCSIM [TRACES]" % sys.argv[0])
        sys.exit(2)
    binary = os.path.abspath(sys.argv[1])
    traces = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 and os.path.isdir(sys.argv[2]) else None
    passed = failed = 0
    for sentence, function in cases:
        with tempfile.TemporaryDirectory(prefix="accsim-test-") as folder:
            try:
                function(folder)
                passed += 1
            except Skip as skip:
                print("skipped: %s (%s)" % (sentence, skip))
            except Failure as failure:
                failed += 1
                print("FAILED: %s\n  %s" % (sentence, str(failure).replace("\n", "\n  ")))
            except Exception:  # a test that breaks is a test that fails
                failed += 1
                print("FAILED: %s\n  %s" % (sentence, traceback.format_exc().replace("\n", "\n  ")))
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(1 if failed else 0)
