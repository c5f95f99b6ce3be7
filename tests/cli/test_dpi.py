"""libaccsim_dpi.so through ctypes, as cocotb would load it: the golden calls, the clocked unit, and every misuse."""

import csv
import ctypes
import os
import random
import subprocess
import sys

import harness
from harness import accsim, case, done, equal, expect

# The harness knows two arguments; the library and its header's folder come after the program.
library_path, header_folder = sys.argv[2], sys.argv[3]
sys.argv = sys.argv[:2]
lib = ctypes.CDLL(library_path)
u64, u32 = ctypes.c_uint64, ctypes.c_uint32
lib.accsim_create.restype = ctypes.c_void_p
lib.accsim_create.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p]
for name in ("accsim_last_error", "accsim_error_text"):
    getattr(lib, name).restype = ctypes.c_char_p
unit = ctypes.c_void_p
lib.accsim_destroy.argtypes = [unit]
lib.accsim_last_error.argtypes = [unit]
lib.accsim_reset.argtypes = [unit]
lib.accsim_bits.argtypes = [unit, ctypes.c_char_p]
lib.accsim_mac.argtypes = [unit, u64, u64, u64, ctypes.POINTER(u64)]
lib.accsim_step.argtypes = [unit, ctypes.c_int, u64, u64, ctypes.POINTER(u64)]
lib.accsim_row.argtypes = [unit, ctypes.c_int] + [ctypes.POINTER(u32)] * 4
lib.accsim_scales.argtypes = [unit, ctypes.c_int, ctypes.POINTER(u32), ctypes.c_int, ctypes.POINTER(u32)]
lib.accsim_total.argtypes = [unit, ctypes.POINTER(u64)]
lib.accsim_clock.argtypes = [unit, ctypes.c_int, ctypes.c_int, ctypes.c_int, u64, u64]
lib.accsim_peek.argtypes = [unit, ctypes.c_char_p, ctypes.POINTER(u64)]
lib.accsim_check.argtypes = [unit, ctypes.c_char_p, u64]
lib.accsim_clock_control.argtypes = [unit, ctypes.c_int, ctypes.c_int] + [ctypes.POINTER(u32)] * 3
lib.accsim_clock_batch.argtypes = [unit, ctypes.c_int, ctypes.c_int] + [ctypes.POINTER(u32)] * 3
lib.accsim_batch_results.argtypes = [unit, ctypes.POINTER(u32), ctypes.POINTER(u32)]
lib.accsim_batch_check.argtypes = [unit, ctypes.POINTER(u32)]
lib.accsim_clock_array.argtypes = [unit, ctypes.c_int] + [ctypes.POINTER(u32)] * 2
lib.accsim_array_results.argtypes = [unit, ctypes.POINTER(u32)]
lib.accsim_array_check.argtypes = [unit, ctypes.c_int, ctypes.POINTER(u32)]
lib.accsim_clock_online.argtypes = [unit, ctypes.c_int] + [u64] * 4 + [ctypes.POINTER(u32)]
RESET, VALID, FIRST, LAST, SUB, STALL, ACC_IN = (1 << i for i in range(7))
lib.accsim_error_count.argtypes = [unit]
lib.accsim_error_text.argtypes = [unit, ctypes.c_int]


def create(datapath, options="", version=1):
    return lib.accsim_create(version, datapath.encode(), options.encode())


def message(handle):
    return lib.accsim_last_error(handle).decode()


def packed(codes, bits):
    number = sum(code << (i * bits) for i, code in enumerate(codes))
    return (u32 * 64)(*[(number >> (32 * i)) & 0xFFFFFFFF for i in range(64)])


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


@case("a mismatch names cycle, stage, operands, expected and found")
def _(folder):
    handle = create("int16_wrap", "--latency 2")
    lib.accsim_clock(handle, 1, 0, 0, 0, 0)
    lib.accsim_clock(handle, 0, 1, 1, 100, 0xfe)  # 100 * -2
    equal(lib.accsim_check(handle, b"valid", 1), 0)
    equal(lib.accsim_clock(handle, 0, 0, 0, 0, 0), 1)
    equal(lib.accsim_check(handle, b"acc", 0xff39), 0)
    equal(lib.accsim_error_count(handle), 2)
    equal(lib.accsim_error_text(handle, 0), b"cycle 1: stage control: valid expected 0, found 1")
    equal(lib.accsim_error_text(handle, 1), b"cycle 2: stage sum: acc expected ff38 (-200), found ff39 (-199); "
          b"a 64 (100), b fe (-2), accumulator 0000 (0), taken in cycle 1")
    equal(lib.accsim_error_text(handle, 2), b"")
    equal(lib.accsim_reset(handle), 0)
    equal(lib.accsim_error_count(handle), 0)
    lib.accsim_destroy(handle)


@case("without --latency the registers are those of [timing], as accsim wave has them")
def _(folder):
    timing = "--set timing.input=1 --set timing.multiplier=2 --set timing.adder=1"
    path, waves = os.path.join(folder, "v.csv"), os.path.join(folder, "w.csv")
    done(accsim("vectors", "--acc", "fp12", "--in", "lba_fp12", "--count", "60", "--steps", "60", "--output", path))
    done(accsim("wave", "--acc", "fp12", "--in", "lba_fp12", *timing.split(), "--vectors", path, "--output", waves))
    with open(path, encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    with open(waves, encoding="utf-8") as file:
        cycles = list(csv.DictReader(line for line in file if not line.startswith("#")))
    handle = create("fp12", "--in lba_fp12 " + timing)
    expect(handle, message(None))
    for cycle, row in enumerate(rows[:40]):
        valid = lib.accsim_clock(handle, 0, 1, row["step"] == "0", int(row["a"], 16), int(row["b"], 16))
        equal(str(valid), cycles[cycle + 1]["out_valid"], cycle)  # accsim wave samples before the next edge
        if valid:
            equal(lib.accsim_check(handle, b"acc", int(cycles[cycle + 1]["acc"], 16)), 1, cycle)
    lib.accsim_destroy(handle)


def peek(handle, signal):
    value = u64()
    valid = lib.accsim_peek(handle, signal.encode(), ctypes.byref(value))
    expect(valid >= 0, message(handle))
    return value.value if valid or signal.endswith("valid") else None


@case("units in step give what each gives alone, on lanes or not, each with the generators of its element")
def _(folder):
    rng = random.Random(6)
    lfsr = "--rounding sr:bits=13,rng=lfsr:width=16,mask=0xb400,seed=0xace1,form=galois,step=right"
    for datapath, options, bits in (("fp12", "--in lba_fp12 --set timing.multiplier=2", 12), ("sr_fp12", lfsr + ",share=array", 8),
                                    ("fp16", "--in fp16 --set timing.multiplier=1 --set timing.adder=3", 16), ("int16_wrap", "", 8),
                                    ("fp32", "--in fp32 --rounding sr:bits=5,kind=c,rng=lfsr:width=9,mask=0x110,seed=3,share=array", 32),
                                    ("int32", "--set reduction.0.format=int40", 8)):
        units = 37
        batch = create(datapath, options + " --units %d" % units)
        expect(batch, message(None))
        equal(lib.accsim_bits(batch, b"units"), units)
        alone = [create(datapath, options) for _ in range(units)]
        wide = lib.accsim_bits(batch, b"acc_out") > 32
        found = 0
        for cycle in range(60):
            control = rng.choice((0, VALID, VALID | FIRST, VALID | SUB, VALID | STALL, RESET if cycle > 20 else VALID))
            a = (u32 * units)(*[rng.getrandbits(bits) for _ in range(units)])
            b = (u32 * units)(*[rng.getrandbits(bits) for _ in range(units)])
            stands = lib.accsim_clock_batch(batch, control, 1, a, b, None)
            expect(stands >= 0, message(batch))
            acc, flags = (u32 * (2 * units))(), (u32 * units)()
            equal(lib.accsim_batch_results(batch, acc, flags), stands)
            for i, handle in enumerate(alone):
                equal(lib.accsim_clock_control(handle, control, 1, packed([a[i]], bits), packed([b[i]], bits), None), stands)
                if stands:
                    equal((acc[i] + (acc[units + i] << 32 if wide else 0), flags[i]), (peek(handle, "acc"), peek(handle, "flags")), (datapath, cycle, i))
            if stands:
                found += 1
                equal(lib.accsim_batch_check(batch, acc), 1)
                acc[units - 1] ^= 1
                equal(lib.accsim_batch_check(batch, acc), 0)
                expect(("unit %d expected" % (units - 1)).encode() in lib.accsim_error_text(batch, found - 1), lib.accsim_error_text(batch, 0))
        expect(found > 10, datapath, found)
        for handle in alone + [batch]:
            lib.accsim_destroy(handle)
    # An element's own generator is seeded S xor its number: the first draws of elements 0 and 1 are 1 and 0 here, with one random bit.
    batch = create("int16_saturate", "--set product.format=s16.-1 --set product.rounding=sr:bits=1,rng=lfsr:width=8,mask=0xb8,seed=0x11 --units 2")
    expect(batch, message(None))
    lib.accsim_clock_batch(batch, VALID, 1, (u32 * 2)(1, 1), (u32 * 2)(1, 1), None)  # half a step: away where the bit is 1
    acc = (u32 * 2)()
    equal(lib.accsim_batch_results(batch, acc, None), 1)
    equal(list(acc), [2, 0])
    lib.accsim_destroy(batch)


@case("a reset puts generators to their seeds as every other register; so does accsim_reset")
def _(folder):
    options = "--rounding sr:bits=13,rng=lfsr:width=16,mask=0xb400,seed=0xace1,share=array"
    handle = create("sr_fp12", options)

    def sums():
        out = []
        for i in range(20):
            lib.accsim_clock(handle, 0, 1, i == 0, 0x3d, 0x3f + i)
            out.append(peek(handle, "acc"))
        return out

    first = sums()
    expect(sums() != first, "the generator does not run on")
    lib.accsim_clock(handle, 1, 0, 0, 0, 0)
    equal(peek(handle, "valid"), 0)
    equal(sums(), first)
    equal(lib.accsim_reset(handle), 0)
    equal(sums(), first)
    lib.accsim_destroy(handle)


@case("a unit that is clocked is ready, stands still and combines its partial sums as accsim wave has it")
def _(folder):
    rng = random.Random(8)
    timing = "--set reduction.0.kind=interleaved --set reduction.0.ways=3 --set reduction.0.combine=coalesce --set timing.multiplier=1 --set timing.output=1"
    vectors, waves = os.path.join(folder, "v.csv"), os.path.join(folder, "w.csv")
    with open(vectors, "w", encoding="utf-8") as file:
        file.write("a,b,seq\n" + "".join("%04x,%04x,%d\n" % (rng.randrange(0x3000, 0x4000), rng.randrange(0x8000, 0xc000), i // 7) for i in range(70)))
    done(accsim("wave", "--acc", "fp16", "--in", "fp16", *timing.split(), "--vectors", vectors, "--output", waves, "--in-valid", "1101", "--out-ready", "10"))
    with open(waves, encoding="utf-8") as file:
        cycles = list(csv.DictReader(file))
    handle = create("fp16", "--in fp16 " + timing)
    results = 0
    for cycle in cycles:
        equal(str(peek(handle, "valid")), cycle["out_valid"], cycle)
        if cycle["out_ready"] == "1":
            equal(str(peek(handle, "ready")), cycle["in_ready"], cycle)
        if cycle["out_valid"] == "1":
            equal(("%04x" % peek(handle, "acc"), "%02x" % peek(handle, "flags"), peek(handle, "last")), (cycle["acc"], cycle["flags"], 1), cycle)
            results += 1
        for name in ("product_1_valid", "product_1_a", "reduction_0_2_valid", "reduction_0_3_code", "output_1_code"):
            value = peek(handle, name)
            if value is not None:
                equal(value, int(cycle[name], 16), (cycle, name))
        control = sum(bit for bit, name in ((VALID, "in_valid"), (FIRST, "in_first"), (LAST, "in_last")) if cycle[name] == "1")
        control |= 0 if cycle["out_ready"] == "1" else STALL
        expect(lib.accsim_clock_control(handle, control, 1, packed([int(cycle["a"], 16)], 16), packed([int(cycle["b"], 16)], 16), None) >= 0,
               message(handle))
    expect(results >= 10, results)
    lib.accsim_destroy(handle)


@case("an array gives its sums a row a clock, the lowest first, 2R + C + T - 2 clocks after the first operands")
def _(folder):
    handle = create("int32", "--set array.rows=2 --set array.cols=3")
    expect(handle, message(None))
    a, b = [[1, 2, 3, 4], [5, 6, 7, 8]], [[1, 0, 1, 2], [2, 1, 0, 1], [1, 1, 1, 1]]  # rows, columns; T = 4
    products = [[sum(x * y for x, y in zip(row, column)) for column in b] for row in a]
    found = []
    for cycle in range(9):  # 2R + C + T - 2
        control = (VALID if cycle < 4 else 0) | (FIRST if cycle == 0 else 0) | (LAST if cycle == 3 else 0)
        k = min(cycle, 3)
        # A row stands at the output before this edge, or does not.
        sums = (u32 * 64)()
        if lib.accsim_array_results(handle, sums):
            found.append((cycle, list(sums[:3])))
            equal(lib.accsim_array_check(handle, 1, sums), 1)
            equal(lib.accsim_array_check(handle, 0, None), 0)
        else:
            equal(lib.accsim_array_check(handle, 0, None), 1)
        equal(peek(handle, "array_ready"), int(cycle < 4))
        lib.accsim_clock_array(handle, control, packed([row[k] for row in a], 8), packed([column[k] for column in b], 8))
    equal(found, [(7, products[1]), (8, products[0])])
    equal(peek(handle, "array_ready"), 1)
    lib.accsim_destroy(handle)


@case("an online unit gives the worked digits, and names a wrong one")
def _(folder):
    # online.md: 185/256 times 77/256, delay 2; the first eight digits.
    handle = create("online_r2_int8", "--terms 1")
    expect(handle, message(None))
    x, z = (1, 1, 0, -1, 1, 0, 1, -1, 0, 0), []
    for cycle, digit in enumerate(x):
        wires = lib.accsim_clock_online(handle, FIRST if cycle == 0 else 0, digit > 0, digit < 0, 0, 0, packed([77], 8))
        z.append((wires >> 1) - (wires & 1))
    equal(z, [0, 0, 0, 1, 0, -1, 1, 0, 0, 0])
    equal(lib.accsim_check(handle, b"digit", 1), 0)
    expect(b"cycle 9: stage digit" in lib.accsim_error_text(handle, 0), lib.accsim_error_text(handle, 0))
    lib.accsim_destroy(handle)
    for arguments, words in ((("int32",), "online"), (("online_r2_int8", "--terms 65"), "64"), (("online_r4_int8",), "radix 2")):
        handle = create(*arguments)
        expect((handle is None and words in message(None)) or (lib.accsim_clock_online(handle, 0, 0, 0, 0, 0, None) < 0 and words in message(handle)),
               arguments, message(handle))


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
