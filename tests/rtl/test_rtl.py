"""Our RTL (*.sv) against accsim: Verilator in lockstep through libaccsim_dpi, Icarus on $readmemh vectors, planted bugs, synthesis by Yosys.

Arguments: the program, libaccsim_dpi.so, the folder of accsim_dpi_pkg.sv, a folder to build in."""

import csv
import ctypes
import os
import random
import re
import shutil
import subprocess
import sys

import cycle_files
import harness_path  # noqa: F401  finds the harness of tests/cli
import dpi_library
import harness
from harness import accsim, case, done, equal, expect

library, package_folder, build_folder = sys.argv[2:5]
sys.argv = sys.argv[:2]
here = os.path.dirname(os.path.abspath(__file__))
modules = ("fp12_mac", "sr_mac", "int_mac", "fp16_accumulator", "online_adder_tree", "online_residual", "online_multiplier",
           "online_serial_multiplier", "online_inner_product", "os_array")
sources = [os.path.join(here, name + ".sv") for name in ("rtl_bench", "mac_bench", "cycle_bench") + modules]
lockstep = [os.path.join(package_folder, "accsim_dpi_pkg.sv"), os.path.join(here, "lockstep.sv")]
built = {}
most_rows_with_bugs = 8000

lfsr = "sr:bits=13,rng=lfsr:width=16,mask=0xb400,seed=0xace1,form=galois,step=right"
# The number of a unit in mac_bench.sv, its datapath, options, registers, what reports of planted bugs 1, 2 and 3 name.
late = "stage control: valid expected 1, found 0"
units = {
    "fp12": (0, "fp12", ["--in", "lba_fp12"], "--latency 3 --product-latency 2", ("stage sum", late, "stage product")),
    "stochastic": (1, "sr_fp12", ["--rounding", lfsr], "--latency 2", ("stage sum", late, "stage sum")),
    "wrapping integer": (2, "int16_wrap", [], "--latency 2", ("stage sum", late, None)),
    "saturating integer": (3, "int16_saturate", [], "--latency 2", ("stage sum", late, "stage sum")),
}


# The number of a unit in cycle_bench.sv, cycles in its file, what reports of planted bugs 1, 2 and 3 name, datapath and options of the model.
interleaved = "--in-a fp16 --in-b uint1 --set reduction.0.kind=interleaved --set reduction.0.ways=4 --set reduction.0.combine=coalesce"
cycle_units = {
    "online adder tree": (10, 20000, ("digit", "digit", "digit"), "online_r2_int8", "--terms 9 --part tree"),
    "online multiplier": (11, 20000, ("digit", "digit", "digit"), "online_r2_int8", "--terms 1"),
    "output-stationary array": (12, 4000, ("sum", "control", "sum"), "int16_saturate", "--set array.rows=4 --set array.cols=4"),
    "online inner product": (13, 20000, ("product", "digit", "digit"), "online_r2_int8", "--terms 9"),
    "serial-serial multiplier": (14, 20000, ("digit", "digit", "digit"), "online_r2_int8", "--terms 1 --set reduction.0.multiplier=serial_serial"),
    "interleaved binary16": (15, 32000, ("sum", "control", "sum"), "fp16", interleaved),
}


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            raise harness.Skip("no " + tool)


def run(command, **options):
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, **options)
    expect(result.returncode == 0, " ".join(command), result.stdout[-2000:], result.stderr[-2000:])
    return result.stdout


def verilated():
    """One program with every unit and bug; built once."""
    need("verilator", "make", "g++")
    if "verilator" not in built:
        folder = os.path.join(build_folder, "verilated")
        os.makedirs(folder, exist_ok=True)
        run(["verilator", "--binary", "--timing", "-DDPI", "-O3", "-CFLAGS", "-O1", "-j", "2", "--Mdir", folder, "--top-module", "rtl_bench",
             "-o", "rtl_bench", "-Wno-WIDTH", "-Wno-TIMESCALEMOD", *lockstep, *sources, "-LDFLAGS",
             "%s -Wl,-rpath,%s" % (library, os.path.dirname(library))])
        built["verilator"] = [os.path.join(folder, "rtl_bench")]
    return built["verilator"]


def interpreted():
    need("iverilog", "vvp")
    if "icarus" not in built:
        os.makedirs(build_folder, exist_ok=True)
        program = os.path.join(build_folder, "rtl_bench.vvp")
        run(["iverilog", "-g2012", "-s", "rtl_bench", "-o", program, *sources])
        built["icarus"] = ["vvp", program]
    return built["icarus"]


def vectors(folder, unit, rows, *more):
    _, datapath, options, _, _ = units[unit]
    path = os.path.join(folder, "rows.hex")
    done(accsim("vectors", "--acc", datapath, *options, "--count", rows, "--steps", "16", *more, "--format", "readmemh", "--output", path))
    return path


def simulate(simulator, unit, bug, path, rows):
    number, datapath, options, latency, _ = units[unit]
    return run(simulator + ["+unit=%d" % number, "+bug=%d" % bug, "+rows=%d" % rows, "+vectors=" + path, "+datapath=" + datapath,
                            "+options=" + " ".join(options + [latency])])


def array_steps():
    """accsim's own int16_saturate, one unit a cell."""
    lib = dpi_library.load(library)
    cells = [dpi_library.create("int16_saturate") for _ in range(16)]
    out = ctypes.c_uint64()

    def step(cell, first, a, b):
        expect(lib.accsim_step(cells[cell], first, a, b, ctypes.byref(out)) >= 0, "accsim_step")
        return out.value

    return step


def interleaved_words(folder, rows):
    """`rows` additions, directed ones among them, in sums of 1 to 40; gaps, and results that wait."""
    rng = random.Random(3)
    path, wave = os.path.join(folder, "in.csv"), os.path.join(folder, "wave.csv")
    done(accsim("vectors", "--acc", "fp16", *interleaved.split(), "--count", rows, "--steps", "16", "--seed", "5", "--output", path))
    with open(path, encoding="utf-8") as file:
        numbers = [(row["a"], row["b"]) for row in csv.DictReader(line for line in file if not line.startswith("#"))]
    with open(path, "w", encoding="utf-8") as file:
        file.write("a,b,seq\n")
        left = sequence = 0
        for a, b in numbers:
            if left == 0:
                left, sequence = rng.choice((1, 2, 3, 4, 5, 8, 16, 40)), sequence + 1
            left -= 1
            file.write("%s,%s,%d\n" % (a, b, sequence))
    done(accsim("wave", "--acc", "fp16", *interleaved.split(), "--vectors", path, "--output", wave, "--in-valid", "11101", "--out-ready", "1101"))
    with open(wave, encoding="utf-8") as file:
        return cycle_files.interleaved(csv.DictReader(file))


def cycle_words(folder, unit, seed=1):
    number, rows = cycle_units[unit][:2]
    if number == 12:
        return cycle_files.output_stationary(rows, seed, array_steps())
    if number == 15:
        return interleaved_words(folder, 15000)[:rows]
    files = {10: cycle_files.adder_tree, 11: cycle_files.multiplier, 13: cycle_files.inner_product, 14: cycle_files.serial_multiplier}
    return files[number](rows, seed)


cycle_paths = {}


def cycle_file(unit, rows):
    """A file of the unit's first `rows` cycles; the words are made once."""
    if unit not in cycle_paths:
        folder = os.path.join(build_folder, "cycles", "%d" % cycle_units[unit][0])
        os.makedirs(folder, exist_ok=True)
        cycle_paths[unit] = (folder, cycle_words(folder, unit))
    folder, words = cycle_paths[unit]
    path = os.path.join(folder, "%d.hex" % rows)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(words[:rows]) + "\n")
    return path, min(rows, len(words))


def run_cycles(simulator, unit, bug, most_rows):
    number, _, _, datapath, options = cycle_units[unit]
    path, rows = cycle_file(unit, most_rows)
    output = run(simulator + ["+unit=%d" % number, "+bug=%d" % bug, "+rows=%d" % rows, "+vectors=" + path, "+datapath=" + datapath, "+options=" + options])
    return output, rows


def cycle_by_cycle(simulator, most_rows, lockstep):
    for unit, (_, _, stages, _, _) in cycle_units.items():
        output, rows = run_cycles(simulator, unit, 0, most_rows)
        expect("%d cycles, 0 vectors, 0 wrong" % rows in output, unit, output)
        expect(not lockstep or "lockstep: 0 mismatches" in output, unit, output)
        for bug, stage in enumerate(stages, 1):
            output, _ = run_cycles(simulator, unit, bug, min(most_rows, most_rows_with_bugs))
            reports = [line for line in output.splitlines() if line.startswith("cycle ")]
            expect(reports and ", 0 wrong" not in output, unit, bug, output)
            if lockstep:
                models = [line for line in reports if "(file)" not in line]
                expect(models and "stage " + stage in models[0] and "lockstep: 0 mismatches" not in output, unit, bug, output)


@case("the models of the online units give worked examples digit by digit")
def _(folder):
    # 121/256 + 91/256 = 53/64, from the adder's equations by hand.
    x, y = (1, 0, -1, 1, 1, 0, 1, -1, 0, 0), (0, 1, 1, -1, 1, 1, -1, 1, 0, 0)
    adder, z = cycle_files.OnlineAdder(), []
    for pair in zip(x, y):
        adder.clock(*({1: (1, 0), -1: (0, 1), 0: (0, 0)}[d] for d in pair))
        z.append(adder.z[0] - adder.z[1])
    equal(z, [0, 1, -1, 1, 0, 1, 1, -1, 0, 0])
    # 185/256 * 77/256, the first eight digits.
    multiplier = cycle_files.SerialParallel(77, 8)
    equal([multiplier.clock(d) for d in (1, 1, 0, -1, 1, 0, 1, -1, 0, 0)], [0, 0, 0, 1, 0, -1, 1, 0, 0, 0])
    # The product of 185/256 and 173/256 is 32005/65536; digits from the recurrence by hand.
    serial = cycle_files.SerialSerial(8)
    pairs = list(zip((1, 1, 0, -1, 1, 0, 1, -1), (1, 0, 1, 1, -1, 1, 0, 1))) + [(0, 0)] * 3
    equal([serial.clock(*pair) for pair in pairs], [0, 0, 0, 1, 0, 0, 0, 0, -1, 1, -1])


@case("online units, the array and the interleaved accumulator give every digit and sum in its cycle, in lockstep; planted bugs are named with cycle and stage (Verilator)")
def _(folder):
    cycle_by_cycle(verilated(), 32000, True)


@case("the same units are bit and cycle identical with the model over 100,000 random vectors each (Verilator), and their bugs are not")
def _(folder):
    for unit, (number, _, _, datapath, options) in cycle_units.items():
        for bug in range(4):
            wanted = 100000 if bug == 0 else 2000
            output = run(verilated() + ["+verilator+seed+1", "+unit=%d" % number, "+bug=%d" % bug, "+random=%d" % wanted, "+datapath=" + datapath,
                                        "+options=" + options])
            done_vectors = int(re.search(r"(\d+) vectors, 0 wrong", output).group(1))
            expect(done_vectors >= wanted and ("lockstep: 0 mismatches" in output) == (bug == 0), unit, bug, output)


@case("the same under Icarus, from files")
def _(folder):
    cycle_by_cycle(interpreted(), 10000, False)


@case("every unit is bit and cycle identical with the model, in lockstep under Verilator, over 100,000 random rows and 30,000 of all classes")
def _(folder):
    simulator = verilated()
    for unit in units:
        for rows, classes in ((100000, ("--class", "random")), (30000, ())):
            output = simulate(simulator, unit, 0, vectors(folder, unit, rows, *classes), rows)
            expect("lockstep: 0 mismatches" in output and "%d rows, 0 wrong" % rows in output, unit, output)


@case("planted bugs are caught, and the report names cycle and stage")
def _(folder):
    simulator = verilated()
    for unit, (_, _, _, _, stages) in units.items():
        rows = 30000 if unit == "stochastic" else most_rows_with_bugs  # one tail bit in thirteen seldom decides
        path = vectors(folder, unit, rows)
        for bug, stage in enumerate(stages, 1):
            if stage is None:
                continue
            output = simulate(simulator, unit, bug, path, rows)
            reports = [line for line in output.splitlines() if line.startswith("cycle ") and "(row" not in line]
            expect(reports and stage in reports[0] and "lockstep: 0 mismatches" not in output, unit, bug, output)


@case("every unit gives the golden results in their cycles under Icarus, and its bugs do not")
def _(folder):
    simulator = interpreted()
    rows = 10000
    for unit, (_, _, _, _, stages) in units.items():
        path = vectors(folder, unit, rows, "--seed", "2")
        output = simulate(simulator, unit, 0, path, rows)
        expect("%d rows, 0 wrong" % rows in output, unit, output)
        output = simulate(simulator, unit, 2, path, rows)
        expect("stage control" in output and "%d rows, 0 wrong" % rows not in output, unit, output)


@case("Yosys synthesizes every unit without latches")
def _(folder):
    need("yosys")
    parts = {"online_inner_product": ("online_inner_product", "online_multiplier", "online_residual", "online_adder_tree"),
             "online_multiplier": ("online_multiplier", "online_residual"),
             "online_serial_multiplier": ("online_serial_multiplier", "online_residual")}
    for name in modules:
        log = run(["yosys", "-p", "read_verilog -sv %s; synth -flatten -top %s; select -assert-none t:$dlatch t:$_DLATCH_* t:$_DLATCHSR_*; "
                   "select -assert-any t:$_*DFF*; stat" % (" ".join(os.path.join(here, n + ".sv") for n in parts.get(name, (name,))), name)])
        expect("Number of cells" in log, name, log[-500:])


harness.main()
