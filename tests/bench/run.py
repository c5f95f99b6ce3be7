#!/usr/bin/env python3
"""Measures accsim and prints the tables of tests/bench/README.md.

  run.py BUILD_FOLDER [--kernels] [--threads] [--end-to-end] [--rtl]      without options: all

Kernels: GMAC/s of every executor on M=N=256, K=1024, beside OpenBLAS sgemm (one thread) on the same shape in the same run; medians of CPU
time, every executor of the same family beside each other. Threads: M=N=K=1024 with one and two threads. End to end: `accsim run --acc fp12`
on a generated trace of three layers and 4 GMACs, JSON out, against its kernels alone and reading. RTL: clocks a second of clocked units
and of online inner products beside those of our RTL (tests/rtl) under Verilator, compiled as fast as it gets, on one core, in turns; medians
of CPU time. Needs h5py and numpy, and verilator for the last.
"""
import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile

import h5py
import numpy


def environment():
    """The caller's, but OpenBLAS chooses its own kernels."""
    return {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        text = file.read()
    name = re.search(r"model name\s*: (.*)", text)
    family = re.search(r"cpu family\s*: (.*)", text)
    return "%s (family %s), %d cores, load %.1f" % (name.group(1) if name else platform.machine(), family.group(1) if family else "?", os.cpu_count(), os.getloadavg()[0])


def kernels(build):
    done = subprocess.run([os.path.join(build, "tests", "kernels_bench"), "--benchmark_format=json", "--benchmark_min_time=0.3"], env=environment(), capture_output=True, check=True)
    print("\n| datapath | executor | GMAC/s | sgemm GMAC/s | sgemm / accsim |\n|---|---|---|---|---|")
    for row in json.loads(done.stdout)["benchmarks"]:
        if "GMAC/s" not in row:
            continue
        datapath, executor = row["name"].split("/")[:2]
        print("| %s | %s | %.2f | %.1f | %.1f |" % (datapath, executor, row["GMAC/s"], row["sgemm"], row["ratio"]))


def write_trace(path, layers):
    random = numpy.random.default_rng(1)
    with h5py.File(path, "w") as file:
        for i, (m, n, k) in enumerate(layers):
            group = file.create_group("layer%d" % i)
            group.attrs["op"] = "linear"
            group["input"] = random.standard_normal((m, k)).astype(numpy.float32)
            group["weight"] = (random.standard_normal((n, k)) / numpy.sqrt(k)).astype(numpy.float32)
    return path


def run(build, trace, acc, threads, times=3):
    """The fastest of some runs: (wall seconds, the document, CPU seconds, peak MB)."""
    best = None
    for _ in range(times):
        process = subprocess.Popen([os.path.join(build, "cli", "accsim"), "run", "--acc", acc, "--trace", trace, "--threads", str(threads), "--json", "-", "--quiet"], stdout=subprocess.PIPE)
        document = json.loads(process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        if status != 0:
            sys.exit("accsim failed")
        cpu = usage.ru_utime + usage.ru_stime
        if best is None or document["seconds"]["total"] < best[0]:
            best = (document["seconds"]["total"], document, cpu, usage.ru_maxrss / 1024)
    return best


def threads(build, folder):
    trace = write_trace(os.path.join(folder, "square.h5"), [(1024, 1024, 1024)] * 3)
    print("\n| datapath | 1 thread, s | 2 threads, s | times faster |\n|---|---|---|---|")
    for acc in ("fp12", "e5m10", "int16_saturate", "ampere_fp16_fp32"):
        one, two = run(build, trace, acc, 1)[0], run(build, trace, acc, 2)[0]
        print("| %s | %.2f | %.2f | %.2f |" % (acc, one, two, one / two))


def end_to_end(build, folder):
    layers = [(1024, 1024, 1280)] * 3
    trace = write_trace(os.path.join(folder, "trace.h5"), layers)
    tensors = sum(4 * (m * k + n * k) for m, n, k in layers) / 2**20
    print("\n| datapath | threads | wall s | reading s | kernels s | statistics s | (wall - reading) / kernels | CPU s | peak MB (tensors %.0f MB in all) |\n|---|---|---|---|---|---|---|---|---|" % tensors)
    for acc in ("fp12", "int32"):
        for count in (1, 2):
            total, document, cpu, peak = run(build, trace, acc, count)
            s = document["seconds"]
            print("| %s | %d | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f | %.0f |" % (acc, count, total, s["read"], s["simulate"], s["reference"], (total - s["read"]) / s["simulate"], cpu, peak))


def verilated(folder, top, sources, define):
    """A program that clocks the unit with nothing around it."""
    here = os.path.dirname(os.path.abspath(__file__))
    rtl = [os.path.join(here, "..", "rtl", name + ".sv") for name in sources]
    built = os.path.join(folder, top)
    subprocess.run(["verilator", "--cc", "--exe", "--build", "-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert", "--prefix", "Vunit", "--Mdir", built,
                    "--top-module", top, "-Wno-WIDTH", "-Wno-TIMESCALEMOD", "-CFLAGS", "-O3 -march=native -fno-exceptions %s" % define, "-MAKEFLAGS",
                    "OPT_FAST=-O3 OPT_SLOW=-O3 OPT_GLOBAL=-O3", "-o", "unit", *rtl, os.path.join(here, "rtl_rate.cpp")], check=True, capture_output=True)
    return os.path.join(built, "unit")


def rtl(build, folder, times=5):
    units = {"fp12 MAC": (verilated(folder, "fp12_mac", ["fp12_mac"], ""), "clocked_bench", "clocked/fp12"),
             "online inner product, N=9, 8 digits": (verilated(folder, "online_inner_product", ["online_inner_product", "online_multiplier", "online_residual", "online_adder_tree"],
                                                               "-DACCSIM_ONLINE"), "online_bench", "sliced/[ab]")}
    rates = {}
    for _ in range(times):
        for unit, (program, bench, names) in units.items():
            out = subprocess.run([program], check=True, capture_output=True, text=True).stdout
            rates.setdefault(unit, {}).setdefault("RTL", []).append(float(out.split()[0]))
            done = subprocess.run([os.path.join(build, "tests", bench), "--benchmark_format=json", "--benchmark_min_time=0.3", "--benchmark_filter=^" + names], check=True, capture_output=True)
            for row in json.loads(done.stdout)["benchmarks"]:
                if not row.get("error_occurred"):
                    rates[unit].setdefault(row["name"], []).append(row.get("clocks/s", row.get("steps/s")))
    print("\n| unit | | M unit clocks/s | times the RTL |\n|---|---|---|---|")
    for unit, of_unit in rates.items():
        for name, values in of_unit.items():
            print("| %s | %s | %.1f | %.1f |" % (unit, name, statistics.median(values) / 1e6, statistics.median(values) / statistics.median(of_unit["RTL"])))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    for part in ("kernels", "threads", "end-to-end", "rtl"):
        parser.add_argument("--" + part, action="store_true")
    options = parser.parse_args()
    everything = not (options.kernels or options.threads or options.end_to_end or options.rtl)
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        if everything or options.kernels:
            kernels(options.build)
        if everything or options.threads:
            threads(options.build, folder)
        if everything or options.end_to_end:
            end_to_end(options.build, folder)
        if everything or options.rtl:
            rtl(options.build, folder)


main()
