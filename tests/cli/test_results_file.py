"""The results file that `accsim run --out` writes, accsim-results/1 of contracts 4."""

import math

import h5py
import numpy as np

from harness import accsim, case, done, dots, equal, expect, linear, main, ramp, report, write_layer
from run_report import GROUPS, LAYER, training


def groups_of(path):
    found = {}
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: found.update({name: sorted(item)}) if isinstance(item, h5py.Group) and "macs" in item.attrs else None)
    return found


@case("the results file has a group for each row, with outputs in their natural shape and the JSON's numbers")
def results(folder):
    path = training(folder + "/t.h5")
    done(accsim("run", "--acc", "fp12", "--trace", path, "--pass", "all", "--out", folder + "/r.h5", "--save", "output,reference"))
    document = report("--acc", "fp12", "--trace", path, "--pass", "all")
    one = "step_000001/"
    shapes = {one + "conv": (1, 3, 3, 4)}
    for fc in ("fc1", "fc2"):
        shapes.update({one + fc: (3, 4), one + fc + "/dgrad": (3, 5), one + fc + "/wgrad": (4, 5)})
    with h5py.File(folder + "/r.h5", "r") as file:
        equal(file.attrs["schema"] if isinstance(file.attrs["schema"], str) else file.attrs["schema"].decode(), "accsim-results/1")
        equal(sorted(groups_of(folder + "/r.h5")), sorted(shapes))
        for layer in document["layers"]:
            group = file[layer["name"] + ("" if layer["pass"] == "fprop" else "/" + layer["pass"])]
            shape = shapes[group.name[1:]]
            for name, dtype in (("output", "<f8"), ("output_code", "<u8"), ("reference", "<f8")):
                equal((group[name].shape, group[name].dtype), (shape, np.dtype(dtype)), group.name + "/" + name)
            for key in LAYER[3:]:
                equal(int(group.attrs[key]), layer[key], key)
            for statistics, names in GROUPS.items():
                for name in names:
                    found = float(group.attrs["total_sndr_db" if statistics == "total" else name])
                    value = layer[statistics][name]
                    expect(math.isnan(found) if value is None else found == float(value), group.name, name, found, value)


@case("the output is the code's value times the scales, the reference the exact sum")
def outputs(folder):
    # int8 codes with scales 0.5 and 0.25: outputs are sum * 0.125. 100*100*2 = 20000; 100*100*4 = 40000 wraps to 40000 - 65536 = -25536.
    x = np.array([[100, 100, 0, 0], [100, 100, 100, 100]], np.int8)
    w = np.array([[100, 100, 100, 100]], np.int8)
    path = write_layer(folder + "/t.h5", {"input": (x, {"format": "int8", "scale": 0.5}), "weight": (w, {"format": "int8", "scale": 0.25})})
    done(accsim("run", "--acc", "int16_wrap", "--trace", path, "--out", folder + "/r.h5", "--save", "output,reference"))
    with h5py.File(folder + "/r.h5", "r") as file:
        equal(file["fc/output"][:].tolist(), [[2500.0], [-25536 / 8]])
        equal(file["fc/output_code"][:].tolist(), [[20000], [40000]])
        equal(file["fc/reference"][:].tolist(), [[2500.0], [5000.0]])
    layer = report("--acc", "int16_wrap", "--trace", path)["layers"][0]
    equal(layer["range"], {"max_abs_product": 10000.0, "max_abs_partial": 40000.0, "max_abs_output": 25536.0})


@case("formats wider than 64 bits have codes of two words, low first")
def wide(folder):
    # 3 * 2^70 and -1 in int100: -1 is 2^100 - 1.
    path = dots(folder + "/t.h5", [[3.0 * 2**70], [-1.0]], [[1.0]])
    done(accsim("run", "--acc", "int100", "--trace", path, "--out", folder + "/r.h5"))
    with h5py.File(folder + "/r.h5", "r") as file:
        equal(file["fc/output_code"].shape, (2, 1, 2))
        equal(file["fc/output_code"].dtype, np.dtype("<u8"))
        equal([[int(w) for w in code] for code in file["fc/output_code"][:, 0]], [[0, 3 << 6], [2**64 - 1, 2**36 - 1]])
        equal(file["fc/output"][:].tolist(), [[3.0 * 2**70], [-1.0]])


@case("underflow = none leaves output_code out, values below the smallest normal stay")
def no_codes(folder):
    path = dots(folder + "/t.h5", [[2.0**-30]], [[1.0]])
    done(accsim("run", "--acc", "fp16", "--set", "reduction.0.underflow=none", "--trace", path, "--out", folder + "/r.h5"))
    with h5py.File(folder + "/r.h5", "r") as file:
        equal(sorted(file["fc"]), ["output"])
        equal(file["fc/output"][0, 0], 2.0**-30)


@case("--save chooses what the results file keeps")
def save(folder):
    path = linear(folder + "/t.h5")
    for arguments, kept in (([], ["output", "output_code"]), (["--save", "output"], ["output", "output_code"]), (["--save", "reference"], ["reference"]),
                            (["--save", "reference,output"], ["output", "output_code", "reference"])):
        done(accsim("run", "--acc", "fp12", "--trace", path, "--out", folder + "/r.h5", *arguments))
        equal(groups_of(folder + "/r.h5"), {"fc": kept})


@case("a name that is only digits, dots or unicode is a group of that name")
def names(folder):
    for name in ("0", "encoder.layer.0", "größe"):
        write_layer(folder + "/t.h5", {"input": ramp(3, 5), "weight": ramp(4, 5)}, name=name, mode="a")
    done(accsim("run", "--acc", "fp32", "--trace", folder + "/t.h5", "--out", folder + "/r.h5"))
    equal(sorted(groups_of(folder + "/r.h5")), ["0", "encoder.layer.0", "größe"])


if __name__ == "__main__":
    main()
