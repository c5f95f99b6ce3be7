"""The same bytes of JSON and HDF5 for 1, 2 and 7 threads, whatever the datapath."""

import json
import os

from harness import accsim, case, done, equal, expect, ramp, sample, main, trace_path, without_changing, write_layer

GALOIS = "sr:bits=9,rng=lfsr:width=13,mask=0x100D,seed=0x5a5,form=galois,step=right,share=%s"
FIBONACCI = "sr:bits=4,rng=lfsr:width=16,mask=0xB400,seed=7,form=fibonacci,step=left,share=%s"
DATAPATHS = {
    "fp12": ["fp12"],
    "fp32": ["fp32"],
    "int16_wrap": ["int16_wrap"],
    "int16_saturate": ["int16_saturate"],
    "fp16_fp32acc": ["fp16_fp32acc"],
    "sr_fp12": ["sr_fp12", "--seed", "3"],
    "sr products and sums": ["fp12", "--set", "product.rounding=sr:bits=7,kind=c", "--rounding", "sr:bits=5,kind=b", "--overflow", "saturate"],
    "sr operands": ["sr_fp12", "--set", "operands.a_rounding=sr:bits=4", "--set", "operands.b_rounding=sr:bits=3,kind=below"],
    "an lfsr for each output": ["sr_fp12", "--rounding", GALOIS % "pe"],
    "one lfsr for all outputs": ["sr_fp12", "--rounding", GALOIS % "array"],
    "fibonacci, for each output": ["sr_fp12", "--rounding", FIBONACCI % "pe"],
    "fibonacci, for all": ["fp16", "--rounding", FIBONACCI % "array"],
    "a bias in the accumulator": ["fp12", "--bias-in-accumulator"],
}


def outcome(folder, trace, arguments, threads):
    """JSON without what may differ, and the bytes of the results file."""
    json_path, out = folder + "/r.json", folder + "/r.h5"
    done(accsim("run", "--acc", *arguments, "--trace", trace, "--threads", threads, "--json", json_path, "--out", out, "--save", "output,reference", "--quiet"))
    with open(json_path, encoding="utf-8") as file:
        text = json.dumps(without_changing(json.load(file)))
    with open(out, "rb") as file:
        return text, file.read()


def same(folder, trace, arguments, threads=(1, 2, 7)):
    first = outcome(folder, trace, arguments, threads[0])
    for more in threads[1:]:
        again = outcome(folder, trace, arguments, more)
        equal(again[0], first[0], "JSON with %s threads:" % more)
        expect(again[1] == first[1], "the results file with", more, "threads differs")


def register(name, arguments):
    @case("%s gives the same bytes with 1, 2 and 7 threads on a small model" % name)
    def small(folder):
        trace = folder + "/t.h5"  # the last linear layer is large enough for threads
        for rank, (m, n, k) in enumerate(((5, 3, 33), (1, 1, 1), (29, 11, 37))):
            write_layer(trace, {"input": ramp(m, k) * 1.03125, "weight": ramp(n, k) * 0.96875, "bias": ramp(n), "grad_output": ramp(m, n)}, name="l%d" % rank, mode="a")
        write_layer(trace, {"input": ramp(2, 4, 6, 5), "weight": ramp(6, 2, 3, 2)}, {"groups": 2, "padding": [1, 0, 2, 1], "stride": [2, 1]}, name="conv", op="conv2d", mode="a")
        same(folder, trace, [*arguments, "--pass", "all"])

    @case("%s gives the same bytes with 1, 2 and 7 threads on the digits, forward and backward" % name)
    def digits(folder):
        same(folder, trace_path("digits_fixture.h5"), [*arguments, "--pass", "all", "--layer", "step_001500/*"])


for datapath, options in DATAPATHS.items():
    register(datapath, options)


@case("the sample layer gives the same bytes with 1, 2 and 7 threads")
def sample_layer(folder):
    same(folder, sample, ["fp12"])


@case("a layer's results do not depend on which other layers or passes are run with it")
def independence(folder):
    trace = folder + "/t.h5"
    for name in ("a", "b"):
        write_layer(trace, {"input": ramp(5, 33), "weight": ramp(4, 33) * 1.03125, "grad_output": ramp(5, 4)}, name=name, mode="a")
    for rounding in ("sr:bits=13", GALOIS % "pe", GALOIS % "array"):
        arguments = ["sr_fp12", "--rounding", rounding]
        whole = json.loads(outcome(folder, trace, [*arguments, "--pass", "all"], 2)[0])["layers"]
        for layer in whole:
            alone = json.loads(outcome(folder, trace, [*arguments, "--pass", layer["pass"], "--layer", layer["name"]], 2)[0])["layers"]
            equal(alone, [layer], rounding)


@case("naming the executor changes nothing but its name, and forces it")
def executors(folder):
    trace = write_layer(folder + "/t.h5", {"input": ramp(5, 33), "weight": ramp(4, 33)})
    names = [row["name"] for row in done(accsim("list", "executors", "--json")).json()]
    for acc in ("fp12", "sr_fp12", "int16_wrap"):
        wanted = outcome(folder, trace, [acc], 2)
        for name in names:
            result = accsim("run", "--acc", acc, "--trace", trace, "--executor", name, "--json", "-")
            if result.status == 3:
                expect(name != "interpreter" and name in result.err, result)
                continue
            equal(done(result).json()["executor"], name)
            equal(outcome(folder, trace, [acc, "--executor", name], 2), wanted)


@case("the results file has no time stamps, and its name is in neither document")
def places(folder):
    trace = write_layer(folder + "/t.h5", {"input": ramp(5, 33), "weight": ramp(4, 33)})
    os.mkdir(folder + "/x")
    first = outcome(folder, trace, ["fp12"], 2)
    expect(outcome(folder + "/x", trace, ["fp12"], 2) == first, "a results file at another place differs")


if __name__ == "__main__":
    main()
