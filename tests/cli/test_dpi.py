"""libaccsim_dpi.so: the golden calls, row by row, and every misuse. Arguments: the program, the library, its header's folder."""

import csv
import ctypes
import os
import subprocess
import sys

import harness
from harness import accsim, case, done, equal, expect
import dpi_library
from dpi_library import ACC_IN, FIRST, VALID, create, message, packed, u32, u64

# The harness knows two arguments; the library and its header's folder come after the program.
library_path, header_folder = sys.argv[2], sys.argv[3]
sys.argv = sys.argv[:2]
lib = dpi_library.load(library_path)


@case("a multiply-add gives IEEE 754's results and flags")
def _(folder):
    handle = create("fp32", "--in fp32")
    expect(handle, message(None))
    out = u64()
    for a, b, c, y, flags in ((0x7f7fffff, 0x40000000, 0, 0x7f800000, 0x05), (0x3f800000, 0x3f800000, 0x33800000, 0x3f800000, 0x01),
                              (0x7f800000, 0, 0, 0x7fc00000, 0x10), (0x3f000000, 0x00800001, 0, 0x00400000, 0x03)):
        equal(lib.accsim_mac(handle, a, b, c, ctypes.byref(out)), flags, message(handle))
        equal(out.value, y)
    equal([lib.accsim_bits(handle, n) for n in (b"a", b"acc_out", b"product", b"terms")], [32, 32, 0, 1])
    lib.accsim_destroy(handle)


@case("steps, rows and the clocked unit agree with the rows of accsim vectors")
def _(folder):
    path = os.path.join(folder, "v.csv")
    done(accsim("vectors", "--acc", "fp12", "--in", "lba_fp12", "--count", "600", "--steps", "7", "--output", path))
    with open(path, encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    handle = create("fp12", "--in lba_fp12 --latency 3 --product-latency 2")
    out = u64()
    for row in rows:
        flags = lib.accsim_step(handle, row["step"] == "0", int(row["a"], 16), int(row["b"], 16), ctypes.byref(out))
        equal((out.value, flags), (int(row["acc_out"], 16), int(row["flags"], 16)), row)
    equal(lib.accsim_reset(handle), 0)
    for i in range(len(rows) + 2):
        row = rows[i] if i < len(rows) else None
        valid = lib.accsim_clock(handle, 0, row is not None, bool(row) and row["step"] == "0", int(row["a"], 16) if row else 0,
                                 int(row["b"], 16) if row else 0)
        equal(valid, int(i >= 2))  # registers: operands, product, accumulator
        if i >= 1 and i - 1 < len(rows):
            equal(lib.accsim_check(handle, b"product", int(rows[i - 1]["product"], 16)), 1)
        if i >= 2:
            equal(lib.accsim_check(handle, b"acc", int(rows[i - 2]["acc_out"], 16)), 1)
            equal(lib.accsim_check(handle, b"flags", int(rows[i - 2]["flags"], 16)), 1)
    equal(lib.accsim_error_count(handle), 0)
    lib.accsim_destroy(handle)


@case("a row of several terms, and the whole datapath's total")
def _(folder):
    handle = create("ampere_fp16_fp32")
    out = (u32 * 4)()
    codes = [0x3c00] * 8
    equal(lib.accsim_row(handle, 8, packed(codes, 16), packed(codes, 16), (u32 * 4)(), out), 0)
    equal(out[0], 0x41000000)  # 8
    lib.accsim_destroy(handle)
    handle = create("nvdla_cacc", "--set output.shift=2")  # int8; (3*5 + 7*11) / 4 = 23
    total = u64()
    lib.accsim_step(handle, 1, 3, 5, ctypes.byref(total))
    lib.accsim_step(handle, 0, 7, 11, ctypes.byref(total))
    equal(lib.accsim_total(handle, ctypes.byref(total)), 0, message(handle))
    equal(total.value, 23)
    lib.accsim_destroy(handle)


@case("operands in block formats have the scales that were set, row by row and clocked")
def _(folder):
    handle = create("blackwell_mxfp8", "--latency 2")
    out, value = (u32 * 4)(), u64()
    ones = packed([0x38] * 32, 8)  # E4M3
    equal(lib.accsim_row(handle, 32, ones, ones, (u32 * 4)(), out), 0)
    equal(out[0], 0x42000000)  # 32
    equal(lib.accsim_scales(handle, 1, packed([0x81], 8), 1, packed([0x7e], 8)), 0, message(handle))  # 4 and 1/2 in E8M0
    equal(lib.accsim_row(handle, 32, ones, ones, (u32 * 4)(), out), 0)
    equal(out[0], 0x42800000)  # 64
    equal(lib.accsim_clock_control(handle, VALID | FIRST, 32, ones, ones, (u32 * 4)()), 0, message(handle))
    equal(lib.accsim_scales(handle, 1, packed([0x80], 8), 0, None), 0)  # b's are 1 again
    equal(lib.accsim_clock_control(handle, VALID, 32, ones, ones, (u32 * 4)()), 1)
    equal(lib.accsim_peek(handle, b"acc", ctypes.byref(value)), 1)
    equal(value.value, 0x42800000)
    equal(lib.accsim_clock_control(handle, 0, 0, None, None, None), 1)
    equal(lib.accsim_check(handle, b"acc", 0x42c00000), 0)  # 64 + 32 * 2 = 128
    text = lib.accsim_error_text(handle, 0).decode()
    expect("expected 43000000 (128), found 42c00000 (96)" in text and "a_scale0 80 (2)" in text, text)
    for call in (lambda: lib.accsim_total(handle, ctypes.byref(value)), lambda: lib.accsim_clock_batch(handle, VALID, 32, ones, ones, None),
                 lambda: lib.accsim_scales(handle, 1, None, 0, None)):
        expect(call() < 0 and message(handle), message(handle))
    lib.accsim_destroy(handle)
    handle = create("fp16", "--in fp16")
    expect(lib.accsim_scales(handle, 1, ones, 0, None) < 0 and "block format" in message(handle), message(handle))
    equal(lib.accsim_scales(handle, 0, None, 0, None), 0)
    lib.accsim_destroy(handle)


@case("a datapath is also taken as the text of its TOML")
def _(folder):
    toml = done(accsim("show", "int8_int32")).out
    handle = create(toml)
    expect(handle, message(None))
    lib.accsim_destroy(handle)
    expect(create(toml.replace("sequential", "sequentiel")) is None and "sequentiel" in message(None), message(None))


@case("null handles, a wrong version and bad arguments give an error value and a message")
def _(folder):
    out = u64()
    for call in (lambda: lib.accsim_reset(None), lambda: lib.accsim_mac(None, 0, 0, 0, ctypes.byref(out)),
                 lambda: lib.accsim_clock(None, 0, 1, 1, 0, 0), lambda: lib.accsim_check(None, b"acc", 0),
                 lambda: lib.accsim_error_count(None), lambda: lib.accsim_total(None, ctypes.byref(out)),
                 lambda: lib.accsim_clock_batch(None, VALID, 1, None, None, None), lambda: lib.accsim_batch_results(None, None, None),
                 lambda: lib.accsim_batch_check(None, None), lambda: lib.accsim_clock_array(None, 0, None, None),
                 lambda: lib.accsim_array_check(None, 0, None), lambda: lib.accsim_array_results(None, None),
                 lambda: lib.accsim_clock_online(None, 0, 0, 0, 0, 0, None), lambda: lib.accsim_clock_control(None, 0, 1, None, None, None),
                 lambda: lib.accsim_bits(None, b"a"), lambda: lib.accsim_row(None, 1, None, None, None, None)):
        expect(call() < 0 and "null handle" in message(None), message(None))
    equal(lib.accsim_error_text(None, 0), b"")
    lib.accsim_destroy(None)
    for arguments, words in ((("fp12", "", 2), "version"), (("no_such",), "no_such"), (("fp12",), "as_traced"), (("int32", "--units 0"), "units"),
                             (("int32", "--latency 0"), "latency"), (("int32", "--part half"), "--part"), (("int32", "--speed 3"), "--speed"), (("int32", "--latency"), "no value"),
                             (("int32", "--latency 2x"), "2x"), (("int32", "--set reduction.0.format=zz"), "zz"),
                             (("int32", "--latency 1 --product-latency 2"), "latency")):
        expect(create(*arguments) is None and words in message(None), arguments, message(None))
    expect(lib.accsim_create(1, None, None) is None and "null pointer" in message(None), message(None))
    handle = create("int16_wrap")
    for call, words in ((lambda: lib.accsim_mac(handle, 0x1ff, 0, 0, ctypes.byref(out)), "8 bits"),
                        (lambda: lib.accsim_mac(handle, 0, 0, 0x10000, ctypes.byref(out)), "16 bits"),
                        (lambda: lib.accsim_mac(handle, 0, 0, 0, None), "null pointer"),
                        (lambda: lib.accsim_clock_control(handle, 4096, 1, None, None, None), "4096"),
                        (lambda: lib.accsim_clock_control(handle, VALID, 1, None, None, None), "null pointer"),
                        (lambda: lib.accsim_clock_control(handle, VALID, 2, packed([0], 8), packed([0], 8), None), "terms"),
                        (lambda: lib.accsim_clock_control(handle, VALID | ACC_IN, 1, packed([0], 8), packed([0], 8), None), "null pointer"),
                        (lambda: lib.accsim_clock_batch(handle, VALID, 1, None, None, None), "null pointer"),
                        (lambda: lib.accsim_clock_batch(handle, VALID, 0, packed([0], 8), packed([0], 8), None), "terms"),
                        (lambda: lib.accsim_clock_batch(handle, VALID, 1, (u32 * 1)(256), (u32 * 1)(0), None), "8 bits"),
                        (lambda: lib.accsim_clock_array(handle, 0, None, None), "[array]"),
                        (lambda: lib.accsim_check(handle, b"carry", 0), "carry"), (lambda: lib.accsim_check(handle, None, 0), "null pointer"),
                        (lambda: lib.accsim_peek(handle, b"carry", ctypes.byref(out)), "carry"),
                        (lambda: lib.accsim_bits(handle, b"carry"), "carry"),
                        (lambda: lib.accsim_row(handle, 500, packed([0], 8), packed([0], 8), (u32 * 4)(), (u32 * 4)()), "terms")):
        expect(call() < 0 and words in message(handle), words, message(handle))
    lib.accsim_destroy(handle)


@case("the library shows its own functions only, needs no simulator, and the header compiles as C")
def _(folder):
    listed = subprocess.run(["nm", "-D", library_path], capture_output=True, text=True, check=True).stdout.splitlines()
    shown = sorted(line.split()[-1] for line in listed if " T " in line)
    expect(shown and all(name.startswith("accsim_") for name in shown), shown)
    expect(not any(line.split()[-1].startswith("sv") for line in listed), "svdpi")
    with open(os.path.join(header_folder, "accsim_dpi.h"), encoding="utf-8") as file:
        header = file.read()
    with open(os.path.join(header_folder, "accsim_dpi_pkg.sv"), encoding="utf-8") as file:
        package = file.read()
    for name in shown:
        expect(name + "(" in header and (name + "(" in package), name)
    source = os.path.join(folder, "use.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write('#include "accsim_dpi.h"\nint use(void) { return accsim_version() - ACCSIM_DPI_VERSION; }\n')
    subprocess.run(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-I", header_folder, "-c", source, "-o", source + ".o"], check=True)


harness.main()
