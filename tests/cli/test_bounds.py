"""accsim bounds: widths and exponents of layers whose numbers are worked out by hand or by numpy from the definitions
(A2Q: arXiv 2308.13504, A2Q+: 2401.10432, FINN's range in integers), and what holds between them on real layers (with ACCSIM_ALL_TRACES set, on those of every trace)."""

import csv
import io
import json
import os

import numpy as np

from harness import accsim, case, done, dots, equal, expect, main, ramp, report, sample, trace_path, write_layer

INT16 = '[[reduction]]\nkind = "sequential"\nformat = "int16"\n'


def bounds(*args):
    return json.loads(done(accsim("bounds", *args, "--json", "-")).out)


def integers(path, rows, columns, a="int8", b="int8", a_attributes=None, **more):
    stored = {"int8": np.int8, "uint8": np.uint8, "int16": np.int16}
    return write_layer(path, {"input": (np.array(rows, stored[a]), {"format": a, **(a_attributes or {})}), "weight": (np.array(columns, stored[b]), {"format": b})}, **more)


def width(low, high):
    """Least two's complement width that holds low and high, zero among them."""
    p = 1
    while low < -(1 << (p - 1)) or high > (1 << (p - 1)) - 1:
        p += 1
    return p


def least(bits):
    """The least P from 1 for which bits(P) holds."""
    p = 1
    while not bits(p):
        p += 1
    return p


def expected_channel(x, q, x_min, x_max, input_bits, is_signed, weight_bits=8):
    """The six widths of one output channel: integer inputs [rows, k], its k integer weights."""
    q = [int(v) for v in q]
    magnitude = 1 << (input_bits - is_signed)
    l1, positive, negative = sum(map(abs, q)), sum(v for v in q if v > 0), -sum(v for v in q if v < 0)
    low = high = final_low = final_high = 0
    for row in x:
        total = 0
        for a, b in zip(row, q):
            total += int(a) * b
            low, high = min(low, total), max(high, total)
        final_low, final_high = min(final_low, total), max(final_high, total)
    return {"datatype_bound": least(lambda p: len(q) * magnitude * (1 << (weight_bits - 1)) <= (1 << (p - 1)) - 1),
            "l1_bound": least(lambda p: l1 * magnitude <= (1 << (p - 1)) - 1),
            "zero_centred_bound": least(lambda p: l1 * ((1 << input_bits) - 1) <= (1 << p) - 2),
            "range_bound": width(positive * x_min - negative * x_max, positive * x_max - negative * x_min),
            "observed": width(low, high),
            "observed_final": width(final_low, final_high)}


@case("the widths of one small layer are those worked out by hand")
def by_hand(folder):
    # Weights 3, -2: |q|_1 = 5, S+ = 3, S- = 2, k = 2.
    # data type 2 * 128 * 128 = 2^15 > 2^15 - 1: 17. L1 5 * 128 = 640 <= 1023: 11. A2Q+ 5 * 255 = 1275 <= 2046: 11.
    # range [-3*128 - 2*127, 3*127 + 2*128] = [-638, 637]: 11. Prefixes of (100, 100): 300, 100: 10 bits; the final 100: 8.
    path = integers(folder + "/t.h5", [[100, 100]], [[3, -2]])
    (layer,) = bounds(path, "--acc", "int32")["layers"]
    equal(layer["bits"], {"datatype_bound": 17, "l1_bound": 11, "zero_centred_bound": 11, "range_bound": 11, "observed": 10, "observed_final": 8})
    equal([layer[k] for k in ("name", "op", "pass", "m", "n", "k", "batch", "kind")], ["fc", "linear", "fprop", 1, 1, 2, 1, "integer"])
    equal(layer["channels"], [{"channel": 0, "bits": layer["bits"], "weights": {"positive_sum": "3", "negative_sum": "2"}}])


@case("each channel has its own widths, a layer the largest, all equal to numpy's from the definitions")
def per_channel(folder):
    rng = np.random.default_rng(41)
    for a, x_min, x_max, bits, is_signed in (("int8", -128, 127, 8, 1), ("uint8", 0, 255, 8, 0)):
        x = rng.integers(x_min, x_max + 1, (7, 33))
        w = (rng.integers(-128, 128, (5, 33)) * rng.random((5, 1)) ** 3).astype(int)
        w[4] = 0
        (layer,) = bounds(integers(folder + "/t.h5", x, w, a=a), "--acc", "int32", "--in-a", a, "--in-b", "int8")["layers"]
        expected = [expected_channel(x, q, x_min, x_max, bits, is_signed) for q in w]
        equal([c["bits"] for c in layer["channels"]], expected, a)
        equal(layer["bits"], {key: max(e[key] for e in expected) for key in expected[0]}, a)
        equal([int(c["weights"]["positive_sum"]) - int(c["weights"]["negative_sum"]) for c in layer["channels"]], [int(q.sum()) for q in w])


@case("a zero point moves the range of the inputs and keeps the width of A2Q+")
def zero_point(folder):
    # uint8 with zero point 100: inputs from -100 to 155, so |x| <= 155. Weights 3, 2: range [-500, 775]: 11 bits.
    # L1 5 * 155 = 775 <= 1023: 11. A2Q+ 5 * 255 = 1275 <= 2046: 11. Codes 0, 255 are -100, 155: prefixes -300, 10: 10 bits, final 5.
    path = integers(folder + "/t.h5", [[0, 255]], [[3, 2]], a="uint8", a_attributes={"zero_point": 100, "scale": 0.5})
    bits = bounds(path, "--acc", "int32", "--in-a", "uint8")["layers"][0]["bits"]
    equal([bits[k] for k in ("l1_bound", "zero_centred_bound", "range_bound", "observed", "observed_final")], [11, 11, 11, 10, 5])


@case("partial sums are those of the datapath's order")
def order(folder):
    path = integers(folder + "/t.h5", [[100, 100, 100, 100]], [[1, 1, -1, -1]])
    for arguments, observed in (
        (["--acc", "int32"], 9),  # 100, 200, 100, 0
        (["--acc", "pqs"], 1),  # 100 - 100 = 0 twice; products are no sums
        (["--acc", "int32", "--set", "product.permute=[0,2,1,3]"], 8),  # 100, 0, 100, 0
        (["--acc", "int32", "--chunk", "1"], 9),
    ):
        found = bounds(path, *arguments)["layers"][0]["bits"]
        equal(found["observed_final"], 1, arguments)
        equal(found["observed"], observed, arguments)


@case("the exponents and the precision where swamping starts are those worked out by hand")
def exponents(folder):
    # Products 8, 0.75, -0.125: exponents 3, -1, -3. Sums 8, 8.75, 8.625: exponent 3. 0.75 on 8: swamped where 0.75 <= 2^(3-p),
    # p <= 3. 0.125 on 8.75: where 0.125 <= 2^(3-p), p <= 6, with the tie at p = 6.
    path = dots(folder + "/t.h5", [[8, 0.75, -0.125, 0]], [[1, 1, 1, 5]])
    (layer,) = bounds(path, "--acc", "fp32")["layers"]
    equal(layer["kind"], "float")
    equal(layer["exponents"], {"product_min": -3, "product_max": 3, "sum_min": 3, "sum_max": 3})
    equal(layer["swamping"], {"precision": 6, "precision_1pct": 6})
    # And a datapath of that precision does swallow it, one of a bit more does not: 8.75 in 6 bits is exact, -0.125 is half an ulp, the tie to even
    # goes to 8.75 = 35/4, odd: so 8.5; one bit fewer swallows. e5m5 has 6 bits, e5m6 has 7.
    for acc, swamped in (("e5m6", 0), ("e5m4", 1)):
        equal(report("--acc", acc, "--trace", path)["layers"][0]["events"]["swamped"], swamped, acc)


@case("infinite and NaN products are counted and left out")
def nonfinite(folder):
    path = dots(folder + "/t.h5", [[1, 2], [np.inf, 1], [np.nan, 1], [0, 0]], [[1, 1]])
    (layer,) = bounds(path, "--acc", "fp32")["layers"]
    equal(layer["nonfinite_outputs"], 2)
    equal(layer["exponents"], {"product_min": 0, "product_max": 1, "sum_min": 0, "sum_max": 1})
    (zeros,) = bounds(dots(folder + "/z.h5", [[0, 0]], [[1, 1]]), "--acc", "fp32")["layers"]
    equal(zeros["exponents"], {"product_min": None, "product_max": None, "sum_min": None, "sum_max": None})


@case("exponents over the whole range of binary64 are exact")
def wide(folder):
    (layer,) = bounds(dots(folder + "/t.h5", [[2.0**1000, 2.0**-1000, -(2.0**1000)]], [[2.0**900, 2.0**-900, 2.0**900]]), "--acc", "fp64")["layers"]
    # 2^1900, then that and 2^-1900, then 2^-1900 alone
    equal(layer["exponents"], {"product_min": -1900, "product_max": 1900, "sum_min": -1900, "sum_max": 1900})
    equal(layer["swamping"]["precision"], 3800)


@case("CSV has a row a layer, or with --channels a row a channel, with JSON's numbers")
def rows(folder):
    arguments = (sample, "--acc", "int8_int32")
    document = bounds(*arguments)["layers"][0]
    table = list(csv.DictReader(io.StringIO(done(accsim("bounds", *arguments, "--csv", "-")).out)))
    equal(len(table), 1)
    equal({k: table[0][k] for k in document["bits"]}, {k: str(v) for k, v in document["bits"].items()})
    table = list(csv.DictReader(io.StringIO(done(accsim("bounds", *arguments, "--channels", "--csv", "-")).out)))
    equal([int(r["channel"]) for r in table], list(range(document["n"] * document["batch"])))
    for row, channel in zip(table, document["channels"]):
        equal({k: row[k] for k in channel["bits"]}, {k: str(v) for k, v in channel["bits"].items()})
    for more in ([], ["--channels"]):
        out = done(accsim("bounds", *arguments, *more)).out
        expect("safe at %d bits" % document["bits"]["observed"] in out and "guaranteed at %d bits" % document["bits"]["range_bound"] in out, out)
        expect(max(len(line) for line in out.splitlines()) <= 100, out)


@case("a run states the same widths, and 'safe at N bits, guaranteed at M'")
def run_agrees(folder):
    document = bounds(sample, "--acc", "int8_int32")["layers"][0]["bits"]
    found = report("--acc", "int8_int32", "--trace", sample)["layers"][0]["bits"]
    equal(found, {k: document[k] for k in ("datatype_bound", "l1_bound", "range_bound", "observed")})
    out = done(accsim("run", "--acc", "int8_int32", "--trace", sample)).out
    expect("safe at %d bits" % found["observed"] in out and "guaranteed at %d bits" % found["range_bound"] in out, out)


@case("neither threads nor where the output goes change the document")
def deterministic(folder):
    one = done(accsim("bounds", sample, "--acc", "fp12", "--threads", "1", "--json", "-")).out
    equal(done(accsim("bounds", sample, "--acc", "fp12", "--threads", "5", "--json", "-")).out, one)
    done(accsim("bounds", "--trace", sample, "--acc", "fp12", "--json", folder + "/b.json", "--quiet"))
    with open(folder + "/b.json", encoding="utf-8") as file:
        equal(file.read(), one)


@case("bad input and bad usage of bounds are refused")
def refused(folder):
    for status, arguments in (
        (2, []),
        (2, [sample]),
        (2, [sample, "--acc", "int32", "--json", "-", "--csv", "-"]),
        (2, [sample, "--acc", "int32", "--pass", "back"]),
        (3, [sample, "--acc", "int3.2"]),
        (3, [folder + "/none.h5", "--acc", "int32"]),
        (3, [sample, "--acc", "int32", "--layer", "nothing"]),
        (3, [sample, "--acc", "int32", "--json", folder + "/no/where.json"]),
    ):
        result = accsim("bounds", *arguments)
        equal(result.status, status, result)
        equal(result.out, "", result)


TRACES = ["digits_fixture.h5", "ppocrv4_cls.h5"]
if os.environ.get("ACCSIM_ALL_TRACES"):
    TRACES += ["mnist_cnn_train.h5", "mnist_fp8_codes.h5", "use_lite_transformer.h5"]


def check_chain(path, *arguments):
    layers = bounds(path, "--acc", "int8_int32", *arguments)["layers"]
    expect(layers, path)
    for layer in layers:
        equal(layer["kind"], "integer", layer["name"])
        for c in layer["channels"] + [layer]:
            b = c["bits"]
            expect(b["observed_final"] <= b["observed"] <= b["range_bound"] <= b["l1_bound"] <= b["datatype_bound"], path, layer["name"], c.get("channel"), b)
    return layers


@case("on every layer and channel of the traces in int8: observed <= range <= L1 <= data type")
def chain(folder):
    check_chain(sample)
    for name in TRACES:
        check_chain(trace_path(name), "--pass", "all")


def overflows(path, layers, width, overflow):
    """{(layer, pass): outputs with an overflow} of these layers in an accumulator of this width."""
    selection = [x for name in sorted({name for name, _ in layers}) for x in ("--layer", name)]
    rows = report("--acc", "int%d" % width, "--in", "int8", "--overflow", overflow, "--trace", path, "--pass", "all", *selection)["layers"]
    return {(row["name"], row["pass"]): row["events"]["outputs_overflowed"] for row in rows}


def check_widths(path, *selection):
    """Each layer and pass at its range bound, at the observed width and at one bit less. int8 products of these layers ask for 2 to 64 bits,
    so that all three widths exist but for a layer of zeros, whose one observed bit has none below. Returns how many had all."""
    wanted = {}
    whole = 0
    for layer in check_chain(path, "--pass", "all", *selection):
        bits, key = layer["bits"], (layer["name"], layer["pass"])
        expect(bits["range_bound"] <= 64, key, bits)
        for width in (bits["range_bound"], bits["observed"], bits["observed"] - 1):
            if width >= 1:
                wanted.setdefault(width, {})[key] = width < bits["observed"]
        whole += bits["observed"] > 1
    for width, layers in sorted(wanted.items()):
        for overflow in ("wrap", "saturate"):
            found = overflows(path, layers, width, overflow)
            for key, overflowing in layers.items():
                equal(found[key] > 0, overflowing, "%s %s: overflows at %d bits, %s" % (path, key, width, overflow))
    return whole


@case("an accumulator of the range bound's width never overflows, nor does one of the observed width; one bit less does, however it overflows")
def at_the_bound(folder):
    equal(check_widths(sample), 1)
    # Zeros: one observed bit, and none less. A sum of 1: two bits, and int1 holds no 1.
    zeros = integers(folder + "/z.h5", [[0, 0]], [[3, -2]], a_attributes={"scale": 0.5})
    equal(check_widths(zeros), 0)
    equal(check_widths(integers(folder + "/one.h5", [[1, 0]], [[1, -1]])), 1)
    if os.environ.get("ACCSIM_ALL_TRACES"):
        counts = {name: check_widths(trace_path(name)) for name in TRACES}
        equal(counts, {"digits_fixture.h5": 18, "ppocrv4_cls.h5": 54, "mnist_cnn_train.h5": 54, "mnist_fp8_codes.h5": 18, "use_lite_transformer.h5": 14})
    else:
        equal(check_widths(trace_path("digits_fixture.h5"), "--layer", "step_000001/*"), 9)
        equal(check_widths(trace_path("ppocrv4_cls.h5"), "--layer", "019*", "--layer", "053*"), 2)


if __name__ == "__main__":
    main()
