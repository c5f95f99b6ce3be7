"""Our RTL (*.sv) against accsim: Verilator in lockstep through libaccsim_dpi, Icarus on $readmemh vectors, planted bugs, synthesis by Yosys.

Arguments: the program, libaccsim_dpi.so, the folder of accsim_dpi_pkg.sv, a folder to build in."""

import ctypes
import os
import shutil
import subprocess
import sys

import cycle_files
import harness_path  # noqa: F401  finds the harness of tests/cli
import harness
from harness import accsim, case, done, equal, expect

library, package_folder, build_folder = sys.argv[2:5]
sys.argv = sys.argv[:2]
here = os.path.dirname(os.path.abspath(__file__))
modules = ("fp12_mac", "sr_mac", "int_mac", "fp16_accumulator", "online_adder_tree", "online_multiplier", "os_array")
sources = [os.path.join(here, name + ".sv") for name in ("rtl_bench", "mac_bench", "cycle_bench") + modules]
built = {}
most_rows_with_bugs = 30000  # what the benches have room for

lfsr = "sr:bits=13,rng=lfsr:width=16,mask=0xb400,seed=0xace1,form=galois,step=right"
# The number of a unit in mac_bench.sv, its datapath, options, registers, what reports of planted bugs 1, 2 and 3 name.
late = "stage control: valid expected 1, found 0"
units = {
    "fp12": (0, "fp12", ["--in", "lba_fp12"], "--latency 3 --product-latency 2", ("stage sum", late, "stage product")),
    "stochastic": (1, "sr_fp12", ["--rounding", lfsr], "--latency 2", ("stage sum", late, "stage sum")),
    "wrapping integer": (2, "int16_wrap", [], "--latency 2", ("stage sum", late, None)),
    "saturating integer": (3, "int16_saturate", [], "--latency 2", ("stage sum", late, "stage sum")),
    "interleaved binary16": (4, "fp16", ["--in-a", "fp16", "--in-b", "uint1", "--set", "reduction.0.kind=interleaved", "--set",
                                         "reduction.0.ways=4"], "--latency 4", ("stage sum", late, "stage sum")),
}


# The number of a unit in cycle_bench.sv, cycles, what reports of planted bugs name.
cycle_units = {"online adder tree": (10, 100000, "stage tree"), "online multiplier": (11, 100000, "stage digit"),
               "output-stationary array": (12, 12000, "stage")}


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
             "-o", "rtl_bench", "-Wno-WIDTH", "-Wno-TIMESCALEMOD", os.path.join(package_folder, "accsim_dpi_pkg.sv"), *sources, "-LDFLAGS",
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


def vectors(folder, unit, rows, seed=1):
    _, datapath, options, _, _ = units[unit]
    path = os.path.join(folder, "rows.hex")
    done(accsim("vectors", "--acc", datapath, *options, "--count", rows, "--steps", "16", "--seed", seed, "--format", "readmemh", "--output", path))
    return path


def simulate(simulator, unit, bug, path, rows):
    number, datapath, options, latency, _ = units[unit]
    return run(simulator + ["+unit=%d" % number, "+bug=%d" % bug, "+rows=%d" % rows, "+vectors=" + path, "+datapath=" + datapath,
                            "+options=" + " ".join(options + [latency])])


def array_steps():
    """accsim's own int16_saturate, one unit a cell."""
    lib = ctypes.CDLL(library)
    lib.accsim_create.restype = ctypes.c_void_p
    lib.accsim_step.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_uint64, ctypes.c_uint64, ctypes.POINTER(ctypes.c_uint64)]
    cells = [lib.accsim_create(1, b"int16_saturate", b"") for _ in range(16)]
    out = ctypes.c_uint64()

    def step(cell, first, a, b):
        expect(lib.accsim_step(cells[cell], first, a, b, ctypes.byref(out)) >= 0, "accsim_step")
        return out.value

    return step


def cycle_vectors(folder, unit, seed=1):
    number, rows, _ = cycle_units[unit]
    if number == 12:
        words, macs = cycle_files.output_stationary(rows, seed, array_steps())
        expect(macs >= 100000, macs)
    else:
        words = (cycle_files.adder_tree if number == 10 else cycle_files.multiplier)(rows, seed)
    path = os.path.join(folder, "cycles.hex")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(words) + "\n")
    return path


def cycle_by_cycle(simulator, folder, rows_limit):
    for unit, (number, rows, stage) in cycle_units.items():
        path = cycle_vectors(folder, unit)
        rows = min(rows, rows_limit)
        shorter = path + ".start"
        with open(path, encoding="utf-8") as file, open(shorter, "w", encoding="utf-8") as start:
            start.writelines(line for _, line in zip(range(most_rows_with_bugs), file))
        command = simulator + ["+unit=%d" % number]
        output = run(command + ["+bug=0", "+rows=%d" % rows, "+vectors=" + path])
        expect("%d cycles, 0 wrong" % rows in output, unit, output)
        for bug in (1, 2, 3):
            output = run(command + ["+bug=%d" % bug, "+rows=%d" % min(rows, most_rows_with_bugs), "+vectors=" + shorter])
            expect("cycle " in output and stage in output and ", 0 wrong" not in output, unit, bug, output)


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


@case("online adders and multipliers give every digit in its cycle, the array every sum, and planted bugs are named with cycle and stage (Verilator)")
def _(folder):
    cycle_by_cycle(verilated(), folder, 100000)


@case("the same under Icarus")
def _(folder):
    cycle_by_cycle(interpreted(), folder, 10000)


@case("every unit is bit and cycle identical with the model, in lockstep under Verilator over 100,000 rows, directed ones among them")
def _(folder):
    simulator = verilated()
    for unit in units:
        rows = 100000
        output = simulate(simulator, unit, 0, vectors(folder, unit, rows), rows)
        expect("lockstep: 0 mismatches" in output and "%d rows, 0 wrong" % rows in output, unit, output)


@case("planted bugs are caught, and the report names cycle and stage")
def _(folder):
    simulator = verilated()
    rows = most_rows_with_bugs
    for unit, (_, _, _, _, stages) in units.items():
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
    rows = 20000
    for unit, (_, _, _, _, stages) in units.items():
        path = vectors(folder, unit, rows, seed=2)
        output = simulate(simulator, unit, 0, path, rows)
        expect("%d rows, 0 wrong" % rows in output, unit, output)
        output = simulate(simulator, unit, 2, path, rows)
        expect("stage control" in output and "%d rows, 0 wrong" % rows not in output, unit, output)


@case("Yosys synthesizes every unit without latches")
def _(folder):
    need("yosys")
    for name in modules:
        log = run(["yosys", "-p", "read_verilog -sv %s; synth -flatten -top %s; select -assert-none t:$dlatch t:$_DLATCH_* t:$_DLATCHSR_*; "
                   "select -assert-any t:$_*DFF*; stat" % (os.path.join(here, name + ".sv"), name)])
        expect("Number of cells" in log, name, log[-500:])


harness.main()
